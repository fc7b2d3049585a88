"""soxs_img_mflat: combine flats of the acquisition camera into a master flat of one filter."""

from __future__ import annotations

from soxs_recipes.recipes.base import Result, Run, SoxsRecipe
from soxs_recipes.recipes.camera_images import SLOPE_ERROR
from soxs_recipes.recipes.common import PRODUCT_SUFFIX
from soxs_recipes.recipes.common_inputs import DETRENDING_PARAMETERS, detrending_inputs
from soxs_recipes.recipes.declarations import (
    SAME_READOUT,
    Declaration,
    Input,
    Match,
    Parameter,
    Product,
    Qc,
    Setting,
    detector_hdus,
)

IMG_FLAT = Input(
    "IMG_FLAT_{arm}",
    "flats of the sky or of the dome through one filter",
    minimum=2,
    match=(*SAME_READOUT, Match(Setting.FILTER)),
)
MASTER_IMG_FLAT = Product(
    "MASTER_IMG_FLAT_{arm}",
    "response of the pixels and illumination in one filter, median 1",
    detector_hdus("", "relative response"),
)
LEAST_LEVEL = Parameter(
    "least-level", 1000.0, "Frames with less signal are refused", "electron", 0.0, 1e6
)
STAR_KAPPA = Parameter(
    "star-kappa", 4.0, "Smoothed excess over the other frames that is a star", "sigma", 2.0, 100.0
)
LOW_SENSITIVITY = Parameter(
    "low-sensitivity", 0.8, "Pixels with less response are flagged as bad", "", 0.0, 1.0
)
COLD = Parameter("cold", 0.5, "Pixels with less response are flagged as dead", "", 0.0, 1.0)

DECLARATION = Declaration(
    name="soxs_img_mflat",
    synopsis="Make a master flat of the acquisition camera",
    description="""
Flats of the twilight sky or of the dome through one filter are detrended one by one. Each is
divided by its level and by the plane in which its gradient differs from the mean of all. Stars,
which the telescope's moves put elsewhere in each frame, are found as smoothed excess over the
median of the frames and left out; with fewer than three frames they stay. The frames are
combined, the median of the master is 1. It holds the response of the pixels and the illumination
of the filter: vignetting and dust. Pixels with little response are flagged.
""",
    arms=("ACQ",),
    inputs=(IMG_FLAT, *detrending_inputs(("ACQ",))),
    products=(MASTER_IMG_FLAT,),
    parameters=(
        *DETRENDING_PARAMETERS,
        LEAST_LEVEL,
        STAR_KAPPA,
        LOW_SENSITIVITY,
        COLD,
        PRODUCT_SUFFIX,
    ),
    qc=(
        Qc("FLAT LEVEL", "e-", "mean of the frames' median signals"),
        Qc("FLAT DRIFT", "", "range of levels over their mean"),
        Qc(SLOPE_ERROR, "", "error of slope, middle to edge"),
        Qc("STAR FRAC", "", "fraction of values with stars"),
        Qc("RESPONSE SCATTER", "", "pixel-to-pixel scatter"),
        Qc("N LOW SENS", "px", "low-sensitivity pixels", int),
        Qc("COLDPIX NUM", "px", "cold pixels", int),
        Qc("COLDPIX FRAC", "", "fraction of cold pixels"),
    ),
    example=(("IMG_FLAT_ACQ", 3), ("MASTER_BIAS_ACQ", 1)),
)


class SoxsImgMflat(SoxsRecipe):
    """Make the master flat of a filter of the acquisition camera."""

    declaration = DECLARATION

    def process(self, run: Run) -> list[Result]:
        """Detrend the flats one by one and combine them."""
        import numpy as np

        from soxs_recipes.algorithms.quality import Quality, has
        from soxs_recipes.algorithms.sky_flat import SkyFlatSettings, combine_sky_flats
        from soxs_recipes.algorithms.stacking import StackSettings
        from soxs_recipes.products.detector_frames import planes
        from soxs_recipes.recipes.camera_images import filter_of
        from soxs_recipes.recipes.detrending import detrend_one, read_calibrations

        files = run.inputs.of(IMG_FLAT)
        given = run.settings
        run.info(f"Combining {len(files)} flats of the filter {filter_of(files[0])}")
        if len(files) < 3:
            run.warning("Stars cannot be told from the flat in so few frames")
        calibrations = read_calibrations(run)
        detrended = [detrend_one(run, file, calibrations) for file in files]
        flat = combine_sky_flats(
            [one.frame for one in detrended],
            SkyFlatSettings(
                StackSettings(given.stack_method, given.kappa, given.iterations),
                given.least_level,
                given.star_kappa,
                given.low_sensitivity,
                given.cold,
            ),
        )
        cold = np.count_nonzero(has(flat.frame.quality, Quality.DEAD))
        qc = {
            "FLAT LEVEL": flat.levels_e.mean(),
            "FLAT DRIFT": np.ptp(flat.levels_e) / flat.levels_e.mean(),
            SLOPE_ERROR: flat.slope_error,
            "STAR FRAC": flat.star_fraction,
            "RESPONSE SCATTER": flat.scatter,
            "N LOW SENS": np.count_nonzero(has(flat.frame.quality, Quality.BAD_PIXEL)),
            "COLDPIX NUM": cold,
            "COLDPIX FRAC": cold / flat.frame.quality.size,
        }
        steps = (*detrended[0].steps, f"combined at one level: {len(files)} frame(s)")
        exptime_s = detrended[0].exptime_s
        return [Result(MASTER_IMG_FLAT, planes(flat.frame), qc, exptime_s, steps=steps)]
