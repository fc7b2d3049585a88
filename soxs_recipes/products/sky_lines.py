"""The list of night-sky emission lines."""

from __future__ import annotations

from importlib.resources.abc import Traversable
from pathlib import Path

import numpy as np

from soxs_recipes.algorithms.arc_lines import ArcLines
from soxs_recipes.errors import UnreadableFrameError

# Uncertainty of the listed wavelengths: lists of different origin agree to this.
SIGMA_NM = 0.001
# Lines closer than their wavelength over this, a third of a line width, are one line.
UNRESOLVED = 17000
_COLUMNS = ("wavelength_nm", "rel_flux", "isolated")


def read_sky_lines(path: Path | Traversable) -> ArcLines:
    """Read SKY_LINES, an ECSV table with wavelengths in air and relative fluxes.

    Raises
    ------
    UnreadableFrameError
        If the file has not the columns.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        data = [line.split() for line in lines if line.strip() and not line.startswith("#")]
        place = [data[0].index(name) for name in _COLUMNS]
        wave, flux = (np.array([float(row[i]) for row in data[1:]]) for i in place[:2])
    except (OSError, ValueError, IndexError) as error:
        raise UnreadableFrameError(
            "The file is no list of sky lines",
            file=str(path),
            expected=f"an ECSV table with the columns {', '.join(_COLUMNS)}",
            found=f"{type(error).__name__}: {error}",
            remedy="leave it out: the list of the package is then taken",
        ) from error
    sort = np.argsort(wave)
    wave, flux = _joined(wave[sort], np.maximum(flux[sort], 1e-6))
    name = np.full(len(wave), "sky")
    return ArcLines(wave, np.full(len(wave), SIGMA_NM), name, name, np.log10(flux))


def _joined(wave: np.ndarray, flux: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Join lines that are not resolved, such as the Lambda doublets of OH, at their mean."""
    apart = np.diff(wave) > wave[1:] / UNRESOLVED
    group = np.concatenate([[0], np.cumsum(apart)])
    total = np.bincount(group, flux)
    return np.bincount(group, flux * wave) / total, total
