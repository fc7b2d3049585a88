"""Combination of overlapping spectra against spectra whose flux and noise are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soxs_recipes.algorithms.combine_spectra import (
    SPEED_OF_LIGHT_KMS,
    SpectrumPiece,
    combine,
    linear_grid,
    log_grid,
)
from soxs_recipes.algorithms.quality import Quality, has


def piece(edges, flux, variance, quality=None, **more):
    """Spectrum of given bin borders."""
    wave, width = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
    if quality is None:
        quality = np.zeros(len(wave), np.uint16)
    flux, variance = np.broadcast_to(flux, wave.shape), np.broadcast_to(variance, wave.shape)
    return SpectrumPiece(wave, width, flux * 1.0, variance * 1.0, quality, **more)


def test_log_grid_has_one_step_in_velocity_and_holds_the_range():
    edges = log_grid(350.0, 2000.0, 15.0)
    step = SPEED_OF_LIGHT_KMS * np.diff(np.log(edges))
    assert np.ptp(step) < 1e-6
    assert step[0] == pytest.approx(15.0, rel=1e-4)
    assert edges[0] <= 350.0 < edges[1]
    assert edges[-2] < 2000.0 <= edges[-1]


@pytest.mark.parametrize(("build", "step"), [(log_grid, 15.0), (linear_grid, 0.02)])
def test_grids_of_two_arms_share_their_borders(build, step):
    one, two = build(350.0, 850.0, step), build(800.0, 2000.0, step)
    shared = one[one >= two[0] - 1e-9]
    assert np.abs(two[: len(shared)] - shared).max() < 1e-9


@pytest.mark.parametrize("bounds", [(5.0, 4.0, 1.0), (0.0, 4.0, 1.0), (4.0, 5.0, 0.0)])
def test_impossible_grids_are_refused(bounds):
    for build in (log_grid, linear_grid):
        with pytest.raises(ValueError, match="no grid"):
            build(*bounds)


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(3, 80),
    bins=st.integers(1, 300),
    offset=st.floats(-1.0, 1.0),
    stretch=st.floats(-0.3, 0.3),
    seed=st.integers(0, 999),
)
def test_flux_is_conserved(count, bins, offset, stretch, seed):
    rng = np.random.default_rng(seed)
    place = np.arange(count + 1.0)
    edges = 500 + offset + place + stretch * place**2 / (2 * count)
    spectrum = piece(edges, rng.normal(5, 3, count), 1.0)
    grid = np.linspace(edges[0], edges[-1], bins + 1)
    merged = combine([spectrum], grid)
    total = (spectrum.flux_density * spectrum.width_nm).sum()
    assert (merged.flux * merged.width_nm).sum() == pytest.approx(total, rel=1e-9, abs=1e-9)
    assert not merged.quality.any()


def test_a_bin_is_the_mean_of_what_it_covers():
    spectrum = piece(np.array([1.0, 2.0, 4.0]), [10.0, 20.0], [4.0, 9.0])
    merged = combine([spectrum], np.array([1.5, 2.5, 3.5]))
    assert merged.flux == pytest.approx([15.0, 20.0])
    assert merged.variance == pytest.approx([0.25 * 4 + 0.25 * 9, 9.0])


def overlapping_orders(rng, level=400.0, count=4000, measured_variance=False):
    """Two orders whose blazes cross, electrons per bin, over their blaze."""
    orders = []
    for shift, slope in ((0.3, -1), (0.0, 1)):
        edges = 1000 + shift * 0.05 + 0.05 * np.arange(count + 1)
        blaze = np.clip(0.5 + slope * 0.45 * np.linspace(-1, 1, count), 0.05, 1)
        electrons = rng.poisson(level * blaze) + rng.normal(0, 3, count)
        variance = (np.maximum(electrons, 0) if measured_variance else level * blaze) + 9
        orders.append(piece(edges, electrons / 0.05 / blaze, variance / (0.05 * blaze) ** 2))
    return orders, log_grid(1001.0, 1000 + 0.05 * count - 1, 15.0)


def test_pulls_and_sums_are_standard():
    rng = np.random.default_rng(3)
    truth = 400.0 / 0.05
    pulls, sums = [], []
    for _ in range(15):
        merged = combine(*overlapping_orders(rng))
        pulls.append((merged.flux - truth) / np.sqrt(merged.variance))
        whole = slice(0, len(merged.flux) // 20 * 20)
        error = (merged.flux - truth)[whole].reshape(-1, 20).sum(axis=1)
        expected = (merged.variance * merged.covariance_factor)[whole].reshape(-1, 20).sum(axis=1)
        sums.append(error / np.sqrt(expected))
    pulls, sums = np.concatenate(pulls), np.concatenate(sums)
    assert len(pulls) > 50000
    assert abs(pulls.mean()) < 0.02
    assert pulls.std() == pytest.approx(1.0, abs=0.015)
    assert sums.std() == pytest.approx(1.0, abs=0.04)
    # Bins share pixels: without the factor sums would scatter by more than their errors say.
    assert merged.typical_covariance_factor > 1.2


def test_weights_are_those_of_the_inverse_variance():
    """The merged error is that of the best weights, and less than that of either order."""
    rng = np.random.default_rng(5)
    (one, two), grid = overlapping_orders(rng)
    both, first, second = combine([one, two], grid), combine([one], grid), combine([two], grid)
    best = 1 / (1 / first.variance + 1 / second.variance)
    assert np.median(both.variance / best) == pytest.approx(1.0, abs=0.02)


def test_a_variance_that_follows_the_noise_does_not_bias_the_mean():
    """Weights by each bin's own variance would be low by 2 % at 40 electrons."""
    rng = np.random.default_rng(6)
    means, naive = [], []
    for _ in range(12):
        (one, two), grid = overlapping_orders(rng, 40.0, measured_variance=True)
        means.append(combine([one, two], grid).flux.mean() * 0.05)
        weights = [1 / each.variance for each in (one, two)]
        total = one.flux_density * weights[0] + two.flux_density * weights[1]
        naive.append((total / sum(weights)).mean() * 0.05)
    assert np.mean(naive) < 40.0 * 0.985
    assert np.mean(means) == pytest.approx(40.0, rel=0.003)


