"""Differential refraction at the slit."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .spectra import air_index

Array = NDArray[np.float64]

GUIDE_NM = 1200.0
"""Wavelength at which the target of an arm without compensator is centred (assumed)."""

_PRESSURE_HPA, _TEMPERATURE_K = 770.0, 285.0


def refraction_arcsec(wave_nm: ArrayLike, airmass: float) -> Array:
    """Apparent height of a wavelength above that of `GUIDE_NM`, plane-parallel atmosphere.

    Standard air (Ciddor 1996) scaled to 770 hPa and 285 K of La Silla; positive towards zenith.
    """
    density = _PRESSURE_HPA / 1013.25 * 288.15 / _TEMPERATURE_K
    difference = air_index(wave_nm) - air_index(GUIDE_NM)
    return np.degrees(difference * density * np.sqrt(airmass**2 - 1.0)) * 3600.0


def slit_offsets(wave_nm: ArrayLike, airmass: float, parallactic_deg: float) -> tuple[Array, Array]:
    """Displacement (along, across) the slit, arcsec.

    The parallactic angle is counted from the slit, so that the direction to the zenith makes it
    with the slit.
    """
    height = refraction_arcsec(wave_nm, airmass)
    angle = np.radians(parallactic_deg)
    return height * np.cos(angle), height * np.sin(angle)
