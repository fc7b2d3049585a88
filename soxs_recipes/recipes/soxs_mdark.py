"""soxs_mdark: combine dark frames into a master dark."""

from __future__ import annotations

from typing import TYPE_CHECKING

from soxs_recipes.recipes.base import Result, Run, SoxsRecipe, temperatures
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

if TYPE_CHECKING:
    from soxs_recipes.algorithms.frame import DetectorFrame

ALLOW_MIXED_EXPTIME = Parameter(
    "allow-mixed-exptime", False, "Combine darks of unequal exposure time into a rate frame"
)
HOT_THRESHOLD = Parameter(
    "hot-threshold",
    4.0,
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
    inputs=(DARK, MASTER_BIAS, MASTER_BIAS_ACQ),
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

    def process(self, run: Run) -> list[Result]:
        """Stack the dark frames and flag hot pixels."""
        import numpy as np

        from soxs_recipes.algorithms.quality import Quality
        from soxs_recipes.products.detector_frames import planes
        from soxs_recipes.products.raw import open_raw_set
        from soxs_recipes.recipes import raw_stacks

        frames = run.inputs.of(DARK)
        exptimes_s = np.array([frame.readout.exptime_s for frame in frames])
        rates = bool(np.ptp(exptimes_s))
        bias = self._master_bias(run)
        with open_raw_set(frames, run.arm, run.settings.reference) as raws:
            measured = raw_stacks.frame_noise(raws)
            noise = run.arm.noise_model(measured.total_e, frames[0].readout.ndit)
            run.info(f"Combining {len(raws)} frames by {run.settings.stack_method}")
            if rates:
                stacked = raw_stacks.stack_rates(raws, exptimes_s, run.settings, noise, bias)
                master = stacked.frame()
            else:
                stacked = raw_stacks.stack_raw(raws, run.settings, noise.variance)
                master = stacked.frame() if bias is None else stacked.frame().minus(bias)
        master = raw_stacks.flag_outliers(
            master, run.settings.hot_threshold, Quality.HOT, Quality.BAD_PIXEL
        )
        hot = np.count_nonzero(master.quality & Quality.HOT)
        qc = {
            "MDARK MEDIAN": np.median(master.flux[master.good()]),
            "RAW RON": measured.pixel_e,
            "HOTPIX NUM": hot,
            "HOTPIX FRAC": hot / master.flux.size,
            **temperatures(frames),
        }
        units = {"FLUX": "electron/s", "ERRS": "electron/s"} if rates else {}
        return [Result(MASTER_DARK, planes(master), qc, float(exptimes_s.mean()), units)]

    def _master_bias(self, run: Run) -> DetectorFrame | None:
        """Bias structure, None where it is not given or not needed."""
        from soxs_recipes.products.detector_frames import read_detector_frame

        given = run.inputs.one(MASTER_BIAS) or run.inputs.one(MASTER_BIAS_ACQ)
        if given is not None:
            return read_detector_frame(given.path)[0]
        if run.arm.name in MASTER_BIAS.arms:
            run.warning("No master bias: the structure of the bias stays in the dark")
        return None
