"""Cubic B-splines on equidistant knots, as sparse design matrices."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_array

TERMS = 4
"""Splines that are not zero at any one place."""


def cubic_splines(place: ArrayLike, length: float, knot: float) -> csr_array:
    """Values of all splines at some places, shape (places, splines).

    Parameters
    ----------
    place : array_like
        From 0 to `length`.
    length, knot : float
        Range, and distance of the knots; it is adjusted so that the range holds a whole number.

    Notes
    -----
    The pieces are those of de Boor (1978) for equal knots. scipy's interpolation package has them
    too, but takes longer to import than a flat takes to fit.
    """
    count = max(round(length / knot), 1)
    scaled = np.clip(np.asarray(place, float) * (count / length), 0, count)
    first = np.minimum(scaled.astype(np.intp), count - 1)
    t = scaled - first
    pieces = [
        (1 - t) ** 3,
        (3 * t - 6) * t**2 + 4,
        ((3 - 3 * t) * t + 3) * t + 1,
        t**3,
    ]
    values = np.stack(pieces, axis=1) / 6
    columns = first[:, None] + np.arange(TERMS)
    pointer = np.arange(len(t) + 1) * TERMS
    return csr_array((values.ravel(), columns.ravel(), pointer), shape=(len(t), count + TERMS - 1))
