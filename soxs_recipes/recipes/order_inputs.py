"""What recipes that work along orders share: expected orders, tables, errors that name a file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from soxs_recipes.errors import InputError
from soxs_recipes.recipes.declarations import Column, Hdu, Input, Kind, Match, Setting

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from soxs_recipes.recipes.base import Run
    from soxs_recipes.recipes.frames import InputFrame

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


DISP_TAB = Input(
    "DISP_TAB_{arm}",
    "dispersion solution of the slit centre: orders are expected there, else by the format",
    Kind.CALIB,
    minimum=0,
    maximum=1,
    match=(Match(Setting.BINNING),),
)


def expected_orders(run: Run, frame: InputFrame) -> tuple[NDArray[np.int_], NDArray[np.float64]]:
    """Order numbers and where their centres are expected in a frame, before it is measured.

    Raises
    ------
    SettingMismatchError
        If the dispersion solution is of another binning.
    """
    from soxs_recipes.algorithms.tracing_expected import expected_centres, moved_centres
    from soxs_recipes.recipes.arc_inputs import expected_format
    from soxs_recipes.recipes.slit_frames import solution_of_shape

    nominal = expected_format(run, frame)
    orders, centres = expected_centres(nominal)
    given = run.inputs.one(DISP_TAB)
    if given is None:
        return orders, centres
    return orders, moved_centres(orders, centres, solution_of_shape(given.path, nominal.shape))


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
