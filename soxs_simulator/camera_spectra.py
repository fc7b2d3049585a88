"""Spectra of field stars, and magnitudes of spectra through the filter curves of the package."""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import as_file, files

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

CATALOGUE_SYSTEM = "PS1_"
"""Start of the names of the filters in whose system the star catalogue is."""

GRID_NM = np.arange(300.0, 1120.0, 2.0)
_LIGHT_NM_PER_S = 2.99792458e17
_AB_ZERO = 3631e-23
_SECOND_RADIATION_NM_K = 1.438777e7
_REDDENING_REFERENCE_NM = 550.0

# Molecular bands of cool stars: centre nm, width nm, depth of a star of 3000 K, magnitudes.
_MOLECULES = (
    (517.0, 9.0, 0.5),
    (595.0, 10.0, 0.35),
    (625.0, 10.0, 0.5),
    (672.0, 12.0, 0.6),
    (712.0, 14.0, 0.8),
    (770.0, 14.0, 0.8),
    (850.0, 14.0, 0.6),
    (935.0, 16.0, 0.5),
)


def star_spectra(
    temperature_k: ArrayLike, metals: ArrayLike, extinction_mag: ArrayLike
) -> NDArray[np.float64]:
    """Return spectra of stars on `GRID_NM`, any scale, per unit wavelength.

    Black bodies whose blue light is blocked by metal lines (more in cool stars), with the step
    of the Balmer series in hot stars, molecular bands in cool ones, and interstellar extinction
    that grows as the wavelength to the power -1.2.

    Parameters
    ----------
    temperature_k, metals, extinction_mag : array_like, shape (n,)
        Effective temperature, strength of the metal lines (1 is ordinary), extinction at 550 nm.

    Returns
    -------
    ndarray, shape (n, GRID_NM.size)
    """
    hot, lines, dust = (
        np.asarray(v, float)[:, None] for v in (temperature_k, metals, extinction_mag)
    )
    wave = GRID_NM
    light = wave**-5 / np.expm1(_SECOND_RADIATION_NM_K / (wave * hot))
    blue = np.clip((560.0 - wave) / 200.0, 0, None) ** 1.5
    loss = 0.45 * lines * blue * np.clip((8000.0 - hot) / 3000.0, 0, 1)
    step = 0.5 / (1 + np.exp((wave - 368.0) / 4.0))
    loss += step * np.clip((hot - 6500.0) / 2500.0, 0, 1)
    cool = np.clip((3900.0 - hot) / 900.0, 0, 1.3)
    for centre, width, depth in _MOLECULES:
        loss += depth * cool * np.exp(-0.5 * ((wave - centre) / width) ** 2)
    loss += dust * (wave / _REDDENING_REFERENCE_NM) ** -1.2
    return light * 10 ** (-0.4 * loss)


@lru_cache(maxsize=1)
def filter_curves() -> dict[str, tuple[Array, Array]]:
    """Return wavelength (nm) and throughput of every filter of the package's table."""
    from astropy.table import Table

    with as_file(files("soxs_recipes.calib") / "filters.ecsv") as path:
        table = Table.read(path, format="ascii.ecsv")
    names = np.asarray(table["FILTER"]).astype(str)
    return {
        str(name): (
            np.asarray(table["WAVE"], float)[names == name],
            np.asarray(table["THROUGHPUT"], float)[names == name],
        )
        for name in dict.fromkeys(names)
    }


def filter_magnitude(name: str, wave_nm: ArrayLike, flux: ArrayLike) -> Array:
    """AB magnitude through a filter, from energy per unit wavelength along the last axis.

    Parameters
    ----------
    name : str
        A filter of the package's table.
    wave_nm : array_like, shape (n,)
        Wavelengths in ascending order that cover the filter.
    flux : array_like, shape (..., n)
        erg s-1 cm-2 nm-1, or any scale where only colours count.
    """
    wave = np.asarray(wave_nm, float)
    weight = np.interp(wave, *filter_curves()[name], left=0, right=0) * np.gradient(wave)
    photons = np.asarray(flux, float) @ (weight * wave)
    return -2.5 * np.log10(photons / np.sum(weight / wave * _AB_ZERO * _LIGHT_NM_PER_S))
