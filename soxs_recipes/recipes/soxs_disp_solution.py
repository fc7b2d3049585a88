"""soxs_disp_solution: wavelengths along the slit centre from arc lines through a pinhole."""

from __future__ import annotations

from soxs_recipes.recipes.arc_inputs import (
    burning_lines,
    check_mask,
    check_same_lamps,
    expected_format,
)
from soxs_recipes.recipes.base import Result, Run, SoxsRecipe, temperatures
from soxs_recipes.recipes.common import PRODUCT_SUFFIX, TEMPERATURES
from soxs_recipes.recipes.common_inputs import DETRENDING_PARAMETERS, detrending_inputs
from soxs_recipes.recipes.declarations import SAME_READOUT, Declaration, Input, Product, Qc
from soxs_recipes.recipes.dispersion_products import (
    DETECTION,
    DISPERSION_HDUS,
    LINE_KAPPA,
    ORDER_DEGREE,
    REACH,
    WAVE_DEGREE,
    line_search,
    lines_explained,
    order_model,
)
from soxs_recipes.recipes.line_products import (
    LINE_QC,
    LINES_HDU,
    FittedLines,
    line_quality,
    line_table,
)
from soxs_recipes.recipes.statics import ARC_LINES, SPECTRAL_FORMAT

PINHOLE_ARC = Input("PINHOLE_ARC_{arm}", "arcs through the pinhole", match=SAME_READOUT)
PINHOLE_ARC_OFF = Input(
    "PINHOLE_ARC_OFF_NIR",
    "their lamp-off twins, subtracted",
    minimum=0,
    arms=("NIR",),
    match=SAME_READOUT,
)
DISP_TAB = Product(
    "DISP_TAB_{arm}",
    "dispersion solution of the slit centre",
    (*DISPERSION_HDUS, LINES_HDU),
)

DECLARATION = Declaration(
    name="soxs_disp_solution",
    synopsis="Dispersion solution from arc lines through a pinhole",
    description="""
Peaks of the frame are matched to the lines of the burning lamps where the spectral format expects
them: first by a shift, a rotation and a change of scale of the whole format, then by a smooth
displacement. A pixel-integrated two-dimensional Gaussian is fitted to every line that neighbours
do not shift, and the centroids by Chebyshev polynomials: in wavelength for each order (VIS), in
order times wavelength and order number for all (NIR). Outliers are rejected; the degrees are the
lowest that predict lines left out of the fit. The table holds the solution, the range of the
fitted lines, beyond which it is extrapolated, and every line that was looked for.
""",
    arms=("VIS", "NIR"),
    inputs=(PINHOLE_ARC, PINHOLE_ARC_OFF, ARC_LINES, SPECTRAL_FORMAT, *detrending_inputs()),
    products=(DISP_TAB,),
    parameters=(
        *DETRENDING_PARAMETERS,
        WAVE_DEGREE,
        ORDER_DEGREE,
        DETECTION,
        LINE_KAPPA,
        REACH,
        PRODUCT_SUFFIX,
    ),
    qc=(
        *LINE_QC,
        Qc("FORMAT SHIFT X", "px", "shift of the format, middle"),
        Qc("FORMAT SHIFT Y", "px", "shift of the format, middle"),
        Qc("CROSSVAL X", "px", "rms of lines left out of the fit"),
        Qc("CROSSVAL Y", "px", "rms of lines left out of the fit"),
        *TEMPERATURES,
    ),
    example=(("PINHOLE_ARC_NIR", 1), ("PINHOLE_ARC_OFF_NIR", 1)),
)


class SoxsDispSolution(SoxsRecipe):
    """Wavelengths along the slit centre from arc lines through a pinhole."""

    declaration = DECLARATION

    def process(self, run: Run) -> list[Result]:
        """Detrend the arc, measure its lines and fit them."""
        from soxs_recipes.algorithms.dispersion_lines import fit_lines, measure_lines
        from soxs_recipes.products.dispersion_tables import dispersion_tables
        from soxs_recipes.recipes.detrending import detrended

        frames = run.inputs.of(PINHOLE_ARC)
        for frame in frames:
            check_mask(frame, "PINHOLE")
        check_same_lamps(frames)
        lines = burning_lines(run, frames[0])
        arc = detrended(run, PINHOLE_ARC, PINHOLE_ARC_OFF)
        guess = expected_format(run, frames[0])
        with lines_explained(frames[0]):
            measured = measure_lines(arc.frame, guess, lines, line_search(run, frames[0]))
            chosen = fit_lines(guess, measured, *order_model(run), kappa=run.settings.line_kappa)
        fitted = FittedLines(measured, chosen.fit, lines, guess)
        content = {**dispersion_tables(chosen.fit.solution), "LINES": line_table(fitted)}
        qc = {
            **line_quality(fitted),
            "FORMAT SHIFT X": measured.drift.shift_px[0],
            "FORMAT SHIFT Y": measured.drift.shift_px[1],
            "CROSSVAL X": chosen.cross_validated_px[0],
            "CROSSVAL Y": chosen.cross_validated_px[1],
            **temperatures(arc.frames),
        }
        return [Result(DISP_TAB, content, qc, arc.exptime_s, steps=arc.steps)]
