"""Static tables of flux calibration: standard stars and extinction."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.algorithms.standard_stars import ReferenceSpectrum, StandardStar
from soxs_recipes.errors import UnreadableFrameError
from soxs_recipes.products.table_input import read_columns

Array = NDArray[np.float64]

_PACKAGE = "the package, leaving it out of the set of frames"
_EXTINCTION_COLUMNS = ("wavelength_nm", "extinction_mag")


def read_standard_stars(path: Path) -> list[StandardStar]:
    """Stars of FLUX_STD_TAB.

    Raises
    ------
    UnreadableFrameError
        If the file has no such table.
    """
    names = ("NAME", "ALIASES", "RA", "DEC")
    data, _ = read_columns(path, "STARS", names, _PACKAGE)
    rows = zip(*(data[name].tolist() for name in names), strict=True)
    return [
        StandardStar(str(name).strip(), _split(str(aliases)), float(ra), float(dec))
        for name, aliases, ra, dec in rows
    ]


def read_reference(path: Path, star: str) -> ReferenceSpectrum:
    """Spectrum of one star of FLUX_STD_TAB.

    Raises
    ------
    UnreadableFrameError
        If the file has no column of that name.
    """
    data, _ = read_columns(path, "FLUX", ("WAVE", star), _PACKAGE)
    return ReferenceSpectrum(data["WAVE"].astype(float), data[star].astype(float))


def read_extinction(path: Path) -> tuple[Array, Array]:
    """Wavelengths (nm) and extinction (mag per airmass) of EXTINCTION_TAB, an ECSV table.

    Raises
    ------
    UnreadableFrameError
        If the file has not the columns.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        data = [line.split() for line in lines if line.strip() and not line.startswith("#")]
        places = [data[0].index(name) for name in _EXTINCTION_COLUMNS]
        wave, extinction = (np.array([float(row[i]) for row in data[1:]]) for i in places)
        if not np.all(np.diff(wave) > 0):
            raise ValueError("wavelengths do not rise")
    except (OSError, ValueError, IndexError) as error:
        raise UnreadableFrameError(
            "The file is no extinction curve",
            file=path,
            expected=f"an ECSV table with the columns {', '.join(_EXTINCTION_COLUMNS)}",
            found=f"{type(error).__name__}: {error}",
            remedy="leave it out: the one of the package is then taken",
        ) from error
    return wave, extinction


def _split(aliases: str) -> tuple[str, ...]:
    return tuple(alias.strip() for alias in aliases.split(",") if alias.strip())
