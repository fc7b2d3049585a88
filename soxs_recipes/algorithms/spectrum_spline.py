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
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve_banded, cholesky_banded
from scipy.ndimage import minimum_filter1d, uniform_filter1d

from soxs_recipes.algorithms.binned_pixels import BinnedPixels
from soxs_recipes.algorithms.order_spectra import COVARIANCE_BINS
from soxs_recipes.algorithms.uniform_splines import AT_KNOT, SERIES

Array = NDArray[np.float64]

PENALTY = 1e-4
"""Weight of the penalty relative to the information in a bin."""

_TAPS = len(SERIES)
# Products of a spline and one so many bins later as series of the distance from the middle.
_PRODUCTS = {
    (k, distance): np.convolve(SERIES[k], SERIES[k + distance])
    for k in range(_TAPS)
    for distance in range(_TAPS - k)
}
_POWERS = 2 * _TAPS - 1
_DIFFERENCE = np.array([1.0, -4.0, 6.0, -4.0, 1.0])
# Information is never taken as less than this part of its mean over so many bins around.
_LEAST_SHARE, _SHARE_BINS = 1e-3, 101
_TINY = 1e-9
# Bins beyond which two bins are independent.
_REACH = 20


@dataclass(frozen=True)
class SplineDesign:
    """The B-splines that are not zero at each of some pixels.

    Planes are arranged as in `BinnedPixels`: between two bins splines are polynomials, the same for
    all slots.

    Attributes
    ----------
    pixels : BinnedPixels
        The pixels between the first and the last bin; others say nothing.
    """

    pixels: BinnedPixels

    @classmethod
    def of(cls, place: NDArray, count: int) -> SplineDesign:
        """Splines at places along dispersion, in bins."""
        return cls(BinnedPixels.of(place, count))

    @property
    def count(self) -> int:
        """Number of bins; the centre of the first bin is at 0."""
        return self.pixels.share.shape[1]

    @cached_property
    def offset(self) -> Array:
        """Distance of the pixels from the middle between two bins."""
        return self.pixels.share - 0.5

    def at(self, coef: Array) -> Array:
        """Value of a spline at the pixels."""
        last = self.count - 1
        near = [np.append(coef[k : k + last], 0.0) for k in range(_TAPS)]
        *terms, highest = (SERIES.T @ near)[:, None]
        value = highest * self.offset
        for term in terms[:0:-1]:
            value += term
            value *= self.offset
        value += terms[0]
        return value

    def normal(self, information: Array) -> Array:
        """Products of splines summed over pixels: lower banded form, shape (4, bins + 2)."""
        # Products of splines are polynomials of the place: fewer powers of it than products.
        moments = self._moments(information, _POWERS)
        normal = np.zeros((_TAPS, self.count + 2))
        for (k, distance), product in _PRODUCTS.items():
            sums = product @ moments
            normal[distance, k : k + self.count] += sums[: self.count + 2 - k]
        return normal

    def project(self, values: Array) -> Array:
        """Splines times values summed over pixels, shape (bins + 2,)."""
        sums = SERIES @ self._moments(values, _TAPS)
        right = np.zeros(self.count + 2)
        for k, one in enumerate(sums):
            right[k : k + self.count] += one[: self.count + 2 - k]
        return right

    def _moments(self, values: Array, number: int) -> Array:
        """Sums over the pixels between two bins of values times powers of the offset."""
        moments = np.empty((number, self.count))
        np.add.reduce(values, axis=0, out=moments[0])
        product = values * self.offset
        for power in range(1, number):
            np.add.reduce(product, axis=0, out=moments[power])
            product *= self.offset
        return moments


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
    def has_errors(self) -> bool:
        """Whether the variance was computed."""
        return not np.isnan(self.covariance_factor)

    @property
    def flux(self) -> Array:
        """Value at the bins."""
        return AT_KNOT[0] * (self.coef[:-2] + self.coef[2:]) + AT_KNOT[1] * self.coef[1:-1]


