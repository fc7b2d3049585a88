"""Linearity of a detector: the correction of its response and the levels up to which it holds."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

Image = NDArray[np.float32]

# Error of the zero level of an exposure, and what is left of its pattern from class to class.
_ZERO_ADU, _FLOOR_ADU = 0.5, 0.1
# Relative error of a mean signal that nothing makes smaller.
_FLOOR = 2e-5


@dataclass(frozen=True)
class Linearity:
    """Correction of the response and the levels that matter, in ADU above the zero level.

    A signal m becomes ``m (1 + c1 m + c2 m^2 + ...)``; NIR signals are those of one DIT.

    Parameters
    ----------
    coefficients : tuple of float
        c1, c2, ... in ADU^-1, ADU^-2, ...; empty for a response taken as linear.
    limit_adu : float
        Linearity limit: where the uncorrected response departs by 1 %.
    saturation_adu : float
        Level from which a pixel counts as full.
    valid_to_adu : float
        Highest level at which the correction was measured to hold.
    """

    coefficients: tuple[float, ...] = ()
    limit_adu: float = float("inf")
    saturation_adu: float = float("inf")
    valid_to_adu: float = float("inf")

    def correct(self, signal_adu: ArrayLike) -> Image:
        """Return the signal that a linear detector would have given."""
        signal = np.asarray(signal_adu, dtype=np.float32)
        if not self.coefficients:
            return signal
        factor = np.full_like(signal, self.coefficients[-1])
        for coefficient in reversed(self.coefficients[:-1]):
            factor *= signal
            factor += np.float32(coefficient)
        factor *= signal
        factor += np.float32(1)
        factor *= signal
        return factor


class LinearityError(ValueError):
    """The series does not hold enough levels of light for a linearity correction."""


@dataclass(frozen=True)
class Moments:
    """Mean signal of classes of pixels, each of one brightness, in exposures of rising length.

    Parameters
    ----------
    powers : ndarray, shape (exposures, classes, degree + 1)
        Means of m, m^2, ... less those without light, in ADU^k.
    error : ndarray, shape (exposures, classes)
        Standard error of the mean of m.
    level : ndarray, shape (exposures, classes)
        Mean signal with what is there without light; NaN where the class must not be used.
    exptime_s : ndarray, shape (exposures,)
        Exposure times.
    """

    powers: NDArray[np.float64]
    error: NDArray[np.float64]
    level: NDArray[np.float64]
    exptime_s: NDArray[np.float64]


@dataclass(frozen=True)
class LinearityFit:
    """A linearity correction and how well it holds.

    Parameters
    ----------
    linearity : Linearity
        The correction, its limit and the level up to which it was measured.
    errors : tuple of float
        Standard errors of the coefficients.
    limit_error_adu : float
        Standard error of the linearity limit; infinite where there is no limit.
    lamp : ndarray, shape (exposures,)
        Brightness of the lamp in each exposure relative to their mean.
    departure, residual : ndarray, shape (exposures, classes)
        Relative deviation from a linear response before and after the correction; NaN where a
        class was not used.
    """

    linearity: Linearity
    errors: tuple[float, ...]
    limit_error_adu: float
    lamp: NDArray[np.float64]
    departure: NDArray[np.float64]
    residual: NDArray[np.float64]


def brightness_classes(rate: NDArray[np.float32], faintest: float, number: int) -> NDArray:
    """Sort pixels into classes of equal logarithmic width in brightness.

    Parameters
    ----------
    rate : ndarray
        Signal of each pixel, any unit; NaN for pixels to leave out.
    faintest : float
        Brightness from which pixels are used.
    number : int
        Number of classes.

    Returns
    -------
    ndarray of int
        0 to number - 1; -1 for pixels that are not used.
    """
    used = rate > faintest
    brightest = np.log(np.quantile(rate[used], 0.9999)) if used.any() else np.log(faintest) + 1
    scale = number / max(brightest - np.log(faintest), 1e-6)
    with np.errstate(invalid="ignore", divide="ignore"):
        index = (np.log(rate) - np.log(faintest)) * scale
    index = np.where(used, index, -1).astype(np.int32)
    return np.where(index < number, index, -1)


def class_moments(
    signal: NDArray[np.float32],
    zero: NDArray[np.float32] | float,
    classes: NDArray,
    number: int,
    degree: int,
    noise_variance: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return one exposure's part of `Moments`: powers, error and level of each class.

    Parameters
    ----------
    signal, zero : ndarray
        Signal above the zero level with light and without, in ADU.
    classes : ndarray of int
        From `brightness_classes`; -1 leaves a pixel out.
    number, degree : int
        Classes, and coefficients of the correction.
    noise_variance : float
        Photon variance per ADU of the signal, for the error.
    """
    used = classes >= 0
    chosen = classes[used]
    count = np.maximum(np.bincount(chosen, minlength=number), 1)
    light = signal[used].astype(np.float64)
    dark = np.broadcast_to(zero, signal.shape)[used].astype(np.float64)

    def mean(values: NDArray) -> NDArray:
        return np.bincount(chosen, values, number) / count

    powers = [mean(light**power - dark**power) for power in range(1, degree + 2)]
    level = mean(light)
    error = np.sqrt(np.maximum(noise_variance * level, 1.0) / count)
    empty = np.bincount(chosen, minlength=number) < 30
    return np.stack(powers, axis=1), error, np.where(empty, np.nan, level)


