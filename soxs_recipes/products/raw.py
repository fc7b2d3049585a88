"""Raw frames as trimmed electrons, read in row bands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from soxs_recipes.instrument.arm import Arm, ReferenceLevel
from soxs_recipes.instrument.detector import Header, Readout
from soxs_recipes.products.fits_input import explained_read, open_fits, raw_image_hdu


class RawFile(Protocol):
    """A file whose header is known already."""

    path: Path
    header: Header


@dataclass(frozen=True)
class RawFrame:
    """An open raw frame.

    Attributes
    ----------
    path : Path
        Its file.
    readout : Readout
        How it was read.
    level : ReferenceLevel
        Its zero level.
    """

    path: Path
    readout: Readout
    level: ReferenceLevel
    _section: Callable

    @property
    def level_e(self) -> float:
        """Mean zero level in electrons; 0 where none was measured."""
        return self.level.mean_adu * self.readout.gain_e_per_adu

    def pixels(self) -> np.ndarray:
        """Electrons above the zero level, float32, of the trimmed frame."""
        return self.rows(0, self.readout.science_shape[0])

    def rows(self, start: int, stop: int) -> np.ndarray:
        """Electrons above the zero level, float32, of rows of the trimmed frame."""
        first = self.readout.science_rows.start
        with explained_read(self.path):
            lines = self._section[first + start : first + stop]
        pixels = lines[:, self.readout.science_columns]
        electrons = self.level.subtract(pixels.astype("f4"), start)
        electrons *= np.float32(self.readout.gain_e_per_adu)
        return electrons


@contextmanager
def open_raw(path: Path, header: Header, arm: Arm, method: str) -> Iterator[RawFrame]:
    """Open a raw frame and measure its zero level.

    Parameters
    ----------
    path : Path
        The file.
    header : mapping
        Its primary header.
    arm : Arm
        The arm that took it.
    method : str
        How the zero level is measured, one of ``arm.reference_methods``.

    Raises
    ------
    UnreadableFrameError, ForeignFrameError
        If the file or the size of its image is not right.
    """
    readout = arm.readout(header)
    with open_fits(path) as hdus:
        image = raw_image_hdu(hdus)
        arm.check_shape(image.shape, readout)
        with explained_read(path):
            pixels_adu = image.section[:]
        level = arm.reference_level(pixels_adu, readout, method)
        del pixels_adu
        yield RawFrame(path, readout, level, image.section)


@contextmanager
def open_raw_set(
    frames: Sequence[RawFile], arm: Arm, method: str
) -> Iterator[tuple[RawFrame, ...]]:
    """Open several raw frames of one arm; see `open_raw`."""
    with ExitStack() as stack:
        opened = (open_raw(frame.path, frame.header, arm, method) for frame in frames)
        yield tuple(stack.enter_context(one) for one in opened)