@dataclass(frozen=True)
class SplineEquations:
    """Normal equations of a spectrum, for any signal of the pixels.

    Attributes
    ----------
    design : SplineDesign
        The splines at the pixels.
    weighted : ndarray
        Response of the pixels times their weight.
    normal : ndarray
        Normal matrix, in lower banded form.
    """

    design: SplineDesign
    weighted: Array
    normal: Array

    @classmethod
    def of(cls, design: SplineDesign, response: Array, weight: Array) -> SplineEquations:
        """Equations of pixels, whose arrays are arranged as the design's.

        Parameters
        ----------
        design : SplineDesign
            Places of the pixels.
        response : ndarray
            What a pixel collects of a spectrum of value 1.
        weight : ndarray
            Weight in the fit; 0 leaves a pixel out. Slots that hold none have 0.
        """
        weighted = weight * response
        return cls(design, weighted, design.normal(weighted * response))

    @cached_property
    def matrix(self) -> Array:
        """Normal matrix with the penalty."""
        return normal_with_penalty(self.normal, PENALTY)

    @cached_property
    def factor(self) -> Array:
        """Cholesky factor of the matrix."""
        return cholesky_banded(self.matrix, lower=True, check_finite=False)

    def spectrum(self, value: Array) -> SplineSpectrum:
        """Spectrum of a signal, its errors NaN."""
        right = self.design.project(self.weighted * value)
        coef = cho_solve_banded((self.factor, True), right, check_finite=False)
        return SplineSpectrum(coef, np.full(self.design.count, np.nan), np.nan)

    def with_errors(
        self, spectrum: SplineSpectrum, variance: Array | None = None
    ) -> SplineSpectrum:
        """Spectrum with errors, from the variance of the signal or, without it, from the weight."""
        noise = self.normal
        if variance is not None:
            noise = self.design.normal(self.weighted**2 * variance)
        return SplineSpectrum(spectrum.coef, *_errors(self.factor, noise, self.design.count))


def normal_with_penalty(normal: Array, strength: float) -> Array:
    """Add the penalty on fourth differences to a normal matrix in lower banded form."""
    information = normal[0] / np.mean(np.square(AT_KNOT)) / 3
    floor = _LEAST_SHARE * uniform_filter1d(information, _SHARE_BINS, mode="nearest")
    local = np.maximum(minimum_filter1d(information, len(_DIFFERENCE)), floor)
    # Where there is no pixel at all the spectrum is to be 0 and not undefined.
    least = _TINY * (information.max() or 1.0)
    local = np.maximum(local, least)[2:-2] * strength
    matrix = np.zeros((len(_DIFFERENCE), normal.shape[1]))
    matrix[:_TAPS] = normal
    matrix[0] += least
    for distance in range(len(_DIFFERENCE)):
        for k in range(len(_DIFFERENCE) - distance):
            product = _DIFFERENCE[k] * _DIFFERENCE[k + distance]
            matrix[distance, k : k + len(local)] += product * local
    return matrix


def _errors(factor: Array, noise: Array, count: int) -> tuple[Array, float]:
    """Variance of every bin and the covariance factor.

    Bins far apart are independent, so that the inverse of the matrix is asked for many of them
    at once.
    """
    variance = _functional_variance(factor, noise, count, 1)
    sums = _functional_variance(factor, noise, count, COVARIANCE_BINS)
    groups = count // COVARIANCE_BINS
    apart = variance[: groups * COVARIANCE_BINS].reshape(groups, -1).sum(axis=1)
    known = np.isfinite(apart) & (apart > 0) if groups else np.zeros(0, bool)
    if not known.any():
        return variance, 1.0
    return variance, float(np.median(sums[:groups][known] / apart[known]))


def _functional_variance(factor: Array, noise: Array, count: int, width: int) -> Array:
    """Variance of the sums of each `width` neighbouring bins."""
    sums = -(-count // width)
    step = -(-(2 * _REACH + width) // width)
    group, place = np.arange(sums) % step, np.arange(sums) * width
    right = np.zeros((count + 2, min(step, sums)), order="F")
    for bin_ in range(width):
        here = place + bin_
        inside = here < count
        for k, value in enumerate(AT_KNOT):
            right[here[inside] + k, group[inside]] += value
    solved = cho_solve_banded((factor, True), right, check_finite=False)
    product = np.cumsum(solved * banded_product(noise, solved), axis=0)
    product = np.concatenate([np.zeros((1, right.shape[1])), product])
    low = np.clip(place + 1 - _REACH, 0, count + 2)
    high = np.clip(place + width + 1 + _REACH, 0, count + 2)
    return product[high, group] - product[low, group]


def banded_product(band: Array, columns: Array) -> Array:
    """Symmetric matrix, in lower banded form, times columns."""
    result = band[0][:, None] * columns
    for distance in range(1, len(band)):
        part = band[distance, :-distance, None]
        result[distance:] += part * columns[:-distance]
        result[:-distance] += part * columns[distance:]
    return result
