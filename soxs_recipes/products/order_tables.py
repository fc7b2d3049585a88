"""Order tables to and from FITS."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from soxs_recipes.algorithms.order_table import OrderTable
from soxs_recipes.errors import UnreadableFrameError
from soxs_recipes.products.fits_input import open_fits

if TYPE_CHECKING:
    from astropy.table import Table

ORDERS = "ORDERS"


def order_columns(table: OrderTable) -> Table:
    """Content of the extension ORDERS."""
    from astropy.table import Table

    return Table(table.to_columns())


def read_order_table(path: Path, shape: tuple[int, int], dispersion_axis: str) -> OrderTable:
    """Read an ORDER_TAB or ORDER_TAB_EDGES product.

    Parameters
    ----------
    path : Path
        The product.
    shape : tuple of int
        Rows and columns of the trimmed frames it belongs to.
    dispersion_axis : {'x', 'y'}
        Detector axis along which wavelength runs.

    Raises
    ------
    UnreadableFrameError
        If the file has no such table.
    """
    with open_fits(path) as hdus:
        names = [hdu.name for hdu in hdus]
        if ORDERS not in names:
            raise _no_table(path, ", ".join(filter(None, names)) or "no extension")
        data = hdus[ORDERS].data
        columns = {name: data[name] for name in data.names}
    try:
        return OrderTable.from_columns(columns, shape, dispersion_axis)
    except KeyError as error:
        raise _no_table(path, f"no column {error}") from error


def _no_table(path: Path, found: str) -> UnreadableFrameError:
    return UnreadableFrameError(
        "The file is no order table",
        file=path,
        expected=f"an extension {ORDERS} with order centres",
        found=found,
        remedy="give the product of soxs_order_centres",
    )
