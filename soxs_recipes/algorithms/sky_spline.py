"""Weighted least squares for splines in wavelength times functions of the slit position.

The light of an order is ``sum_k f_k(pixel) sum_j c_jk B_j(column)`` with cubic B-splines of equal
knots (Kelson 2003, PASP 115, 688): pixels are used where they are, so that the tilt of the slit's
image samples lines finer than the pixels do. Unknowns of neighbouring knots alone are coupled;
the normal equations are a band.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solveh_banded

from soxs_recipes.algorithms.bands import row_bands

Array = NDArray[np.float64]
Array32 = NDArray[np.float32]
Ints = NDArray[np.integer]

SPLINES = 4
"""Number of cubic B-splines that are not zero at a point."""

_B_SPLINE = np.array([[1, -3, 3, -1], [4, 0, -6, 3], [1, 3, 3, -3], [0, 0, 0, 1]]) / 6
# Differences of neighbouring unknowns are held to zero with this share of the weight of the data
# there, and of all data where there are none: it decides only where no datum does.
_SMOOTHNESS, _FLOOR = 1e-5, 1e-9
# Intervals worked on at a time: few enough for the cache, many enough for two threads not to get
# into each other's way.
_BAND = 512
# Each pair of splines once.
_PAIRS = np.triu_indices(SPLINES)
# Groups of four knots that are inverted together, and by how many the pieces overlap.
_PIECE, _OVERLAP = 24, 5


@dataclass(frozen=True)
class Packing:
    """Pixels sorted into the intervals between knots, each interval filled up to one number.

    Attributes
    ----------
    place : ndarray of int, shape (intervals, capacity)
        Which of the pixels stands here.
    filled : ndarray of bool, shape (intervals, capacity)
        Where a pixel stands at all.
    splines : ndarray of float32, shape (intervals, capacity, 4)
        The four B-splines of the interval at the pixel.
    first : float
        Coordinate of the first knot.
    """

    place: Ints
    filled: NDArray[np.bool_]
    splines: Array32
    first: float = 0.0

    @property
    def knots(self) -> int:
        """Number of unknowns per function of the slit position."""
        return len(self.place) + SPLINES - 1


@dataclass(frozen=True)
class SplineFit:
    """Solution of the normal equations.

    Attributes
    ----------
    coef : ndarray, shape (knots, functions)
        Factors of the B-splines.
    covariance : ndarray or None, shape (intervals, 4 * functions, 4 * functions)
        Covariance of the unknowns of each interval, ordered by knot, then function.
    """

    coef: Array
    covariance: Array32 | None = None


def pack(column: Array32, step: float) -> Packing:
    """Sort pixels into intervals of a knot distance.

    Parameters
    ----------
    column : ndarray, shape (n,)
        Coordinate of the pixels along dispersion.
    step : float
        Distance of knots.
    """
    scaled = (column - column.min()) / np.float32(step)
    interval = scaled.astype(np.int32)
    count = np.bincount(interval)
    sort = np.argsort(interval, kind="stable")
    first = np.cumsum(count) - count
    rank = np.arange(len(column)) - np.repeat(first, count)
    shape = (len(count), int(count.max()))
    place = np.zeros(shape, np.int32)
    filled = np.zeros(shape, bool)
    place[interval[sort], rank] = sort
    filled[interval[sort], rank] = True
    return Packing(place, filled, _splines((scaled - interval)[place]), float(column.min()))


def curves(coef: Array, first: float, step: float, column: Array32) -> Array32:
    """Splines at coordinates along dispersion, shape (..., functions); the ends are held.

    Parameters
    ----------
    coef : ndarray, shape (knots, functions)
        As of `SplineFit`.
    first, step : float
        Coordinate of the first knot, and distance of knots.
    column : ndarray
        Coordinates.
    """
    intervals = len(coef) - SPLINES + 1
    scaled = np.clip((column - np.float32(first)) / np.float32(step), 0, intervals - 1e-3)
    interval = np.minimum(scaled.astype(np.int32), intervals - 1)
    splines = _splines(scaled - interval)
    table = coef.astype(np.float32)
    return sum(splines[..., k, None] * table[interval + k] for k in range(SPLINES))


def _splines(part: NDArray) -> Array32:
    """The four B-splines at a share of an interval."""
    part = part.astype(np.float32, copy=False)
    powers = np.stack([np.ones_like(part), part, part**2, part**3], axis=-1)
    return powers @ _B_SPLINE.T.astype(np.float32)


def fit(
    packing: Packing,
    functions: Array32,
    values: Array32,
    weights: Array32,
    errors: bool = False,
    held: Array | None = None,
) -> SplineFit:
    """Solve for the factors of the B-splines.

    Parameters
    ----------
    packing : Packing
        The pixels.
    functions : ndarray, shape (intervals, capacity, functions)
        Functions of the slit position at the packed pixels.
    values, weights : ndarray, shape (intervals, capacity)
        Data and inverse variances; 0 leaves a pixel out.
    errors : bool
        Whether the covariance is wanted.
    held : ndarray, shape (knots - 1, functions), optional
        Inverse variances expected of the differences of neighbouring unknowns.
    """
    products, sums = _normal(packing, functions, values, weights)
    band, right = _banded(products, functions.shape[-1]), _summed(sums)
    _smooth(band, held)
    coef = solveh_banded(_lapack(band), right.ravel(), lower=True, check_finite=False)
    covariance = selected_inverse(band) if errors else None
    return SplineFit(coef.reshape(right.shape), covariance)


def contributions(packing: Packing, functions: Array32, coef: Array) -> Array32:
    """Value at the packed pixels by function, shape (intervals, capacity, functions)."""
    intervals = len(packing.place)
    windows = np.stack([coef[k : k + intervals] for k in range(SPLINES)], axis=1)
    return (packing.splines @ windows.astype(np.float32)) * functions


def variances(
    packing: Packing, functions: Array32, covariance: Array32, count: int
) -> tuple[Array32, Array32]:
    """Variance at the packed pixels of the sum of the first functions, and of that of all.

    Parameters
    ----------
    packing, functions : Packing, ndarray
        As for `fit`.
    covariance : ndarray
        As of `SplineFit`.
    count : int
        Number of functions that come first.

    Returns
    -------
    tuple of ndarray, shape (intervals, capacity)
    """
    low, high = np.triu_indices(functions.shape[-1])
    by_pair = _by_pairs(covariance, functions.shape[-1])
    is_first = high < count
    result = np.empty((2, *packing.filled.shape), np.float32)
    for block in row_bands(len(packing.place), _BAND):
        splines, light = packing.splines[block], functions[block]
        parts = (splines[..., _PAIRS[0]] * splines[..., _PAIRS[1]]) @ by_pair[block]
        parts *= light[..., low]
        parts *= light[..., high]
        np.sum(parts[..., is_first], axis=-1, out=result[0, block])
        np.sum(parts, axis=-1, out=result[1, block])
    return result[0], result[1]


def _by_pairs(covariance: Array32, functions: int) -> Array32:
    """Covariances of each pair of splines and of functions, all orders of the two added up.

    Shape (intervals, 10, pairs of functions).
    """
    low, high = np.triu_indices(functions)
    full = covariance.reshape(-1, SPLINES, functions, SPLINES, functions)
    one, other = (index[:, None] for index in _PAIRS)
    both = full[:, one, low, other, high] + full[:, one, high, other, low]
    times = np.where(one == other, 1.0, 2.0) * np.where(low == high, 0.5, 1.0)
    return both * times.astype(np.float32)


def _normal(
    packing: Packing, functions: Array32, values: Array32, weights: Array32
) -> tuple[Array32, Array32]:
    """Weighted sums over the pixels of each interval.

    Of products of two splines and two functions, shape (intervals, 10, pairs of functions), each
    pair once; and of splines, functions and data, shape (intervals, 4, functions).
    """
    intervals, _, count = functions.shape
    first, second = np.triu_indices(count)
    products = np.empty((intervals, len(_PAIRS[0]), len(first)), np.float32)
    sums = np.empty((intervals, SPLINES, count), np.float32)
    for block in row_bands(intervals, _BAND):
        splines, light = packing.splines[block], functions[block]
        weighted = light * weights[block, :, None]
        pairs = splines[..., _PAIRS[0]] * splines[..., _PAIRS[1]]
        products[block] = np.swapaxes(pairs, 1, 2) @ (weighted[..., first] * light[..., second])
        sums[block] = np.swapaxes(splines, 1, 2) @ (weighted * values[block, :, None])
    return products, sums


def _summed(sums: Array32) -> Array:
    """Right-hand side by knot, from that of every interval."""
    intervals, _, functions = sums.shape
    total = np.zeros((intervals + SPLINES - 1, functions))
    for k in range(SPLINES):
        total[k : k + intervals] += sums[:, k]
    return total


def _banded(products: Array32, functions: int) -> Array:
    """Blocks ``band[d, j]`` that couple knot j + d with knot j, from those of every interval."""
    intervals = len(products)
    first, second = np.triu_indices(functions)
    pair = np.empty((functions, functions), int)
    pair[first, second] = pair[second, first] = np.arange(len(first))
    band = np.zeros((SPLINES, intervals + SPLINES - 1, functions, functions))
    for number, (low, high) in enumerate(zip(*_PAIRS, strict=True)):
        band[high - low, low : low + intervals] += products[:, number][:, pair]
    return band


def _smooth(band: Array, held: Array | None) -> None:
    """Add the penalty on differences of neighbouring unknowns, of each function for itself."""
    own = np.arange(band.shape[2])
    weight = np.einsum("jkk->jk", band[0]).copy()
    scale = _SMOOTHNESS * np.minimum(weight[1:], weight[:-1]) + _FLOOR * weight.mean(axis=0)
    if held is not None:
        scale += held
    band[0][1:, own, own] += scale
    band[0][:-1, own, own] += scale
    band[1][:-1, own, own] -= scale


def _lapack(band: Array) -> Array:
    """Lower diagonals of the matrix as LAPACK wants them."""
    reach, knots, functions, _ = band.shape
    lower = np.zeros((reach * functions, knots, functions))
    for d in range(reach):
        for row in range(functions):
            for column in range(functions):
                diagonal = d * functions + row - column
                if diagonal >= 0:
                    lower[diagonal, :, column] = band[d, :, row, column]
    return lower.reshape(reach * functions, -1)


def selected_inverse(band: Array) -> Array32:
    """Blocks of the inverse of a banded matrix that lie within its band.

    The knots are taken four by four, which makes the matrix block-tridiagonal; its inverse is
    found by elimination forwards and substitution backwards (Takahashi et al. 1973). The
    correlation of unknowns falls by a factor of about four per knot, so that pieces of the matrix
    that overlap by some knots are treated at once, each as if there were nothing beyond it.

    Parameters
    ----------
    band : ndarray, shape (4, knots, functions, functions)
        Blocks of the lower band.

    Returns
    -------
    ndarray, shape (intervals, 4 * functions, 4 * functions)
    """
    diagonal, below = _tridiagonal(band)
    groups, size = diagonal.shape[:2]
    starts = np.arange(0, groups, _PIECE)
    window = np.arange(-_OVERLAP, _PIECE + _OVERLAP)[:, None] + starts
    there = (window >= 0) & (window < groups)
    pieces = np.where(
        there[..., None, None], diagonal[np.clip(window, 0, groups - 1)], np.eye(size)
    )
    linked = there[:-1] & there[1:]
    links = below[np.clip(window[:-1], 0, groups - 2)] * linked[..., None, None]
    inverse, beside = _eliminate(pieces, links)
    own = slice(_OVERLAP, _OVERLAP + _PIECE)
    inverse, beside = (
        np.swapaxes(part[own], 0, 1).reshape(-1, size, size) for part in (inverse, beside)
    )
    return _interval_blocks(inverse[:groups], beside[: groups - 1], *band.shape[1:3])


def _eliminate(diagonal: Array, below: Array) -> tuple[Array, Array]:
    """Diagonal blocks of the inverses of block-tridiagonal matrices, and those below them.

    Blocks run along the first axis, matrices along the second.
    """
    inverse, factor = np.empty_like(diagonal), np.empty_like(below)
    inverse[0] = np.linalg.inv(diagonal[0])
    for g in range(1, len(diagonal)):
        factor[g - 1] = below[g - 1] @ inverse[g - 1]
        turned = np.swapaxes(below[g - 1], 1, 2)
        inverse[g] = np.linalg.inv(diagonal[g] - factor[g - 1] @ turned)
    beside = np.empty_like(below)
    for g in range(len(diagonal) - 2, -1, -1):
        beside[g] = -inverse[g + 1] @ factor[g]
        inverse[g] -= np.swapaxes(factor[g], 1, 2) @ beside[g]
    return inverse, beside


def _tridiagonal(band: Array) -> tuple[Array, Array]:
    """Group knots four by four; the last group is filled up with ones."""
    reach, knots, functions, _ = band.shape
    groups = -(-knots // reach)
    wide = np.zeros((2 * groups, reach, functions, reach, functions))
    padded = np.zeros((reach, groups * reach, functions, functions))
    padded[:, :knots] = band
    padded[0, knots:] = np.eye(functions)
    diagonal, below = wide[:groups], wide[groups:]
    for j in range(reach):
        for d in range(reach):
            block = padded[d, j::reach]
            target, row = (diagonal, j + d) if j + d < reach else (below, j + d - reach)
            target[:, row, :, j, :] = block
            if target is diagonal and d:
                target[:, j, :, row, :] = np.swapaxes(block, 1, 2)
    size = reach * functions
    return diagonal.reshape(groups, size, size), below.reshape(groups, size, size)[:-1]


def _interval_blocks(inverse: Array, beside: Array, knots: int, functions: int) -> Array32:
    """Cut the block of every interval of four knots out of the inverse's band."""
    groups, size = inverse.shape[:2]
    blocks = np.zeros((groups, SPLINES, size, size), np.float32)
    for j in range(SPLINES):
        start, block = j * functions, blocks[:, j]
        own = size - start
        block[:, :own, :own] = inverse[:, start:, start:]
        block[:-1, own:, :own] = beside[:, :start, start:]
        block[:-1, :own, own:] = np.swapaxes(beside[:, :start, start:], 1, 2)
        block[:-1, own:, own:] = inverse[1:, :start, :start]
    return blocks.reshape(-1, size, size)[: knots - SPLINES + 1]
