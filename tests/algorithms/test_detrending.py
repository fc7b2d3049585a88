"""The steps of detrending against analytic truth; errors against the scatter of many repeats."""

import numpy as np
import pytest
from scipy.ndimage import median_filter

from soxs_recipes.algorithms import detrending as steps
from soxs_recipes.algorithms.frame import DetectorFrame, FrameShapeError
from soxs_recipes.algorithms.linearity import Linearity
from soxs_recipes.algorithms.quality import Quality
from soxs_recipes.algorithms.variance import CcdNoise, RampNoise

LEVELS_E = (0.0, 0.5, 3.0, 10.0, 40.0, 200.0, 3000.0, 60_000.0)


def rng(seed=1):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("level_e", LEVELS_E)
@pytest.mark.parametrize("frames", [1, 5])
@pytest.mark.parametrize("noise", [CcdNoise(3.3), RampNoise(13.0, 1.08)], ids=["ccd", "ramp"])
def test_stated_variance_is_that_of_repeats(level_e, frames, noise):
    """From read-noise limited to near saturation, of single frames and of means."""
    shape = (400, 400)
    photons = rng().poisson(level_e, (frames, *shape)).astype("f4")
    extra = noise.variance(level_e) - level_e
    mean = (photons + rng(2).normal(0, extra**0.5, (frames, *shape))).mean(axis=0).astype("f4")
    frame = steps.mean_with_noise(mean, np.zeros(shape, "u2"), frames, noise)
    assert frame.variance.mean() == pytest.approx(mean.var(), rel=0.02)
    assert np.std((mean - level_e) / frame.error) == pytest.approx(1, abs=0.025)


def test_a_median_is_noisier_than_a_mean():
    values = rng().normal(0, 5, (5, 300, 300)).astype("f4")
    median = np.median(values, axis=0)
    frame = steps.mean_with_noise(median, np.zeros(median.shape, "u2"), 5, CcdNoise(5.0), True)
    assert frame.variance.mean() == pytest.approx(median.var(), rel=0.02)


def test_a_bright_pixel_has_its_own_photon_noise():
    """The surroundings count only where read noise rules."""
    flux = rng().normal(10_000, 100, (50, 50)).astype("f4")
    assert np.array_equal(steps.expected_signal(flux, 50.0), flux)
    faint = rng().normal(0, 3, (50, 50)).astype("f4")
    assert steps.expected_signal(faint, 50.0).std() < 1.6


def test_levels_are_flagged_before_correction():
    signal = np.array([[100, 40_000, 50_000, 61_000]], "f4")
    linearity = Linearity((1e-6,), 30_000, 55_000, 45_000)
    quality = steps.level_quality(signal, 60_000.0, linearity)
    both = Quality.NONLINEAR | Quality.SATURATED
    assert quality.tolist() == [[0, 0, Quality.NONLINEAR, both]]
    assert steps.level_quality(signal, 60_000.0).tolist() == [[0, 0, 0, Quality.SATURATED]]


def test_dark_is_scaled_only_by_the_factor_given():
    frame = DetectorFrame(np.full((2, 2), 50.0), np.full((2, 2), 3.0), np.zeros((2, 2)))
    dark = DetectorFrame(np.full((2, 2), 0.1), np.full((2, 2), 0.04), np.full((2, 2), 4))
    result = steps.minus_dark(frame, dark, 100.0)
    assert np.allclose(result.flux, 40)
    assert np.allclose(result.error, 5)
    assert np.all(result.quality == Quality.HOT)
    assert np.allclose(steps.minus_dark(frame, dark).flux, 49.9)


def test_bad_pixels_are_flagged_and_nothing_else_changes():
    frame = DetectorFrame(np.full((2, 2), 50.0), np.full((2, 2), 3.0), np.zeros((2, 2)))
    result = steps.with_bad_pixels(frame, np.array([[2, 0], [0, 8]], "u2"))
    assert result.quality.tolist() == [[Quality.DEAD, 0], [0, Quality.NOISY]]
    assert np.array_equal(result.flux, frame.flux)
    assert np.array_equal(result.error, frame.error)
    with pytest.raises(FrameShapeError):
        steps.with_bad_pixels(frame, np.zeros((3, 2), "u2"))


def test_flat_field_has_no_data_where_nothing_responds():
    frame = DetectorFrame(np.full((1, 2), 50.0), np.full((1, 2), 3.0), np.zeros((1, 2)))
    flat = DetectorFrame([[0.5, 0.0]], [[0.0, 0.0]], [[0, 0]])
    result = steps.flat_fielded(frame, flat)
    assert result.flux.tolist() == [[100, 0]]
    assert result.quality.tolist() == [[0, Quality.NO_DATA]]


@pytest.mark.parametrize("shape", [(150, 21), (64, 5), (65, 3), (3, 130), (1, 4)])
def test_signal_of_faint_pixels_is_that_of_running_medians(shape):
    """Whatever rows are worked on together."""
    flux = np.random.default_rng(2).normal(0, 5, shape).astype(np.float32)
    flux += np.linspace(-20, 300, flux.size, dtype=np.float32).reshape(shape)
    flux.flat[:: flux.size // 4] += 90
    around = flux
    for _ in range(2):
        around = median_filter(around, (3, 1), mode="nearest")
        around = median_filter(around, (1, 3), mode="nearest")
    signal = steps.expected_signal(flux, 100.0)
    # Read noise of 5 electrons; five standard deviations stand out.
    own = (around >= 100) | (flux - around > 5 * np.sqrt(25 + np.maximum(around, 0)))
    assert own.any()
    assert not own.all()
    assert np.array_equal(signal, np.where(own, flux, around))


def test_a_pixel_that_stands_out_has_its_own_photon_noise():
    """A hot pixel among dark ones, or the peak of a line."""
    flux = rng().normal(0, 5, (50, 50)).astype("f4")
    flux[20, 30] = 60.0
    signal = steps.expected_signal(flux, 100.0)
    assert signal[20, 30] == 60.0
    assert np.abs(np.delete(signal.ravel(), 20 * 50 + 30)).max() < 10


def test_errors_do_not_follow_noise():
    """A mean with weights that did would be too low by an electron."""
    noise = RampNoise(15.0, 1.1)
    flux = rng(4).normal(20, float(noise.variance(20.0)) ** 0.5, (500, 500)).astype("f4")
    frame = steps.mean_with_noise(flux, np.zeros(flux.shape, "u2"), 1, noise)
    assert np.polyfit(flux.ravel(), frame.variance.ravel(), 1)[0] < 0.2
