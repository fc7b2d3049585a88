"""What recipes that make a dispersion solution share: extensions, parameters, QC."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING

from soxs_recipes.errors import InputError
from soxs_recipes.recipes.common import detection
from soxs_recipes.recipes.declarations import AUTO, Column, Hdu, Parameter

if TYPE_CHECKING:
    from soxs_recipes.algorithms.dispersion_lines import LineSearch
    from soxs_recipes.recipes.base import Run
    from soxs_recipes.recipes.frames import InputFrame

_SERIES = "12f8"


class ArcMismatchError(InputError):
    """An arc does not show its lines where the spectral format and the mask have them."""


DISPERSION_HDUS = (
    Hdu(
        "SOLUTION",
        "table",
        "",
        "one row per order: position = sum of Tk(slit / 6 arcsec) times series k in wavelength",
        (
            Column("ORDER", "i2", "", "order number"),
            Column("CENTRE", "f8", "nm", "wavelength (standard air) that is 0 in the series"),
            Column("HALF", "f8", "nm", "from there to the wavelength that is 1"),
            Column("RANGE_FIRST", "f8", "nm", "shortest wavelength on the detector"),
            Column("RANGE_LAST", "f8", "nm", "longest one"),
            Column("FITTED_FIRST", "f8", "nm", "shortest fitted wavelength"),
            Column("FITTED_LAST", "f8", "nm", "longest one; positions beyond are extrapolated"),
            *(
                Column(f"{axis}{k}", _SERIES, "pixel", f"series {k} of {axis.lower()}, Chebyshev's")
                for axis in "XY"
                for k in range(4)
            ),
        ),
    ),
    Hdu(
        "FRAME",
        "table",
        "",
        "the trimmed frame, zero-based pixels, one row",
        (
            Column("ARM", "3A", "", "arm"),
            Column("ROWS", "i4", "pixel", "rows"),
            Column("COLUMNS", "i4", "pixel", "columns"),
            Column("AXIS", "1A", "", "axis along which wavelength runs, x or y"),
        ),
    ),
)
WAVE_DEGREE = Parameter(
    "wave-degree",
    6,
    "Largest degree in wavelength that the fitted model may have",
    minimum=2,
    maximum=10,
)
ORDER_DEGREE = Parameter(
    "order-degree",
    AUTO,
    "Degree in the order number of the same; 'own' fits each order by itself",
    choices=(AUTO, "own", *(str(degree) for degree in range(1, 9))),
    by_arm=MappingProxyType({"VIS": "own", "NIR": "4"}),
)
DETECTION = detection(8.0)
LINE_KAPPA = Parameter(
    "line-kappa", 4.0, "Lines further off the model are rejected", "sigma", 2.0, 100.0
)
REACH = Parameter(
    "reach", 20.0, "Largest shift of the format that is looked for", "unbinned pixel", 1.0, 60.0
)

# Width of a pinhole's image along dispersion, unbinned pixels.
SPOT_FWHM_PX = 1.7
# Degrees in wavelength and order number start here.
LOWEST_DEGREES = (4, 3)


def line_search(run: Run, frame: InputFrame, slit_arcsec: Sequence[float] = (0.0,)) -> LineSearch:
    """What is looked for in an arc, from the settings of a run."""
    import numpy as np

    from soxs_recipes.algorithms.dispersion_lines import LineSearch

    given, binning = run.settings, frame.readout.binning
    along, across = binning if run.arm.detector.dispersion_axis == "x" else binning[::-1]
    faintest, bright = run.arm.arc_strengths
    return LineSearch(
        fwhm_px=(SPOT_FWHM_PX / along, SPOT_FWHM_PX / across),
        faintest=faintest,
        bright=bright,
        slit_arcsec=np.asarray(slit_arcsec, float),
        reach_px=given.reach / min(binning),
        min_snr=given.detection,
    )


def order_model(run: Run) -> tuple[str, list[tuple[int, int]]]:
    """How orders are fitted, and the degrees to choose from, simplest first."""
    highest, orders = run.settings.wave_degree, run.settings.order_degree
    degrees = range(min(LOWEST_DEGREES[0], highest), highest + 1)
    if orders == "own":
        return "separate", [(degree, 0) for degree in degrees]
    top, low = int(orders), LOWEST_DEGREES[1]
    return "echelle", [(degree, min(low + step, top)) for step, degree in enumerate(degrees)]


@contextmanager
def lines_explained(frame: InputFrame) -> Iterator[None]:
    """Turn a failure to find or fit lines into an error about the frame.

    Raises
    ------
    ArcMismatchError
        If the frame does not show the lines of its lamps, or too few of them.
    """
    from soxs_recipes.algorithms.dispersion_fit import FitError
    from soxs_recipes.algorithms.dispersion_lines import NoArcLinesError

    try:
        yield
    except NoArcLinesError as error:
        raise ArcMismatchError(
            "The frame does not show the lines of its lamps where the arm has them",
            file=frame.path,
            expected="spots of the lines in the header's lamps, shifted by less than --reach",
            found=str(error),
            remedy="check lamps, mask, exposure time and arm of the frame",
        ) from error
    except FitError as error:
        raise ArcMismatchError(
            "The frame shows too few lines for a dispersion solution",
            file=frame.path,
            expected="lines all over every order",
            found=str(error),
            remedy="give a longer exposure, or lower --wave-degree or --detection",
        ) from error
