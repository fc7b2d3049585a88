"""Dead, non-linear and noisy pixels injected into frames that are known."""

import numpy as np
import pytest

from soxs_recipes.algorithms.linearity_pixels import PairScatter, find_dead, find_nonlinear

SHAPE = (500, 400)


def orders(rng):
    """Tilted orders along y on a faint floor, with a slope along them, in electrons."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    place = (x - 0.05 * y) % 60
    profile = 1 / (1 + np.exp(-(place - 15) / 0.7)) / (1 + np.exp((place - 45) / 0.7))
    light = 3000 * profile * (1 + 0.5 * y / SHAPE[0]) + 400
    return light * rng.normal(1, 0.01, SHAPE)


@pytest.mark.parametrize("response", [0.0, 0.2, 0.45])
def test_dead_pixels_are_found_and_edges_are_not(response):
    rng = np.random.default_rng(1)
    light = orders(rng)
    dead = rng.random(SHAPE) < 0.01
    light[:, 123] *= 1
    dead[200:, 77] = True
    light[dead] *= response
    variance = light + 100
    measured = (light + rng.normal(0, variance**0.5)).astype("f4")
    found = find_dead(measured, variance.astype("f4"), dispersion_axis=0)
    complete = 0.99 if response < 0.4 else 0.8
    assert found[dead].mean() > complete
    assert found[~dead].mean() < 1e-4


def test_a_dark_region_has_no_dead_pixels():
    rng = np.random.default_rng(2)
    light = rng.normal(0, 10, SHAPE).astype("f4")
    assert not find_dead(light, np.full(SHAPE, 100, "f4")).any()


@pytest.mark.parametrize("pairs", [8, 16])
def test_noisy_pixels_are_found(pairs):
    """Five times the read noise: 99 % of them; cosmic rays are not taken for noise."""
    rng = np.random.default_rng(3)
    noisy = rng.random(SHAPE) < 0.02
    sigma = np.where(noisy, 25.0, 5.0)
    scatter = PairScatter.of(SHAPE)
    for _ in range(pairs):
        one, two = (rng.normal(0, sigma).astype("f4") for _ in range(2))
        one[rng.random(SHAPE) < 1e-4] += 2000
        scatter.add(one - two, np.float32(25.0))
    found = scatter.noisy()
    assert found[noisy].mean() > 0.99
    assert found[~noisy].mean() < 1e-4


def test_two_pairs_tell_nothing():
    scatter = PairScatter.of((4, 4))
    for _ in range(2):
        scatter.add(np.full((4, 4), 1e4, "f4"), 1.0)
    assert not scatter.noisy().any()


def test_nonlinear_pixels_are_found():
    rng = np.random.default_rng(4)
    odd = rng.random(SHAPE) < 0.01
    faint = rng.normal(100, 0.5, SHAPE).astype("f4")
    bright = (rng.normal(100, 0.2, SHAPE) * np.where(odd, 0.9, 1)).astype("f4")
    found = find_nonlinear(faint, bright, np.full(SHAPE, 0.0054**2, "f4"))
    assert found[odd].mean() > 0.99
    assert not found[~odd].any()
