import numpy as np
import pytest

from soxs_recipes.algorithms.pattern_noise import (
    WHITE_NOISE_RATIO,
    PatternNoise,
    pattern_noise_ratio,
)
from soxs_recipes.algorithms.stacking import stack

RON = 3.3
SHAPE = (2000, 808)


def noise(seed, shape=SHAPE, sigma=RON):
    return sigma * np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def plane(x_slope, y_slope, shape=SHAPE):
    rows, columns = np.indices(shape)
    return x_slope * columns + y_slope * rows


@pytest.fixture(scope="module")
def white():
    return np.array([pattern_noise_ratio(noise(seed)) for seed in range(20)])


def test_white_noise_has_the_ratio_of_a_rayleigh_distribution(white):
    assert pytest.approx(np.sqrt(2 - np.pi / 2) / 0.44845, abs=1e-3) == WHITE_NOISE_RATIO
    assert np.mean(white) == pytest.approx(WHITE_NOISE_RATIO, abs=0.005)
    assert np.std(white) < 0.01


@pytest.mark.parametrize(("sigma", "level"), [(1, 0), (30, 2000)])
def test_ratio_does_not_depend_on_noise_or_level(sigma, level):
    ratio = pattern_noise_ratio(noise(50, sigma=sigma) + level)
    assert ratio == pytest.approx(WHITE_NOISE_RATIO, abs=0.02)


@pytest.mark.parametrize("period", [12.5, 20, 63, 300])
@pytest.mark.parametrize("direction", [(0, 1), (1, 0), (1, 1)])
def test_weak_periodic_patterns_are_seen(white, period, direction):
    phase = plane(*direction) * 2 * np.pi / period
    ratio = pattern_noise_ratio(noise(60) + 0.2 * RON * np.sin(phase))
    assert ratio > np.mean(white) + 8 * np.std(white)


def test_pattern_with_a_period_of_two_pixels_is_seen():
    ratio = pattern_noise_ratio(noise(61) + 0.5 * RON * (-1.0) ** plane(1, 0))
    assert ratio > WHITE_NOISE_RATIO + 0.03


def test_cosmic_rays_are_no_pattern():
    frame = noise(62)
    frame.reshape(-1)[::3001] += 3e4
    assert pattern_noise_ratio(frame) == pytest.approx(WHITE_NOISE_RATIO, abs=0.02)
    good = np.ones(SHAPE, bool)
    good[:, 300:302] = False
    frame[:, 300:302] = 5e4
    assert pattern_noise_ratio(frame, good) == pytest.approx(WHITE_NOISE_RATIO, abs=0.02)


def test_one_strong_line_saturates():
    weak, strong = (
        pattern_noise_ratio(noise(63) + factor * RON * np.sin(plane(0, 2 * np.pi / 40)))
        for factor in (0.5, 50)
    )
    assert strong < 1.2 * weak


def test_in_the_pass_of_a_stack():
    """Bands that do not end with a bin; frames with a drifting level and cosmic rays."""
    shape = (203, 211)
    frames = np.stack([noise(seed, shape) for seed in range(4)])
    frames[2] += 0.5 * RON * np.sin(plane(0, 0.2, shape)).astype(np.float32)
    frames[1, 77, 50] = 4e4
    frames += np.arange(4, dtype=np.float32)[:, None, None] * 10
    ratios = []
    for budget in (300_000, 2**24):
        patterns = PatternNoise.of(4, shape)
        stack(
            lambda first, last: (frames[:, first:last], None, None),
            4,
            shape,
            noise=RON**2,
            accumulators=[patterns],
            budget=budget,
        )
        ratios.append(patterns.ratios())
    assert ratios[0] == pytest.approx(ratios[1], rel=1e-3)
    assert ratios[0][2] > 3.5
    assert np.delete(ratios[0], 2) == pytest.approx(1.6, abs=0.15)


@pytest.mark.parametrize("amplitude", [0.0, 0.5])
def test_what_all_frames_share_is_no_pattern(amplitude):
    shape = (400, 405)
    shared = 20 * np.sin(plane(0.3, 0.01, shape)).astype(np.float32)
    frames = np.stack([noise(seed, shape) + shared for seed in range(5)])
    frames[3] += amplitude * RON * np.sin(plane(0, 0.2, shape)).astype(np.float32)
    patterns = PatternNoise.of(5, shape)
    stack(
        lambda a, b: (frames[:, a:b], None, None), 5, shape, noise=RON**2, accumulators=[patterns]
    )
    ratios = patterns.ratios()
    if amplitude:
        assert ratios[3] > np.delete(ratios, 3).max() + 1
    else:
        assert ratios == pytest.approx(WHITE_NOISE_RATIO, abs=0.06)
