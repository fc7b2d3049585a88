"""Where orders are expected, from a dispersion solution or the spectral format."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.algorithms.dispersion import DispersionSolution

Array = NDArray[np.float64]

_POINTS = 2001
# Orders are followed beyond their nominal range by this share of it: the format drifts, and the
# table of an order may end before its light does.
_EXTENSION = 0.3


def expected_centres(
    solution: DispersionSolution, binning: tuple[int, int] = (1, 1)
) -> tuple[NDArray[np.int_], Array]:
    """Order centres at every pixel along dispersion.

    Parameters
    ----------
    solution : DispersionSolution
        Positions in pixels of its own frame.
    binning : tuple of int
        Pixels of the solution's frame, along x and y, that make one pixel of the result's frame.

    Returns
    -------
    orders : ndarray of int, shape (n,)
    centres : ndarray, shape (n, length)
        Pixels across dispersion, zero-based; NaN off the order.
    """
    along_x = solution.dispersion_axis == "x"
    disp_bin, cross_bin = binning if along_x else binning[::-1]
    length = solution.shape[1 if along_x else 0] // disp_bin
    centres = np.full((len(solution.orders), length), np.nan)
    for row, order in zip(centres, solution.orders, strict=True):
        along, across = _curve(solution, int(order))
        along, across = _rebinned(along, disp_bin), _rebinned(across, cross_bin)
        row[:] = np.interp(np.arange(length), along, across, left=np.nan, right=np.nan)
    return solution.orders, centres


def moved_centres(orders: NDArray[np.int_], centres: Array, solution: DispersionSolution) -> Array:
    """Move expected centres to where a measured solution has them.

    Beyond the outermost fitted lines of an order its departure from the expectation is that at
    these lines. Orders that the solution lacks stay.

    Parameters
    ----------
    orders : ndarray of int, shape (n,)
        Order numbers.
    centres : ndarray, shape (n, length)
        Expected pixels across dispersion at every pixel along it.
    solution : DispersionSolution
        Solution for frames of the same binning.
    """
    pixel = np.arange(centres.shape[1])
    moved = centres.copy()
    for row, order in zip(moved, orders, strict=True):
        known = np.isfinite(row)
        if order not in solution.orders or not known.any():
            continue
        place = solution.index(order)
        fitted = solution.fitted_nm[place]
        ends = fitted if np.isfinite(fitted).all() else solution.range_nm[place]
        x, y = solution.to_pixel(order, np.linspace(*ends, _POINTS))
        along, across = solution.along(x, y), solution.across(x, y)
        rising = np.argsort(along)
        departure = across - np.interp(along, pixel[known], row[known])
        row += np.interp(pixel, along[rising], departure[rising])
    return moved


def _curve(solution: DispersionSolution, order: int) -> tuple[Array, Array]:
    """Order centre as (pixel along, pixel across), the former ascending."""
    low, high = solution.range_nm[solution.index(order)]
    margin = _EXTENSION * (high - low)
    wave_nm = np.linspace(low - margin, high + margin, _POINTS)
    x, y = solution.to_pixel(order, wave_nm)
    along, across = solution.along(x, y), solution.across(x, y)
    if along[_POINTS // 2 + 1] < along[_POINTS // 2]:
        along, across = along[::-1], across[::-1]
    rising = np.diff(along) > 0
    middle = _POINTS // 2
    turns = np.flatnonzero(~rising)
    first = int(max((turns[turns < middle] + 1).max(initial=0), 0))
    last = int(turns[turns >= middle].min(initial=_POINTS - 1))
    return along[first : last + 1], across[first : last + 1]


def _rebinned(pixel: Array, factor: int) -> Array:
    return (pixel + 0.5) / factor - 0.5
