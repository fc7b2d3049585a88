"""Wavelength, slit position and order of every pixel, by the exact inverse of a solution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.algorithms.dispersion import DispersionSolution
from soxs_recipes.algorithms.quality import Quality, QualityArray

Array = NDArray[np.float64]
Ints = NDArray[np.int_]

_TRACE_POINTS = 1025
_MARGIN_PX = 1


@dataclass(frozen=True)
class DispersionImage:
    """What falls on the centre of every pixel.

    Attributes
    ----------
    wave_nm : ndarray of float64, shape (ny, nx)
        Wavelength in standard air; NaN outside the orders.
    slit_arcsec : ndarray of float32
        Slit position; NaN outside the orders.
    order : ndarray of int16
        Order number; 0 outside the orders.
    quality : ndarray of uint16
        NO_DATA outside the orders; EXTRAPOLATED beyond the outermost fitted lines of an order.
    """

    wave_nm: Array
    slit_arcsec: NDArray[np.float32]
    order: NDArray[np.int16]
    quality: QualityArray


def dispersion_image(solution: DispersionSolution, slit_half_arcsec: float) -> DispersionImage:
    """Compute the image of a solution.

    Parameters
    ----------
    solution : DispersionSolution
        Solution with its terms in slit position.
    slit_half_arcsec : float
        How far from the slit centre an order reaches. Where two orders overlap, a pixel belongs
        to the one whose slit centre is nearer.
    """
    shape = solution.shape
    wave, slit = np.full(shape, np.nan), np.full(shape, np.nan, np.float32)
    order, quality = np.zeros(shape, np.int16), np.full(shape, np.uint16(Quality.NO_DATA))
    for number in solution.orders.tolist():
        rows, columns = pixels_of_order(solution, number, slit_half_arcsec)
        wave_here, slit_here = solution.to_sky(number, columns, rows)
        low, high = solution.range_nm[solution.index(number)]
        inside = (np.abs(slit_here) <= slit_half_arcsec) & (wave_here >= low) & (wave_here <= high)
        inside &= ~(np.abs(slit[rows, columns]) < np.abs(slit_here))
        place = rows[inside], columns[inside]
        wave[place], slit[place], order[place] = wave_here[inside], slit_here[inside], number
        beyond = solution.extrapolated(number, wave_here[inside])
        quality[place] = np.where(beyond, np.uint16(Quality.EXTRAPOLATED), np.uint16(0))
    return DispersionImage(wave, slit, order, quality)


def pixels_of_order(
    solution: DispersionSolution, order: int, slit_half_arcsec: float
) -> tuple[Ints, Ints]:
    """Rows and columns of the pixels that an order may light, with a margin of a pixel."""
    rows, columns = solution.shape
    length, breadth = (columns, rows) if solution.dispersion_axis == "x" else (rows, columns)
    pixel = np.arange(length)
    # Ends and middle of the slit, whose image may be curved.
    slits = slit_half_arcsec * np.array([-1.0, 0.0, 1.0])
    sides = np.array([_across_at(solution, order, s, pixel) for s in slits])
    first = np.floor(sides.min(axis=0)).astype(int) - _MARGIN_PX
    last = np.ceil(sides.max(axis=0)).astype(int) + _MARGIN_PX
    first, last = np.clip(first, 0, breadth), np.clip(last, -1, breadth - 1)
    across = first[:, None] + np.arange((last - first).max(initial=-1) + 1)
    along, place = np.nonzero(across <= last[:, None])
    across = across[along, place]
    return (across, along) if solution.dispersion_axis == "x" else (along, across)


def _across_at(solution: DispersionSolution, order: int, slit_arcsec: float, along: Ints) -> Array:
    """Coordinate across dispersion of a slit position at pixels along dispersion."""
    wave = np.linspace(*solution.range_nm[solution.index(order)], _TRACE_POINTS)
    x, y = solution.to_pixel(order, wave, slit_arcsec)
    position, across = solution.along(x, y), solution.across(x, y)
    rising = np.argsort(position)
    return np.interp(along, position[rising], across[rising])
