"""The pixels of each order with their place in wavelength and along the slit: no resampling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from soxs_recipes.algorithms.dispersion import DispersionSolution

Array = NDArray[np.float64]
Array32 = NDArray[np.float32]
Ints = NDArray[np.integer]
Mask = NDArray[np.bool_]

# The solution is inverted at nodes: every so many pixels along dispersion, so many across.
_NODE_PX = 24
_NODES_ACROSS = 9
_DEGREE_ACROSS = 4
_TABLE_POINTS = 400


@dataclass(frozen=True)
class SlitStrip:
    """Pixels of one order; arrays of shape (length, width), dispersion along the first axis.

    Attributes
    ----------
    order : int
        Order number.
    index : ndarray of int
        Place of each pixel in the flattened frame.
    inside : ndarray of bool
        Pixels on the detector and in the order.
    column : ndarray of float32
        Coordinate along dispersion at which the wavelength of a pixel meets slit position 0, px.
    slit_arcsec : ndarray of float32
        Slit position.
    area : ndarray of float32
        Size of a pixel, in px along dispersion at slit position 0 times arcsec.
    wave_nm : ndarray, shape (length,)
        Wavelength at slit position 0 of every pixel along dispersion; constant beyond the order.
    """

    order: int
    index: Ints
    inside: Mask
    column: Array32
    slit_arcsec: Array32
    area: Array32
    wave_nm: Array

    def take(self, plane: NDArray) -> NDArray:
        """Values of a frame in the shape of the strip."""
        return plane.reshape(-1)[self.index]


@dataclass(frozen=True)
class _Axis:
    """The line of slit position 0 of an order, at the pixels of the detector."""

    along: Array
    wave_nm: Array
    across: Array
    on_order: Mask


def slit_strips(
    solution: DispersionSolution, slit_range_arcsec: tuple[float, float]
) -> tuple[SlitStrip, ...]:
    """Strips of all orders.

    Parameters
    ----------
    solution : DispersionSolution
        Two-dimensional solution of the frame, flexure included.
    slit_range_arcsec : tuple of float
        Slit positions within which pixels are taken.
    """
    return tuple(_strip(solution, int(order), slit_range_arcsec) for order in solution.orders)


def slit_mask(solution: DispersionSolution, slit_range_arcsec: tuple[float, float]) -> Mask:
    """Pixels of the frame within slit positions, to a fraction of a pixel.

    Parameters
    ----------
    solution : DispersionSolution
        Two-dimensional solution of the frame.
    slit_range_arcsec : tuple of float
        Slit positions between which pixels are taken.
    """
    mask = np.zeros(solution.shape, bool)
    turned = mask.T if solution.dispersion_axis == "x" else mask
    pixel, breadth = np.arange(len(turned)), np.arange(turned.shape[1])
    for order, wave in zip(solution.orders, solution.range_nm, strict=True):
        grid = np.linspace(*wave, _TABLE_POINTS)[:, None]
        x, y = solution.to_pixel(order, grid, np.array(slit_range_arcsec))
        along, across = solution.along(x, y), solution.across(x, y)
        rising = np.argsort(along[:, 0])
        ends = [
            np.interp(pixel, along[rising, k], across[rising, k], np.nan, np.nan) for k in (0, 1)
        ]
        low, high = np.sort(ends, axis=0)[..., None]
        near = slice(*np.clip([np.nanmin(low), np.nanmax(high) + 1], 0, len(breadth)).astype(int))
        turned[:, near] |= (breadth[near] > low) & (breadth[near] < high)
    return mask


def _strip(solution: DispersionSolution, order: int, reach: tuple[float, float]) -> SlitStrip:
    rows, columns = solution.shape
    length, breadth = (columns, rows) if solution.dispersion_axis == "x" else (rows, columns)
    axis = _axis(solution, order, length)
    nodes = _node_pixels(axis)
    low, high = _across_reach(solution, order, axis, nodes, reach)
    first = np.floor(axis.across + low).astype(int)
    across = first[:, None] + np.arange(int(np.ceil(high - low)) + 2)
    place = across - axis.across[:, None]
    shift, slit, area = _maps(solution, order, axis, nodes, (low, high), place)
    inside = axis.on_order[:, None] & (across >= 0) & (across < breadth)
    inside &= (slit > reach[0]) & (slit < reach[1])
    clipped = np.clip(across, 0, breadth - 1)
    along = np.arange(length)[:, None]
    by_row = solution.dispersion_axis == "x"
    index = clipped * length + along if by_row else along * breadth + clipped
    index = index.astype(np.int32)
    column = (along + shift).astype(np.float32)
    return SlitStrip(order, index, inside, column, slit, area, axis.wave_nm)


def _axis(solution: DispersionSolution, order: int, length: int) -> _Axis:
    """Follow slit position 0; beyond the order its end is repeated."""
    wave = np.linspace(*solution.range_nm[solution.index(order)], _TABLE_POINTS)
    x, y = solution.to_pixel(order, wave)
    along, across = solution.along(x, y), solution.across(x, y)
    rising = np.argsort(along)
    along, across, wave = along[rising], across[rising], wave[rising]
    pixel = np.arange(length, dtype=float)
    on_order = (pixel >= along[0]) & (pixel <= along[-1])
    inside = np.clip(pixel, along[0], along[-1])
    return _Axis(
        pixel, CubicSpline(along, wave)(inside), CubicSpline(along, across)(inside), on_order
    )


def _node_pixels(axis: _Axis) -> Ints:
    on = np.flatnonzero(axis.on_order)
    count = max(4, 1 + (on[-1] - on[0]) // _NODE_PX)
    return np.unique(np.rint(np.linspace(on[0], on[-1], count)).astype(int))


def _across_reach(
    solution: DispersionSolution, order: int, axis: _Axis, nodes: Ints, reach: tuple[float, float]
) -> tuple[float, float]:
    """Distances from slit position 0 at which the strip ends, px across dispersion."""
    _, _, x_slit, y_slit = solution.jacobian(order, axis.wave_nm[nodes], 0.0)
    ends = np.outer(solution.across(x_slit, y_slit), reach)
    return float(ends.min()) - 1, float(ends.max()) + 1


def _maps(
    solution: DispersionSolution,
    order: int,
    axis: _Axis,
    nodes: Ints,
    reach_px: tuple[float, float],
    place: Array,
) -> tuple[Array32, Array32, Array32]:
    """Shift along dispersion, slit position and area at pixels at a distance from slit position 0.

    The solution is inverted at nodes; between them polynomials across dispersion are interpolated
    by splines along it.
    """
    across = np.linspace(*reach_px, _NODES_ACROSS)
    along = axis.along[nodes][:, None]
    at = axis.across[nodes][:, None] + across
    x, y = (along + 0 * at, at) if solution.dispersion_axis == "x" else (at, along + 0 * at)
    wave, slit = solution.to_sky(order, x, y)
    px, py = solution.to_pixel(order, wave)
    values = np.stack([solution.along(px, py) - along, slit], axis=-1)
    basis = np.vander(across, _DEGREE_ACROSS + 1)
    coef = np.einsum("kj,njv->nkv", np.linalg.pinv(basis), np.nan_to_num(values))
    spline = CubicSpline(axis.along[nodes], coef)
    edge = np.clip(axis.along, axis.along[nodes[0]], axis.along[nodes[-1]])
    coef, slope = spline(edge), spline(edge, 1)
    place = place.astype(np.float32)
    shift, slit = (_horner(coef[..., k], place) for k in (0, 1))
    place_shift, place_slit = (_horner(_derivative(coef[..., k]), place) for k in (0, 1))
    along_shift, along_slit = (_horner(slope[..., k], place) for k in (0, 1))
    # Polynomials run in the distance from a centre that itself moves across.
    drift = np.gradient(axis.across).astype(np.float32)[:, None]
    along_shift, along_slit = along_shift - drift * place_shift, along_slit - drift * place_slit
    area = (1 + along_shift) * place_slit - place_shift * along_slit
    return shift, slit, np.abs(area)


def _derivative(coef: Array) -> Array:
    """Coefficients of the derivatives of polynomials, the highest power first."""
    return coef[:, :-1] * np.arange(coef.shape[1] - 1, 0, -1)


def _horner(coef: Array, place: Array32) -> Array32:
    """Polynomials, one per row, the highest power first."""
    first, *rest = coef.T.astype(np.float32)[..., None]
    value = np.broadcast_to(first, place.shape).copy()
    for term in rest:
        value *= place
        value += term
    return value
