"""Spectra at high resolution and their way onto the dispersion grid of an order.

All spectra of a scene share one grid: bins of 1e-5 in ln(vacuum wavelength), 335-2110 nm, in step
with the telluric table. Photon counts are moved to the dispersion grid by their running sum, so
none are lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import as_file, files

import numpy as np
from astropy.io import fits
from numpy.typing import ArrayLike, NDArray

from .optics_geometry import OVERSAMPLING, OrderGeometry

Array = NDArray[np.float64]

GRID_STEP = 1e-5
_BLUE_NM = 335.0
_HC_J_NM = 6.62607015e-34 * 2.99792458e8 * 1e9


def air_index(vacuum_nm: ArrayLike) -> Array:
    """Refractive index of standard air (Ciddor 1996)."""
    sigma2 = (1000.0 / np.asarray(vacuum_nm, float)) ** 2
    return 1.0 + 0.05792105 / (238.0185 - sigma2) + 0.00167917 / (57.362 - sigma2)


def vacuum_to_air(vacuum_nm: ArrayLike) -> Array:
    """Wavelength in standard air; the argument of the index is iterated to the air value.

    The tables of the project define vacuum = n(air wavelength) times air wavelength.
    """
    vacuum = np.asarray(vacuum_nm, float)
    air = vacuum / air_index(vacuum)
    return vacuum / air_index(air)


@dataclass(frozen=True)
class HighResolutionGrid:
    """The common grid.

    Attributes
    ----------
    vacuum_nm, air_nm : ndarray
        Bin centres.
    edge_air_nm : ndarray
        Bin edges in air, one more than bins.
    telluric_start : int
        Index of the first bin of the telluric table.
    """

    vacuum_nm: Array
    air_nm: Array
    edge_air_nm: Array
    telluric_start: int

    @property
    def width_nm(self) -> Array:
        """Width of each bin in air."""
        return np.diff(self.edge_air_nm)


@lru_cache(maxsize=1)
def high_resolution_grid() -> HighResolutionGrid:
    """Return the common grid, built once."""
    with as_file(files("soxs_recipes.calib") / "telluric_optical_depth.fits") as path:
        header = fits.getheader(path)
    blue = round((header["LNW0"] - np.log(_BLUE_NM)) / GRID_STEP)
    count = blue + header["NBIN"]
    edges = np.exp(header["LNW0"] + GRID_STEP * (np.arange(count + 1) - blue - 0.5))
    vacuum = np.exp(header["LNW0"] + GRID_STEP * (np.arange(count) - blue))
    return HighResolutionGrid(vacuum, vacuum_to_air(vacuum), vacuum_to_air(edges), blue)


def photon_rate(flux_erg: ArrayLike, wave_nm: ArrayLike) -> Array:
    """Photons per second, m2 and nm of a flux in erg s-1 cm-2 Angstrom-1."""
    watt_per_m2_nm = np.asarray(flux_erg, float) * 1e-7 * 1e4 * 10.0
    return watt_per_m2_nm * np.asarray(wave_nm, float) / _HC_J_NM


def energy_flux(photons: ArrayLike, wave_nm: ArrayLike) -> Array:
    """Energy in erg s-1 cm-2 nm-1 of photons per second, m2 and nm: the inverse of the above."""
    joule_per_m2 = np.asarray(photons, float) * _HC_J_NM / np.asarray(wave_nm, float)
    return joule_per_m2 * 1e7 * 1e-4


def edges_of(centre: Array) -> Array:
    """Bin edges half-way between bin centres."""
    middle = 0.5 * (centre[1:] + centre[:-1])
    return np.concatenate([[2 * centre[0] - middle[0]], middle, [2 * centre[-1] - middle[-1]]])


class RunningSum:
    """Photons up to a wavelength, from a density per nm in bins."""

    def __init__(self, edge_nm: Array, density_per_nm: Array) -> None:
        self._edge = edge_nm
        self._sum = np.concatenate([[0.0], np.cumsum(density_per_nm * np.diff(edge_nm))])

    def to_order(self, geometry: OrderGeometry) -> Array:
        """Photons per px of dispersion in each cell of an order's grid."""
        total = np.interp(geometry.edge_nm, self._edge, self._sum)
        return np.abs(np.diff(total)) * OVERSAMPLING


def lines_to_order(geometry: OrderGeometry, wave_nm: Array, strength: Array) -> Array:
    """Lines of no width as strength per px of dispersion on an order's grid.

    Each line is shared by the two nearest cells so that its centroid is exact.
    """
    centre = geometry.cell_nm
    cells = np.arange(centre.size, dtype=float)
    if centre[0] > centre[-1]:
        centre, cells = centre[::-1], cells[::-1]
    inside = (wave_nm > centre[0]) & (wave_nm < centre[-1])
    place = np.interp(wave_nm[inside], centre, cells)
    cell = np.floor(place).astype(int)
    share = place - cell
    rate = np.bincount(cell, strength[inside] * (1 - share), minlength=centre.size)
    rate += np.bincount(cell + 1, strength[inside] * share, minlength=centre.size)[: centre.size]
    return rate * OVERSAMPLING
