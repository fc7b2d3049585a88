"""Shape of an object along the slit, in units of its width."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.algorithms.uniform_splines import at_places, spline_basis

Array = NDArray[np.float64]

_REACH, _STEP = 14.0, 0.01
# Widths on either side within which the measured shape replaces the Moffat function.
_MEASURED, _KNOT = 3.0, 0.25
_BETAS = np.array([1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0, 10.0])
_SCALES = np.linspace(0.85, 1.15, 13)
# Inverse exponent that seeing has a priori, and its SD (Trujillo et al. 2001, MNRAS 328, 977).
_USUAL_INVERSE_BETA, _BETA_SPREAD = 1 / 3, 0.07
# What the measured shape may differ from the Moffat function, relative to its peak, a priori.
DEVIATION = 0.01


@dataclass(frozen=True)
class ProfileShape:
    """Unit-integral profile of an object whose FWHM is 1.

    Attributes
    ----------
    table : ndarray
        Values on `grid`.
    """

    table: Array

    def __call__(self, x: NDArray) -> Array:
        """Value at distances from the centre, in FWHM."""
        return _looked_up(self.table, x)

    def slope(self, x: NDArray) -> Array:
        """Derivative at distances from the centre."""
        return _looked_up(np.gradient(self.table, _STEP), x)

    def share(self, low: NDArray, high: NDArray) -> Array:
        """Share of the light between two distances from the centre."""
        total = np.concatenate([[0.0], np.cumsum(self.table) * _STEP])
        edges = np.append(GRID - _STEP / 2, GRID[-1] + _STEP / 2)
        return np.interp(high, edges, total) - np.interp(low, edges, total)


GRID = np.arange(-round(_REACH / _STEP), round(_REACH / _STEP) + 1) * _STEP
"""Distances from the centre at which shapes are tabulated, in FWHM."""


@dataclass(frozen=True)
class ProfileSamples:
    """Pixels that see an object: value = response * shape(x) + noise.

    Attributes
    ----------
    x : ndarray
        Distance from the centre, in FWHM.
    response, value, variance : ndarray
        What a pixel would collect of a shape of value 1, its signal, the variance of that.
    """

    x: Array
    response: Array
    value: Array
    variance: Array


def moffat(beta: float) -> ProfileShape:
    """Moffat function (Moffat 1969, A&A 3, 455) of FWHM 1 and unit integral."""
    alpha = 0.5 / np.sqrt(2 ** (1 / beta) - 1)
    return _normalised((1 + (GRID / alpha) ** 2) ** -beta)


def fit_moffat(samples: ProfileSamples) -> tuple[ProfileShape, float]:
    """Best Moffat function, and the factor by which the assumed FWHM is to be multiplied.

    The data are averaged in steps of x; exponents and widths are tried in turn.
    """
    x, mean, weight = _averaged(samples, 0.1, _MEASURED)
    best = (np.inf, moffat(3.0), 1.0)
    for beta in _BETAS:
        shape = moffat(beta)
        for scale in _SCALES:
            model = shape(x / scale) / scale
            level = np.sum(weight * model * mean) / np.sum(weight * model**2)
            misfit = float(np.sum(weight * (mean - level * model) ** 2))
            misfit += ((1 / beta - _USUAL_INVERSE_BETA) / _BETA_SPREAD) ** 2
            best = min(best, (misfit, shape, float(scale)), key=lambda item: item[0])
    return best[1], best[2]


def fit_shape(
    samples: ProfileSamples, start: ProfileShape, deviation: float = DEVIATION
) -> ProfileShape:
    """Shape measured as a cubic spline, drawn towards a given one where data are poor.

    Parameters
    ----------
    samples : ProfileSamples
        The pixels.
    start : ProfileShape
        What the shape is expected to be; it is kept in the far wings.
    deviation : float
        Expected deviation from it, relative to the peak.
    """
    count = round(2 * _MEASURED / _KNOT) + 3
    inside = np.abs(samples.x) < _MEASURED
    x, response = samples.x[inside], samples.response[inside]
    weight = response**2 / samples.variance[inside]
    excess = samples.value[inside] * response / samples.variance[inside] - weight * start(x)
    first, basis = spline_basis((x + _MEASURED) / _KNOT)
    normal, right = np.zeros((count, count)), np.zeros(count)
    for i, left in enumerate(basis):
        right += np.bincount(first + i, excess * left, count)
        for j, other in enumerate(basis):
            sums = np.bincount(first, weight * left * other, count - 3)
            normal[np.arange(count - 3) + i, np.arange(count - 3) + j] += sums
    prior = 1 / (deviation * start.table.max()) ** 2
    coef = np.linalg.solve(normal + prior * np.eye(count), right)
    # The outermost splines are left out, so that the shape meets the wings without a step.
    coef[[0, 1, 2, -3, -2, -1]] = 0.0
    near = np.abs(GRID) < _MEASURED
    first, basis = spline_basis((GRID[near] + _MEASURED) / _KNOT)
    table = start.table.copy()
    table[near] += sum(part * coef[first + i] for i, part in enumerate(basis))
    return _normalised(np.maximum(table, 0.0))


def _looked_up(table: Array, x: NDArray) -> Array:
    return at_places(table, (x - GRID[0]) / _STEP)


def _normalised(table: Array) -> ProfileShape:
    return ProfileShape(table / (table.sum() * _STEP))


def _averaged(samples: ProfileSamples, step: float, reach: float) -> tuple[Array, Array, Array]:
    """Steps of x: their middles, the mean of value over response, and its inverse variance."""
    count = round(2 * reach / step)
    place = np.floor((samples.x + reach) / step).astype(int)
    inside = (place >= 0) & (place < count)
    place, response = place[inside], samples.response[inside]
    variance = samples.variance[inside]
    weight = np.bincount(place, response**2 / variance, count)
    total = np.bincount(place, response * samples.value[inside] / variance, count)
    seen = weight > 0
    middle = (np.arange(count) + 0.5) * step - reach
    return middle[seen], total[seen] / weight[seen], weight[seen]
