"""Zero point: bias, error, outliers, what the colour term leaves."""

import numpy as np
import pytest

from soxs_recipes.algorithms.zero_point import zero_point


def sample(rng, count, slope=0.0, outliers=0.0, scatter=0.0):
    error = rng.uniform(0.01, 0.05, count)
    colour = rng.uniform(0.0, 1.2, count)
    predicted = rng.uniform(15, 19, count)
    instrumental = predicted - 25.5 + error * rng.standard_normal(count)
    instrumental += slope * (colour - 0.6) + scatter * rng.standard_normal(count)
    bad = rng.uniform(size=count) < outliers
    instrumental[bad] += rng.uniform(-1, 1, bad.sum())
    return instrumental, predicted, error, colour


@pytest.mark.parametrize(("count", "outliers"), [(4, 0.0), (20, 0.1), (100, 0.15)])
def test_error_is_that_of_the_value(count, outliers):
    pulls, systematic = [], 0.005
    for seed in range(150):
        found = zero_point(*sample(np.random.default_rng(seed), count, outliers=outliers))
        random = np.sqrt(found.error**2 - systematic**2)
        pulls.append((found.magnitude - 25.5) / random)
    assert abs(np.median(pulls)) < 0.25
    low, high = np.percentile(pulls, (16, 84))
    assert (high - low) / 2 == pytest.approx(1.0, abs=0.3)


def test_scatter_beyond_the_errors_counts():
    calm = zero_point(*sample(np.random.default_rng(1), 100))
    wild = zero_point(*sample(np.random.default_rng(1), 100, scatter=0.1))
    assert wild.error > 1.5 * calm.error
    assert wild.scatter == pytest.approx(0.105, rel=0.25)


def test_slope_with_colour_is_told():
    found = zero_point(*sample(np.random.default_rng(2), 300, slope=0.05))
    assert found.slope == pytest.approx(-0.05, abs=4 * found.slope_error)
    assert found.slope_error < 0.01


def test_nothing_known_gives_no_zero_point():
    values = np.array([1.0, 2.0])
    found = zero_point(values, values * np.nan, values, values)
    assert np.isnan(found.magnitude) and not found.used.any()
    one = zero_point(values[:1], values[:1] + 25, np.array([0.02]), values[:1])
    assert one.magnitude == pytest.approx(25.0)
    assert one.error == pytest.approx(np.hypot(0.02, 0.005))
