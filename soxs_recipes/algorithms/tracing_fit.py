"""Smooth models of positions along orders: one per order, or one for all orders."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from soxs_recipes.algorithms.order_table import scaled
from soxs_recipes.algorithms.robust import mad_sd

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Errors are not believed below this: pixel response and profile shape limit every centroid.
_ERROR_FLOOR_PX = 0.005


class TooFewSamplesError(ValueError):
    """There are fewer samples than the model has terms."""


@dataclass(frozen=True)
class SmoothModel:
    """How positions vary along and across orders.

    Attributes
    ----------
    along : int
        Chebyshev degree in the pixel along dispersion.
    across : int or None
        Chebyshev degree in the order number; None gives each order a model of its own.
    kappa : float
        Samples further off than this many standard deviations are rejected.
    rounds : int
        Most rounds of rejection.
    """

    along: int
    across: int | None
    kappa: float = 5.0
    rounds: int = 7


@dataclass(frozen=True)
class Samples:
    """Measured positions, all arrays of shape (orders, bins).

    Attributes
    ----------
    pixel : ndarray
        Pixel along dispersion.
    position, error : ndarray
        Position across dispersion and its standard error, px.
    found : ndarray of bool
        Where there was something to measure.
    """

    pixel: Array
    position: Array
    error: Array
    found: Mask


@dataclass(frozen=True)
class Smoothed:
    """A fitted model.

    Attributes
    ----------
    values : ndarray, shape (orders, length)
        Model at every pixel along dispersion.
    residual : ndarray, shape (orders, bins)
        Measured minus model at the samples.
    kept : ndarray of bool, shape (orders, bins)
        Samples that entered.
    """

    values: Array
    residual: Array
    kept: Mask


def fit_smooth(samples: Samples, length: int, model: SmoothModel) -> Smoothed:
    """Fit positions by weighted least squares with rejection of outliers.

    Parameters
    ----------
    samples : Samples
        Measured positions.
    length : int
        Number of pixels along dispersion.
    model : SmoothModel
        Degrees and rejection.

    Raises
    ------
    TooFewSamplesError
        If an order, or all together, have fewer samples than twice the terms of the model.
    """
    if model.across is not None:
        return _fit_all(samples, length, model)
    parts = [
        _fit_all(_row(samples, n), length, SmoothModel(model.along, 0, model.kappa, model.rounds))
        for n in range(len(samples.pixel))
    ]
    joined = (np.concatenate([getattr(part, name) for part in parts]) for name in _NAMES)
    return Smoothed(*joined)


_NAMES = ("values", "residual", "kept")


def _row(samples: Samples, n: int) -> Samples:
    row = slice(n, n + 1)
    return Samples(
        samples.pixel[row], samples.position[row], samples.error[row], samples.found[row]
    )


def _fit_all(samples: Samples, length: int, model: SmoothModel) -> Smoothed:
    """One model for all given orders."""
    count = len(samples.pixel)
    across = min(model.across, count - 1)
    by_order = chebyshev.chebvander(np.linspace(-1, 1, count) if count > 1 else [0.0], across)
    by_pixel = chebyshev.chebvander(scaled(samples.pixel, length), model.along)
    design = by_pixel[..., :, None] * by_order[:, None, None, :]
    design = design.reshape(*samples.pixel.shape, -1)
    coef, kept = _robust(design, samples, model)
    residual = np.where(samples.found, samples.position - design @ coef, np.nan)
    everywhere = chebyshev.chebvander(scaled(np.arange(length), length), model.along)
    values = by_order @ coef.reshape(model.along + 1, across + 1).T @ everywhere.T
    return Smoothed(values, residual, kept)


def _robust(design: Array, samples: Samples, model: SmoothModel) -> tuple[Array, Mask]:
    kept = samples.found & np.isfinite(samples.position)
    weight = 1 / np.hypot(np.nan_to_num(samples.error, nan=1e9), _ERROR_FLOOR_PX)
    position = np.where(kept, samples.position, 0.0)
    for turn in range(model.rounds + 1):
        if kept.sum() < 2 * design.shape[-1]:
            raise TooFewSamplesError(
                f"{2 * design.shape[-1]} samples or more expected, found {kept.sum()}"
            )
        scale = weight[kept] * (1.0 if turn else _gentle(design[kept], position[kept]))
        coef = _least_squares(design[kept] * scale[:, None], position[kept] * scale)
        pull = (position - design @ coef) * weight
        spread = max(float(mad_sd(pull[kept])), 1.0)
        now = samples.found & np.isfinite(samples.position) & (np.abs(pull) < model.kappa * spread)
        if np.array_equal(now, kept):
            break
        kept = now
    return coef, kept


def _gentle(design: Array, position: Array) -> Array:
    """First weights: samples far off an unweighted fit, in its own scatter, count little."""
    scale = np.ones(len(position))
    for _ in range(4):
        coef = _least_squares(design * scale[:, None], position * scale)
        residual = position - design @ coef
        spread = max(float(mad_sd(residual)), _ERROR_FLOOR_PX)
        scale = 1 / np.sqrt(1 + (residual / (3 * spread)) ** 2)
    return scale


def _least_squares(design: Array, values: Array) -> Array:
    """Solve by normal equations, well conditioned for Chebyshev terms."""
    normal = design.T @ design
    ridge = 1e-12 * np.trace(normal) * np.eye(len(normal))
    return np.linalg.solve(normal + ridge, design.T @ values)
