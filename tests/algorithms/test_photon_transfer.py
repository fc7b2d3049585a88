"""Photon transfer against simulated pairs of known gain and read noise."""

import numpy as np
import pytest

from soxs_recipes.algorithms.linearity import Linearity
from soxs_recipes.algorithms.photon_transfer import (
    TransferError,
    TransferPoints,
    fit_transfer,
    joined,
    lamp_ratio,
    pair_points,
    saturation_level,
)

GAIN, RON, SHAPE = 1.1, 3.3, (400, 800)


def illumination():
    """Orders across the frame, from dark to bright."""
    x = np.arange(SHAPE[1])
    return np.broadcast_to(np.exp(-0.5 * (((x % 200) - 100) / 25) ** 2), SHAPE)


def exposure(rng, peak_e, beta=0.0, cosmics=0, full_adu=np.inf):
    charge = rng.poisson(peak_e * illumination()).astype("f8")
    charge *= 1 - beta * charge
    charge += rng.normal(0, RON, SHAPE)
    if cosmics:
        charge.flat[rng.integers(0, charge.size, cosmics)] += rng.uniform(50, 5000, cosmics)
    return np.minimum(np.rint(charge / GAIN), full_adu).astype("f4")


def series(beta=0.0, cosmics=0, drift=1.0, full_adu=np.inf, seed=1):
    rng = np.random.default_rng(seed)
    peaks = np.geomspace(2000, 60_000, 8)
    return joined(
        [
            pair_points(
                exposure(rng, peak, beta, cosmics, full_adu),
                exposure(rng, peak * drift, beta, cosmics, full_adu),
                0.0,
                2 * RON / GAIN,
                1 / GAIN,
            )
            for peak in peaks
        ]
    )


@pytest.mark.parametrize(
    "options",
    [{}, {"cosmics": 600}, {"drift": 1.03}, {"cosmics": 600, "drift": 0.98, "seed": 2}],
    ids=["clean", "cosmic rays", "lamp drift", "both"],
)
def test_gain_and_noise_from_eight_pairs(options):
    transfer = fit_transfer(series(**options))
    assert 1 / transfer.slope == pytest.approx(GAIN, rel=0.01)
    assert abs(1 / transfer.slope - GAIN) < 4 * transfer.slope_error * GAIN**2 + 0.002
    assert transfer.read_noise * GAIN == pytest.approx(np.hypot(RON, GAIN / 12**0.5), rel=0.15)


def test_a_nonlinear_response_would_bias_the_gain():
    beta = 1e-6
    points = series(beta=beta)
    c = beta * GAIN
    correction = Linearity((c, 2 * c**2, 5 * c**3))
    assert 1 / fit_transfer(points).slope > GAIN * 1.02
    assert 1 / fit_transfer(points.corrected(correction)).slope == pytest.approx(GAIN, rel=0.01)


@pytest.mark.parametrize("full_adu", [20_000.0, 35_000.0])
def test_saturation_is_where_the_variance_falls(full_adu):
    points = series(full_adu=full_adu)
    transfer = fit_transfer(points.where(points.signal < 0.5 * full_adu))
    assert saturation_level(points, transfer, Linearity()) == pytest.approx(full_adu, rel=0.05)


def test_no_saturation_without_a_fall():
    points = series()
    assert saturation_level(points, fit_transfer(points), Linearity()) == np.inf


def test_lamp_ratio_is_exact_for_bright_pixels():
    rng = np.random.default_rng(3)
    one, two = exposure(rng, 30_000), exposure(rng, 30_600)
    assert lamp_ratio(one, two, (one + two) / 2) == pytest.approx(1.02, abs=2e-4)


def test_dark_pairs_have_no_transfer_curve():
    rng = np.random.default_rng(4)
    dark = [rng.normal(0, 3, SHAPE).astype("f4") for _ in range(2)]
    with pytest.raises(TransferError, match="too few levels"):
        fit_transfer(pair_points(*dark, 0.0, 3.0, 1.0))
    with pytest.raises(TransferError):
        fit_transfer(TransferPoints(np.array([1e3]), np.array([1e3]), np.array([500])))
