"""Sources of a camera image (PHOT_TAB_ACQ) to and from FITS."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.algorithms.star_flags import StarFlag
from soxs_recipes.errors import UnreadableFrameError
from soxs_recipes.products.fits_input import open_fits

Array = NDArray[np.float64]

SOURCES = "SOURCES"
CATALOGUE, NIGHTLY, UNCALIBRATED = "CATALOGUE", "NIGHTLY", "NONE"
"""Values of the card ZPTYPE: what a zero point rests on."""

_COLUMNS = ("NUMBER", "RA", "DEC", "X", "Y", "MAG_AB", "MAG_ERR", "FLAGS", "TARGET", "MATCHED")


@dataclass(frozen=True)
class PhotTable:
    """Sources of an image and its photometric calibration.

    Attributes
    ----------
    number : ndarray of int
        Running number.
    ra_deg, dec_deg : ndarray
        Position at the time of the image.
    x, y : ndarray
        Pixel, counted from 1 at the centre of the first.
    magnitude_ab, magnitude_error : ndarray
        AB magnitude in the filter itself above the atmosphere, and its random error; NaN if
        uncalibrated.
    flags : ndarray of int
        `StarFlag` of each.
    is_target, is_matched : ndarray of bool
        The spectroscopic target; stars of the catalogue.
    filter_name : str
        Filter.
    zero_point_ab, zero_point_error : float
        Magnitude of 1 electron per second, and its error, which all sources share; NaN if
        uncalibrated.
    zero_point_kind : {'CATALOGUE', 'NIGHTLY', 'NONE'}
        What the zero point rests on.
    """

    number: NDArray[np.int_]
    ra_deg: Array
    dec_deg: Array
    x: Array
    y: Array
    magnitude_ab: Array
    magnitude_error: Array
    flags: NDArray[np.int_]
    is_target: NDArray[np.bool_]
    is_matched: NDArray[np.bool_]
    filter_name: str
    zero_point_ab: float
    zero_point_error: float
    zero_point_kind: str

    @property
    def target(self) -> int | None:
        """Row of the target; None if it lies off the image or its place is not known."""
        rows = np.flatnonzero(self.is_target)
        return int(rows[0]) if len(rows) else None

    @property
    def is_target_seen(self) -> bool:
        """Whether the target was detected; else its magnitude is a limit."""
        row = self.target
        return row is not None and not self.flags[row] & int(StarFlag.NOT_SEEN)

    @property
    def target_magnitude(self) -> tuple[float, float]:
        """AB magnitude of the target and its error with that of the zero point.

        A limit, with NaN as error, where it was not seen; NaN without calibration.
        """
        row = self.target
        if row is None:
            return float("nan"), float("nan")
        error = float(np.hypot(self.magnitude_error[row], self.zero_point_error))
        return float(self.magnitude_ab[row]), error


def read_phot_table(path: Path) -> PhotTable:
    """Read a PHOT_TAB_ACQ product.

    Raises
    ------
    UnreadableFrameError
        If the file has no such table.
    """
    with open_fits(path) as hdus:
        names = [hdu.name for hdu in hdus]
        table = hdus[SOURCES] if SOURCES in names else None
        columns = table.columns.names if table is not None else []
        missing = [name for name in _COLUMNS if name not in columns]
        if missing:
            raise UnreadableFrameError(
                "The file has not the table that is needed",
                file=path,
                expected=f"an extension {SOURCES} with the columns {', '.join(_COLUMNS)}",
                found=f"no column {', '.join(missing)}" if table is not None else "no such table",
                remedy="give the product PHOT_TAB_ACQ of soxs_astro_phot",
            )
        data = {name: np.array(table.data[name]) for name in _COLUMNS}
        header = table.header
        floats = (data[name].astype(float) for name in _COLUMNS[1:7])
        return PhotTable(
            data["NUMBER"].astype(int),
            *floats,
            data["FLAGS"].astype(int),
            data["TARGET"].astype(bool),
            data["MATCHED"].astype(bool),
            str(header.get("FILTER", "")).strip(),
            float(header.get("ZP", np.nan)),
            float(header.get("ZPERR", np.nan)),
            str(header.get("ZPTYPE", UNCALIBRATED)).strip(),
        )
