"""Light from the sky: airglow lines and continuum, in absolute units."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import as_file, files

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from .atmosphere import draw_ripple, ripple
from .rng import stream
from .spectra import edges_of

Array = NDArray[np.float64]

_TABLE_AIRMASS = 1.1
_EARTH_KM, _AIRGLOW_KM = 6371.0, 90.0
_OH_PERIOD_DAYS, _OH_AMPLITUDE = 1.8 / 24, 0.15


@dataclass(frozen=True)
class SkyTable:
    """Tabulated sky in photons s-1 m-2 nm-1 arcsec-2, between bin edges in air."""

    edge_air_nm: Array
    centre_air_nm: Array
    lines: Array
    continuum: Array


@lru_cache(maxsize=1)
def sky_table() -> SkyTable:
    """Return the dark-sky radiance at airmass 1.1, read once."""
    with as_file(files("soxs_recipes.calib") / "sky_emission.fits.gz") as path:
        table = fits.getdata(path, "SKY")
    air = np.asarray(table["WAVE_AIR"], float)
    continuum = np.asarray(table["CONTINUUM"], float) / 1000.0
    lines = np.asarray(table["FLUX"], float) / 1000.0 - continuum
    return SkyTable(edges_of(air), air, lines, continuum)


@dataclass(frozen=True)
class Sky:
    """The sky of one night.

    Attributes
    ----------
    line_slope, continuum_slope : float
        Relative change of lines and continuum per arcsec of slit.
    phase : float
        Phase of the airglow's variation through the night, rad.
    colour : ndarray
        Smooth relative departure of the line strengths from the table.
    """

    line_slope: float
    continuum_slope: float
    phase: float
    colour: Array

    def radiance(self, airmass: float, mjd: float) -> tuple[Array, Array]:
        """(lines, continuum) in photons s-1 m-2 nm-1 arcsec-2 in the bins of `sky_table`.

        Both grow with airmass like a thin layer at 90 km (van Rhijn 1921); the lines also vary by
        15 % with a period of 1.8 hours.
        """
        table = sky_table()
        depth = van_rhijn(airmass) / van_rhijn(_TABLE_AIRMASS)
        wave = 1 + _OH_AMPLITUDE * np.sin(2 * np.pi * mjd / _OH_PERIOD_DAYS + self.phase)
        strength = depth * wave * (1 + ripple(self.colour, table.centre_air_nm))
        return table.lines * strength, table.continuum * depth

    def to_dict(self) -> dict[str, object]:
        """JSON-serialisable form."""
        return {
            "line_slope_per_arcsec": self.line_slope,
            "continuum_slope_per_arcsec": self.continuum_slope,
            "phase_rad": self.phase,
            "colour_ripple": self.colour.tolist(),
        }


def draw_sky(seed: int, ideal: bool = False) -> Sky:
    """Draw the sky of a night: slopes of SD 0.3 % (lines) and 0.2 % per arcsec (continuum)."""
    rng = stream(seed, "sky")
    slopes = rng.normal(0.0, [0.003, 0.002])
    phase = float(rng.uniform(0, 2 * np.pi))
    colour = np.zeros(1) if ideal else draw_ripple(rng, 0.05)
    return Sky(float(slopes[0]), float(slopes[1]), phase, colour)


def van_rhijn(airmass: float) -> float:
    """Brightening of a thin layer at 90 km at the zenith distance of an airmass (sec z)."""
    sin2 = 1.0 - 1.0 / airmass**2
    return float(1.0 / np.sqrt(1.0 - (_EARTH_KM / (_EARTH_KM + _AIRGLOW_KM)) ** 2 * sin2))
