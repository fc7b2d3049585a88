"""Products of soxs_merge: spectra in ESO's form, and what is drawn or written from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from soxs_recipes.algorithms.combine_spectra import Combined
from soxs_recipes.algorithms.flux_calibration import SYSTEMATIC, TELLURIC_FLUX, TRANSMISSION
from soxs_recipes.products.phase3_observation import Observation
from soxs_recipes.products.phase3_spectrum import (
    COLUMNS,
    ERG,
    EXTENSION,
    SdpSpectrum,
    extension_cards,
    primary_cards,
    spectrum_table,
    trimmed,
)
from soxs_recipes.recipes.base import Result, drawn
from soxs_recipes.recipes.declarations import Column, Hdu, Product, Value, detector_hdus

_SPECTRUM_HDU = Hdu(
    EXTENSION,
    "table",
    "",
    "one row of arrays",
    tuple(
        Column(one.name, one.dtype, ERG if one.unit == "flux" else one.unit, one.help)
        for one in COLUMNS
    ),
)
ARM_SPECTRUM = Product(
    "SCI_SLIT_FLUX_{arm}",
    "calibrated spectrum of one arm, ESO science data product",
    (_SPECTRUM_HDU,),
    per_observation=True,
)
MERGED_SPECTRUM = Product(
    "SCI_SLIT_FLUX_MERGED",
    "calibrated spectrum of both arms, ESO science data product",
    (_SPECTRUM_HDU,),
    per_observation=True,
    on_request=True,
)
IMAGE = Product(
    "SCI_SLIT_FLUX_2D_{arm}",
    "rectified spectrum, wavelength- and flux-calibrated; slit losses left as they are",
    detector_hdus("", "all orders on one grid, wavelength against slit position"),
    per_observation=True,
    on_request=True,
)


def _side_product(kind: str, suffix: str, meaning: str) -> Product:
    return Product(
        f"SCI_SLIT_FLUX_{kind}", meaning, (), per_observation=True, on_request=True, suffix=suffix
    )


ASCII = _side_product("ASCII", ".txt", "the spectrum as text")
PICTURE = _side_product("PNG", ".png", "page of the spectrum, a picture")
PAGE = _side_product("PDF", ".pdf", "page of the spectrum, to print")
MERGE_PRODUCTS = (ARM_SPECTRUM, MERGED_SPECTRUM, IMAGE, ASCII, PICTURE, PAGE)


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


def side_results(tag: str, ascii_copy: bool, page: bool) -> list[Result]:
    """What is written and drawn from the finished product of a tag."""

    def written(finished: Mapping[str, Sequence[Path]], path: Path) -> None:
        from soxs_recipes.products.ascii_spectrum import write_ascii

        write_ascii(finished[tag][0], path)

    def pictured(finished: Mapping[str, Sequence[Path]], path: Path) -> None:
        from soxs_recipes.qc.spectrum_page import draw_spectrum_page

        draw_spectrum_page(finished[tag][0], path)

    wanted = [(ASCII, written)] if ascii_copy else []
    if page:
        wanted += [(PICTURE, pictured), (PAGE, pictured)]
    return [drawn(product, draw) for product, draw in wanted]
