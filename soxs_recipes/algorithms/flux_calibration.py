"""Extracted orders become spectra on a common scale, ready to be combined.

A flux-calibrated order is its count rate above the atmosphere's extinction times the response; an
uncalibrated one its count rate over the blaze. The error of the response is common to neighbouring
bins and kept apart from the random error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from soxs_recipes.algorithms.air_vacuum import air_to_vacuum
from soxs_recipes.algorithms.combine_spectra import SPEED_OF_LIGHT_KMS, SpectrumPiece
from soxs_recipes.algorithms.order_spectra import OrderSpectra
from soxs_recipes.algorithms.quality import Quality, QualityArray

Array = NDArray[np.float64]

TELLURIC_FLUX, TRANSMISSION, SYSTEMATIC = "telluric", "transmission", "systematic"
# Where less light than this comes through, nothing is left to be corrected.
LEAST_TRANSMISSION = 0.02


@dataclass(frozen=True)
class Factor:
    """What a count rate is multiplied by, bin by bin.

    Attributes
    ----------
    value : ndarray
        Flux density per electron s-1 nm-1; NaN where it is not known.
    relative_error : ndarray
        Relative standard error, common to neighbouring bins.
    """

    value: Array
    relative_error: Array

    def times(self, other: ArrayLike, relative_error: ArrayLike = 0.0) -> Factor:
        """Multiply by another factor whose error is independent."""
        error = np.hypot(self.relative_error, relative_error)
        return Factor(self.value * np.asarray(other, float), error)


@dataclass(frozen=True)
class Transmission:
    """Telluric transmission of the bins of an order.

    Attributes
    ----------
    value, error : ndarray
        Transmission and its standard error.
    quality : ndarray of uint16
        `Quality.TELLURIC` where absorption is too deep for a correction.
    """

    value: Array
    error: Array
    quality: QualityArray


def extinction_factor(magnitudes_per_airmass: ArrayLike, airmass: float) -> Array:
    """Flux above the atmosphere over flux below it."""
    return 10 ** (0.4 * airmass * np.asarray(magnitudes_per_airmass, float))


def order_piece(
    spectra: OrderSpectra,
    order: int,
    factor: Factor,
    transmission: Transmission | None = None,
) -> SpectrumPiece:
    """One order as a spectrum of flux density, on the wavelengths of the extraction.

    Parameters
    ----------
    spectra : OrderSpectra
        Extracted orders.
    order : int
        Which of them.
    factor : Factor
        For the bins of this order.
    transmission : Transmission, optional
        For the bins of this order.

    Returns
    -------
    SpectrumPiece
        Its `extra` holds the systematic error and, with a transmission, that and the flux divided
        by it; NaN where less than 2 % of the light comes through.
    """
    here = spectra.of(order)
    scale = factor.value / (spectra.exptime_s * spectra.width_nm[here])
    flux = spectra.flux_e[here] * scale
    variance = (spectra.error_e[here] * scale) ** 2
    quality = spectra.quality[here].astype(np.uint16)
    extra = {SYSTEMATIC: np.abs(flux) * factor.relative_error}
    extra_variance: Mapping[str, Array] = {}
    if transmission is not None:
        quality |= transmission.quality & np.uint16(Quality.TELLURIC)
        corrected, spread = _corrected(flux, variance, transmission)
        extra |= {TELLURIC_FLUX: corrected, TRANSMISSION: transmission.value}
        extra_variance = {TELLURIC_FLUX: spread}
    return SpectrumPiece(
        spectra.wave_nm[here],
        spectra.width_nm[here],
        flux,
        variance,
        quality,
        spectra.sky_e[here] * scale,
        extra,
        extra_variance,
        float(spectra.covariance.get(order, 1.0)),
    )


def _corrected(flux: Array, variance: Array, telluric: Transmission) -> tuple[Array, Array]:
    """Flux over transmission, and its variance with that of the transmission."""
    value = np.where(telluric.value >= LEAST_TRANSMISSION, telluric.value, np.nan)
    corrected = flux / value
    return corrected, (variance + (corrected * telluric.error) ** 2) / value**2


def moved(piece: SpectrumPiece, to_vacuum: bool, velocity_kms: float = 0.0) -> SpectrumPiece:
    """Spectrum with wavelengths in vacuum instead of air, or seen from another frame.

    Flux densities are per nm of the new scale, so that fluxes of bins stay what they are.

    Parameters
    ----------
    piece : SpectrumPiece
        Spectrum with wavelengths in air.
    to_vacuum : bool
        Whether wavelengths become those in vacuum.
    velocity_kms : float
        Velocity that is added to that of the source.
    """
    if not to_vacuum and not velocity_kms:
        return piece
    edges = np.stack(piece.edges_nm())
    edges = air_to_vacuum(edges) if to_vacuum else edges
    edges = edges * (1 + velocity_kms / SPEED_OF_LIGHT_KMS)
    width = edges[1] - edges[0]
    low, high = piece.edges_nm()
    return _rescaled(piece, (high - low) / width, edges.mean(axis=0), width)


def scaled(
    piece: SpectrumPiece, factor: ArrayLike, relative_error: ArrayLike = 0.0
) -> SpectrumPiece:
    """Spectrum times a factor, whose error is added to the systematic one."""
    more = np.abs(piece.flux_density) * np.asarray(relative_error, float)
    extra = {**piece.extra, SYSTEMATIC: np.hypot(piece.extra[SYSTEMATIC], more)}
    piece = SpectrumPiece(**{**vars(piece), "extra": extra})
    return _rescaled(piece, factor, piece.wave_nm, piece.width_nm)


def _rescaled(
    piece: SpectrumPiece, factor: ArrayLike, wave_nm: Array, width_nm: Array
) -> SpectrumPiece:
    """All flux densities times a factor, on other bins; the transmission is none."""
    ratio = np.broadcast_to(np.asarray(factor, float), piece.wave_nm.shape)
    return SpectrumPiece(
        wave_nm,
        width_nm,
        piece.flux_density * ratio,
        piece.variance * ratio**2,
        piece.quality,
        None if piece.sky_density is None else piece.sky_density * ratio,
        {
            name: values if name == TRANSMISSION else values * ratio
            for name, values in piece.extra.items()
        },
        {name: values * ratio**2 for name, values in piece.extra_variance.items()},
        piece.covariance_factor,
    )
