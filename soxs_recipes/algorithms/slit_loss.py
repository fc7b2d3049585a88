"""Light lost at the slit: a seeing disc centred on it, wider in the blue."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr

Array = NDArray[np.float64]

REFERENCE_NM = 500.0
SEEING_POWER = -0.2
"""Width of the seeing disc against wavelength (Kolmogorov turbulence; Fried 1966)."""
AIRMASS_POWER = 0.6
PROFILE_POWER = 3.0
"""Exponent of the profile of a star (Moffat 1969), typical of images of telescopes."""
SEEING_ERROR = 0.2
"""Relative error of the width of the image at the slit, measured behind it or by a monitor."""
INSTRUMENT_FWHM_ARCSEC = 0.45
"""Width that the spectrograph adds to an image: that of a pinhole, 1.7 px."""
_SHARPEST_ARCSEC = 0.3


@dataclass(frozen=True)
class Seen:
    """How a star was seen: width of its image at 500 nm, and the slit, both in arcsec."""

    fwhm_arcsec: float
    slit_arcsec: float

    def passed(self, wave_nm: ArrayLike) -> Array:
        """Share of the light that passes the slit at a wavelength."""
        return slit_transmission(seeing_fwhm(wave_nm, self.fwhm_arcsec), self.slit_arcsec)


def at_the_slit(measured_arcsec: float) -> float:
    """Width of an image at the slit, from that measured on the detector."""
    square = measured_arcsec**2 - INSTRUMENT_FWHM_ARCSEC**2
    return math.sqrt(max(square, _SHARPEST_ARCSEC**2))


def off_zenith(fwhm_arcsec: float, airmass: float) -> float:
    """Seeing at an airmass from that at zenith."""
    return fwhm_arcsec * airmass**AIRMASS_POWER


def seeing_fwhm(wave_nm: ArrayLike, fwhm_arcsec: float) -> Array:
    """Width of a point source at wavelengths, from that at 500 nm."""
    return fwhm_arcsec * (np.asarray(wave_nm, float) / REFERENCE_NM) ** SEEING_POWER


def slit_transmission(fwhm_arcsec: ArrayLike, slit_arcsec: float) -> Array:
    """Share of a centred star that passes a long slit.

    Across the slit a Moffat profile of exponent b is distributed like Student's t with 2 b - 2
    degrees of freedom.
    """
    freedom = 2 * PROFILE_POWER - 2
    core = np.asarray(fwhm_arcsec, float) / 2 / np.sqrt(2 ** (1 / PROFILE_POWER) - 1)
    return 2 * stdtr(freedom, slit_arcsec / 2 * np.sqrt(freedom) / core) - 1


def relative_loss(
    wave_nm: ArrayLike, science: Seen, standard: Seen, anchor_nm: float | None = None
) -> tuple[Array, Array]:
    """Factor that makes good what the slit took from the target and not from the standard.

    Parameters
    ----------
    wave_nm : array_like
        Wavelengths.
    science, standard : Seen
        The target, and the standard that the response comes from.
    anchor_nm : float, optional
        Wavelength at which the flux is known from elsewhere: the factor is 1 there.

    Returns
    -------
    factor, relative_error : ndarray
        The error is that of 20 % in the seeing of the target.
    """
    wave = np.asarray(wave_nm, float)
    factor = _ratio(wave, science, standard, anchor_nm)
    worse = Seen(science.fwhm_arcsec * (1 + SEEING_ERROR), science.slit_arcsec)
    return factor, np.abs(_ratio(wave, worse, standard, anchor_nm) / factor - 1)


def _ratio(wave: Array, science: Seen, standard: Seen, anchor_nm: float | None) -> Array:
    ratio = standard.passed(wave) / science.passed(wave)
    if anchor_nm is None:
        return ratio
    return ratio * science.passed(anchor_nm) / standard.passed(anchor_nm)
