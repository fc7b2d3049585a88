"""Beams combined: levels, weights, variances, bins that one of them lacks."""

from dataclasses import replace

import numpy as np
import pytest

from soxs_recipes.algorithms.beam_combination import BeamSpectra, combine_beams
from soxs_recipes.algorithms.extraction import OrderSpectrum
from soxs_recipes.algorithms.quality import Quality
from soxs_recipes.algorithms.shared_noise import SharedNoise

BINS = 400
TRUTH = 200 + 100 * np.sin(np.arange(BINS) / 30)


def beam(rng, level=1.0, sigma=20.0, exptime_s=100.0, truth=TRUTH):
    sigma = np.broadcast_to(sigma, BINS)
    scale = exptime_s / 100.0
    flux = truth * level * scale + rng.normal(0, sigma)
    nothing = np.zeros(BINS)
    spectrum = OrderSpectrum(
        flux, sigma**2, flux, 2 * sigma**2, nothing + 50 * scale, nothing,
        nothing + 7 * scale, np.zeros(BINS, "u2"), 1.0, 0.0,
    )  # fmt: skip
    return BeamSpectra({12: spectrum}, exptime_s)


def test_one_beam_is_itself():
    one = beam(np.random.default_rng(1))
    orders, levels = combine_beams([one])
    assert orders[12] is one.orders[12] and levels.tolist() == [1.0]


def test_levels_and_exposure_times_are_allowed_for():
    rng = np.random.default_rng(2)
    runs = []
    for _ in range(200):
        beams = [beam(rng, 1.2), beam(rng, 0.8, 30.0), beam(rng, 1.0, 40.0, 200.0)]
        orders, levels = combine_beams(beams)
        runs.append(orders[12])
    assert levels == pytest.approx([1.2, 0.8, 1.0], abs=0.05)
    mean = TRUTH * 400 / 300
    pull = np.array([(run.flux - mean) / np.sqrt(run.variance) for run in runs])
    assert abs(pull.mean()) < 0.05
    assert pull.std() == pytest.approx(1, abs=0.05)
    assert np.median(runs[0].sky) == pytest.approx(50 * 400 / 300, rel=1e-6)
    assert np.median(runs[0].background) == pytest.approx(7 * 400 / 300, rel=1e-6)


def test_weights_are_inverse_variances_and_bend_nothing():
    """A beam that is bad in half of the order, and of another level, leaves no step."""
    rng = np.random.default_rng(3)
    sigma = np.where(np.arange(BINS) < 200, 2.0, 50.0)
    flat = np.full(BINS, 300.0)
    orders, _ = combine_beams([beam(rng, 1.1, sigma, truth=flat), beam(rng, 0.9, 2.0, truth=flat)])
    halves = orders[12].flux[:180].mean(), orders[12].flux[220:].mean()
    assert halves[0] == pytest.approx(halves[1], rel=3e-3)
    best = 1 / (1.1**2 / sigma**2 + 0.9**2 / 2.0**2)
    assert np.median(orders[12].variance / best) < 1.1


def test_faint_beams_are_not_compared():
    rng = np.random.default_rng(4)
    faint = np.full(BINS, 0.5)
    _, levels = combine_beams([beam(rng, 1.0, 20.0, truth=faint) for _ in range(2)])
    assert levels.tolist() == [1.0, 1.0]


def test_bins_without_data_in_one_beam_come_from_the_other():
    rng = np.random.default_rng(5)
    beams = [beam(rng, sigma=1.0), beam(rng, sigma=1.0)]
    for spectrum in (beams[0].orders[12], beams[1].orders[12]):
        spectrum.quality[100] = int(Quality.NO_DATA)
    beams[0].orders[12].quality[50] = int(Quality.NO_DATA)
    beams[0].orders[12].flux[50] = -1e6
    orders, _ = combine_beams(beams)
    assert orders[12].quality[50] == 0
    assert orders[12].flux[50] == pytest.approx(TRUTH[50], abs=6)
    assert orders[12].variance[50] == pytest.approx(1, rel=0.2)
    assert orders[12].quality[100] == int(Quality.NO_DATA)
    assert orders[12].variance[200] == pytest.approx(0.5, rel=0.1)


@pytest.mark.parametrize(("apart_arcsec", "common"), [(0.0, 1.0), (5.0, 0.0)])
def test_noise_of_masters_does_not_average_out(apart_arcsec, common):
    """Exposures whose objects stand on the same pixels share the noise of master frames."""
    rng, share = np.random.default_rng(6), 0.4
    runs = []
    for _ in range(300):
        masters = [rng.normal(0, 20 * np.sqrt(share), BINS) for _ in range(2)]
        beams = []
        for number in range(2):
            one = beam(rng, sigma=20 * np.sqrt(1 - share))
            spectrum = one.orders[12]
            flux = spectrum.flux + masters[0 if common else number]
            spectrum = replace(spectrum, flux=flux, variance=np.full(BINS, 400.0))
            place = np.full(BINS, number * apart_arcsec)
            shared = SharedNoise(np.full(BINS, share), place, np.ones(BINS))
            beams.append(BeamSpectra({12: spectrum}, 100.0, {12: shared}))
        runs.append(combine_beams(beams)[0][12])
    pull = np.array([(run.flux - TRUTH) / np.sqrt(run.variance) for run in runs])
    assert pull.std() == pytest.approx(1, abs=0.02)
    assert np.median(runs[0].variance) == pytest.approx(200 * (1 + share * common), rel=0.05)


def test_the_sky_of_a_difference_cancels():
    """Under the positive and the negative image the error of the sky is the same."""
    rng, sky2 = np.random.default_rng(7), 150.0
    runs = []
    for _ in range(300):
        error = rng.normal(0, np.sqrt(sky2), BINS)
        beams = []
        for sign in (1, -1):
            one = beam(rng).orders[12]
            flux, variance = one.flux + sign * error, one.variance + sky2
            one = replace(one, flux=flux, variance=variance, sky_variance=np.full(BINS, sky2))
            beams.append(BeamSpectra({12: one}, 100.0, image=(0, sign)))
        runs.append(combine_beams(beams)[0][12])
    pull = np.array([(run.flux - TRUTH) / np.sqrt(run.variance) for run in runs])
    assert pull.std() == pytest.approx(1, abs=0.03)
