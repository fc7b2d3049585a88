import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soxs_recipes.algorithms.combining import median_inefficiency
from soxs_recipes.algorithms.quality import Quality
from soxs_recipes.algorithms.sorting import merge_exchange_network, sort_frames
from soxs_recipes.algorithms.stacking import (
    StackInputError,
    StackSettings,
    join_readers,
    stack,
    stack_arrays,
)
from soxs_recipes.algorithms.variance import CcdNoise

RON = 3.0
METHODS = ["clipped-mean", "mean", "median"]


def gaussian_frames(n, shape=(200, 500), level=100.0, seed=0):
    rng = np.random.default_rng(1000 * seed + n)
    return rng.normal(level, RON, size=(n, *shape)).astype(np.float32)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 7, 8, 10, 13, 20, 32, 33, 50])
def test_clipped_mean_of_gaussian_noise(n):
    result = stack_arrays(gaussian_frames(n), noise=RON**2)
    pull = (result.flux - 100.0) / np.sqrt(result.variance)
    assert np.mean(result.flux, dtype=np.float64) == pytest.approx(100, abs=0.01 * RON)
    assert np.std(pull) == pytest.approx(1.0, abs=0.01)
    assert np.mean(result.count) > 0.999 * n
    assert not result.quality.any()


@pytest.mark.parametrize("n", [8, 10, 20])
def test_threshold_without_a_good_noise_model_follows_the_scatter(n):
    """A noise model ten times too small must not empty the stack or bias it."""
    result = stack_arrays(gaussian_frames(n), noise=(0.1 * RON) ** 2)
    assert np.mean(result.flux, dtype=np.float64) == pytest.approx(100, abs=0.01 * RON)
    assert np.std(result.flux) == pytest.approx(RON / np.sqrt(n), rel=0.05)
    assert np.mean(result.count) > 0.96 * n


@pytest.mark.parametrize("n", [3, 4, 5, 7, 8, 10, 25])
@pytest.mark.parametrize("strength", [12, 40, 1e3, 1e6])
def test_cosmic_rays_of_any_size_are_removed(n, strength):
    frames = gaussian_frames(n, shape=(100, 500), seed=7)
    hit = np.random.default_rng(3).integers(0, n, size=(1, 100, 500))
    np.put_along_axis(
        frames, hit, np.take_along_axis(frames, hit, 0) + np.float32(strength * RON), 0
    )
    result = stack_arrays(frames, noise=RON**2)
    assert np.mean(result.count == n - 1) > 0.995
    assert np.mean(result.flux, dtype=np.float64) == pytest.approx(100, abs=0.02 * RON)
    assert np.std((result.flux - 100) / np.sqrt(result.variance)) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("n", [3, 4, 5, 7, 8, 10, 25])
def test_constantly_hot_pixels_stay(n):
    frames = gaussian_frames(n)
    frames[:, ::3, ::7] += 2e4
    result = stack_arrays(frames, noise=RON**2)
    hot = result.flux[::3, ::7]
    assert np.mean(hot) == pytest.approx(2.01e4, abs=0.05)
    assert np.mean(result.count) > 0.999 * n


@pytest.mark.parametrize("n", [3, 4, 5, 7, 8, 10])
def test_hot_pixels_noisier_than_the_model_keep_the_majority_and_their_mean(n):
    level = 10_000.0
    rng = np.random.default_rng(n)
    frames = rng.normal(level, np.sqrt(level), size=(n, 100, 500)).astype(np.float32)
    result = stack_arrays(frames, noise=RON**2)
    assert np.all(2 * result.count > n)
    # Half a standard error of the mean of five values is 22.
    assert np.mean(result.flux, dtype=np.float64) == pytest.approx(level, abs=2)


@pytest.mark.parametrize("signal", [20, 1000])
@pytest.mark.parametrize("n", [3, 5, 10])
def test_photon_noise_by_a_model_of_the_signal(n, signal):
    rng = np.random.default_rng(n)
    frames = rng.poisson(signal, (n, 200, 500)) + rng.normal(0, RON, (n, 200, 500))
    result = stack_arrays(frames, noise=CcdNoise(RON).variance)
    sigma = np.sqrt(signal + RON**2)
    assert np.mean(result.flux, dtype=np.float64) == pytest.approx(signal, abs=0.01 * sigma)
    assert np.mean(result.variance) == pytest.approx(sigma**2 / n, rel=0.01)


