"""Poisson noise, quickly, on images that are nearly empty here and bright there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

GAUSSIAN_ABOVE = 300.0
SPARSE_BELOW = 0.02


class PhotonSource:
    """Repeated Poisson draws of one expected image.

    Above 300 a rounded Gaussian stands in (skewness below 0.06). Where the expectation is below
    0.02 events are thrown on the image instead of asking every pixel: exact too, as the sum of
    independent Poisson counts is Poisson and its events fall in proportion to the expectations.

    Parameters
    ----------
    expected : ndarray of float32
        Expectation per pixel; negative values count as zero.
    """

    def __init__(self, expected: NDArray[np.float32]) -> None:
        flat = expected.ravel()
        faint = flat < SPARSE_BELOW
        bright = flat > GAUSSIAN_ABOVE
        self._middle = np.flatnonzero(~(faint | bright)).astype(np.int32)
        self._middle_mean = flat[self._middle]
        self._bright = np.flatnonzero(bright).astype(np.int32)
        self._bright_mean = flat[self._bright]
        self._bright_sigma = np.sqrt(self._bright_mean)
        self._faint = np.flatnonzero(faint & (flat > 0)).astype(np.int32)
        self._cumulative = np.cumsum(flat[self._faint], dtype=np.float64)

    def add_counts(self, rng: np.random.Generator, charge: NDArray[np.float32]) -> None:
        """Add one draw to ``charge``, which must be C-contiguous and of the expectation's size."""
        flat = charge.reshape(-1)
        if self._middle.size:
            flat[self._middle] += rng.poisson(self._middle_mean)
        if self._bright.size:
            noise = rng.standard_normal(self._bright.size, dtype=np.float32)
            flat[self._bright] += np.rint(self._bright_mean + self._bright_sigma * noise)
        if self._faint.size:
            self._throw_events(rng, flat)

    def _throw_events(self, rng: np.random.Generator, flat: NDArray[np.float32]) -> None:
        total = rng.poisson(self._cumulative[-1])
        position = rng.uniform(0, self._cumulative[-1], total)
        where = self._faint[np.searchsorted(self._cumulative, position, side="right")]
        np.add.at(flat, where, np.float32(1.0))
