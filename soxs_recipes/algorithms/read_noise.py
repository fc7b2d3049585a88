"""Read noise from differences of frames, measured while they are stacked."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from soxs_recipes.algorithms.combining import combine, median_inefficiency
from soxs_recipes.algorithms.robust import clipped_statistics, truncated_sd
from soxs_recipes.algorithms.stacking import Block, StackSettings, stack_arrays

# Differences beyond this many standard deviations come from cosmic rays or unstable pixels.
_KAPPA = 5.0
# Values from which the local level and scale of a block are taken before its moments are.
_SAMPLE = 512


@dataclass(frozen=True)
class NoiseEstimate:
    """A noise level and its standard error, unit of the frames."""

    value: float
    error: float


@dataclass
class _DifferenceMoments:
    """Sum of squares of difference images about their level in each block."""

    squares: NDArray[np.float64]
    freedom: NDArray[np.float64]

    @classmethod
    def of(cls, number: int) -> _DifferenceMoments:
        return cls(np.zeros(number), np.zeros(number))

    def add(self, difference: NDArray[np.float32]) -> None:
        """Take in one block of the difference images, shape (number, pixels); NaN is skipped."""
        step = max(1, difference.shape[1] // _SAMPLE)
        local = clipped_statistics(difference[:, ::step], axis=1, kappa=_KAPPA, iterations=4)
        residual = difference - local.mean[:, None].astype(np.float32)
        limit = (_KAPPA * local.sd)[:, None].astype(np.float32)
        keep = np.abs(residual) <= limit
        count = np.count_nonzero(keep, axis=1)
        residual = np.where(keep, residual, np.float32(0))
        total = residual.sum(axis=1, dtype=np.float64)
        # Single precision is ample within a block; blocks are summed in double.
        square = np.einsum("ij,ij->i", residual, residual)
        self.squares += square - total**2 / np.maximum(count, 1)
        self.freedom += np.maximum(count - 1, 0)

    def variances(self) -> NDArray[np.float64]:
        """Variance of each difference image; NaN without data."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.squares / self.freedom / truncated_sd(_KAPPA) ** 2


@dataclass
class ReadNoise:
    """Read noise of a single frame from differences of consecutive frames.

    An accumulator for `stack`. A fixed structure cancels in the differences; the level of each
    pair is removed block by block of rows, so that drifts of the level do not count; cosmic rays
    and unstable pixels are clipped. What remains is the noise between neighbouring pixels: read
    noise, and photon noise if there is a signal.
    """

    _moments: _DifferenceMoments | None = field(default=None, init=False)

    def update(self, block: Block) -> None:
        """Take in one block of rows of all frames."""
        n = len(block.flux)
        if n < 2:
            return
        if self._moments is None:
            self._moments = _DifferenceMoments.of(n - 1)
        with np.errstate(invalid="ignore"):
            difference = np.diff(block.flux, axis=0)
        self._moments.add(difference)

    def pairs(self) -> NDArray[np.float64]:
        """Read noise from each pair of consecutive frames, shape (n - 1,)."""
        if self._moments is None:
            return np.empty(0)
        return np.sqrt(self._moments.variances() / 2)

    def result(self) -> NoiseEstimate:
        """Read noise of all pairs together; NaN for fewer than two frames."""
        pairs = self.pairs()
        n = len(pairs) + 1
        if n < 2:
            return NoiseEstimate(float("nan"), float("nan"))
        value = float(np.sqrt(np.mean(pairs**2)))
        # Neighbouring differences share a frame (von Neumann et al. 1941).
        per_pixel = (3 * n - 4) / (n - 1) ** 2
        pixels = self._moments.freedom.mean()
        return NoiseEstimate(value, float(value * np.sqrt(per_pixel / pixels) / 2))


@dataclass
class StackNoise:
    """Noise of a stack from the difference of two half stacks (even and odd frames).

    An accumulator for `stack`. The halves are combined as the stack is, from the values that the
    stack kept, so that the number holds for the stack as made.
    """

    _moments: _DifferenceMoments | None = field(default=None, init=False)
    _scale: float = field(default=float("nan"), init=False)

    def update(self, block: Block) -> None:
        """Take in one block of rows of all frames."""
        n = len(block.flux)
        if n < 2:
            return
        if self._moments is None:
            self._moments = _DifferenceMoments.of(1)
            self._scale = _variance_ratio(n, block.settings)
        even, odd = (
            combine(block.flux[half], block.keep[half], block.settings.method)
            for half in (slice(0, None, 2), slice(1, None, 2))
        )
        self._moments.add((even - odd)[None])

    def result(self) -> NoiseEstimate:
        """Noise of the stack; NaN for fewer than two frames."""
        if self._moments is None:
            return NoiseEstimate(float("nan"), float("nan"))
        value = float(np.sqrt(self._moments.variances()[0] * self._scale))
        return NoiseEstimate(value, float(value / np.sqrt(2 * self._moments.freedom[0])))


def read_noise(frames: ArrayLike) -> NoiseEstimate:
    """Measure the read noise of frames in memory, shape (n, ny, nx); see `ReadNoise`."""
    noise = ReadNoise()
    stack_arrays(frames, noise=0.0, settings=StackSettings("mean"), accumulators=[noise])
    return noise.result()


def _variance_ratio(n: int, settings: StackSettings) -> float:
    """Variance of a stack of n over that of the difference of its half stacks."""

    def single(count: int) -> float:
        factor = median_inefficiency(count) if settings.method == "median" else 1.0
        return float(factor) / count

    return single(n) / (single((n + 1) // 2) + single(n // 2))
