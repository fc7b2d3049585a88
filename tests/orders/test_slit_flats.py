"""Order edges, blaze, pixel response and scattered light against analytic truth."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, gaussian_filter1d
from scipy.special import ndtr

from soxs_recipes.algorithms.blaze_splines import cubic_splines
from soxs_recipes.algorithms.flat_field import (
    FlatSettings,
    master_flat,
    order_responses,
    stitch,
)
from soxs_recipes.algorithms.flat_field_stack import (
    NoLightError,
    between_orders,
    combine_flats,
    exposure_levels,
    inside_orders,
)
from soxs_recipes.algorithms.frame import DetectorFrame
from soxs_recipes.algorithms.order_edges import EdgeSettings, NoEdgesError, measure_edges
from soxs_recipes.algorithms.order_table import OrderTable
from soxs_recipes.algorithms.quality import Quality, has
from soxs_recipes.algorithms.scattered_light import TooFewPixelsError, fit_background
from soxs_recipes.algorithms.stacking import StackSettings
from soxs_recipes.algorithms.tracing_fit import SmoothModel

SHAPE, HALF_PX, READ_NOISE_E = (260, 1200), 18.0, 5.0
EDGES = EdgeSettings(SmoothModel(3, None))
RNG_SEED = 11


def true_blaze(wave):
    """Blaze of both orders, with the steep ends of a band."""
    return np.sinc((wave - 600) / 1500) ** 2 * ndtr((wave - 120) / 60) * ndtr((1100 - wave) / 60)


def slit_image(peak_e, seed=0, line=None):
    """Light of two curved orders with a tilted slit, rough jaws and steep band ends.

    A line of the lamp may be added at a pixel along dispersion.
    """
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]].astype(float)
    t = 2 * x / (SHAPE[1] - 1) - 1
    rng = np.random.default_rng(seed)
    rough = 0.006 * gaussian_filter1d(rng.standard_normal(4000), 112)
    rough *= 0.006 / max(rough.std(), 1e-12)
    light = np.zeros(SHAPE)
    for middle in (70.0, 180.0):
        centre = middle + 8 * t + 6 * t**2
        slit = y - centre
        wave = x - 0.2 * slit
        blaze = true_blaze(wave)
        if line is not None:
            blaze = blaze + 20 * np.exp(-0.5 * ((wave - line) / 1.5) ** 2)
        jaws = 1 + 0.01 * slit / HALF_PX + np.interp(slit, np.linspace(-25, 25, 4000), rough)
        ends = ndtr((slit + HALF_PX) / 0.6) - ndtr((slit - HALF_PX) / 0.6)
        light += peak_e * blaze * jaws * ends
    return light


def true_table():
    centre = np.array([[70 + 3.0, 8.0, 3.0], [180 + 3.0, 8.0, 3.0]])
    whole = np.array([[0.0, 1199.0]] * 2)
    return OrderTable(SHAPE, "x", np.array([1, 2]), centre, whole, np.full(2, 0.6))


def with_true_edges():
    table = true_table()
    half = np.array([HALF_PX, 0.0, 0.0])
    return table.with_edges(table.centre_coef - half, table.centre_coef + half, table.sampled)


def exposure(light, response, seed, frames=5):
    """Mean of some exposures with its error."""
    rng = np.random.default_rng(seed)
    expected = light * response
    flux = sum(rng.poisson(expected) + rng.normal(0, READ_NOISE_E, SHAPE) for _ in range(frames))
    return DetectorFrame.from_variance(flux / frames, (expected + READ_NOISE_E**2) / frames)


@pytest.fixture(scope="module")
def flat():
    rng = np.random.default_rng(RNG_SEED)
    response = rng.normal(1, 0.008, SHAPE)
    dead = rng.random(SHAPE) < 0.002
    response[dead] = rng.uniform(0, 0.2, np.count_nonzero(dead))
    light = slit_image(20000.0)
    return SimpleNamespace(
        light=light, response=response, dead=dead, frame=exposure(light, response, 1)
    )


def test_edges_lie_at_half_of_the_plateau(flat):
    edges = measure_edges(flat.frame, true_table(), EDGES)
    lower, upper = edges.table.edges()
    centre = true_table().centres()
    for row, (first, last) in enumerate(edges.table.edges_sampled):
        inside = slice(int(first), int(last) + 1)
        assert np.abs(lower[row] - centre[row] + HALF_PX)[inside].max() < 0.05
        assert np.abs(upper[row] - centre[row] - HALF_PX)[inside].max() < 0.05
    assert np.median(edges.residuals()) < 0.02


def test_edges_of_no_slit_are_refused(flat):
    pinhole = np.exp(-0.5 * ((np.arange(SHAPE[0])[:, None] - true_table().centres()[0]) / 0.7) ** 2)
    for image in (pinhole * 5000, np.zeros(SHAPE)):
        frame = DetectorFrame.from_variance(image, image + READ_NOISE_E**2)
        with pytest.raises(NoEdgesError, match="slit"):
            measure_edges(frame, true_table(), EDGES)


def test_response_to_the_photon_limit(flat):
    """No blaze, tilt or jaw is left in the response: pulls are those of the noise alone."""
    table, settings = with_true_edges(), FlatSettings()
    orders = order_responses(flat.frame, table, settings)
    master, scatter = master_flat(orders, flat.frame, table, settings)
    measured = ~has(master.quality, Quality.EXTRAPOLATED) & ~flat.dead
    pull = ((master.flux - flat.response) / master.error)[measured]
    assert abs(pull.mean()) < 0.03
    assert pull.std() == pytest.approx(1.0, abs=0.03)
    bright = measured & (master.error < 0.006)
    assert np.count_nonzero(bright) > 20000
    assert ((master.flux - flat.response) / master.error)[bright].std() == pytest.approx(
        1, abs=0.04
    )
    assert scatter == pytest.approx(0.008, rel=0.06)


def test_mean_response_is_one_along_each_order(flat):
    for one in order_responses(flat.frame, with_true_edges(), FlatSettings()):
        regular = one.measured & (np.abs(one.response - 1) < 0.1)
        assert one.response[regular].mean() == pytest.approx(1.0, abs=1e-6)


def test_blaze_with_honest_errors(flat):
    one = order_responses(flat.frame, with_true_edges(), FlatSettings())[0]
    truth = 20000.0 * true_blaze(np.arange(SHAPE[1]))
    smooth = one.illumination
    bright = truth > 0.3 * truth.max()
    ratio = smooth.blaze[bright] / truth[bright]
    # The illumination at the very centre against its mean is a constant factor.
    assert np.std(ratio / ratio.mean()) < 0.001
    assert np.median(smooth.blaze_error[bright] / truth[bright]) == pytest.approx(3e-4, rel=0.7)


def test_dead_pixels_are_flagged_and_others_are_not(flat):
    table, settings = with_true_edges(), FlatSettings()
    master, _ = master_flat(
        order_responses(flat.frame, table, settings), flat.frame, table, settings
    )
    measured = ~has(master.quality, Quality.EXTRAPOLATED)
    assert has(master.quality, Quality.DEAD)[measured & flat.dead].all()
    assert not has(master.quality, Quality.BAD_PIXEL)[measured & ~flat.dead].any()


def test_pixels_without_light_say_nothing(flat):
    table, settings = with_true_edges(), FlatSettings()
    master, scatter = master_flat(
        order_responses(flat.frame, table, settings), flat.frame, table, settings
    )
    outside = ~inside_orders(table, 0.0)
    assert (master.flux[outside] == 1).all()
    assert master.error[outside] == pytest.approx(scatter)
    assert has(master.quality, Quality.EXTRAPOLATED)[outside].all()
    assert master.good()[outside & ~flat.dead].all()


def test_bad_pixels_that_no_map_knows_do_no_harm(flat):
    """Three per cent of pixels dead or glaring: the others keep their response."""
    rng = np.random.default_rng(8)
    bad = rng.random(SHAPE) < 0.03
    flux = flat.frame.flux.copy()
    flux[bad] = rng.choice([0.0, 6e4], np.count_nonzero(bad))
    frame = DetectorFrame(flux, flat.frame.error, flat.frame.quality)
    edges = measure_edges(frame, true_table(), EDGES)
    lower, _ = edges.table.edges()
    first, last = edges.table.edges_sampled[0].astype(int)
    error = (lower[0] - true_table().centres()[0] + HALF_PX)[first : last + 1]
    assert np.abs(error).max() < 0.05
    orders = order_responses(frame, edges.table, FlatSettings())
    master, _ = master_flat(orders, frame, edges.table, FlatSettings())
    measured = ~has(master.quality, Quality.EXTRAPOLATED) & ~flat.dead & ~bad
    assert np.count_nonzero(measured) > 40_000
    pull = ((master.flux - flat.response) / master.error)[measured]
    assert pull.std() == pytest.approx(1.0, abs=0.04)


def test_orders_without_any_light_have_no_response():
    dark = DetectorFrame.from_variance(
        np.random.default_rng(0).normal(0, 5, SHAPE), np.full(SHAPE, 25.0)
    )
    for one in order_responses(dark, with_true_edges(), FlatSettings()):
        assert not one.measured.any()
    blank = DetectorFrame(dark.flux, dark.error, np.full(SHAPE, Quality.BAD_PIXEL, np.uint16))
    for one in order_responses(blank, with_true_edges(), FlatSettings()):
        assert not one.measured.any()


def test_lamps_are_stitched_by_their_light(flat):
    """Each order takes the better lamp's word; a line of one lamp leaves no mark."""
    table, settings = with_true_edges(), FlatSettings()
    second = exposure(slit_image(2000.0, line=700.0), flat.response, 2)
    lamps = [order_responses(frame, table, settings) for frame in (flat.frame, second)]
    orders, weights = stitch(lamps)
    assert weights.sum(axis=1) == pytest.approx(1.0)
    assert (weights[:, 1] < 0.15).all()
    assert not lamps[1][0].measured[700].any()
    master, _ = master_flat(orders, flat.frame, table, settings)
    measured = ~has(master.quality, Quality.EXTRAPOLATED) & ~flat.dead
    pull = ((master.flux - flat.response) / master.error)[measured]
    assert pull.std() == pytest.approx(1.0, abs=0.04)
    alone = lamps[0][0].error[lamps[0][0].measured]
    joined = orders[0].error[lamps[0][0].measured]
    assert np.median(joined) < np.median(alone)


