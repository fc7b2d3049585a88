"""Regular grids in wavelength and slit position, and where they lie on the detector."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from soxs_recipes.algorithms.dispersion import DispersionSolution

Array = NDArray[np.float64]

# Positions are tabulated at so many Chebyshev nodes in wavelength (or along the detector) and in
# slit position: more than the polynomials have terms, and to 1e-4 px for their inverse.
_NODES, _SLIT_NODES = 18, 5
_NEWTON_STEPS = 6
_TRIAL_POINTS = 1025


class OffDetectorError(ValueError):
    """An order of the solution does not meet the detector."""


@dataclass(frozen=True)
class RectifiedGrid:
    """Cells of equal size in wavelength and slit position.

    Attributes
    ----------
    wave_start_nm, wave_step_nm : float
        Centre of the first cell and step, standard air.
    wave_count : int
        Number of cells along wavelength.
    slit_start_arcsec, slit_step_arcsec : float
        Centre of the first cell and step along the slit.
    slit_count : int
        Number of cells along the slit.
    """

    wave_start_nm: float
    wave_step_nm: float
    wave_count: int
    slit_start_arcsec: float
    slit_step_arcsec: float
    slit_count: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows (slit) and columns (wavelength)."""
        return self.slit_count, self.wave_count

    @property
    def wave_nm(self) -> Array:
        """Wavelengths of the cell centres."""
        return self.wave_start_nm + self.wave_step_nm * np.arange(self.wave_count)

    @property
    def slit_arcsec(self) -> Array:
        """Slit positions of the cell centres."""
        return self.slit_start_arcsec + self.slit_step_arcsec * np.arange(self.slit_count)

    @property
    def wave_edges_nm(self) -> Array:
        """Borders of the cells in wavelength."""
        return self.wave_start_nm + self.wave_step_nm * (np.arange(self.wave_count + 1) - 0.5)

    @property
    def slit_edges_arcsec(self) -> Array:
        """Borders of the cells along the slit."""
        return self.slit_start_arcsec + self.slit_step_arcsec * (
            np.arange(self.slit_count + 1) - 0.5
        )

    def part(self, low_nm: float, high_nm: float) -> tuple[RectifiedGrid, slice]:
        """Cells between two wavelengths, and the columns they are."""
        position = (np.array([low_nm, high_nm]) - self.wave_start_nm) / self.wave_step_nm
        first, last = np.clip(np.rint(position).astype(int), 0, self.wave_count - 1)
        start = self.wave_start_nm + self.wave_step_nm * first
        grid = RectifiedGrid(
            start,
            self.wave_step_nm,
            int(last - first + 1),
            self.slit_start_arcsec,
            self.slit_step_arcsec,
            self.slit_count,
        )
        return grid, slice(int(first), int(last) + 1)


def typical_steps(solution: DispersionSolution) -> tuple[float, float]:
    """Steps that suit all orders: arcsec of the median pixel, nm of the finest order's pixel.

    Both are rounded, to 0.01 arcsec and to one digit.
    """
    middle = solution.range_nm.mean(axis=1)
    _, _, x_slit, y_slit = solution.jacobian(solution.orders, middle)
    slit = float(np.median(1 / np.abs(solution.across(x_slit, y_slit))))
    return round(slit, 2), float(f"{solution.pixel_nm(solution.orders, middle).min():.0e}")


def slit_axis(half_arcsec: float, step_arcsec: float) -> tuple[float, float, int]:
    """Start, step and number of cells that are symmetric about the slit centre."""
    side = int(np.floor(half_arcsec / step_arcsec))
    return -side * step_arcsec, step_arcsec, 2 * side + 1


def order_grid(
    solution: DispersionSolution,
    order: int,
    slit: tuple[float, float, int],
    step_nm: float | None = None,
) -> RectifiedGrid:
    """Grid that holds what the detector sees of an order.

    Parameters
    ----------
    solution : DispersionSolution
        Where the order lies.
    order : int
        Its number.
    slit : tuple
        Start, step and number of cells along the slit, arcsec.
    step_nm : float, optional
        Step in wavelength; by default the median width of a pixel.

    Raises
    ------
    OffDetectorError
        If the detector sees nothing of the order.
    """
    low, high = seen_range_nm(solution, order, slit)
    if not step_nm:
        wave = np.linspace(low, high, _TRIAL_POINTS)
        step_nm = float(np.median(solution.pixel_nm(order, wave)))
    first = int(np.ceil(low / step_nm))
    count = int(np.floor(high / step_nm)) - first + 1
    return RectifiedGrid(first * step_nm, step_nm, count, *slit)


