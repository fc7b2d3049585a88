"""Wavelength and slit position of every pixel: the inverse of the spectral format.

Each order is a strip of pixels that follows its trace: one row of the strip per pixel along
dispersion, `STRIP_WIDTH` pixels across. In it the place of a pixel is given by the dispersion
coordinate ``d`` (the pixel along dispersion at which its wavelength crosses the slit centre) and
the slit position ``s``; wavelength follows from ``d`` alone. The full two-dimensional map is
inverted by Newton's method on a coarse mesh and interpolated, to better than 1e-4 px.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from .format import ArmFormat, OrderFormat

Array = NDArray[np.float64]
Array32 = NDArray[np.float32]

STRIP_WIDTH = 53
OVERSAMPLING = 8
"""Cells per pixel of the grids in the dispersion coordinate."""
MARGIN_PX = 32
"""Pixels by which those grids reach beyond the detector at either end."""

_NODES = 6
_COLUMN_STEP = 16


@dataclass(frozen=True)
class OrderGeometry:
    """The pixels of one order.

    Strip arrays have shape (pixels along dispersion, `STRIP_WIDTH`). ``q`` is ``d`` minus the
    pixel number along dispersion; derivatives are per pixel along (``_u``) and across (``_v``)
    dispersion. ``area`` is the Jacobian |d(d, s) / d(u, v)|, zero outside the detector.

    Attributes
    ----------
    number : int
        Order.
    index : ndarray of int32
        Flat index of each strip pixel in the image.
    q, q_u, q_v : ndarray of float32
        Dispersion coordinate, px.
    s, s_u, s_v : ndarray of float32
        Slit position, arcsec.
    area : ndarray of float32
        arcsec per px.
    edge_nm : ndarray
        Wavelength (air) at the edges of the cells of the dispersion grid, in order of ``d``.
    """

    number: int
    index: NDArray[np.int32]
    q: Array32
    q_u: Array32
    q_v: Array32
    s: Array32
    s_u: Array32
    s_v: Array32
    area: Array32
    edge_nm: Array

    @property
    def cell_nm(self) -> Array:
        """Wavelength at the centre of each cell of the dispersion grid."""
        return 0.5 * (self.edge_nm[1:] + self.edge_nm[:-1])

    def pixel_nm(self) -> Array:
        """Wavelength at integer dispersion coordinates, one per pixel of the detector."""
        first = MARGIN_PX * OVERSAMPLING + OVERSAMPLING // 2
        return self.edge_nm[first::OVERSAMPLING][: self.q.shape[0]]


@dataclass(frozen=True)
class ArmGeometry:
    """All orders of an arm; ``format`` is the format that was inverted."""

    format: ArmFormat
    orders: dict[int, OrderGeometry]


def grid_coordinate(length: int) -> Array:
    """Dispersion coordinate of the cell centres of the grid of a detector of that length."""
    count = (length + 2 * MARGIN_PX) * OVERSAMPLING
    return -MARGIN_PX - 0.5 + (np.arange(count) + 0.5) / OVERSAMPLING


def arm_geometry(arm_format: ArmFormat) -> ArmGeometry:
    """Invert a format for every pixel of every order."""
    return ArmGeometry(
        arm_format,
        {m: _order_geometry(order, arm_format) for m, order in arm_format.orders.items()},
    )


@lru_cache(maxsize=4)
def _strip_inverse(half: float) -> tuple[Array, Array]:
    """Nodes across the strip (px) and the matrix from node values to power coefficients."""
    unit = np.cos(np.pi * (np.arange(_NODES) + 0.5) / _NODES)
    return half * unit, np.linalg.inv(np.vander(unit, increasing=True))


def invert(
    order: OrderFormat, x: Array, y: Array, wave_nm: Array, slit_arcsec: Array, steps: int = 6
) -> tuple[Array, Array]:
    """Wavelength and slit position of pixel positions by Newton's method from a first guess."""
    for _ in range(steps):
        px, py = order.to_pixel(wave_nm, slit_arcsec)
        xw, xs, yw, ys = order.jacobian(wave_nm, slit_arcsec)
        det = xw * ys - xs * yw
        wave_nm = wave_nm + (ys * (x - px) - xs * (y - py)) / det
        slit_arcsec = slit_arcsec + (xw * (y - py) - yw * (x - px)) / det
    return wave_nm, slit_arcsec


