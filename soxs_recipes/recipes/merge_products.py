"""Products of soxs_merge: spectra in ESO's form, and what is drawn or written from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from soxs_recipes.algorithms.combine_spectra import Combined
from soxs_recipes.algorithms.flux_calibration import SYSTEMATIC, TELLURIC_FLUX, TRANSMISSION
from soxs_recipes.products.phase3_columns import EXTENSION
from soxs_recipes.products.phase3_observation import Observation
from soxs_recipes.products.phase3_spectrum import (
    SdpSpectrum,
    extension_cards,
    primary_cards,
    spectrum_table,
    trimmed,
)
from soxs_recipes.recipes.base import Result
from soxs_recipes.recipes.declarations import Product, Value


@dataclass(frozen=True)
class Making:
    """How a spectrum was made, as far as its product has to tell.

    Attributes
    ----------
    is_calibrated, is_air, is_barycentric, is_corrected : bool
        Whether the flux is calibrated, wavelengths are in air, or barycentric, and telluric lines
        corrected.
    flux_error_percent : float
        Error of the flux scale, -2 if it is not known.
    resolution : float
        Resolving power.
    cards : mapping
        Further cards of the primary header.
    steps : tuple of str
        What was done.
    """

    is_calibrated: bool
    is_air: bool
    is_barycentric: bool
    is_corrected: bool
    flux_error_percent: float
    resolution: float
    cards: Mapping[str, tuple[Value, str]]
    steps: tuple[str, ...]


def spectrum_result(
    product: Product,
    spectrum: Combined,
    counts: np.ndarray,
    observation: Observation,
    making: Making,
    qc: Mapping[str, Value | None],
    arm: str = "",
) -> Result:
    """A spectrum as a product; its QC SNR MEDIAN is filled in here."""
    sdp = trimmed(_sdp(spectrum, counts, making))
    cards = {
        "": {**primary_cards(sdp, observation), **making.cards},
        EXTENSION: extension_cards(sdp, observation),
    }
    return Result(
        product,
        {EXTENSION: spectrum_table(sdp)},
        {**qc, "SNR MEDIAN": sdp.snr, "COVAR FACTOR": spectrum.typical_covariance_factor},
        observation.exptime_s,
        steps=making.steps,
        cards=cards,
        arm=arm,
    )


def _sdp(spectrum: Combined, counts: np.ndarray, making: Making) -> SdpSpectrum:
    columns = {
        "FLUX": spectrum.flux,
        "ERR": np.sqrt(spectrum.variance),
        "QUAL": spectrum.quality,
        "BGFLUX": spectrum.sky,
        "COUNTS": np.where(np.isfinite(spectrum.flux), counts, np.nan),
        "ERR_SYS": spectrum.extra[SYSTEMATIC],
    }
    if making.is_corrected:
        columns |= {
            "FLUX_TELLURIC": spectrum.extra[TELLURIC_FLUX],
            "ERR_TELLURIC": np.sqrt(spectrum.extra_variance[TELLURIC_FLUX]),
            "TRANSMISSION": spectrum.extra[TRANSMISSION],
        }
    return SdpSpectrum(
        spectrum.wave_nm,
        spectrum.width_nm,
        columns,
        making.is_calibrated,
        making.is_air,
        making.is_corrected,
        making.flux_error_percent,
        making.resolution,
        making.is_barycentric,
    )
