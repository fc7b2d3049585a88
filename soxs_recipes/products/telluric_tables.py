"""Tables of telluric transmission to and from FITS."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.table import Table

from soxs_recipes.algorithms.telluric_curve import Telluric
from soxs_recipes.products.table_input import read_columns

__all__ = ["TELLURIC", "Telluric", "read_telluric", "telluric_tables"]

TELLURIC = "TELLURIC"
_COLUMNS = ("ORDER", "WAVE", "TRANSMISSION", "ERR", "QUAL")


def telluric_tables(telluric: Telluric) -> dict[str, Table]:
    """Content of the extension TELLURIC of a TELLURIC_TAB product."""
    columns = {
        "ORDER": telluric.order.astype("i2"),
        "WAVE": telluric.wave_nm,
        "TRANSMISSION": telluric.transmission,
        "ERR": telluric.error,
        "QUAL": telluric.quality.astype("i4"),
    }
    return {TELLURIC: Table(columns)}


def read_telluric(path: Path) -> Telluric:
    """Read a TELLURIC_TAB product.

    Raises
    ------
    UnreadableFrameError
        If the file has no such table.
    """
    data, _ = read_columns(path, TELLURIC, _COLUMNS, "soxs_telluric")
    *values, quality = (data[name] for name in _COLUMNS)
    return Telluric(*values, quality.astype(np.uint16))