def _wave_of_disp(order: OrderFormat, arm_format: ArmFormat, disp: Array) -> Array:
    """Wavelength whose image at the slit centre has the given coordinate along dispersion."""
    mesh = order.lam0_nm + order.lamh_nm * np.linspace(-1, 1, 1001)
    along, _ = arm_format.split(*order.to_pixel(mesh))
    sort = np.argsort(along)
    wave = np.interp(disp, along[sort], mesh[sort])
    for _ in range(3):
        along, _ = arm_format.split(*order.to_pixel(wave))
        xw, _, yw, _ = order.jacobian(wave, 0.0)
        slope, _ = arm_format.split(xw, yw)
        wave = wave + (disp - along) / slope
    return wave


def _order_geometry(order: OrderFormat, arm_format: ArmFormat) -> OrderGeometry:
    length = arm_format.disp_length()
    coarse = np.arange(-_COLUMN_STEP, length + 2 * _COLUMN_STEP, _COLUMN_STEP, dtype=float)
    half = STRIP_WIDTH / 2 + 1
    nodes, to_power = _strip_inverse(half)
    values, trace = _node_values(order, arm_format, coarse, nodes)
    columns = np.arange(length)
    centre = CubicSpline(coarse, trace)(columns)
    power = CubicSpline(coarse, values @ to_power.T, axis=1)(columns)
    base = np.rint(centre).astype(int) - STRIP_WIDTH // 2
    across = base[:, None] + np.arange(STRIP_WIDTH)
    t = (across - centre[:, None]) / half
    q, s, q_u, q_v, s_u, s_v = (_horner(p, t).astype(np.float32) for p in power)
    area = np.abs(q_u * s_v - q_v * s_u)
    index = _flat_index(arm_format, columns, across, area)
    disp_edges = (
        -MARGIN_PX - 0.5 + np.arange((length + 2 * MARGIN_PX) * OVERSAMPLING + 1) / OVERSAMPLING
    )
    edge_nm = _wave_of_disp(order, arm_format, disp_edges)
    return OrderGeometry(order.number, index, q, q_u, q_v, s, s_u, s_v, area, edge_nm)


def _node_values(
    order: OrderFormat, arm_format: ArmFormat, disp: Array, nodes: Array
) -> tuple[Array, Array]:
    """(q, s, q_u, q_v, s_u, s_v) at mesh points, shape (6, columns, nodes), and the trace."""
    wave0 = _wave_of_disp(order, arm_format, disp)
    _, trace = arm_format.split(*order.to_pixel(wave0))
    scale, _ = arm_format.split(*order.jacobian(wave0, 0.0)[3::-2])
    along = np.broadcast_to(disp[:, None], (disp.size, nodes.size))
    across = trace[:, None] + nodes
    x, y = arm_format.split(along, across)
    guess = np.broadcast_to(wave0[:, None], x.shape)
    wave, s = invert(order, x, y, guess, nodes / scale[:, None])
    xw, xs, yw, ys = order.jacobian(wave, s)
    (uw, vw), (us, vs) = arm_format.split(xw, yw), arm_format.split(xs, ys)
    det = uw * vs - us * vw
    d, _ = arm_format.split(*order.to_pixel(wave))
    xw0, _, yw0, _ = order.jacobian(wave, 0.0)
    d_w, _ = arm_format.split(xw0, yw0)
    return np.stack([d - along, s, d_w * vs / det, -d_w * us / det, -vw / det, uw / det]), trace


def _horner(power: Array, t: Array) -> Array:
    value = np.broadcast_to(power[:, -1:], t.shape).copy()
    for k in range(power.shape[1] - 2, -1, -1):
        value *= t
        value += power[:, k : k + 1]
    return value


def _flat_index(
    arm_format: ArmFormat, columns: NDArray[np.int_], across: NDArray[np.int_], area: Array32
) -> NDArray[np.int32]:
    """Flat image index of the strip; pixels off the detector get index 0 and no area."""
    rows, width = arm_format.shape
    breadth = rows if arm_format.disp_axis == "x" else width
    area[(across < 0) | (across >= breadth)] = 0.0
    across = np.clip(across, 0, breadth - 1)
    x, y = arm_format.split(columns[:, None], across)
    return (y * width + x).astype(np.int32)
