"""The fitted spectrum against lines and noise that are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soxs_recipes.algorithms.spectrum_spline import SplineDesign, SplineEquations
from soxs_recipes.algorithms.uniform_splines import at_places, spline_basis

BINS, LINE_PX, SIGMA_PX = 400, 200.3, 1.27
ROWS = np.arange(-8, 9)
PROFILE = np.exp(-0.5 * ((ROWS - 0.2) / 1.4) ** 2)
PROFILE /= PROFILE.sum()


def line(place):
    return np.exp(-0.5 * ((place - LINE_PX) / SIGMA_PX) ** 2)


def pixels(phase, tilt):
    """Place and response of all pixels of a tilted slit image."""
    place = np.arange(BINS)[:, None] + phase + tilt * ROWS
    return place.ravel(), np.tile(PROFILE, BINS)


def fitted(design, response, value, weight, *variance, errors=True):
    """Fit of flat arrays of pixels."""
    arrays = (response, value, weight, *variance)
    response, value, weight, *variance = (design.pixels.arranged(array) for array in arrays)
    equations = SplineEquations.of(design, response, np.where(design.pixels.filled, weight, 0))
    spectrum = equations.spectrum(value)
    return equations.with_errors(spectrum, *variance) if errors else spectrum


@settings(deadline=None, max_examples=20)
@given(st.floats(-0.5, 0.5), st.floats(-0.3, 0.3))
def test_flux_place_and_width_of_a_line_survive_any_tilt(phase, tilt):
    place, response = pixels(phase, tilt)
    design = SplineDesign.of(place, BINS)
    truth = 100 + 900 * line(place)
    fit = fitted(design, response, response * truth, np.ones(len(place)), errors=False)
    bins = np.arange(BINS)
    part = slice(170, 231)
    light = (fit.flux - 100)[part]
    assert light.sum() == pytest.approx(900 * SIGMA_PX * np.sqrt(2 * np.pi), rel=2e-4)
    centre = light @ bins[part] / light.sum()
    assert centre == pytest.approx(LINE_PX, abs=1e-3)
    width = np.sqrt(light @ (bins[part] - centre) ** 2 / light.sum())
    assert width == pytest.approx(SIGMA_PX, rel=2e-3)
    assert np.abs(fit.flux - 100 - 900 * line(bins))[20:-20].max() < 0.005 * 900


@pytest.mark.parametrize(("phase", "tilt"), [(0.0, 0.1), (0.25, 0.2), (0.5, 0.15)])
def test_noise_is_what_is_told_and_no_more_than_must_be(phase, tilt):
    rng = np.random.default_rng(1)
    place, response = pixels(phase, tilt)
    design = SplineDesign.of(place, BINS)
    variance = np.tile(30 + 20 * np.sin(ROWS) ** 2, BINS)
    best = 1 / np.sum(PROFILE**2 / variance[: len(ROWS)])
    inside = slice(20, 380)
    runs = []
    for _ in range(150):
        noise = rng.normal(0, np.sqrt(variance))
        runs.append(fitted(design, response, noise, 1 / variance, errors=False).flux)
    flux = np.array(runs)[:, inside]
    fit = fitted(design, response, np.zeros(len(place)), 1 / variance)
    measured = np.mean(flux**2, axis=0) / fit.variance[inside]
    assert measured.mean() == pytest.approx(1.0, abs=0.02)
    sums = np.mean(flux.reshape(150, -1, 20).sum(axis=2) ** 2)
    told = fit.covariance_factor * 20 * fit.variance[inside].mean()
    assert sums / told == pytest.approx(1.0, abs=0.08)
    # Single bins may trade noise with their neighbours; sums of bins lose nothing.
    assert fit.variance[inside].mean() < 1.15 * best
    assert told < 20 * best * 1.03


def test_pixels_of_no_weight_leave_no_bias():
    rng = np.random.default_rng(2)
    place, response = pixels(0.3, 0.12)
    truth = 100 + 900 * line(place)
    value, weight = response * truth, np.ones(len(place))
    lost = rng.random(len(place)) < 0.1
    value[lost], weight[lost] = 1e6, 0.0
    design = SplineDesign.of(place, BINS)
    fit, whole = (fitted(design, response, value, w) for w in (weight, np.ones(len(place))))
    away = np.abs(np.arange(BINS) - LINE_PX) > 8
    away[:20] = away[-20:] = False
    assert np.abs(fit.flux - 100)[away].max() < 0.01
    assert np.abs(fit.flux - 100 - 900 * line(np.arange(BINS)))[20:-20].max() < 12
    assert np.mean(fit.variance[20:-20]) > 1.05 * np.median(whole.variance)


def test_a_dead_line_of_pixels_costs_one_bin_and_is_told():
    place, response = pixels(0.0, 0.0)
    weight = np.ones((BINS, len(ROWS)))
    weight[100] = 0
    design = SplineDesign.of(place, BINS)
    fit = fitted(design, response, response * 50.0, weight.ravel())
    usual = np.median(fit.variance)
    assert fit.variance[100] > 2 * usual
    assert fit.variance[102] < 1.2 * usual
    assert fit.flux[100] == pytest.approx(50, abs=0.1)


def test_equal_weights_make_a_plain_sum():
    """Weights in inverse proportion to the response: the sum over the sum of responses."""
    rng = np.random.default_rng(3)
    place, response = pixels(0.0, 0.0)
    variance = np.full(len(place), 9.0)
    design = SplineDesign.of(place, BINS)
    runs = np.array(
        [
            fitted(design, response, rng.normal(0, 3, len(place)), 1 / response).flux
            for _ in range(80)
        ]
    )[:, 20:-20]
    told = fitted(design, response, np.zeros(len(place)), 1 / response, variance)
    assert np.mean(runs**2) / told.variance[20:-20].mean() == pytest.approx(1, abs=0.03)
    assert told.variance[20:-20].mean() == pytest.approx(9 * len(ROWS), rel=0.08)


def test_places_beyond_the_ends_are_left_out():
    design = SplineDesign.of(np.array([-3.0, 5.0, 30.0]), 20)
    value = design.pixels.plane(design.at(np.arange(22.0) - 1), np.nan)
    assert value == pytest.approx([np.nan, 5, np.nan], abs=1e-6, nan_ok=True)


@given(st.floats(-50, 50))
def test_splines_add_to_one(place):
    _, basis = spline_basis(np.array([place]))
    assert sum(basis)[0] == pytest.approx(1, abs=1e-12)
    assert all(part[0] >= 0 for part in basis)


@given(st.lists(st.floats(-5, 15), min_size=1, max_size=20))
def test_linear_interpolation_is_that_of_numpy(places):
    values = np.array([3.0, -1.0, 4.0, 1.0, -5.0, 9.0])
    expected = np.interp(places, np.arange(6), values)
    assert at_places(values, np.array(places)) == pytest.approx(expected, abs=1e-9)
