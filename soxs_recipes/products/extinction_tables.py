"""The static table of the extinction by the atmosphere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from soxs_recipes.errors import UnreadableFrameError

Array = NDArray[np.float64]

COLUMNS = ("wavelength_nm", "extinction_mag")


@dataclass(frozen=True)
class Extinction:
    """Magnitudes per airmass against wavelength, molecular lines apart."""

    wave_nm: Array
    magnitudes: Array

    def at(self, wave_nm: ArrayLike) -> Array:
        """Magnitudes per airmass, interpolated linearly; the outermost values beyond the table."""
        return np.interp(np.asarray(wave_nm, float), self.wave_nm, self.magnitudes)


def read_extinction(path: Path) -> Extinction:
    """Read EXTINCTION_TAB.

    Parameters
    ----------
    path : Path
        ECSV or FITS with the columns wavelength_nm and extinction_mag.

    Raises
    ------
    UnreadableFrameError
        If the file is no such table.
    """
    from astropy.table import Table

    try:
        table = Table.read(path, format="ascii.ecsv" if path.suffix == ".ecsv" else "fits")
        wave, magnitudes = (np.asarray(table[name], float) for name in COLUMNS)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnreadableFrameError(
            "The file is no extinction table",
            file=path,
            expected=f"ECSV or FITS with the columns {', '.join(COLUMNS)}",
            found=f"{type(error).__name__}: {error}",
            remedy="leave it out: the one of the package is then taken",
        ) from error
    order = np.argsort(wave)
    return Extinction(wave[order], magnitudes[order])
