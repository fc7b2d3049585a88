"""Scenes on the sky: point and extended sources, sky, seen through the atmosphere and a slit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve

from .atmosphere_refraction import slit_offsets
from .atmosphere_sky import sky_table
from .contract import SceneRequest
from .optics import SLIT_WIDTH_ARCSEC, TELESCOPE_AREA_M2
from .optics_geometry import ArmGeometry, OrderGeometry
from .optics_lsf import order_kernels
from .optics_render import Light, RenderPlan
from .optics_slit import (
    SLIT_GRID,
    blurred,
    moffat_aperture,
    moffat_strip,
    moffat_through_slit,
    seeing_fwhm,
    slit_fraction,
)
from .scenes_arm import ArmScene
from .sources import ExtendedSource, PointSource
from .spectra import RunningSum, high_resolution_grid

Array = NDArray[np.float64]

_MESH = 24
"""Points along an order at which slowly varying quantities are computed."""


@dataclass(frozen=True)
class SkyScene:
    """The components of an exposure on the sky.

    Attributes
    ----------
    points, extended : list of Light
        One component per source, in the order of the target's lists.
    sky : Light
        Airglow and continuum, per arcsec of slit.
    transmission : ndarray
        Transmission of the clear atmosphere on the common grid.
    plan : RenderPlan
        How to draw it.
    """

    points: list[Light]
    extended: list[Light]
    sky: Light
    transmission: Array
    plan: RenderPlan

    @property
    def lights(self) -> list[Light]:
        """All components."""
        return [*self.points, *self.extended, self.sky]


def sky_scene(scene: ArmScene, request: SceneRequest, geometry: ArmGeometry) -> SkyScene:
    """Build the components of an exposure on the sky."""
    transmission = scene.atmosphere.transmission(request.airmass, request.pwv_mm)
    points, extended = [], []
    if request.on_target:
        target, through = scene.target(request.target), transmission * request.transparency
        points = [_point(scene, request, geometry, p, through) for p in target.points]
        extended = [_extended(scene, request, geometry, e, through) for e in target.extended]
    plan = RenderPlan(scene.transmission_along(request.slit))
    return SkyScene(points, extended, _sky(scene, request, geometry), transmission, plan)


def _collected(photons: Array) -> RunningSum:
    """Photons per second through the telescope, from a density above the slit."""
    grid = high_resolution_grid()
    return RunningSum(grid.edge_air_nm, photons * TELESCOPE_AREA_M2)


def _point(
    scene: ArmScene,
    request: SceneRequest,
    geometry: ArmGeometry,
    source: PointSource,
    transmission: Array,
) -> Light:
    photons = _collected(source.photons * transmission)
    centre_arcsec = request.nod_arcsec + source.slit_arcsec
    light = Light({}, {}, {}, {})
    for number, order in geometry.orders.items():
        disc = SeeingDisc(scene, request, order)
        through = photons.to_order(order) * disc.fraction(order.cell_nm)
        light.spectrum[number] = scene.order_spectrum(through, order, disc.kernels(scene))
        light.profile[number] = blurred(disc.profile, scene.optics)
        wave = order.pixel_nm()
        light.centre[number] = centre_arcsec + disc.along(wave)
        light.stretch[number] = seeing_fwhm(request.seeing_arcsec, wave) / disc.fwhm
    return light


class SeeingDisc:
    """A star's seeing disc at the slit, over the range of one order."""

    def __init__(self, scene: ArmScene, request: SceneRequest, order: OrderGeometry) -> None:
        self.width = SLIT_WIDTH_ARCSEC[request.slit]
        self._wave = np.linspace(order.edge_nm.min(), order.edge_nm.max(), _MESH)
        self._offset = np.zeros((2, _MESH))
        if not scene.optics.has_adc:
            self._offset = np.array(
                slit_offsets(self._wave, request.airmass, request.parallactic_deg)
            )
        fwhm = seeing_fwhm(request.seeing_arcsec, self._wave)
        self._fraction = slit_fraction(fwhm, self.width, self._offset[1])
        self.fwhm, self.across = float(fwhm[_MESH // 2]), float(self._offset[1, _MESH // 2])
        self.profile, _ = moffat_through_slit(self.fwhm, self.width, self.across)

    def fraction(self, wave_nm: Array) -> Array:
        """Share of the light that passes the slit."""
        return np.interp(wave_nm, self._wave, self._fraction)

    def along(self, wave_nm: Array) -> Array:
        """Displacement along the slit by refraction, arcsec."""
        return np.interp(wave_nm, self._wave, self._offset[0])

    def kernels(self, scene: ArmScene) -> tuple[Array, Array]:
        """Line spread of a star: the seeing disc cut by the slit."""
        aperture = moffat_aperture(self.fwhm, self.width, self.across)
        return order_kernels(aperture, scene.optics, wings=not scene.ideal)


def _extended(
    scene: ArmScene,
    request: SceneRequest,
    geometry: ArmGeometry,
    source: ExtendedSource,
    transmission: Array,
) -> Light:
    photons = _collected(source.photons * transmission * SLIT_WIDTH_ARCSEC[request.slit])
    kernels = scene.aperture_kernels(request.slit)
    spectrum = {
        number: scene.order_spectrum(photons.to_order(order), order, kernels)
        for number, order in geometry.orders.items()
    }
    place = SLIT_GRID - request.nod_arcsec - source.slit_arcsec
    profile = np.exp(-np.abs(place) / source.scale_arcsec)
    profiles = {}
    for number, order in geometry.orders.items():
        fwhm = float(seeing_fwhm(request.seeing_arcsec, np.median(order.pixel_nm())))
        seen = fftconvolve(profile, moffat_strip(fwhm), mode="same")
        profiles[number] = blurred(seen, scene.optics)
    return Light(spectrum, profiles)


def _sky(scene: ArmScene, request: SceneRequest, geometry: ArmGeometry) -> Light:
    kernels = scene.aperture_kernels(request.slit)
    table, aperture = sky_table(), TELESCOPE_AREA_M2 * SLIT_WIDTH_ARCSEC[request.slit]
    sums = [
        RunningSum(table.edge_air_nm, part * aperture)
        for part in scene.sky.radiance(request.airmass, request.mjd)
    ]
    light = Light({}, gradient={})
    for number, order in geometry.orders.items():
        lines, continuum = (
            scene.order_spectrum(part.to_order(order), order, kernels) for part in sums
        )
        light.spectrum[number] = lines + continuum
        light.gradient[number] = (
            scene.sky.line_slope * lines + scene.sky.continuum_slope * continuum
        )
    return light
