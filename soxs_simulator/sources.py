"""What the telescope points at: targets by name, made of point and extended sources."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .rng import stream
from .sources_spectra import (
    AB_REFERENCE_NM,
    afterglow,
    black_body,
    emission_lines,
    power_law,
    supernova,
)
from .sources_standards import a0v_star, find_standard, standard_star
from .spectra import high_resolution_grid

Array = NDArray[np.float64]


class UnknownTargetError(ValueError):
    """No target of that name can be simulated."""

    def __init__(self, name: str, known: Mapping[str, object]) -> None:
        super().__init__(
            f"no target {name!r}: use a flux standard, HIP<number>, A0V_<V>, PL_<AB>, "
            f"BB<kelvin>_<AB> or one of {', '.join(sorted(known))}"
        )


@dataclass(frozen=True)
class PointSource:
    """A star-like source.

    Attributes
    ----------
    photons : ndarray
        Photons s-1 m-2 nm-1 above the atmosphere, on the common grid.
    slit_arcsec : float
        Position along the slit against the target position.
    """

    photons: Array
    slit_arcsec: float = 0.0


@dataclass(frozen=True)
class ExtendedSource:
    """A galaxy: an exponential profile along the slit, constant across it.

    Attributes
    ----------
    photons : ndarray
        Photons s-1 m-2 nm-1 arcsec-2 at the centre, above the atmosphere, on the common grid.
    scale_arcsec : float
        Length over which the brightness falls by e.
    slit_arcsec : float
        Position of the centre against the target position.
    """

    photons: Array
    scale_arcsec: float
    slit_arcsec: float = 0.0


@dataclass(frozen=True)
class Target:
    """A named target; its first point source is the one to be extracted."""

    name: str
    points: tuple[PointSource, ...] = ()
    extended: tuple[ExtendedSource, ...] = ()


def _supernova_in_host() -> Target:
    host = black_body(21.3, 5200.0) + emission_lines(0.15, 0.03)
    galaxy = ExtendedSource(host, 2.2, 3.0)
    return Target("SN2026XYZ", (PointSource(supernova(17.3, 0.03)),), (galaxy,))


def _extended_only() -> Target:
    galaxy = black_body(20.5, 4800.0) + emission_lines(1.5, 0.01)
    return Target("GAL-EXT", (), (ExtendedSource(galaxy, 1.8),))


SCENE_OBJECTS: dict[str, Callable[[], Target]] = {
    "SN2026XYZ": _supernova_in_host,
    "AT2026ABC": lambda: Target("AT2026ABC", (PointSource(black_body(19.0, 15_000.0)),)),
    "GRB260315A": lambda: Target("GRB260315A", (PointSource(afterglow(18.2, 1.24)),)),
    "GAL-EXT": _extended_only,
    "DOUBLE": lambda: Target(
        "DOUBLE", (PointSource(power_law(17.0)), PointSource(black_body(18.5, 4000.0), -3.0))
    ),
    "BLANK-SKY": lambda: Target("BLANK-SKY"),
}
"""The simulator's own objects: name to a function that makes the target."""

_GENERIC = re.compile(r"(A0V|PL|LINES|BB(\d+))_(-?\d+(?:\.\d+)?)")
_LINES_PHOTONS, _LINES_KM_S = 20.0, 20.0
_BESIDE = re.compile(r"(.+)_(HOST|NEXT)_(\d+(?:\.\d+)?)")
_HOST_ARCSEC, _HOST_SCALE_ARCSEC, _HOST_KELVIN, _HOST_LINES = 1.0, 1.5, 5200.0, 0.5
_NEXT_ARCSEC = 2.0


def find_target(name: str, seed: int, ideal: bool = False) -> Target:
    """Return the target of a name.

    Parameters
    ----------
    name : str
        A flux standard (name or alias), ``HIP<number>`` (an A0V star whose magnitude, rotation and
        velocity follow from the number), ``A0V_<V>``, ``PL_<AB>`` (power law), ``BB<kelvin>_<AB>``,
        ``LINES_<AB>`` (a power law with emission lines narrower than can be resolved) or a name of
        `SCENE_OBJECTS`; AB magnitudes are at 550 nm.
    seed, ideal
        Seed of the night, and whether standards follow their reference exactly.

    Raises
    ------
    UnknownTargetError
        There is no such target.
    """
    beside = _BESIDE.fullmatch(name)
    if beside:
        return _with_neighbour(find_target(beside[1], seed, ideal), beside[2], float(beside[3]))
    column = find_standard(name)
    if column:
        return Target(name, (PointSource(standard_star(column, seed, ideal)),))
    if re.fullmatch(r"HIP ?\d+", name):
        return Target(name, (PointSource(_hipparcos_star(name)),))
    generic = _GENERIC.fullmatch(name)
    if generic:
        return Target(name, (PointSource(_generic(generic)),))
    if name not in SCENE_OBJECTS:
        raise UnknownTargetError(name, SCENE_OBJECTS)
    return SCENE_OBJECTS[name]()


def _generic(match: re.Match[str]) -> Array:
    magnitude = float(match[3])
    if match[1] == "PL":
        return power_law(magnitude)
    if match[1] == "LINES":
        return power_law(magnitude) + emission_lines(_LINES_PHOTONS, 0.0, _LINES_KM_S)
    if match[1] == "A0V":
        return a0v_star(magnitude, 60.0)
    return black_body(magnitude, float(match[2]))


def _with_neighbour(target: Target, kind: str, ratio: float) -> Target:
    """Target with a galaxy or a star beside it, of other colour than its own."""
    name = f"{target.name}_{kind}_{ratio:g}"
    grid = high_resolution_grid().air_nm
    level = ratio * np.interp(AB_REFERENCE_NM, grid, target.points[0].photons)
    other = black_body(0.0, _HOST_KELVIN)
    other *= level / np.interp(AB_REFERENCE_NM, grid, other)
    if kind == "NEXT":
        return replace(target, name=name, points=(*target.points, PointSource(other, _NEXT_ARCSEC)))
    photons = other + emission_lines(_HOST_LINES * level, 0.03)
    galaxy = ExtendedSource(photons / (2 * _HOST_SCALE_ARCSEC), _HOST_SCALE_ARCSEC, _HOST_ARCSEC)
    return replace(target, name=name, extended=(galaxy,))


def _hipparcos_star(name: str) -> Array:
    rng = stream(0, name.replace(" ", ""))
    v_mag, vsini, velocity = rng.uniform([7.0, 30.0, -30.0], [9.0, 180.0, 30.0])
    return a0v_star(v_mag, vsini, velocity, float(rng.uniform(0.85, 1.1)))