@pytest.mark.parametrize("n", [1, 2])
def test_one_or_two_frames_are_averaged_without_rejection(n):
    frames = gaussian_frames(n)
    frames[0, 5, 5] = 1e5
    result = stack_arrays(frames, noise=RON**2)
    np.testing.assert_allclose(result.flux, frames.mean(axis=0), rtol=1e-6)
    assert np.all(result.count == n)
    np.testing.assert_allclose(result.variance, RON**2 / n, rtol=1e-6)
    assert not result.quality.any()


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 9, 10, 15, 24])
def test_variance_of_the_median(n):
    frames = gaussian_frames(n, shape=(300, 1000), level=0.0)
    result = stack_arrays(frames, noise=RON**2, settings=StackSettings("median"))
    np.testing.assert_allclose(result.flux, np.median(frames, axis=0), atol=1e-6)
    assert np.var(result.flux) == pytest.approx(np.mean(result.variance), rel=0.01)


def test_median_inefficiency_against_exact_values():
    # Variances of medians of unit Gaussian samples: David & Nagaraja (2003), Order Statistics.
    exact = {3: 0.44867, 4: 0.29824, 5: 0.28683, 7: 0.21045, 9: 0.16610, 10: 0.13833}
    for n, variance in exact.items():
        assert median_inefficiency(n) == pytest.approx(n * variance, rel=0.002)
    assert median_inefficiency(100_000) == pytest.approx(np.pi / 2, rel=1e-3)
    assert median_inefficiency([0, 1, 2]).tolist() == [1, 1, 1]


@pytest.mark.parametrize("method", METHODS)
def test_variances_are_propagated_not_estimated(method):
    frames = gaussian_frames(4, shape=(3, 4))
    variance = np.array([4.0, 9.0, 16.0, 7.0]).reshape(4, 1, 1) * np.ones(frames.shape)
    result = stack_arrays(frames, variance, settings=StackSettings(method))
    factor = float(median_inefficiency(4)) if method == "median" else 1
    np.testing.assert_allclose(result.variance, factor * 36 / 16, rtol=1e-5)


def test_variance_of_the_kept_values_only():
    frames = np.full((3, 1, 2), 10.0)
    frames[2, 0, 1] = 500
    variance = np.array([1.0, 2.0, 4.0]).reshape(3, 1, 1) * np.ones(frames.shape)
    result = stack_arrays(frames, variance)
    np.testing.assert_allclose(result.variance, [[7 / 9, 3 / 4]])
    assert result.count.tolist() == [[3, 2]]


@pytest.mark.parametrize("method", METHODS)
def test_unusable_values_are_left_out(method):
    frames = np.arange(5.0).reshape(5, 1, 1) * np.ones((5, 1, 4))
    quality = np.zeros(frames.shape, np.uint16)
    quality[4, 0, 0] = Quality.SATURATED
    quality[4, 0, 1] = Quality.INTERPOLATED
    frames[4, 0, 2] = np.nan
    quality[1:, 0, 3] = Quality.BAD_PIXEL
    result = stack_arrays(frames, quality=quality, noise=100.0, settings=StackSettings(method))
    assert result.flux.tolist() == [[1.5, 2.0, 1.5, 0.0]]
    assert result.count.tolist() == [[4, 5, 4, 1]]
    assert result.quality.tolist() == [[0, 0, 0, Quality.REJECTED]]


@pytest.mark.parametrize("method", METHODS)
def test_pixels_without_a_usable_value_keep_their_average_and_bits(method):
    frames = np.arange(3.0).reshape(3, 1, 1) * np.ones((3, 1, 2))
    frames[:, 0, 1] = np.nan
    quality = np.zeros(frames.shape, np.uint16)
    quality[:, 0, 0] = [Quality.HOT, Quality.HOT | Quality.TELLURIC, Quality.DEAD]
    result = stack_arrays(frames, quality=quality, noise=1.0, settings=StackSettings(method))
    assert result.flux[0, 0] == 1
    assert result.quality[0, 0] == Quality.HOT | Quality.TELLURIC | Quality.DEAD
    assert np.isnan(result.flux[0, 1])
    assert np.isnan(result.variance[0, 1])
    assert result.quality[0, 1] & Quality.NO_DATA
    assert result.count.tolist() == [[3, 0]]


