"""Slit flats of one lamp: detrended, brought to one level, combined, freed of scattered light."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from soxs_recipes.algorithms.flat_field_stack import (
    between_orders,
    combine_flats,
    exposure_levels,
)
from soxs_recipes.algorithms.frame import DetectorFrame
from soxs_recipes.algorithms.order_edges import Edges, EdgeSettings, measure_edges
from soxs_recipes.algorithms.stacking import StackSettings
from soxs_recipes.algorithms.tracing_fit import SmoothModel
from soxs_recipes.recipes.detrending import Calibrations, detrend_one, detrended, read_calibrations
from soxs_recipes.recipes.order_inputs import about

if TYPE_CHECKING:
    from soxs_recipes.algorithms.order_table import OrderTable
    from soxs_recipes.algorithms.scattered_light import Background
    from soxs_recipes.recipes.base import Run
    from soxs_recipes.recipes.declarations import Input
    from soxs_recipes.recipes.frames import InputFrame

# Lengths across dispersion in unbinned pixels: light this near to the centre tells the exposure
# level; this far from the edges there is no light of the order; edges lie within these distances.
CORE_PX, GUARD_PX = 8.0, 4.0
NEAREST_EDGE_PX, FARTHEST_EDGE_PX = 10.0, 27.0


@dataclass(frozen=True)
class LampFlat:
    """Combined flats of one lamp.

    Attributes
    ----------
    frame : DetectorFrame
        Electrons at the mean exposure level.
    levels : ndarray
        Exposure level of each frame relative to the mean.
    exptime_s : float
        Exposure time of one frame.
    frames : tuple of InputFrame
        The raw frames.
    steps : tuple of str
        What was done, in order.
    """

    frame: DetectorFrame
    levels: np.ndarray
    exptime_s: float
    frames: tuple[InputFrame, ...]
    steps: tuple[str, ...]


def lamp_flat(
    run: Run,
    item: Input,
    off: Input | None,
    table: OrderTable,
    calibrations: Calibrations | None = None,
) -> LampFlat:
    """Detrend the flats of an input one by one and combine them at one exposure level.

    Parameters
    ----------
    run : Run
        Its settings of stacking are used.
    item, off : Input
        The flats and, where there are, their lamp-off twins.
    table : OrderTable
        Order centres.
    calibrations : Calibrations, optional
        Those of the run, read anew unless given.

    Raises
    ------
    NoLightError
        If there is no light along the orders.
    """
    calibrations = read_calibrations(run) if calibrations is None else calibrations
    dark = None
    if off is not None and run.inputs.of(off):
        calibrations = replace(calibrations, dark=None)
        dark = detrended(run, off, None, calibrations)
    files = run.inputs.of(item)
    frames = []
    for file in files:
        one = detrend_one(run, file, calibrations)
        frames.append(one.frame if dark is None else _minus_off(one.frame, dark.frame))
    steps = one.steps
    if dark is not None:
        steps += (f"lamp-off subtracted: {len(dark.frames)} frame(s)",)
    with about(files[0].path):
        levels = exposure_levels(frames, table, CORE_PX / cross_binning(run, files[0]))
    chosen = run.settings
    settings = StackSettings(chosen.stack_method, chosen.kappa, chosen.iterations)
    frame = combine_flats(frames, levels, settings)
    if dark is not None:
        frame = _with_error_of(frame, dark.frame)
    steps += (f"combined at one exposure level: {len(frames)} frame(s), {chosen.stack_method}",)
    return LampFlat(frame, levels, one.exptime_s, files, steps)


def _minus_off(frame: DetectorFrame, off: DetectorFrame) -> DetectorFrame:
    """Subtract the light of the lamp-off frames, whose error all frames share."""
    return replace(frame, flux=frame.flux - off.flux, quality=frame.quality | off.quality)


def _with_error_of(frame: DetectorFrame, off: DetectorFrame) -> DetectorFrame:
    return replace(frame, error=np.hypot(frame.error, off.error))


def order_edges(run: Run, flat: LampFlat, table: OrderTable) -> Edges:
    """Edges of the orders in a combined flat."""
    factor = cross_binning(run, flat.frames[0])
    given = run.settings
    across = None if given.order_degree == "own" else int(given.order_degree)
    settings = EdgeSettings(
        SmoothModel(int(given.disp_degree), across, given.edge_kappa),
        reach_px=FARTHEST_EDGE_PX / factor,
        shortest_px=NEAREST_EDGE_PX / factor,
    )
    with about(flat.frames[0].path):
        return measure_edges(flat.frame, table, settings)


def scattered(run: Run, flat: LampFlat, table: OrderTable) -> Background:
    """Scattered light of a combined flat, from the pixels between its orders."""
    from soxs_recipes.algorithms.scattered_light import fit_background

    guard = GUARD_PX / cross_binning(run, flat.frames[0])
    return fit_background(flat.frame, between_orders(table, guard))


def without_background(frame: DetectorFrame, background: Background) -> DetectorFrame:
    """Frame less its scattered light, with the error of both."""
    error = np.hypot(frame.error, background.error)
    return replace(frame, flux=frame.flux - background.flux, error=error)


def cross_binning(run: Run, frame: InputFrame) -> int:
    """Unbinned pixels across dispersion in one of the frame's."""
    return frame.readout.binning[0 if run.arm.detector.dispersion_axis == "y" else 1]


def lamp_drift(flats: Sequence[LampFlat]) -> float:
    """Largest difference of exposure levels among the frames of one lamp, relative."""
    return max(float(np.ptp(flat.levels)) for flat in flats)
