"""A spectrum as text."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from soxs_recipes.products.sdp_reader import read_sdp
from soxs_recipes.products.writing import explained_write

_TOLD = (
    *("OBJECT", "MJD-OBS", "MJD-END", "EXPTIME", "FLUXCAL", "FLUXERR", "SPECSYS", "AIRORVAC"),
    *("TELLCORR", "SNR", "PROCSOFT"),
)


def write_ascii(product: Path, path: Path) -> None:
    """Write the columns of a spectrum as text, one line per bin.

    Parameters
    ----------
    product : Path
        A SCI_SLIT_FLUX product.
    path : Path
        Text to write: lines of ``#`` tell the observation, columns and units; columns are
        separated by blanks, values that are missing are ``nan``.

    Raises
    ------
    ProductError
        If it cannot be written.
    """
    table = read_sdp(product)
    names = table.colnames
    head = [f"{key:<8} = {table.meta[key]}" for key in _TOLD if key in table.meta]
    units = [str(getattr(table[name], "unit", None) or "-").replace(" ", "") for name in names]
    head += [" ".join(names), " ".join(units)]
    formats = ["%d" if name == "QUAL" else "%.7g" for name in names]
    formats[0] = "%.6f"
    values = np.column_stack([np.asarray(table[name], float) for name in names])
    with explained_write(path):
        np.savetxt(path, values, fmt=formats, header="\n".join(head), comments="# ")
