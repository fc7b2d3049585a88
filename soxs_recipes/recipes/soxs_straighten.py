"""soxs_straighten: rectify the orders of a slit frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from soxs_recipes.recipes.base import Result, Run, SoxsRecipe, temperatures
from soxs_recipes.recipes.common import PRODUCT_SUFFIX, TEMPERATURES
from soxs_recipes.recipes.common_inputs import DETRENDING_PARAMETERS, detrending_inputs
from soxs_recipes.recipes.declarations import (
    Column,
    Declaration,
    Hdu,
    Parameter,
    Product,
    Qc,
    detector_hdus,
)
from soxs_recipes.recipes.slit_frames import (
    DISP_TAB_2D,
    OBSERVATIONS,
    SKY_SUB,
    SLIT_ARC,
    SLIT_ARC_OFF,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from astropy.table import Table

    from soxs_recipes.algorithms.dispersion import DispersionSolution
    from soxs_recipes.algorithms.frame import DetectorFrame
    from soxs_recipes.algorithms.rectify import Rectified
    from soxs_recipes.algorithms.rectify_grid import RectifiedGrid
    from soxs_recipes.recipes.declarations import Input
    from soxs_recipes.recipes.frames import InputFrame

STRAIGHTENED = Product(
    "STRAIGHTENED_{arm}",
    "rectified orders: wavelength in air against slit position",
    (
        *detector_hdus("electron", "all orders on one grid, summed where they overlap"),
        Hdu("ORDER_FLUX", "f4", "electron", "each order on its own grid: order, slit, wavelength"),
        Hdu("ORDER_ERRS", "f4", "electron", "standard error of ORDER_FLUX"),
        Hdu("ORDER_QUAL", "u2", "", "quality bit mask of ORDER_FLUX, 0 is good"),
        Hdu(
            "GRIDS",
            "table",
            "",
            "one row per plane of ORDER_FLUX",
            (
                Column("ORDER", "i2", "", "order number"),
                Column("WAVE_START", "f8", "nm", "wavelength of the first column"),
                Column("WAVE_STEP", "f8", "nm", "step from column to column"),
                Column("WAVE_COUNT", "i4", "", "columns in use"),
                Column("COVAR", "f8", "", "variance of large sums over sum of variances"),
            ),
        ),
    ),
)
SLIT_HALF = Parameter(
    "slit-half", 6.5, "How far from the slit centre the images reach", "arcsec", 1.0, 7.0
)
SLIT_STEP = Parameter(
    "slit-step", 0.0, "Height of a cell; 0 is the median pixel", "arcsec", 0.0, 2.0
)
ORDER_STEP = Parameter(
    "order-step", 0.0, "Step of the single orders; 0 is the median pixel of each", "nm", 0.0, 1.0
)
MERGED_STEP = Parameter(
    "merged-step",
    0.0,
    "Step of the image of all orders; 0 is a pixel of the finest order",
    "nm",
    0.0,
    1.0,
)

DECLARATION = Declaration(
    name="soxs_straighten",
    synopsis="Rectify the orders of a slit frame",
    description="""
