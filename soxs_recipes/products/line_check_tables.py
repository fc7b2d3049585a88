"""Line checks to and from FITS tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from soxs_recipes.algorithms.line_check import LineCheck
from soxs_recipes.algorithms.resolution import OrderResolution
from soxs_recipes.errors import UnreadableFrameError
from soxs_recipes.products.fits_input import open_fits

if TYPE_CHECKING:
    from astropy.table import Table

LINES, ORDERS, OFFSET = "LINES", "ORDERS", "OFFSET"


def line_check_tables(check: LineCheck, orders: OrderResolution) -> dict[str, Table]:
    """Content of the extensions of a LINE_CHECK_TAB product."""
    from astropy.table import Table

    offset = check.offset
    shift = {
        "DX": offset.dx_px,
        "DY": offset.dy_px,
        "DX_ERR": offset.dx_error_px,
        "DY_ERR": offset.dy_error_px,
        "RMS": offset.along_rms_px,
        "LINES": offset.lines,
    }
    return {
        LINES: Table(_lines(check)),
        ORDERS: Table(_orders(check, orders)),
        OFFSET: Table({name: [value] for name, value in shift.items()}),
    }


def read_offset(path: Path) -> tuple[float, float]:
    """Shift (dx, dy) in px of a LINE_CHECK_TAB product, for `DispersionSolution.shifted`.

    Raises
    ------
    UnreadableFrameError
        If the file has no such table.
    """
    with open_fits(path) as hdus:
        names = [hdu.name for hdu in hdus]
        if OFFSET not in names:
            raise UnreadableFrameError(
                "The file is no line check",
                file=path,
                expected=f"an extension {OFFSET}",
                found=", ".join(filter(None, names)) or "no extension",
                remedy="give the product of soxs_line_check",
            )
        row = hdus[OFFSET].data[0]
        return float(row["DX"]), float(row["DY"])


def _lines(check: LineCheck) -> dict[str, np.ndarray]:
    lines = check.lines
    return {
        "ORDER": lines.order.astype("i2"),
        "WAVE": lines.wave_nm,
        "SLIT": lines.slit_arcsec,
        "X": lines.x,
        "Y": lines.y,
        "RESIDUAL": lines.residual_px,
        "ERROR": lines.residual_error_px,
        "FWHM": lines.fwhm_px,
        "R": lines.resolution,
        "SNR": lines.snr,
        "DETECTED": lines.detected.astype("i2"),
        "USED": check.used.astype("i2"),
    }


def _orders(check: LineCheck, orders: OrderResolution) -> dict[str, np.ndarray]:
    """One row per order with lines; the middle of the slit where it was measured."""
    centres = check.slit_centres
    slit = np.full((3, len(orders.order)), np.nan)
    place = np.searchsorted(orders.order, centres.order)
    slit[:, place] = centres.centre_arcsec, centres.length_arcsec, centres.shift_px
    return {
        "ORDER": orders.order.astype("i2"),
        "LINES": orders.lines.astype("i4"),
        "FWHM": orders.fwhm_px,
        "FWHM_SD": orders.fwhm_sd_px,
        "R": orders.resolution,
        "R_START": orders.start,
        "R_MIDDLE": orders.middle,
        "R_END": orders.end,
        "SHIFT": orders.shift_px,
        "SHIFT_SD": orders.shift_sd_px,
        "SLIT_CENTRE": slit[0],
        "SLIT_LENGTH": slit[1],
        "SLIT_SHIFT": slit[2],
    }
