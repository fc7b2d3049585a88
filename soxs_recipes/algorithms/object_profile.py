"""Shape of an object along the slit, in units of its width."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.algorithms.uniform_splines import SERIES, at_places, spline_basis

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
        What a pixel would collect of a shape of value 1, its signal, the variance of that; of
        pixels that are left out it is infinite.
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
    scales = _SCALES[:, None]
    for beta in _BETAS:
        shape = moffat(beta)
        model = shape(x / scales) / scales
        level = np.sum(weight * model * mean, axis=1) / np.sum(weight * model**2, axis=1)
        misfits = np.sum(weight * (mean - level[:, None] * model) ** 2, axis=1)
        misfits += ((1 / beta - _USUAL_INVERSE_BETA) / _BETA_SPREAD) ** 2
        k = int(np.argmin(misfits))
        best = min(best, (float(misfits[k]), shape, float(_SCALES[k])), key=lambda item: item[0])
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
    normal, right = _spline_sums(samples, start)
    prior = 1 / (deviation * start.table.max()) ** 2
    coef = np.linalg.solve(normal + prior * np.eye(len(right)), right)
    # The outermost splines are left out, so that the shape meets the wings without a step.
    coef[[0, 1, 2, -3, -2, -1]] = 0.0
    near = np.abs(GRID) < _MEASURED
    first, basis = spline_basis((GRID[near] + _MEASURED) / _KNOT)
    table = start.table.copy()
    table[near] += sum(part * coef[first + i] for i, part in enumerate(basis))
    return _normalised(np.maximum(table, 0.0))


def _spline_sums(samples: ProfileSamples, start: ProfileShape) -> tuple[Array, Array]:
    """Normal equations for splines that are added to a shape.

    Between two knots splines are polynomials: sums of powers of the place make those of splines.
    """
    pieces = round(2 * _MEASURED / _KNOT)
    place = (samples.x + _MEASURED) / _KNOT
    first = np.clip(place, 0, pieces - 1).astype(np.intp)
    offset = place - first - 0.5
    inverse = samples.response / samples.variance * (np.abs(samples.x) < _MEASURED)
    weight = inverse * samples.response
    excess = inverse * samples.value - weight * start(samples.x)
    normal, right = np.zeros((pieces + 3, pieces + 3)), np.zeros(pieces + 3)
    moments = _moments(first, offset, weight, 2 * len(SERIES) - 1, pieces)
    row = np.arange(pieces)
    for i, sums in enumerate(SERIES @ _moments(first, offset, excess, len(SERIES), pieces)):
        right[row + i] += sums
        for j, other in enumerate(SERIES):
            normal[row + i, row + j] += np.convolve(SERIES[i], other) @ moments
    return normal, right


def _moments(first: NDArray, offset: Array, values: Array, number: int, count: int) -> Array:
    """Sums of values times powers of the offset in every piece."""
    moments = np.empty((number, count))
    for power in range(number):
        moments[power] = np.bincount(first, values, count)
        values = values * offset
    return moments


def _looked_up(table: Array, x: NDArray) -> Array:
    return at_places(table, (x - GRID[0]) / _STEP)


def _normalised(table: Array) -> ProfileShape:
    return ProfileShape(table / (table.sum() * _STEP))


def _averaged(samples: ProfileSamples, step: float, reach: float) -> tuple[Array, Array, Array]:
    """Steps of x: their middles, the mean of value over response, and its inverse variance."""
    count = round(2 * reach / step)
    place = np.clip((samples.x + reach) / step, 0, count - 1).astype(np.intp)
    inverse = samples.response / samples.variance * (np.abs(samples.x) < reach)
    weight = np.bincount(place, inverse * samples.response, count)
    total = np.bincount(place, inverse * samples.value, count)
    seen = weight > 0
    middle = (np.arange(count) + 0.5) * step - reach
    return middle[seen], total[seen] / weight[seen], weight[seen]
