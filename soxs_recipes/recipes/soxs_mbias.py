"""soxs_mbias: combine bias frames into a master bias."""

from __future__ import annotations

from soxs_recipes.recipes.base import Result, Run, SoxsRecipe, temperatures
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
        Qc("FPN FRACMAX", "", "largest periodic pattern, raw frames"),
        Qc("STRUCTX", "e-/px", "slope of the columns' sums"),
        Qc("STRUCTY", "e-/px", "slope of the rows' sums"),
        Qc("BADPIX NUM", "px", "bad pixels of the master", int),
        Qc("BADPIX FRAC", "", "fraction of bad pixels"),
        *TEMPERATURES,
    ),
    example=(("BIAS_VIS", 5),),
)


# Bias pixels further than this from their surroundings, in sigma of the master, are bad.
BAD_KAPPA = 8.0


class SoxsMbias(SoxsRecipe):
    """Combine bias frames into a master bias."""

    declaration = DECLARATION

    def process(self, run: Run) -> list[Result]:
        """Stack the bias frames and measure the master."""
        import numpy as np

        from soxs_recipes.algorithms.bad_pixels import OutlierSettings
        from soxs_recipes.algorithms.bias_structure import structure_slopes
        from soxs_recipes.algorithms.pattern_noise import PatternNoise
        from soxs_recipes.algorithms.quality import Quality
        from soxs_recipes.algorithms.read_noise import ReadNoise, StackNoise
        from soxs_recipes.products.detector_frames import planes
        from soxs_recipes.products.raw import open_raw_set
        from soxs_recipes.recipes import raw_stacks

        frames = run.inputs.of(BIAS)
        single, halves = ReadNoise(), StackNoise()
        with open_raw_set(frames, run.arm, run.settings.reference) as raws:
            levels_e = [raw_stacks.own_level_e(raw) for raw in raws]
            variance = raw_stacks.frame_noise(raws).total_e ** 2
            run.info(f"Combining {len(raws)} frames by {run.settings.stack_method}")
            patterns = PatternNoise.of(len(raws), raws[0].readout.science_shape)
            measures = (single, halves, patterns)
            stacked = raw_stacks.stack_raw(raws, run.settings, variance, levels_e, measures)
            prescan_e = np.mean([raw.level_e for raw in raws])
        master = raw_stacks.raised(stacked.frame(), np.mean(levels_e))
        limits = OutlierSettings(BAD_KAPPA, passes=1)
        master = raw_stacks.flag_outliers(master, limits, Quality.BAD_PIXEL, Quality.BAD_PIXEL)
        good = master.good()
        slopes = structure_slopes(master.flux, good)
        bad = np.count_nonzero(master.quality)
        qc = {
            "MBIAS MEDIAN": np.median(master.flux[good]) + prescan_e,
            "RAW RON": single.result().value,
            "MASTER RON": halves.result().value,
            "FPN FRACMAX": patterns.ratios().max(),
            "STRUCTX": slopes.x,
            "STRUCTY": slopes.y,
            "BADPIX NUM": bad,
            "BADPIX FRAC": bad / master.flux.size,
            **temperatures(frames),
        }
        return [Result(MASTER_BIAS, planes(master), qc, exptime_s=0.0)]
