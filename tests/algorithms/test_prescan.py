import numpy as np
import pytest

from soxs_recipes.algorithms.prescan import prescan_level

RON = 3.3


def prescan(level, seed, columns=50, outliers=0):
    rng = np.random.default_rng(seed)
    pixels = np.asarray(level)[:, None] + rng.normal(0, RON, size=(len(level), columns))
    hit = rng.integers(0, pixels.size, size=outliers)
    pixels.reshape(-1)[hit] += rng.exponential(500, size=outliers)
    return np.rint(pixels)


@pytest.mark.parametrize("method", ["frame", "row", "smooth"])
@pytest.mark.parametrize("outliers", [0, 2000])
def test_constant_level(method, outliers):
    """Bias below a thousandth of the read noise times the error; honest errors."""
    results = [
        prescan_level(prescan(np.full(2000, 1000.3), seed, outliers=outliers), method)
        for seed in range(40)
    ]
    pull = np.array([(r.level[::7] - 1000.3) / r.error[::7] for r in results])
    assert np.mean([r.level for r in results]) == pytest.approx(1000.3, abs=0.01 * RON)
    assert np.std(pull) == pytest.approx(1.0, abs=0.3 if method == "frame" else 0.08)
    assert results[0].read_noise == pytest.approx(np.sqrt(RON**2 + 1 / 12), rel=0.01)


def test_methods_trade_noise_for_detail():
    pixels = prescan(np.full(4096, 1000.0), 1)
    scatter = {
        m: np.std(prescan_level(pixels, m).level, dtype=np.float64)
        for m in ("frame", "row", "smooth")
    }
    assert scatter["frame"] == 0
    assert scatter["row"] == pytest.approx(RON / np.sqrt(50), rel=0.05)
    assert scatter["smooth"] < 0.1 * scatter["row"]


@pytest.mark.parametrize("method", ["row", "smooth"])
def test_drift_along_the_frame_is_followed(method):
    row = np.arange(4096)
    truth = 1000 + 0.002 * row + 2 * np.sin(row / 400)
    result = prescan_level(prescan(truth, 2, outliers=500), method)
    inner = slice(150, -150)
    assert np.std((result.level - truth)[inner]) < 1.1 * np.mean(result.error[inner]) + 0.02
    # At the ends half of the window is missing.
    assert np.max(np.abs(result.level - truth)) < max(5 * result.error.max(), 0.3)


def test_rows_that_stand_out_are_left_out_of_the_smooth_level():
    level = np.full(4096, 1000.0)
    level[1000:1003] += 40
    result = prescan_level(prescan(level, 3), "smooth")
    assert np.max(np.abs(result.level - 1000)) < 5 * result.error.max()


def test_rows_without_a_value_get_the_level_of_the_others():
    pixels = prescan(np.full(500, 1000.0), 4)
    pixels[200:210] = np.nan
    for method in ("frame", "row", "smooth"):
        result = prescan_level(pixels, method)
        assert np.max(np.abs(result.level[200:210] - 1000)) < 1
        assert np.isfinite(result.error).all()


def test_level_without_noise():
    for method in ("frame", "row", "smooth"):
        result = prescan_level(np.full((100, 50), 200.0), method)
        np.testing.assert_allclose(result.level, 200)
        assert result.read_noise == 0


@pytest.mark.parametrize("bad", [np.ones(50), np.ones((10, 1)), np.full((10, 5), np.nan)])
def test_unfit_input_is_refused(bad):
    with pytest.raises(ValueError, match="prescan"):
        prescan_level(bad)
    with pytest.raises(ValueError, match="method"):
        prescan_level(np.ones((5, 5)), "column")


def test_error_of_the_smooth_level_at_the_ends():
    results = [prescan_level(prescan(np.full(600, 50.0), seed), "smooth") for seed in range(400)]
    for row in (0, 20, -1):
        pull = [(result.level[row] - 50) / result.error[row] for result in results]
        assert np.std(pull) == pytest.approx(1, abs=0.1)


def test_error_of_the_smooth_level_is_that_of_its_weights():
    distance = np.subtract.outer(np.arange(600), np.arange(600))
    weights = np.exp(-0.5 * (distance / 50) ** 2)
    weights /= weights.sum(axis=1, keepdims=True)
    result = prescan_level(prescan(np.full(600, 50.0), 1), "smooth")
    expected = result.read_noise / np.sqrt(50) * np.sqrt(np.sum(weights**2, axis=1))
    np.testing.assert_allclose(result.error, expected, rtol=0.01)
