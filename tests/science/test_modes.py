"""Exposures of every mode, from raw frames to spectra, against the best that can be reached."""

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from soxs_recipes.algorithms.robust import mad_sd
from soxs_recipes.cpl_bridge import cpl
from soxs_recipes.products.spectrum_tables import read_order_spectra
from soxs_recipes.recipes.soxs_extract import SoxsExtract
from soxs_recipes.recipes.soxs_mbias import SoxsMbias
from soxs_recipes.recipes.soxs_nod import SoxsNod
from soxs_recipes.recipes.soxs_offset import SoxsOffset
from soxs_simulator.bounds import NoisyImage, sn_bounds
from soxs_simulator.frames import Run
from soxs_simulator.observations import simulate_observation
from soxs_simulator.scenes import OpticsScenes
from soxs_simulator.scenes_truth import exposure_truth, object_image, request_of
from soxs_simulator.schedule import Observation, Target
from soxs_simulator.specs import VIS
from tests.science.conftest import SEED

EXPTIME_S, BIASES, GRADIENT = 300.0, 5, 0.01
ZERO_NOISE2 = VIS.modes[0].total_ron_e ** 2


@dataclass(frozen=True)
class Seen:
    """A set of raw exposures: what light was in each, and where the object was."""

    paths: list
    requests: list
    images: list
    truths: list


@dataclass(frozen=True)
class Measured:
    """Spectrum against truth and bound, all bins of all orders together."""

    efficiency: float
    bias: float
    pull_mean: float
    pull_sd: float
    sums_sd: float


@pytest.fixture(scope="module")
def source():
    """The night's optics; the sky changes by 1 % per arcsec along the slit."""
    scenes = OpticsScenes(SEED)
    shared = scenes.arm("VIS")
    slopes = {"line_slope": GRADIENT, "continuum_slope": GRADIENT}
    shared.__dict__["sky"] = replace(shared.sky, **slopes)
    return scenes


@pytest.fixture(scope="module")
def master_bias(simulated, tmp_path_factory):
    out = tmp_path_factory.mktemp("bias")
    frames = simulated("bias", arm="VIS", frames=BIASES)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(out)
        tagged = [cpl.ui.Frame(str(frame), "BIAS_VIS") for frame in frames]
        found = SoxsMbias().run(cpl.ui.FrameSet(tagged), {})
    return next(out / frame.file for frame in found if frame.tag == "MASTER_BIAS_VIS")


@pytest.fixture(scope="module")
def seen(source, tmp_path_factory):
    """Exposures of a kind, made once, with expected light and variance."""
    made = {}

    def take(kind):
        if kind not in made:
            out = tmp_path_factory.mktemp(kind)
            plan = Observation(kind, Target("PL_17", 165.4, -35.2), "SLIT1.0", EXPTIME_S, 120.0)
            paths = simulate_observation(
                out, plan, Run(seed=SEED, prnu=False), arms=("VIS",), factory=lambda: source
            )
            frames = json.loads((out / "truth" / "manifest.json").read_text())["frames"]
            asked = [request_of(frames[p.name]["scene"]["optics"]["request"]) for p in paths]
            images = [noisy(source, request) for request in asked]
            truths = [exposure_truth(source, one) if one.on_target else None for one in asked]
            made[kind] = Seen(paths, asked, images, truths)
        return made[kind]

    return take


def noisy(source, request):
    """Light of the object, and variance of a pixel without the master bias."""
    shared = source.arm("VIS")
    rate = source.scene(request).rate_e_per_s
    light = np.zeros_like(rate)
    if request.on_target:
        geometry, _ = shared.shifted_geometry(request.flexure_px)
        light = object_image(shared, request, geometry)
    return NoisyImage(light * np.float32(EXPTIME_S), rate * np.float32(EXPTIME_S) + ZERO_NOISE2)


def with_master(image):
    return replace(image, variance_e2=image.variance_e2 + np.float32(ZERO_NOISE2 / BIASES))


def bound(source, images, shared_sky):
    """Best S/N ratio per pixel of every order, sky fitted."""
    shared = source.arm("VIS")
    along = shared.transmission_along("SLIT1.0")
    found = sn_bounds(shared.geometry, images, along, shared_sky)
    return {order: one.sky_fitted for order, one in found.items()}


