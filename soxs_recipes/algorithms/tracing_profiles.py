"""Fits of one profile shape to many short stretches of orders at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Shape = Callable[[Array, Array], tuple[Array, Array]]

_INV_SQRT_2PI = 1 / np.sqrt(2 * np.pi)
# A residual beyond this many sigma is no noise; the shape may be wrong by the given share.
_OUTLIER_KAPPA, _SHAPE_ERROR = 6.0, 0.05
_DAMPING = 1e-3


class Points(NamedTuple):
    """The pixels of many stretches of orders, each array of shape (stretches, pixels).

    Attributes
    ----------
    offset : ndarray
        Distance of the pixel from the expected position, px across dispersion.
    value, variance : ndarray
        Signal and its variance.
    good : ndarray of bool
        Pixels to use.
    """

    offset: Array
    value: Array
    variance: Array
    good: Mask


@dataclass(frozen=True)
class Fit:
    """Fitted parameters of every stretch, their errors, and reduced chi-square.

    Attributes
    ----------
    values, errors : ndarray, shape (stretches, parameters)
        NaN where a stretch has too few pixels.
    chi2 : ndarray, shape (stretches,)
        Chi-square per degree of freedom.
    """

    values: Array
    errors: Array
    chi2: Array


def spot(offset: Array, p: Array) -> tuple[Array, Array]:
    """Gaussian of parameters (flux, centre, SD, background), integrated over pixels.

    Returns the profile and its derivatives, shape (..., 4).
    """
    flux, centre, sd, background = (p[:, None, k] for k in range(4))
    low = (offset - (0.5 + centre)) / sd
    high = low + 1 / sd
    share = ndtr(high) - ndtr(low)
    at_low, at_high = _density(low), _density(high)
    slope = np.empty((*share.shape, 4))
    slope[..., 0] = share
    slope[..., 1] = (at_low - at_high) * (flux / sd)
    slope[..., 2] = (low * at_low - high * at_high) * (flux / sd)
    slope[..., 3] = 1.0
    return flux * share + background, slope


def rising_edge(offset: Array, p: Array) -> tuple[Array, Array]:
    """Edge of parameters (level, place, SD, background, slope), integrated over pixels.

    Far inside the profile is ``level + background + slope * (offset - place)``; at the place half
    of the level is reached. Returns the profile and its derivatives, shape (..., 5).
    """
    level, place, sd, background, tilt = (p[:, None, k] for k in range(5))
    low, high = (offset - 0.5 - place) / sd, (offset + 0.5 - place) / sd
    at_low, at_high = ndtr(low), ndtr(high)
    density = _density(high) - _density(low)
    step = sd * (high * at_high - low * at_low + density)
    inside = offset - place
    value = (level + tilt * inside) * step + background
    slope = np.stack(
        [
            step,
            -(level + tilt * inside) * (at_high - at_low) - tilt * step,
            (level + tilt * inside) * density,
            np.ones_like(step),
            inside * step,
        ],
        axis=-1,
    )
    return value, slope


def fit_profiles(
    shape: Shape, points: Points, start: Array, limits: tuple[Array, Array], rounds: int = 6
) -> Fit:
    """Fit a profile to every stretch by damped least squares; outliers are left out.

    Parameters
    ----------
    shape : callable
        `spot` or `rising_edge`.
    points : Points
        Pixels.
    start : ndarray, shape (stretches, parameters)
        First values.
    limits : pair of ndarray, shape (stretches, parameters)
        Bounds that no parameter leaves.
    rounds : int
        Gauss-Newton steps.
    """
    p, good = np.array(start, dtype=np.float64), points.good
    weight = 1 / points.variance
    for step in range(rounds):
        value, slope = shape(points.offset, p)
        residual = points.value - value
        if step == rounds // 2:
            noise = np.sqrt(points.variance + (_SHAPE_ERROR * value) ** 2)
            good = good & (np.abs(residual) < _OUTLIER_KAPPA * noise)
        used = np.where(good, weight, 0.0)
        normal, right = _normal_equations(slope, used, residual)
        p = np.clip(p + np.linalg.solve(_damped(normal), right[..., None])[..., 0], *limits)
    return _result(p, shape, points, good, normal)


def _normal_equations(slope: Array, weight: Array, residual: Array) -> tuple[Array, Array]:
    weighted = slope * weight[..., None]
    transposed = weighted.transpose(0, 2, 1)
    return transposed @ slope, (transposed @ residual[..., None])[..., 0]


def _damped(normal: Array) -> Array:
    """Diagonal raised a little, so that a parameter the data say nothing of stays put."""
    damped = normal.copy()
    diagonal = np.einsum("nkk->nk", damped)
    diagonal *= 1 + _DAMPING
    diagonal += np.where(diagonal > 0, 0.0, 1.0)
    return damped


def _result(p: Array, shape: Shape, points: Points, good: Mask, normal: Array) -> Fit:
    value, _ = shape(points.offset, p)
    freedom = good.sum(axis=1) - p.shape[1]
    chi2 = np.where(good, (points.value - value) ** 2 / points.variance, 0.0).sum(axis=1)
    lacking = freedom < 1
    chi2 = np.where(lacking, np.nan, chi2 / np.maximum(freedom, 1))
    variance = np.einsum("nkk->nk", np.linalg.inv(_damped(normal)))
    errors = np.sqrt(np.abs(variance) * np.maximum(np.nan_to_num(chi2), 1.0)[:, None])
    p[lacking], errors[lacking] = np.nan, np.nan
    return Fit(p, errors, chi2)


def _density(z: Array) -> Array:
    return _INV_SQRT_2PI * np.exp(-0.5 * z * z)
