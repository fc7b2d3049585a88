"""Sky-subtracted frames, with the images of the object in them, from FITS."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from soxs_recipes.algorithms.beam_pixels import Beam, Exposure, MasterNoise, StoredExposure
from soxs_recipes.algorithms.dispersion import DispersionSolution
from soxs_recipes.algorithms.frame import DetectorFrame
from soxs_recipes.algorithms.quality import UNUSABLE, has
from soxs_recipes.errors import InputError, SettingMismatchError
from soxs_recipes.products.detector_frames import read_detector_frame
from soxs_recipes.products.table_input import read_columns

BEAMS, GEOMETRY = "BEAMS", "GEOMETRY"
_BEAM, _MASTERS = ("SIGN", "SLIT", "EXPTIME"), ("ZERO_ERR", "FLAT_ERR")
_RECIPES = "soxs_stare, soxs_nod or soxs_offset"


def read_exposure(path: Path, sky: Path | None, solution: DispersionSolution) -> Exposure:
    """Read a SKY_SUB product and the SKY_MODEL that belongs to it.

    Parameters
    ----------
    path : Path
        The frame without sky.
    sky : Path or None
        The sky that was subtracted.
    solution : DispersionSolution
        Two-dimensional solution without flexure.

    Raises
    ------
    SettingMismatchError
        If frame, sky and solution differ in shape.
    UnreadableFrameError
        If a file is no such product.
    """
    frame, _ = read_detector_frame(path)
    if frame.shape != solution.shape:
        raise _other_shape(path, solution.shape, frame.shape)
    model = None
    if sky is not None:
        model, _ = read_detector_frame(sky)
        if model.shape != frame.shape:
            raise _other_shape(sky, frame.shape, model.shape)
        uncovered = has(model.quality, UNUSABLE)
        frame = DetectorFrame(
            frame.flux, frame.error, np.where(uncovered, model.quality, 0) | frame.quality
        )
    geometry, _ = read_columns(path, GEOMETRY, ("DX", "DY"), _RECIPES)
    moved = solution.shifted(float(geometry["DX"][0]), float(geometry["DY"][0]))
    return Exposure(frame, moved, _beams(path), model)


def stored_exposure(path: Path, sky: Path | None, solution: DispersionSolution) -> StoredExposure:
    """A frame as of `read_exposure` that is read when it is needed; its beams at once."""
    return StoredExposure(_beams(path), partial(read_exposure, path, sky, solution))


def _beams(path: Path) -> tuple[Beam, ...]:
    columns, _ = read_columns(path, BEAMS, (*_BEAM, *_MASTERS), _RECIPES)
    rows = zip(*(columns[name] for name in (*_BEAM, *_MASTERS)), strict=True)
    beams = tuple(
        Beam(int(np.sign(sign)), float(slit), float(time), MasterNoise(*map(float, masters)))
        for sign, slit, time, *masters in rows
    )
    if not any(beam.sign > 0 for beam in beams) or min(beam.exptime_s for beam in beams) <= 0:
        raise InputError(
            "The frame tells no image of the object",
            file=path,
            expected=f"in {BEAMS} a row of positive SIGN, and exposure times above 0",
            found=", ".join(f"SIGN {b.sign} EXPTIME {b.exptime_s:g}" for b in beams),
            remedy=f"make the frame again with {_RECIPES}",
        )
    return beams


def _other_shape(path: Path, expected: tuple[int, int], found: tuple[int, int]) -> InputError:
    return SettingMismatchError(
        "Frame, sky and dispersion solution are not of one binning",
        file=path,
        expected="{1} x {0} pixels".format(*expected),
        found="{1} x {0} pixels".format(*found),
        remedy="give frames and a solution of the same binning",
    )