def test_masked_values_do_not_spoil_statistics():
    frames = gaussian_frames(10)
    rng = np.random.default_rng(8)
    quality = (rng.random(frames.shape) < 0.2) * np.uint16(Quality.BAD_PIXEL)
    frames[quality > 0] = 6e4
    result = stack_arrays(frames, quality=quality, noise=RON**2)
    pull = (result.flux - 100) / np.sqrt(result.variance)
    assert np.mean(pull) == pytest.approx(0, abs=0.01)
    assert np.std(pull) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("noise_shape", ["constant", "image", "function"])
def test_bands_do_not_change_the_result(noise_shape):
    frames = gaussian_frames(6, shape=(57, 40))
    frames[2, ::3, ::5] += 300
    noise = {
        "constant": 9.0,
        "image": np.linspace(8, 10, 57 * 40).reshape(57, 40),
        "function": lambda signal: 9 + 0.01 * signal,
    }[noise_shape]
    asked = []

    def read_band(start, stop):
        asked.append((start, stop))
        return frames[:, start:stop], None, None

    whole = stack_arrays(frames, noise=noise)
    banded = stack(read_band, 6, (57, 40), noise=noise, budget=20_000)
    for name in ("flux", "variance", "quality", "count"):
        np.testing.assert_array_equal(getattr(banded, name), getattr(whole, name))
    assert len(asked) > 5
    assert [row for band in asked for row in range(*band)] == list(range(57))


@pytest.mark.parametrize("budget", [3 * 2**20, 24 * 2**20])
@pytest.mark.parametrize("method", METHODS)
def test_memory_stays_within_the_budget(budget, method):
    n, shape = 12, (1500, 808)

    def read_band(start, stop):
        size = (n, stop - start, shape[1])
        band = np.full(size, 5.0, np.float32)
        band[3, :, ::9] = 600
        return band, np.full(size, 9.0, np.float32), np.zeros(size, np.uint16)

    tracemalloc.start()
    try:
        result = stack(read_band, n, shape, StackSettings(method), budget=budget)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    held = sum(getattr(result, name).nbytes for name in ("flux", "variance", "quality", "count"))
    assert peak - held <= budget
    assert np.all(result.flux[:, ::9] == 5 if method != "mean" else True)


def test_ten_full_frames_in_time():
    frames = np.broadcast_to(gaussian_frames(10, shape=(512, 808)), (10, 512, 808))

    def read_band(start, stop):
        rows = np.arange(start, stop) % 512
        return frames[:, rows], None, None

    seconds = []
    for _ in range(2):
        start = time.process_time()
        stack(read_band, 10, (4096, 808), noise=RON**2)
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.6


def test_readers_per_frame_are_joined():
    frames = gaussian_frames(3, shape=(9, 5))
    readers = [lambda a, b, f=frame: f[a:b] for frame in frames[:2]]
    readers.append(lambda a, b: (frames[2, a:b], None, np.full((b - a, 5), 32, np.uint16)))
    result = stack(join_readers(readers), 3, (9, 5), StackSettings("mean"), noise=1.0)
    np.testing.assert_allclose(result.flux, frames[:2].mean(axis=0), rtol=1e-6)


def test_single_precision_holds_on_a_high_level():
    frames = gaussian_frames(50, shape=(50, 200), level=60_000.0)
    result = stack_arrays(frames, noise=RON**2, settings=StackSettings("mean"))
    np.testing.assert_allclose(result.flux, frames.mean(axis=0, dtype=np.float64), atol=0.005)


