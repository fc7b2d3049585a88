"""Rectification: curved, tilted orders become images of wavelength against slit position.

Every pixel is taken as evenly lit and shared out among the cells of a regular grid by the area of
overlap, in two passes (after Catmull & Smith 1980): first, in each line of the detector across
dispersion, among the cells along the slit, then, in each row of those, among the cells in
wavelength. Borders of the first pass are those at the middle of the pixel, borders of the second
those of the middle of the slit cell. Flux is conserved exactly. Columns share no pixel, so the
variances of the second pass need no covariance from the first. Against the exact overlap of
quadrilaterals a line moves by less than 0.02 px as long as a slit cell is 0.85 to 1.3 pixels high.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.algorithms.dispersion import DispersionSolution
from soxs_recipes.algorithms.frame import DetectorFrame
from soxs_recipes.algorithms.quality import UNUSABLE, Quality, QualityArray
from soxs_recipes.algorithms.rectify_grid import (
    RectifiedGrid,
    across_at,
    along_at,
    merged_grid,
    order_grid,
    seen_range_nm,
    slit_axis,
    typical_steps,
)
from soxs_recipes.algorithms.rectify_overlap import Shares, share_out

Array32 = NDArray[np.float32]

# Cells of which less is covered by usable pixels hold no data.
LEAST_COVERAGE = 0.5
_FULL_COVERAGE = 0.999


@dataclass(frozen=True)
class Rectified:
    """A rectified order, or several on one grid.

    Attributes
    ----------
    order : int
        Order number; 0 for several.
    grid : RectifiedGrid
        Where the cells are.
    flux, variance : ndarray of float32, shape (slit, wavelength)
        Signal of each cell in the unit of the frame, and its variance; 0 where there is no data.
        Partly covered cells are scaled to full coverage and flagged INTERPOLATED.
    coverage : ndarray of float32
        Fraction of the cell covered by usable pixels, summed over orders.
    quality : ndarray of uint16
        Bits of the pixels that take part; cells with less than half coverage have NO_DATA and the
        bits of what was left out.
    covariance_factor : float
        Variance of a sum over many cells, divided by the sum of their variances.
    """

    order: int
    grid: RectifiedGrid
    flux: Array32
    variance: Array32
    coverage: Array32
    quality: QualityArray
    covariance_factor: float

    def frame(self) -> DetectorFrame:
        """Flux, error and quality as one image."""
        return DetectorFrame.from_variance(self.flux, self.variance, self.quality)


@dataclass(frozen=True)
class RectifySettings:
    """The grids.

    Attributes
    ----------
    slit_half_arcsec : float
        How far from the slit centre the grid reaches.
    slit_step_arcsec : float or None
        Height of a cell; None for the median pixel.
    wave_step_nm : float or None
        Width of a cell of the single orders; None for the median pixel of each.
    merged_step_nm : float or None
        Width of a cell of the image of all orders; None for the finest order's pixel.
    """

    slit_half_arcsec: float
    slit_step_arcsec: float | None = None
    wave_step_nm: float | None = None
    merged_step_nm: float | None = None


def rectify(
    frame: DetectorFrame, solution: DispersionSolution, settings: RectifySettings
) -> tuple[tuple[Rectified, ...], Rectified]:
    """Rectify every order by itself, and all of them onto one grid.

    Parameters
    ----------
    frame : DetectorFrame
        Detrended frame.
    solution : DispersionSolution
        Wavelength and slit position on the detector, of the frame's binning.
    settings : RectifySettings
        The grids.

    Returns
    -------
    orders : tuple of Rectified
        One per order of the solution.
    merged : Rectified
        All orders, each resampled once from the detector. Where orders overlap, their signals
        are added, so that flux is conserved.

    Raises
    ------
    ValueError
        If the frame has not the shape that the solution is made for.
    OffDetectorError
        If an order does not meet the detector.
    """
    if frame.shape != solution.shape:
        raise ValueError(f"a frame of shape {solution.shape} expected, found {frame.shape}")
    pixels = _dispersion_along_rows(frame, solution)
    slit_step, merged_step = typical_steps(solution)
    slit = slit_axis(settings.slit_half_arcsec, settings.slit_step_arcsec or slit_step)
    whole = merged_grid(solution, slit, settings.merged_step_nm or merged_step)
    orders, parts = [], []
    for order in solution.orders.tolist():
        grid = order_grid(solution, order, slit, settings.wave_step_nm)
        part, columns = whole.part(*seen_range_nm(solution, order, slit))
        lines, start = _along_slit(pixels, solution, order, grid)
        orders.append(_along_wavelength(lines, start, solution, order, grid))
        parts.append((columns, _along_wavelength(lines, start, solution, order, part)))
    return tuple(orders), _merged(whole, parts)


def rectify_order(
    frame: DetectorFrame, solution: DispersionSolution, order: int, grid: RectifiedGrid
) -> Rectified:
    """Rectify one order onto a grid of the caller's choice; see `rectify`."""
    pixels = _dispersion_along_rows(frame, solution)
    lines, start = _along_slit(pixels, solution, order, grid)
    return _along_wavelength(lines, start, solution, order, grid)