def test_exposure_levels_and_drifting_lamp(flat):
    """A lamp that fades by 10 % loses no frame to the rejection, and cosmic rays go."""
    table, factors = true_table(), np.array([1.1, 1.05, 1.0, 0.95, 0.9])
    frames = [exposure(flat.light * f, flat.response, 20 + k, 1) for k, f in enumerate(factors)]
    hit = frames[1].flux.copy()
    rays = np.random.default_rng(5).random(SHAPE) < 1e-3
    hit[rays] += 4000
    frames[1] = DetectorFrame(hit, frames[1].error, frames[1].quality)
    levels = exposure_levels(frames, table, 8.0)
    assert levels == pytest.approx(factors, abs=5e-4)
    combined = combine_flats(frames, levels, StackSettings(kappa=5.0))
    truth = flat.light * flat.response
    pull = (combined.flux - truth) / combined.error
    assert pull.std() == pytest.approx(1.0, abs=0.02)
    assert np.abs(pull[rays]).max() < 6


def test_flats_without_light_are_refused(flat):
    dark = DetectorFrame.from_variance(
        np.random.default_rng(0).normal(0, 5, SHAPE), np.full(SHAPE, 25.0)
    )
    with pytest.raises(NoLightError, match="no light"):
        exposure_levels([dark, dark], true_table(), 8.0)
    with pytest.raises(NoLightError, match="not all"):
        exposure_levels([flat.frame, flat.frame, dark], true_table(), 8.0)


