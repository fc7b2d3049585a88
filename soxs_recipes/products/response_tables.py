"""Response tables to and from FITS."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.table import Table

from soxs_recipes.algorithms.response_curve import Response
from soxs_recipes.errors import UnreadableFrameError
from soxs_recipes.products.table_input import read_columns

__all__ = ["RESPONSE", "Response", "read_response", "response_cards", "response_tables"]

RESPONSE = "RESPONSE"
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
    return {RESPONSE: {**cards, "BINNING": response.binning}}


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
    )
