"""Arc lamps as they truly are: every line of the atlas, faint ones faint.

Wavelengths depart from the listed ones and strengths from the usual ones, and some listed lines
are absent (unless the scene is ideal).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import as_file, files

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from .rng import stream

Array = NDArray[np.float64]

ABSENT_FRACTION = 0.05
WAVELENGTH_SD_NM, WAVELENGTH_SD_HG_NM = 0.001, 0.005
STRENGTH_SCATTER_DEX = 0.15

_THAR_UNIT = 1.0
"""Photons per second and arcsec2 at the focus for a Th-Ar line of log amplitude 0."""

_NIR_UNIT = 20.0
"""The same for a NIR line of log strength 0."""

# Brightest NIR lines of each lamp, air nm: about a tenth of the lines make most of the light.
# Selection and order of magnitude follow the relative intensities of the NIST database.
_BRIGHT_NIR_NM = {
    "Ar": (
        "794.82 800.62 801.48 810.37 811.53 826.45 840.82 842.46 852.14 866.79 912.30 922.45 "
        "935.42 965.78 978.45 1047.01 1107.89 1148.81 1166.87 1211.23 1240.28 1243.93 "
        "1248.77 1270.23 1280.27 1295.67 1300.83 1322.81 1331.32 1336.71 1359.93 "
        "1409.36 1504.65 1517.27 1598.95 1651.99 1791.46 2031.70"
    ),
    "Ne": (
        "837.76 849.54 859.13 863.46 865.44 878.06 878.38 885.39 914.87 920.18 930.09 932.65 "
        "948.67 953.42 966.54 1029.54 1056.24 1079.81 1084.45 1114.30 1117.75 1139.04 1140.91 "
        "1152.27 1153.63 1160.15 1161.41 1168.80 1176.68 1178.90 1198.49 1206.63 "
        "1245.94 1268.92 1291.20 1321.92 1523.07 1716.19 1827.66 1828.26 "
        "1830.40 1838.99 1840.28 1842.24 1859.16 1859.77 1957.71"
    ),
    "Xe": (
        "820.63 823.16 826.65 828.01 834.68 840.92 881.94 893.08 895.22 898.76 904.54 916.27 "
        "937.48 951.34 979.97 1083.84 1089.53 1174.20 1179.35 1262.34 1365.66 1414.24 "
        "1473.28 1541.84 1672.81 1732.58 1878.81 2026.22"
    ),
    "Hg": "1013.98 1128.70 1692.02 1707.28 1710.99",
}
_BRIGHT_DEX = {"Ar": 3.6, "Ne": 3.5, "Xe": 3.5, "Hg": 3.4}
_LISTED_DEX, _IONISED_DEX, _FAINT_DEX = 2.5, 1.7, 0.7


@dataclass(frozen=True)
class ArcLines:
    """True lines of an arm's arc lamps.

    Attributes
    ----------
    listed_nm : ndarray
        Listed wavelength in air.
    true_nm : ndarray
        True wavelength in air.
    photons : ndarray
        Photons per second and arcsec2 of aperture at the focus; 0 for absent lines.
    lamp : ndarray of str
        ``ThAr``, ``Ar``, ``Ne``, ``Hg``, ``Xe`` or ``?``.
    """

    listed_nm: Array
    true_nm: Array
    photons: Array
    lamp: NDArray[np.str_]

    def lit(self, lamps: tuple[str, ...]) -> tuple[Array, Array]:
        """Wavelengths and strengths with these lamps burning (unidentified lines with any)."""
        burning = np.isin(self.lamp, lamps) | (self.lamp == "?")
        burning &= self.photons > 0
        return self.true_nm[burning], self.photons[burning]


def draw_arc_lines(arm: str, seed: int, ideal: bool = False) -> ArcLines:
    """Draw the true arc lines of an arm.

    True wavelengths scatter by 0.001 nm rms (Hg 0.005) about the listed ones, 5 % of the lines are
    absent and strengths are redrawn by 0.15 dex; ideal: none of these.
    """
    rng = stream(seed, "arc", arm)
    table = _atlas(arm)
    listed = np.asarray(table["wavelength_nm"], float)
    dex, lamp = _thar_strength(table) if arm == "VIS" else _nir_strength(table)
    scatter = np.where(lamp == "Hg", WAVELENGTH_SD_HG_NM, WAVELENGTH_SD_NM)
    unit = _THAR_UNIT if arm == "VIS" else _NIR_UNIT
    offset = scatter * rng.standard_normal(listed.size)
    redrawn = STRENGTH_SCATTER_DEX * rng.standard_normal(listed.size)
    present = rng.random(listed.size) >= ABSENT_FRACTION
    if ideal:
        return ArcLines(listed, listed, unit * 10**dex, lamp)
    return ArcLines(listed, listed + offset, unit * 10 ** (dex + redrawn) * present, lamp)


@lru_cache(maxsize=2)
def _atlas(arm: str) -> Table:
    with as_file(files("soxs_recipes.calib") / f"arc_lines_{arm.lower()}.ecsv") as path:
        return Table.read(path, format="ascii.ecsv")


def _thar_strength(table: Table) -> tuple[Array, NDArray[np.str_]]:
    return np.asarray(table["log_amplitude"], float), np.full(len(table), "ThAr")


def _nir_strength(table: Table) -> tuple[Array, NDArray[np.str_]]:
    """Log strengths by class; within a class they scatter by a fixed 0.45 dex."""
    lamp, ion = np.asarray(table["lamp"], str), np.asarray(table["ion"], str)
    seen = np.asarray(table["in_all"], bool)
    dex = np.where(seen, _LISTED_DEX, _FAINT_DEX)
    dex[seen & np.isin(ion, ["ArII", "NeII"])] = _IONISED_DEX
    dex += 0.45 * stream(0, "nir strengths").standard_normal(len(table))
    wave = np.asarray(table["wavelength_nm"], float)
    for name, bright in _BRIGHT_NIR_NM.items():
        nearest = np.abs(np.subtract.outer(wave, np.array(bright.split(), float))).min(axis=1)
        member = seen & (lamp == name) & (nearest < 0.06)
        dex[member] += _BRIGHT_DEX[name] - _LISTED_DEX
    return dex, lamp
