"""Shapes of spectra above the atmosphere: photons s-1 m-2 nm-1 on the common grid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .lamps import planck_photons
from .spectra import high_resolution_grid, photon_rate

Array = NDArray[np.float64]

AB_REFERENCE_NM = 550.0
_LIGHT_ANGSTROM_PER_S = 2.99792458e18
_C_KM_S = 299792.458

# Rest wavelength (nm), depth, width (km/s) and blue shift (km/s) of the broad features of a
# normal thermonuclear supernova near maximum light.
_SUPERNOVA_FEATURES = (
    (394.5, 0.55, 4500.0, 13000.0),
    (448.1, 0.30, 4000.0, 11000.0),
    (512.9, 0.30, 4500.0, 11000.0),
    (545.4, 0.30, 2600.0, 10500.0),
    (635.5, 0.50, 3600.0, 11000.0),
    (777.4, 0.20, 3600.0, 11000.0),
    (857.9, 0.40, 5000.0, 11500.0),
    (1091.4, 0.20, 4500.0, 11000.0),
    (1688.0, -0.35, 9000.0, 0.0),
)
_EMISSION_LINES = (
    # rest nm (air), photons relative to H beta
    (372.73, 2.5),
    (486.13, 1.0),
    (495.89, 1.1),
    (500.68, 3.3),
    (654.80, 0.4),
    (656.28, 3.8),
    (658.34, 1.1),
    (671.64, 0.6),
    (673.08, 0.45),
    (953.11, 1.6),
    (1083.03, 1.0),
    (1281.81, 0.45),
    (1875.10, 1.1),
)
_AFTERGLOW_LINES_NM = (234.42, 237.45, 238.28, 258.67, 260.02, 279.64, 280.35, 285.30)


def ab_photons(magnitude: float, wave_nm: ArrayLike = AB_REFERENCE_NM) -> Array:
    """Photon flux density of an AB magnitude at a wavelength (Oke and Gunn 1983)."""
    wave = np.asarray(wave_nm, float)
    flux = 3631e-23 * 10 ** (-0.4 * magnitude) * _LIGHT_ANGSTROM_PER_S / (10 * wave) ** 2
    return photon_rate(flux, wave)


def power_law(magnitude: float, slope: float = -0.8) -> Array:
    """Power law of f_nu with frequency, AB magnitude given at 550 nm."""
    wave = high_resolution_grid().air_nm
    return ab_photons(magnitude, wave) * (wave / AB_REFERENCE_NM) ** -slope


def black_body(magnitude: float, temperature_k: float) -> Array:
    """Black body with the given AB magnitude at 550 nm."""
    wave = high_resolution_grid().air_nm
    shape = planck_photons(wave, temperature_k) / planck_photons(AB_REFERENCE_NM, temperature_k)
    return ab_photons(magnitude) * shape


def supernova(magnitude: float, redshift: float) -> Array:
    """Supernova of type Ia near maximum: a 10 000 K continuum with broad absorption features."""
    wave = high_resolution_grid().air_nm
    spectrum = black_body(magnitude, 10_000.0)
    for rest_nm, depth, width, blue_shift in _SUPERNOVA_FEATURES:
        centre = rest_nm * (1 + redshift) * (1 - blue_shift / _C_KM_S)
        spectrum = spectrum * (1 - depth * _gaussian(wave, centre, width))
    return spectrum


def emission_lines(
    photons: float, redshift: float, width_km_s: float = 60.0, lines: Sequence = _EMISSION_LINES
) -> Array:
    """Nebular emission lines; ``photons`` s-1 m-2 is the strength of H beta.

    ``width_km_s`` is the SD of the lines.
    """
    wave = high_resolution_grid().air_nm
    total = np.zeros_like(wave)
    for rest_nm, ratio in lines:
        centre = rest_nm * (1 + redshift)
        sigma_nm = centre * width_km_s / _C_KM_S
        peak = photons * ratio / (sigma_nm * np.sqrt(2 * np.pi))
        total += peak * _gaussian(wave, centre, width_km_s)
    return total


def afterglow(magnitude: float, redshift: float) -> Array:
    """Gamma-ray burst afterglow: a power law with narrow absorption lines of the host."""
    wave = high_resolution_grid().air_nm
    spectrum = power_law(magnitude)
    for rest_nm in _AFTERGLOW_LINES_NM:
        spectrum = spectrum * (1 - 0.8 * _gaussian(wave, rest_nm * (1 + redshift), 45.0))
    return spectrum


def _gaussian(wave: Array, centre_nm: float, sigma_km_s: float) -> Array:
    return np.exp(-0.5 * ((wave / centre_nm - 1) * _C_KM_S / sigma_km_s) ** 2)
