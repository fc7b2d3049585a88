"""The calibrations that frames are detrended with, read once per run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from soxs_recipes.algorithms.beam_pixels import MasterNoise
from soxs_recipes.algorithms.frame import DetectorFrame
from soxs_recipes.algorithms.linearity import Linearity
from soxs_recipes.algorithms.quality import QualityArray
from soxs_recipes.products.detector_frames import read_detector_frame
from soxs_recipes.products.detector_tables import (
    GainTable,
    read_bad_pixels,
    read_gain,
    read_linearity,
)
from soxs_recipes.products.fits_input import open_fits
from soxs_recipes.recipes import common_inputs as inputs
from soxs_recipes.recipes.declarations import Input

if TYPE_CHECKING:
    from soxs_recipes.recipes.base import Run


@dataclass(frozen=True)
class Dark:
    """A master dark, of one exposure time or per second."""

    frame: DetectorFrame
    exptime_s: float
    is_rate: bool


@dataclass(frozen=True)
class Calibrations:
    """What the frames of a run are detrended with; None for what was not given."""

    bias: DetectorFrame | None = None
    dark: Dark | None = None
    bad_pixels: QualityArray | None = None
    linearity: Linearity | None = None
    gain: GainTable | None = None
    flat: DetectorFrame | None = None

    def master_noise(self) -> MasterNoise:
        """Noise of the masters in a typical pixel, which all frames of a run share."""
        zero = self.bias or (self.dark and self.dark.frame)
        usual = [
            0.0 if plane is None else float(np.median(plane.error[plane.good()]))
            for plane in (zero, self.flat)
        ]
        return MasterNoise(*usual)


def read_calibrations(run: Run) -> Calibrations:
    """Read the calibrations among the frames of a run, and say what is missing."""

    def given(item: Input, read: Callable) -> object:
        frame = run.inputs.one(item)
        return None if frame is None else read(frame.path)

    def plane(path: Path) -> DetectorFrame:
        return read_detector_frame(path)[0]

    found = Calibrations(
        bias=given(inputs.MASTER_BIAS_VIS, plane) or given(inputs.MASTER_BIAS_ACQ, plane),
        dark=given(inputs.MASTER_DARK_NIR, _read_dark)
        or given(inputs.MASTER_DARK_ACQ, _read_dark_rate),
        bad_pixels=given(inputs.BP_MAP, read_bad_pixels),
        linearity=given(inputs.LINEARITY_TAB, read_linearity),
        gain=given(inputs.GAIN_TAB, read_gain),
        flat=given(inputs.MASTER_FLAT, plane),
    )
    if found.bias is None and run.arm.name in inputs.MASTER_BIAS_VIS.arms:
        run.warning("No master bias: the structure of the bias stays in the frames")
    return found


def _read_dark(path: Path) -> Dark:
    frame, header = read_detector_frame(path)
    with open_fits(path) as hdus:
        unit = str(hdus["FLUX"].header.get("BUNIT", ""))
    return Dark(frame, float(header.get("EXPTIME", 0.0)), unit.replace(" ", "").endswith("/s"))


def _read_dark_rate(path: Path) -> Dark:
    """Read the dark of a CCD, whose signal grows in proportion to the time."""
    dark = _read_dark(path)
    if dark.is_rate or not dark.exptime_s > 0:
        return dark
    return replace(dark, frame=dark.frame.times(1 / dark.exptime_s), is_rate=True)
