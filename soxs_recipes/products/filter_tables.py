"""Filter curves of the acquisition camera and of the star catalogue, from FITS or ECSV."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from soxs_recipes.algorithms.passbands import Passband
from soxs_recipes.errors import UnreadableFrameError

CATALOGUE_SYSTEM = "PS1_"
"""Start of the names of the filters in which RefCat2 gives magnitudes."""

COLUMNS = ("FILTER", "WAVE", "THROUGHPUT")


def read_filters(path: Path) -> dict[str, Passband]:
    """Read a FILTER_TAB: passbands by the name of the filter.

    Raises
    ------
    UnreadableFrameError
        If the file is no such table.
    """
    from astropy.table import Table

    kind = "ascii.ecsv" if path.suffix == ".ecsv" else "fits"
    try:
        table = Table.read(path, format=kind)
        columns = {name.upper(): name for name in table.colnames}
        names, wave, throughput = (np.asarray(table[columns[name]]) for name in COLUMNS)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnreadableFrameError(
            "The file is no table of filter curves",
            file=path,
            expected=f"ECSV or FITS with the columns {', '.join(COLUMNS)}",
            found=f"{type(error).__name__}: {error}",
            remedy="leave it out to use the package's own, or correct it",
        ) from error
    names = np.char.strip(names.astype(str))
    bands = {}
    for name in dict.fromkeys(names.tolist()):
        ours = np.flatnonzero(names == name)
        ours = ours[np.argsort(wave[ours])]
        bands[name] = Passband(name, wave[ours].astype(float), throughput[ours].astype(float))
    return bands
