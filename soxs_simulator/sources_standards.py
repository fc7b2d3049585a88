"""Flux standards and A0V stars, as they truly are."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import as_file, files

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray
from scipy.signal import fftconvolve

from .atmosphere import draw_ripple, ripple
from .rng import stream
from .spectra import high_resolution_grid, photon_rate

Array = NDArray[np.float64]

STANDARD_RIPPLE = 0.01
_VEGA_V_MAG = 0.03
_VEGA_VSINI_KM_S = 22.0
_C_KM_S = 299792.458


@lru_cache(maxsize=1)
def standard_names() -> dict[str, str]:
    """Name or alias of each flux standard, in upper case without blanks, to its column."""
    with as_file(files("soxs_recipes.calib") / "flux_standards.fits") as path:
        stars = fits.getdata(path, "STARS")
    names = {}
    for star in stars:
        for alias in (star["NAME"], *star["ALIASES"].split(",")):
            if alias.strip():
                names[_key(alias)] = star["NAME"]
    return names


def _key(name: str) -> str:
    return name.replace(" ", "").replace("-", "").upper()


def find_standard(name: str) -> str | None:
    """Column of a standard of that name or alias, or None."""
    return standard_names().get(_key(name))


def standard_star(column: str, seed: int, ideal: bool = False) -> Array:
    """Photons s-1 m-2 nm-1 of a standard above the atmosphere, on the common grid.

    The reference spectrum times a smooth ripple of 1 % (none when ideal).
    """
    with as_file(files("soxs_recipes.calib") / "flux_standards.fits") as path:
        table = fits.getdata(path, "FLUX")
    wave = high_resolution_grid().air_nm
    flux = np.interp(wave, table["WAVE"], table[column])
    if not ideal:
        coef = draw_ripple(stream(seed, "standard", column), STANDARD_RIPPLE)
        flux = flux * (1.0 + ripple(coef, wave))
    return photon_rate(flux, wave)


def a0v_star(
    v_mag: float, vsini_km_s: float, velocity_km_s: float = 0.0, line_factor: float = 1.0
) -> Array:
    """Photons s-1 m-2 nm-1 of an A0V star, from the spectrum of Vega.

    Parameters
    ----------
    v_mag : float
        V magnitude.
    vsini_km_s : float
        Projected rotation; below Vega's 22 km/s nothing is changed.
    velocity_km_s : float
        Radial velocity.
    line_factor : float
        Power to which the ratio of flux to continuum is raised.
    """
    with as_file(files("soxs_recipes.calib") / "a0v_vega.fits.gz") as path:
        table, step = fits.getdata(path, "VEGA", header=True)
    wave = np.asarray(table["WAVE_VAC"], float)
    continuum = np.asarray(table["CONTINUUM"], float)
    lines = (np.asarray(table["FLUX"], float) / continuum) ** line_factor
    lines = _rotated(lines, vsini_km_s, step["DLNW"])
    grid = high_resolution_grid()
    flux = np.interp(grid.vacuum_nm / (1 + velocity_km_s / _C_KM_S), wave, continuum * lines)
    return photon_rate(flux, grid.vacuum_nm) * 10 ** (-0.4 * (v_mag - _VEGA_V_MAG))


def _rotated(lines: Array, vsini_km_s: float, dlnw: float) -> Array:
    """Broaden by the rotation profile of a disc without limb darkening (Gray 2005)."""
    extra = np.sqrt(max(vsini_km_s**2 - _VEGA_VSINI_KM_S**2, 0.0))
    half = extra / _C_KM_S / dlnw
    if half < 1:
        return lines
    x = np.arange(-int(half), int(half) + 1) / half
    kernel = np.sqrt(np.clip(1 - x**2, 0, None))
    padded = np.pad(lines, x.size // 2, mode="edge")
    return fftconvolve(padded, kernel / kernel.sum(), mode="valid")
