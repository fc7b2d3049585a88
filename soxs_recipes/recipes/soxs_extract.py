"""soxs_extract: spectra of the objects on the slit."""

from __future__ import annotations

from soxs_recipes.recipes.base import Result, Run, SoxsRecipe
from soxs_recipes.recipes.declarations import Declaration
from soxs_recipes.recipes.extraction_inputs import (
    BLAZE_TAB,
    EXTRACTION_INPUTS,
    EXTRACTION_PARAMETERS,
    SKY_SUB,
    chosen_objects,
    object_settings,
    read_exposures,
    read_solution,
    tell_doubts,
)
from soxs_recipes.recipes.extraction_products import EXTRACTION_PRODUCTS, EXTRACTION_QC

DECLARATION = Declaration(
    name="soxs_extract",
    synopsis="Optimal extraction of the objects on the slit",
    description="""
Objects are found in the light along the slit, averaged over all orders and exposures by where the
header has the target; all are listed, one is extracted, or all. Its position and width are fitted
as smooth functions of wavelength over all orders, its profile is measured; an object too faint for
that is given the trace of a standard, or a straight one. The spectrum of each order is the cubic
spline with a knot per pixel that fits all pixels best with that profile (Horne 1986), each pixel at
its own wavelength: tilted lines are neither resampled nor smeared. Variances follow the fitted
spectrum and the sky beside the object, not the noise of the pixel; pixels that profile and spectrum
do not explain are left out. Where the light along the slit tells of neighbours or of a galaxy under
the object, their spectra are fitted together with that of the object, and what this costs is in its
error. Images of the object in several exposures, also negative ones, are extracted each by itself
on common bins and averaged by inverse variance, their levels allowed for. A plain sum and the sky
under the object stand beside the result. Orders are then combined on the scale of the blaze.
""",
    arms=("VIS", "NIR"),
    inputs=EXTRACTION_INPUTS,
    products=EXTRACTION_PRODUCTS,
    parameters=EXTRACTION_PARAMETERS,
    qc=EXTRACTION_QC,
    example=(
        ("FLUX_SKY_SUB_NIR", 1),
        ("FLUX_SKY_MODEL_NIR", 1),
        ("DISP_TAB_2D_NIR", 1),
        ("ORDER_TAB_EDGES_NIR", 1),
        ("BLAZE_TAB_NIR", 1),
    ),
)


class SoxsExtract(SoxsRecipe):
    """Optimal extraction of the objects on the slit."""

    declaration = DECLARATION

    def process(self, run: Run) -> list[Result]:
        """Find the objects, extract the chosen ones, combine their orders."""
        from dataclasses import replace

        from soxs_recipes.algorithms.object_extraction import extract_object, look
        from soxs_recipes.products.blaze_tables import read_blaze
        from soxs_recipes.recipes.extraction_results import extraction_results, with_blaze
        from soxs_recipes.recipes.sky_exposures import observed

        role, frames = observed(run, {name: (item,) for name, item in SKY_SUB.items()})
        solution = read_solution(run)
        settings = object_settings(run, solution)
        blaze = read_blaze(run.inputs.one(BLAZE_TAB).path)
        view = look(read_exposures(run, role, frames, solution), settings)
        results: list[Result] = []
        for number, found in enumerate(chosen_objects(run, view, frames[0]), 1):
            extracted = extract_object(view, found, settings)
            share = min(beam.slit_share for beam in extracted.beams)
            tell_doubts(run, found, share, extracted.traced)
            spectra = with_blaze(extracted.spectra, solution, blaze)
            extracted = replace(extracted, spectra=spectra)
            results += extraction_results(run, role, view, extracted, frames, number)
        return results
