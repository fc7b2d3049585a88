"""Profiles along the slit: recovered from pixels with noise."""

import numpy as np
import pytest

from soxs_recipes.algorithms.object_profile import (
    GRID,
    ProfileSamples,
    fit_moffat,
    fit_shape,
    moffat,
)


def samples(shape, level, noise, scale=1.0, count=40_000, seed=1):
    """Pixels that see a shape whose FWHM is `scale` times what is assumed."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-3.2, 3.2, count)
    response = np.full(count, level)
    value = response * shape(x / scale) / scale + rng.normal(0, noise, count)
    return ProfileSamples(x, response, value, np.full(count, noise**2))


@pytest.mark.parametrize("beta", [1.5, 3.0, 10.0])
def test_moffat_has_unit_integral_and_width(beta):
    shape = moffat(beta)
    assert shape.table.sum() * 0.01 == pytest.approx(1)
    assert shape(np.array(0.5)) == pytest.approx(shape(np.array(0.0)) / 2, rel=1e-3)
    assert shape.slope(np.array(0.0)) == pytest.approx(0, abs=1e-6)
    low, high = np.array([-20.0, 0.0]), np.array([20.0, 20.0])
    assert shape.share(low, high) == pytest.approx([1, 0.5], abs=1e-3)


@pytest.mark.parametrize(("beta", "scale"), [(2.0, 1.1), (4.0, 0.9), (3.0, 1.0)])
def test_moffat_is_recognised(beta, scale):
    shape, found = fit_moffat(samples(moffat(beta), 100.0, 5.0, scale))
    assert found == pytest.approx(scale, abs=0.03)
    assert np.abs(shape(GRID) - moffat(beta)(GRID)).max() < 0.02


def test_shape_of_a_bright_object_is_measured():
    """A lopsided profile, which no Moffat function is."""
    truth = moffat(3.0)
    lopsided = truth.table * (1 + 0.04 * np.sin(2 * GRID))
    truth = type(truth)(lopsided / (lopsided.sum() * 0.01))
    found = fit_shape(samples(truth, 1000.0, 3.0), moffat(3.0))
    before = np.abs(moffat(3.0)(GRID) - truth(GRID)).max()
    assert np.abs(found(GRID) - truth(GRID)).max() < before / 5
    assert found.table.sum() * 0.01 == pytest.approx(1)


def test_shape_of_a_faint_object_stays_as_expected():
    start = moffat(3.0)
    found = fit_shape(samples(start, 1.0, 3.0, count=3000), start)
    assert np.abs(found(GRID) - start(GRID)).max() < 0.02 * start.table.max()
