"""Frames of the acquisition camera: their filter, detrended image and stars."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from soxs_recipes.errors import HeaderError, SettingMismatchError
from soxs_recipes.instrument import keywords as kw
from soxs_recipes.recipes.declarations import SAME_READOUT, Input, Kind, Match, Setting

if TYPE_CHECKING:
    from soxs_recipes.algorithms.frame import DetectorFrame
    from soxs_recipes.algorithms.image_stars import ImageStars
    from soxs_recipes.recipes.base import Run
    from soxs_recipes.recipes.detrending import Calibrations
    from soxs_recipes.recipes.frames import InputFrame

FILTERS = ("u", "g", "r", "i", "z", "y", "V")

# A run may take frames of several filters; a workflow brings those of one together.
ONE_FILTER = Match(Setting.FILTER, "warning", associate=True)
MASTER_IMG_FLAT = Input(
    "MASTER_IMG_FLAT_{arm}",
    "response and illumination, one per filter: that of the image's is taken",
    Kind.CALIB,
    minimum=0,
    match=(*SAME_READOUT, ONE_FILTER),
)

SLOPE_ERROR = "ILLUM ERR"
"""Quality parameter of master flats: how well the slope of their illumination is known."""

# Pixels with more than this share of the full well are saturated.
_FULL_SHARE = 0.97


@dataclass(frozen=True)
class CameraImage:
    """A detrended image and its stars.

    Attributes
    ----------
    file : InputFrame
        The raw frame.
    filter_name : str
        Its filter.
    exptime_s : float
        Exposure time.
    frame : DetectorFrame
        Electrons, sky included.
    stars : ImageStars
        Its stars, in electrons.
    struck : int
        Pixels struck by cosmic rays.
    steps : tuple of str
        What was done, in order.
    """

    file: InputFrame
    filter_name: str
    exptime_s: float
    frame: DetectorFrame
    stars: ImageStars
    struck: int
    steps: tuple[str, ...]


def filter_of(frame: InputFrame) -> str:
    """Filter that a frame was taken through.

    Raises
    ------
    HeaderError
        If the header names none, or none that the camera has.
    """
    name = str(frame.header.get(kw.ACQ_FILTER) or "").strip()
    if name not in FILTERS:
        raise HeaderError(
            "The header names no filter of the camera",
            file=frame.path,
            expected=f"{kw.ACQ_FILTER} = {', '.join(FILTERS)}",
            found=repr(name) if name else "no such card",
            remedy="leave the frame out, or write the card",
        )
    return name


def read_flats(run: Run) -> dict[str, DetectorFrame]:
    """Master flats among the frames of a run, by filter."""
    from soxs_recipes.products.detector_frames import read_detector_frame

    files = run.inputs.of(MASTER_IMG_FLAT)
    return {filter_of(file): read_detector_frame(file.path)[0] for file in files}


def camera_image(
    run: Run,
    file: InputFrame,
    calibrations: Calibrations,
    flats: Mapping[str, DetectorFrame],
) -> CameraImage:
    """Detrend a frame of the camera and measure its stars.

    Parameters
    ----------
    run : Run
        Its settings of detrending and detect_sigma are used.
    file : InputFrame
        The raw frame.
    calibrations : Calibrations
        Those of the run; their flat is replaced.
    flats : mapping of str to DetectorFrame
        Master flats by filter.

    Raises
    ------
    SettingMismatchError
        If there are flats, but none of the frame's filter.
    """
    from soxs_recipes.algorithms.image_cosmic_rays import image_cosmic_rays
    from soxs_recipes.algorithms.image_stars import measure_stars
    from soxs_recipes.algorithms.quality import Quality, has
    from soxs_recipes.recipes.detrending import detrend_one

    name = filter_of(file)
    flat = _flat_of(run, file, name, flats)
    detrended = detrend_one(run, file, replace(calibrations, flat=flat))
    frame = _with_full_wells(detrended.frame, flat)
    full = has(frame.quality, Quality.SATURATED)
    struck = image_cosmic_rays(frame.flux, frame.variance, frame.good(), full)
    frame = frame.flag(struck, Quality.COSMIC_RAY)
    stars = measure_stars(frame.flux, frame.variance, frame.good(), full, run.settings.detect_sigma)
    stars = stars.under_sloping_light(_slope_error(run, name))
    steps = (*detrended.steps, "cosmic rays flagged by L.A.Cosmic")
    count = int(struck.sum())
    return CameraImage(file, name, detrended.exptime_s, frame, stars, count, steps)


def _flat_of(
    run: Run, file: InputFrame, name: str, flats: Mapping[str, DetectorFrame]
) -> DetectorFrame | None:
    if name in flats:
        return flats[name]
    if flats:
        raise SettingMismatchError(
            "There is no flat of the image's filter",
            file=file.path,
            expected=f"a master flat of the filter {name}",
            found=", ".join(flats),
            remedy="add the flat of this filter, or leave the flats out",
        )
    run.warning("No master flat: the response of the pixels and the vignetting stay in the image")
    return None


def _slope_error(run: Run, name: str) -> float:
    """Error of the slope of the illumination, middle to edge, in the flat of a filter."""
    from soxs_recipes.instrument.detector import header_number

    flats = [file for file in run.inputs.of(MASTER_IMG_FLAT) if filter_of(file) == name]
    known = [header_number(file.header, f"ESO QC {SLOPE_ERROR}") for file in flats]
    return max((value for value in known if value is not None), default=0.0)


def _with_full_wells(frame: DetectorFrame, flat: DetectorFrame | None) -> DetectorFrame:
    """Flag pixels that are full before the converter is."""
    from soxs_recipes.acq.camera import FULL_WELL_E
    from soxs_recipes.algorithms.quality import Quality

    electrons = frame.flux if flat is None else frame.flux * flat.flux
    return frame.flag(electrons > _FULL_SHARE * FULL_WELL_E, Quality.SATURATED)
