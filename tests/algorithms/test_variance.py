import numpy as np
import pytest

from soxs_recipes.algorithms.variance import CcdNoise, RampNoise


@pytest.mark.parametrize("signal", [0, 5, 300, 20_000])
def test_ccd_noise_against_simulated_exposures(signal):
    rng = np.random.default_rng(1)
    exposures = rng.poisson(signal, 400_000) + rng.normal(0, 3.3, 400_000)
    assert CcdNoise(3.3).variance(signal) == pytest.approx(np.var(exposures), rel=0.01)


def test_negative_signal_has_the_read_noise_only():
    assert CcdNoise(3.0).variance(np.array([-50.0, 0.0])).tolist() == [9.0, 9.0]


@pytest.mark.parametrize(("ndit", "signal"), [(1, 4000), (4, 4000)])
def test_ramp_noise_against_simulated_ramps(ndit, signal):
    """Straight-line fits to many evenly spaced samples of accumulating charge."""
    rng = np.random.default_rng(2)
    samples, trials, noise = 40, 8_000, 15.0
    charge = rng.poisson(signal / (samples - 1), size=(trials, samples - 1)).cumsum(axis=1)
    charge = np.pad(charge, [(0, 0), (1, 0)]) + rng.normal(0, noise, size=(trials, samples))
    time = np.linspace(0, 1, samples) - 0.5
    slope = charge @ time / np.sum(time**2)
    means = slope.reshape(-1, ndit).mean(axis=1)
    model = RampNoise(noise / np.sqrt(np.sum(time**2)), 1.2, ndit)
    assert model.variance(signal) == pytest.approx(np.var(means), rel=0.06)


def test_models_keep_single_precision():
    signal = np.ones((2, 2), dtype=np.float32)
    assert CcdNoise(1.0).variance(signal).dtype == np.float32
    assert RampNoise(1.0).variance(signal).dtype == np.float32


@pytest.mark.parametrize(
    "bad", [lambda: CcdNoise(-1), lambda: CcdNoise(float("nan")), lambda: RampNoise(1, ndit=0)]
)
def test_impossible_parameters_are_refused(bad):
    with pytest.raises(ValueError, match="at least"):
        bad()
