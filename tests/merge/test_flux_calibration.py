"""Steps between extracted orders and a merged spectrum, against values known by other means."""

from dataclasses import replace

import numpy as np
import pytest
from merge_scene import EXTINCTION, NIR_ORDERS, Scene, order_spectra, true_flux, true_response

from soxs_recipes.algorithms.air_vacuum import air_to_vacuum
from soxs_recipes.algorithms.arm_join import arm_ratio
from soxs_recipes.algorithms.combine_spectra import SpectrumPiece, combine, log_grid
from soxs_recipes.algorithms.flux_calibration import (
    SYSTEMATIC,
    TELLURIC_FLUX,
    TRANSMISSION,
    Factor,
    Transmission,
    extinction_factor,
    moved,
    order_piece,
    scaled,
)
from soxs_recipes.algorithms.quality import Quality
from soxs_recipes.algorithms.rebinned_counts import added_counts
from soxs_recipes.algorithms.slit_loss import (
    Seen,
    across_slit,
    off_zenith,
    refraction_arcsec,
    relative_loss,
    seeing_from_image,
    seeing_fwhm,
    slit_transmission,
)
from soxs_recipes.algorithms.velocity import barycentric_velocity_kms
from soxs_simulator.atmosphere_refraction import slit_offsets

NOTHING = Scene(telluric=False)


def calibrated(order=15, scene=NOTHING, transmission=None, seed=3, relative_error=0.02):
    spectra = order_spectra("NIR", scene, np.random.default_rng(seed))
    wave = spectra.wave_nm[spectra.of(order)]
    value = true_response("NIR", order, wave)
    factor = Factor(value, np.full(len(wave), relative_error))
    factor = factor.times(extinction_factor(EXTINCTION.at(wave), scene.airmass))
    return order_piece(spectra, order, factor, transmission)


def test_an_order_comes_out_at_the_true_flux_with_true_errors():
    piece = calibrated()
    pull = (piece.flux_density - true_flux(piece.wave_nm)) / np.sqrt(piece.variance)
    assert abs(pull.mean()) < 3 / np.sqrt(len(pull))
    assert pull.std() == pytest.approx(1.0, abs=0.06)
    expected = np.abs(piece.flux_density) * 0.02
    assert piece.extra[SYSTEMATIC] == pytest.approx(expected)


def test_telluric_correction_carries_both_errors():
    count = 1800
    depth = np.full(count, 0.5)
    depth[:5] = 0.01
    bits = np.zeros(count, np.uint16)
    bits[10] = Quality.TELLURIC | Quality.EXTRAPOLATED
    through = Transmission(depth, np.full(count, 0.05), bits)
    piece = calibrated(transmission=through)
    good = slice(5, None)
    corrected = piece.extra[TELLURIC_FLUX]
    assert corrected[good] == pytest.approx(piece.flux_density[good] / 0.5)
    expected = (piece.variance + (corrected * 0.05) ** 2) / 0.25
    assert piece.extra_variance[TELLURIC_FLUX][good] == pytest.approx(expected[good])
    assert np.isnan(corrected[:5]).all()
    # What the correction lacks is no reservation against the flux itself.
    assert piece.quality[10] == Quality.TELLURIC


def test_vacuum_wavelengths_are_those_of_the_literature():
    """H alpha, He I and Pa beta (NIST)."""
    air = np.array([656.279, 1083.034, 1281.807])
    assert air_to_vacuum(air) == pytest.approx([656.461, 1083.331, 1282.158], abs=2e-3)


def test_moving_wavelengths_keeps_the_flux_of_bins():
    piece = calibrated()
    for vacuum, velocity in ((True, 0.0), (False, 25.0), (True, -30.0)):
        other = moved(piece, vacuum, velocity)
        before = piece.flux_density * np.diff(piece.edges_nm(), axis=0)[0]
        assert other.flux_density * other.width_nm == pytest.approx(before, rel=1e-9)
        low, high = other.edges_nm()
        assert low[1:] == pytest.approx(high[:-1], rel=1e-12)
        ratio = other.wave_nm.mean() / piece.wave_nm.mean()
        shift = (1 + velocity / 299792.458) * (1.000273 if vacuum else 1.0)
        assert ratio == pytest.approx(shift, abs=2e-6)
    assert moved(piece, False) is piece


def test_scaling_adds_to_the_common_error():
    piece = scaled(calibrated(), 2.0, 0.1)
    expected = np.abs(piece.flux_density) * np.hypot(0.02, 0.1)
    assert piece.extra[SYSTEMATIC] == pytest.approx(expected)
    assert piece.variance == pytest.approx(4 * calibrated().variance)


