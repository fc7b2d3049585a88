"""Curves through chunks of orders: smooth, robust, no more terms than the data bear."""

import numpy as np
import pytest

from soxs_recipes.algorithms.object_trace import Measurements, constant_trace, fit_curve

RANGE = (800.0, 2000.0)


def chunks(truth, error, seed=1, orders=15, each=30):
    rng = np.random.default_rng(seed)
    order = np.repeat(np.arange(10, 10 + orders), each)
    wave = np.linspace(2000, 800, orders * each)
    value = truth(order, wave) + rng.normal(0, error, len(wave))
    return Measurements(order, wave, value, np.full(len(wave), error))


def refraction(order, wave):
    return 0.3 - 0.4 * (wave / 1000.0) ** -2


def test_refraction_is_followed_among_outliers():
    data = chunks(refraction, 0.02)
    data.value[::17] += 0.8
    fit = fit_curve(data, RANGE, 4, 0.003, by_order=False)
    wave = np.linspace(*RANGE, 50)
    assert np.abs(fit.curve(15, wave) - refraction(15, wave)).max() < 0.01
    assert not fit.used[::17].any()


def test_a_straight_trace_stays_straight():
    fit = fit_curve(chunks(lambda o, w: 0 * w + 1.5, 0.05), RANGE, 4, 0.003, by_order=True)
    assert len(fit.curve.coef) == 1
    assert fit.curve(12, np.array([900.0, 1900.0])) == pytest.approx(1.5, abs=0.01)


def test_orders_depart_only_as_far_as_the_data_show():
    offset = {order: 0.02 * (-1) ** order for order in range(10, 25)}

    def truth(order, wave):
        return refraction(order, wave) + np.vectorize(offset.get)(order)

    data = chunks(truth, 0.004)
    free, stiff = (fit_curve(data, RANGE, 4, 0.003, by_order=flag) for flag in (True, False))
    assert np.nanstd(free.residual) < 0.006 < 0.015 < np.nanstd(stiff.residual)
    noisy = fit_curve(chunks(refraction, 0.05), RANGE, 4, 0.003, by_order=True)
    assert max(abs(level) for level, _ in noisy.curve.order_coef.values()) < 0.01


def test_chunks_without_light_are_left_out():
    data = chunks(refraction, 0.02)
    data.error[::2] = np.inf
    data.value[::2] = np.nan
    fit = fit_curve(data, RANGE, 3, 0.003, by_order=False)
    assert np.isnan(fit.residual[::2]).all() and np.isfinite(fit.residual[1::2]).all()
    data.error[:] = np.inf
    with pytest.raises(ValueError, match="no chunk"):
        fit_curve(data, RANGE, 3, 0.003, by_order=False)


def test_a_constant_trace():
    centre, fwhm = constant_trace(1.2, 0.9, RANGE).at(12, np.array([500.0, 1500.0]))
    assert centre == pytest.approx(1.2) and fwhm == pytest.approx(0.9)
    assert constant_trace(1.2, 0.9, RANGE).centre.moved(0.3)(12, 900.0) == pytest.approx(1.5)


def test_a_wrong_value_at_the_end_bends_no_trace():
    """A cosmic ray that passes for a line in the last chunk, whose error it makes small, too."""
    data = chunks(lambda o, w: 0 * w + 2.5, 0.015, orders=4, each=8)
    data.value[-1], data.error[-1] = 2.36, 0.008
    fit = fit_curve(data, RANGE, 4, 0.003, by_order=False)
    assert fit.curve(13, np.linspace(*RANGE, 20)) == pytest.approx(2.5, abs=0.01)
    assert not fit.used[-1] and fit.used[:-1].all()