@pytest.fixture
def extracted(reduce, master_bias, tmp_path, solution):
    """Spectrum of what a recipe leaves of tagged exposures."""

    def run(recipe, tag, paths, **options):
        tagged = [*((path, tag) for path in paths), (master_bias, "MASTER_BIAS_VIS")]
        products = reduce(recipe, *tagged, **options)
        frames = [(path, name) for name, found in products.items() for path in found]
        blaze = tmp_path / "blaze.fits"
        length = solution["VIS"].shape[0]
        orders = solution["VIS"].orders
        table = Table(
            {
                "ORDER": np.repeat(orders, length).astype("i2"),
                "PIXEL": np.tile(np.arange(length), len(orders)).astype("i2"),
                "BLAZE": np.ones(length * len(orders)),
                "QUAL": np.zeros(length * len(orders), "i2"),
            }
        )
        header = fits.getheader(master_bias)
        header["HIERARCH ESO PRO CATG"] = "BLAZE_TAB_VIS"
        hdus = [fits.PrimaryHDU(header=header), fits.BinTableHDU(table, name="BLAZE")]
        fits.HDUList(hdus).writeto(blaze, overwrite=True)
        found = reduce(SoxsExtract, *frames, (blaze, "BLAZE_TAB_VIS"))
        (path,) = found["SCI_SPECTRUM_ORDERS_VIS"]
        return read_order_spectra(path)

    return run


def compared(spectra, truths, bounds):
    """Compare a spectrum with truth and bound."""
    scaled, pulls, sums, total, true_total = [], [], [], 0.0, 0.0
    for order in spectra.orders:
        here = spectra.of(order)
        wave, flux, error = spectra.wave_nm[here], spectra.flux_e[here], spectra.error_e[here]
        rising = np.argsort(truths[0].orders[order].wave_nm)

        def at(values, truth=truths[0].orders[order], rising=rising, wave=wave):
            return np.interp(wave, truth.wave_nm[rising], values[rising])

        parts = [
            np.interp(wave, *(v[np.argsort(t.wave_nm)] for v in (t.wave_nm, t.object_e_per_s)))
            for t in (truth.orders[order] for truth in truths)
        ]
        true = EXPTIME_S * np.mean(parts, axis=0)
        good = spectra.good[here] & (true > 0.1 * true.max())
        off = np.where(good, flux - true, 0.0)
        scaled.append((off / true * at(bounds[order]))[good])
        pulls.append((off / error)[good])
        whole = len(off) // 20 * 20
        complete = good[:whole].reshape(-1, 20).all(axis=1)
        error2 = (error**2)[:whole].reshape(-1, 20).sum(axis=1) * spectra.covariance[order]
        sums.append((off[:whole].reshape(-1, 20).sum(axis=1) / np.sqrt(error2))[complete])
        total, true_total = total + off.sum(), true_total + true[good].sum()
    pull, ratio = np.concatenate(pulls), np.concatenate(scaled)
    ratio = ratio[np.abs(pull) < 5]
    return Measured(
        float(np.mean(ratio**2) ** -0.5),
        total / true_total,
        float(np.mean(pull[np.abs(pull) < 5])),
        float(mad_sd(pull)),
        float(mad_sd(np.concatenate(sums))),
    )


def test_offset_uses_the_sky_of_both_exposures(source, seen, extracted):
    """The sky beside is 2 to 4 % fainter; the joint bound of both exposures is reached."""
    taken = seen("object_async_offset")
    spectra = extracted(SoxsOffset, "OBJECT_OFFSET_VIS", taken.paths)
    joint = bound(source, [with_master(image) for image in taken.images], True)
    found = compared(spectra, taken.truths[:1], joint)
    assert found.efficiency > 0.97
    assert abs(found.bias) < 0.01
    assert abs(found.pull_mean) < 0.07
    assert found.pull_sd == pytest.approx(1, abs=0.05)
    assert found.sums_sd == pytest.approx(1, abs=0.12)


def test_difference_reaches_the_bound_of_the_difference(source, seen, extracted):
    """Against both exposures with skies of their own it loses what subtracting costs."""
    taken = seen("object_async_nod")
    spectra = extracted(SoxsNod, "OBJECT_NOD_VIS", taken.paths, nod_sky="difference")
    a, b = taken.images
    both = NoisyImage(a.object_e - b.object_e, a.variance_e2 + b.variance_e2)
    of_difference = bound(source, [both], False)
    joint = bound(source, [with_master(image) for image in taken.images], False)
    found = compared(spectra, taken.truths, of_difference)
    against = compared(spectra, taken.truths, joint)
    assert found.efficiency > 0.97
    assert 0.85 < against.efficiency < 0.97
    assert abs(found.bias) < 0.01
    assert abs(found.pull_mean) < 0.1
    assert found.pull_sd == pytest.approx(1, abs=0.05)


def test_positions_of_a_map_reach_their_bounds(source, seen, extracted):
    """Both positions, 2.5 arcsec off the middle, together as if they were a map."""
    taken = seen("object_async_nod")
    spectra = extracted(SoxsOffset, "OBJECT_MAP_VIS", taken.paths, mode="map")
    joint = bound(source, [with_master(image) for image in taken.images], False)
    found = compared(spectra, taken.truths, joint)
    assert found.efficiency > 0.97
    assert abs(found.bias) < 0.01
    assert abs(found.pull_mean) < 0.1
    assert found.pull_sd == pytest.approx(1, abs=0.05)
    assert found.sums_sd == pytest.approx(1, abs=0.15)
