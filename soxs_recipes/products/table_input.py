"""Tables of products, read with a clear error where a file is of another kind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from soxs_recipes.errors import UnreadableFrameError
from soxs_recipes.products.fits_input import open_fits


def read_columns(
    path: Path, extension: str, columns: Sequence[str], recipe: str
) -> tuple[dict[str, NDArray], fits.Header]:
    """Read columns of one table of a product, in the machine's byte order.

    Parameters
    ----------
    path : Path
        The product.
    extension : str
        EXTNAME of the table.
    columns : sequence of str
        Columns that are needed.
    recipe : str
        Recipe that makes the product, named in the error.

    Returns
    -------
    dict, Header
        Columns by name, and the header of the extension.

    Raises
    ------
    UnreadableFrameError
        If the file has no such table, the table no such column or no row.
    """
    with open_fits(path) as hdus:
        if extension not in [hdu.name for hdu in hdus]:
            found = ", ".join(hdu.name for hdu in hdus[1:]) or "no extension"
            raise _foreign(path, f"an extension {extension}", found, recipe)
        table = hdus[extension]
        missing = set(columns) - set(table.columns.names)
        if missing or not len(table.data):
            wanted = f"the columns {', '.join(columns)} with at least one row"
            found = f"no {', '.join(sorted(missing))}" if missing else "no row"
            raise _foreign(path, wanted, found, recipe)
        data = {name: _native(table.data[name]) for name in columns}
        return data, table.header.copy()


def _native(values: NDArray) -> NDArray:
    return np.array(values, values.dtype.newbyteorder("="))


def _foreign(path: Path, expected: str, found: str, recipe: str) -> UnreadableFrameError:
    return UnreadableFrameError(
        "The file has not the table that is needed",
        file=path,
        expected=expected,
        found=found,
        remedy=f"give the product of {recipe}",
    )
