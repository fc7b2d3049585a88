"""Cubic B-splines on knots one apart: the four that are not zero at a place."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.polynomial import Polynomial
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
T = TypeVar("T")

AT_KNOT = np.array([1.0, 4.0, 1.0]) / 6
"""The three splines that are not zero at a knot."""


def spline_basis(place: ArrayLike) -> tuple[NDArray[np.int_], tuple[Array, Array, Array, Array]]:
    """Index of the knot at or below each place, and the values of four splines.

    The first of the four is centred one knot before that knot (de Boor 1978).
    """
    place = np.asarray(place, dtype=float)
    first = np.floor(place).astype(np.intp)
    return first, four_splines(place - first)


def four_splines(t: T) -> tuple[T, T, T, T]:
    """The four splines at a share of the step between two knots: numbers, or polynomials of it."""
    square = t * t
    cube = square * t
    rest = 1 - t
    return (
        rest * rest * rest / 6,
        (0.5 * cube - square) + 2 / 3,
        0.5 * (t + square - cube) + 1 / 6,
        cube / 6,
    )


SERIES = np.array([spline.coef for spline in four_splines(Polynomial([0.5, 1.0]))])
"""The four splines as series of the distance from the middle between two knots."""


def at_places(values: Array, place: NDArray) -> Array:
    """Linear interpolation of values at 0, 1, 2, ...; beyond the ends that of the end.

    Does what `numpy.interp` does, in a third of the time, for it need not search.
    """
    place = np.clip(place, 0, len(values) - 1)
    first = place.astype(np.intp)
    result = np.diff(values, append=values[-1])[first]
    result *= place - first
    result += values[first]
    return result
