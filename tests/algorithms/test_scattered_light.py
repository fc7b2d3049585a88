"""A surface of scattered light that is known, under orders, lines and cosmic rays."""

import numpy as np
import pytest

from soxs_recipes.algorithms.frame import DetectorFrame
from soxs_recipes.algorithms.scattered_light import (
    ScatteredLightError,
    SurfaceSettings,
    fit_background,
)

SHAPE = (600, 400)


def scene(seed=1, level=40.0, ron=3.0):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-1:1:600j, -1:1:400j]
    truth = level * (1 + 0.4 * x - 0.3 * y**2 + 0.2 * x * y)
    orders = (np.arange(400) + 10 * y) % 50 < 30
    image = truth + np.where(orders, 5000, 0)
    flux = rng.poisson(image) + rng.normal(0, ron, SHAPE)
    struck = rng.random(SHAPE) < 2e-3
    flux[struck] += 3000
    return DetectorFrame.from_variance(flux, image + ron**2), ~orders, truth


def test_surface_is_the_truth_within_its_error():
    pulls, errors = [], []
    for seed in range(6):
        frame, free, truth = scene(seed)
        found = fit_background(frame, free, SurfaceSettings(3, 3))
        difference = found.frame.flux - truth
        errors.append(np.abs(difference).max())
        pulls.append((difference / found.frame.error)[::40, ::40])
        assert found.residual_sd == pytest.approx(1, abs=0.15)
        assert found.used_fraction > 0.97
    assert np.max(errors) < 2.0
    assert np.sqrt(np.mean(np.square(pulls))) == pytest.approx(1, abs=0.25)
    assert np.mean(pulls) == pytest.approx(0, abs=0.5)


def test_bad_pixels_are_not_used():
    frame, free, truth = scene()
    spoiled = np.zeros(SHAPE, bool)
    spoiled[100:200] = True
    worse = DetectorFrame(np.where(spoiled, 1e5, frame.flux), frame.error, spoiled * np.uint16(1))
    found = fit_background(worse, free, SurfaceSettings(3, 3))
    assert np.abs(found.frame.flux - truth).max() < 3.0


def test_light_that_leaks_from_an_order_is_left_out():
    frame, free, truth = scene()
    leak = np.zeros(SHAPE)
    leak[250:300, 100:150] = 400
    found = fit_background(
        DetectorFrame(frame.flux + leak, frame.error, frame.quality), free, SurfaceSettings(3, 3)
    )
    assert np.abs(found.frame.flux - truth).max() < 3.0
    assert found.used_fraction < 1


def test_too_few_free_pixels_are_refused():
    frame, free, _ = scene()
    free[:, 40:] = False
    free[40:] = False
    with pytest.raises(ScatteredLightError, match="lower the degree"):
        fit_background(frame, free)
