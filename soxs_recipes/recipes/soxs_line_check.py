"""soxs_line_check: resolution and flexure from lines through the slit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from soxs_recipes.errors import HeaderError, InputError
from soxs_recipes.instrument.classification import SLIT_KEYWORDS
from soxs_recipes.instrument.spectrograph import SLIT_PX_PER_ARCSEC, slit_width_of_name
from soxs_recipes.recipes.base import Result, Run, SoxsRecipe, temperatures
from soxs_recipes.recipes.common import PRODUCT_SUFFIX, TEMPERATURES, detection
from soxs_recipes.recipes.common_inputs import DETRENDING_PARAMETERS, detrending_inputs
from soxs_recipes.recipes.declarations import (
    Column,
    Declaration,
    Hdu,
    Input,
    Parameter,
    Product,
    Qc,
)
from soxs_recipes.recipes.slit_frames import DISP_TAB_2D, OBSERVATIONS, SLIT_ARC, SLIT_ARC_OFF
from soxs_recipes.recipes.statics import ARC_LINES, SKY_LINES

if TYPE_CHECKING:
    from soxs_recipes.algorithms.arc_lines import ArcLines
    from soxs_recipes.algorithms.line_check import LineCheck
    from soxs_recipes.algorithms.line_check_rows import CheckSettings
    from soxs_recipes.recipes.frames import InputFrame

LINE_CHECK_TAB = Product(
    "LINE_CHECK_TAB_{arm}",
    "lines through the slit against the dispersion solution",
    (
        Hdu(
            "LINES",
            "table",
            "",
            "one row per line, order and slit position",
            (
                Column("ORDER", "i2", "", "order number"),
                Column("WAVE", "f8", "nm", "wavelength, standard air"),
                Column("SLIT", "f8", "arcsec", "slit position"),
                Column("X", "f8", "pixel", "expected position, trimmed frame, zero-based"),
                Column("Y", "f8", "pixel", "expected position"),
                Column("RESIDUAL", "f8", "pixel", "measured minus expected, along dispersion"),
                Column("ERROR", "f8", "pixel", "its standard error"),
                Column("FWHM", "f8", "pixel", "width along dispersion, with the pixel's"),
                Column("R", "f8", "", "resolving power"),
                Column("SNR", "f8", "", "height over its error"),
                Column("DETECTED", "i2", "", "1: measured well"),
                Column("USED", "i2", "", "1: entered the offset"),
            ),
        ),
        Hdu(
            "ORDERS",
            "table",
            "",
            "one row per order",
            (
                Column("ORDER", "i2", "", "order number"),
                Column("LINES", "i4", "", "measurements"),
                Column("FWHM", "f8", "pixel", "median width"),
                Column("FWHM_SD", "f8", "pixel", "its scatter from line to line"),
                Column("R", "f8", "", "median resolving power"),
                Column("R_START", "f8", "", "at the shortest wavelength of a line"),
                Column("R_MIDDLE", "f8", "", "half way"),
                Column("R_END", "f8", "", "at the longest wavelength of a line"),
                Column("SHIFT", "f8", "pixel", "median residual along dispersion"),
                Column("SHIFT_SD", "f8", "pixel", "its scatter"),
                Column("SLIT_CENTRE", "f8", "arcsec", "slit position of the slit's middle"),
                Column("SLIT_LENGTH", "f8", "arcsec", "length of the slit at half level"),
                Column("SLIT_SHIFT", "f8", "pixel", "shift of the middle across dispersion"),
            ),
        ),
        Hdu(
            "OFFSET",
            "table",
            "",
            "shift of the frame against the solution, one row",
            (
                Column("DX", "f8", "pixel", "shift in x"),
                Column("DY", "f8", "pixel", "shift in y"),
                Column("DX_ERR", "f8", "pixel", "standard error of DX"),
                Column("DY_ERR", "f8", "pixel", "standard error of DY"),
                Column("RMS", "f8", "pixel", "scatter of lines about it, along dispersion"),
                Column("LINES", "i4", "", "lines it rests on"),
            ),
        ),
    ),
)
LINES_PER_ORDER = Parameter(
    "lines-per-order",
    20,
    "Brightest unblended lines of each order that are measured",
    minimum=3,
    maximum=200,
)
DETECTION = detection(10.0)
SLIT_CENTRE = Parameter(
    "slit-centre",
    0.0,
    "Slit position of the slit's middle, by which the shift across dispersion is known",
    "arcsec",
    -2.0,
    2.0,
)

DECLARATION = Declaration(
    name="soxs_line_check",
    synopsis="Resolution and flexure from lines through the slit",
    description="""
