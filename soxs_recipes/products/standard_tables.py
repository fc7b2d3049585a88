"""Static tables of standard stars: flux standards, and the model of an A0V star."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from soxs_recipes.algorithms.a0v_star import StarModel
from soxs_recipes.algorithms.standard_stars import ReferenceSpectrum, StandardStar
from soxs_recipes.products.table_input import read_columns

_PACKAGE = "the package, leaving it out of the set of frames"


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


def read_star_model(path: Path) -> StarModel:
    """Read A0V_MODEL.

    Raises
    ------
    UnreadableFrameError
        If the file has no such table.
    """
    data, header = read_columns(path, "VEGA", ("WAVE_VAC", "FLUX", "CONTINUUM"), _PACKAGE)
    continuum = data["CONTINUUM"].astype(float)
    return StarModel(
        float(np.log(data["WAVE_VAC"][0])),
        float(header["DLNW"]),
        continuum,
        data["FLUX"] / continuum,
        float(header.get("VSINI", 0.0)),
    )


def _split(aliases: str) -> tuple[str, ...]:
    return tuple(alias.strip() for alias in aliases.split(",") if alias.strip())
