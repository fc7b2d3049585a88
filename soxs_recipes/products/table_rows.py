"""Columns as rows of a table, without astropy.table, whose import takes a fifth of a second."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray


def table_rows(columns: Mapping[str, ArrayLike]) -> NDArray[np.void]:
    """Structured array of columns of one length, in their order."""
    arrays = [np.asarray(column) for column in columns.values()]
    return np.rec.fromarrays(arrays, names=list(columns)).view(np.ndarray)
