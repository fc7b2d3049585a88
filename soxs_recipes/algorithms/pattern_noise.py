"""Strength of periodic patterns in raw bias frames."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.fft import rfft2

from soxs_recipes.algorithms.robust import clipped_statistics, median
from soxs_recipes.algorithms.sorting import median_of_sorted, sort_frames
from soxs_recipes.algorithms.stacking import Block, StackSettings

WHITE_NOISE_RATIO = 1.461
"""What white noise of any level gives: the ratio of SD and MAD of the Rayleigh distribution."""

# Side of the bins averaged before the Fourier transform.
_BIN = 5
# Amplitudes are limited to this many standard deviations of the noise amplitude.
_AMPLITUDE_LIMIT = 100.0
_MAD_OF_GAUSSIAN = 0.6745
# Bins beyond that many standard deviations hold cosmic rays or bad pixels.
_KAPPA = 6.0
# Number of values from which the typical value of a block is taken.
_SAMPLE = 2048


@dataclass(frozen=True)
class PatternNoise:
    """Strength of periodic patterns in each frame, measured while the frames are stacked.

    An accumulator for `stack`, made with ``PatternNoise.of(n_frames, shape)``. It holds each frame
    averaged in bins of 5 x 5 pixels: 4 bytes per 25 pixels. The median of several frames is taken
    off first: what all share is structure that a master bias removes; it would drown a pattern.

    Parameters
    ----------
    sums : ndarray of float32, shape (n, ny // 5, nx // 5)
        Sums over the bins seen so far.
    """

    sums: NDArray[np.float32]

    @classmethod
    def of(cls, n_frames: int, shape: tuple[int, int]) -> PatternNoise:
        """Return an empty accumulator for a number of frames of a shape."""
        return cls(np.zeros((n_frames, shape[0] // _BIN, shape[1] // _BIN), dtype=np.float32))

    def update(self, block: Block) -> None:
        """Take in one block of rows of all frames."""
        n, bins, columns = self.sums.shape
        values = _filled(block.flux).reshape(n, block.row_stop - block.row_start, -1)
        row = np.arange(block.row_start, min(block.row_stop, bins * _BIN))
        if not row.size:
            return
        starts = np.flatnonzero(np.diff(row // _BIN, prepend=-1))
        by_row = np.add.reduceat(values[:, : row.size], starts, axis=1)
        by_bin = sum(by_row[..., part : _BIN * columns : _BIN] for part in range(_BIN))
        first = row[0] // _BIN
        self.sums[:, first : first + len(starts)] += by_bin

    def ratios(self) -> NDArray[np.float64]:
        """Return the ratio of each frame, shape (n,); see `pattern_noise_ratio`."""
        images = self.sums / np.float32(_BIN**2)
        if len(images) > 1:
            images -= np.median(images[:, ::3, ::3], axis=(1, 2), keepdims=True)
            flat = images.reshape(len(images), -1)
            flat -= median_of_sorted(sort_frames(flat), None)
        return np.array([_ratio(_without_outliers(image)) for image in images])


def pattern_noise_ratio(frame: ArrayLike, good: ArrayLike | None = None) -> float:
    """Return the strength of periodic patterns in one raw bias frame.

    Parameters
    ----------
    frame : array_like, shape (ny, nx)
        Raw bias frame, at least 10 pixels in each direction.
    good : array_like of bool, optional
        Pixels to use; others, and outliers such as cosmic rays, are replaced by the median.

    Returns
    -------
    float
        Standard deviation over median absolute deviation of the Fourier amplitudes of the frame
        averaged in bins of 5 x 5, without the zero frequency. White noise of any level gives
        `WHITE_NOISE_RATIO`; every pattern adds to it. An amplitude counts up to 100 times the
        standard deviation of the noise amplitudes, so that the ratio saturates instead of being
        ruled by one line. Patterns with periods below 10 pixels are damped by the averaging and
        seen as aliases. NaN if the frame is constant.
    """
    flux = np.asarray(frame, dtype=np.float32)[None]
    keep = np.isfinite(flux) if good is None else np.isfinite(flux) & np.asarray(good)
    flux = np.where(keep, flux, np.float32(np.inf)).reshape(1, -1)
    shape = np.shape(frame)
    noise = PatternNoise.of(1, shape)
    noise.update(Block(0, shape[0], flux, keep.reshape(1, -1), StackSettings()))
    return float(noise.ratios()[0])


def _filled(flux: NDArray[np.float32]) -> NDArray[np.float32]:
    """Replace missing values (inf) of each frame, shape (n, pixels), by its typical value."""
    present = np.isfinite(flux)
    if present.all():
        return flux
    step = max(1, flux.shape[1] // _SAMPLE)
    sample = np.where(present[:, ::step], flux[:, ::step], np.float32(np.nan))
    return np.where(present, flux, median(sample, axis=1)[:, None].astype(np.float32))


def _without_outliers(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Replace bins that a cosmic ray or bad pixel has spoilt by the mean of the others."""
    calm = clipped_statistics(image[::2, ::2], kappa=_KAPPA)
    return np.where(np.abs(image - calm.mean) <= _KAPPA * calm.sd, image, calm.mean)


def _ratio(image: NDArray[np.float32]) -> float:
    amplitude, weight = _amplitudes(image)
    middle = float(np.median(amplitude))
    deviation = float(np.median(np.abs(amplitude - middle)))
    # Median and MAD of a Rayleigh distribution hold their value beside a few strong lines.
    limited = np.minimum(amplitude, middle + _AMPLITUDE_LIMIT * deviation / _MAD_OF_GAUSSIAN)
    mean = np.average(limited, weights=weight)
    sd = np.sqrt(np.average((limited - mean) ** 2, weights=weight))
    return float(sd / deviation) if deviation > 0 else float("nan")


def _amplitudes(image: NDArray[np.float32]) -> tuple[NDArray, NDArray]:
    """Fourier amplitudes of a half plane with their multiplicity, without the zero frequency."""
    amplitude = np.abs(rfft2(image - image.mean(dtype=np.float64)))
    weight = np.full(amplitude.shape, 2.0)
    weight[:, 0] = 1.0
    if image.shape[1] % 2 == 0:
        weight[:, -1] = 1.0
    return amplitude.reshape(-1)[1:], weight.reshape(-1)[1:]
