import numpy as np
import pytest

from soxs_recipes.algorithms.quality import ANY, UNUSABLE, Quality, flag, fraction, has


def test_bits_have_their_published_values():
    expected = {
        "BAD_PIXEL": 1,
        "DEAD": 2,
        "HOT": 4,
        "NOISY": 8,
        "NONLINEAR": 16,
        "SATURATED": 32,
        "COSMIC_RAY": 64,
        "INTERPOLATED": 128,
        "NO_DATA": 256,
        "REJECTED": 512,
        "EXTRAPOLATED": 1024,
        "TELLURIC": 2048,
        "SKY_RESIDUAL": 4096,
    }
    assert {bit.name: bit.value for bit in Quality} == expected


def test_flag_adds_and_keeps_bits_without_touching_its_input():
    before = np.array([0, 1, 2], dtype=np.uint16)
    after = flag(before, [True, True, False], Quality.HOT | Quality.SATURATED)
    assert after.dtype == np.uint16
    assert after.tolist() == [36, 37, 2]
    assert before.tolist() == [0, 1, 2]


def test_has_looks_for_the_given_bits_only():
    mask = np.array([0, Quality.TELLURIC, Quality.DEAD, 0x8000], dtype=np.uint16)
    assert has(mask).tolist() == [False, False, True, False]
    assert has(mask, Quality.TELLURIC).tolist() == [False, True, False, False]
    assert has(mask, ANY).tolist() == [False, True, True, True]


def test_informative_bits_are_not_unusable():
    for bit in (Quality.INTERPOLATED, Quality.EXTRAPOLATED, Quality.TELLURIC, Quality.SKY_RESIDUAL):
        assert not bit & UNUSABLE


def test_fraction():
    assert fraction(np.array([[1, 0], [0, 128]], dtype=np.uint16)) == pytest.approx(0.25)
    assert np.isnan(fraction(np.array([], dtype=np.uint16)))
