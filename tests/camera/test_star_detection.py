"""Detection: false alarms, completeness at the limit, positions."""

import numpy as np
import pytest

from soxs_recipes.algorithms.point_spread import PointSpread
from soxs_recipes.algorithms.star_detection import find_stars, smooth_background

SHAPE, SKY = (600, 600), 60.0


def noise(seed):
    return np.random.default_rng(seed).poisson(SKY, SHAPE).astype("f4") - np.float32(SKY)


def test_noise_gives_as_many_peaks_as_it_should():
    """Maxima of a smooth Gaussian field above u: area u exp(-u^2/2) / (2 pi)^1.5 per beam."""
    variance, none = np.full(SHAPE, SKY, "f4"), np.zeros(SHAPE, bool)
    sigma = 4.5 / 2.3548
    beams = SHAPE[0] * SHAPE[1] / (2 * sigma**2)
    found = sum(len(find_stars(noise(s), variance, none, 4.5, 3.5)) for s in range(6))
    expected = 6 * beams * 3.5 * np.exp(-(3.5**2) / 2) / (2 * np.pi) ** 1.5
    # Poisson noise is skew, so that there are somewhat more.
    assert 0.8 * expected < found < 2.2 * expected


def test_half_of_the_stars_at_the_threshold_are_found_where_they_are():
    profile = PointSpread(4.5, 3.5)
    rng = np.random.default_rng(3)
    flux = 5.0 * np.sqrt(SKY * profile.noise_pixels())
    grid = np.arange(25, 576, 30)
    x, y = (v.ravel() + rng.uniform(-0.5, 0.5, v.size) for v in np.meshgrid(grid, grid))
    image = noise(11)
    offset = np.arange(-12, 13)
    for cx, cy in zip(x, y, strict=True):
        column, row = round(cx), round(cy)
        light = profile.light(offset[None] + column - cx, offset[:, None] + row - cy)
        image[row - 12 : row + 13, column - 12 : column + 13] += flux * light
    found = find_stars(image, np.full(SHAPE, SKY, "f4"), np.zeros(SHAPE, bool), 4.5, 5.0)
    distance = np.hypot(found.x[:, None] - x, found.y[:, None] - y)
    seen = distance.min(axis=0) < 2
    assert 0.3 < seen.mean() < 0.6
    assert np.median(distance.min(axis=1)) < 0.8
    assert np.mean(found.flux) == pytest.approx(flux, rel=0.25)


def test_masked_pixels_make_no_star():
    image, mask = noise(4), np.zeros(SHAPE, bool)
    image[300, 300] += 50_000
    mask[300, 300] = True
    assert not len(find_stars(image, np.full(SHAPE, SKY, "f4"), mask, 4.5, 6.0))


def test_background_follows_a_gradient_under_stars():
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]].astype("f4")
    sky = 200 + 0.1 * x - 0.05 * y
    image = np.random.default_rng(2).poisson(sky).astype("f4")
    image[100:108, 100:108] += 5000
    found = smooth_background(image, np.zeros(SHAPE, bool))
    assert np.abs(found - sky)[32:-32, 32:-32].max() < 3
    assert np.mean(found - sky) == pytest.approx(0, abs=1.0)
