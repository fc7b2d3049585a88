"""Frames of the acquisition camera: their filter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from soxs_recipes.errors import HeaderError
from soxs_recipes.instrument import keywords as kw

if TYPE_CHECKING:
    from soxs_recipes.recipes.frames import InputFrame

FILTERS = ("u", "g", "r", "i", "z", "y", "V")


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
