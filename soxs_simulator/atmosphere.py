"""Absorption by the atmosphere: extinction and telluric lines, as they truly are.

The truth departs from the tables that the recipes use (unless the scene is ideal): the strengths
of the lines differ from place to place, by band and per 1 cm-1; the lines are shifted; the water
column drifts during an exposure; the extinction curve is rippled.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import as_file, files

import numpy as np
from astropy.io import fits
from astropy.table import Table
from numpy.polynomial import chebyshev
from numpy.typing import ArrayLike, NDArray

from .rng import stream
from .spectra import GRID_STEP, high_resolution_grid

Array = NDArray[np.float64]
Array32 = NDArray[np.float32]

LINE_FACTOR_SD = 0.05
WATER_DRIFT = 0.05
"""Relative change of the water column from start to end of an exposure."""
EXTINCTION_RIPPLE = 0.03
LINE_SHIFT = 5e-6
"""Relative shift of the absorption lines, 0.1 px of either arm."""

_WATER_BAND_NM, _WATER_BAND_FACTOR = (1100.0, 1240.0), 0.84
_OXYGEN_BANDS_NM = {"gamma": (620.0, 640.0), "B": (680.0, 705.0), "A": (755.0, 780.0)}
_GAMMA_FACTOR, _OXYGEN_RANGE = 0.75, (0.92, 0.95)


@dataclass(frozen=True)
class SpeciesTable:
    """Optical depths of one molecule: ``ln_tau`` (node, bin) at ``ln_column`` (node)."""

    ln_column: Array
    ln_tau: Array32

    def tau(self, column: float) -> Array32:
        """Optical depth of every bin at a slant column (mm of water, else airmass)."""
        x = np.log(column)
        i = int(np.clip(np.searchsorted(self.ln_column, x) - 1, 0, self.ln_column.size - 2))
        f = np.float32((x - self.ln_column[i]) / (self.ln_column[i + 1] - self.ln_column[i]))
        return np.exp((1 - f) * self.ln_tau[i] + f * self.ln_tau[i + 1])


@lru_cache(maxsize=1)
def telluric_tables() -> dict[str, SpeciesTable]:
    """Optical-depth tables of H2O, O2, CO2, CH4 and N2O, read once."""
    tables = {}
    source = files("soxs_recipes.calib") / "telluric_optical_depth.fits"
    with as_file(source) as path, fits.open(path) as hdus:
        for hdu in hdus:
            if "SPECIES" in hdu.header:
                nodes = [hdu.header[f"COL{i + 1}"] for i in range(hdu.header["NNODE"])]
                ln_tau = np.log(np.maximum(hdu.data, np.float32(1e-9)))
                tables[hdu.header["SPECIES"]] = SpeciesTable(np.log(nodes), ln_tau)
    return tables


@lru_cache(maxsize=1)
def _extinction_table() -> tuple[Array, Array]:
    with as_file(files("soxs_recipes.calib") / "extinction.ecsv") as path:
        table = Table.read(path, format="ascii.ecsv")
    return np.asarray(table["wavelength_nm"]), np.asarray(table["extinction_mag"])


@lru_cache(maxsize=1)
def _collision_induced() -> Array:
    """Zenith optical depth of the O2 collision-induced bands beyond the extinction curve."""
    with as_file(files("soxs_recipes.calib") / "telluric_optical_depth.fits") as path:
        table = fits.getdata(path, "CONTINUUM")
    wave = high_resolution_grid().vacuum_nm
    depth = np.interp(wave, table["WAVE"], table["O2CIA"])
    return np.where(wave > 900.0, depth, 0.0)


@dataclass(frozen=True)
class Atmosphere:
    """The true atmosphere of one night.

    Attributes
    ----------
    line_factor : mapping
        Molecule to factor on the tabulated optical depth of every telluric bin.
    line_shift : float
        Relative wavelength shift of the lines.
    water_drift : float
        Relative change of the water column during an exposure.
    ripple : ndarray
        Chebyshev coefficients, over 300-2100 nm in ln(wavelength), of the relative departure of
        the extinction curve.
    """

    line_factor: dict[str, Array32 | float]
    line_shift: float
    water_drift: float
    ripple: Array

    def extinction_mag(self, wave_nm: ArrayLike) -> Array:
        """Extinction in mag per airmass."""
        wave = np.asarray(wave_nm, float)
        curve = np.interp(wave, *_extinction_table())
        return curve * (1.0 + ripple(self.ripple, wave))

    def transmission(self, airmass: float, pwv_mm: float) -> Array:
        """Transmission on the common grid, mean over an exposure.

        Parameters
        ----------
        airmass : float
            At mid-exposure.
        pwv_mm : float
            Precipitable water at zenith, at mid-exposure.
        """
        grid = high_resolution_grid()
        smooth = 10 ** (-0.4 * airmass * self.extinction_mag(grid.air_nm))
        smooth *= np.exp(-airmass * _collision_induced())
        smooth[grid.telluric_start :] *= self._lines(airmass, pwv_mm)
        return smooth

    def _lines(self, airmass: float, pwv_mm: float) -> Array:
        tables = telluric_tables()
        dry = sum(
            self.line_factor[name] * table.tau(airmass)
            for name, table in tables.items()
            if name != "H2O"
        )
        steps = (-1 / 3, 0.0, 1 / 3) if self.water_drift else (0.0,)
        wet = np.zeros(dry.size)
        for step in steps:
            column = airmass * pwv_mm * (1 + step * self.water_drift)
            wet += np.exp(-self.line_factor["H2O"] * tables["H2O"].tau(column))
        return _shifted(np.exp(-dry) * wet / len(steps), self.line_shift / GRID_STEP)

    def to_dict(self) -> dict[str, object]:
        """JSON-serialisable summary; the factors themselves follow from the seed."""
        return {
            "line_shift": self.line_shift,
            "water_drift": self.water_drift,
            "extinction_ripple": self.ripple.tolist(),
            "line_factor": {name: self.band_factors(name) for name in self.line_factor},
        }

    def band_factors(self, species: str) -> list[dict[str, float]]:
        """Mean factor on the optical depth of a molecule in each 20 nm of wavelength."""
        factor = self.line_factor[species]
        grid = high_resolution_grid()
        wave = grid.vacuum_nm[grid.telluric_start :]
        edges = np.arange(560.0, 2110.0, 20.0)
        first = np.searchsorted(wave, edges)
        mean = np.add.reduceat(np.broadcast_to(factor, wave.shape), first[:-1])
        mean = mean / np.diff(np.append(first[:-1], wave.size))
        return [
            {"nm": float(nm + 10), "factor": round(float(f), 4)}
            for nm, f in zip(edges[:-1], mean, strict=True)
        ]


def draw_atmosphere(seed: int, ideal: bool = False) -> Atmosphere:
    """Draw the true atmosphere of a night; ideal: exactly the tables."""
    if ideal:
        return Atmosphere(dict.fromkeys(telluric_tables(), 1.0), 0.0, 0.0, np.zeros(1))
    rng = stream(seed, "atmosphere")
    shift = float(rng.choice([-1.0, 1.0])) * LINE_SHIFT
    rippled = draw_ripple(rng, EXTINCTION_RIPPLE)
    grid = high_resolution_grid()
    wave = grid.vacuum_nm[grid.telluric_start :]
    wavenumber = np.floor(1e7 / wave).astype(int)
    wavenumber -= wavenumber.min()
    factor = {}
    for name in telluric_tables():
        per_wavenumber = 1 + LINE_FACTOR_SD * rng.standard_normal(wavenumber.max() + 1)
        factor[name] = per_wavenumber[wavenumber].astype(np.float32)
    factor["H2O"][_within(wave, _WATER_BAND_NM)] *= _WATER_BAND_FACTOR
    factor["O2"] *= np.float32(rng.uniform(*_OXYGEN_RANGE))
    for band, limits in _OXYGEN_BANDS_NM.items():
        value = _GAMMA_FACTOR if band == "gamma" else rng.uniform(*_OXYGEN_RANGE)
        inside = _within(wave, limits)
        factor["O2"][inside] = per_band(rng, wavenumber[inside], value)
    return Atmosphere(factor, shift, WATER_DRIFT, rippled)


def per_band(rng: np.random.Generator, wavenumber: NDArray[np.int_], value: float) -> Array32:
    """Line factors of one band: a mean and the scatter per 1 cm-1 about it."""
    offset = wavenumber - wavenumber.min()
    scatter = LINE_FACTOR_SD * rng.standard_normal(offset.max() + 1)
    return (value * (1 + scatter[offset])).astype(np.float32)


def draw_ripple(rng: np.random.Generator, rms: float, degree: int = 6) -> Array:
    """Chebyshev coefficients of a smooth relative departure of the given rms."""
    coef = np.concatenate([[0.0], rng.standard_normal(degree)])
    return coef * rms / np.std(chebyshev.chebval(np.linspace(-1, 1, 200), coef))


def ripple(coef: Array, wave_nm: ArrayLike) -> Array:
    """Evaluate a ripple at wavelengths, its variable being ln(wavelength) over 300-2100 nm."""
    t = np.log(np.asarray(wave_nm, float) / np.sqrt(300.0 * 2100.0)) / np.log(np.sqrt(7.0))
    return chebyshev.chebval(np.clip(t, -1, 1), coef)


def _within(wave: Array, limits: tuple[float, float]) -> NDArray[np.bool_]:
    return (wave > limits[0]) & (wave < limits[1])


def _shifted(values: Array, bins: float) -> Array:
    """Move a spectrum by a fraction of a bin, linearly interpolated."""
    index = np.arange(values.size)
    return np.interp(index - bins, index, values)
