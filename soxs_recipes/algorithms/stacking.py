"""Stacking of frames in bands of rows: memory stays bounded however many frames there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from soxs_recipes.algorithms.combining import Method, combine, mean_of_kept, median_inefficiency
from soxs_recipes.algorithms.frame import DetectorFrame, Image
from soxs_recipes.algorithms.quality import UNUSABLE, Quality, QualityArray, flag, has
from soxs_recipes.algorithms.rejection import Mask, clip_outliers
from soxs_recipes.algorithms.sorting import Values, median_of_sorted, sort_frames

Noise = float | NDArray[np.floating] | Callable[[NDArray], NDArray]
Band = tuple[Values, Values | None, QualityArray | None]
BandReader = Callable[[int, int], Band]

DEFAULT_BUDGET = 128 * 2**20
"""Memory in bytes for the bands held at one time, beside the result."""

# A block whose values fit in the processor's cache is sorted several times faster.
_BLOCK_BYTES = 2**20
# flux (4), variance (4) and quality (2) of one value as read, and one frame's share on top.
_BYTES_READ = 10
# Working copies of one value inside a block, in bytes.
_BYTES_WORK = 30


class StackInputError(ValueError):
    """The frames of a stack do not fit together or lack a noise estimate."""


@dataclass(frozen=True)
class StackSettings:
    """How frames are combined.

    Parameters
    ----------
    method : {"clipped-mean", "mean", "median"}
        Only the clipped mean rejects outliers. Few frames: see `clip_outliers`.
    kappa : float
        Rejection threshold in standard deviations.
    iterations : int
        Passes of rejection.
    minimum_count : int
        Pixels with fewer values left get the bit ``REJECTED`` (but a stack of fewer frames than
        that does not flag all of them).
    unusable : Quality
        Values with one of these bits are left out.
    """

    method: Method = "clipped-mean"
    kappa: float = 4.0
    iterations: int = 3
    minimum_count: int = 2
    unusable: Quality = UNUSABLE

    def __post_init__(self) -> None:
        if self.method not in ("clipped-mean", "mean", "median"):
            raise ValueError(f"method must be clipped-mean, mean or median, found {self.method!r}")
        if not (self.kappa > 0 and self.iterations >= 1 and self.minimum_count >= 1):
            raise ValueError(
                "kappa must be above 0, iterations and minimum_count at least 1, found "
                f"{self.kappa}, {self.iterations}, {self.minimum_count}"
            )


@dataclass(frozen=True)
class Stack:
    """Combined frames.

    Parameters
    ----------
    flux : ndarray of float32, shape (ny, nx)
        Combined signal; NaN where no frame has a finite value.
    variance : ndarray of float32, shape (ny, nx)
        Variance of `flux`, propagated from the variances of the values that entered it.
    quality : ndarray of uint16, shape (ny, nx)
        0 where usable values were left. A pixel that is unusable in all frames keeps the
        average of its finite values and every bit they bear; ``NO_DATA`` says that there is none.
    count : ndarray of uint16, shape (ny, nx)
        Number of values that entered.
    """

    flux: Image
    variance: Image
    quality: QualityArray
    count: NDArray[np.uint16]

    def frame(self) -> DetectorFrame:
        """Return the stack as a detector frame."""
        return DetectorFrame.from_variance(self.flux, self.variance, self.quality)


@dataclass(frozen=True)
class Block:
    """Some rows of all frames as an accumulator sees them.

    Parameters
    ----------
    row_start, row_stop : int
        Rows of the frame.
    flux : ndarray of float32, shape (n, rows * nx)
        Values as read, ``inf`` where they are not usable.
    keep : ndarray of bool, shape (n, rows * nx)
        Values that entered the stack.
    settings : StackSettings
        How they were combined.
    """

    row_start: int
    row_stop: int
    flux: Values
    keep: Mask
    settings: StackSettings


class Accumulator(Protocol):
    """Takes part in the one pass over the data that a stack makes."""

    def update(self, block: Block) -> None:
        """Take in one block; blocks come in the order of rows and cover the frame once."""


def stack(
    read_band: BandReader,
    n_frames: int,
    shape: tuple[int, int],
    settings: StackSettings | None = None,
    noise: Noise | None = None,
    accumulators: Sequence[Accumulator] = (),
    budget: int = DEFAULT_BUDGET,
) -> Stack:
    """Combine frames in one pass over bands of rows.

    Parameters
    ----------
    read_band : callable
        ``read_band(row_start, row_stop)`` returns flux (n, rows, nx), variance (n, rows, nx) or
        None, and quality (n, rows, nx) or None. Each row is asked for once, in ascending order.
    n_frames : int
        Number of frames, at least 1. With 1 or 2 nothing can be rejected.
    shape : tuple of int
        Rows and columns of a frame.
    settings : StackSettings, optional
        Method and thresholds.
    noise : float, ndarray (ny, nx) or callable, optional
        Variance of one value: a constant, one per pixel, or a function of the signal that gets
        rows (rows, nx). It sets the rejection threshold, and is propagated if there is no
        variance plane. Without it the median of the variance planes is the threshold's.
    accumulators : sequence of Accumulator
        Measurements made in the same pass.
    budget : int
        Bytes for what is held beside the result; at least one row of all frames is read.

    Returns
    -------
    Stack

    Raises
    ------
    StackInputError
        If a band has another shape than announced, or neither variance nor noise is known.

    Notes
    -----
    The mean is not weighted: with weights from estimated variances it would be biased. The
    variance of a median of n Gaussian values is that of their mean times
    `median_inefficiency(n)`.
    """
    settings = settings or StackSettings()
    if n_frames < 1:
        raise StackInputError("at least 1 frame is needed, found none")
    result = _empty(shape)
    run = _Pass(n_frames, settings, noise, accumulators, budget, result)
    for start, stop in _bands(n_frames, shape, budget):
        _stack_band(read_band, run, start, stop)
    return result


def stack_arrays(
    flux: ArrayLike,
    variance: ArrayLike | None = None,
    quality: ArrayLike | None = None,
    settings: StackSettings | None = None,
    noise: Noise | None = None,
    accumulators: Sequence[Accumulator] = (),
) -> Stack:
    """Combine frames that are in memory, all of shape (n, ny, nx); see `stack`."""
    planes = [None if p is None else np.asarray(p) for p in (flux, variance, quality)]

    def read_band(start: int, stop: int) -> Band:
        return tuple(None if plane is None else plane[:, start:stop] for plane in planes)

    n_frames, *shape = planes[0].shape
    return stack(read_band, n_frames, tuple(shape), settings, noise, accumulators)


def join_readers(
    readers: Sequence[Callable[[int, int], NDArray | Band]],
) -> BandReader:
    """Make one band reader of one reader per frame.

    Each ``reader(row_start, row_stop)`` returns the flux (rows, nx), or a tuple of flux, variance
    or None, and quality or None.
    """

    def read_band(start: int, stop: int) -> Band:
        joined: list[NDArray | None] = [None, None, None]
        for index, reader in enumerate(readers):
            planes = reader(start, stop)
            planes = planes if isinstance(planes, tuple) else (planes, None, None)
            for number, plane in enumerate(planes):
                if plane is None:
                    continue
                if joined[number] is None:
                    kind = np.uint16 if number == 2 else np.float32
                    joined[number] = np.zeros((len(readers), *plane.shape), dtype=kind)
                joined[number][index] = plane
        return tuple(joined)

    return read_band


def _empty(shape: tuple[int, int]) -> Stack:
    return Stack(
        np.empty(shape, dtype=np.float32),
        np.empty(shape, dtype=np.float32),
        np.zeros(shape, dtype=np.uint16),
        np.empty(shape, dtype=np.uint16),
    )


def _bands(n_frames: int, shape: tuple[int, int], budget: int) -> Iterator[tuple[int, int]]:
    work = min(budget // 3, _BLOCK_BYTES // 4 * _BYTES_WORK)
    per_row = shape[1] * (n_frames + 1) * _BYTES_READ
    step = max(1, int((budget - work) // per_row))
    for start in range(0, shape[0], step):
        yield start, min(start + step, shape[0])


def _blocks(
    n_frames: int, columns: int, start: int, stop: int, budget: int
) -> Iterator[tuple[int, int]]:
    values = min(_BLOCK_BYTES // 4, budget // 3 // _BYTES_WORK)
    step = max(1, values // (n_frames * columns))
    for first in range(start, stop, step):
        yield first, min(first + step, stop)


def _check_band(band: Band, expected: tuple[int, int, int], noise: Noise | None) -> None:
    for name, plane in zip(("flux", "variance", "quality"), band, strict=True):
        if plane is not None and plane.shape != expected:
            raise StackInputError(f"{name} band of shape {expected} expected, found {plane.shape}")
    if noise is None and band[1] is None:
        raise StackInputError("neither a variance plane nor a noise model is given; one is needed")


def _noise_of_rows(
    noise: Noise | None, rows: slice, shape: tuple[int, int]
) -> Callable[[Values], Values] | None:
    """Return the model of some rows as a function of the flattened signal."""
    if noise is None:
        return None
    if callable(noise):
        return lambda signal: np.asarray(noise(signal.reshape(shape)), np.float32).reshape(-1)
    values = np.asarray(noise, dtype=np.float32)
    flat = values[rows].reshape(-1) if values.ndim else values
    return lambda _: flat


@dataclass(frozen=True)
class _Pass:
    """What stays the same from band to band."""

    n_frames: int
    settings: StackSettings
    noise: Noise | None
    accumulators: Sequence[Accumulator]
    budget: int
    result: Stack


def _stack_band(read_band: BandReader, run: _Pass, start: int, stop: int) -> None:
    """Combine one band; its planes are released before the next is read."""
    columns = run.result.flux.shape[1]
    band = read_band(start, stop)
    _check_band(band, (run.n_frames, stop - start, columns), run.noise)
    for first, last in _blocks(run.n_frames, columns, start, stop, run.budget):
        rows = slice(first - start, last - start)
        planes = tuple(
            None if plane is None else plane[:, rows].reshape(run.n_frames, -1) for plane in band
        )
        _stack_block(planes, run, slice(first, last))


def _stack_block(band: Band, run: _Pass, rows: slice) -> None:
    """Combine one block of rows, whose pixels are in one axis, into the result."""
    settings, result = run.settings, run.result
    shape = result.flux[rows].shape
    flux, variance, quality = band
    model = _noise_of_rows(run.noise, rows, shape)
    values, valid = _usable_values(flux, quality, settings.unusable)
    keep = _kept(values, valid, variance, model, settings)
    for accumulator in run.accumulators:
        accumulator.update(Block(rows.start, rows.stop, values, keep, settings))
    bits = np.zeros(values.shape[1], dtype=np.uint16)
    if not valid.all():
        values, keep, bits = _fall_back(flux, quality, values, keep)
    average = combine(values, keep, settings.method)
    count = keep.sum(axis=0, dtype=np.uint16)
    few = count < min(settings.minimum_count, run.n_frames)
    spread = _propagate(average, variance, model, keep, count, settings)
    result.flux[rows] = average.reshape(shape)
    result.variance[rows] = spread.reshape(shape)
    result.quality[rows] = flag(bits, few, Quality.REJECTED).reshape(shape)
    result.count[rows] = count.reshape(shape)


def _usable_values(
    flux: Values, quality: QualityArray | None, unusable: Quality
) -> tuple[Values, Mask]:
    values = np.array(flux, dtype=np.float32)
    valid = np.isfinite(values)
    if quality is not None:
        valid &= ~has(quality, unusable)
    if not valid.all():
        values[~valid] = np.inf
    return values, valid


def _kept(
    values: Values,
    valid: Mask,
    variance: Values | None,
    model: Callable[[Values], Values] | None,
    settings: StackSettings,
) -> Mask:
    if settings.method != "clipped-mean" or len(values) < 3:
        return valid
    if model is None:
        typical = median_of_sorted(sort_frames(np.asarray(variance, np.float32)), None)
        return clip_outliers(values, lambda _: typical, settings.kappa, settings.iterations)
    return clip_outliers(values, model, settings.kappa, settings.iterations)


def _fall_back(
    flux: Values, quality: QualityArray | None, values: Values, keep: Mask
) -> tuple[Values, Mask, QualityArray]:
    """Let unusable values stand in where a pixel has no other; return their quality bits."""
    bits = np.zeros(values.shape[1], dtype=np.uint16)
    empty = np.flatnonzero(~keep.any(axis=0))
    part = np.asarray(flux[:, empty], dtype=np.float32)
    finite = np.isfinite(part)
    values, keep = values.copy(), keep.copy()
    values[:, empty] = np.where(finite, part, np.float32(np.inf))
    keep[:, empty] = finite
    if quality is not None:
        bits[empty] = np.bitwise_or.reduce(quality[:, empty], axis=0)
    bits[empty] |= np.where(finite.any(axis=0), 0, Quality.NO_DATA).astype(np.uint16)
    return values, keep, bits


def _propagate(
    average: Values,
    variance: Values | None,
    model: Callable[[Values], Values] | None,
    keep: Mask,
    count: NDArray[np.uint16],
    settings: StackSettings,
) -> Values:
    """Variance of the average."""
    with np.errstate(invalid="ignore", divide="ignore"):
        if variance is None:
            single = np.where(count > 0, model(average), np.float32(np.nan)) / count
        else:
            single = mean_of_kept(np.asarray(variance, np.float32), keep) / count
    return single * median_inefficiency(count) if settings.method == "median" else single
