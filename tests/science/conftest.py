"""Exposures of the sky with known light, made once per run."""

import json
from dataclasses import dataclass, replace
from importlib.resources import files

import numpy as np
import pytest
from astropy.io import fits

from soxs_recipes.algorithms import detrending
from soxs_recipes.algorithms.frame import DetectorFrame
from soxs_recipes.algorithms.order_table import OrderTable, series_of
from soxs_recipes.algorithms.slit_strips import slit_strips
from soxs_recipes.algorithms.variance import CcdNoise, RampNoise
from soxs_recipes.cpl_bridge import cpl
from soxs_recipes.instrument.spectral_format import spectral_format
from soxs_recipes.products.dispersion_tables import dispersion_tables
from soxs_recipes.products.order_tables import order_columns
from soxs_simulator.contract import SceneRequest
from soxs_simulator.optics import OPTICS
from soxs_simulator.optics_render import render
from soxs_simulator.scenes import OpticsScenes
from soxs_simulator.scenes_sky import sky_scene

SEED = 2
NOISE = {"VIS": CcdNoise(3.8), "NIR": RampNoise(7.3)}
MARGIN_ARCSEC = 0.45


@dataclass(frozen=True)
class Scene:
    """An exposure without noise: electrons of sky (stray light included) and of the objects."""

    arm: str
    sky_e: np.ndarray
    object_e: np.ndarray

    @property
    def sigma(self):
        """True standard deviation of each pixel."""
        return np.sqrt(NOISE[self.arm].variance(self.sky_e + self.object_e))

    def noisy(self, seed):
        """Frame as detrending gives it."""
        light = self.sky_e + self.object_e
        noise = np.random.default_rng(seed).standard_normal(light.shape)
        flux = (light + self.sigma * noise).astype("f4")
        return detrending.mean_with_noise(flux, np.zeros(flux.shape, "u2"), 1, NOISE[self.arm])


def true_solution(arm_format):
    """Dispersion solution without error."""
    path = files("soxs_recipes.calib") / f"spectral_format_{arm_format.arm.lower()}.json"
    nominal, table = json.loads(path.read_text()), arm_format.to_dict()
    for number, order in table["orders"].items():
        order["lam_on_detector"] = nominal["orders"][number]["lam_on_detector"]
    return spectral_format(table)


def true_edges(solution, half_arcsec):
    """Order table with the true centres and edges."""
    length = solution.shape[1] if solution.dispersion_axis == "x" else solution.shape[0]
    pixel = np.arange(length)
    curves = np.full((3, len(solution.orders), length), np.nan)
    for n, order in enumerate(solution.orders):
        wave = np.linspace(*solution.range_nm[n], 2000)
        for curve, slit in zip(curves, (0.0, -half_arcsec, half_arcsec), strict=True):
            x, y = solution.to_pixel(order, wave, slit)
            along, across = solution.along(x, y), solution.across(x, y)
            rising = np.argsort(along)
            sampled = np.interp(pixel, along[rising], across[rising], left=np.nan, right=np.nan)
            curve[n] = sampled
    known = np.isfinite(curves).all(axis=0)
    sampled = np.array([[np.flatnonzero(k)[0], np.flatnonzero(k)[-1]] for k in known], float)
    centre, *edges = (series_of(curve, 11) for curve in curves)
    lower, upper = np.where(
        (np.nanmean(curves[1], axis=1) < np.nanmean(curves[2], axis=1))[:, None],
        edges,
        edges[::-1],
    )
    table = OrderTable(
        solution.shape,
        solution.dispersion_axis,
        solution.orders,
        centre,
        sampled,
        np.full(len(solution.orders), 0.8),
    )
    return table.with_edges(lower, upper, sampled)


@pytest.fixture(scope="session")
def optics():
    """The optics of one night."""
    return OpticsScenes(SEED)


@pytest.fixture(scope="session")
def scene(optics):
    """Exposures of a target, each drawn when first asked for."""
    drawn = {}

    def draw(arm, target, exptime_s, gradient=None, flexure_px=(0.0, 0.0), slit="SLIT1.0"):
        key = (arm, target, exptime_s, gradient, flexure_px, slit)
        if key not in drawn:
            drawn[key] = draw_scene(optics, *key)
        return drawn[key]

    return draw


