"""soxs_mbias: combine bias frames into a master bias."""

from __future__ import annotations

from soxs_recipes.recipes.base import Run, SoxsRecipe
from soxs_recipes.recipes.common import PRODUCT_SUFFIX, REFERENCE, STACKING, TEMPERATURES
from soxs_recipes.recipes.declarations import (
    SAME_READOUT,
    Declaration,
    Input,
    Product,
    Qc,
    detector_hdus,
)

BIAS = Input("BIAS_{arm}", "raw bias frames of one read mode", minimum=2, match=SAME_READOUT)
MASTER_BIAS = Product(
    "MASTER_BIAS_{arm}",
    "bias structure on top of the prescan level (ACQ: with the level)",
    detector_hdus("electron", "bias structure"),
)

DECLARATION = Declaration(
    name="soxs_mbias",
    synopsis="Combine bias frames into a master bias",
    description="""
The level of each raw bias frame is measured in its own prescan and subtracted, the science
pixels are converted to electrons and combined pixel by pixel; values that the read noise cannot
explain are rejected. The master holds the structure of the bias on top of the prescan level; the
acquisition camera has no prescan, and its master holds the level too. The error of the master is
that of the read noise; the level adds no photon noise. Read noise is measured from differences of
consecutive frames, that of the master from two half stacks.
""",
    arms=("VIS", "ACQ"),
    inputs=(BIAS,),
    products=(MASTER_BIAS,),
    parameters=(*STACKING, REFERENCE, PRODUCT_SUFFIX),
    qc=(
        Qc("MBIAS MEDIAN", "e-", "median level before subtraction"),
        Qc("RAW RON", "e-", "read noise of one raw frame"),
        Qc("MASTER RON", "e-", "read noise of the master"),
        Qc("FPN FRACMAX", "", "largest periodic pattern of the raw frames"),
        Qc("STRUCTX", "e-/px", "slope of the master summed along columns"),
        Qc("STRUCTY", "e-/px", "slope of the master summed along rows"),
        Qc("BADPIX NUM", "px", "bad pixels of the master", int),
        Qc("BADPIX FRAC", "", "fraction of bad pixels"),
        *TEMPERATURES,
    ),
    example=(("BIAS_VIS", 5),),
)


class SoxsMbias(SoxsRecipe):
    """Combine bias frames into a master bias."""

    declaration = DECLARATION

    def process(self, run: Run) -> list:
        """Stack the bias frames and measure the master."""
        return []
