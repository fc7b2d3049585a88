"""The truth of an exposure on the sky, order by order, computed anew from the manifest.

>>> from soxs_simulator.scenes_truth import read_exposure_truth
>>> truth = read_exposure_truth("truth/manifest.json", raw_file_name)  # doctest: +SKIP
>>> truth.orders[17].wave_nm, truth.orders[17].object_e_per_s  # doctest: +SKIP
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .bounds import NoisyImage, OrderBounds, sn_bounds
from .contract import SceneRequest
from .format import ArmFormat
from .optics_geometry import OVERSAMPLING, ArmGeometry, OrderGeometry
from .optics_lsf import convolve_order
from .optics_render import Light, render
from .optics_slit import SLIT_GRID, SLIT_STEP_ARCSEC
from .scenes import OpticsScenes
from .scenes_arm import ArmScene
from .scenes_sky import SeeingDisc, SkyScene, sky_scene
from .spectra import RunningSum, high_resolution_grid

if TYPE_CHECKING:
    from astropy.table import Table

Array = NDArray[np.float64]

_ERG_PER_PHOTON_NM = 6.62607015e-27 * 2.99792458e17


@dataclass(frozen=True)
class OrderTruth:
    """The truth of one order; every array has one entry per pixel of dispersion.

    Attributes
    ----------
    wave_nm : ndarray
        Wavelength in air at which the slit centre has this pixel coordinate (flexure included).
    object_e_per_s : ndarray
        Electrons per second of the target through the slit, in the pixel.
    sky_e_per_s_arcsec : ndarray
        Electrons per second of sky in the pixel per arcsec of slit, at the slit centre.
    sky_gradient : ndarray
        Its change per arcsec.
    flux_erg : ndarray
        Target above the atmosphere at the instrument's resolution, erg s-1 cm-2 Angstrom-1.
    transmission : ndarray
        Atmospheric transmission at the instrument's resolution.
    efficiency : ndarray
        Electrons per photon, telescope and instrument.
    slit_fraction : ndarray
        Share of the target's light that passes the slit.
    centre_arcsec : ndarray
        Slit position of the target.
    """

    wave_nm: Array
    object_e_per_s: Array
    sky_e_per_s_arcsec: Array
    sky_gradient: Array
    flux_erg: Array
    transmission: Array
    efficiency: Array
    slit_fraction: Array
    centre_arcsec: Array


@dataclass(frozen=True)
class ExposureTruth:
    """Truth of one exposure: its request, the format with flexure, and the orders."""

    request: SceneRequest
    format: ArmFormat
    orders: dict[int, OrderTruth]

    def to_table(self) -> Table:
        """One row per order and pixel, with columns ``order``, ``pixel`` and the arrays."""
        from astropy.table import Table

        names = [f.name for f in fields(OrderTruth)]
        columns = {n: np.concatenate([getattr(o, n) for o in self.orders.values()]) for n in names}
        length = self.format.disp_length()
        order = np.repeat(list(self.orders), length)
        pixel = np.tile(np.arange(length), len(self.orders))
        return Table({"order": order, "pixel": pixel, **columns})


def read_exposure_truth(manifest: str | Path, frame: str) -> ExposureTruth:
    """Truth of a frame of a simulated night.

    Parameters
    ----------
    manifest : path
        ``truth/manifest.json`` of the night.
    frame : str
        Name of the raw file.

    Raises
    ------
    KeyError
        The night has no such frame, or it does not show the sky.
    """
    record = json.loads(Path(manifest).read_text(encoding="utf-8"))
    optics = record["optics"]["optics"]
    source = OpticsScenes(optics["seed"], optics["ideal"], optics["drift"])
    return exposure_truth(source, request_of(record["frames"][frame]["scene"]["optics"]["request"]))


def request_of(record: dict[str, object]) -> SceneRequest:
    """Return the request that a manifest records."""
    pairs = {k: tuple(v) if isinstance(v, list) else v for k, v in record.items()}
    return SceneRequest(**pairs)


def exposure_truth(source: OpticsScenes, request: SceneRequest) -> ExposureTruth:
    """Truth of an exposure on the sky; the target is its first point source."""
    scene = source.arm(request.arm)
    moved = scene.format.shifted(*request.flexure_px)
    geometry, _ = scene.shifted_geometry(request.flexure_px)
    parts = sky_scene(scene, request, geometry)
    orders = {
        number: _order_truth(scene, request, geometry.orders[number], parts, moved)
        for number in geometry.orders
    }
    return ExposureTruth(request, moved, orders)


def exposure_bounds(
    source: OpticsScenes,
    request: SceneRequest,
    rate_e_per_s: NDArray[np.float32],
    ron_e: float,
    photon_factor: float = 1.0,
    master_variance_e2: NDArray[np.float32] | float = 0.0,
) -> dict[int, OrderBounds]:
    """S/N bounds of one exposure of a point source.

    Parameters
    ----------
    source, request
        As for :func:`exposure_truth`.
    rate_e_per_s : ndarray
        The exposure's total rate (dark current may be added).
    ron_e : float
        Noise of a pixel of the whole exposure without light, electrons.
    photon_factor : float
        Variance of the photon noise per electron (1 for a CCD, other for a fitted ramp).
    master_variance_e2 : ndarray or float
        Variance that the master calibration frames bring in.
    """
    scene = source.arm(request.arm)
    geometry, _ = scene.shifted_geometry(request.flexure_px)
    image = object_image(scene, request, geometry) * np.float32(request.exptime_s)
    photons = photon_factor * rate_e_per_s * request.exptime_s
    variance = photons + ron_e**2 + master_variance_e2
    noisy = NoisyImage(image, variance.astype(np.float32))
    return sn_bounds(geometry, [noisy], scene.transmission_along(request.slit))


def object_image(
    scene: ArmScene, request: SceneRequest, geometry: ArmGeometry
) -> NDArray[np.float32]:
    """Electrons per second of the target alone in each science pixel."""
    _, rest = scene.shifted_geometry(request.flexure_px)
    parts = sky_scene(scene, request, geometry)
    return render(geometry, parts.points[:1], replace(parts.plan, flexure_px=rest))


def _order_truth(
    scene: ArmScene,
    request: SceneRequest,
    order: OrderGeometry,
    parts: SkyScene,
    moved: ArmFormat,
) -> OrderTruth:
    number = order.number
    wave = _wave_of_pixels(scene, order, moved)
    disc = SeeingDisc(scene, request, order)

    def at_pixels(cells: Array) -> Array:
        """Move values per px from the unshifted grid to the pixels of the frame."""
        return np.interp(wave, *_sorted(order.cell_nm, _pixel_mean(cells)))

    width = at_pixels(np.abs(np.diff(order.edge_nm)) * OVERSAMPLING)
    kernels = disc.kernels(scene)
    edges = high_resolution_grid().edge_air_nm
    transmission = convolve_order(RunningSum(edges, parts.transmission).to_order(order), kernels)
    through, flux, centre = np.zeros(wave.size), np.zeros(wave.size), np.full(wave.size, np.nan)
    if parts.points:
        light = parts.points[0]
        photons = scene.target(request.target).points[0].photons
        above = convolve_order(RunningSum(edges, photons).to_order(order), kernels)
        flux = at_pixels(above) / width * _ERG_PER_PHOTON_NM / wave / 1e4 / 10
        through = at_pixels(light.spectrum[number]) * _inside(
            light, number, parts.plan.transmission
        )
        centre = light.centre[number]
    return OrderTruth(
        wave,
        through,
        at_pixels(parts.sky.spectrum[number]),
        at_pixels(parts.sky.gradient[number]),
        flux,
        at_pixels(transmission) / width,
        np.interp(wave, *_sorted(order.cell_nm, scene.efficiency(number))),
        disc.fraction(wave),
        centre,
    )


def _wave_of_pixels(scene: ArmScene, order: OrderGeometry, moved: ArmFormat) -> Array:
    """Wavelength whose image at the slit centre falls on each pixel of the frame."""
    axis = moved.orders[order.number].to_pixel(order.cell_nm, 0.0)
    along, _ = moved.split(*axis)
    return np.interp(np.arange(scene.format.disp_length()), along, order.cell_nm)


def _pixel_mean(cells: Array) -> Array:
    """Mean over the pixel centred on each cell: half weight for the two outermost of nine."""
    kernel = np.array([0.5, *[1.0] * (OVERSAMPLING - 1), 0.5]) / OVERSAMPLING
    return np.convolve(cells, kernel, mode="same")


def _sorted(wave: Array, values: Array) -> tuple[Array, Array]:
    return (wave, values) if wave[0] < wave[-1] else (wave[::-1], values[::-1])


def _inside(light: Light, number: int, transmission: Array) -> Array:
    """Share of the profile inside the length of the slit, per pixel of dispersion."""
    centre, stretch = light.centre[number], light.stretch[number]
    mesh = np.linspace(0, centre.size - 1, 9).astype(int)
    profile = light.profile[number]
    share = [
        np.sum(np.interp((SLIT_GRID - centre[i]) / stretch[i], SLIT_GRID, profile) * transmission)
        * SLIT_STEP_ARCSEC
        / stretch[i]
        for i in mesh
    ]
    return np.interp(np.arange(centre.size), mesh, share)
