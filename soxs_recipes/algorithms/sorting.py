"""Order statistics across the frames of a stack, all pixels at once."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float32]

# Above this number of frames the network needs more passes than a sort costs.
_NETWORK_LIMIT = 32


@lru_cache(maxsize=64)
def merge_exchange_network(n: int) -> tuple[tuple[int, int], ...]:
    """Return the comparisons that sort `n` values.

    Batcher's merge exchange (Knuth, The Art of Computer Programming 3, algorithm 5.2.2M). Each
    comparison is one pair of array minima and maxima when it is done for many pixels together.
    """
    comparisons = []
    top = 1 << max((n - 1).bit_length() - 1, 0)
    step = top if n > 1 else 0
    while step > 0:
        span, residue, distance = top, 0, step
        while distance > 0:
            comparisons += [(i, i + distance) for i in range(n - distance) if i & step == residue]
            distance, span, residue = span - step, span // 2, step
        step //= 2
    return tuple(comparisons)


def sort_frames(values: Values) -> list[Values]:
    """Sort across the first axis.

    Parameters
    ----------
    values : ndarray of float, shape (n, pixels)
        Values without NaN; ``inf`` stands for a missing one and goes to the end. Left unchanged.

    Returns
    -------
    list of ndarray
        The n order statistics per pixel, smallest first.
    """
    if len(values) > _NETWORK_LIMIT:
        return list(np.sort(values, axis=0))
    rows = list(values.copy())
    spare = np.empty_like(values[0])
    for low, high in merge_exchange_network(len(rows)):
        first, second = rows[low], rows[high]
        np.minimum(first, second, out=spare)
        np.maximum(first, second, out=second)
        rows[low], spare = spare, first
    return rows


def median_of_sorted(ordered: list[Values], count: NDArray[np.integer] | None) -> Values:
    """Median of the first `count` order statistics of each pixel; NaN where `count` is 0.

    `count` None says that every pixel has all values.
    """
    n = len(ordered)
    if count is None:
        return 0.5 * (ordered[(n - 1) // 2] + ordered[n // 2])
    result = np.full(ordered[0].shape, np.nan, dtype=ordered[0].dtype)
    for used in np.unique(count[count > 0]):
        where = count == used
        low, high = ordered[(used - 1) // 2], ordered[used // 2]
        result[where] = 0.5 * (low[where] + high[where])
    return result
