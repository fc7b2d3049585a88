"""Inputs that several recipes share: the calibrations every frame is detrended with."""

from __future__ import annotations

from soxs_recipes.recipes.common import REFERENCE, STACKING
from soxs_recipes.recipes.declarations import SAME_READOUT, Input, Kind, Match, Setting

MASTER_BIAS_VIS = Input(
    "MASTER_BIAS_VIS",
    "bias structure that is subtracted",
    Kind.CALIB,
    minimum=0,
    maximum=1,
    arms=("VIS",),
    match=SAME_READOUT,
)
MASTER_BIAS_ACQ = Input(
    "MASTER_BIAS_ACQ",
    "bias level and structure: the camera has no prescan",
    Kind.CALIB,
    maximum=1,
    arms=("ACQ",),
    match=SAME_READOUT,
)
MASTER_DARK_NIR = Input(
    "MASTER_DARK_NIR",
    "dark that is subtracted where no lamp-off frame is; scaled only if it is a rate",
    Kind.CALIB,
    minimum=0,
    maximum=1,
    arms=("NIR",),
    match=SAME_READOUT,
)
MASTER_DARK_ACQ = Input(
    "MASTER_DARK_ACQ",
    "dark that is subtracted, scaled to the exposure time",
    Kind.CALIB,
    minimum=0,
    maximum=1,
    arms=("ACQ",),
    match=SAME_READOUT,
)
MASTER_FLAT = Input(
    "MASTER_FLAT_{arm}",
    "pixel response that frames are divided by",
    Kind.CALIB,
    minimum=0,
    maximum=1,
    match=SAME_READOUT,
)
BP_MAP = Input(
    "BP_MAP_{arm}",
    "bad pixels that are flagged",
    Kind.CALIB,
    minimum=0,
    maximum=1,
    match=(Match(Setting.BINNING),),
)
LINEARITY_TAB = Input(
    "LINEARITY_TAB_{arm}",
    "correction of the response, linearity limit and saturation level",
    Kind.CALIB,
    minimum=0,
    maximum=1,
    match=SAME_READOUT,
)
GAIN_TAB = Input(
    "GAIN_TAB_{arm}",
    "measured gain, read noise and photon factor in place of the header's",
    Kind.CALIB,
    minimum=0,
    maximum=1,
    match=SAME_READOUT,
)
CALIBRATIONS = (
    MASTER_BIAS_VIS,
    MASTER_BIAS_ACQ,
    MASTER_DARK_NIR,
    MASTER_DARK_ACQ,
    BP_MAP,
    LINEARITY_TAB,
    GAIN_TAB,
)
DETRENDING_PARAMETERS = (*STACKING, REFERENCE)
"""Parameters that a recipe which detrends frames declares."""


def detrending_inputs(arms: tuple[str, ...] = ("VIS", "NIR")) -> tuple[Input, ...]:
    """Inputs to add to the declaration of a recipe that detrends frames of these arms."""
    return tuple(item for item in CALIBRATIONS if not item.arms or set(item.arms) & set(arms))
