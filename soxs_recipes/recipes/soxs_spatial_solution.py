"""soxs_spatial_solution: wavelength and slit position over the whole detector."""

from __future__ import annotations

from typing import TYPE_CHECKING

from soxs_recipes.recipes.base import Result, Run, SoxsRecipe, temperatures
from soxs_recipes.recipes.common import PRODUCT_SUFFIX, TEMPERATURES
from soxs_recipes.recipes.common_inputs import DETRENDING_PARAMETERS, detrending_inputs
from soxs_recipes.recipes.declarations import (
    SAME_READOUT,
    Declaration,
    Hdu,
    Input,
    Kind,
    Match,
    Parameter,
    Product,
    Qc,
    Setting,
)
from soxs_recipes.recipes.dispersion_products import (
    DETECTION,
    DISPERSION_HDUS,
    LINE_KAPPA,
    ORDER_DEGREE,
    REACH,
    WAVE_DEGREE,
)
from soxs_recipes.recipes.line_products import LINE_QC, LINES_HDU
from soxs_recipes.recipes.statics import ARC_LINES, SPECTRAL_FORMAT

if TYPE_CHECKING:
    from soxs_recipes.algorithms.dispersion_image import DispersionImage
    from soxs_recipes.algorithms.pinholes import PinholeFit

MULTI_PINHOLE_ARC = Input(
    "MULTI_PINHOLE_ARC_{arm}", "arcs through the row of pinholes", match=SAME_READOUT
)
MULTI_PINHOLE_ARC_OFF = Input(
    "MULTI_PINHOLE_ARC_OFF_NIR",
    "their lamp-off twins, subtracted",
    minimum=0,
    arms=("NIR",),
    match=SAME_READOUT,
)
DISP_TAB = Input(
    "DISP_TAB_{arm}",
    "dispersion solution of the slit centre, the first guess; else that of the package",
    Kind.CALIB,
    minimum=0,
    maximum=1,
    match=(Match(Setting.BINNING),),
)

DISP_TAB_2D = Product(
    "DISP_TAB_2D_{arm}",
    "wavelength and slit position to pixels",
    (*DISPERSION_HDUS, LINES_HDU),
)
DISP_IMAGE = Product(
    "DISP_IMAGE_{arm}",
    "wavelength, slit position and order of every pixel of the trimmed frame",
    (
        Hdu("WAVELENGTH", "f8", "nm", "standard air, at the centre of the pixel; NaN outside"),
        Hdu("SLIT", "f4", "arcsec", "slit position at the centre of the pixel; NaN outside"),
        Hdu("ORDER", "i2", "", "order number; 0 outside the orders"),
        Hdu("QUAL", "u2", "", "256: outside; 1024: beyond the outermost lines; else 0"),
    ),
)

SLIT_DEGREE = Parameter(
    "slit-degree", 2, "Degree in the slit position of the fitted model", minimum=1, maximum=3
)
SLIT_HALF = Parameter(
    "slit-half", 6.5, "How far from the slit centre the images reach", "arcsec", 1.0, 7.0
)

