"""A spectrum as a cubic spline with one knot per detector pixel, fitted to pixels as they are.

Each pixel sees the spectrum at its own place along dispersion, times what the profile along the
slit gives it. The spline that fits all pixels best in the weighted least-squares sense is the
optimal extraction (Horne 1986) for lines of any tilt: with all pixels of a bin at one place it is
Horne's sum of profile times data over variance. Where all pixels near a bin lie half way between
knots they say nothing on the highest frequencies that knots can express; a weak penalty on fourth
differences (Eilers & Marx 1996, Statistical Science 11, 89) keeps these finite and leaves
frequencies below 0.3 per pixel, which is all that a spectrograph passes, unchanged to 2 %.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solveh_banded
from scipy.ndimage import minimum_filter1d, uniform_filter1d

from soxs_recipes.algorithms.order_spectra import COVARIANCE_BINS
from soxs_recipes.algorithms.uniform_splines import AT_KNOT, spline_basis

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

PENALTY = 1e-4
"""Weight of the penalty relative to the information in a bin."""

_TAPS = 4
_DIFFERENCE = np.array([1.0, -4.0, 6.0, -4.0, 1.0])
# Information is never taken as less than this part of its mean over so many bins around.
_LEAST_SHARE, _SHARE_BINS = 1e-3, 101
# Bins beyond which two bins are independent.
_REACH = 20


@dataclass(frozen=True)
class Samples:
    """Pixels that see a spectrum; arrays of shape (pixels,).

    Attributes
    ----------
    place : ndarray
        Place along dispersion, in bins: the centre of the first bin is 0.
    response : ndarray
        What a pixel collects of the spectrum at its place.
    value, variance : ndarray
        Its signal and the variance of that.
    weight : ndarray, optional
        Weight in the fit; the inverse variance unless given.
    """

    place: Array
    response: Array
    value: Array
    variance: Array
    weight: Array | None = None

    def taken(self, keep: Mask) -> Samples:
        """Return some of the pixels."""
        weight = None if self.weight is None else self.weight[keep]
        parts = (self.place, self.response, self.value, self.variance)
        return Samples(*(part[keep] for part in parts), weight)


@dataclass(frozen=True)
class SplineSpectrum:
    """The fitted spectrum.

    Attributes
    ----------
    coef : ndarray, shape (bins + 2,)
        Coefficients of the B-splines, the first one centred a bin before the first bin.
    variance : ndarray, shape (bins,)
        Variance of `flux`.
    covariance_factor : float
        Variance of sums of 20 bins over the sum of their variances.
    """

    coef: Array
    variance: Array
    covariance_factor: float

    @property
    def flux(self) -> Array:
        """Value at the bins."""
        return _at_knots(self.coef)

    def at(self, place: Array) -> Array:
        """Value at any place; beyond the ends that of the end."""
        inside = np.clip(np.asarray(place, dtype=float), 0, len(self.coef) - 3 - 1e-9)
        first, basis = spline_basis(inside)
        return sum(part * self.coef[first + k] for k, part in enumerate(basis))


def fit_spectrum(samples: Samples, count: int, errors: bool = True) -> SplineSpectrum:
    """Fit a spectrum of `count` bins to pixels.

    Parameters
    ----------
    samples : Samples
        The usable pixels; those outside the bins are not used.
    count : int
        Number of bins.
    errors : bool
        Whether variances are needed; else they are NaN.
    """
    samples = samples.taken((samples.place >= 0) & (samples.place < count - 1))
    weight = 1 / samples.variance if samples.weight is None else samples.weight
    first, basis = spline_basis(samples.place)
    information = weight * samples.response**2
    normal = _normal(first, basis, information, count)
    right = _project(first, basis, weight * samples.response * samples.value, count)
    matrix = normal_with_penalty(normal, PENALTY)
    coef = solveh_banded(matrix, right, lower=True, check_finite=False)
    if not errors:
        return SplineSpectrum(coef, np.full(count, np.nan), np.nan)
    noise = normal
    if samples.weight is not None:
        noise = _normal(first, basis, information * weight * samples.variance, count)
    variance, factor = _errors(matrix, noise, count)
    return SplineSpectrum(coef, variance, factor)


def normal_with_penalty(normal: Array, strength: float) -> Array:
    """Add the penalty on fourth differences to a normal matrix in lower banded form."""
    information = normal[0] / np.mean(np.square(AT_KNOT)) / 3
    floor = _LEAST_SHARE * uniform_filter1d(information, _SHARE_BINS, mode="nearest")
    local = np.maximum(minimum_filter1d(information, len(_DIFFERENCE)), floor)
    local = np.maximum(local, 1e-12 * local.max(initial=1e-300))[2:-2] * strength
    matrix = np.zeros((len(_DIFFERENCE), normal.shape[1]))
    matrix[:_TAPS] = normal
    for distance in range(len(_DIFFERENCE)):
        for k in range(len(_DIFFERENCE) - distance):
            product = _DIFFERENCE[k] * _DIFFERENCE[k + distance]
            matrix[distance, k : k + len(local)] += product * local
    return matrix


def _normal(
    first: NDArray[np.int_], basis: tuple[Array, ...], information: Array, count: int
) -> Array:
    """Products of B-splines summed over pixels: lower banded form, shape (4, bins + 2)."""
    normal = np.zeros((_TAPS, count + 2))
    for k, left in enumerate(basis):
        weighted = information * left
        for distance in range(_TAPS - k):
            sums = np.bincount(first, weighted * basis[k + distance], count)
            normal[distance, k : k + count] += sums[: count + 2 - k]
    return normal


def _project(first: NDArray[np.int_], basis: tuple[Array, ...], values: Array, count: int) -> Array:
    right = np.zeros(count + 2)
    for k, part in enumerate(basis):
        right[k : k + count] += np.bincount(first, values * part, count)[: count + 2 - k]
    return right


def _at_knots(coef: Array) -> Array:
    """Values at the bins, along the first axis."""
    return AT_KNOT[0] * (coef[:-2] + coef[2:]) + AT_KNOT[1] * coef[1:-1]


def _errors(matrix: Array, noise: Array, count: int) -> tuple[Array, float]:
    """Variance of every bin and the covariance factor.

    Bins far apart are independent, so that the inverse of the matrix is asked for many of them
    at once.
    """
    variance = _functional_variance(matrix, noise, count, 1)
    sums = _functional_variance(matrix, noise, count, COVARIANCE_BINS)
    groups = count // COVARIANCE_BINS
    apart = variance[: groups * COVARIANCE_BINS].reshape(groups, -1).sum(axis=1)
    known = np.isfinite(apart) & (apart > 0) if groups else np.zeros(0, bool)
    if not known.any():
        return variance, 1.0
    return variance, float(np.median(sums[:groups][known] / apart[known]))


def _functional_variance(matrix: Array, noise: Array, count: int, width: int) -> Array:
    """Variance of the sums of each `width` neighbouring bins."""
    sums = -(-count // width)
    step = -(-(2 * _REACH + width) // width)
    group, place = np.arange(sums) % step, np.arange(sums) * width
    right = np.zeros((count + 2, min(step, sums)))
    for bin_ in range(width):
        here = place + bin_
        inside = here < count
        for k, value in enumerate(AT_KNOT):
            right[here[inside] + k, group[inside]] += value
    solved = solveh_banded(matrix, right, lower=True, check_finite=False)
    product = np.cumsum(solved * _banded_product(noise, solved), axis=0)
    product = np.concatenate([np.zeros((1, right.shape[1])), product])
    low = np.clip(place + 1 - _REACH, 0, count + 2)
    high = np.clip(place + width + 1 + _REACH, 0, count + 2)
    return product[high, group] - product[low, group]


def _banded_product(band: Array, columns: Array) -> Array:
    """Symmetric banded matrix times columns."""
    result = band[0][:, None] * columns
    for distance in range(1, len(band)):
        part = band[distance, :-distance, None]
        result[distance:] += part * columns[:-distance]
        result[:-distance] += part * columns[distance:]
    return result