def test_transmission_is_not_scaled():
    through = Transmission(np.full(1800, 0.7), np.zeros(1800), np.zeros(1800, np.uint16))
    assert scaled(calibrated(transmission=through), 3.0).extra[TRANSMISSION][0] == 0.7


def flat_arm(rng, level, noise, count=3000):
    edges = np.linspace(780, 870, count + 1)
    wave, width = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
    flux = level + rng.normal(0, noise, count)
    bits = np.zeros(count, np.uint16)
    extra = {SYSTEMATIC: np.zeros(count), TRANSMISSION: np.ones(count)}
    return SpectrumPiece(wave, width, flux, np.full(count, noise**2), bits, None, extra)


def test_ratio_of_arms_has_no_bias_and_a_true_error():
    """At a signal-to-noise ratio of 1 a mean of ratios would be useless."""
    rng = np.random.default_rng(9)
    grid = log_grid(781, 869, 15.0)
    ratios = []
    for _ in range(150):
        arms = [combine([flat_arm(rng, level, 1.0)], grid) for level in (1.05, 1.0)]
        ratios.append(arm_ratio(*arms))
    pulls = [(one.value - 1.05) / one.error for one in ratios]
    assert np.mean(pulls) == pytest.approx(0.0, abs=0.25)
    assert np.std(pulls) == pytest.approx(1.0, abs=0.15)


def test_absorbed_bins_do_not_count_in_the_ratio():
    rng = np.random.default_rng(10)
    grid = log_grid(781, 869, 15.0)
    one, two = (flat_arm(rng, 1.0, 0.01) for _ in range(2))
    deep = (one.wave_nm > 815) & (one.wave_nm < 835)
    one.flux_density[deep] *= 0.5
    one.extra[TRANSMISSION][deep] = 0.5
    two.extra[TRANSMISSION][deep] = 0.5
    ratio = arm_ratio(combine([one], grid), combine([two], grid))
    assert ratio.value == pytest.approx(1.0, abs=4 * ratio.error)


def test_arms_without_overlap_or_light_have_no_ratio():
    rng = np.random.default_rng(11)
    grid = log_grid(781, 869, 15.0)
    one, none = combine([flat_arm(rng, 1.0, 0.1)], grid), combine([], grid)
    assert arm_ratio(one, none) is None
    assert arm_ratio(one, combine([flat_arm(rng, -1.0, 0.1)], grid)) is None


def test_counts_add_up():
    spectra = order_spectra("NIR", NOTHING, np.random.default_rng(4))
    pieces = []
    for order in NIR_ORDERS:
        here = spectra.of(order)
        width = spectra.width_nm[here]
        density = spectra.flux_e[here] / width
        bits = np.zeros(len(width), np.uint16)
        pieces.append(SpectrumPiece(spectra.wave_nm[here], width, density, density**2 + 1, bits))
    edges = log_grid(700.0, 2200.0, 15.0)
    assert added_counts(pieces, edges).sum() == pytest.approx(spectra.flux_e.sum())
    assert added_counts([], edges).sum() == 0


def moffat_photons(rng, fwhm, count):
    """Places of photons; the light within r of the centre is 1 - (1 + (r / core)^2)^-2."""
    core = fwhm / 2 / np.sqrt(2 ** (1 / 3) - 1)
    radius = core * np.sqrt(rng.random(count) ** -0.5 - 1)
    angle = 2 * np.pi * rng.random(count)
    return radius * np.cos(angle), radius * np.sin(angle)


def test_slit_transmission_against_photons():
    """Share of random places in a Moffat disc of exponent 3 that fall into the slit."""
    across, _ = moffat_photons(np.random.default_rng(5), 1.1, 400_000)
    assert slit_transmission(1.1, 1.0) == pytest.approx((np.abs(across) < 0.5).mean(), abs=0.003)


def test_seeing_gets_better_to_the_red_and_worse_with_airmass():
    assert seeing_fwhm(500.0, 0.8) == pytest.approx(0.8)
    assert seeing_fwhm(1600.0, 0.8) == pytest.approx(0.8 * 3.2**-0.2)
    assert off_zenith(0.8, 2.0) == pytest.approx(0.8 * 2**0.6)


def light_at_centre(along):
    """Photons on either side of the middle in a step of 0.05, from a parabola through more."""
    edges = np.arange(-0.2, 0.21, 0.05)
    middle = (edges[1:] + edges[:-1]) / 2
    return 2 * np.polyfit(middle, np.histogram(along, edges)[0], 2)[2]