def merged_grid(
    solution: DispersionSolution, slit: tuple[float, float, int], step_nm: float
) -> RectifiedGrid:
    """Grid that holds all orders."""
    ranges = np.array([seen_range_nm(solution, order, slit) for order in solution.orders])
    first = int(np.ceil(ranges.min() / step_nm))
    count = int(np.floor(ranges.max() / step_nm)) - first + 1
    return RectifiedGrid(first * step_nm, step_nm, count, *slit)


def seen_range_nm(
    solution: DispersionSolution, order: int, slit: tuple[float, float, int]
) -> tuple[float, float]:
    """Outermost wavelengths of an order that fall on the detector anywhere along the slit.

    Raises
    ------
    OffDetectorError
        If none does.
    """
    wave = np.linspace(*solution.range_nm[solution.index(order)], _TRIAL_POINTS)
    start, step, count = slit
    place = start + step * (count - 1) * np.array([0.0, 0.5, 1.0])
    x, y = solution.to_pixel(order, wave[:, None], place)
    rows, columns = solution.shape
    inside = (x > -0.5) & (x < columns - 0.5) & (y > -0.5) & (y < rows - 0.5)
    seen = wave[inside.any(axis=1)]
    if not len(seen):
        raise OffDetectorError(f"order {order} of the solution does not meet the detector")
    return float(seen[0]), float(seen[-1])


def along_at(solution: DispersionSolution, order: int, wave_nm: Array, slit_arcsec: Array) -> Array:
    """Pixel coordinate along dispersion, shape (slit positions, wavelengths)."""
    wave, slit = _nodes(wave_nm, _NODES), _nodes(slit_arcsec, _SLIT_NODES)
    along = solution.along(*solution.to_pixel(order, wave, slit[:, None]))
    return _interpolated(along, slit_arcsec, wave_nm)


def across_at(
    solution: DispersionSolution, order: int, along_px: Array, slit_arcsec: Array
) -> Array:
    """Pixel coordinate across dispersion of slit positions, shape (along, slit positions).

    `along_px` and `slit_arcsec` say where the slit's image is cut: along a line of the detector.
    """
    along, slit = _nodes(along_px, _NODES), _nodes(slit_arcsec, _SLIT_NODES)
    target, place = np.broadcast_arrays(along[:, None], slit)
    wave = _wave_on_slit_line(solution, order, target, place)
    across = solution.across(*solution.to_pixel(order, wave, place))
    return _interpolated(across, along_px, slit_arcsec)


def _wave_on_slit_line(
    solution: DispersionSolution, order: int, along_px: Array, slit_arcsec: Array
) -> Array:
    """Wavelength at a coordinate along dispersion and a slit position (Newton's method)."""
    trial = np.linspace(*solution.range_nm[solution.index(order)], _TRIAL_POINTS)
    position = solution.along(*solution.to_pixel(order, trial))
    rising = np.argsort(position)
    wave = np.interp(along_px, position[rising], trial[rising])
    for _ in range(_NEWTON_STEPS):
        miss = along_px - solution.along(*solution.to_pixel(order, wave, slit_arcsec))
        x_wave, y_wave, _, _ = solution.jacobian(order, wave, slit_arcsec)
        wave = wave + miss / solution.along(x_wave, y_wave)
    return wave


def _nodes(points: Array, count: int) -> Array:
    """Chebyshev nodes over the range of points."""
    middle, half = _range(points)
    return middle + half * np.cos(np.pi * (np.arange(count) + 0.5) / count)


def _range(points: Array) -> tuple[float, float]:
    return (points.max() + points.min()) / 2, max(np.ptp(points) / 2, 1e-9)


def _interpolated(table: Array, first: Array, second: Array) -> Array:
    """Interpolate a table on the nodes of two axes to all points of both."""
    coefs, vanders = table, []
    for points in (first, second):
        count = coefs.shape[0]
        middle, half = _range(points)
        unit = np.cos(np.pi * (np.arange(count) + 0.5) / count)
        coefs = np.linalg.solve(chebyshev.chebvander(unit, count - 1), coefs).T
        vanders.append(chebyshev.chebvander((points - middle) / half, count - 1))
    # No BLAS: its threads cost more than they gain on arrays of this size.
    half_way = np.einsum("im,mk->ik", vanders[0], coefs)
    return np.einsum("ik,kj->ij", half_way, np.ascontiguousarray(vanders[1].T))
