"""Rejection of outliers among the values that one pixel has in several frames."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.algorithms.combining import Mask, mean_of_kept
from soxs_recipes.algorithms.robust import mad_sd
from soxs_recipes.algorithms.sorting import Values, median_of_sorted, sort_frames

FEW_FRAMES = 8
"""From this number on, the scatter of the values has a say in the rejection threshold."""

# Gaussian efficiency of a standard deviation from quartiles.
_QUARTILE_EFFICIENCY = 0.37


def clip_outliers(
    values: Values,
    expected_variance: Callable[[Values], Values],
    kappa: float,
    iterations: int,
) -> Mask:
    """Mark the values of each pixel that agree with the others.

    Parameters
    ----------
    values : ndarray of float32, shape (n, pixels)
        ``inf`` stands for a missing value; no NaN.
    expected_variance : callable
        Variance of one value as a function of the signal per pixel, given as shape (pixels,) and
        returned in a shape that broadcasts to it.
    kappa : float
        Threshold in standard deviations.
    iterations : int
        Passes; the first is around the median, the next around the mean of the survivors,
        which lets a value back in that the median excluded.

    Returns
    -------
    ndarray of bool, shape (n, pixels)
        True for the values to keep.

    Notes
    -----
    The threshold is symmetric around a centre and its width never depends on the value judged,
    so that clipping has no bias for symmetric noise. The width is the expected one, unless the
    observed scatter of enough frames exceeds it by more than chance explains.

    If that would reject half of a pixel's values or more, the farthest value may have drawn the
    median aside, and the others are judged without it. If that does not help, the pixel is noisier
    than expected, as hot pixels are: its own median absolute deviation is the measure, so
    that no pixel loses its majority. With one or two values nothing can be rejected.
    """
    ordered = sort_frames(values)
    valid = np.isfinite(values)
    count = None if valid.all() else valid.sum(axis=0)
    centre = median_of_sorted(ordered, count)
    width = kappa * _threshold_sd(ordered, count, centre, expected_variance)
    # The centre is uncertain too: with three values, one of them an outlier, it is another value.
    width *= np.float32(np.sqrt(1 + 2 / max(len(values) - 1, 1)))
    keep = _within(values, centre, width)
    touched = np.flatnonzero(keep.sum(axis=0) < (len(values) if count is None else count))
    if touched.size:
        part = values[:, touched]
        keep[:, touched] = _refine(part, centre[touched], width[touched], kappa, iterations)
    return keep


def _within(values: Values, centre: Values, width: Values) -> Mask:
    # A pixel without any value has a NaN centre and keeps none.
    with np.errstate(invalid="ignore"):
        distance = values - centre
        return np.abs(distance, out=distance) <= width


def _threshold_sd(
    ordered: list[Values],
    count: NDArray[np.integer] | None,
    centre: Values,
    expected_variance: Callable[[Values], Values],
) -> Values:
    n = len(ordered)
    expected = np.broadcast_to(np.sqrt(expected_variance(centre)), centre.shape)
    if n < FEW_FRAMES:
        return expected
    below, above = _half_widths(ordered, count, centre)
    # An outlier widens one side only; a noisy pixel is wide on both.
    chance = np.float32(1 + 4 / np.sqrt(2 * _QUARTILE_EFFICIENCY * n))
    return np.where(np.minimum(below, above) > chance * expected, (below + above) / 2, expected)


def _half_widths(
    ordered: list[Values], count: NDArray[np.integer] | None, centre: Values
) -> tuple[Values, Values]:
    """Scatter below and above the median, from the order statistics next to the quartiles.

    Pixels with fewer than `FEW_FRAMES` values get 0.
    """
    if count is None:
        return _to_quartiles(ordered, centre)
    result = np.zeros((2, *centre.shape), dtype=np.float32)
    for used in np.unique(count[count >= FEW_FRAMES]):
        where = count == used
        result[:, where] = _to_quartiles([row[where] for row in ordered[:used]], centre[where])
    return result[0], result[1]


def _to_quartiles(ordered: list[Values], centre: Values) -> tuple[Values, Values]:
    count = len(ordered)
    inner = count // 4
    distance = np.float32(-_expected_order_statistic(inner, count))
    return (centre - ordered[inner]) / distance, (ordered[count - 1 - inner] - centre) / distance


@lru_cache(maxsize=256)
def _expected_order_statistic(rank: int, count: int) -> float:
    """Mean of a Gaussian order statistic, rank from 0 (Blom 1958)."""
    return NormalDist().inv_cdf((rank + 0.625) / (count + 0.25))


def _refine(values: Values, centre: Values, width: Values, kappa: float, iterations: int) -> Mask:
    """Iterate on the pixels, given as columns, in which the first pass rejected something."""
    valid = np.isfinite(values)
    keep = _within(values, centre, width)
    doubtful = np.flatnonzero(~_majority(keep, valid))
    if doubtful.size:
        width = width.copy()
        keep[:, doubtful], width[doubtful] = _judge_again(
            values[:, doubtful], centre[doubtful], width[doubtful], kappa
        )
    for _ in range(iterations - 1):
        centre = mean_of_kept(values, keep)
        previous, keep = keep, _within(values, centre, width)
        keep = np.where(_majority(keep, valid), keep, previous)
        if np.array_equal(keep, previous):
            break
    return keep


def _judge_again(
    values: Values, centre: Values, width: Values, kappa: float
) -> tuple[Mask, Values]:
    """Judge pixels that lost their majority: without the farthest value, else by their scatter."""
    valid = np.isfinite(values)
    distance = np.where(valid, np.abs(values - centre), -1)
    others = valid & (np.arange(len(values))[:, None] != distance.argmax(axis=0))
    keep = _within(values, mean_of_kept(values, others), width)
    noisy = ~_majority(keep, valid)
    own = kappa * mad_sd(np.where(valid, values, np.nan), axis=0)
    width = np.where(noisy, np.fmax(width, own), width).astype(np.float32)
    return np.where(noisy, _within(values, centre, width), keep), width


def _majority(keep: Mask, valid: Mask) -> NDArray[np.bool_]:
    """Return which pixels keep more than half of their values."""
    count = valid.sum(axis=0)
    return (2 * keep.sum(axis=0) > count) | (count == 0)