def _dispersion_along_rows(frame: DetectorFrame, solution: DispersionSolution) -> Shares:
    """Planes with one row per pixel along dispersion; unusable pixels are empty."""
    good = frame.good()
    flux = np.where(good, frame.flux, np.float32(0))
    variance = np.where(good, np.square(frame.error), np.float32(0))
    quality = frame.quality if frame.quality.any() else None
    shares = Shares(flux, variance, variance, good.astype(np.float32), quality)
    return shares.transposed() if solution.dispersion_axis == "x" else shares


def _along_slit(
    pixels: Shares, solution: DispersionSolution, order: int, grid: RectifiedGrid
) -> tuple[Shares, int]:
    """First pass: slit cells (rows) at each pixel along dispersion, and which pixel is first."""
    ends = along_at(solution, order, grid.wave_edges_nm[[0, -1]], grid.slit_edges_arcsec)
    length = len(pixels.flux)
    first = int(np.clip(np.floor(ends.min()), 0, length - 1))
    last = int(np.clip(np.ceil(ends.max()), 0, length - 1))
    lines = np.arange(first, last + 1, dtype=float)
    edges = across_at(solution, order, lines, grid.slit_edges_arcsec)
    return share_out(pixels, edges, first).transposed(), first


def _along_wavelength(
    lines: Shares, start: int, solution: DispersionSolution, order: int, grid: RectifiedGrid
) -> Rectified:
    """Second pass: cells in wavelength of each slit cell."""
    edges = along_at(solution, order, grid.wave_edges_nm, grid.slit_arcsec) - start
    cells = share_out(lines, edges)
    total = float(cells.variance.sum(dtype=float))
    factor = float(cells.full_variance.sum(dtype=float)) / total if total > 0 else 1.0
    quality = np.zeros(grid.shape, np.uint16) if cells.quality is None else cells.quality
    coverage = np.minimum(cells.usable, 1.0)
    return _scaled(Rectified(order, grid, cells.flux, cells.variance, coverage, quality, factor))


def _scaled(cells: Rectified) -> Rectified:
    """Bring partly covered cells to full coverage and flag them."""
    empty, part = cells.coverage < LEAST_COVERAGE, cells.coverage < _FULL_COVERAGE
    scale = np.where(empty, 0, 1 / np.maximum(cells.coverage, LEAST_COVERAGE)).astype(np.float32)
    scale[~part] = 1.0
    # What was wrong with pixels that are left out does not matter where others stand in for them.
    informative = cells.quality & ~np.uint16(UNUSABLE)
    filled = informative | np.where(part, np.uint16(Quality.INTERPOLATED), np.uint16(0))
    quality = np.where(empty, cells.quality | np.uint16(Quality.NO_DATA), filled)
    flux, variance = cells.flux * scale, cells.variance * scale**2
    return Rectified(
        cells.order, cells.grid, flux, variance, cells.coverage, quality, cells.covariance_factor
    )


def _merged(grid: RectifiedGrid, parts: Sequence[tuple[slice, Rectified]]) -> Rectified:
    """Add orders on their common grid; a cell that an order does not see at all adds nothing."""
    flux, variance, coverage = (np.zeros(grid.shape, np.float32) for _ in range(3))
    quality, seen = np.zeros(grid.shape, np.uint16), np.zeros(grid.shape, bool)
    full = 0.0
    for columns, part in parts:
        flux[:, columns] += part.flux
        variance[:, columns] += part.variance
        coverage[:, columns] += part.coverage
        # Cells beyond the detector have no pixel that could be bad.
        here = part.quality != np.uint16(Quality.NO_DATA)
        quality[:, columns] |= np.where(here, part.quality, np.uint16(0))
        seen[:, columns] |= here
        full += part.covariance_factor * float(part.variance.sum(dtype=float))
    quality[~seen] |= np.uint16(Quality.NO_DATA)
    total = float(variance.sum(dtype=float))
    factor = full / total if total > 0 else 1.0
    return Rectified(0, grid, flux, variance, coverage, quality, factor)
