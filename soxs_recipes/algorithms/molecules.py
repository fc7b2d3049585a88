"""Optical depth of the molecules of the atmosphere at high resolution.

Transmissions are multiplied at high resolution and convolved afterwards: the lines are narrower
than an element of resolution and saturate, so that a smoothed transmission is no power of another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Array32 = NDArray[np.float32]

WATER = "H2O"
_SMALLEST_TAU = 1e-9
_NEGLIGIBLE_TAU = 1e-4


@dataclass(frozen=True)
class Species:
    """Tabulated optical depths of one molecule.

    Attributes
    ----------
    ln_column : ndarray, shape (nodes,)
        Logarithm of the slant columns: mm of precipitable water, else airmass.
    ln_tau : ndarray of float32, shape (nodes, bins)
        Logarithm of -ln(mean transmission of the bin).
    """

    ln_column: Array
    ln_tau: Array32

    def tau(self, ln_column: float, bins: slice) -> tuple[Array, Array]:
        """Optical depth of some bins at a column, and its derivative by the column's logarithm.

        Between the nodes, and beyond the outermost, ln(tau) is linear in ln(column).
        """
        nodes = self.ln_column
        i = int(np.clip(np.searchsorted(nodes, ln_column) - 1, 0, nodes.size - 2))
        low, high = self.ln_tau[i, bins], self.ln_tau[i + 1, bins]
        slope = (high - low) / np.float32(nodes[i + 1] - nodes[i])
        tau = np.exp(low + np.float32(ln_column - nodes[i]) * slope)
        return tau, tau * slope


@dataclass(frozen=True)
class MolecularTable:
    """Optical depths of all molecules on bins of constant step in ln(vacuum wavelength).

    Attributes
    ----------
    ln_first : float
        ln(nm) of the centre of the first bin.
    step : float
        Width of a bin in ln(wavelength).
    species : mapping
        Molecule to its optical depths.
    continuum_nm, continuum : ndarray
        Zenith optical depth of the collision-induced bands of oxygen, on its own wavelengths.
    """

    ln_first: float
    step: float
    species: Mapping[str, Species]
    continuum_nm: Array
    continuum: Array

    @property
    def size(self) -> int:
        """Number of bins."""
        return next(iter(self.species.values())).ln_tau.shape[1]

    @property
    def wave_nm(self) -> Array:
        """Centres of the bins in vacuum."""
        return np.exp(self.ln_first + self.step * np.arange(self.size))

    def cut(self, first_nm: float, last_nm: float) -> MolecularTable | None:
        """Return the part between two wavelengths in vacuum; None where the table has none.

        Beyond its ends the table is continued without absorption.
        """
        ends = (np.log([first_nm, last_nm]) - self.ln_first) / self.step
        start, stop = int(np.floor(ends[0])), int(np.ceil(ends[1])) + 1
        if min(stop, self.size) - max(start, 0) < 2:
            return None
        cut = {k: replace(s, ln_tau=_part(s.ln_tau, start, stop)) for k, s in self.species.items()}
        return replace(self, ln_first=self.ln_first + start * self.step, species=cut)

    def transmission(self, airmass: float, water_mm: float) -> Array:
        """Transmission of every bin for nominal amounts of the dry molecules.

        Parameters
        ----------
        airmass : float
            Airmass.
        water_mm : float
            Precipitable water at zenith.
        """
        tau = airmass * self.collision_induced()
        for name, species in self.species.items():
            column = airmass * (water_mm if name == WATER else 1.0)
            tau = tau + species.tau(float(np.log(column)), slice(None))[0]
        return np.exp(-tau)

    def collision_induced(self) -> Array:
        """Zenith optical depth of collision-induced bands, beyond the extinction curve's."""
        return np.interp(self.wave_nm, self.continuum_nm, self.continuum)


@dataclass(frozen=True)
class Component:
    """A molecule in a range of wavelengths, whose strength is one unknown.

    Attributes
    ----------
    name : str
        Name of the unknown.
    species : str
        Molecule.
    range_nm : tuple of float
        Wavelengths in vacuum.
    expected, sd : float
        Logarithm of its strength over the tabulated one, and how sure that is.
    """

    name: str
    species: str
    range_nm: tuple[float, float]
    expected: float
    sd: float


