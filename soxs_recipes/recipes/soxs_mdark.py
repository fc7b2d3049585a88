"""soxs_mdark: combine dark frames into a master dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from soxs_recipes.errors import HeaderError
from soxs_recipes.recipes.base import Result, Run, SoxsRecipe, temperatures
from soxs_recipes.recipes.common import PRODUCT_SUFFIX, REFERENCE, STACKING, TEMPERATURES
from soxs_recipes.recipes.common_inputs import MASTER_BIAS_ACQ, MASTER_BIAS_VIS
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

if TYPE_CHECKING:
    from soxs_recipes.algorithms.frame import DetectorFrame
    from soxs_recipes.products.raw import RawFrame

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
time; with --allow-mixed-exptime those of each exposure time are combined apart, divided by it and
averaged with the weight of their depth, and the master is a rate.
""",
    arms=("VIS", "NIR", "ACQ"),
    inputs=(DARK, MASTER_BIAS_VIS, MASTER_BIAS_ACQ),
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


# Frames of one exposure time from which an outlier can be told.
REJECTION_NEEDS = 3


class SoxsMdark(SoxsRecipe):
    """Combine dark frames into a master dark."""

    declaration = DECLARATION

    def process(self, run: Run) -> list[Result]:
        """Stack the dark frames and flag hot pixels."""
        import numpy as np

        from soxs_recipes.algorithms.bad_pixels import OutlierSettings
        from soxs_recipes.algorithms.quality import Quality
        from soxs_recipes.products.detector_frames import planes
        from soxs_recipes.products.raw import open_raw_set
        from soxs_recipes.recipes import raw_stacks

        frames = run.inputs.of(DARK)
        bias, zero_e = self._master_bias(run)
        with open_raw_set(frames, run.arm, run.settings.reference) as raws:
            groups = by_exposure_time(raws)
            measured = raw_stacks.frame_noise(max(groups.values(), key=len))
            masters = {}
            for exptime_s, group in groups.items():
                noise = run.arm.noise_model(measured.total_e, group[0].readout.ndit)
                run.info(f"Combining {len(group)} frames of {exptime_s:g} s")
                if len(group) < REJECTION_NEEDS:
                    run.warning("Cosmic rays cannot be told from the dark in so few frames")
                zeros_e = [zero_e] * len(group)
                stacked = raw_stacks.stack_raw(group, run.settings, noise.variance, zeros_e)
                master = raw_stacks.with_noise(stacked, run.settings, noise, bias)
                masters[exptime_s] = master if bias is None else master.minus(bias)
        depths = [exptime_s**2 * len(group) for exptime_s, group in groups.items()]
        rates = len(masters) > 1
        master = as_rate(masters, depths) if rates else masters.popitem()[1]
        limits = OutlierSettings(run.settings.hot_threshold)
        master = raw_stacks.flag_outliers(master, limits, Quality.HOT, Quality.BAD_PIXEL)
        hot = np.count_nonzero(master.quality & Quality.HOT)
        qc = {
            "MDARK MEDIAN": np.median(master.flux[master.good()]),
            "RAW RON": measured.pixel_e,
            "HOTPIX NUM": hot,
            "HOTPIX FRAC": hot / master.flux.size,
            **temperatures(frames),
        }
        mean_exptime_s = sum(raw.readout.exptime_s for raw in raws) / len(raws)
        units = {"FLUX": "electron/s", "ERRS": "electron/s"} if rates else {}
        return [Result(MASTER_DARK, planes(master), qc, mean_exptime_s, units)]

    def _master_bias(self, run: Run) -> tuple[DetectorFrame | None, float]:
        """Bias structure, None where it is not given or not needed, and the level it stands on.

        A camera without prescan has its zero level from the bias; it is no light, which would
        have photon noise.
        """
        from dataclasses import replace

        import numpy as np

        from soxs_recipes.products.detector_frames import read_detector_frame

        given = run.inputs.one(MASTER_BIAS_VIS) or run.inputs.one(MASTER_BIAS_ACQ)
        if given is not None:
            bias = read_detector_frame(given.path)[0]
            if run.arm.detector.has_reference:
                return bias, 0.0
            zero_e = float(np.median(bias.flux))
            return replace(bias, flux=bias.flux - np.float32(zero_e)), zero_e
        if run.arm.name in MASTER_BIAS_VIS.arms:
            run.warning("No master bias: the structure of the bias stays in the dark")
        return None, 0.0


def by_exposure_time(frames: Sequence[RawFrame]) -> dict[float, list[RawFrame]]:
    """Group frames by exposure time, shortest first."""
    groups: dict[float, list[RawFrame]] = {}
    for frame in sorted(frames, key=lambda frame: frame.readout.exptime_s):
        groups.setdefault(frame.readout.exptime_s, []).append(frame)
    return groups


def as_rate(masters: Mapping[float, DetectorFrame], depths: Sequence[float]) -> DetectorFrame:
    """Average masters of different exposure times, in s, as electrons per second.

    Raises
    ------
    HeaderError
        If an exposure time is 0.
    """
    from soxs_recipes.algorithms.frame import weighted_mean

    if 0 in masters:
        raise HeaderError(
            "A dark of 0 s has no rate", remedy="leave it out, or do without --allow-mixed-exptime"
        )
    rates = [master.times(1 / exptime_s) for exptime_s, master in masters.items()]
    return weighted_mean(rates, depths)
