import numpy as np
import pytest

from soxs_recipes.algorithms.bad_pixels import OutlierSettings, find_noisy, find_outliers

SHAPE = (1020, 1020)
SIGMA = 3.0


def background(kind):
    rows, columns = np.indices(SHAPE)
    if kind == "gradient":
        return 0.02 * columns + 0.01 * rows
    if kind == "glow":
        corner = np.hypot(rows - SHAPE[0], columns - SHAPE[1])
        return 200 * np.exp(-corner / 60) + 100 * np.exp(-columns / 40)
    return np.zeros(SHAPE)


def master_dark(kind, hot_fraction, seed=0, weakest=8.0):
    rng = np.random.default_rng(seed)
    level = background(kind)
    sigma = np.sqrt(SIGMA**2 + level / 5)
    hot = rng.random(SHAPE) < hot_fraction
    excess = np.where(hot, weakest + rng.exponential(30, size=SHAPE), 0) * sigma
    image = level + excess + sigma * rng.normal(size=SHAPE)
    return image.astype(np.float32), sigma**2, hot


@pytest.mark.parametrize("kind", ["flat", "gradient", "glow"])
@pytest.mark.parametrize("hot_fraction", [0.002, 0.02])
@pytest.mark.parametrize("with_model", [True, False])
def test_hot_pixels_are_found_and_others_are_not(kind, hot_fraction, with_model):
    image, variance, hot = master_dark(kind, hot_fraction)
    found = find_outliers(image, variance if with_model else None)
    assert np.mean(found.high[hot]) > 0.999
    assert np.mean(found.high[~hot]) < 3e-5
    assert np.mean(found.low) < 3e-5


def test_hot_pixels_of_exactly_eight_sigma():
    image, variance, _ = master_dark("gradient", 0)
    hot = np.random.default_rng(5).random(SHAPE) < 0.01
    image[hot] += 8 * np.sqrt(variance[hot])
    assert np.mean(find_outliers(image, variance).high[hot]) > 0.999


def test_threshold_follows_the_larger_of_model_and_scatter():
    image, variance, _ = master_dark("flat", 0)
    assert np.mean(find_outliers(image, variance / 100).high) < 3e-5
    found = find_outliers(image, 100 * variance)
    assert not found.high.any()
    np.testing.assert_allclose(found.sigma, 10 * SIGMA, rtol=1e-5)


def test_background_and_scatter_are_unbiased():
    image, _, _ = master_dark("gradient", 0.02)
    found = find_outliers(image)
    assert np.mean(found.background - background("gradient")) == pytest.approx(0, abs=0.02 * SIGMA)
    assert np.median(found.sigma) == pytest.approx(
        np.median(np.sqrt(SIGMA**2 + background("gradient") / 5)), rel=0.02
    )


def test_dead_pixels_are_low_outliers():
    rng = np.random.default_rng(3)
    response = rng.normal(1, 0.01, size=(300, 400))
    dead = rng.random(response.shape) < 0.01
    response[dead] = rng.uniform(0, 0.5, size=np.count_nonzero(dead))
    found = find_outliers(response)
    np.testing.assert_array_equal(found.low[dead], True)
    assert np.mean(found.low[~dead]) < 1e-4


def test_masked_pixels_are_neither_used_nor_marked():
    image, variance, _ = master_dark("flat", 0)
    good = np.ones(SHAPE, bool)
    good[:100, :100] = False
    image[~good] = 1e6
    image[500, 500] = np.nan
    found = find_outliers(image, variance, good)
    assert not found.high[~good].any()
    assert np.mean(found.high) < 3e-5
    assert np.isfinite(found.background).all()


def test_clusters_and_columns_narrower_than_the_box():
    image, variance, _ = master_dark("flat", 0)
    image[200:206, 300:306] += 100 * SIGMA
    image[:, 700] += 20 * SIGMA
    found = find_outliers(image, variance)
    assert found.high[200:206, 300:306].all()
    assert np.mean(found.high[:, 700]) > 0.999


def test_kappa_sets_the_rate_of_false_marks():
    image, variance, _ = master_dark("flat", 0)
    found = find_outliers(image, variance, settings=OutlierSettings(kappa=3))
    assert np.mean(found.high | found.low) == pytest.approx(2.7e-3, rel=0.2)


def test_small_images_are_refused():
    with pytest.raises(ValueError, match="found shape"):
        find_outliers(np.ones((40, 400)))


@pytest.mark.parametrize("n", [3, 5, 20])
def test_noisy_pixels(n):
    rng = np.random.default_rng(n)
    frames = rng.normal(0, SIGMA, size=(n, 500, 1000))
    noisy = np.zeros((500, 1000), bool)
    noisy[::20, ::20] = True
    frames[:, noisy] *= 30
    found = find_noisy(np.var(frames, axis=0, ddof=1), SIGMA**2, np.full(noisy.shape, n), 1e-4)
    assert np.mean(found[~noisy]) == pytest.approx(1e-4, rel=0.5)
    assert np.mean(found[noisy]) > 0.95


def test_one_value_is_never_noisy():
    assert not find_noisy(np.array([1e9, 1e9]), 1.0, np.array([1, 0])).any()


def test_steep_glow_is_followed():
    rows, columns = np.indices(SHAPE)
    level = 300 * np.exp(-np.hypot(rows - SHAPE[0], columns - SHAPE[1]) / 20)
    sigma = np.sqrt(SIGMA**2 + level / 5)
    image = level + sigma * np.random.default_rng(1).normal(size=SHAPE)
    found = find_outliers(image, sigma**2)
    corner = (slice(-150, None), slice(-150, None))
    assert np.max(np.abs((found.background - level) / sigma)[corner]) < 2.5
    assert np.mean(found.high[corner]) < 3e-4


def test_many_warm_pixels_below_the_threshold_hardly_widen_the_scatter():
    rng = np.random.default_rng(2)
    image = SIGMA * rng.normal(size=SHAPE)
    warm = rng.random(SHAPE) < 0.15
    image[warm] += rng.exponential(4 * SIGMA, size=np.count_nonzero(warm))
    assert np.median(find_outliers(image).sigma) == pytest.approx(SIGMA, rel=0.075)