def fit_linearity(
    moments: Moments, degree: int, lamp_stability: float = 0.01, departure: float = 0.01
) -> LinearityFit:
    """Fit the polynomial that makes the response of all classes proportional to the light.

    Parameters
    ----------
    moments : Moments
        Classes of different brightness in one exposure share the lamp's drift, so that drift
        and response can be told apart.
    degree : int
        Number of coefficients.
    lamp_stability : float
        Expected relative drift of the lamp between exposures (standard deviation).
    departure : float
        Departure of the uncorrected response that defines the linearity limit.

    Raises
    ------
    LinearityError
        If there are fewer exposures than the polynomial needs.
    """
    moments = replace(moments, powers=moments.powers[..., : degree + 1])
    used = np.isfinite(moments.level) & (moments.level > 0)
    used &= used.sum(axis=0) >= 2
    if np.count_nonzero(used.any(axis=1)) < max(3, degree + 1):
        raise LinearityError(
            f"{max(3, degree + 1)} exposure times below saturation are needed, "
            f"found {np.count_nonzero(used.any(axis=1))}"
        )
    scale = float(np.max(moments.level[used]))
    found = _solve(moments, used, degree, scale, lamp_stability)
    units = scale ** np.arange(1, degree + 1)
    coefficients = found.coefficients / units
    errors = np.sqrt(np.diag(found.covariance)) / units
    expected = found.rates * (moments.exptime_s * found.lamp)[:, None]
    corrected = moments.powers[..., 0] + moments.powers[..., 1:] @ coefficients
    with np.errstate(invalid="ignore", divide="ignore"):
        before = np.where(used, moments.powers[..., 0] / expected - 1, np.nan)
        after = np.where(used, corrected / expected - 1, np.nan)
    linearity = Linearity(
        tuple(float(value) for value in coefficients),
        linearity_limit(coefficients, departure, scale),
        valid_to_adu=scale,
    )
    limit_error = _limit_error(linearity, found.covariance / np.outer(units, units))
    return LinearityFit(
        linearity, tuple(float(e) for e in errors), limit_error, found.lamp, before, after
    )


def fit_shortest(moments: Moments, degree: int, lamp_stability: float = 0.01) -> LinearityFit:
    """Fit with as few free coefficients as the series asks for, up to `degree`.

    The highest coefficient is dropped while it is within three standard errors of zero: one that
    is not needed would leave the limit and the others uncertain. The last one left is that of a
    response which loses in proportion to the charge, see `fit_quadratic`. See `fit_linearity`.
    """
    for length in range(degree, 1, -1):
        fit = fit_linearity(moments, length, lamp_stability)
        if abs(fit.linearity.coefficients[-1]) > 3 * fit.errors[-1]:
            return fit
    quadratic = degree > 1
    return (fit_quadratic if quadratic else fit_linearity)(moments, 1, lamp_stability)


def fit_quadratic(
    moments: Moments, degree: int = 1, lamp_stability: float = 0.01, rounds: int = 3
) -> LinearityFit:
    """Fit the response ``m = q (1 - c q)``, whose correction is ``m (1 + c m + 2 c^2 m^2)``.

    Parameters
    ----------
    moments : Moments
        Up to the third power of m at least.
    degree : int
        1, the free coefficients.
    lamp_stability : float
        As for `fit_linearity`.
    rounds : int
        The second coefficient follows from the first of the round before.
    """
    first, second, third = (moments.powers[..., power] for power in range(3))
    slope = 0.0
    for _ in range(rounds):
        folded = np.stack([first + 2 * slope**2 * third, second], axis=-1)
        fit = fit_linearity(replace(moments, powers=folded), degree, lamp_stability)
        slope = fit.linearity.coefficients[0]
    both = (slope, 2 * slope**2)
    limit = linearity_limit(both, 0.01, fit.linearity.valid_to_adu)
    linearity = replace(fit.linearity, coefficients=both, limit_adu=limit)
    gradient = np.array([1.0, 4 * slope])
    covariance = np.outer(gradient, gradient) * fit.errors[0] ** 2
    return replace(
        fit,
        linearity=linearity,
        errors=tuple(float(e) for e in np.sqrt(np.diag(covariance))),
        limit_error_adu=_limit_error(linearity, covariance),
    )


