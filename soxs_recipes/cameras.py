"""The arms of SOXS, and the arm of a frame."""

from __future__ import annotations

from soxs_recipes.acq.arm import AcquisitionCamera
from soxs_recipes.errors import ForeignFrameError
from soxs_recipes.instrument import keywords as kw
from soxs_recipes.instrument.arm import Arm
from soxs_recipes.instrument.classification import arm_name
from soxs_recipes.instrument.detector import Header
from soxs_recipes.nir.arm import NirArm
from soxs_recipes.uvvis.arm import VisArm

ARMS: tuple[Arm, ...] = (VisArm(), NirArm(), AcquisitionCamera())


def arm_named(name: str) -> Arm:
    """Arm by its name (VIS, NIR or ACQ)."""
    return next(arm for arm in ARMS if arm.name == name)


def arm_of(header: Header) -> Arm:
    """Arm that took a frame.

    Raises
    ------
    ForeignFrameError
        If the frame is not of SOXS, or names none of its cameras.
    """
    instrument = header.get(kw.INSTRUMENT)
    if instrument != kw.INSTRUMENT_NAME:
        raise ForeignFrameError(
            "The frame is not of SOXS",
            expected=f"{kw.INSTRUMENT} = '{kw.INSTRUMENT_NAME}'",
            found=f"{kw.INSTRUMENT} = {instrument!r}",
        )
    name = arm_name(header)
    if name is None:
        raise ForeignFrameError(
            "The frame names no SOXS camera",
            expected=f"{kw.ARM} = 'VIS' or 'NIR', or {kw.ACQ_CAMERA} = 'ACQ'",
            found=f"{kw.ARM} = {header.get(kw.ARM)!r}",
        )
    return arm_named(name)
