"""Order centres against the truth of scenes that have drifted as far as is allowed."""

import json
from importlib.resources import files

import numpy as np
import pytest

from soxs_recipes.algorithms.frame import DetectorFrame
from soxs_recipes.algorithms.quality import Quality
from soxs_recipes.algorithms.tracing import (
    NoOrdersError,
    NotPinholeError,
    TraceSettings,
    trace_orders,
)
from soxs_recipes.algorithms.tracing_expected import expected_centres
from soxs_recipes.algorithms.tracing_fit import (
    Samples,
    SmoothModel,
    TooFewSamplesError,
    fit_smooth,
)
from soxs_recipes.algorithms.tracing_profiles import Points, fit_profiles, rising_edge, spot
from soxs_recipes.instrument.spectral_format import spectral_format

AXIS = {"VIS": "y", "NIR": "x"}
MODEL = {"VIS": SmoothModel(4, None), "NIR": SmoothModel(5, 4)}


def expected(arm, binning=(1, 1)):
    text = (files("soxs_recipes.calib") / f"spectral_format_{arm.lower()}.json").read_text()
    return expected_centres(spectral_format(json.loads(text)), binning)


def trace(arm, frame, binning=(1, 1)):
    factor = binning[0] if arm == "VIS" else binning[1]
    settings = TraceSettings(MODEL[arm], reach_px=22 / factor, widest_px=2 / factor)
    return trace_orders(frame, *expected(arm, binning), AXIS[arm], settings)


def errors(table, curves):
    """Measured minus true centres over the sampled range, by order."""
    pixel = np.arange(table.length)
    found = {}
    for order in table.orders:
        error = table.centre(order, pixel) - curves[order][0]
        found[int(order)] = error[~table.extrapolated(order, pixel)]
    return found


@pytest.mark.parametrize(
    ("arm", "binning", "options"),
    [
        ("VIS", (1, 1), {}),
        ("VIS", (1, 1), {"signs": (-1, 1, -1, 1), "level": 0.3, "seed": 1}),
        ("VIS", (1, 1), {"bad": 0.03, "rays": 4000, "seed": 2}),
        ("VIS", (2, 1), {"seed": 3}),
        ("VIS", (2, 2), {"signs": (-1, 1, -1, 1), "seed": 4}),
        ("NIR", (1, 1), {}),
        ("NIR", (1, 1), {"signs": (1, -1, -1, -1), "level": 0.3, "seed": 1}),
        ("NIR", (1, 1), {"bad": 0.03, "rays": 4000, "seed": 2}),
    ],
)
def test_centres_after_a_large_drift(pinhole_scene, arm, binning, options):
    scene = pinhole_scene(arm, binning=binning, **options)
    traces = trace(arm, scene.frame, binning)
    found = errors(traces.table, scene.curves)
    assert len(found) == {"VIS": 4, "NIR": 15}[arm]
    rms = {order: float(np.sqrt(np.mean(error**2))) for order, error in found.items()}
    assert max(rms.values()) < 0.01, rms
    assert max(np.abs(error).max() for error in found.values()) < 0.05
    # The samples cover the length of the detector where there is light.
    span = np.ptp(traces.table.sampled, axis=1) / traces.table.length
    assert np.median(span) > 0.95


def test_expected_errors_are_those_of_the_samples(pinhole_scene):
    """The scatter of the samples about the truth is what their errors say, to a factor."""
    scene = pinhole_scene("VIS", level=0.02, seed=5)
    traces = trace("VIS", scene.frame)
    samples, table = traces.samples, traces.table
    pull = []
    for row in range(len(table.orders)):
        kept = traces.smoothed.kept[row]
        departure = traces.smoothed.residual[row][kept]
        pull.append(departure / samples.error[row][kept])
    pull = np.concatenate(pull)
    assert 0.8 < 1.4826 * np.median(np.abs(pull)) < 1.25


def test_bad_pixels_that_are_flagged_do_no_harm(pinhole_scene):
    scene = pinhole_scene("NIR", seed=6)
    flux, quality = scene.frame.flux.copy(), scene.frame.quality.copy()
    rng = np.random.default_rng(0)
    bad = rng.random(flux.shape) < 0.03
    flux[bad] = np.nan
    quality[bad] = Quality.BAD_PIXEL
    traces = trace("NIR", DetectorFrame(flux, scene.frame.error, quality))
    error = np.concatenate(list(errors(traces.table, scene.curves).values()))
    assert np.sqrt(np.mean(error**2)) < 0.005


def test_blank_frame_is_refused():
    rng = np.random.default_rng(1)
    for shape, arm in (((4096, 808), "VIS"), ((2040, 2040), "NIR")):
        noise = rng.normal(0, 4, shape)
        with pytest.raises(NoOrdersError, match="no orders"):
            trace(arm, DetectorFrame.from_variance(noise, np.full(shape, 16.0)))


