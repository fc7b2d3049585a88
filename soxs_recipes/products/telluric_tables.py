"""Tables of telluric transmission to and from FITS."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.table import Table
from numpy.typing import ArrayLike, NDArray

from soxs_recipes.algorithms.quality import Quality, QualityArray
from soxs_recipes.products.table_input import read_columns

Array = NDArray[np.float64]

TELLURIC = "TELLURIC"
ALL_ORDERS = 0
_COLUMNS = ("ORDER", "WAVE", "TRANSMISSION", "ERR", "QUAL")


@dataclass(frozen=True)
class Telluric:
    """Transmission of the telluric lines at the resolution of a spectrum, order by order.

    Attributes
    ----------
    order : ndarray of int, shape (n,)
        Order number of each sample; 0 where it holds for every order.
    wave_nm : ndarray, shape (n,)
        Wavelength in standard air as the spectrum has it, rising within an order.
    transmission, error : ndarray, shape (n,)
        Transmission and its standard error, that of the model included.
    quality : ndarray of uint16, shape (n,)
        `Quality.TELLURIC` where absorption is too deep for the correction to be trusted.
    """

    order: NDArray[np.int_]
    wave_nm: Array
    transmission: Array
    error: Array
    quality: QualityArray

    def at(self, order: int, wave_nm: ArrayLike) -> tuple[Array, Array, QualityArray]:
        """Transmission, its standard error and quality in an order.

        Where the table says nothing the transmission is 1 with no error, flagged `EXTRAPOLATED`.
        """
        wave = np.asarray(wave_nm, float)
        here = self.order == order
        if not here.any():
            here = self.order == ALL_ORDERS
        if not here.any():
            outside = np.full(wave.shape, Quality.EXTRAPOLATED, np.uint16)
            return np.ones(wave.shape), np.zeros(wave.shape), outside
        nodes = self.wave_nm[here]
        value = np.interp(wave, nodes, self.transmission[here], left=1.0, right=1.0)
        error = np.interp(wave, nodes, self.error[here], left=0.0, right=0.0)
        return value, error, self._quality(wave, nodes, self.quality[here])

    @staticmethod
    def _quality(wave: Array, nodes: Array, quality: QualityArray) -> QualityArray:
        """Bits of either neighbour."""
        right = np.clip(np.searchsorted(nodes, wave), 0, nodes.size - 1)
        left = np.where(nodes[right] == wave, right, np.maximum(right - 1, 0))
        outside = (wave < nodes[0]) | (wave > nodes[-1])
        bits = quality[left] | quality[right]
        return np.where(outside, np.uint16(Quality.EXTRAPOLATED), bits).astype(np.uint16)


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
