"""Orders of one curve: noise of the standard makes no steps, real departures are followed."""

from itertools import pairwise

import numpy as np
import pytest

from soxs_recipes.algorithms.order_spectra import OrderSpectra
from soxs_recipes.algorithms.response import ResponseSettings, Standard, measure_response

ORDERS, BINS, NOISE = np.arange(10, 22), 400, 0.05
FIRST_NM, RANGE, SHARED = 1000.0, 1.10, 0.3


def middle_nm(order):
    return FIRST_NM * RANGE ** ((ORDERS[-1] - order) * (1 - SHARED))


def observed(departure, seed):
    """Standard of flux 1 through orders whose efficiency departs from the lamp's blaze."""
    place = np.linspace(-0.5, 0.5, BINS)
    wave = np.concatenate([middle_nm(order) * RANGE**place for order in ORDERS])
    blaze = np.tile(np.exp(-3 * place**2), len(ORDERS))
    width = np.gradient(wave)
    signal = blaze * width * np.repeat(np.exp(departure), BINS) * (wave / 1000) ** 0.5
    noise = NOISE * np.median(signal)
    flux = signal + np.random.default_rng(seed).normal(0, noise, signal.size)
    zero = np.zeros(wave.size)
    error = np.full(wave.size, noise)
    return OrderSpectra(
        order=np.repeat(ORDERS, BINS),
        wave_nm=wave,
        width_nm=width,
        flux_e=flux,
        error_e=error,
        quality=np.zeros(wave.size, "u2"),
        sky_e=zero,
        boxcar_e=flux,
        boxcar_error_e=error,
        blaze=blaze * width,
        covariance=dict.fromkeys(ORDERS.tolist(), 1.0),
        exptime_s=1.0,
    )


def curves_over_truth(departure, seed):
    """Fitted efficiency over the true one where neighbouring orders meet, in each of both."""
    spectra = observed(departure, seed)
    one, zero = np.ones(spectra.wave_nm.size), np.zeros(spectra.wave_nm.size)
    standard = Standard(one, zero, one, zero, zero)
    fitted = measure_response(spectra, standard, ResponseSettings(joined=True)).fitted
    truth = spectra.blaze / spectra.width_nm * (spectra.wave_nm / 1000) ** 0.5
    steps = []
    for high, low in pairwise(ORDERS[::-1]):
        at = np.sqrt(middle_nm(low) * middle_nm(high))
        values = [
            np.interp(at, spectra.wave_nm[here], np.log(fitted / truth)[here])
            for here in (spectra.order == high, spectra.order == low)
        ]
        steps.append(values[0] - values[1])
    return np.array(steps)


def test_noise_makes_no_steps():
    """Steps of orders that are fitted each by itself scatter by 0.75 %."""
    steps = np.array([curves_over_truth(np.zeros(len(ORDERS)), seed) for seed in range(4)])
    assert np.std(steps) < 0.003
    assert np.abs(steps).max() < 0.01


@pytest.mark.parametrize("size", [0.01, 0.02])
def test_real_departures_are_followed(size):
    """Orders whose efficiency is off the lamp's by 1 or 2 % in turn: their steps are measured."""
    departure = size * np.where(ORDERS % 2, 1.0, -1.0)
    true_steps = -np.diff(departure[::-1])
    found = np.array([curves_over_truth(departure, seed) for seed in range(4)])
    slope = np.mean(found @ true_steps) / np.sum(true_steps**2)
    assert slope == pytest.approx(1, abs=0.1)
