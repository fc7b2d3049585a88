"""The lists of arc lines."""

from __future__ import annotations

from importlib.resources.abc import Traversable
from pathlib import Path

import numpy as np

from soxs_recipes.algorithms.arc_lines import ArcLines
from soxs_recipes.errors import UnreadableFrameError

UNIDENTIFIED = "?"
"""Lamp of lines that are seen but not identified."""

_COLUMNS = ("wavelength_nm", "sigma_nm", "ion", "lamp", "log_amplitude")


def read_arc_lines(path: Path | Traversable) -> ArcLines:
    """Read ARC_LINES, an ECSV table with air wavelengths and log10 of strengths.

    Raises
    ------
    UnreadableFrameError
        If the file has not the columns, or no line.
    """
    try:
        text = path.read_text(encoding="utf-8").splitlines()
        rows = [line.split() for line in text if line.strip() and not line.startswith("#")]
        columns = np.array(rows[1:]).T
        wave, sigma, ion, lamp, strength = (columns[rows[0].index(name)] for name in _COLUMNS)
        order = np.argsort(wave.astype(float), kind="stable")
        return ArcLines(
            wave.astype(float)[order],
            sigma.astype(float)[order],
            ion[order],
            lamp[order],
            strength.astype(float)[order],
        )
    except (OSError, ValueError, IndexError) as error:
        raise UnreadableFrameError(
            "The file is no list of arc lines",
            file=str(path),
            expected=f"an ECSV table with the columns {', '.join(_COLUMNS)}",
            found=f"{type(error).__name__}: {error}",
            remedy="leave it out: the list of the package is then taken",
        ) from error


def of_lamps(lines: ArcLines, lamps: set[str]) -> ArcLines:
    """Lines of some lamps; unidentified ones (``?``) belong to any."""
    lit = np.isin(lines.lamp, [*lamps, UNIDENTIFIED])
    return ArcLines(**{name: value[lit] for name, value in vars(lines).items()})
