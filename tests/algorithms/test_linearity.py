"""Linearity correction against a response that is known."""

import numpy as np
import pytest

from soxs_recipes.algorithms.linearity import (
    Linearity,
    LinearityError,
    Moments,
    brightness_classes,
    class_moments,
    fit_linearity,
    fit_quadratic,
    fit_shortest,
    linearity_limit,
)

TIMES = np.array([2.0, 5.0, 10.0, 20.0, 30.0, 40.0])
RATES = np.geomspace(5, 1500, 200_000).astype("f4")
NUMBER = 30


def response(true, beta, gamma=0.0):
    return true * (1 - beta * true - gamma * true**2)


def moments(beta, gamma=0.0, lamp=None, degree=2, seed=1, zero=None, rates=RATES):
    rng = np.random.default_rng(seed)
    lamp = np.ones(len(TIMES)) if lamp is None else lamp
    zero = np.zeros(len(TIMES)) if zero is None else zero
    classes = brightness_classes(rates, 5.0, NUMBER)
    parts = []
    for time, factor, level in zip(TIMES, lamp, zero, strict=True):
        light = rates * time * factor
        counts = rng.poisson(light) + rng.standard_normal(light.size, dtype="f4") * 5
        signal = response(counts, beta, gamma).astype("f4") + np.float32(level)
        parts.append(class_moments(signal, 0.0, classes, NUMBER, degree, 1.0))
    return Moments(*(np.stack([part[i] for part in parts]) for i in range(3)), TIMES)


@pytest.mark.parametrize(("beta", "gamma"), [(3.5e-7, 0), (1e-6, 0), (3e-7, 4e-12), (0, 0)])
@pytest.mark.parametrize("lamp", [None, np.array([1.01, 0.99, 1.0, 1.02, 0.985, 1.0])])
def test_correction_is_linear_to_two_permille(beta, gamma, lamp):
    """Also with a lamp that drifts by per cents: classes of unlike brightness share the drift."""
    fit = fit_linearity(moments(beta, gamma, lamp), 2)
    true = np.linspace(100, 59_000, 300)
    corrected = fit.linearity.correct(response(true, beta, gamma))
    ratio = corrected / true
    assert np.abs(ratio / ratio[0] - 1).max() < 0.002
    if lamp is not None:
        assert np.allclose(fit.lamp / fit.lamp.mean(), lamp / lamp.mean(), atol=1e-3)


@pytest.mark.parametrize(("beta", "degree"), [(3.5e-7, 2), (1e-6, 2), (2e-6, 3)])
def test_limit_is_where_the_response_departs_by_one_per_cent(beta, degree):
    """A million pixels, a quarter of what a frame has."""
    found = moments(beta, degree=degree, rates=np.tile(RATES, 5))
    fit = fit_linearity(found, degree)
    assert fit.linearity.limit_adu == pytest.approx(response(0.01 / beta, beta), rel=0.02)
    assert fit.limit_error_adu < 0.02 * fit.linearity.limit_adu


def test_a_zero_level_that_drifts_is_no_lamp_that_drifts():
    """A third of an ADU, as the reference pixels leave it, moves the limit by less than 2 %."""
    zero = np.array([0.35, -0.3, 0.3, -0.35, 0.0, 0.3])
    fit = fit_quadratic(moments(3.5e-7, zero=zero), 1, 0.002)
    assert fit.linearity.limit_adu == pytest.approx(response(0.01 / 3.5e-7, 3.5e-7), rel=0.02)
    assert np.abs(fit.lamp - 1).max() < 3e-4


def test_limit_of_a_linear_detector_is_infinite():
    assert linearity_limit((0.0, 0.0), 0.01, 60_000) == np.inf
    assert linearity_limit((2e-7,), 0.01, 60_000) == pytest.approx(0.01 / 0.99 / 2e-7, rel=1e-3)


def test_errors_are_those_of_repeats():
    fits = [fit_quadratic(moments(5e-7, seed=seed, rates=RATES[::4])) for seed in range(16)]
    for values, stated in (
        ([fit.linearity.coefficients[0] for fit in fits], [fit.errors[0] for fit in fits]),
        ([fit.linearity.limit_adu for fit in fits], [fit.limit_error_adu for fit in fits]),
    ):
        assert np.std(values, ddof=1) / np.mean(stated) == pytest.approx(1, abs=0.45)


def test_correct_is_the_polynomial():
    signal = np.array([0.0, -5.0, 1e4, 5e4], "f4")
    expected = signal * (1 + 1e-7 * signal + 2e-12 * signal**2 + 3e-18 * signal**3)
    assert np.allclose(Linearity((1e-7, 2e-12, 3e-18)).correct(signal), expected, rtol=1e-6)
    assert np.array_equal(Linearity().correct(signal), signal)


def test_too_few_exposures_are_refused():
    few = moments(0)
    few = Moments(few.powers[:2], few.error[:2], few.level[:2], few.exptime_s[:2])
    with pytest.raises(LinearityError, match="3 exposure times"):
        fit_linearity(few, 2)


def test_classes_leave_out_faint_and_missing_pixels():
    rate = np.array([np.nan, 1.0, 10.0, 50.0, 100.0], "f4")
    classes = brightness_classes(rate, 5.0, 4)
    assert classes[0] == classes[1] == -1
    assert classes[2] >= 0
    assert np.all(np.diff(classes[2:4]) >= 0)


def test_coefficients_that_are_not_needed_are_dropped():
    assert len(fit_shortest(moments(0.0, degree=3), 3).linearity.coefficients) == 2
    assert len(fit_shortest(moments(0.0, degree=1), 1).linearity.coefficients) == 1
    quadratic = fit_shortest(moments(3e-7, degree=2), 2).linearity
    assert quadratic.coefficients[0] == pytest.approx(3e-7, rel=0.02)
    assert quadratic.limit_adu == pytest.approx(response(0.01 / 3e-7, 3e-7), rel=0.01)
    assert len(fit_shortest(moments(3e-6, degree=2), 2).linearity.coefficients) == 2
    assert len(fit_shortest(moments(3e-7, 1e-11, degree=3), 3).linearity.coefficients) >= 2
