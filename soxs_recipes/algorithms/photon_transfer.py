"""Photon transfer: gain and read noise from the differences of pairs of equal exposures.

Pixels are sorted by their signal, so that any illumination, also that of a spectrograph, gives the
whole curve of variance against signal (Janesick 2007, Photon Transfer, SPIE Press).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from soxs_recipes.algorithms.linearity import Linearity
from soxs_recipes.algorithms.robust import truncated_sd

Array = NDArray[np.float64]

_KAPPA = 5.0
_ROUNDS = 4
# Bins with fewer pixels say too little about a variance.
_FEWEST_PIXELS = 400
# Signal in units of the read noise from which points are used.
_FAINTEST = 20.0
# Relative deviation from the line that tells saturation.
_SATURATED = 0.1
# Steps between bins in units of the natural logarithm of the signal.
_STEP = 0.05


class TransferError(ValueError):
    """The pairs do not span enough signal for a photon transfer curve."""


@dataclass(frozen=True)
class TransferPoints:
    """Points of a photon transfer curve, unit of the frames (ADU).

    Parameters
    ----------
    signal : ndarray, shape (n,)
        Mean signal of the pixels of a bin.
    variance : ndarray, shape (n,)
        Variance of one frame there.
    count : ndarray of int, shape (n,)
        Pixels.
    """

    signal: Array
    variance: Array
    count: NDArray[np.integer]

    @property
    def error(self) -> Array:
        """Standard error of the variances."""
        return self.variance * np.sqrt(2 / np.maximum(self.count, 1))

    def where(self, used: NDArray[np.bool_]) -> TransferPoints:
        """Return some of the points."""
        return TransferPoints(self.signal[used], self.variance[used], self.count[used])

    def corrected(self, linearity: Linearity) -> TransferPoints:
        """Return the points as frames corrected for linearity would have given them."""
        step = np.maximum(1e-4 * np.abs(self.signal), 1e-3)
        low, high = (
            np.polynomial.Polynomial((0, 1, *linearity.coefficients))(self.signal + sign * step)
            for sign in (-1, 1)
        )
        slope = (high - low) / (2 * step)
        return TransferPoints((low + high) / 2, self.variance * slope**2, self.count)


@dataclass(frozen=True)
class PhotonTransfer:
    """Line through a photon transfer curve: variance = read_noise^2 + slope x signal, in ADU.

    Parameters
    ----------
    slope, slope_error : float
        Photon factor over gain (e-/ADU), and its standard error.
    read_noise, read_noise_error : float
        Intercept as a noise in ADU, and its standard error.
    """

    slope: float
    slope_error: float
    read_noise: float
    read_noise_error: float

    def variance(self, signal: ArrayLike) -> Array:
        """Variance in ADU^2 of a signal in ADU."""
        return self.read_noise**2 + self.slope * np.asarray(signal, dtype=np.float64)


def pair_points(
    first: ArrayLike, second: ArrayLike, zero: ArrayLike, noise_adu: float, per_adu: float
) -> TransferPoints:
    """Measure the variance against the signal in a pair of exposures.

    Parameters
    ----------
    first, second : array_like
        Two exposures of one light level, above their zero level.
    zero : array_like or float
        The same without light; tells the signal, and does not enter the variance.
    noise_adu, per_adu : float
        A rough read noise and photon variance per ADU, within a factor of two: cosmic rays are
        rejected by them first, then by what is measured.

    Returns
    -------
    TransferPoints
        One point per bin of signal, faintest first.
    """
    first, second = (np.asarray(plane, dtype=np.float32).reshape(-1) for plane in (first, second))
    signal = (first + second) / 2 - np.asarray(zero, dtype=np.float32).reshape(-1)
    # The lamp drifts between the two. Scaled alike, both keep the photon noise of the mean signal.
    drift = np.float32(np.sqrt(lamp_ratio(first, second, signal)))
    difference = first * drift - second / drift
    bins = _bins(signal, 3 * noise_adu)
    guess = 2 * (4 * noise_adu**2 + 4 * per_adu * np.maximum(_mean(bins, signal), 0))
    kept = np.ones(signal.size, dtype=bool)
    centre = np.zeros_like(guess)
    for _ in range(_ROUNDS):
        limit = (_KAPPA * np.sqrt(guess)).astype(np.float32)[bins]
        kept = np.abs(difference - centre.astype(np.float32)[bins]) <= limit
        centre = _mean(bins, difference, kept)
        square = _mean(bins, np.square(difference - centre.astype(np.float32)[bins]), kept)
        guess = np.maximum(square, 1e-12)
    count = np.bincount(bins, kept, len(guess)).astype(int)
    variance = guess / truncated_sd(_KAPPA) ** 2 / 2
    level = _mean(bins, signal, kept)
    enough = count >= _FEWEST_PIXELS
    return TransferPoints(level[enough], variance[enough], count[enough])


def lamp_ratio(first: NDArray, second: NDArray, signal: NDArray) -> float:
    """Brightness of the second exposure over that of the first, from the bright pixels."""
    bright = signal > 0.3 * np.quantile(signal[:: max(1, signal.size // 100_000)], 0.995)
    if np.count_nonzero(bright) < _FEWEST_PIXELS:
        return 1.0
    return float(np.median(second[bright] / np.maximum(first[bright], 1)))


def fit_transfer(points: TransferPoints) -> PhotonTransfer:
    """Fit the line through a photon transfer curve.

    Parameters
    ----------
    points : TransferPoints
        Corrected for linearity, below saturation.

    Raises
    ------
    TransferError
        If the signal does not rise above the read noise in three points or more.

    Notes
    -----
    Points fainter than 20 times the noise are left out: there, noise decides in which bin of signal
    a pixel falls, which flattens the curve. The intercept holds all that does not grow with the
    light, also drifts of the zero level; read noise proper is better measured without light.
    """
    dark = np.sqrt(points.variance.min(initial=np.inf))
    points = points.where(points.signal > _FAINTEST * dark)
    if len(points.signal) < 3 or np.ptp(points.variance) < points.variance.min():
        raise TransferError("too few levels of signal above the read noise")
    design = np.stack([np.ones_like(points.signal), points.signal], axis=1)
    weight = 1 / points.error
    for _ in range(3):
        scaled = design * weight[:, None]
        solution, *_ = np.linalg.lstsq(scaled, points.variance * weight, rcond=None)
        residual = (points.variance - design @ solution) / points.error
        scatter = max(1.0, 1.4826 * float(np.median(np.abs(residual))))
        weight = np.where(np.abs(residual) < 4 * scatter, 1 / points.error, 0)
    errors = np.sqrt(np.diag(np.linalg.inv(scaled.T @ scaled))) * scatter
    noise = float(np.sqrt(max(solution[0], 0)))
    noise_error = float(errors[0] / max(2 * noise, 1e-9))
    return PhotonTransfer(float(solution[1]), float(errors[1]), noise, noise_error)


def saturation_level(
    points: TransferPoints, transfer: PhotonTransfer, linearity: Linearity
) -> float:
    """Signal from which the variance leaves the line for good; infinity if it never does.

    A full converter or pixel has less variance than the line says, a ramp of which fewer reads
    are left has more.

    Parameters
    ----------
    points : TransferPoints
        As measured, all the way up.
    transfer : PhotonTransfer
        Line through the points below saturation, corrected for linearity.
    linearity : Linearity
        The correction.
    """
    order = np.argsort(points.signal)
    signal, count = points.signal[order], points.count[order]
    corrected = points.corrected(linearity)
    ratio = (corrected.variance / transfer.variance(corrected.signal))[order]
    off = np.abs(ratio - 1) > np.maximum(_SATURATED, 5 * np.sqrt(2 / np.maximum(count, 1)))
    settled = np.flatnonzero(~off | (signal < 0.3 * signal.max()))
    first = settled[-1] + 1 if settled.size else 0
    if first >= len(signal):
        return float("inf")
    # A point tells the mean of its bin, which starts half a step below.
    return float(signal[first] * np.exp(-_STEP / 2))


def joined(parts: list[TransferPoints]) -> TransferPoints:
    """Points of several pairs as one curve."""
    return TransferPoints(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("signal", "variance", "count")
        )
    )


def _bins(signal: NDArray[np.float32], faint: float) -> NDArray[np.integer]:
    """Bin of each pixel: 0 below `faint`, then in equal logarithmic steps."""
    above = np.maximum(signal, np.float32(faint)) / np.float32(faint)
    return (np.log(above) / np.float32(_STEP)).astype(np.int32) + (signal > faint)


def _mean(bins: NDArray, values: NDArray, kept: NDArray | None = None) -> Array:
    size = int(bins.max(initial=0)) + 1
    if kept is not None:
        bins, values = bins[kept], values[kept]
    count = np.bincount(bins, minlength=size)
    return np.bincount(bins, values, size) / np.maximum(count, 1)
