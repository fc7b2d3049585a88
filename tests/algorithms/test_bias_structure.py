import numpy as np
import pytest

from soxs_recipes.algorithms.bias_structure import structure_scatter, structure_slopes

RON = 3.3
SHAPE = (2000, 808)


def noise(seed, shape=SHAPE, sigma=RON):
    return sigma * np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def plane(x_slope, y_slope, shape=SHAPE):
    rows, columns = np.indices(shape)
    return x_slope * columns + y_slope * rows


def test_slopes_of_a_plane_without_noise():
    slopes = structure_slopes(plane(2e-4, -3e-5))
    # Tilts of 2e-4 and -3e-5 per pixel, summed over 2000 rows and 808 columns.
    assert slopes.x == pytest.approx(0.4)
    assert slopes.y == pytest.approx(-0.02424)


def test_slopes_are_those_of_least_squares_with_honest_errors():
    draws = [
        structure_slopes(plane(2e-4, 0, (300, 200)) + noise(s, (300, 200))) for s in range(200)
    ]
    pull = np.array([[(s.x - 0.06) / s.x_error, s.y / s.y_error] for s in draws])
    assert np.mean(pull, axis=0) == pytest.approx([0, 0], abs=0.25)
    assert np.std(pull, axis=0) == pytest.approx([1, 1], abs=0.15)
    image = noise(1)
    ordinary = np.polyfit(np.arange(808), image.sum(axis=0, dtype=np.float64), 1)[0]
    slopes = structure_slopes(image)
    assert slopes.x == pytest.approx(ordinary, abs=0.5 * slopes.x_error)


def test_hot_columns_and_masked_pixels_do_not_tilt_the_line():
    image = plane(2e-4, 0) + 0.01 * noise(2)
    image[:, 780:790] += 50
    good = np.ones(SHAPE, bool)
    good[100:200, 10:30] = False
    image[~good] = 1e5
    assert structure_slopes(image, good).x == pytest.approx(0.4, rel=0.02)


def test_scatter_of_white_noise_is_none():
    scatter = structure_scatter(noise(3))
    assert max(scatter.columns, scatter.rows, scatter.smooth) < 0.3 * RON / 32


def test_scatter_of_known_structure():
    rows, columns = np.indices(SHAPE)
    image = noise(4) + 2 * np.sin(columns / 90) + 0.7 * np.sign(np.sin(rows / 120))
    image[50:60, 50:60] = 5e4
    scatter = structure_scatter(image)
    assert scatter.columns == pytest.approx(np.sqrt(2), rel=0.1)
    assert scatter.rows == pytest.approx(0.7, rel=0.05)
    assert scatter.smooth == pytest.approx(np.hypot(np.sqrt(2), 0.7), rel=0.1)
