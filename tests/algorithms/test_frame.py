import numpy as np
import pytest

from soxs_recipes.algorithms.frame import DetectorFrame, FrameShapeError, weighted_mean
from soxs_recipes.algorithms.quality import Quality


def make(flux, error=1.0, quality=0, shape=(2, 3)):
    return DetectorFrame(
        np.full(shape, flux, np.float32),
        np.full(shape, error, np.float32),
        np.full(shape, quality, np.uint16),
    )


def test_planes_are_converted_but_never_copied_needlessly():
    flux = np.ones((2, 3), dtype=np.float32)
    frame = DetectorFrame(flux, np.ones((2, 3), dtype=np.float64), np.zeros((2, 3), dtype=int))
    assert frame.flux is flux
    assert (frame.error.dtype, frame.quality.dtype) == (np.float32, np.uint16)


@pytest.mark.parametrize("shape", [(3, 2), (6,), (1, 2, 3)])
def test_planes_of_other_shapes_are_refused(shape):
    with pytest.raises(FrameShapeError, match=r"one shape.*\(2, 3\)"):
        DetectorFrame(np.ones((2, 3)), np.ones(shape), np.zeros((2, 3)))


def test_frames_of_other_shapes_do_not_combine():
    with pytest.raises(FrameShapeError, match="binning"):
        make(1).minus(make(1, shape=(3, 3)))


def test_error_propagation_against_simulation():
    rng = np.random.default_rng(1)
    shape = (400, 500)
    draws = {
        "minus": lambda a, b: a - b,
        "divided_by": lambda a, b: a / b,
    }
    a, b = make(1000, 8, shape=shape), make(50, 0.3, shape=shape)
    noisy_a = a.flux + a.error * rng.normal(size=shape)
    noisy_b = b.flux + b.error * rng.normal(size=shape)
    for name, expected in draws.items():
        result = getattr(a, name)(b)
        simulated = expected(noisy_a, noisy_b)
        assert result.flux[0, 0] == pytest.approx(simulated.mean(), rel=1e-3)
        assert result.error[0, 0] == pytest.approx(simulated.std(), rel=0.01)


def test_times_scales_flux_and_error():
    scaled = make(10, 2).times(-0.5)
    assert scaled.flux[0, 0] == -5
    assert scaled.error[0, 0] == 1


def test_quality_bits_are_joined_and_division_by_nothing_is_flagged():
    divisor = make(2, quality=Quality.DEAD)
    divisor.flux[0, 0] = 0
    result = make(4, quality=Quality.HOT).divided_by(divisor)
    assert result.quality[1, 1] == Quality.HOT | Quality.DEAD
    assert result.quality[0, 0] == Quality.HOT | Quality.DEAD | Quality.NO_DATA
    assert np.isfinite(result.flux).all()
    assert np.isfinite(result.error).all()


def test_good_needs_finite_values_and_no_unusable_bit():
    frame = make(1).flag([[True, False, False]] * 2, Quality.TELLURIC)
    frame = frame.flag([[False, True, False]] * 2, Quality.SATURATED)
    frame.flux[0, 2] = np.nan
    assert frame.good().tolist() == [[True, False, False], [True, False, True]]
    assert not frame.good(Quality.TELLURIC)[0, 0]


def test_cut_is_a_view():
    frame = make(1, shape=(4, 6))
    part = frame.cut(slice(1, 3), slice(2, None))
    assert part.shape == (2, 4)
    assert np.shares_memory(part.flux, frame.flux)


def test_from_variance():
    frame = DetectorFrame.from_variance(np.ones((2, 2)), np.full((2, 2), 9.0))
    assert np.all(frame.error == 3)
    assert np.all(frame.variance == 9)
    assert not frame.quality.any()


class TestWeightedMean:
    """Frames of unequal depth combined with fixed weights."""

    def test_pulls_and_depth_at_unequal_noise(self):
        rng = np.random.default_rng(3)
        sigmas = (1.0, 5.0)
        frames = [
            DetectorFrame.from_variance(
                rng.normal(10, sigma, (200, 200)), np.full((200, 200), sigma**2)
            )
            for sigma in sigmas
        ]
        mean = weighted_mean(frames, [1 / sigma**2 for sigma in sigmas])
        assert np.std((mean.flux - 10) / mean.error) == pytest.approx(1, abs=0.01)
        assert mean.error.mean() == pytest.approx((1 + 1 / 25) ** -0.5, rel=1e-4)

    def test_bad_pixels_are_left_out_and_kept_if_there_is_nothing_else(self):
        flux = np.array([[1.0, 1.0], [1.0, 1.0]])
        one = DetectorFrame.from_variance(flux, flux, np.array([[0, 4], [4, 0]]))
        two = DetectorFrame.from_variance(3 * flux, flux, np.array([[0, 0], [8, 0]]))
        mean = weighted_mean([one, two], [1.0, 1.0])
        assert np.allclose(mean.flux, [[2, 3], [2, 2]])
        assert np.allclose(mean.variance, [[0.5, 1], [0.5, 0.5]])
        assert np.array_equal(mean.quality, [[0, 0], [12, 0]])
