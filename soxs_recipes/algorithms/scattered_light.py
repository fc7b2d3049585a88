"""Scattered light of a flat: a smooth surface through the pixels between the orders."""

from __future__ import annotations

from dataclasses import dataclass

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
# Steps between places at which the error of the surface is worked out.
_ERROR_STEP = 24


class TooFewPixelsError(ValueError):
    """There are too few pixels between the orders."""


@dataclass(frozen=True)
class Background:
    """Scattered light of a frame.

    Attributes
    ----------
    flux : ndarray of float32, shape (ny, nx)
        The fitted surface.
    error : ndarray of float32, shape (ny, nx)
        Its standard error, common to neighbours: it does not average out over an order.
    """

    flux: Image
    error: Image


def fit_background(frame: DetectorFrame, where: Mask, knot_px: float = 96.0) -> Background:
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
    for _ in range(_ROUNDS):
        fit = _fit(frame.flux, used, knot_px)
        surface = _evaluate(fit.coefficients, bases)
        residual = np.abs(frame.flux - surface)
        typical = np.float32(1.4826 * np.median(residual[used]))
        limit = _KAPPA * np.maximum(frame.error, typical)
        now = where & frame.good() & (residual < limit)
        if np.count_nonzero(now != used) == 0:
            break
        used = now
    return Background(surface, _surface_error(fit, frame.shape, knot_px))


@dataclass(frozen=True)
class _Fit:
    """Spline coefficients, shape (knots along y, knots along x), and what tells their errors."""

    coefficients: Array
    normal: csr_array
    data: csr_array
    cell_variance: float


def _fit(flux: Image, used: Mask, knot_px: float) -> _Fit:
    count, value, y, x = _cells(flux, used)
    rows = _basis(y, flux.shape[0], knot_px)
    columns = _basis(x, flux.shape[1], knot_px)
    design = _row_products(rows, columns)
    data = (design.T @ (diags_array(count) @ design)).tocsr()
    ky, kx = rows.shape[1], columns.shape[1]
    normal = data + _SMOOTHNESS * data.diagonal().max() * _roughness(ky, kx)
    below = (TERMS - 1) * (kx + 1)
    bands = np.zeros((below + 1, ky * kx))
    for offset in range(below + 1):
        bands[offset, : ky * kx - offset] = normal.diagonal(-offset)
    answer = solveh_banded(bands, design.T @ (count * value), lower=True)
    # The scatter of the cells holds noise that neighbours share and structure that is finer than
    # the knots, beside the noise of the pixels.
    scatter = float(np.mean(count * np.square(value - design @ answer)))
    freedom = max(1 - answer.size / count.size, 0.1)
    return _Fit(answer.reshape(ky, kx), normal, data, scatter / freedom)


def _surface_error(fit: _Fit, shape: tuple[int, int], knot_px: float) -> Image:
    """Standard error of the surface, from the covariance of the coefficients.

    It is as smooth as the splines: every `_ERROR_STEP` pixels is ample.
    """
    inverse = np.linalg.inv(fit.normal.toarray())
    covariance = fit.cell_variance * (inverse @ fit.data @ inverse)
    axes = [np.unique(np.append(np.arange(0, n, _ERROR_STEP), n - 1)) for n in shape]
    y, x = (grid.ravel() for grid in np.meshgrid(*axes, indexing="ij"))
    design = _row_products(_basis(y, shape[0], knot_px), _basis(x, shape[1], knot_px))
    variance = np.asarray((design @ covariance) * design.toarray()).sum(axis=1)
    coarse = np.sqrt(np.maximum(variance, 0)).reshape([len(axis) for axis in axes])
    rows = np.stack([np.interp(np.arange(shape[0]), axes[0], line) for line in coarse.T], axis=1)
    return np.stack([np.interp(np.arange(shape[1]), axes[1], line) for line in rows]).astype("f4")


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
