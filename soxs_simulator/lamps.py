"""Continuum lamps of the calibration unit and the thermal glow of its shutter.

Lamps fill pinholes and slits with the same surface brightness: photons per second, nm and arcsec2
of aperture, before the efficiency of the order.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .optics import TELESCOPE_AREA_M2

Array = NDArray[np.float64]

AMBIENT_K = 285.0
_EMISSIVITY = 0.9
_HC_OVER_K_NM_K = 1.438776877e7
_LIGHT_NM_PER_S = 2.99792458e17
_ARCSEC2_SR = (np.pi / 648000.0) ** 2

_QTH_K, _QTH_REFERENCE_NM = 3200.0, {"VIS": 750.0, "NIR": 1250.0}
# Brightness at the reference wavelength, photons s-1 nm-1 arcsec-2 before the efficiency: it gives
# about 1500 electrons s-1 per pixel through the 1 arcsec slit at the peak of either arm.
_QTH_PHOTONS = {"VIS": 5.0e5, "NIR": 4.5e5}
_D2_PHOTONS = 1.1e6
_D2_LINES_NM = ((656.10, 2.0), (485.99, 0.5))


def qth_lamp(arm: str, wave_nm: ArrayLike) -> Array:
    """Quartz-halogen lamp: a 3200 K black body, in the VIS behind a colour-balancing filter.

    Returns photons per second, nm and arcsec2 that reach the telescope's focus.
    """
    wave = np.asarray(wave_nm, float)
    reference = _QTH_REFERENCE_NM[arm]
    shape = planck_photons(wave, _QTH_K) / planck_photons(reference, _QTH_K)
    if arm == "VIS":
        shape = shape * (reference / wave) ** 2
    return _QTH_PHOTONS[arm] * shape


def d2_lamp(wave_nm: ArrayLike) -> Array:
    """Deuterium lamp: molecular continuum falling to the red, Balmer lines of deuterium."""
    wave = np.asarray(wave_nm, float)
    continuum = np.exp(-(wave - 350.0) / 70.0) + 0.03
    lines = sum(s * np.exp(-0.5 * ((wave - w) / 0.03) ** 2) for w, s in _D2_LINES_NM)
    return _D2_PHOTONS * (continuum + lines)


def thermal_background(wave_nm: ArrayLike) -> Array:
    """Glow of a closed shutter at 285 K, same unit as the lamps."""
    radiance = planck_photons(wave_nm, AMBIENT_K) * _EMISSIVITY
    return radiance * TELESCOPE_AREA_M2 * _ARCSEC2_SR


def planck_photons(wave_nm: ArrayLike, temperature_k: float) -> Array:
    """Black-body photon radiance, photons s-1 m-2 nm-1 sr-1 (Planck 1900)."""
    wave = np.asarray(wave_nm, float)
    per_m2 = 2 * _LIGHT_NM_PER_S / wave**4 * 1e18
    return per_m2 / np.expm1(_HC_OVER_K_NM_K / (wave * temperature_k))
