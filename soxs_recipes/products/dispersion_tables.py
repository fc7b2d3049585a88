"""Dispersion solutions to and from FITS tables."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from soxs_recipes.algorithms.dispersion import DispersionSolution
from soxs_recipes.errors import UnreadableFrameError
from soxs_recipes.products.fits_input import open_fits

if TYPE_CHECKING:
    from astropy.table import Table

SOLUTION, FRAME = "SOLUTION", "FRAME"
SLIT_POWERS = 4
"""Terms in the slit position that a table has room for; those not in use are NaN."""
WAVE_TERMS = 12
"""Terms in the wavelength that a table has room for; those not in use are NaN."""

_RANGES = {"RANGE": "range_nm", "FITTED": "fitted_nm"}
_COEFFICIENTS = {"X": "x_coef", "Y": "y_coef"}


def dispersion_tables(solution: DispersionSolution) -> dict[str, Table]:
    """Content of the extensions of a DISP_TAB or DISP_TAB_2D product.

    Raises
    ------
    ValueError
        If the solution has more terms than a table has room for.
    """
    from astropy.table import Table

    rows, columns = solution.shape
    frame = {"ARM": solution.arm, "ROWS": rows, "COLUMNS": columns}
    frame["AXIS"] = solution.dispersion_axis
    orders = {
        "ORDER": solution.orders.astype("i2"),
        "CENTRE": solution.centre_nm,
        "HALF": solution.half_nm,
    }
    for name, attribute in _RANGES.items():
        bounds = getattr(solution, attribute)
        orders |= {f"{name}_FIRST": bounds[:, 0], f"{name}_LAST": bounds[:, 1]}
    for name, attribute in _COEFFICIENTS.items():
        series = _padded(getattr(solution, attribute))
        orders |= {f"{name}{power}": series[:, power] for power in range(SLIT_POWERS)}
    table = Table({name: [value] for name, value in frame.items()})
    table["ROWS"], table["COLUMNS"] = (table[name].astype("i4") for name in ("ROWS", "COLUMNS"))
    return {SOLUTION: Table(orders), FRAME: table}


def read_dispersion_table(path: Path) -> DispersionSolution:
    """Read a DISP_TAB or DISP_TAB_2D product.

    Raises
    ------
    UnreadableFrameError
        If the file is no such product, or a damaged one.
    """
    with open_fits(path) as hdus:
        names = [hdu.name for hdu in hdus]
        if SOLUTION not in names or FRAME not in names:
            raise _no_solution(path, ", ".join(filter(None, names)) or "no extension")
        try:
            return _solution(hdus[SOLUTION].data, hdus[FRAME].data[0])
        except (KeyError, IndexError, ValueError) as error:
            raise _no_solution(path, str(error).strip("'\"")) from error


def _solution(orders: np.ndarray, frame: np.ndarray) -> DispersionSolution:
    ranges = {
        attribute: np.stack([_column(orders, f"{name}_{end}") for end in ("FIRST", "LAST")], axis=1)
        for name, attribute in _RANGES.items()
    }
    coefficients = {
        attribute: np.stack([_column(orders, f"{name}{k}") for k in range(SLIT_POWERS)], axis=1)
        for name, attribute in _COEFFICIENTS.items()
    }
    return DispersionSolution(
        arm=str(frame["ARM"]),
        shape=(int(frame["ROWS"]), int(frame["COLUMNS"])),
        dispersion_axis=str(frame["AXIS"]),
        orders=np.array(orders["ORDER"], int),
        centre_nm=_column(orders, "CENTRE"),
        half_nm=_column(orders, "HALF"),
        **ranges,
        **{name: _unpadded(series) for name, series in coefficients.items()},
    )


def _column(table: np.ndarray, name: str) -> np.ndarray:
    """Column in the byte order of the machine."""
    return np.array(table[name], float)


def _padded(coefficients: np.ndarray) -> np.ndarray:
    orders, powers, terms = coefficients.shape
    if powers > SLIT_POWERS or terms > WAVE_TERMS:
        raise ValueError(
            f"at most {SLIT_POWERS} x {WAVE_TERMS} terms fit the table, found {powers} x {terms}"
        )
    padded = np.full((orders, SLIT_POWERS, WAVE_TERMS), np.nan)
    padded[:, :powers, :terms] = coefficients
    return padded


def _unpadded(padded: np.ndarray) -> np.ndarray:
    used = np.isfinite(padded).all(axis=0)
    powers, terms = np.count_nonzero(used[:, 0]), np.count_nonzero(used[0])
    block = padded[:, :powers, :terms]
    if not block.size or not np.isfinite(block).all():
        raise ValueError("coefficients are missing")
    return block.copy()


def _no_solution(path: Path, found: str) -> UnreadableFrameError:
    return UnreadableFrameError(
        "The file is no dispersion solution",
        file=path,
        expected=f"extensions {SOLUTION} and {FRAME} with coefficients of each order",
        found=found,
        remedy="give the product of soxs_disp_solution or soxs_spatial_solution",
    )
