"""Seeing from the width of an object along the slit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from soxs_recipes.algorithms.slit_loss import (
    INSTRUMENT_FWHM_ARCSEC,
    pinhole_blur,
    seeing_from_image,
)
from soxs_recipes.errors import UnreadableFrameError
from soxs_recipes.products.phase3_observation import slit_width_arcsec
from soxs_recipes.products.table_input import read_columns
from soxs_recipes.recipes.slit_frames import DISP_TAB_2D

if TYPE_CHECKING:
    from soxs_recipes.algorithms.dispersion import DispersionSolution
    from soxs_recipes.recipes.base import Run
    from soxs_recipes.recipes.frames import InputFrame

_COLUMNS = ("FWHM_X", "FWHM_Y", "USED")


def seeing_arcsec(
    run: Run,
    frame: InputFrame,
    solution: DispersionSolution,
    image_arcsec: float,
    wave_nm: float,
) -> float:
    """Width of the seeing disc at 500 nm, from that of an image along the slit.

    Parameters
    ----------
    run : Run
        Its DISP_TAB_2D tells how wide pinholes are.
    frame : InputFrame
        The exposure, through whose slit the object was seen.
    solution : DispersionSolution
        The solution of that table.
    image_arcsec : float
        FWHM along the slit.
    wave_nm : float
        Wavelength that it holds for.
    """
    slit = slit_width_arcsec(frame.header)
    return seeing_from_image(image_arcsec, wave_nm, slit, _instrument_arcsec(run, solution))


def _instrument_arcsec(run: Run, solution: DispersionSolution) -> float:
    """What the spectrograph adds to a width, by its pinholes; nominal where they are not told."""
    path = run.inputs.one(DISP_TAB_2D).path
    try:
        lines, _ = read_columns(path, "LINES", _COLUMNS, "soxs_spatial_solution")
    except UnreadableFrameError:
        return INSTRUMENT_FWHM_ARCSEC
    fwhm_px = solution.across(lines["FWHM_X"], lines["FWHM_Y"])[lines["USED"] > 0]
    fwhm_px = fwhm_px[np.isfinite(fwhm_px) & (fwhm_px > 0)]
    if not len(fwhm_px):
        return INSTRUMENT_FWHM_ARCSEC
    _, _, x_slit, y_slit = solution.jacobian(solution.orders, solution.range_nm.mean(axis=1))
    px_per_arcsec = np.median(np.abs(solution.across(x_slit, y_slit)))
    return pinhole_blur(float(np.median(fwhm_px) / px_per_arcsec))
