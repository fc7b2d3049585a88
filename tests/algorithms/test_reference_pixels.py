import numpy as np
import pytest

from soxs_recipes.algorithms.reference_pixels import ReferenceLayout, measure_reference

SIZE = 2048
INNER = (slice(4, -4), slice(4, -4))


def scene(seed, noise=1.0, offset=0.0, drift=0.0):
    """Return a frame and the truth: its offset per column and level per row."""
    rng = np.random.default_rng(seed)
    frame = noise * rng.standard_normal((SIZE, SIZE), dtype=np.float32)
    columns = np.repeat(rng.normal(0, offset, size=(32, 1, 2)), 32, axis=1).reshape(-1)
    rows = drift * pink_noise(rng) if drift else np.zeros(SIZE)
    frame += (columns + rows[:, None]).astype(np.float32)
    return frame, columns + rows[:, None]


def pink_noise(rng):
    frequency = np.fft.rfftfreq(SIZE)[1:]
    spectrum = (rng.normal(size=1024) + 1j * rng.normal(size=1024)) / np.sqrt(frequency)
    series = np.fft.irfft(np.r_[0, spectrum], SIZE)
    return series / np.std(series)


def residual_of(frame, truth):
    correction = measure_reference(frame)
    return correction.offset + correction.drift[:, None] - truth, correction


@pytest.mark.parametrize("seed", range(6))
def test_white_noise_is_left_alone(seed):
    frame, truth = scene(seed)
    error, correction = residual_of(frame, truth)
    assert np.isinf(correction.window_rows)
    assert np.sqrt(np.mean(error**2)) < 0.04
    assert np.std(correction.apply(frame)[INNER]) < 1.001 * np.std(frame[INNER])
    assert correction.noise == pytest.approx(1, abs=0.02)


def test_channel_offsets_without_noise_are_removed():
    frame, truth = scene(1, noise=0, offset=10)
    error, correction = residual_of(frame, truth)
    assert np.max(np.abs(error)) < 1e-4
    assert np.max(np.abs(correction.apply(frame))) < 1e-4


def test_channel_offsets_have_no_bias_and_known_errors():
    errors, quoted = [], []
    for seed in range(12):
        frame, truth = scene(seed, offset=5)
        error, correction = residual_of(frame, truth)
        errors.append(error[SIZE // 2])
        quoted.append(np.sqrt(correction.variance()[SIZE // 2]))
    assert abs(np.mean(errors)) < 0.02
    # 256 reference pixels share an offset: 1/16 of the noise of a pixel.
    assert np.std(errors) == pytest.approx(1 / 16, rel=0.25)
    assert np.std(np.array(errors) / quoted) == pytest.approx(1, abs=0.3)


@pytest.mark.parametrize("drift", [0.15, 0.3, 0.5, 1.0, 3.0])
def test_drift_is_reduced_as_far_as_reference_pixels_allow(drift):
    frame, truth = scene(7, drift=drift)
    error, correction = residual_of(frame, truth)
    left = np.sqrt(np.mean((error - error.mean()) ** 2))
    assert left < drift
    # No smoothing at all would leave the noise of eight pixels.
    assert left < 1.1 / np.sqrt(8)
    assert np.std(correction.apply(frame)[INNER]) < np.std(frame[INNER])
    assert np.sqrt(np.mean(correction.variance())) == pytest.approx(left, rel=0.25)


def test_slow_drift_uses_a_long_window():
    frame, truth = scene(3)
    ramp = 2 * np.sin(np.arange(SIZE) / 300)[:, None]
    error, correction = residual_of(frame + ramp.astype(np.float32), truth + ramp)
    assert 16 <= correction.window_rows <= 128
    assert np.std(error) < 0.08


def test_offsets_and_drift_together():
    frame, truth = scene(4, offset=5, drift=0.5)
    error, correction = residual_of(frame, truth)
    assert np.std(error) < 0.35
    assert np.std(correction.apply(frame)[INNER]) < 1.05


def test_level_of_the_frame_is_subtracted():
    frame, _ = scene(5)
    correction = measure_reference(frame + 1000)
    assert np.mean(correction.apply(frame + 1000)[INNER]) == pytest.approx(0, abs=0.05)


def test_faulty_reference_pixels_do_not_matter():
    frame, truth = scene(6, offset=5)
    spoilt = frame.copy()
    rng = np.random.default_rng(1)
    spoilt[rng.integers(0, 4, 40), rng.integers(0, SIZE, 40)] += 5000
    spoilt[rng.integers(0, SIZE, 40), rng.integers(0, 4, 40)] += 5000
    error, _ = residual_of(spoilt, truth)
    reference, _ = residual_of(frame, truth)
    assert np.std(error - reference) < 0.02


def test_light_on_the_science_pixels_does_not_matter():
    frame, _ = scene(2, offset=3, drift=0.5)
    lit = frame.copy()
    lit[INNER] += 5e4
    before, after = measure_reference(frame), measure_reference(lit)
    np.testing.assert_array_equal(before.offset, after.offset)
    np.testing.assert_array_equal(before.drift, after.drift)


def test_other_layouts_and_frames_that_do_not_fit():
    correction = measure_reference(np.ones((256, 256)), ReferenceLayout(channels=4))
    assert correction.offset.shape == (256,)
    with pytest.raises(ValueError, match="multiple of 64"):
        measure_reference(np.ones((2040, 2040)))
    with pytest.raises(ValueError, match="found shape"):
        measure_reference(np.ones(2048))
