"""One arm on one night: true format, geometry and efficiency, kept between exposures."""

from __future__ import annotations

from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from .atmosphere import Atmosphere, draw_atmosphere
from .atmosphere_sky import Sky, draw_sky
from .format import ArmFormat
from .format_distortion import Distortion, draw_distortion, true_format
from .lamps_arc import ArcLines, draw_arc_lines
from .optics import OPTICS, SLIT_WIDTH_ARCSEC, ArmOptics
from .optics_geometry import MARGIN_PX, OVERSAMPLING, ArmGeometry, OrderGeometry, arm_geometry
from .optics_lsf import convolve_order, order_kernels, pinhole_aperture, uniform_aperture
from .optics_slit import slit_transmission
from .optics_throughput import efficiency
from .sources import Target, find_target

Array = NDArray[np.float64]
Kernels = tuple[Array, Array]

_LINEAR_FLEXURE_PX = 0.8
"""Largest shift drawn by first order from the unshifted geometry, to 5e-4 px."""


class ArmScene:
    """What all exposures of an arm share.

    Parameters
    ----------
    arm : str
        ``VIS`` or ``NIR``.
    seed : int
        Seed of the night.
    ideal : bool
        Whether atmosphere, lamps, standards and line spread follow the tables exactly.
    drift : float
        Factor on the distortion of the spectral format; 0: the tabulated format.
    """

    def __init__(self, arm: str, seed: int, ideal: bool = False, drift: float = 1.0) -> None:
        self.arm, self.seed, self.ideal = arm, seed, ideal
        self.optics: ArmOptics = OPTICS[arm]
        self.distortion: Distortion = draw_distortion(arm, seed, drift)
        self.format: ArmFormat = true_format(arm, self.distortion)
        self.efficiency = lru_cache(maxsize=32)(self._efficiency)
        self.aperture_kernels = lru_cache(maxsize=8)(self._aperture_kernels)
        self.transmission_along = lru_cache(maxsize=8)(self._transmission_along)
        self.target = lru_cache(maxsize=8)(self._target)
        self._moved = lru_cache(maxsize=2)(self._moved_geometry)

    @cached_property
    def geometry(self) -> ArmGeometry:
        """Geometry of the unshifted format."""
        return arm_geometry(self.format)

    @cached_property
    def arcs(self) -> ArcLines:
        """True arc lines."""
        return draw_arc_lines(self.arm, self.seed, self.ideal)

    @cached_property
    def atmosphere(self) -> Atmosphere:
        """True absorption of the night."""
        return draw_atmosphere(self.seed, self.ideal)

    @cached_property
    def sky(self) -> Sky:
        """True sky of the night."""
        return draw_sky(self.seed, self.ideal)

    def shifted_geometry(
        self, flexure_px: tuple[float, float]
    ) -> tuple[ArmGeometry, tuple[float, float]]:
        """Geometry for a flexure, and the shift that remains to be applied when drawing."""
        if max(abs(flexure_px[0]), abs(flexure_px[1])) <= _LINEAR_FLEXURE_PX:
            return self.geometry, flexure_px
        return self._moved(round(flexure_px[0], 6), round(flexure_px[1], 6)), (0.0, 0.0)

    def order_spectrum(self, photons: Array, order: OrderGeometry, kernels: Kernels) -> Array:
        """Electrons per second and px on the grid of an order, from photons per px."""
        return convolve_order(photons * self.efficiency(order.number), kernels)

    def pixel_values(self, cells: Array) -> Array:
        """Mean over each px of dispersion of a spectrum on an order's grid."""
        length = self.format.disp_length()
        return cells.reshape(-1, OVERSAMPLING).mean(axis=1)[MARGIN_PX : MARGIN_PX + length]

    def _efficiency(self, number: int) -> Array:
        return efficiency(self.arm, number, self.geometry.orders[number].cell_nm)

    def _aperture_kernels(self, slit: str) -> Kernels:
        width = SLIT_WIDTH_ARCSEC.get(slit)
        aperture = uniform_aperture(width) if width else pinhole_aperture()
        return order_kernels(aperture, self.optics, wings=not self.ideal)

    def _transmission_along(self, slit: str) -> Array:
        return slit_transmission(self.optics, self.arm, slit, self.seed)

    def _target(self, name: str) -> Target:
        return find_target(name, self.seed, self.ideal)

    def _moved_geometry(self, dx_px: float, dy_px: float) -> ArmGeometry:
        return arm_geometry(self.format.shifted(dx_px, dy_px))
