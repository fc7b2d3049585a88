"""Order statistics along an axis of values with gaps.

The functions of numpy that pass over NaN go through masked arrays or a Python loop, and warn where
all is missing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def gappy_quantile(
    values: NDArray[np.floating], share: float, axis: int, empty: float = np.nan
) -> NDArray[np.floating]:
    """Return the order statistic below which `share` of the values lie.

    Parameters
    ----------
    values : ndarray
        NaN where nothing is known.
    share : float
        From 0, the smallest, to 1, the greatest.
    axis : int
        Axis along which the values are ordered.
    empty : float
        What is returned where all values are NaN.
    """
    count = np.isfinite(values).sum(axis=axis, keepdims=True)
    rank = (share * np.maximum(count - 1, 0)).astype(int)
    picked = np.take_along_axis(np.sort(values, axis=axis), rank, axis)
    return np.where(count > 0, picked, empty).squeeze(axis).astype(values.dtype)


def gappy_median(
    values: NDArray[np.floating], axis: int, empty: float = np.nan
) -> NDArray[np.floating]:
    """Return the median, of an even number of values the mean of the middle two.

    Parameters
    ----------
    values : ndarray
        NaN where nothing is known.
    axis : int
        Axis along which the median is taken.
    empty : float
        What is returned where all values are NaN.
    """
    count = np.isfinite(values).sum(axis=axis, keepdims=True)
    ordered = np.sort(values, axis=axis)
    low = np.take_along_axis(ordered, np.maximum((count - 1) // 2, 0), axis)
    high = np.take_along_axis(ordered, np.minimum(count // 2, np.maximum(count - 1, 0)), axis)
    middle = (low + np.where(count % 2 == 1, low, high)) / 2
    return np.where(count > 0, middle, empty).squeeze(axis).astype(values.dtype)
