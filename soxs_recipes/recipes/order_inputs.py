"""What recipes that work along orders share: expected orders, tables, errors that name a file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from soxs_recipes.errors import InputError
from soxs_recipes.recipes.declarations import Column, Hdu

if TYPE_CHECKING:
    from soxs_recipes.algorithms.dispersion import DispersionSolution
    from soxs_recipes.recipes.base import Run

_COEFFICIENTS = "12f8"

ORDERS_HDU = Hdu(
    "ORDERS",
    "table",
    "",
    "one row per order; series are Chebyshev's, in the pixel along dispersion scaled to -1..1",
    (
        Column("ORDER", "i2", "", "order number"),
        Column("FIRST", "f8", "pixel", "first pixel along dispersion with a sample"),
        Column("LAST", "f8", "pixel", "last one; the series is extrapolated beyond"),
        Column("WIDTH", "f8", "pixel", "SD of the pinhole's image across dispersion"),
        Column("CENTRE", _COEFFICIENTS, "pixel", "series of the order centre"),
    ),
)
EDGES_HDU = Hdu(
    "ORDERS",
    "table",
    "",
    ORDERS_HDU.help,
    (
        *ORDERS_HDU.columns,
        Column("LOWER", _COEFFICIENTS, "pixel", "series of the lower edge"),
        Column("UPPER", _COEFFICIENTS, "pixel", "series of the upper edge"),
        Column("EDGE_FIRST", "f8", "pixel", "first pixel along dispersion with measured edges"),
        Column("EDGE_LAST", "f8", "pixel", "last one"),
    ),
)


def packaged_format(run: Run) -> DispersionSolution:
    """Return the spectral format that comes with the package."""
    import json
    from importlib.resources import files

    from soxs_recipes.instrument.spectral_format import spectral_format

    file = files("soxs_recipes.calib") / f"spectral_format_{run.arm.name.lower()}.json"
    return spectral_format(json.loads(file.read_text(encoding="utf-8")))


@contextmanager
def about(path: Path) -> Iterator[None]:
    """Let errors that arise from the content of a file name it."""
    try:
        yield
    except InputError as error:
        if error.file is not None:
            raise
        raise type(error)(
            error.summary,
            file=path,
            expected=error.expected,
            found=error.found,
            remedy=error.remedy,
        ) from error
