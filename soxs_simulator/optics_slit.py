"""Light along the slit: edges and illumination of the slit, pinholes, seeing-limited profiles.

Profiles are tables on `SLIT_GRID`, in arcsec; a star's table is made for one seeing and stretched
with wavelength.
"""

from __future__ import annotations

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.special import gamma, ndtr

from .optics import PINHOLE_ARCSEC, ArmOptics
from .rng import stream

Array = NDArray[np.float64]

SLIT_STEP_ARCSEC = 0.01
SLIT_REACH_ARCSEC = 16.0
SLIT_GRID = np.arange(-SLIT_REACH_ARCSEC, SLIT_REACH_ARCSEC + 0.005, SLIT_STEP_ARCSEC)
"""Slit positions at which profiles are tabulated, arcsec."""

MOFFAT_BETA = 3.0

_JAW_ROUGHNESS, _JAW_SCALE_ARCSEC = 0.006, 0.4
_ILLUMINATION = 0.02


def slit_transmission(optics: ArmOptics, arm: str, slit: str, seed: int) -> Array:
    """Transmission along the slit: soft ends, smooth illumination and jaw roughness, mean 1.

    The illumination varies by 2 % over the slit and the roughness of the jaws adds 0.6 % on
    scales of 0.4 arcsec in the 1 arcsec slit, more in narrower ones.
    """
    half, blur = optics.slit_half_arcsec, optics.blur_arcsec
    ends = ndtr((SLIT_GRID + half) / blur) - ndtr((SLIT_GRID - half) / blur)
    rng = stream(seed, "slit", arm, slit)
    smooth = chebyshev.chebval(SLIT_GRID / half, [0, *rng.normal(0.0, _ILLUMINATION / 2, 3)])
    rough = gaussian_filter1d(
        rng.standard_normal(SLIT_GRID.size), _JAW_SCALE_ARCSEC / SLIT_STEP_ARCSEC
    )
    width_arcsec = float(slit.removeprefix("SLIT"))
    rough *= _JAW_ROUGHNESS / width_arcsec / rough.std()
    inside = np.abs(SLIT_GRID) < half
    shape = 1.0 + np.where(inside, smooth + rough, 0.0)
    return ends * shape / shape[inside].mean()


def pinhole_profile(optics: ArmOptics, positions_arcsec: Array) -> Array:
    """Profile of round holes along the slit, unit integral (per arcsec) for each hole."""
    offset = PINHOLE_ARCSEC * ((np.arange(60) + 0.5) / 60 - 0.5)
    chord = np.sqrt(1.0 - (2 * offset / PINHOLE_ARCSEC) ** 2)
    chord /= chord.sum()
    centres = np.add.outer(positions_arcsec, offset)
    blur = optics.blur_arcsec
    kernel = np.exp(-0.5 * ((SLIT_GRID - centres[..., None]) / blur) ** 2)
    return np.einsum("j,ijk->k", chord, kernel) / (blur * np.sqrt(2 * np.pi))


def seeing_fwhm(seeing_arcsec: float, wave_nm: Array) -> Array:
    """FWHM of the seeing disc: the value at 500 nm times (wavelength / 500 nm)**-0.2."""
    return seeing_arcsec * (np.asarray(wave_nm) / 500.0) ** -0.2


def moffat_through_slit(
    fwhm_arcsec: float, width_arcsec: float, offset_arcsec: float = 0.0
) -> tuple[Array, float]:
    """Profile along the slit of a Moffat disc seen through a slit.

    Parameters
    ----------
    fwhm_arcsec : float
        FWHM of the disc (Moffat 1969, power 3).
    width_arcsec : float
        Width of the slit.
    offset_arcsec : float
        Distance of the star from the middle of the slit, across it.

    Returns
    -------
    profile : ndarray
        On `SLIT_GRID`, unit integral over an endless slit.
    fraction : float
        Share of the light that passes an endless slit of that width.
    """
    alpha = fwhm_arcsec / (2 * np.sqrt(2 ** (1 / MOFFAT_BETA) - 1))
    node, weight = np.polynomial.legendre.leggauss(48)
    x = 0.5 * width_arcsec * node - offset_arcsec
    disc = (1 + (x[:, None] ** 2 + SLIT_GRID**2) / alpha**2) ** -MOFFAT_BETA
    disc *= (MOFFAT_BETA - 1) / (np.pi * alpha**2)
    profile = 0.5 * width_arcsec * (weight @ disc)
    fraction = profile.sum() * SLIT_STEP_ARCSEC
    return profile / fraction, float(fraction)


def moffat_strip(fwhm_arcsec: float) -> Array:
    """Moffat disc summed across an endlessly wide slit, on `SLIT_GRID` and of unit sum.

    By it, light that is even across the slit is blurred along it.
    """
    alpha = fwhm_arcsec / (2 * np.sqrt(2 ** (1 / MOFFAT_BETA) - 1))
    strip = (1 + (SLIT_GRID / alpha) ** 2) ** (0.5 - MOFFAT_BETA)
    return strip / strip.sum()


def slit_fraction(fwhm_arcsec: Array, width_arcsec: float, offset_arcsec: Array) -> Array:
    """Share of a Moffat disc that passes an endless slit, for arrays of FWHM and offset."""
    alpha = np.asarray(fwhm_arcsec) / (2 * np.sqrt(2 ** (1 / MOFFAT_BETA) - 1))
    node, weight = np.polynomial.legendre.leggauss(48)
    x = (0.5 * width_arcsec * node - np.asarray(offset_arcsec)[..., None]) / alpha[..., None]
    line = (1 + x**2) ** (0.5 - MOFFAT_BETA)
    norm = gamma(MOFFAT_BETA - 0.5) / (np.sqrt(np.pi) * gamma(MOFFAT_BETA - 1))
    return norm * 0.5 * width_arcsec / alpha * (line @ weight)


def moffat_aperture(
    fwhm_arcsec: float, width_arcsec: float, offset_arcsec: float = 0.0
) -> tuple[Array, Array]:
    """Positions across the slit lit by a star (arcsec) and their weights (sum 1)."""
    x = width_arcsec * ((np.arange(400) + 0.5) / 400 - 0.5)
    alpha = fwhm_arcsec / (2 * np.sqrt(2 ** (1 / MOFFAT_BETA) - 1))
    weight = (1 + ((x - offset_arcsec) / alpha) ** 2) ** (0.5 - MOFFAT_BETA)
    return x, weight / weight.sum()


def blurred(profile: Array, optics: ArmOptics) -> Array:
    """Profile after the spectrograph's own blur along the slit."""
    return gaussian_filter1d(profile, optics.blur_arcsec / SLIT_STEP_ARCSEC, mode="nearest")
