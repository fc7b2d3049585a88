"""Combining raw frames of one kind: what soxs_mbias and soxs_mdark share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np

from soxs_recipes.algorithms.bad_pixels import OutlierSettings, find_outliers
from soxs_recipes.algorithms.detrending import expected_light, mean_with_noise
from soxs_recipes.algorithms.frame import DetectorFrame
from soxs_recipes.algorithms.quality import Quality
from soxs_recipes.algorithms.robust import clipped_statistics
from soxs_recipes.algorithms.stacking import (
    Accumulator,
    Noise,
    Stack,
    StackSettings,
    join_readers,
    stack,
)
from soxs_recipes.algorithms.variance import NoiseModel
from soxs_recipes.products.raw import RawFrame

# Memory for the rows of all frames that are held at one time.
BUDGET_BYTES = 64 * 2**20
# Rows from which the noise is judged before the frames are combined.
NOISE_ROWS = 64


class FrameNoise(NamedTuple):
    """Noise of one frame in electrons.

    Attributes
    ----------
    pixel_e : float
        Independent from pixel to pixel: the read noise, if there is little signal.
    total_e : float
        With what the pixels of a row share, the drift that the zero level leaves.
    """

    pixel_e: float
    total_e: float


def frame_noise(frames: Sequence[RawFrame]) -> FrameNoise:
    """Noise of one frame from a strip of differences of consecutive frames.

    The read noise that a header gives may be off by a factor of two, which would reject good
    values or keep cosmic rays; the frames themselves know it to a per cent.

    Parameters
    ----------
    frames : sequence of RawFrame
        Of one kind; for a single one the read noise of its header has to do.
    """
    if len(frames) < 2:
        return FrameNoise(*[frames[0].readout.read_noise_e] * 2)
    rows = frames[0].readout.science_shape[0]
    start = max(0, (rows - NOISE_ROWS) // 2)
    strips = np.stack([frame.rows(start, start + NOISE_ROWS) for frame in frames])
    differences = np.diff(strips, axis=0)
    by_row = differences - np.median(differences, axis=2, keepdims=True)
    return FrameNoise(_single_noise(by_row), _single_noise(differences))


def _single_noise(differences: np.ndarray) -> float:
    """Noise of one frame from difference images, shape (n, rows, nx)."""
    pixels = differences.reshape(len(differences), -1)
    return float(np.sqrt(np.mean(clipped_statistics(pixels, axis=1, kappa=4.0).sd ** 2) / 2))


def own_level_e(frame: RawFrame) -> float:
    """Level that a frame has beyond its measured zero level, which drifts from frame to frame.

    Only a frame whose zero level could not be measured has one: its median, from every fourth row.
    """
    if frame.level.is_measured:
        return 0.0
    return float(np.median(frame.pixels()[::4]))


def stack_raw(
    frames: Sequence[RawFrame],
    settings: SimpleNamespace,
    noise: Noise,
    zeros_e: Sequence[float] | None = None,
    accumulators: Sequence[Accumulator] = (),
) -> Stack:
    """Combine raw frames in bands of rows.

    Parameters
    ----------
    frames : sequence of RawFrame
        Open raw frames.
    settings : SimpleNamespace
        Values of the parameters stack_method, kappa and iterations.
    noise : float, ndarray or callable
        Variance of one value, see `stack`.
    zeros_e : sequence of float, optional
        Electrons to subtract from each frame.
    accumulators : sequence of Accumulator
        Measurements made in the same pass.
    """
    zeros_e = [0.0] * len(frames) if zeros_e is None else zeros_e

    def reader(frame: RawFrame, zero_e: float) -> Callable[[int, int], np.ndarray]:
        return lambda start, stop: frame.rows(start, stop) - np.float32(zero_e)

    readers = [reader(*pair) for pair in zip(frames, zeros_e, strict=True)]
    return stack(
        join_readers(readers),
        len(readers),
        frames[0].readout.science_shape,
        StackSettings(settings.stack_method, settings.kappa, settings.iterations),
        noise,
        accumulators,
        BUDGET_BYTES,
    )


def with_noise(
    stacked: Stack, settings: SimpleNamespace, noise: NoiseModel, bias: DetectorFrame | None
) -> DetectorFrame:
    """Combined frames with errors that do not follow the noise of each pixel.

    Parameters
    ----------
    stacked : Stack
        Electrons above the zero level.
    settings : SimpleNamespace
        Value of the parameter stack_method.
    noise : NoiseModel
        Noise of one frame.
    bias : DetectorFrame or None
        Structure of the bias, which is no light.
    """
    light = expected_light(stacked.flux, noise, None if bias is None else bias.flux)
    is_median = settings.stack_method == "median"
    return mean_with_noise(stacked.flux, stacked.quality, stacked.count, noise, is_median, light)


def raised(frame: DetectorFrame, level_e: float) -> DetectorFrame:
    """Frame with a level added; a level that is known better than a pixel adds no error."""
    return replace(frame, flux=frame.flux + np.float32(level_e))


def flag_outliers(
    frame: DetectorFrame, settings: OutlierSettings, high: Quality, low: Quality
) -> DetectorFrame:
    """Flag the pixels that stand out from their surroundings.

    Parameters
    ----------
    frame : DetectorFrame
        A master frame.
    settings : OutlierSettings
        Its threshold counts in standard deviations of the master where it has no signal of its
        own: a hot pixel's photon noise must not hide it.
    high, low : Quality
        Bits for pixels above and below.
    """
    good = frame.good()
    typical = float(np.median(frame.error[good])) ** 2
    found = find_outliers(frame.flux, typical, good, settings)
    return frame.flag(found.high, high).flag(found.low, low)
