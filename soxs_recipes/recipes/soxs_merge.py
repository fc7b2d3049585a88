"""soxs_merge: one flux-calibrated spectrum from the orders of both arms."""

from __future__ import annotations

from soxs_recipes.recipes.base import Result, Run, SoxsRecipe
from soxs_recipes.recipes.common import PRODUCT_SUFFIX, VELOCITY_STEP, WAVE_STEP
from soxs_recipes.recipes.declarations import AUTO, PLOTS, Declaration, Parameter, Qc
from soxs_recipes.recipes.merge_declarations import (
    ARM_SPECTRUM,
    MERGE_INPUTS,
    MERGE_PRODUCTS,
    MERGED_SPECTRUM,
    SCALE_PARAMETERS,
    side_results,
)

MEDIUM = Parameter("medium", "air", "Medium of the wavelengths", choices=("air", "vacuum"))
BARYCENTRIC = Parameter(
    "barycentric", False, "Whether wavelengths are moved to those at the barycentre"
)
ARM_TIE = Parameter(
    "arm-tie",
    AUTO,
    "Whether NIR is scaled to VIS where both overlap; auto does so where they differ by more than "
    "--tie-kappa errors of at most 5 %",
    choices=(AUTO, "yes", "no"),
)
TIE_KAPPA = Parameter(
    "tie-kappa", 3.0, "Significance from which the arms are tied", "sigma", 0.0, 100.0
)
RECTIFIED = Parameter(
    "rectified", True, "Whether the two-dimensional product is made, where frames are given"
)
ASCII_COPY = Parameter("ascii", False, "Whether the spectrum is written as text too")
PROG_ID = Parameter("prog-id", "", "ESO programme, where the headers do not tell it")

DECLARATION = Declaration(
    name="soxs_merge",
    synopsis="One flux-calibrated spectrum of one or both arms",
    description="""
Counts of every order become flux above the atmosphere by exposure time, extinction and the response
of the order; telluric lines are corrected beside. Orders and arms are then combined once, on bins
equal in velocity or in wavelength: flux is conserved, weights are inverse variances smoothed along
wavelength, variances are propagated with a covariance factor for sums of bins. Where both arms see
the target, 800 to 845 nm, their scales are compared, and tied if they differ. The magnitude of the
target in the acquisition image, or one that is given, sets the absolute scale; images in several
filters set a slope between them, too. Random errors stand in ERR, those that neighbouring bins have
in common in ERR_SYS. What is not there is left out: without a response counts over the blaze are
delivered, without a transmission no correction. The products have the form of ESO's science data
products.
""",
    arms=("VIS", "NIR"),
    inputs=MERGE_INPUTS,
    products=MERGE_PRODUCTS,
    parameters=(
        VELOCITY_STEP,
        WAVE_STEP,
        MEDIUM,
        BARYCENTRIC,
        ARM_TIE,
        TIE_KAPPA,
        *SCALE_PARAMETERS,
        RECTIFIED,
        ASCII_COPY,
        PLOTS,
        PROG_ID,
        PRODUCT_SUFFIX,
    ),
    qc=(
        Qc("SNR MEDIAN", "", "median signal-to-noise per bin"),
        Qc("COVAR FACTOR", "", "variance of sums over sum of variances"),
        Qc("ARM RATIO", "", "VIS over NIR in the overlap, untied", optional=True),
        Qc("ARM RATIO ERR", "", "its random error", optional=True),
        Qc("ARM SCALE", "", "factor that NIR was multiplied by", optional=True),
        Qc("FLUX SCALE", "", "factor to the absolute scale", optional=True),
        Qc("FLUX SCALE ERR", "", "its relative error", optional=True),
        Qc("BARY VEL", "km/s", "to be added to velocities"),
        Qc("ARM MID DIFF", "s", "middle of NIR minus that of VIS", optional=True),
        Qc("N ORDERS", "", "orders with values", int),
    ),
    example=(("SCI_SPECTRUM_ORDERS_NIR", 1),),
    joint=True,
)


class SoxsMerge(SoxsRecipe):
    """One flux-calibrated spectrum of one or both arms."""

    declaration = DECLARATION

    def process(self, run: Run) -> list[Result]:
        """Calibrate the orders, tie the arms, set the scale, combine, describe."""
        from soxs_recipes.recipes.merge_inputs import read_arms
        from soxs_recipes.recipes.merging import Merging

        merging = Merging.of(run, read_arms(run)).tied().scaled()
        results = [merging.result(ARM_SPECTRUM, [arm.name], arm.name) for arm in merging.arms]
        tag = results[0].tag(run)
        if len(merging.arms) > 1:
            merged = merging.result(MERGED_SPECTRUM, [arm.name for arm in merging.arms])
            results.append(merged)
            tag = merged.tag(run)
        if run.settings.rectified:
            from soxs_recipes.recipes.merge_images import image_results

            results += image_results(run, merging)
        return [*results, *side_results(tag, run.settings.ascii, run.settings.plots)]