_ALL_NM = (0.0, 1e5)
COMPONENTS = (
    Component("H2O", WATER, _ALL_NM, 0.0, 0.0),
    Component("H2O 1.1", WATER, (1100.0, 1240.0), -0.09, 0.12),
    Component("O2", "O2", _ALL_NM, -0.05, 0.05),
    Component("O2 gamma", "O2", (620.0, 640.0), -0.15, 0.15),
    Component("O2 B", "O2", (680.0, 705.0), -0.05, 0.05),
    Component("O2 A", "O2", (755.0, 780.0), -0.05, 0.05),
    Component("CO2", "CO2", _ALL_NM, 0.03, 0.05),
    Component("CH4", "CH4", _ALL_NM, 0.03, 0.05),
    Component("N2O", "N2O", _ALL_NM, 0.0, 0.05),
)
"""What is fitted; a narrower range takes precedence over a wider one of its molecule.

Published line lists differ by 16 % in the water band at 1.1 micron and by 25 % in the gamma band
of oxygen; oxygen at the site is 0.94-0.96 of the table, carbon dioxide and methane have grown.
"""


def pieces(table: MolecularTable) -> list[tuple[Component, slice]]:
    """Stretches of a table and the component that each belongs to, without negligible ones."""
    wave = table.wave_nm
    found = []
    for species, members in _by_species().items():
        if species not in table.species:
            continue
        owner = np.zeros(wave.size, int)
        for number, component in enumerate(members):
            low, high = component.range_nm
            owner[(wave > low) & (wave < high)] = number
        edges = np.flatnonzero(np.diff(owner)) + 1
        for start, stop in zip([0, *edges], [*edges, wave.size], strict=True):
            piece = slice(int(start), int(stop))
            if _matters(table.species[species], piece):
                found.append((members[owner[start]], piece))
    return found


def _part(values: Array32, start: int, stop: int) -> Array32:
    """Columns of a table, filled with negligible absorption where it has none."""
    size = values.shape[1]
    part = values[:, max(start, 0) : min(stop, size)]
    outside = (max(-start, 0), max(stop - size, 0))
    if outside == (0, 0):
        return part
    return np.pad(part, ((0, 0), outside), constant_values=np.log(_SMALLEST_TAU))


def _by_species() -> dict[str, list[Component]]:
    """Components of each molecule, the widest first."""
    members: dict[str, list[Component]] = {}
    for component in COMPONENTS:
        members.setdefault(component.species, []).append(component)
    return members


def _matters(species: Species, piece: slice) -> bool:
    return bool(np.exp(species.ln_tau[-1, piece].max()) > _NEGLIGIBLE_TAU)


def ln_tau(optical_depth: ArrayLike) -> Array32:
    """Logarithm of tabulated optical depths, of which 0 stands for a negligible one."""
    return np.log(np.maximum(np.asarray(optical_depth, np.float32), np.float32(_SMALLEST_TAU)))


def optical_depth(
    table: MolecularTable,
    parts: Sequence[tuple[Component, slice]],
    ln_columns: Mapping[str, float],
) -> tuple[Array, dict[str, list[tuple[slice, Array]]]]:
    """Optical depth of the lines and its derivatives by the logarithms of the components' columns.

    Parameters
    ----------
    table : MolecularTable
        The table.
    parts : sequence
        As `pieces` gives them.
    ln_columns : mapping
        Component name to the logarithm of its slant column.

    Returns
    -------
    ndarray, dict
        Optical depth of every bin; for each component the stretches where it acts, with the
        derivative there.
    """
    tau = np.zeros(table.size)
    slopes: dict[str, list[tuple[slice, Array]]] = {}
    for component, piece in parts:
        depth, slope = table.species[component.species].tau(ln_columns[component.name], piece)
        tau[piece] += depth
        slopes.setdefault(component.name, []).append((piece, slope))
    return tau, slopes
