"""Scattered light of a flat: a smooth surface through the pixels between the orders."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solveh_banded
from scipy.sparse import csr_array, diags_array

from soxs_recipes.algorithms.blaze_splines import TERMS, cubic_splines
from soxs_recipes.algorithms.frame import DetectorFrame, Image

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Pixels are averaged in cells of this many before the fit; far below the knots' distance.
_CELL_PX = 8
_KAPPA, _ROUNDS = 5.0, 3
# Weight of the smoothness that carries the surface across places without pixels.
_SMOOTHNESS = 1e-5


class TooFewPixelsError(ValueError):
    """There are too few pixels between the orders."""


def fit_background(frame: DetectorFrame, where: Mask, knot_px: float = 96.0) -> Image:
    """Fit a bicubic spline to some pixels of a frame and evaluate it everywhere.

    Parameters
    ----------
    frame : DetectorFrame
        The flat.
    where : ndarray of bool
        Pixels that hold scattered light alone; of these the usable ones enter, and outliers are
        rejected.
    knot_px : float
        Distance of the knots in both directions, px: no structure finer than that is followed.

    Raises
    ------
    TooFewPixelsError
        If fewer than 1000 pixels are usable.
    """
    used = where & frame.good()
    if np.count_nonzero(used) < 1000:
        raise TooFewPixelsError(f"1000 pixels or more expected, found {np.count_nonzero(used)}")
    bases = [_basis(np.arange(n), n, knot_px) for n in frame.shape]
    surface = None
    for _ in range(_ROUNDS):
        surface = _evaluate(_fit(frame.flux, used, knot_px), bases)
        residual = np.abs(frame.flux - surface)
        typical = np.float32(1.4826 * np.median(residual[used]))
        limit = _KAPPA * np.maximum(frame.error, typical)
        now = where & frame.good() & (residual < limit)
        if np.count_nonzero(now != used) == 0:
            break
        used = now
    return surface


def _fit(flux: Image, used: Mask, knot_px: float) -> Array:
    """Spline coefficients, shape (knots along y, knots along x)."""
    count, value, y, x = _cells(flux, used)
    rows = _basis(y, flux.shape[0], knot_px)
    columns = _basis(x, flux.shape[1], knot_px)
    design = _row_products(rows, columns)
    normal = (design.T @ (diags_array(count) @ design)).tocsr()
    right = design.T @ (count * value)
    ky, kx = rows.shape[1], columns.shape[1]
    normal = normal + _SMOOTHNESS * normal.diagonal().max() * _roughness(ky, kx)
    below = (TERMS - 1) * (kx + 1)
    bands = np.zeros((below + 1, ky * kx))
    for offset in range(below + 1):
        bands[offset, : ky * kx - offset] = normal.diagonal(-offset)
    return solveh_banded(bands, right, lower=True).reshape(ky, kx)


def _cells(flux: Image, used: Mask) -> tuple[Array, Array, Array, Array]:
    """Number, mean signal and mean position of the pixels of every cell that has some."""
    high, wide = (-(-n // _CELL_PX) for n in flux.shape)
    y, x = np.nonzero(used)
    cell = (y // _CELL_PX) * wide + x // _CELL_PX
    count = np.bincount(cell, minlength=high * wide)
    filled = count > 0
    sums = (np.bincount(cell, part, high * wide)[filled] for part in (flux[used], y, x))
    value, row, column = (total / count[filled] for total in sums)
    return count[filled].astype(float), value, row, column


def _basis(place: NDArray, length: int, knot_px: float) -> csr_array:
    """Cubic B-splines over pixels 0 to length - 1."""
    return cubic_splines(place, length - 1, knot_px)


def _row_products(rows: csr_array, columns: csr_array) -> csr_array:
    """Products of the splines of both directions at each place; both have the same rows."""
    n, terms = rows.shape[0], TERMS
    left, right = rows.data.reshape(n, terms, 1), columns.data.reshape(n, 1, terms)
    index = rows.indices.reshape(n, terms, 1) * columns.shape[1]
    index = index + columns.indices.reshape(n, 1, terms)
    pointer = np.arange(n + 1) * terms**2
    shape = (n, rows.shape[1] * columns.shape[1])
    return csr_array(((left * right).ravel(), index.ravel(), pointer), shape=shape)


def _roughness(ky: int, kx: int) -> csr_array:
    """Squares of the second differences of the coefficients in both directions."""
    from scipy.sparse import eye_array, kron

    def square(n: int) -> csr_array:
        steps = np.diff(np.eye(n), 2, axis=0)
        return csr_array(steps.T @ steps)

    return csr_array(kron(square(ky), eye_array(kx)) + kron(eye_array(ky), square(kx)))


def _evaluate(coef: Array, bases: list[csr_array]) -> Image:
    part = (bases[0] @ coef).astype(np.float32)
    return part @ bases[1].toarray().astype(np.float32).T