DECLARATION = Declaration(
    name="soxs_spatial_solution",
    synopsis="Wavelength and slit position of every pixel",
    description="""
Every unblended line of the lamps that burn is looked for through each of the nine pinholes and
measured by a two-dimensional Gaussian, the light of the neighbouring pinholes taken out. Chebyshev
polynomials in wavelength and slit position, of each order by itself (VIS) or of order times
wavelength and order number (NIR), are fitted to the positions; cross-validation finds the degree in
wavelength. Single lines that do not fit are rejected, and so are all lines of a pinhole that lies
elsewhere as a whole; pinholes without light are left out. Without a dispersion solution the search
starts from the nominal spectral format: then the outermost pinholes must be seen, or the row could
be taken for its neighbour; with one, --reach does not matter. The image is the exact inverse of the
solution at the centre of every pixel. Wavelengths beyond the outermost lines of an order are
extrapolated and flagged.
""",
    arms=("VIS", "NIR"),
    inputs=(
        MULTI_PINHOLE_ARC,
        MULTI_PINHOLE_ARC_OFF,
        DISP_TAB,
        *detrending_inputs(),
        SPECTRAL_FORMAT,
        ARC_LINES,
    ),
    products=(DISP_TAB_2D, DISP_IMAGE),
    parameters=(
        *DETRENDING_PARAMETERS,
        WAVE_DEGREE,
        ORDER_DEGREE,
        SLIT_DEGREE,
        DETECTION,
        LINE_KAPPA,
        REACH,
        SLIT_HALF,
        PRODUCT_SUFFIX,
    ),
    qc=(
        *LINE_QC,
        Qc("PINHOLE COUNT MIN", "", "fewest pinholes seen in an order", int),
        Qc("PINHOLE NUM", "", "pinholes the solution rests on", int),
        Qc("PINHOLE REJ NUM", "", "pinholes rejected as displaced", int),
        Qc("EXTRAP FRAC", "", "pixels of orders beyond the lines"),
        *TEMPERATURES,
    ),
    example=(("MULTI_PINHOLE_ARC_NIR", 1), ("MULTI_PINHOLE_ARC_OFF_NIR", 1), ("DISP_TAB_NIR", 1)),
)


class SoxsSpatialSolution(SoxsRecipe):
    """Wavelength and slit position over the whole detector."""

    declaration = DECLARATION

    def process(self, run: Run) -> list[Result]:
        """Detrend the arc, measure its lines through all pinholes, fit and map them."""
        from soxs_recipes.algorithms.dispersion_image import dispersion_image
        from soxs_recipes.products.dispersion_tables import dispersion_tables
        from soxs_recipes.recipes.arc_inputs import burning_lines, check_mask, check_same_lamps
        from soxs_recipes.recipes.detrending import detrended
        from soxs_recipes.recipes.line_products import FittedLines, line_quality, line_table
        from soxs_recipes.recipes.pinhole_arcs import fitted_pinholes, measured_pinholes

        frames = run.inputs.of(MULTI_PINHOLE_ARC)
        for frame in frames:
            check_mask(frame, "MULTI-PINHOLE")
        check_same_lamps(frames)
        lines = burning_lines(run, frames[0])
        arc = detrended(run, MULTI_PINHOLE_ARC, MULTI_PINHOLE_ARC_OFF)
        start, measured = measured_pinholes(run, DISP_TAB, arc, lines)
        pinholes = fitted_pinholes(run, arc, start, measured)
        fit = pinholes.chosen.fit
        fitted = FittedLines(pinholes.measured, fit, lines, start)
        image = dispersion_image(fit.solution, run.settings.slit_half)
        qc = {
            **line_quality(fitted),
            **_pinhole_quality(run, pinholes, image),
            **temperatures(arc.frames),
        }
        tables = {**dispersion_tables(fit.solution), "LINES": line_table(fitted)}
        planes = {
            "WAVELENGTH": image.wave_nm,
            "SLIT": image.slit_arcsec,
            "ORDER": image.order,
            "QUAL": image.quality,
        }
        return [
            Result(DISP_TAB_2D, tables, qc, arc.exptime_s, steps=arc.steps),
            Result(DISP_IMAGE, planes, qc, arc.exptime_s, steps=arc.steps),
        ]


def _pinhole_quality(run: Run, fit: PinholeFit, image: DispersionImage) -> dict[str, float]:
    import numpy as np

    from soxs_recipes.algorithms.quality import Quality, has

    kept = np.count_nonzero(fit.seen.any(axis=0))
    total, displaced = len(fit.slit_arcsec), np.count_nonzero(fit.displaced)
    if kept < total:
        run.warning(
            f"{kept} of {total} pinholes are used: {displaced} displaced, "
            f"{total - kept - displaced} without light"
        )
    inside = image.order > 0
    return {
        "PINHOLE COUNT MIN": fit.seen.sum(axis=1).min(),
        "PINHOLE NUM": kept,
        "PINHOLE REJ NUM": displaced,
        "EXTRAP FRAC": has(image.quality[inside], Quality.EXTRAPOLATED).mean(),
    }
