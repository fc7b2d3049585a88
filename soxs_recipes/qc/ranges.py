"""Acceptable ranges of quality-control parameters, from a table that a site can edit.

A value outside its range is a warning and a note in the header of the product, never a reason to
lose data.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path

from soxs_recipes.errors import UnreadableFrameError

COLUMNS = ("recipe", "qc", "arm", "min", "max")
ANY_ARM = "*"


@dataclass(frozen=True)
class QcRange:
    """Range of one QC parameter of a recipe.

    Attributes
    ----------
    recipe, qc : str
        Recipe and QC parameter (without ``ESO QC``).
    arm : str
        Arm, or ``*`` for all.
    low, high : float
        Bounds, which belong to the range; infinite where there is none.
    """

    recipe: str
    qc: str
    arm: str
    low: float
    high: float

    def holds(self, value: float) -> bool:
        """Whether a value lies in the range."""
        return self.low <= value <= self.high

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}"


def read_ranges(path: Path | Traversable) -> tuple[QcRange, ...]:
    """Read a table of ranges.

    Parameters
    ----------
    path : path
        ECSV (lines that start with ``#`` are skipped) with the columns recipe, qc, arm, min and
        max; names with blanks stand in double quotes, ``-`` is no bound.

    Raises
    ------
    UnreadableFrameError
        If the file cannot be read as such a table; the message names the line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _refused(path, f"{type(error).__name__}: {error}") from error
    lines = [(n, line) for n, line in enumerate(text.splitlines(), 1) if _is_data(line)]
    if not lines or tuple(_words(lines[0][1])) != COLUMNS:
        raise _refused(path, lines[0][1] if lines else "no table")
    return tuple(_range(path, number, _words(line)) for number, line in lines[1:])


def outside(
    ranges: Iterable[QcRange], recipe: str, arm: str, values: Iterable[tuple[str, object]]
) -> list[tuple[str, float, QcRange]]:
    """QC parameters that lie outside a range, with their value and the range.

    Parameters
    ----------
    ranges : iterable of QcRange
        All ranges.
    recipe, arm : str
        Recipe and arm of the values.
    values : iterable of (str, value)
        QC parameters by name; those that are no numbers have no range.
    """
    here = [item for item in ranges if item.recipe == recipe and item.arm in (arm, ANY_ARM)]
    found = []
    for name, value in values:
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        broken = (item for item in here if item.qc == name and not item.holds(value))
        found += [(name, float(value), item) for item in broken]
    return found


def _is_data(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _words(line: str) -> list[str]:
    return next(csv.reader([line.strip()], delimiter=" ", skipinitialspace=True))


def _range(path: Path | Traversable, number: int, words: Sequence[str]) -> QcRange:
    try:
        recipe, qc, arm, low, high = words
        bounds = _bound(low, -math.inf), _bound(high, math.inf)
    except ValueError as error:
        raise _refused(path, f"line {number}: {' '.join(words)}") from error
    if not bounds[0] <= bounds[1]:
        raise _refused(path, f"line {number}: min above max")
    return QcRange(recipe, qc, arm, *bounds)


def _bound(word: str, none: float) -> float:
    return none if word == "-" else float(word)


def _refused(path: Path | Traversable, found: str) -> UnreadableFrameError:
    return UnreadableFrameError(
        "The file is no table of QC ranges",
        file=str(path),
        expected=f"columns {' '.join(COLUMNS)}, separated by blanks, and numbers or - as bounds",
        found=found,
        remedy="mend the line, or leave the file out: the ranges of the package are then taken",
    )