def test_no_step_where_an_order_ends():
    """Flux of the two sides of an order's end, one order 0.5 % of the light away from its place."""
    rng = np.random.default_rng(7)
    edges = 900 + 0.05 * np.arange(4001)
    level = 40000.0
    orders = [
        piece(part, level + rng.normal(0, 200, len(part) - 1), 200.0**2)
        for part in (edges[:2401], edges[1600:])
    ]
    merged = combine(orders, log_grid(900.1, 1099.9, 15.0))
    for end in (edges[1600], edges[2400]):
        near = np.abs(merged.wave_nm - end) < 4.0
        below = near & (merged.wave_nm < end)
        step = merged.flux[below].mean() - merged.flux[near & ~below].mean()
        assert abs(step) / level < 0.002


def test_correlated_input_is_carried_on():
    """Noise smoothed over neighbours, stated as a covariance factor, gives true variances."""
    rng = np.random.default_rng(8)
    edges = 600 + 0.03 * np.arange(6001)
    grid = log_grid(601.0, 779.0, 15.0)
    pulls, sums = [], []
    for _ in range(10):
        white = rng.normal(0, 1, 6001)
        noise = 0.8 * white[:-1] + 0.6 * white[1:]
        merged = combine([piece(edges, noise, 1.0, covariance_factor=1.96)], grid)
        pulls.append(merged.flux / np.sqrt(merged.variance))
        whole = slice(0, len(merged.flux) // 20 * 20)
        expected = merged.variance * merged.covariance_factor
        parts = [part[whole].reshape(-1, 20).sum(axis=1) for part in (merged.flux, expected)]
        sums.append(parts[0] / np.sqrt(parts[1]))
    assert np.concatenate(pulls).std() == pytest.approx(1.0, abs=0.015)
    assert np.concatenate(sums).std() == pytest.approx(1.0, abs=0.04)


def test_bad_bins_are_left_to_the_other_order():
    edges = np.arange(100.0, 121.0)
    quality = np.zeros(20, np.uint16)
    quality[7] = Quality.COSMIC_RAY
    flux = np.full(20, 5.0)
    flux[7] = 1e6
    one, two = piece(edges, flux, 1.0, quality), piece(edges, 5.0, 1.0)
    merged = combine([one, two], edges)
    assert merged.flux == pytest.approx(np.full(20, 5.0))
    assert merged.variance[7] == pytest.approx(1.0)
    assert merged.variance[6] == pytest.approx(0.5, rel=2e-3)
    assert not has(merged.quality).any()


def test_a_bin_that_only_bad_ones_cover_keeps_their_bits():
    edges = np.arange(100.0, 121.0)
    quality = np.zeros(20, np.uint16)
    quality[7] = Quality.SATURATED
    merged = combine([piece(edges, 5.0, 1.0, quality)], edges)
    assert merged.flux[7] == 5.0
    assert np.flatnonzero(merged.quality).tolist() == [7]
    assert merged.quality[7] == Quality.SATURATED


def test_values_that_are_no_numbers_are_left_out_and_gaps_are_flagged():
    edges = np.arange(100.0, 121.0)
    flux, variance = np.full(20, 5.0), np.ones(20)
    flux[3], variance[9], variance[12] = np.nan, 0.0, np.inf
    merged = combine([piece(edges, flux, variance)], np.arange(98.0, 124.0))
    empty = np.flatnonzero(np.isnan(merged.flux))
    assert empty.tolist() == [0, 1, 5, 11, 14, 22, 23, 24]
    assert (merged.quality[empty] == Quality.NO_DATA).all()
    assert np.isnan(merged.variance[empty]).all()
    assert np.isfinite(merged.covariance_factor).all()


def test_half_covered_bins_say_so():
    merged = combine([piece(np.arange(100.0, 110.0), 5.0, 1.0)], np.array([99.6, 100.6, 101.6]))
    assert merged.quality.tolist() == [Quality.INTERPOLATED, 0]
    assert merged.flux == pytest.approx([5.0, 5.0])


def test_other_columns_go_the_same_way():
    edges = np.arange(100.0, 121.0)
    values = np.linspace(1, 2, 20)
    one = piece(edges, values, 1.0, extra={"twice": 2 * values}, sky_density=3 * values)
    two = piece(edges, values, 3.0, extra={"twice": 2 * values}, sky_density=3 * values)
    one.extra_variance["twice"], two.extra_variance["twice"] = np.full(20, 4.0), np.full(20, 12.0)
    merged = combine([one, two], np.arange(101.0, 119.5, 0.7))
    assert merged.extra["twice"] == pytest.approx(2 * merged.flux)
    assert merged.sky == pytest.approx(3 * merged.flux)
    assert merged.extra_variance["twice"] == pytest.approx(4 * merged.variance)


def test_nothing_gives_nothing():
    merged = combine([], np.arange(100.0, 121.0))
    assert np.isnan(merged.flux).all()
    assert (merged.quality == Quality.NO_DATA).all()
    assert merged.typical_covariance_factor == 1.0


def test_bins_may_come_in_any_order():
    rng = np.random.default_rng(2)
    edges = np.arange(100.0, 121.0)
    spectrum = piece(edges, rng.normal(5, 1, 20), 1.0)
    mixed = rng.permutation(20)
    columns = ("wave_nm", "width_nm", "flux_density", "variance", "quality")
    other = SpectrumPiece(*(getattr(spectrum, name)[mixed] for name in columns))
    grid = np.arange(100.0, 120.0, 0.7)
    assert np.array_equal(combine([spectrum], grid).flux, combine([other], grid).flux)


@pytest.mark.parametrize(
    ("wave", "width"),
    [([1.0, np.nan], [1.0, 1.0]), ([1.0, 2.0], [1.0, 0.0]), ([1.0, 1.2], [1.0, 1.0])],
)
def test_impossible_bins_are_refused(wave, width):
    with pytest.raises(ValueError, match="bins"):
        SpectrumPiece(
            np.array(wave), np.array(width), np.ones(2), np.ones(2), np.zeros(2, np.uint16)
        )


def test_arrays_must_be_of_one_length():
    with pytest.raises(ValueError, match="2 values expected"):
        SpectrumPiece(np.arange(2.0), np.ones(2), np.ones(3), np.ones(2), np.zeros(2, np.uint16))


def test_borders_must_rise():
    with pytest.raises(ValueError, match="must rise"):
        combine([], np.array([1.0, 3.0, 2.0]))
