"""Tables of telluric transmission to and from FITS."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.table import Table

from soxs_recipes.algorithms.telluric import TelluricFit
from soxs_recipes.algorithms.telluric_curve import Telluric
from soxs_recipes.algorithms.telluric_order import WATER_COLUMN
from soxs_recipes.algorithms.telluric_order_fit import OrderFit
from soxs_recipes.products.table_input import read_columns

__all__ = ["FIT", "TELLURIC", "Telluric", "fit_table", "read_telluric", "telluric_tables"]

TELLURIC, FIT = "TELLURIC", "FIT"
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


def fit_table(fit: TelluricFit | None) -> Table:
    """Content of the extension FIT; without rows where nothing was fitted."""
    names = {
        "ORDER": "i2",
        "PWV": "f8",
        "SHIFT": "f8",
        "SHIFT_ERR": "f8",
        "FWHM": "f8",
        "WING": "f8",
        "PIXELS": "i4",
        "CHI2": "f8",
        "CHI2_NONE": "f8",
        "USED": "i2",
    }
    rows = [_fit_row(one) for one in fit.orders.values()] if fit else []
    if not rows:
        return Table(names=list(names), dtype=list(names.values()))
    return Table(rows=rows, names=list(names), dtype=list(names.values()))


def _fit_row(fit: OrderFit) -> tuple[float, ...]:
    return (
        fit.number,
        np.exp(fit.unknowns.get(WATER_COLUMN, np.nan)),
        fit.unknowns["shift_px"],
        fit.error("shift_px"),
        fit.fwhm_px,
        fit.unknowns["wing"],
        fit.count,
        fit.chi2,
        fit.chi2_without,
        not fit.is_refuted,
    )


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