def draw_scene(optics, arm, target, exptime_s, gradient, flexure_px, slit):
    """Draw an exposure without noise; `gradient` is that of the sky per arcsec."""
    shared = optics.arm(arm)
    request = SceneRequest(
        arm,
        "object",
        slit,
        target=target,
        mode="STARE",
        mjd=61115.1,
        airmass=1.2,
        parallactic_deg=40.0,
        flexure_px=flexure_px,
        seed=SEED,
    )
    geometry, rest = shared.shifted_geometry(flexure_px)
    kept = shared.__dict__.pop("sky", None)
    if gradient is not None:
        shared.__dict__["sky"] = replace(shared.sky, line_slope=gradient, continuum_slope=gradient)
    parts = sky_scene(shared, request, geometry)
    shared.__dict__.pop("sky", None)
    if kept is not None:
        shared.__dict__["sky"] = kept
    plan = replace(parts.plan, flexure_px=rest)
    sky, light = render(geometry, [parts.sky], plan), render(geometry, parts.lights, plan)
    total = light.copy()
    optics._add_stray(shared, total)
    return Scene(arm, exptime_s * (sky + total - light), exptime_s * (light - sky))


@pytest.fixture(scope="session")
def solution(optics):
    """True two-dimensional solution of each arm."""
    return {arm: true_solution(optics.arm(arm).format) for arm in OPTICS}


@pytest.fixture(scope="session")
def strips(solution):
    """Strips of each arm within the slit's lit part."""

    def reach(arm):
        return OPTICS[arm].slit_half_arcsec - MARGIN_ARCSEC

    return {arm: slit_strips(solution[arm], (-reach(arm), reach(arm))) for arm in OPTICS}


@pytest.fixture
def calibration_files(tmp_path):
    """Write a true solution and order edges as products; returns sets for `run_recipe`."""

    def write(raw, solution):
        arm = solution.arm
        cards = [c for c in fits.getheader(raw).cards if not c.keyword.startswith("NAXIS")]
        header = fits.Header(c for c in cards if "DPR" not in c.keyword)
        for card in ("SIMPLE", "BITPIX", "EXTEND", "BZERO", "BSCALE"):
            header.remove(card, ignore_missing=True)
        edges = true_edges(solution, OPTICS[arm].slit_half_arcsec)
        contents = {
            f"DISP_TAB_2D_{arm}": dispersion_tables(solution),
            f"ORDER_TAB_EDGES_{arm}": {"ORDERS": order_columns(edges)},
        }
        sets = []
        for tag, tables in contents.items():
            header["HIERARCH ESO PRO CATG"] = tag
            hdus = [fits.BinTableHDU(table, name=name) for name, table in tables.items()]
            path = tmp_path / f"{tag.lower()}.fits"
            fits.HDUList([fits.PrimaryHDU(header=header), *hdus]).writeto(path, overwrite=True)
            sets.append(([path], tag))
        return sets

    return write


@pytest.fixture
def reduce(tmp_path, monkeypatch, calibration_files, solution):
    """Run a recipe on tagged files; returns the product paths by tag, in order of time."""

    def run(recipe, *tagged, arm="VIS", known=None, **options):
        calibrations = calibration_files(tagged[0][0], known or solution[arm])
        files = [*tagged, *((path, tag) for paths, tag in calibrations for path in paths)]
        monkeypatch.chdir(tmp_path)
        given = {name.replace("_", "-"): value for name, value in options.items()}
        frames = cpl.ui.FrameSet([cpl.ui.Frame(str(path), tag) for path, tag in files])
        found = {}
        for frame in recipe().run(frames, given):
            found.setdefault(frame.tag, []).append(tmp_path / frame.file)
        return {tag: sorted(paths) for tag, paths in found.items()}

    return run


@pytest.fixture(scope="session")
def plain_frame():
    """A frame of given light with little noise."""

    def make(light_e, noise_e=1.0, seed=1):
        noise = np.random.default_rng(seed).normal(0, noise_e, light_e.shape)
        variance = np.full(light_e.shape, noise_e**2)
        return DetectorFrame.from_variance(light_e + noise, variance)

    return make
