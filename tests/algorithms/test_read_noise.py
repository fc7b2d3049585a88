import numpy as np
import pytest

from soxs_recipes.algorithms.pixel_scatter import PixelScatter
from soxs_recipes.algorithms.read_noise import ReadNoise, StackNoise, read_noise
from soxs_recipes.algorithms.stacking import StackSettings, stack, stack_arrays

RON = 3.3


def bias_frames(n, shape, seed, cosmic_rays=0.0):
    """Frames with a fixed structure, levels that drift, and cosmic rays."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices(shape, dtype=np.float32)
    structure = 30 * np.sin(columns / 15) + 0.02 * rows
    drift = rng.normal(0, 5, size=(n, 1, 1)) + rng.normal(0, 3e-3, size=(n, 1, 1)) * rows
    frames = (structure + drift + 1000).astype(np.float32)
    frames += RON * rng.standard_normal(frames.shape, dtype=np.float32)
    hit = rng.random(frames.shape, dtype=np.float32) < cosmic_rays
    frames[hit] += rng.exponential(800, size=np.count_nonzero(hit))
    return frames


def test_read_noise_of_ten_full_frames_within_a_percent():
    """Digitised frames with structure, drift and cosmic rays, read in bands."""
    master = bias_frames(10, (256, 808), 1, cosmic_rays=2e-3)

    def read_band(start, stop):
        # Sixteen different realisations of the noise stand for the rows of one frame.
        rows = np.arange(start, stop)
        roll = (rows // 256) * 37
        band = master[:, rows % 256]
        for number in np.unique(roll):
            band[:, roll == number] = np.roll(band[:, roll == number], number, axis=2)
        return np.rint(band), None, None

    noise = ReadNoise()
    stack(read_band, 10, (4096, 808), noise=RON**2, accumulators=[noise])
    truth = np.sqrt(RON**2 + 1 / 12)
    assert noise.result().value == pytest.approx(truth, rel=0.01)
    assert noise.pairs() == pytest.approx(truth, rel=0.02)


@pytest.mark.parametrize("n", [2, 3, 5, 10])
def test_error_of_the_read_noise(n):
    estimates = [read_noise(bias_frames(n, (60, 80), seed)) for seed in range(250)]
    pull = [(estimate.value - RON) / estimate.error for estimate in estimates]
    assert np.mean(pull) == pytest.approx(0, abs=0.25)
    assert np.std(pull) == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("cosmic_rays", [1e-4, 1e-2])
def test_cosmic_rays_do_not_count(cosmic_rays):
    frames = bias_frames(4, (500, 500), 5, cosmic_rays)
    assert read_noise(frames).value == pytest.approx(RON, rel=0.01)


@pytest.mark.parametrize("sigma", [0.4, 0.8])
def test_coarsely_digitised_frames(sigma):
    frames = np.rint(np.random.default_rng(2).normal(500.25, sigma, size=(5, 300, 300)))
    assert read_noise(frames).value == pytest.approx(frames.std(), rel=0.01)


def test_a_single_frame_has_no_read_noise():
    assert np.isnan(read_noise(np.ones((1, 5, 5))).value)


@pytest.mark.parametrize("method", ["clipped-mean", "mean", "median"])
@pytest.mark.parametrize("n", [2, 3, 5, 8, 9])
def test_stack_noise_is_the_scatter_of_the_stack(n, method):
    frames = bias_frames(n, (400, 500), 100 + n)
    frames -= np.median(frames, axis=(1, 2), keepdims=True)
    noise = StackNoise()
    settings = StackSettings(method)
    stack_arrays(frames, noise=RON**2, settings=settings, accumulators=[noise])
    pure = np.random.default_rng(n).normal(0, RON, size=(n, 400, 500)).astype(np.float32)
    truth = np.std(stack_arrays(pure, noise=RON**2, settings=settings).flux)
    assert noise.result().value == pytest.approx(truth, rel=0.015)


def test_stack_noise_with_cosmic_rays_is_that_of_the_clipped_stack():
    """Weak ones, which the stack rejects but which do not stand out in the half stacks."""
    frames = np.random.default_rng(3).normal(100, RON, size=(5, 400, 500))
    frames[np.random.default_rng(4).random(frames.shape) < 0.02] += 10 * RON
    noise = StackNoise()
    stack_arrays(frames, noise=RON**2, accumulators=[noise])
    assert noise.result().value == pytest.approx(RON / np.sqrt(5), rel=0.03)


def test_scatter_per_pixel():
    rng = np.random.default_rng(9)
    sigma = np.where(np.arange(300) % 10 == 0, 12.0, 3.0)
    frames = rng.normal(50, sigma, size=(15, 200, 300)).astype(np.float32)
    quality = np.zeros(frames.shape, np.uint16)
    quality[3:, 0, 2] = 1
    quality[1:, 0, 1] = 1
    scatter = PixelScatter.of((200, 300))
    stack_arrays(frames, quality=quality, noise=9.0, accumulators=[scatter])
    assert scatter.variance[0, 2] == pytest.approx(np.var(frames[:3, 0, 2], ddof=1), rel=1e-4)
    assert scatter.variance[0, 1] == 0
    assert scatter.count[0, 1:3].tolist() == [1, 3]
    assert np.mean(scatter.variance[1:, 1:10]) == pytest.approx(9, rel=0.03)
    # The stack expected a scatter of 3 and rejected some of the values.
    assert 0.8 * 144 < np.mean(scatter.variance[1:, ::10]) < 144