def test_input_that_does_not_fit_is_refused():
    frames = gaussian_frames(3, shape=(9, 5))
    with pytest.raises(StackInputError, match="noise"):
        stack_arrays(frames)
    with pytest.raises(StackInputError, match=r"flux band of shape \(3, 9, 6\)"):
        stack(lambda a, b: (frames[:, a:b], None, None), 3, (9, 6), noise=1.0)
    with pytest.raises(StackInputError, match="at least 1"):
        stack(lambda a, b: (frames[:0], None, None), 0, (9, 5), noise=1.0)
    with pytest.raises(ValueError, match="method"):
        StackSettings("average")
    with pytest.raises(ValueError, match="kappa"):
        StackSettings(kappa=0)


def test_readers_arrays_are_left_alone():
    frames = gaussian_frames(5, shape=(20, 30))
    frames[1, 3, 3] = np.nan
    before = frames.copy()
    stack_arrays(frames, noise=RON**2)
    np.testing.assert_array_equal(frames, before)


def test_frame_of_a_stack():
    result = stack_arrays(gaussian_frames(4, shape=(5, 6)), noise=RON**2)
    np.testing.assert_allclose(result.frame().error, RON / 2, rtol=1e-6)


@given(st.integers(1, 40), st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_sorting_network_sorts(n, seed):
    values = np.random.default_rng(seed).integers(0, 9, size=(n, 17)).astype(np.float32)
    values[values > 7] = np.inf
    np.testing.assert_array_equal(np.stack(sort_frames(values)), np.sort(values, axis=0))


def test_sorting_network_is_short():
    # Knuth, The Art of Computer Programming 3, section 5.3.4: merge exchange of 16 values.
    assert len(merge_exchange_network(16)) == 63


@given(st.integers(3, 12), st.integers(0, 2**32 - 1), st.sampled_from(METHODS))
@settings(max_examples=40, deadline=None)
def test_order_of_frames_and_level_do_not_matter(n, seed, method):
    rng = np.random.default_rng(seed)
    frames = np.rint(rng.standard_cauchy((n, 3, 11)) * 4).clip(-4000, 4000).astype(np.float32)
    options = {"noise": 9.0, "settings": StackSettings(method)}
    reference = stack_arrays(frames, **options)
    permuted = stack_arrays(rng.permutation(frames), **options)
    shifted = stack_arrays(frames + 1024, **options)
    np.testing.assert_allclose(permuted.flux, reference.flux, atol=1e-3)
    np.testing.assert_allclose(shifted.flux - 1024, reference.flux, atol=1e-3)


class TestAgainstCcdproc:
    """The same numbers as an independent implementation where both do the same."""

    @pytest.fixture
    def combiner(self):
        ccdproc = pytest.importorskip("ccdproc", reason="ccdproc is not installed")
        from astropy.nddata import CCDData

        self.frames = gaussian_frames(9, shape=(60, 70))
        rng = np.random.default_rng(4)
        self.frames[rng.random(self.frames.shape) < 0.01] += 400
        return ccdproc.Combiner([CCDData(frame, unit="electron") for frame in self.frames])

    def test_median(self, combiner):
        expected = combiner.median_combine().data
        ours = stack_arrays(self.frames, noise=RON**2, settings=StackSettings("median"))
        np.testing.assert_allclose(ours.flux, expected, rtol=1e-6)

    def test_mean(self, combiner):
        expected = combiner.average_combine().data
        ours = stack_arrays(self.frames, noise=RON**2, settings=StackSettings("mean"))
        np.testing.assert_allclose(ours.flux, expected, rtol=1e-5)

    def test_clipped_mean(self, combiner):
        # One pass around the median with a known noise, widened for the centre's own error; the
        # noise model is made to rule over the scatter.
        noise = 4 * RON
        width = 4 * np.sqrt(1 + 2 / 8)
        combiner.sigma_clipping(
            low_thresh=width,
            high_thresh=width,
            func=np.ma.median,
            dev_func=lambda data, axis=None: np.full(data.shape[1:], noise),
        )
        expected = combiner.average_combine().data
        ours = stack_arrays(self.frames, noise=noise**2, settings=StackSettings(iterations=1))
        assert np.any(ours.count < 9)
        np.testing.assert_allclose(ours.flux, expected, rtol=1e-5)
