"""Lamp scenes: arcs and flats through pinholes and slits, and their lamp-off twins."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .contract import SceneRequest
from .lamps import d2_lamp, qth_lamp, thermal_background
from .optics import PINHOLE_ARCSEC, SLIT_WIDTH_ARCSEC, pinhole_positions
from .optics_geometry import OVERSAMPLING, ArmGeometry, OrderGeometry
from .optics_render import Light, RenderPlan
from .optics_slit import pinhole_profile
from .scenes_arm import ArmScene
from .spectra import lines_to_order

Array = NDArray[np.float64]

PINHOLE_AREA_ARCSEC2 = np.pi / 4 * PINHOLE_ARCSEC**2


def lamp_lights(
    scene: ArmScene, request: SceneRequest, geometry: ArmGeometry
) -> tuple[list[Light], RenderPlan]:
    """Light of the lamps (and of the warm shutter in the NIR) through the slit of the request."""
    kernels = scene.aperture_kernels(request.slit)
    spectrum = {}
    for number, order in geometry.orders.items():
        photons = _surface_brightness(scene, request, order) * _aperture_size(request.slit)
        spectrum[number] = scene.order_spectrum(photons, order, kernels)
    if request.slit in SLIT_WIDTH_ARCSEC:
        return [Light(spectrum)], RenderPlan(scene.transmission_along(request.slit))
    positions = pinhole_positions(scene.arm, request.slit)
    holes = pinhole_profile(scene.optics, positions)
    reach = float(np.abs(positions).max()) + 1.3
    return [Light(spectrum, dict.fromkeys(spectrum, holes))], RenderPlan(reach_arcsec=reach)


def lamp_truth(scene: ArmScene, request: SceneRequest) -> dict[str, object]:
    """Lines and lamps of a lamp frame, as JSON."""
    truth: dict[str, object] = {"lamps": list(request.lamps) if request.lamp_on else []}
    if request.slit not in SLIT_WIDTH_ARCSEC:
        truth["pinholes_arcsec"] = pinhole_positions(scene.arm, request.slit).tolist()
    return truth


def _aperture_size(slit: str) -> float:
    """arcsec2 of a hole, or arcsec of the width of a slit."""
    return SLIT_WIDTH_ARCSEC.get(slit, PINHOLE_AREA_ARCSEC2)


def _surface_brightness(scene: ArmScene, request: SceneRequest, order: OrderGeometry) -> Array:
    """Photons per second, px of dispersion and arcsec2 on the grid of an order."""
    wave, width = order.cell_nm, np.abs(np.diff(order.edge_nm)) * OVERSAMPLING
    glow = thermal_background(wave) * width if scene.arm == "NIR" else np.zeros_like(wave)
    if not request.lamp_on:
        return glow
    lamp = np.zeros_like(wave)
    if "QTH" in request.lamps:
        lamp += qth_lamp(scene.arm, wave) * width
    if "D2" in request.lamps:
        lamp += d2_lamp(wave) * width
    arc_nm, arc_photons = scene.arcs.lit(request.lamps)
    if request.kind.endswith("arc"):
        lamp += lines_to_order(order, arc_nm, arc_photons)
    return glow + request.lamp_scale * lamp