A slit arc or an exposure of the sky, detrended first, or a frame without sky is resampled onto
regular grids of wavelength and slit position: each order onto a grid of its own, and all orders
onto one, each straight from the detector. Every pixel is shared out among cells by the area of
overlap, so that flux is conserved; variances are propagated. Neighbouring cells share pixels: the
variance of a sum over many cells is the sum of their variances times the covariance factor that is
given. In the image of all orders signals are summed where orders overlap. Cells less than half
covered by usable pixels hold no data; others are scaled to full coverage and flagged as
interpolated.
""",
    arms=("VIS", "NIR"),
    inputs=(
        SLIT_ARC,
        *OBSERVATIONS,
        *SKY_SUB,
        SLIT_ARC_OFF,
        DISP_TAB_2D,
        *detrending_inputs(),
    ),
    products=(STRAIGHTENED,),
    parameters=(
        *DETRENDING_PARAMETERS,
        SLIT_HALF,
        SLIT_STEP,
        ORDER_STEP,
        MERGED_STEP,
        PRODUCT_SUFFIX,
    ),
    qc=(
        Qc("N ORDERS", "", "orders rectified", int),
        Qc("COVAR FACTOR", "", "variance of sums over sum of variances"),
        Qc("NODATA FRAC", "", "fraction of cells without data"),
        *TEMPERATURES,
    ),
    example=(("SLIT_ARC_NIR", 1), ("SLIT_ARC_OFF_NIR", 1), ("DISP_TAB_2D_NIR", 1)),
)


class SoxsStraighten(SoxsRecipe):
    """Rectify the orders of a slit frame."""

    declaration = DECLARATION

    def process(self, run: Run) -> list[Result]:
        """Detrend the frame, resample its orders and describe the grids."""
        import numpy as np

        from soxs_recipes.algorithms.quality import Quality, has
        from soxs_recipes.algorithms.rectify import RectifySettings, rectify
        from soxs_recipes.products.detector_frames import planes
        from soxs_recipes.recipes.slit_frames import chosen_input

        source = _source(run, chosen_input(run, (SLIT_ARC, *OBSERVATIONS, *SKY_SUB)))
        given = run.settings
        settings = RectifySettings(
            given.slit_half, given.slit_step, given.order_step, given.merged_step
        )
        orders, merged = rectify(source.frame, source.solution, settings)
        content = {**planes(merged.frame()), **_cubes(orders), "GRIDS": _grids(orders)}
        merged_cards = wcs_cards(merged.grid)
        cube_cards = {**wcs_cards(merged.grid), **PIXEL_AXIS}
        cards = dict.fromkeys(("FLUX", "ERRS", "QUAL"), merged_cards)
        cards |= dict.fromkeys(("ORDER_FLUX", "ORDER_ERRS", "ORDER_QUAL"), cube_cards)
        empty = np.concatenate([has(one.quality, Quality.NO_DATA).ravel() for one in orders])
        qc = {
            "N ORDERS": len(orders),
            "COVAR FACTOR": merged.covariance_factor,
            "NODATA FRAC": empty.mean(),
            **temperatures(source.files),
        }
        steps = (*source.steps, "rectified by area of overlap")
        return [Result(STRAIGHTENED, content, qc, source.exptime_s, steps=steps, cards=cards)]


@dataclass(frozen=True)
class _Source:
    """What is rectified, and the solution that holds for it."""

    frame: DetectorFrame
    solution: DispersionSolution
    exptime_s: float
    files: Sequence[InputFrame]
    steps: tuple[str, ...]


def _source(run: Run, item: Input) -> _Source:
    """Raw frames detrended, or a frame without sky, whose flexure is known."""
    from soxs_recipes.products.detector_frames import read_detector_frame
    from soxs_recipes.recipes.detrending import detrended
    from soxs_recipes.recipes.slit_frames import full_solution, with_flexure

    if item not in SKY_SUB:
        raw = detrended(run, item, SLIT_ARC_OFF)
        solution = full_solution(run, raw.frame.shape)
        return _Source(raw.frame, solution, raw.exptime_s, raw.frames, raw.steps)
    file = run.inputs.one(item)
    frame, header = read_detector_frame(file.path)
    solution = with_flexure(full_solution(run, frame.shape), file.path)
    return _Source(frame, solution, float(header["EXPTIME"]), (file,), ())


# The columns of the cubes: their wavelengths stand in GRIDS, since each plane has its own.
PIXEL_AXIS = {
    "CTYPE1": "PIXEL",
    "CUNIT1": "",
    "CRVAL1": 1.0,
    "CDELT1": 1.0,
    "CTYPE3": "ORDER",
}


def wcs_cards(grid: RectifiedGrid) -> dict[str, float | str]:
    """World coordinates of a rectified image (Greisen et al. 2006): air wavelength and slit."""
    return {
        "CTYPE1": "AWAV",
        "CUNIT1": "nm",
        "CRPIX1": 1.0,
        "CRVAL1": grid.wave_start_nm,
        "CDELT1": grid.wave_step_nm,
        "CTYPE2": "LINEAR",
        "CUNIT2": "arcsec",
        "CRPIX2": 1.0,
        "CRVAL2": grid.slit_start_arcsec,
        "CDELT2": grid.slit_step_arcsec,
    }


def _cubes(orders: Sequence[Rectified]) -> dict[str, np.ndarray]:
    """Planes of all orders, filled up to the longest with cells without data."""
    import numpy as np

    from soxs_recipes.algorithms.quality import Quality

    rows, columns = orders[0].grid.slit_count, max(one.grid.wave_count for one in orders)
    shape = (len(orders), rows, columns)
    flux, error = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    quality = np.full(shape, np.uint16(Quality.NO_DATA))
    for plane, one in enumerate(orders):
        used = (plane, slice(None), slice(one.grid.wave_count))
        flux[used], error[used], quality[used] = one.flux, np.sqrt(one.variance), one.quality
    return {"ORDER_FLUX": flux, "ORDER_ERRS": error, "ORDER_QUAL": quality}


def _grids(orders: Sequence[Rectified]) -> Table:
    import numpy as np
    from astropy.table import Table

    return Table(
        {
            "ORDER": np.array([one.order for one in orders], "i2"),
            "WAVE_START": [one.grid.wave_start_nm for one in orders],
            "WAVE_STEP": [one.grid.wave_step_nm for one in orders],
            "WAVE_COUNT": np.array([one.grid.wave_count for one in orders], "i4"),
            "COVAR": [one.covariance_factor for one in orders],
        }
    )
