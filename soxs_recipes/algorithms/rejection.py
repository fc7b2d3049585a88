"""Rejection of outliers among the values that one pixel has in several frames."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.algorithms.robust import mad_sd
from soxs_recipes.algorithms.sorting import Values, median_of_sorted, sort_frames

Mask = NDArray[np.bool_]

FEW_FRAMES = 8
"""From this number on, the scatter of the values has a say in the rejection threshold."""


def clip_outliers(
    values: Values,
    expected_variance: Callable[[Values], Values] | None,
    kappa: float,
    iterations: int,
) -> Mask:
    """Mark the values of each pixel that agree with the others.

    Parameters
    ----------
    values : ndarray of float32, shape (n, pixels)
        ``inf`` stands for a missing value; no NaN.
    expected_variance : callable, optional
        Variance of one value as a function of the signal per pixel, given as shape (pixels,) and
        returned in a shape that broadcasts to it. Required with fewer than `FEW_FRAMES` frames.
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
    so that clipping has no bias for symmetric noise. With few frames the width is the expected
    one; with more it is the larger of that and the observed scatter. A pixel that would lose half
    of its values is noisier than expected, as hot pixels are: it is judged by its own median
    absolute deviation instead, and so never loses the majority. With one or two values nothing can
    be rejected.
    """
    ordered = sort_frames(values)
    valid = np.isfinite(values)
    count = None if valid.all() else valid.sum(axis=0)
    centre = median_of_sorted(ordered, count)
    width = kappa * _threshold_sd(ordered, count, centre, expected_variance)
    # The centre is uncertain too: an outlier is compared with the other n - 1 values.
    width *= np.float32(np.sqrt(1 + 1 / max(len(values) - 1, 1)))
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
    expected_variance: Callable[[Values], Values] | None,
) -> Values:
    n = len(ordered)
    if expected_variance is None:
        return _observed_sd(ordered, count)
    expected = np.broadcast_to(np.sqrt(expected_variance(centre)), centre.shape)
    if n < FEW_FRAMES:
        return expected
    return np.fmax(expected, _observed_sd(ordered, count))


def _observed_sd(ordered: list[Values], count: NDArray[np.integer] | None) -> Values:
    """Scatter from the distance of the order statistics next to the quartiles; 0 for too few."""
    if count is None:
        return _quartile_sd(ordered, len(ordered))
    result = np.zeros(ordered[0].shape, dtype=np.float32)
    for used in np.unique(count[count >= FEW_FRAMES]):
        where = count == used
        result[where] = _quartile_sd([row[where] for row in ordered[:used]], used)
    return result


def _quartile_sd(ordered: list[Values], count: int) -> Values:
    inner = count // 4
    distance = ordered[count - 1 - inner] - ordered[inner]
    return distance / np.float32(-2 * _expected_order_statistic(inner, count))


@lru_cache(maxsize=256)
def _expected_order_statistic(rank: int, count: int) -> float:
    """Mean of a Gaussian order statistic, rank from 0 (Blom 1958)."""
    return NormalDist().inv_cdf((rank + 0.625) / (count + 0.25))


def _refine(values: Values, centre: Values, width: Values, kappa: float, iterations: int) -> Mask:
    """Iterate on the pixels, given as columns, in which the first pass rejected something."""
    valid = np.isfinite(values)
    at_most = np.maximum(valid.sum(axis=0) - 1, 0) // 2
    keep = _within(values, centre, width)
    noisy = np.flatnonzero((valid & ~keep).sum(axis=0) > at_most)
    if noisy.size:
        own = mad_sd(np.where(valid, values, np.nan)[:, noisy], axis=0)
        width = width.copy()
        width[noisy] = np.fmax(width[noisy], kappa * own)
        keep[:, noisy] = _within(values[:, noisy], centre[noisy], width[noisy])
    for _ in range(iterations - 1):
        centre = mean_of_kept(values, keep)
        previous, keep = keep, _within(values, centre, width)
        keep = np.where(_majority(keep, valid), keep, previous)
        if np.array_equal(keep, previous):
            break
    return keep


def _majority(keep: Mask, valid: Mask) -> Mask:
    return 2 * keep.sum(axis=0) >= valid.sum(axis=0)


def mean_of_kept(values: Values, keep: Mask) -> Values:
    """Mean per pixel of the kept values, shape (n, pixels); NaN where none is kept."""
    with np.errstate(invalid="ignore", divide="ignore"):
        # Differences to the first frame keep the digits that a float32 sum would lose.
        mean = values[0] + (values - values[0]).mean(axis=0)
        partial = np.flatnonzero(~keep.all(axis=0))
        if partial.size:
            part, kept = values[:, partial], keep[:, partial]
            total = np.sum(part, axis=0, where=kept, dtype=np.float64)
            mean[partial] = total / kept.sum(axis=0)
    return mean
