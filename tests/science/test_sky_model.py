"""Sky model against simulated skies that are known: bias, scatter and error."""

import numpy as np
import pytest

from soxs_recipes.algorithms.detrending import expected_light
from soxs_recipes.algorithms.frame import DetectorFrame
from soxs_recipes.algorithms.quality import Quality
from soxs_recipes.algorithms.robust import mad_sd
from soxs_recipes.algorithms.sky_fit import SkySettings
from soxs_recipes.algorithms.sky_model import fit_sky
from tests.science.conftest import NOISE


def settings(arm, **options):
    noise = NOISE[arm].variance(np.array([0.0, 1.0]))
    usual = {
        "photon_factor": float(noise[1] - noise[0]),
        "faint_below_e": 4 * float(noise[0]),
        "expected_arcsec": 0.0,
    }
    return SkySettings(**usual | options)


def left_out(shape):
    return np.random.default_rng(5).random(shape) < 0.1


def parts(model, scene):
    """Brightest tenth of the sky and the rest, and where the object counts."""
    core = scene.sky_e > np.quantile(scene.sky_e[model.covered], 0.9)
    under = scene.object_e > 0.3 * scene.sigma
    return model.covered & core, model.covered & ~core, under


# A brightness of 13 gives a signal-to-noise ratio of 150 to 200 per pixel.
CASES = [
    ("NIR", "AT2026ABC", 300.0, None),
    ("NIR", "AT2026ABC", 300.0, 0.01),
    ("NIR", "PL_13", 300.0, 0.01),
    ("VIS", "AT2026ABC", 600.0, None),
    ("VIS", "PL_13", 300.0, 0.01),
    ("VIS", "DOUBLE", 600.0, None),
]


@pytest.mark.parametrize(("arm", "target", "exptime_s", "gradient"), CASES)
def test_model_is_as_good_as_it_says(scene, strips, arm, target, exptime_s, gradient):
    truth = scene(arm, target, exptime_s, gradient)
    frame, spared = truth.noisy(1), left_out(truth.sky_e.shape)
    model = fit_sky(frame, strips[arm], settings(arm), spared)
    error = np.sqrt(model.pixel_variance + model.variance)
    pull = (frame.flux - truth.object_e - model.flux) / np.maximum(error, 1e-9)
    departure = (model.flux - truth.sky_e) / truth.sigma
    core, between, under = parts(model, truth)
    for part in (core, between):
        assert mad_sd(pull[part & spared]) == pytest.approx(1.0, abs=0.05)
        assert abs(departure[part].mean()) < 0.1
    if (core & under).sum() > 300:
        assert abs(departure[core & under].mean()) < 0.1
    # The scatter about the truth is what the model says of itself.
    quiet = between & ~under
    predicted = np.sqrt(np.median(model.variance[quiet] / truth.sigma[quiet] ** 2))
    assert mad_sd(departure[quiet]) == pytest.approx(predicted, rel=0.15)


def test_sky_without_object_is_unbiased_where_one_is_expected(scene, strips):
    truth = scene("NIR", "BLANK-SKY", 300.0)
    model = fit_sky(truth.noisy(2), strips["NIR"], settings("NIR"))
    assert [one.snr for one in model.objects] == [0.0]
    near = np.zeros(truth.sky_e.shape, bool)
    for strip in strips["NIR"]:
        near.reshape(-1)[strip.index[strip.inside & (np.abs(strip.slit_arcsec) < 0.5)]] = True
    departure = (model.flux - truth.sky_e)[near] / truth.sigma[near]
    assert abs(departure.mean()) < 0.03
    light = model.light[near]
    assert abs(light.mean()) < 0.05 * truth.sigma[near].mean()


def test_two_objects_are_found_where_they_are(scene, strips):
    model = fit_sky(scene("VIS", "DOUBLE", 600.0).noisy(3), strips["VIS"], settings("VIS"))
    places = sorted(one.centre_arcsec[0] for one in model.objects)
    assert places == pytest.approx([-3.0, 0.0], abs=0.08)


def test_cosmic_rays_that_nobody_flagged_do_not_harm(scene, strips):
    truth = scene("VIS", "AT2026ABC", 600.0)
    frame = truth.noisy(4)
    clean = fit_sky(frame, strips["VIS"], settings("VIS"))
    rng = np.random.default_rng(6)
    hit = np.zeros(frame.shape, bool)
    hit[rng.integers(0, frame.shape[0], 3000), rng.integers(0, frame.shape[1], 3000)] = True
    frame.flux[hit] += rng.uniform(200, 20000, hit.sum()).astype("f4")
    struck = fit_sky(frame, strips["VIS"], settings("VIS"))
    assert not (struck.used & hit).any()
    quiet = clean.covered & ~hit
    moved = (struck.flux - clean.flux)[quiet] / truth.sigma[quiet]
    assert np.abs(moved).max() < 5
    assert moved.std() < 0.05
    assert abs(moved.mean()) < 0.005


def test_bad_pixels_are_covered_but_not_used(scene, strips):
    truth = scene("NIR", "BLANK-SKY", 300.0)
    frame = truth.noisy(7)
    bad = np.random.default_rng(8).random(frame.shape) < 0.05
    frame.flux[bad] = 1e5
    frame = frame.flag(bad, Quality.BAD_PIXEL)
    model = fit_sky(frame, strips["NIR"], settings("NIR"))
    assert not (model.used & bad).any()
    part = bad & model.covered
    departure = (model.flux - truth.sky_e)[part] / truth.sigma[part]
    assert abs(np.mean(departure)) < 0.02
    assert mad_sd(departure) < 0.5


def test_illumination_of_the_slit_is_found(scene, strips, optics):
    from soxs_simulator.optics_slit import SLIT_GRID

    truth = scene("NIR", "BLANK-SKY", 300.0)
    model = fit_sky(truth.noisy(9), strips["NIR"], settings("NIR"))
    factors = model.spectra[0].illumination
    inside = np.abs(factors.position) < 5.2
    place = factors.position[inside]
    expected = np.interp(place, SLIT_GRID, optics.arm("NIR").transmission_along("SLIT1.0"))

    def rough(values):
        return values - np.polyval(np.polyfit(place, values, 1), place)

    difference = rough(factors.relative[inside]) - rough(expected)
    assert rough(expected).std() > 0.005
    assert difference.std() < 0.45 * rough(expected).std()
    assert mad_sd(difference / factors.error[inside]) < 2


def test_the_noise_of_a_dark_does_not_weigh(scene, strips):
    """Errors know the light before the dark is subtracted, which brings noise of its own."""
    truth, noise = scene("NIR", "AT2026ABC", 300.0), NOISE["NIR"]
    before = truth.noisy(11)
    dark = np.random.default_rng(12).normal(0, 10, before.shape).astype("f4")
    frame = before.minus(DetectorFrame(dark, np.full_like(dark, 10), np.zeros(dark.shape, "u2")))
    light = expected_light(before.flux, noise)
    model = fit_sky(frame, strips["NIR"], settings("NIR"), light=light)
    faint = model.covered & (truth.sky_e < 30) & (truth.object_e < 0.1)
    departure = (model.flux - truth.sky_e)[faint]
    assert abs(departure.mean()) < 0.04
