"""Poisson draws and random streams against their distributions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from soxs_simulator.photons import poisson
from soxs_simulator.rng import coloured_noise, stream

COUNT = 400_000


@pytest.mark.parametrize("mean", [0.001, 0.015, 0.05, 0.5, 0.79, 2.0, 9.9, 10.1, 40.0, 5e4])
def test_moments_are_those_of_poisson(mean):
    draws = poisson(stream(1, "moments", mean), np.full(COUNT, mean, np.float32)).astype(float)
    mean = float(np.float32(mean))
    assert draws.mean() == pytest.approx(mean, abs=4.5 * np.sqrt(mean / COUNT))
    fourth = mean + 3 * mean**2
    assert draws.var() == pytest.approx(mean, abs=4.5 * np.sqrt((fourth - mean**2) / COUNT))
    assert np.array_equal(draws, np.rint(draws))


@pytest.mark.parametrize("mean", [0.01, 0.4, 3.0, 12.0, 60.0])
def test_probabilities_are_those_of_poisson(mean):
    draws = poisson(stream(2, "pmf", mean), np.full(COUNT, mean, np.float32)).astype(int)
    found = np.bincount(draws)
    expected = stats.poisson.pmf(np.arange(found.size), mean) * COUNT
    enough = expected > 50
    chi2 = np.sum((found - expected)[enough] ** 2 / expected[enough])
    assert chi2 < stats.chi2.isf(1e-5, enough.sum())


def test_mixed_image_keeps_every_pixel_apart():
    levels = np.array([0.0, -3.0, 0.01, 0.5, 5.0, 50.0, 5000.0], np.float32)
    image = np.tile(levels, (60_000, 1))
    draws = poisson(stream(3, "mixed"), image)
    expected = np.maximum(levels, 0)
    assert draws.shape == image.shape
    assert np.all(draws[:, :2] == 0)
    error = np.sqrt(np.maximum(expected, 1e-9) / len(image))
    assert np.all(np.abs(draws.mean(axis=0) - expected) < 5 * error + 1e-12)


def test_coloured_noise_has_unit_power_and_its_slope():
    series = coloured_noise(stream(4, "noise"), 4096, exponent=1.0, rows=300)
    power = np.mean(np.abs(np.fft.rfft(series, axis=1)) ** 2, axis=0)
    frequency = np.arange(power.size)
    chosen = (frequency > 8) & (frequency < 800)
    slope = np.polyfit(np.log(frequency[chosen]), np.log(power[chosen]), 1)[0]
    assert slope == pytest.approx(-1.0, abs=0.05)
    assert np.allclose(series.std(axis=1), 1, atol=1e-4)
    assert np.allclose(series.mean(axis=1), 0, atol=1e-5)


def test_streams_differ_by_name_and_repeat():
    first = stream(1, "a", 2).standard_normal(1000)
    assert np.array_equal(first, stream(1, "a", 2).standard_normal(1000))
    for other in (stream(1, "a", 3), stream(2, "a", 2), stream(1, "b", 2)):
        assert abs(np.corrcoef(first, other.standard_normal(1000))[0, 1]) < 0.15
