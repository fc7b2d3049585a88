"""From spectra and slit profiles to the light on every pixel.

The light of a component is S(d) P(s), electrons per second per px of dispersion and per arcsec
of slit. A pixel gets its integral, S P |d(d, s)/d(u, v)| summed over Gauss-Legendre points of
the pixel, with d and s of the full two-dimensional map.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .optics_geometry import MARGIN_PX, OVERSAMPLING, ArmGeometry, OrderGeometry
from .optics_slit import SLIT_REACH_ARCSEC, SLIT_STEP_ARCSEC

Array = NDArray[np.float64]
Array32 = NDArray[np.float32]

QUADRATURE = (3, 3)


@dataclass(frozen=True)
class Light:
    """One component of a scene.

    Attributes
    ----------
    spectrum : mapping
        Order to electrons per second and px on the dispersion grid, line spread included (per
        arcsec of slit where there is no profile).
    profile : mapping
        Order to a table on ``SLIT_GRID``, per arcsec; missing: uniform along the slit.
    centre, stretch : mapping
        Order to slit position (arcsec) of the profile's origin, and factor on its width, at each
        px along dispersion; missing: 0 and 1.
    gradient : mapping
        Order to the change of ``spectrum`` per arcsec of slit; for uniform components.
    """

    spectrum: Mapping[int, Array]
    profile: Mapping[int, Array] = field(default_factory=dict)
    centre: Mapping[int, Array] = field(default_factory=dict)
    stretch: Mapping[int, Array] = field(default_factory=dict)
    gradient: Mapping[int, Array] = field(default_factory=dict)


@dataclass(frozen=True)
class RenderPlan:
    """How a scene is drawn.

    Attributes
    ----------
    transmission : ndarray or None
        Transmission along the slit on ``SLIT_GRID``, applied to every component.
    flexure_px : tuple of float
        Shift (x, y) of the light against the geometry; below 1 px.
    reach_arcsec : float
        Slit positions beyond it are dark.
    points : tuple of int
        Quadrature points per pixel along and across dispersion.
    """

    transmission: Array | None = None
    flexure_px: tuple[float, float] = (0.0, 0.0)
    reach_arcsec: float = 6.8
    points: tuple[int, int] = QUADRATURE


def render(geometry: ArmGeometry, lights: Sequence[Light], plan: RenderPlan) -> Array32:
    """Return the image of all components: electrons per second in each science pixel."""
    image = np.zeros(geometry.format.shape, np.float32)
    flat = image.reshape(-1)
    shift = geometry.format.split(*plan.flexure_px)
    for order in geometry.orders.values():
        keep = _lit_columns(order, plan.reach_arcsec)
        strip = _Strip(order, keep, shift)
        light = np.zeros_like(strip.q)
        for along, across, weight in _quadrature(plan.points):
            light += np.float32(weight) * strip.at(along, across, lights, plan.transmission)
        light *= order.area[:, keep]
        flat[order.index[:, keep]] += light
    return image


def lookup(table: Array, position: Array32, offset: NDArray[np.int32] | int = 0) -> Array32:
    """Linear interpolation in a table at ``offset + position``, in cells from its first entry."""
    floor = np.floor(position)
    index = floor.astype(np.int32)
    index += np.int32(offset) if np.isscalar(offset) else offset
    value = np.take(table.astype(np.float32), index, mode="clip")
    slope = np.take(np.diff(table, append=table[-1]).astype(np.float32), index, mode="clip")
    slope *= position - floor
    value += slope
    return value


def slit_cells(slit_arcsec: Array32) -> Array32:
    """Position on ``SLIT_GRID``, in cells."""
    return (slit_arcsec + np.float32(SLIT_REACH_ARCSEC)) * np.float32(1 / SLIT_STEP_ARCSEC)


class _Strip:
    """The lit part of an order, sampled at points inside its pixels."""

    def __init__(self, order: OrderGeometry, keep: slice, shift: tuple[float, float]) -> None:
        self.number = order.number
        self.q, self.s = order.q[:, keep], order.s[:, keep]
        self.q_u, self.q_v = order.q_u[:, keep], order.q_v[:, keep]
        self.s_u, self.s_v = order.s_u[:, keep], order.s_v[:, keep]
        self.shift = shift
        first = (np.arange(len(self.q), dtype=np.int32) + MARGIN_PX) * OVERSAMPLING
        self.first = first[:, None]

    def at(
        self, along: float, across: float, lights: Sequence[Light], transmission: Array | None
    ) -> Array32:
        """Light per px and arcsec at one point of every pixel."""
        du, dv = np.float32(along - self.shift[0]), np.float32(across - self.shift[1])
        cells = (self.q + du * self.q_u + dv * self.q_v + np.float32(0.5)) * np.float32(
            OVERSAMPLING
        ) - np.float32(0.5)
        slit = self.s + du * self.s_u + dv * self.s_v
        total = np.zeros_like(slit)
        for light in lights:
            total += self._component(light, cells, slit)
        if transmission is not None:
            total *= lookup(transmission, slit_cells(slit))
        return total

    def _component(self, light: Light, cells: Array32, slit: Array32) -> Array32:
        value = lookup(light.spectrum[self.number], cells, self.first)
        if self.number in light.gradient:
            value += slit * lookup(light.gradient[self.number], cells, self.first)
        if self.number not in light.profile:
            return value
        profile = light.profile[self.number]
        place = slit
        if self.number in light.centre:
            place = slit - light.centre[self.number].astype(np.float32)[:, None]
        if self.number in light.stretch:
            narrow = (1 / light.stretch[self.number]).astype(np.float32)[:, None]
            place = place * narrow
            value *= narrow
        value *= lookup(profile, slit_cells(place))
        return value


def _quadrature(points: tuple[int, int]) -> list[tuple[float, float, float]]:
    (u, wu), (v, wv) = (np.polynomial.legendre.leggauss(n) for n in points)
    return [
        (a / 2, b / 2, wa * wb / 4)
        for a, wa in zip(u, wu, strict=True)
        for b, wb in zip(v, wv, strict=True)
    ]


def _lit_columns(order: OrderGeometry, reach_arcsec: float) -> slice:
    lit = np.flatnonzero(np.abs(order.s).min(axis=0) < reach_arcsec)
    return slice(int(lit[0]), int(lit[-1]) + 1)