def linearity_limit(coefficients: ArrayLike, departure: float, highest: float) -> float:
    """Signal at which the uncorrected response departs by a fraction; at most twice `highest`.

    Infinity if it does not.
    """
    signal = np.linspace(0, 2 * highest, 20001)
    factor = np.polynomial.Polynomial((1, *np.asarray(coefficients)))(signal)
    off = np.abs(1 / factor - 1) >= departure
    return float(signal[off.argmax()]) if off.any() else float("inf")


def _limit_error(linearity: Linearity, covariance: NDArray) -> float:
    """Standard error of the level at which the correction has a given size."""
    level = linearity.limit_adu
    if not np.isfinite(level):
        return float("inf")
    power = np.arange(1, len(covariance) + 1)
    slope = np.sum(power * np.array(linearity.coefficients) * level ** (power - 1))
    gradient = level**power
    return float(np.sqrt(gradient @ covariance @ gradient) / max(abs(slope), 1e-300))


@dataclass(frozen=True)
class _Solution:
    """Coefficients of the scaled signal with covariance, lamp of the exposures, class rates."""

    coefficients: NDArray
    covariance: NDArray
    lamp: NDArray
    rates: NDArray


def _solve(
    moments: Moments, used: NDArray, degree: int, scale: float, stability: float
) -> _Solution:
    """Alternate linear solutions: coefficients, rates of the classes, lamp drifts, zero levels.

    The unknown drifts multiply the unknown rates, so that the product is made linear about the
    last solution; four rounds are ample for drifts of a few per cent. A zero level that is off by
    a fraction of an ADU would, through the faint classes, pass for a drift of the lamp.
    """
    exposure, group = np.nonzero(used)
    n_exposures, n_groups = used.shape
    longest = moments.exptime_s.max()
    time = moments.exptime_s[exposure] / longest
    first = moments.powers[..., 0][used]
    higher = moments.powers[..., 1:][used] / scale ** np.arange(1, degree + 1)
    weight = 1 / np.sqrt(moments.error[used] ** 2 + (_FLOOR * first) ** 2 + _FLOOR_ADU**2)
    rates, drift = _class_means(first / time, group, n_groups), np.zeros(n_exposures)
    lamp = slice(degree + n_groups, degree + n_groups + n_exposures)
    zero = slice(lamp.stop, lamp.stop + n_exposures)
    rows = np.arange(len(first))
    design = np.zeros((len(first) + 2 * n_exposures, zero.stop))
    design[rows, :degree] = -higher * weight[:, None]
    design[rows, zero.start + exposure] = weight
    design[len(first) : -n_exposures, lamp] = np.eye(n_exposures) / stability
    design[-n_exposures:, zero] = np.eye(n_exposures) / _ZERO_ADU
    for _ in range(4):
        design[rows, degree + group] = time * (1 + drift[exposure]) * weight
        design[rows, lamp.start + exposure] = rates[group] * time * weight
        target = first + rates[group] * time * drift[exposure]
        full = np.concatenate([target * weight, np.zeros(2 * n_exposures)])
        answer, inverse = _least_squares(design, full, len(first) - degree - n_groups)
        rates, drift = answer[degree : lamp.start], answer[lamp]
    return _Solution(answer[:degree], inverse[:degree, :degree], 1 + drift, rates / longest)


def _least_squares(design: NDArray, target: NDArray, freedom: int) -> tuple[NDArray, NDArray]:
    """Solution and covariance, the latter as large as the scatter asks for."""
    norm = np.maximum(np.linalg.norm(design, axis=0), 1e-30)
    answer = np.linalg.lstsq(design / norm, target, rcond=1e-13)[0] / norm
    inverse = np.linalg.pinv((design / norm).T @ (design / norm)) / np.outer(norm, norm)
    spread = target - design @ answer
    return answer, inverse * max(1.0, float(np.sum(spread**2) / max(freedom, 1)))


def _class_means(values: NDArray, group: NDArray, number: int) -> NDArray:
    count = np.maximum(np.bincount(group, minlength=number), 1)
    return np.bincount(group, values, number) / count
