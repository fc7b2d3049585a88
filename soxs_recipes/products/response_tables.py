"""Response tables to and from FITS."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.table import Table
from numpy.typing import ArrayLike, NDArray

from soxs_recipes.errors import UnreadableFrameError
from soxs_recipes.products.table_input import read_columns

Array = NDArray[np.float64]

RESPONSE = "RESPONSE"
_COLUMNS = ("ORDER", "WAVE", "RESPONSE", "ERR")


@dataclass(frozen=True)
class Response:
    """Flux above the atmosphere per count rate, order by order.

    Attributes
    ----------
    order : ndarray of int, shape (n,)
        Order number of each sample.
    wave_nm : ndarray, shape (n,)
        Wavelength in standard air, rising within an order.
    response : ndarray, shape (n,)
        erg s-1 cm-2 Angstrom-1 above the atmosphere for one electron s-1 nm-1 above it, that is
        after the extinction has been taken out of the count rate.
    error : ndarray, shape (n,)
        Standard error of the response.
    standard : str
        Name of the standard star.
    airmass : float
        Airmass of the standard at mid-exposure.
    slit : str
        Slit that the standard was observed through.
    binning : str
        Binning of its frames, ``'1x1'`` for none.
    """

    order: NDArray[np.int_]
    wave_nm: Array
    response: Array
    error: Array
    standard: str = ""
    airmass: float = float("nan")
    slit: str = ""
    binning: str = ""

    def at(self, order: int, wave_nm: ArrayLike) -> tuple[Array, Array]:
        """Response and its standard error in an order; NaN where it was not measured.

        The logarithm is interpolated, so that steep edges of an order are followed.
        """
        wave = np.asarray(wave_nm, float)
        here = (self.order == order) & (self.response > 0)
        if not here.any():
            return np.full(wave.shape, np.nan), np.full(wave.shape, np.nan)
        nodes = self.wave_nm[here]
        value = np.exp(
            np.interp(wave, nodes, np.log(self.response[here]), left=np.nan, right=np.nan)
        )
        return value, value * np.interp(wave, nodes, self.error[here] / self.response[here])


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
