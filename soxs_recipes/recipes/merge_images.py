"""The two-dimensional product of soxs_merge."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from soxs_recipes.algorithms.calibrated_image import ImagePart, combine_images
from soxs_recipes.algorithms.rectify import rectify_order
from soxs_recipes.algorithms.rectify_grid import (
    merged_grid,
    seen_range_nm,
    slit_axis,
    typical_steps,
)
from soxs_recipes.products.detector_frames import ERROR, FLUX, QUALITY, read_detector_frame
from soxs_recipes.products.phase3_observation import observation_of
from soxs_recipes.products.phase3_spectrum import COUNT_RATE, ERG, companion_cards
from soxs_recipes.recipes.base import Result, Run
from soxs_recipes.recipes.merge_declarations import IMAGE, SKY_SUB, SOLUTION
from soxs_recipes.recipes.merge_inputs import ArmInput
from soxs_recipes.recipes.slit_frames import solution_of_shape, with_flexure

if TYPE_CHECKING:
    from collections.abc import Callable

    from soxs_recipes.algorithms.dispersion import DispersionSolution
    from soxs_recipes.algorithms.frame import DetectorFrame
    from soxs_recipes.algorithms.rectify_grid import RectifiedGrid
    from soxs_recipes.recipes.frames import InputFrame
    from soxs_recipes.recipes.merging import Merging

_SLIT_HALF_ARCSEC = 6.5


def image_results(run: Run, merging: Merging) -> list[Result]:
    """Rectified, calibrated images of the arms whose frames were given."""
    results = []
    for arm in merging.arms:
        frame, solution = (run.inputs.one(item, arm.name) for item in (SKY_SUB, SOLUTION))
        if frame is not None and solution is not None:
            results.append(_image_result(run, merging, arm, frame))
        elif frame is not None:
            run.warning(f"{arm.name}: no DISP_TAB_2D: the two-dimensional product is left out")
    return results


def _image_result(run: Run, merging: Merging, arm: ArmInput, frame: InputFrame) -> Result:
    pixels, header = read_detector_frame(frame.path)
    solution = _shifted_solution(run, arm, frame, pixels.shape)
    slit_step, wave_step = typical_steps(solution)
    grid = merged_grid(solution, slit_axis(_SLIT_HALF_ARCSEC, slit_step), wave_step)
    exptime_s = float(header["EXPTIME"])

    def calibrated(order: int, wave_nm: np.ndarray) -> np.ndarray:
        scale = merging.scale_of(arm.name, wave_nm)
        return arm.factor(order, wave_nm).value * scale / exptime_s

    parts = [
        _part(calibrated, pixels, solution, order, grid)
        for order in solution.orders.tolist()
        if order in arm.spectra.orders
    ]
    flux, variance, quality = combine_images(parts, grid.shape)
    content = {FLUX: flux, ERROR: np.sqrt(variance), QUALITY: quality}
    unit = (ERG if merging.is_calibrated else COUNT_RATE) + ".arcsec**(-1)"
    qc = {**merging.quality([arm]), "SNR MEDIAN": None, "COVAR FACTOR": None}
    observation = observation_of([arm.frame.header], run.settings.prog_id)
    return Result(
        IMAGE,
        content,
        qc,
        observation.exptime_s,
        units={FLUX: unit, ERROR: unit},
        steps=("orders rectified by area of overlap, calibrated and averaged",),
        cards={"": companion_cards(observation), **dict.fromkeys(content, _wcs(grid))},
        arm=arm.name,
    )


def _shifted_solution(
    run: Run, arm: ArmInput, frame: InputFrame, shape: tuple[int, int]
) -> DispersionSolution:
    """Solution with the flexure of the frame."""
    solution = solution_of_shape(run.inputs.one(SOLUTION, arm.name).path, shape)
    return with_flexure(solution, frame.path)


def _part(
    calibrated: Callable[[int, np.ndarray], np.ndarray],
    pixels: DetectorFrame,
    solution: DispersionSolution,
    order: int,
    grid: RectifiedGrid,
) -> ImagePart:
    """One order in flux per nm (or Angstrom) and arcsec of slit."""
    slit = (grid.slit_start_arcsec, grid.slit_step_arcsec, grid.slit_count)
    part, columns = grid.part(*seen_range_nm(solution, order, slit))
    cells = rectify_order(pixels, solution, order, part)
    factor = calibrated(order, part.wave_nm) / (part.wave_step_nm * part.slit_step_arcsec)
    return ImagePart(columns, cells.flux * factor, cells.variance * factor**2, cells.quality)


def _wcs(grid: RectifiedGrid) -> dict[str, float | str]:
    """World coordinates: air wavelength at the telescope, and slit."""
    return {
        "CTYPE1": "AWAV",
        "CUNIT1": "nm",
        "CRPIX1": 1.0,
        "CRVAL1": grid.wave_start_nm,
        "CD1_1": grid.wave_step_nm,
        "CD1_2": 0.0,
        "CTYPE2": "LINEAR",
        "CUNIT2": "arcsec",
        "CRPIX2": 1.0,
        "CRVAL2": grid.slit_start_arcsec,
        "CD2_1": 0.0,
        "CD2_2": grid.slit_step_arcsec,
    }
