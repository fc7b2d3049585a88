"""Spectra of an object and of the light beside it, fitted together to the pixels of one order.

Every pixel sees the object's spectrum times its profile plus that of each neighbour, of the galaxy
around it, and a straight line along the slit that the subtraction of the sky left. All are splines
with a knot per bin. Those beside the object are drawn to straight lines by a penalty on second
differences (Eilers & Marx 1996, Statistical Science 11, 89), weaker the brighter they are and where
they have lines, so that they cost no more of the object's signal-to-noise ratio than they must.
What they do cost is in its variance and covariance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve_banded, cholesky_banded
from scipy.ndimage import maximum_filter1d, uniform_filter1d

from soxs_recipes.algorithms.extraction import LightBeside, ObjectPixels, OrderFit, outliers
from soxs_recipes.algorithms.order_spectra import COVARIANCE_BINS
from soxs_recipes.algorithms.spectrum_spline import (
    PENALTY,
    SplineSpectrum,
    normal_with_penalty,
)
from soxs_recipes.algorithms.uniform_splines import AT_KNOT

Array = NDArray[np.float64]

_DIFFERENCE, _STEP = np.array([1.0, -2.0, 1.0]), np.array([-1.0, 1.0])
# Where no pixel tells, light stays as it is rather than going on along a straight line, which would
# be known so badly that rounding errors decide: share of the penalty on steps.
_STEADY = 1e-3
# Length over which light beside the object is smooth, in bins: shortest, longest, and that of what
# the sky left.
_SHORTEST, _LONGEST, _SKY_LENGTH = 0.7, 60.0, 120.0
# Its spectrum is smoothed to this signal-to-noise ratio; a kernel of length 1 averages so many.
_SNR, _KERNEL = 20.0, 3.5
# Lines stand out of the smooth spectrum by so many SDs; they are so wide.
_LINE_SIGMA, _LINE_BINS = 4.0, 5
_ROUNDS = 3
# Variances are computed at so many bins of an order.
_SAMPLES = 40
_SMOOTH_BINS = 101
# Bins with less than this share of the most information do not tell what is usual.
_LIT_SHARE = 1e-3
# Sum of squares of the splines at a place, averaged over places.
_SQUARES = 0.48


def separate(
    near: ObjectPixels,
    terms: Sequence[NDArray],
    photon_factor: float,
    kappa: float,
    errors: bool = True,
) -> OrderFit:
    """Separate the light of an object from that beside it.

    Parameters
    ----------
    near : ObjectPixels
        Pixels of the whole slit; their variance is that of the sky.
    terms : sequence of ndarray
        What the pixels collect of each other source, in the end of an even and of a sloped light
        along the slit.
    photon_factor : float
        Variance of the photon noise per electron.
    kappa : float
        Pixels that differ from the sum by more SDs are left out.
    errors : bool
        Whether it is needed what the separation costs; else that is 1.

    Returns
    -------
    OrderFit
        Of the object, its pixels free of the light beside it.
    """
    planes = [near.response, *terms]
    variance, keep = near.variance, near.usable & ~near.suspect
    lengths = [np.full(near.pixels.count + 2, _SHORTEST) for _ in terms[:-2]]
    for turn in range(_ROUNDS):
        fit = _joint_fit(near, planes, np.where(keep, 1 / variance, 0.0), lengths)
        levels = fit.levels()
        light = [plane * level for plane, level in zip(planes, levels, strict=True)]
        model = sum(light)
        variance = near.variance + photon_factor * np.maximum(model, 0)
        keep = near.usable & ~outliers(near, model, variance, kappa)
        if turn < _ROUNDS - 1:
            lengths = [fit.length(k) for k in range(1, len(terms) - 1)]
    beside = model - light[0]
    clean = replace(near, value=near.value - beside)
    own = clean.fit(variance, keep, errors=errors)
    costs = fit.costs(own, lengths) if errors else (np.ones(near.pixels.count), 1.0)
    return OrderFit(clean, own, variance, keep, LightBeside(beside, *costs))


@dataclass(frozen=True)
class _Joint:
    """Spectra of several sources: coefficients of shape (bins + 2, sources).

    Attributes
    ----------
    near : ObjectPixels
        The pixels.
    information : ndarray, shape (bins + 2, sources)
        Diagonal of the normal matrix.
    penalties : sequence of ndarray
        Penalty of each source, in lower banded form.
    factor : ndarray
        Cholesky factor of the normal matrix with penalties in lower banded form, the coefficients
        of all sources at one bin side by side.
    coef : ndarray
        The coefficients.
    """

    near: ObjectPixels
    information: Array
    penalties: Sequence[Array]
    factor: Array
    coef: Array

    @property
    def number(self) -> int:
        """Number of sources."""
        return self.coef.shape[1]

    def levels(self) -> list[NDArray]:
        """Spectrum of each source at the pixels."""
        return [self.near.design.at(self.coef[:, k]) for k in range(self.number)]

    def length(self, k: int) -> Array:
        """Bins over which a source is smooth: fewer the brighter it is, and where it has lines."""
        information = self.information[:, k] / _SQUARES
        # Running sums do not forget values that are larger by many orders of magnitude.
        information = np.maximum(information, _LIT_SHARE**2 * information.max() + 1e-30)
        coef, many = self.coef[:, k], _SMOOTH_BINS
        mean = uniform_filter1d(coef * information, many, mode="nearest")
        mean /= uniform_filter1d(information, many, mode="nearest")
        snr = float(np.median(np.abs(mean) * np.sqrt(information)))
        usual = np.clip((_SNR / max(snr, 1e-3)) ** 2 / _KERNEL, _SHORTEST, _LONGEST)
        error = np.sqrt(uniform_filter1d(1 / information, _LINE_BINS) / _LINE_BINS)
        stands_out = np.abs(uniform_filter1d(coef - mean, _LINE_BINS)) > _LINE_SIGMA * error
        return np.where(maximum_filter1d(stands_out, 2 * _LINE_BINS + 1), _SHORTEST, usual)

    def costs(self, own: SplineSpectrum, lengths: Sequence[Array]) -> tuple[Array, float]:
        """Variance of the first source over that with all others known: bins, sums of 20."""
        count = len(own.variance)
        bins = np.unique(np.linspace(5, count - 6, _SAMPLES).astype(int))
        cost = _ratio(self._variance(bins, 1), own.variance[bins])
        everywhere = np.interp(np.arange(count), bins, np.maximum(cost, 1.0))
        for length in lengths:
            sharp = length[1:-1] < length.max()
            first = np.flatnonzero(np.diff(sharp.astype(int), prepend=0) == 1)[:_SAMPLES]
            middle = np.clip(first + _LINE_BINS, 0, count - 1)
            if middle.size:
                at_lines = _ratio(self._variance(middle, 1), own.variance[middle])
                here = np.flatnonzero(sharp)
                nearest = np.abs(here[:, None] - middle).argmin(axis=1)
                everywhere[here] = np.maximum(everywhere[here], at_lines[nearest])
        starts = bins[(bins > 20) & (bins + COVARIANCE_BINS + 20 < count)]
        if not starts.size or not np.isfinite(own.covariance_factor):
            return everywhere, 1.0
        total = np.cumsum(np.concatenate([[0.0], own.variance * everywhere]))
        apart = total[starts + COVARIANCE_BINS] - total[starts]
        factor = float(np.median(_ratio(self._variance(starts, COVARIANCE_BINS), apart)))
        return everywhere, factor / own.covariance_factor

    def _variance(self, first: NDArray, width: int) -> Array:
        """Variance of sums of so many bins of the first source.

        The normal matrix is that of the equations less the penalties, which have fewer bands.
        """
        right = np.zeros((len(first), *self.coef.shape))
        for bin_ in range(width):
            for k, value in enumerate(AT_KNOT):
                right[np.arange(len(first)), first + bin_ + k, 0] += value
        flat = right.reshape(len(first), -1).T
        solved = cho_solve_banded((self.factor, True), flat, check_finite=False)
        variance = np.einsum("ik,ik->k", flat, solved)
        sources = np.ascontiguousarray(solved.T.reshape(right.shape).transpose(2, 0, 1))
        for penalty, source in zip(self.penalties, sources, strict=True):
            variance -= _quadratic_form(penalty, source)
        return variance


def _quadratic_form(band: Array, rows: Array) -> Array:
    """Product of each row, a symmetric matrix in lower banded form, and the row again."""
    form = np.einsum("i,ki,ki->k", band[0], rows, rows)
    for distance in range(1, len(band)):
        pairs = rows[:, distance:], rows[:, :-distance]
        form += 2 * np.einsum("i,ki,ki->k", band[distance, :-distance], *pairs)
    return form


def _ratio(variance: Array, own: Array) -> Array:
    """Variances over those of the source alone; 1 where that is not known."""
    return np.divide(variance, own, out=np.ones_like(variance), where=own > 0)


def _joint_fit(
    near: ObjectPixels, planes: list[NDArray], weight: NDArray, lengths: Sequence[Array]
) -> _Joint:
    """Weighted least squares for the spectra of all sources."""
    design, number = near.design, len(planes)
    size = near.pixels.count + 2
    matrix, right = np.zeros((4 * number + 1, size * number)), np.empty((size, number))
    penalties = []
    lengths = [*lengths, *[np.full(size, _SKY_LENGTH)] * 2]
    for k, one in enumerate(planes):
        weighted = weight * one
        right[:, k] = design.project(weighted * near.value)
        for m, other in enumerate(planes[: k + 1]):
            band = design.normal(weighted * other)
            _insert(matrix, band, (k, m), number)
        penalties.append(_penalty(band, lengths[k - 1]) if k else _weak_penalty(band))
    information = matrix[0].reshape(size, number).copy()
    for k, band in enumerate(penalties):
        _insert(matrix, band, (k, k), number)
    factor = cholesky_banded(matrix, overwrite_ab=True, lower=True, check_finite=False)
    coef = cho_solve_banded((factor, True), right.ravel(), check_finite=False)
    return _Joint(near, information, penalties, factor, coef.reshape(size, number))


def _insert(matrix: Array, band: Array, pair: tuple[int, int], number: int) -> None:
    """Add the products of two sources' splines to the matrix of all."""
    one, other = pair
    for distance, values in enumerate(band):
        matrix[distance * number + one - other, other::number] += values
        if distance and one != other:
            matrix[distance * number + other - one, one::number] += values


def _weak_penalty(band: Array) -> Array:
    """Penalty of the spectrum of an object, without the matrix."""
    penalty = normal_with_penalty(band, PENALTY)
    penalty[: len(band)] -= band
    return penalty


def _penalty(band: Array, length: Array) -> Array:
    """Penalty on second differences that smooths over a length that may change along the order."""
    lit = band[0] > _LIT_SHARE * band[0].max()
    information = np.median(band[0][lit]) / _SQUARES if lit.any() else 1e-12
    penalty = np.zeros((len(_DIFFERENCE), len(length)))
    _add_differences(penalty, _DIFFERENCE, information * np.minimum(length[:-2], length[2:]) ** 4)
    steady = _STEADY * information * np.minimum(length[:-1], length[1:]) ** 2
    _add_differences(penalty, _STEP, steady)
    penalty[0] += 1e-9 * information
    return penalty


def _add_differences(penalty: Array, difference: Array, strength: Array) -> None:
    """Add the squares of differences of neighbours to a penalty in lower banded form."""
    for distance in range(len(difference)):
        for k in range(len(difference) - distance):
            product = difference[k] * difference[k + distance]
            penalty[distance, k : k + len(strength)] += product * strength
