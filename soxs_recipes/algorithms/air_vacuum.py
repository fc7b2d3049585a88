"""Wavelengths in standard air and in vacuum."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def refractive_index(air_nm: ArrayLike) -> Array:
    """Index of standard air at a wavelength in air (Ciddor 1996, as the IAU recommends)."""
    sigma2 = (1000.0 / np.asarray(air_nm, float)) ** 2
    return 1.0 + 0.05792105 / (238.0185 - sigma2) + 0.00167917 / (57.362 - sigma2)


def air_to_vacuum(air_nm: ArrayLike) -> Array:
    """Wavelength in vacuum; n is taken at the wavelength in air, as in the static tables."""
    air = np.asarray(air_nm, float)
    return air * refractive_index(air)


def vacuum_to_air(vacuum_nm: ArrayLike) -> Array:
    """Inverse of `air_to_vacuum`, to 1e-9 relative."""
    vacuum = np.asarray(vacuum_nm, float)
    air = vacuum / refractive_index(vacuum)
    return vacuum / refractive_index(air)
