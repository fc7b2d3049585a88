"""Rows of the detector through emission lines, in coordinates in which the lines are straight."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.algorithms.dispersion import DispersionSolution
from soxs_recipes.algorithms.frame import DetectorFrame

Array = NDArray[np.float64]
Ints = NDArray[np.int_]
Mask = NDArray[np.bool_]

MARGIN_PX = 3
"""Pixels beside the slit's image that still have light of it."""

# The slit's ends are looked for this far beyond them.
_BEYOND_ARCSEC = 1.6
# How far inside the ends the level that belongs to them is measured.
_EDGE_ARCSEC, _LEVEL_ARCSEC = 0.5, 1.9


@dataclass(frozen=True)
class CheckSettings:
    """What is measured.

    Attributes
    ----------
    slit_width_px : float
        Width of the slit's image along dispersion, roughly.
    slit_length_arcsec : float
        Length of the slit.
    lines_per_order : int
        Brightest unblended lines that are used.
    min_snr : float
        Height of a line over its error from which it counts as detected.
    blend_limit_px : float
        Lines whose centroid neighbours shift by more are not used.
    slit_centre_arcsec : float
        Slit position of the middle of the slit, by which the shift across dispersion is known.
    """

    slit_width_px: float
    slit_length_arcsec: float
    lines_per_order: int = 20
    min_snr: float = 10.0
    blend_limit_px: float = 0.03
    slit_centre_arcsec: float = 0.0


@dataclass(frozen=True)
class Rows:
    """Rows through lines.

    Attributes
    ----------
    slit_arcsec : ndarray, shape (lines, rows)
        Slit position of each row.
    offset : ndarray, shape (lines, rows, pixels)
        Distance along dispersion from the expected line, px.
    flux, variance, good : ndarray, shape (lines, rows, pixels)
        Signal, its variance, and whether it is usable.
    """

    slit_arcsec: Array
    offset: Array
    flux: Array
    variance: Array
    good: Mask


def slit_samples(solution: DispersionSolution, settings: CheckSettings) -> Array:
    """Slit positions one pixel apart, symmetric about the centre."""
    middle = solution.range_nm.mean(axis=1)
    _, _, x_slit, y_slit = solution.jacobian(solution.orders, middle)
    step = 1 / float(np.median(np.abs(solution.across(x_slit, y_slit))))
    side = int((settings.slit_length_arcsec / 2 + _BEYOND_ARCSEC) / step)
    return step * np.arange(-side, side + 1)


def cut_rows(
    frame: DetectorFrame,
    solution: DispersionSolution,
    order: Ints,
    wave: Array,
    slit: Array,
    settings: CheckSettings,
) -> Rows:
    """Cut the frame along dispersion through every line at every slit position."""
    order, wave = order[:, None], wave[:, None]
    x, y = solution.to_pixel(order, wave, slit)
    _, _, x_slit, y_slit = solution.jacobian(order, wave, slit)
    along, across = solution.along(x, y), solution.across(x, y)
    by_along, by_across = solution.along(x_slit, y_slit), solution.across(x_slit, y_slit)
    row = np.rint(across).astype(int)
    miss = row - across
    expected = along + miss * by_along / by_across
    half = int(np.ceil(settings.slit_width_px)) + MARGIN_PX + 2
    column = np.rint(expected).astype(int)[..., None] + np.arange(-half, half + 1)
    flux, error, good = _pick(frame, solution, row[..., None], column)
    return Rows(
        slit + miss / by_across, column - expected[..., None], flux, error.astype(float) ** 2, good
    )


def _pick(
    frame: DetectorFrame, solution: DispersionSolution, across: Ints, along: Ints
) -> tuple[Array, Array, Mask]:
    if solution.dispersion_axis == "x":
        rows, columns = across, along
    else:
        rows, columns = along, across
    height, width = frame.shape
    rows, columns = np.broadcast_arrays(rows, columns)
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    place = np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)
    part = DetectorFrame(*(plane[place].reshape(1, -1) for plane in vars(frame).values()))
    good = part.good().reshape(inside.shape) & inside
    flux = np.where(good, part.flux.reshape(inside.shape), 0.0).astype(float)
    return flux, np.where(good, part.error.reshape(inside.shape), 1.0), good


def light_along_slit(rows: Rows, settings: CheckSettings) -> tuple[Array, Array, Mask]:
    """Light of each row of a line, its middle level being 1, illumination gradient taken out."""
    core = np.abs(rows.offset) < settings.slit_width_px / 2 + MARGIN_PX - 0.5
    outside = np.where(core | ~rows.good, np.nan, rows.flux)
    outside[~np.isfinite(outside).any(axis=2)] = 0.0
    background = np.nanmedian(outside, axis=2)
    light = np.where(core, rows.flux - background[..., None], 0).sum(axis=2)
    variance = np.where(core, rows.variance, 0).sum(axis=2)
    good = (rows.good | ~core).all(axis=2)
    # The level beside each end counts, and nothing further in: the illumination varies.
    end_arcsec = settings.slit_length_arcsec / 2
    depth = end_arcsec - np.abs(rows.slit_arcsec)
    inner = good & (depth > _EDGE_ARCSEC) & (depth < _LEVEL_ARCSEC)
    good &= depth < _LEVEL_ARCSEC
    halves = [
        np.ma.median(np.ma.array(light, mask=~(inner & side)), axis=1).filled(0.0)
        for side in (rows.slit_arcsec < 0, rows.slit_arcsec >= 0)
    ]
    between = 2 * end_arcsec - _EDGE_ARCSEC - _LEVEL_ARCSEC
    level = (halves[0] + halves[1])[:, None] / 2
    gradient = (halves[1] - halves[0])[:, None] / between
    expected = level + gradient * rows.slit_arcsec
    bright = (level > 0) & (expected > 0.3 * level)
    expected = np.where(bright, expected, 1.0)
    return light / expected, variance / expected**2, good & bright
