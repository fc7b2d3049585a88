"""soxs_stare: exposures of a target at one place in the slit, without their sky."""

from __future__ import annotations

from collections.abc import Iterator

from soxs_recipes.recipes.base import Result, Run, SoxsRecipe
from soxs_recipes.recipes.declarations import Declaration
from soxs_recipes.recipes.science_inputs import (
    SKY_CALIBRATIONS,
    SKY_PARAMETERS,
    SKY_PRODUCTS,
    SKY_QC,
    observations,
)

EXPOSURES = observations("STARE", "exposures at one place in the slit, of one role")

DECLARATION = Declaration(
    name="soxs_stare",
    synopsis="Sky subtraction of staring exposures",
    description="""
Exposures are detrended one by one, cosmic rays are flagged, and the dispersion solution is shifted
to where the sky lines are. The sky is fitted in detector pixels, without resampling: a spline in
wavelength times a straight line in slit position, times the illumination along the slit, together
with the objects in the slit, whose profiles are measured. Each exposure gives one product, so that
changes of seeing, flexure and airglow between exposures blur nothing; the extraction combines
them. The middle of each exposure is recorded, for the arms of synchronised exposures are compared
when they are merged. An exposure without an object is no error.
""",
    arms=("VIS", "NIR"),
    inputs=(*EXPOSURES.values(), *SKY_CALIBRATIONS),
    products=SKY_PRODUCTS,
    parameters=SKY_PARAMETERS,
    qc=SKY_QC,
    example=(
        ("OBJECT_STARE_NIR", 1),
        ("DISP_TAB_2D_NIR", 1),
        ("ORDER_TAB_EDGES_NIR", 1),
        ("MASTER_DARK_NIR", 1),
    ),
)


class SoxsStare(SoxsRecipe):
    """Sky subtraction of staring exposures."""

    declaration = DECLARATION

    def process(self, run: Run) -> Iterator[Result]:
        """Fit and subtract the sky of every exposure."""
        from soxs_recipes.recipes.sky_exposures import observed, read_setup
        from soxs_recipes.recipes.sky_results import without_their_sky

        role, frames = observed(run, {name: (item,) for name, item in EXPOSURES.items()})
        setup = read_setup(run, frames[0])
        yield from without_their_sky(run, setup, role, frames)
