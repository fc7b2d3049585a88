"""Resolution and line width along each order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.polynomial import Chebyshev
from numpy.typing import NDArray

from soxs_recipes.algorithms.line_check import LineCheck
from soxs_recipes.algorithms.robust import fit_line, mad_sd

Array = NDArray[np.float64]

_LEAST_LINES = 6
_PIXEL_DEGREE = 3


@dataclass(frozen=True)
class OrderResolution:
    """Lines of each order summed up; NaN where there are too few.

    Attributes
    ----------
    order, lines : ndarray of int, shape (n,)
        Order number and number of measurements.
    fwhm_px, fwhm_sd_px : ndarray
        Median width of the lines along dispersion and its robust scatter.
    resolution : ndarray
        Median resolving power.
    start, middle, end : ndarray
        Resolving power at the shortest wavelength of a line, half way and at the longest, by a
        straight line through the widths (Tukey's bisquare).
    shift_px, shift_sd_px : ndarray
        Median distance of the lines from the solution along dispersion, and its robust scatter.
    """

    order: NDArray[np.int_]
    lines: NDArray[np.int_]
    fwhm_px: Array
    fwhm_sd_px: Array
    resolution: Array
    start: Array
    middle: Array
    end: Array
    shift_px: Array
    shift_sd_px: Array


def order_resolution(check: LineCheck) -> OrderResolution:
    """Sum up a line check order by order."""
    orders = np.unique(check.lines.order)
    rows = [_one_order(check, order) for order in orders]
    count, *columns = np.array(rows, float).T
    return OrderResolution(orders, count.astype(int), *columns)


def _one_order(check: LineCheck, order: int) -> tuple[float, ...]:
    lines = check.lines
    here = lines.detected & (lines.order == order)
    count = float(np.count_nonzero(here))
    if count < _LEAST_LINES:
        return (count, *[np.nan] * 8)
    fwhm, wave = lines.fwhm_px[here], lines.wave_nm[here]
    # Wavelength over resolution and width is the size of a pixel, known without noise.
    pixel_nm = Chebyshev.fit(wave, wave / (lines.resolution[here] * fwhm), _PIXEL_DEGREE)
    places = np.array([wave.min(), (wave.min() + wave.max()) / 2, wave.max()])
    powers = places / (fit_line(wave, fwhm)(places) * pixel_nm(places))
    return (
        count,
        float(np.median(fwhm)),
        float(mad_sd(fwhm)),
        float(np.median(lines.resolution[here])),
        *powers.ravel(),
        float(np.median(lines.residual_px[here])),
        float(mad_sd(lines.residual_px[here])),
    )