Arc lines through the slit, or sky lines of a science exposure, are measured on the detector at
several slit positions: a box blurred by a Gaussian is fitted along dispersion, the expected tilt
taken out. Their distances from the dispersion solution, and the middle of the slit's image, give
the shift of the frame in x and y with errors; science recipes can apply it. Widths give the
resolving power along each order. Lines that neighbours shift are not used.
""",
    arms=("VIS", "NIR"),
    inputs=(
        SLIT_ARC,
        *OBSERVATIONS,
        SLIT_ARC_OFF,
        DISP_TAB_2D,
        *detrending_inputs(),
        ARC_LINES,
        SKY_LINES,
    ),
    products=(LINE_CHECK_TAB,),
    parameters=(
        *DETRENDING_PARAMETERS,
        LINES_PER_ORDER,
        DETECTION,
        SLIT_CENTRE,
        PRODUCT_SUFFIX,
    ),
    qc=(
        Qc("DETLINES TOT", "", "lines and slit positions looked for", int),
        Qc("DETLINES NUM", "", "of these measured", int),
        Qc("DETLINES FRAC", "", "fraction measured"),
        Qc("FWHM SLIT MEDIAN", "px", "median width of lines"),
        Qc("FWHM SLIT SD", "px", "SD of the width of lines"),
        Qc("R SLIT MEDIAN", "", "median resolving power"),
        Qc("R SLIT SD", "", "SD of the resolving power"),
        Qc("FLEXURE X", "px", "shift against the solution"),
        Qc("FLEXURE Y", "px", "shift against the solution"),
        Qc("FLEXURE X ERR", "px", "its standard error"),
        Qc("FLEXURE Y ERR", "px", "its standard error"),
        Qc("LINES RMS", "px", "rms of lines along dispersion"),
        *TEMPERATURES,
    ),
    example=(("SLIT_ARC_NIR", 1), ("SLIT_ARC_OFF_NIR", 1), ("DISP_TAB_2D_NIR", 1)),
)

SLIT_LENGTH_ARCSEC = 11.8
SKY_BLEND_LIMIT_PX = 0.1


class SoxsLineCheck(SoxsRecipe):
    """Resolution and flexure from lines through the slit."""

    declaration = DECLARATION

    def process(self, run: Run) -> list[Result]:
        """Detrend the frame, measure its lines and sum them up."""
        from soxs_recipes.algorithms.line_check import TooFewLinesError, check_lines
        from soxs_recipes.algorithms.resolution import order_resolution
        from soxs_recipes.products.line_check_tables import line_check_tables
        from soxs_recipes.recipes.detrending import detrended
        from soxs_recipes.recipes.slit_frames import chosen_input, full_solution

        item = chosen_input(run, (SLIT_ARC, *OBSERVATIONS))
        settings = _settings(run, item)
        frame = detrended(run, item, SLIT_ARC_OFF)
        solution = full_solution(run, frame.frame.shape)
        first = frame.frames[0]
        try:
            check = check_lines(frame.frame, solution, _lines(run, item, first), settings)
        except TooFewLinesError as error:
            raise InputError(
                "The frame does not show the lines of its list",
                file=first.path,
                expected="lines within 4 px of the dispersion solution",
                found=str(error),
                remedy="check lamps and slit of the frame, and give the solution of its night",
            ) from error
        qc = {
            **_quality_control(check),
            **temperatures(frame.frames),
        }
        tables = line_check_tables(check, order_resolution(check))
        return [Result(LINE_CHECK_TAB, tables, qc, frame.exptime_s, steps=frame.steps)]


def slit_width_arcsec(frame: InputFrame) -> float:
    """Width of the slit of a frame, by its name.

    Raises
    ------
    HeaderError
        If the name holds no width.
    """
    name = str(frame.header.get(SLIT_KEYWORDS[frame.arm.name], ""))
    width = slit_width_of_name(name)
    if width is None:
        raise HeaderError(
            "The frame names no slit",
            file=frame.path,
            expected=f"{SLIT_KEYWORDS[frame.arm.name]} such as SLIT1.0",
            found=repr(name),
            remedy="give a frame taken through a slit",
        )
    return width


def _settings(run: Run, item: Input) -> CheckSettings:
    from soxs_recipes.algorithms.line_check_rows import CheckSettings

    frame = run.inputs.of(item)[0]
    along = 0 if run.arm.detector.dispersion_axis == "x" else 1
    width_px = SLIT_PX_PER_ARCSEC * slit_width_arcsec(frame) / frame.readout.binning[along]
    given = run.settings
    settings = CheckSettings(
        width_px,
        SLIT_LENGTH_ARCSEC,
        given.lines_per_order,
        given.detection,
        slit_centre_arcsec=given.slit_centre,
    )
    if item is SLIT_ARC:
        return settings
    from dataclasses import replace

    return replace(settings, blend_limit_px=SKY_BLEND_LIMIT_PX)


def _lines(run: Run, item: Input, frame: InputFrame) -> ArcLines:
    """Lines of the lamps that burn, or those of the night sky."""
    from soxs_recipes.products.sky_lines import read_sky_lines
    from soxs_recipes.recipes.arc_inputs import burning_lines
    from soxs_recipes.recipes.statics import static_path

    sky = static_path(run, SKY_LINES)
    return burning_lines(run, frame) if item is SLIT_ARC else read_sky_lines(sky)


def _quality_control(check: LineCheck) -> dict[str, float]:
    import numpy as np

    lines, offset = check.lines, check.offset
    found = lines.detected
    return {
        "DETLINES TOT": len(found),
        "DETLINES NUM": np.count_nonzero(found),
        "DETLINES FRAC": found.mean(),
        "FWHM SLIT MEDIAN": np.median(lines.fwhm_px[found]),
        "FWHM SLIT SD": np.std(lines.fwhm_px[found]),
        "R SLIT MEDIAN": np.median(lines.resolution[found]),
        "R SLIT SD": np.std(lines.resolution[found]),
        "FLEXURE X": offset.dx_px,
        "FLEXURE Y": offset.dy_px,
        "FLEXURE X ERR": offset.dx_error_px,
        "FLEXURE Y ERR": offset.dy_error_px,
        "LINES RMS": offset.along_rms_px,
    }
