"""soxs_mdark: combine dark frames into a master dark."""

from __future__ import annotations

from soxs_recipes.recipes.base import Run, SoxsRecipe
from soxs_recipes.recipes.common import PRODUCT_SUFFIX, REFERENCE, STACKING, TEMPERATURES
from soxs_recipes.recipes.declarations import (
    SAME_READOUT,
    Declaration,
    Input,
    Kind,
    Match,
    Parameter,
    Product,
    Qc,
    Setting,
    detector_hdus,
)

ALLOW_MIXED_EXPTIME = Parameter(
    "allow-mixed-exptime", False, "Combine darks of unequal exposure time into a rate frame"
)
HOT_THRESHOLD = Parameter(
    "hot-threshold",
    4.7,
    "Excess over the surroundings that makes a pixel hot",
    "sigma",
    3.0,
    100.0,
)
DARK = Input(
    "DARK_{arm}",
    "raw dark frames of one exposure time",
    minimum=2,
    match=(*SAME_READOUT, Match(Setting.EXPTIME, unless=ALLOW_MIXED_EXPTIME.name)),
)
MASTER_BIAS = Input(
    "MASTER_BIAS_{arm}",
    "bias structure that is subtracted",
    Kind.CALIB,
    minimum=0,
    maximum=1,
    arms=("VIS", "ACQ"),
    match=SAME_READOUT,
)
MASTER_DARK = Product(
    "MASTER_DARK_{arm}",
    "dark signal of one exposure; electron/s if exposure times were mixed",
    detector_hdus("electron", "dark signal"),
)

DECLARATION = Declaration(
    name="soxs_mdark",
    synopsis="Combine dark frames into a master dark",
    description="""
The zero level of each raw dark is removed with its own prescan (VIS) or reference pixels (NIR)
and, where a master bias is given, its structure; the science pixels are converted to electrons
and combined, cosmic rays are rejected, hot pixels are flagged. All darks must have one exposure
time; with --allow-mixed-exptime each is divided by its own and the master is a rate.
""",
    arms=("VIS", "NIR", "ACQ"),
    inputs=(DARK, MASTER_BIAS),
    products=(MASTER_DARK,),
    parameters=(*STACKING, REFERENCE, ALLOW_MIXED_EXPTIME, HOT_THRESHOLD, PRODUCT_SUFFIX),
    qc=(
        Qc("MDARK MEDIAN", "e-", "median of the master"),
        Qc("RAW RON", "e-", "read noise of one raw frame"),
        Qc("HOTPIX NUM", "px", "hot pixels", int),
        Qc("HOTPIX FRAC", "", "fraction of hot pixels"),
        *TEMPERATURES,
    ),
    example=(("DARK_NIR", 3),),
)


class SoxsMdark(SoxsRecipe):
    """Combine dark frames into a master dark."""

    declaration = DECLARATION

    def process(self, run: Run) -> list:
        """Stack the dark frames and flag hot pixels."""
        return []