@pytest.mark.parametrize("slit", [0.5, 1.0, 5.0])
@pytest.mark.parametrize("fwhm", [0.6, 0.9, 1.5])
def test_seeing_from_the_width_of_an_image_of_photons(fwhm, slit):
    """Photons of a Moffat disc that pass the slit, blurred by the spectrograph, at 800 nm."""
    rng = np.random.default_rng(6)
    x, y = moffat_photons(rng, fwhm, 2_000_000)
    along = y[np.abs(x) < slit / 2]
    along = along + rng.normal(0, 0.37 / 2.3548, len(along))
    edges = np.arange(0.0, 3.01, 0.05)
    light = np.histogram(np.abs(along), edges)[0] / light_at_centre(along)
    measured = 2 * np.interp(-0.5, -light, edges[:-1] + 0.025)
    expected = fwhm * (800 / 500) ** 0.2
    assert seeing_from_image(measured, 800.0, slit) == pytest.approx(expected, rel=0.02)


def test_an_image_sharper_than_the_instrument_is_of_the_best_seeing():
    assert seeing_from_image(0.2, 500.0, 1.0) == pytest.approx(0.3)


def test_refraction_moves_the_blue_off_the_slit():
    across = across_slit(2.0, [88.0, 92.0], 0.0)
    assert across == pytest.approx(np.sqrt(3.0), rel=1e-3)
    wave = np.array([350.0, 800.0, 2000.0])
    expected = slit_offsets(wave, 2.0, 90.0)[1]
    assert across * refraction_arcsec(wave) == pytest.approx(expected, rel=2e-3)
    assert across_slit(2.0, [30.0], 30.0) == 0.0
    seen = Seen(0.9, 1.0, across=across)
    assert seen.passed(1200.0) == pytest.approx(slit_transmission(seeing_fwhm(1200.0, 0.9), 1.0))
    assert seen.passed(800.0) < 0.95 * Seen(0.9, 1.0).passed(800.0)


def test_slit_transmission_off_centre_against_photons():
    x, _ = moffat_photons(np.random.default_rng(7), 0.8, 400_000)
    share = (np.abs(x - 0.35) < 0.5).mean()
    assert slit_transmission(0.8, 1.0, -0.35) == pytest.approx(share, abs=0.003)
    assert slit_transmission(0.8, 1.0, 0.35) == pytest.approx(share, abs=0.003)


def test_slit_losses_relative_to_the_standard():
    wave = np.array([400.0, 622.0, 1500.0])
    narrow, wide = Seen(0.9, 1.0), Seen(0.9, 5.0)
    same, error = relative_loss(wave, narrow, narrow)
    assert same == pytest.approx(1.0)
    assert (error > 0).all()
    lost, _ = relative_loss(wave, narrow, wide)
    assert lost == pytest.approx(wide.passed(wave) / narrow.passed(wave))
    anchored, error = relative_loss(wave, narrow, wide, 622.0)
    assert anchored == pytest.approx(lost)
    assert error[1] == pytest.approx(0.0, abs=1e-12)
    measured = [replace(one, relative_error=0.04) for one in (narrow, wide)]
    _, smaller = relative_loss(wave, *measured)
    assert (smaller < 0.06).all()
    assert (relative_loss(wave, narrow, wide)[1] > 0.1).all()
    assert 0.005 < error[0] < 0.04


def test_barycentric_velocity_against_a_circular_orbit():
    """The Earth's mean motion and rotation, good to its orbit's eccentricity (0.5 km/s)."""
    worst = 0.0
    for mjd in np.linspace(60000, 60365, 13):
        for ra, dec in ((0.0, 0.0), (90.0, 23.0), (200.0, -50.0)):
            worst = max(
                worst, abs(barycentric_velocity_kms(ra, dec, mjd) - _circular(ra, dec, mjd))
            )
    assert worst < 1.1


def _circular(ra, dec, mjd):
    """Velocity towards a position, of the Earth on a circle about the Sun."""
    tilt = np.radians(23.439)
    longitude = np.radians(280.46 + 0.9856474 * (mjd - 51544.5) + 180) + np.pi / 2
    orbit = 29.785 * np.array(
        [np.cos(longitude), np.sin(longitude) * np.cos(tilt), np.sin(longitude) * np.sin(tilt)]
    )
    alpha, delta = np.radians([ra, dec])
    towards = np.array(
        [np.cos(delta) * np.cos(alpha), np.cos(delta) * np.sin(alpha), np.sin(delta)]
    )
    return float(orbit @ towards)
