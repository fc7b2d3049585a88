"""Blaze functions from FITS tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.products.table_input import read_columns

BLAZE = "BLAZE"


def read_blaze(path: Path) -> dict[int, NDArray[np.float64]]:
    """Blaze of each order at the pixels along dispersion, relative to the arm's maximum.

    NaN where it was not measured.

    Raises
    ------
    UnreadableFrameError
        If the file is no BLAZE_TAB.
    """
    names = ("ORDER", "PIXEL", "BLAZE", "QUAL")
    columns, _ = read_columns(path, BLAZE, names, "soxs_spec_mflat")
    known = np.where(columns["QUAL"] == 0, columns["BLAZE"].astype(float), np.nan)
    length = int(columns["PIXEL"].max()) + 1
    blaze = {}
    for order in np.unique(columns["ORDER"]).tolist():
        here = columns["ORDER"] == order
        blaze[order] = np.full(length, np.nan)
        blaze[order][columns["PIXEL"][here]] = known[here]
    return blaze
