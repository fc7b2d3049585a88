"""Light lost at the slit: a seeing disc centred on it, wider in the blue."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import erf

Array = NDArray[np.float64]

REFERENCE_NM = 500.0
SEEING_POWER = -0.2
"""Width of the seeing disc against wavelength (Kolmogorov turbulence; Fried 1966)."""
AIRMASS_POWER = 0.6
SEEING_ERROR = 0.2
"""Relative error of a seeing monitor as a measure of the image at the slit."""
_FWHM_PER_SD = 2.3548200450309493


def seeing_fwhm(wave_nm: ArrayLike, zenith_arcsec: float, airmass: float) -> Array:
    """Width of a point source, arcsec, from the seeing at zenith and 500 nm."""
    wave = np.asarray(wave_nm, float)
    return zenith_arcsec * airmass**AIRMASS_POWER * (wave / REFERENCE_NM) ** SEEING_POWER


def slit_transmission(fwhm_arcsec: ArrayLike, slit_arcsec: float) -> Array:
    """Share of a centred Gaussian that passes a slit."""
    sd = np.asarray(fwhm_arcsec, float) / _FWHM_PER_SD
    return erf(slit_arcsec / 2 / (np.sqrt(2) * sd))


def relative_loss(
    wave_nm: ArrayLike,
    science: tuple[float, float, float],
    standard: tuple[float, float, float],
    anchor_nm: float | None = None,
) -> tuple[Array, Array]:
    """Factor that makes good what the slit took from the target and not from the standard.

    Parameters
    ----------
    wave_nm : array_like
        Wavelengths.
    science, standard : tuple of float
        Seeing at zenith (arcsec), airmass and slit width (arcsec) of the target and of the
        standard that the response comes from.
    anchor_nm : float, optional
        Wavelength at which the flux is known from elsewhere: the factor is 1 there.

    Returns
    -------
    factor, relative_error : ndarray
        The error is that of 20 % in the seeing of the target.
    """
    wave = np.asarray(wave_nm, float)
    factor = _ratio(wave, science, standard, anchor_nm)
    seeing, *rest = science
    worse = _ratio(wave, (seeing * (1 + SEEING_ERROR), *rest), standard, anchor_nm)
    return factor, np.abs(worse / factor - 1)


def _ratio(
    wave: Array,
    science: tuple[float, float, float],
    standard: tuple[float, float, float],
    anchor_nm: float | None,
) -> Array:
    def passed(at: ArrayLike, seen: tuple[float, float, float]) -> Array:
        seeing, airmass, slit = seen
        return slit_transmission(seeing_fwhm(at, seeing, airmass), slit)

    ratio = passed(wave, standard) / passed(wave, science)
    if anchor_nm is None:
        return ratio
    return ratio * passed(anchor_nm, science) / passed(anchor_nm, standard)
