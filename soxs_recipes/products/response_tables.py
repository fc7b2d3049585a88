"""Response tables to and from FITS."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from soxs_recipes.algorithms.order_spectra import OrderSpectra
from soxs_recipes.algorithms.response_curve import Response
from soxs_recipes.errors import UnreadableFrameError
from soxs_recipes.products.table_input import read_columns

__all__ = [
    "RESPONSE",
    "Response",
    "efficiency_tables",
    "read_response",
    "response_cards",
    "response_tables",
]

Array = NDArray[np.float64]

RESPONSE, EFFICIENCY, ORDERS = "RESPONSE", "EFFICIENCY", "ORDERS"
_COLUMNS = ("ORDER", "WAVE", "RESPONSE", "ERR")


def response_tables(response: Response) -> dict[str, Table]:
    """Content of the extensions of a RESP_TAB product."""
    columns = {
        "ORDER": response.order.astype("i2"),
        "WAVE": response.wave_nm,
        "RESPONSE": response.response,
        "ERR": response.error,
    }
    return {RESPONSE: Table(columns)}


def response_cards(response: Response) -> dict[str, dict[str, str | float]]:
    """Header cards of the extension: how the standard was observed."""
    cards: dict[str, str | float] = {"STDNAME": response.standard, "SLIT": response.slit}
    if np.isfinite(response.airmass):
        cards["AIRMASS"] = response.airmass
    if np.isfinite(response.seeing_arcsec):
        cards["SEEING"] = response.seeing_arcsec
    return {RESPONSE: {**cards, "BINNING": response.binning}}


def efficiency_tables(
    spectra: OrderSpectra, value: Array, error: Array, smooth: Array, used: NDArray[np.bool_]
) -> dict[str, Table]:
    """Content of the extensions of an EFFICIENCY_TAB product.

    Parameters
    ----------
    spectra : OrderSpectra
        Extracted orders of the standard.
    value, error, smooth : ndarray
        Efficiency in its bins, standard error, fitted curve.
    used : ndarray of bool
        Bins that the curve was fitted to.
    """
    bins = {
        "ORDER": spectra.order.astype("i2"),
        "WAVE": spectra.wave_nm,
        "EFFICIENCY": value,
        "ERR": error,
        "SMOOTH": smooth,
        "USED": used.astype("i2"),
    }
    rows = []
    for order in spectra.orders:
        here = spectra.of(order) & np.isfinite(smooth)
        if here.any():
            peak = np.flatnonzero(here)[np.argmax(smooth[here])]
            rows.append((order, np.median(smooth[here]), smooth[peak], spectra.wave_nm[peak]))
    names = ("ORDER", "MEDIAN", "PEAK", "PEAK_WAVE")
    orders = Table(rows=rows, names=names, dtype=("i2", "f8", "f8", "f8"))
    return {EFFICIENCY: Table(bins), ORDERS: orders}


def read_response(path: Path) -> Response:
    """Read a RESP_TAB product.

    Raises
    ------
    UnreadableFrameError
        If the file has no such table, or no positive response in it.
    """
    data, header = read_columns(path, RESPONSE, _COLUMNS, "soxs_response")
    if not np.any(data["RESPONSE"] > 0):
        raise UnreadableFrameError(
            "The response is nowhere positive",
            file=path,
            expected="a response with at least one order",
            found=f"{len(data['RESPONSE'])} samples without a value",
            remedy="make the response anew with soxs_response",
        )
    return Response(
        *(data[name] for name in _COLUMNS),
        standard=str(header.get("STDNAME", "")),
        airmass=float(header.get("AIRMASS", np.nan)),
        slit=str(header.get("SLIT", "")),
        binning=str(header.get("BINNING", "")),
        seeing_arcsec=float(header.get("SEEING", np.nan)),
    )