def test_scattered_light_is_removed_to_a_per_cent():
    """And the stated error of the surface is that of repeated exposures."""
    table = with_true_edges()
    light = slit_image(20000.0)
    scattered = 0.015 * gaussian_filter(light, 130, mode="reflect")
    inside, between = inside_orders(table, 0.0), between_orders(table, 4.0)
    pulls, surfaces = [], []
    for seed in range(6):
        frame = exposure(light + scattered, np.ones(SHAPE), seed, 1)
        flux = frame.flux.copy()
        flux[np.random.default_rng(seed).random(SHAPE) < 1e-3] += 5000
        found = fit_background(DetectorFrame(flux, frame.error, frame.quality), between)
        difference = (found.flux - scattered)[inside]
        assert np.sqrt(np.mean(difference**2)) < 0.01 * scattered[inside].mean()
        pulls.append(difference / found.error[inside])
        surfaces.append(found.flux[inside])
    assert np.sqrt(np.mean(np.square(pulls))) == pytest.approx(1.0, abs=0.2)
    scatter = np.sqrt(np.mean(np.var(surfaces, axis=0, ddof=1) / found.error[inside] ** 2))
    assert scatter == pytest.approx(0.95, abs=0.2)


def test_scattered_light_needs_pixels(flat):
    with pytest.raises(TooFewPixelsError):
        fit_background(flat.frame, np.zeros(SHAPE, bool))


def test_masks_follow_the_edges():
    table = with_true_edges()
    lower, upper = table.edges()
    x = 600
    inside, between = inside_orders(table, 0.0)[:, x], between_orders(table, 4.0)[:, x]
    rows = np.arange(SHAPE[0])
    expected = ((rows >= lower[:, [x]]) & (rows <= upper[:, [x]])).any(axis=0)
    assert np.array_equal(inside, expected)
    far = ~((rows >= lower[:, [x]] - 4) & (rows <= upper[:, [x]] + 4)).any(axis=0)
    assert np.array_equal(between, far)


def test_splines_are_those_of_the_oracle():
    from scipy.interpolate import BSpline

    place = np.random.default_rng(0).uniform(0, 100, 300)
    place[:2] = 0, 100
    knots = 10.0 * np.arange(-3, 14)
    oracle = BSpline.design_matrix(place, knots, 3).toarray()
    assert np.allclose(cubic_splines(place, 100, 10.0).toarray(), oracle, atol=1e-12)