def test_orders_off_the_detector_are_refused(pinhole_scene):
    scene = pinhole_scene("VIS")
    moved = np.roll(scene.frame.flux, 80, axis=1)
    with pytest.raises(NoOrdersError):
        trace("VIS", DetectorFrame.from_variance(moved, scene.frame.variance))


def test_a_minority_of_orders_is_refused(pinhole_scene):
    scene = pinhole_scene("VIS", signs=(0, 0, 0, 0))
    flux = scene.frame.flux.copy()
    flux[:, 240:] = np.random.default_rng(0).normal(0, 4, flux[:, 240:].shape)
    with pytest.raises(NoOrdersError, match="1 of 4 orders"):
        trace("VIS", DetectorFrame.from_variance(flux, scene.frame.variance))


def test_light_through_a_slit_is_no_pinhole(pinhole_scene):
    scene = pinhole_scene("VIS", signs=(0, 0, 0, 0))
    rows = np.arange(scene.frame.shape[1])
    flux = np.full(scene.frame.shape, 5.0)
    for _, lower, upper in scene.curves.values():
        inside = (rows >= lower[:, None]) & (rows <= upper[:, None])
        flux += 5000.0 * inside
    with pytest.raises((NotPinholeError, NoOrdersError)) as caught:
        trace("VIS", DetectorFrame.from_variance(flux, flux + 16))
    assert "pinhole" in str(caught.value)


def test_an_order_without_light_is_left_out(pinhole_scene):
    scene = pinhole_scene("VIS", signs=(0, 0, 0, 0))
    flux = scene.frame.flux.copy()
    flux[:, 560:] = np.random.default_rng(0).normal(0, 4, flux[:, 560:].shape)
    traces = trace("VIS", DetectorFrame.from_variance(flux, scene.frame.variance))
    assert traces.table.orders.tolist() == [1, 2, 3]


def test_spot_fit_recovers_parameters_with_honest_errors():
    rng = np.random.default_rng(2)
    offset = np.tile(np.arange(-6.0, 7.0), (400, 8)) + rng.uniform(-0.5, 0.5, (400, 1))
    true = np.tile([4000.0, 0.3, 0.7, 20.0], (400, 1))
    value, _ = spot(offset, true)
    variance = value + 25.0
    noisy = value + rng.normal(0, np.sqrt(variance))
    points = Points(offset, noisy, variance, np.ones(offset.shape, bool))
    start = np.tile([3000.0, 0.0, 1.0, 0.0], (400, 1))
    wide = np.full_like(start, 1e9)
    low = np.tile([-1e9, -4.0, 0.2, -1e9], (400, 1))
    fit = fit_profiles(spot, points, start, (low, wide))
    pull = (fit.values - true) / fit.errors
    assert np.abs(pull.mean(axis=0)).max() < 0.2
    assert np.abs(pull.std(axis=0) - 1.05).max() < 0.15


@pytest.mark.parametrize("shape", [spot, rising_edge])
def test_derivatives_of_the_profiles(shape):
    rng = np.random.default_rng(3)
    parameters = np.array([[900.0, 0.2, 0.6, 15.0, 4.0][: 4 if shape is spot else 5]])
    offset = rng.uniform(-4, 4, (1, 30))
    _, slope = shape(offset, parameters)
    for k in range(parameters.shape[1]):
        step = np.zeros_like(parameters)
        step[0, k] = 1e-5
        change = (shape(offset, parameters + step)[0] - shape(offset, parameters - step)[0]) / 2e-5
        assert np.allclose(change, slope[..., k], rtol=1e-4, atol=1e-3)


def test_smooth_fit_ignores_outliers_and_needs_samples():
    rng = np.random.default_rng(4)
    pixel = np.tile(np.linspace(0, 999, 80), (5, 1))
    truth = 3 + 2 * (pixel / 500 - 1) + np.arange(5)[:, None]
    position = truth + rng.normal(0, 0.02, pixel.shape)
    position[:, ::9] += rng.uniform(1, 5, position[:, ::9].shape)
    found = np.ones(pixel.shape, bool)
    samples = Samples(pixel, position, np.full(pixel.shape, 0.02), found)
    for model in (SmoothModel(2, None), SmoothModel(2, 2)):
        fit = fit_smooth(samples, 1000, model)
        assert not fit.kept[:, ::9].any()
        at = np.rint(pixel[0]).astype(int)
        assert np.abs(fit.values[:, at] - truth).max() < 0.03
    sparse = Samples(pixel, position, samples.error, found & (pixel < 30))
    with pytest.raises(TooFewSamplesError):
        fit_smooth(sparse, 1000, SmoothModel(4, None))
