"""Telluric transmission fitted to spectra of a simulated, perturbed atmosphere."""

import numpy as np
import pytest
from truth_spectra import binned_residual, binned_twice

from soxs_recipes.algorithms.a0v_star import fit_star_lines
from soxs_recipes.algorithms.quality import Quality, has
from soxs_recipes.algorithms.telluric import Sight, fit_telluric, order_parts
from soxs_recipes.algorithms.telluric_order import Expectation
from soxs_recipes.algorithms.telluric_transmission import (
    corrections_for,
    line_corrections,
    transmission,
)

LEVELS = (0.9, 0.8, 0.5)
MIXED, DEEP = (11, 13, 15, 17, 20, 21), (10, 14, 16, 18)
BANDS_NM = (
    (626, 636), (685.5, 698), (714, 736), (758, 772), (808, 842), (888, 925), (925, 975),
    (1100, 1175), (1195, 1235), (1248, 1290), (1305, 1345), (1345, 1425), (1428, 1452),
    (1455, 1525), (1562, 1590), (1594, 1622), (1630, 1700), (1715, 1795), (1795, 1935),
    (1942, 1980), (1985, 2040),
)  # fmt: skip


def offset_and_scatter(observation, telluric, level):
    """Mean and SD of corrected over true continuum less 1 about a transmission, 1 nm bins."""
    *_, true, residual = binned_residual(observation, telluric.transmission)
    near = np.abs(true - level) < 0.05
    if np.count_nonzero(near) < 3:
        return 0.0, 0.0
    return (residual * true)[near].mean(), (residual * true)[near].std()


def assert_within_two_percent(observation, telluric):
    for level in LEVELS:
        offset, scatter = offset_and_scatter(observation, telluric, level)
        assert abs(offset) < 0.02, level
        assert scatter < 0.02, level


def made_worse(observation, telluric):
    """Bands of orders in which the rms of corrected over true exceeds that of the uncorrected."""
    worse = []
    spectra, true = observation.spectra, observation.transmission
    for order in spectra.orders:
        for low, high in BANDS_NM:
            band = spectra.of(order) & (spectra.wave_nm > low) & (spectra.wave_nm < high)
            band &= true > 0.02
            if np.count_nonzero(band) < 100:
                continue
            place = np.floor(spectra.wave_nm[band]).astype(int)
            place -= place.min()
            count = np.maximum(np.bincount(place), 1)
            before = np.bincount(place, true[band] - 1) / count
            after = np.bincount(place, true[band] / telluric.transmission[band] - 1) / count
            rms = np.sqrt([np.mean(before**2), np.mean(after**2)])
            if rms[1] - rms[0] > 2 * rms[1] / np.sqrt(2 * count.size) + 1e-4:
                worse.append((order, low, high, *rms))
    return worse


@pytest.mark.parametrize("arm", ["VIS", "NIR"])
def test_science_alone(arm, nights, molecules):
    """S/N 30, a supernova with broad features, all lines 5 % off."""
    seen = nights(1).observe(arm, "SN2026XYZ", snr=30, water_mm=3.0, airmass=1.2)
    fit = fit_telluric(seen.spectra, molecules, Sight(1.2))
    telluric = transmission(seen.spectra, fit)
    assert_within_two_percent(seen, telluric)
    assert np.exp(fit.water.mean) == pytest.approx(3.0, rel=0.1)
    assert made_worse(seen, telluric) == []
    shift = np.median([one.unknowns["shift_px"] for one in fit.orders.values()])
    assert abs(shift) < 0.2


@pytest.mark.parametrize("arm", ["VIS", "NIR"])
def test_from_a_telluric_standard_elsewhere(arm, nights, molecules, vega):
    """A faint target; the standard is 0.3 airmasses and 1 mm of water away."""
    night = nights(2)
    star = night.observe(arm, "HIP1234", snr=100, water_mm=3.0, airmass=1.5)
    lines = fit_star_lines(order_parts(star.spectra), vega, molecules, 1.5)
    standard = fit_telluric(star.spectra, molecules, Sight(1.5, source=lines.source(vega)))
    corrections = line_corrections(standard)
    seen = night.observe(arm, "PL_17", snr=8, water_mm=2.0, airmass=1.2)
    at_pixels = corrections_for(seen.spectra, corrections)
    fit = fit_telluric(seen.spectra, molecules, Sight(1.2), standard, at_pixels)
    telluric = transmission(seen.spectra, fit, corrections)
    assert_within_two_percent(seen, telluric)
    assert made_worse(seen, telluric) == []


def test_lines_of_the_standard_correct_those_of_the_target(nights, molecules):
    """With bright spectra the error of the line list is what is left; the standard halves it."""
    night = nights(3)
    star = night.observe("NIR", "PL_12", snr=200, water_mm=3.0, airmass=1.4, orders=MIXED)
    standard = fit_telluric(star.spectra, molecules, Sight(1.4))
    corrections = line_corrections(standard)
    seen = night.observe("NIR", "PL_12", snr=200, water_mm=3.0, airmass=1.2, orders=MIXED)
    plain = fit_telluric(seen.spectra, molecules, Sight(1.2), standard)
    at_pixels = corrections_for(seen.spectra, corrections)
    better = fit_telluric(seen.spectra, molecules, Sight(1.2), standard, at_pixels)
    _, before = offset_and_scatter(seen, transmission(seen.spectra, plain), 0.8)
    _, after = offset_and_scatter(seen, transmission(seen.spectra, better, corrections), 0.8)
    assert after < 0.6 * before


@pytest.mark.parametrize("seed", range(20))
def test_twenty_nights(seed, nights, molecules):
    """0.5 to 10 mm of water, airmass 1 to 1.8, another error of every line each night."""
    arm, orders = (("VIS", (4,)), ("NIR", (11, 13, 18, 20)))[seed % 2]
    water_mm, airmass = 0.5 * 20 ** (seed / 19), 1.0 + 0.8 * (7 * seed % 20) / 19
    seen = nights(100 + seed).observe(
        arm, "SN2026XYZ", snr=30, water_mm=water_mm, airmass=airmass, orders=orders
    )
    fit = fit_telluric(seen.spectra, molecules, Sight(airmass))
    telluric = transmission(seen.spectra, fit)
    assert_within_two_percent(seen, telluric)
    assert made_worse(seen, telluric) == []


@pytest.mark.parametrize(
    ("seed", "water_mm", "arm", "snr"),
    [(4, 0.5, "VIS", 10), (5, 10.0, "VIS", 3), (6, 0.5, "NIR", 3), (7, 10.0, "NIR", 10)],
)
def test_a_spectrum_is_never_made_worse(seed, water_mm, arm, snr, nights, molecules):
    """Even when faint, without a standard, with water far from what is usual."""
    seen = nights(seed).observe(arm, "BB4000_17", snr=snr, water_mm=water_mm, airmass=1.4)
    fit = fit_telluric(seen.spectra, molecules, Sight(1.4))
    assert made_worse(seen, transmission(seen.spectra, fit)) == []


@pytest.mark.parametrize("radiometer", [False, True])
def test_a_spectrum_too_faint_to_tell_is_corrected_by_too_little(radiometer, nights, molecules):
    """S/N 2, dry to wet: not worse than before, and the error says how well it is known."""
    pulls, offsets = [], []
    driest = 0.5 if radiometer else 0.7
    for seed, water_mm in enumerate((driest, 0.8, 1.0, 2.0, 4.0, 8.0), 41):
        seen = nights(seed).observe("VIS", "BB4000_17", snr=2, water_mm=water_mm, airmass=1.3)
        told = Expectation(float(np.log(water_mm)) + 0.3 * (-1) ** seed, 0.3)
        sight = Sight(1.3, told) if radiometer else Sight(1.3)
        telluric = transmission(seen.spectra, fit_telluric(seen.spectra, molecules, sight))
        assert made_worse(seen, telluric) == []
        offsets.append(offset_and_scatter(seen, telluric, 0.9)[0])
        absorbed = (seen.transmission > 0.3) & (seen.transmission < 0.95)
        departure = telluric.transmission - seen.transmission
        pulls.append(np.mean(departure[absorbed] / telluric.error[absorbed]))
    assert np.sqrt(np.mean(np.square(pulls))) < 1.2
    assert np.abs(pulls).max() < 2.5
    assert np.sqrt(np.mean(np.square(offsets))) < 0.02


def test_errors_are_those_of_the_transmission(nights, molecules):
    pulls = []
    for seed in (8, 9):
        seen = nights(seed).observe("NIR", "PL_17", snr=50, water_mm=2.5, airmass=1.2, orders=MIXED)
        telluric = transmission(seen.spectra, fit_telluric(seen.spectra, molecules, Sight(1.2)))
        clear = (seen.transmission > 0.3) & (seen.transmission < 0.95)
        pulls.append(((telluric.transmission - seen.transmission) / telluric.error)[clear])
    pull = np.concatenate(pulls)
    assert abs(pull.mean()) < 0.3
    assert 0.7 < pull.std() < 1.3


def test_binned_pixels(nights, molecules):
    """Pixels of twice the size: the line spread is as narrow as a pixel."""
    seen = nights(1).observe("NIR", "PL_17", snr=40, airmass=1.2, orders=MIXED)
    larger = binned_twice(seen)
    telluric = transmission(larger.spectra, fit_telluric(larger.spectra, molecules, Sight(1.2)))
    assert_within_two_percent(larger, telluric)


def test_saturated_bands_are_flagged(nights, molecules):
    seen = nights(1).observe("NIR", "PL_15", snr=30, water_mm=5.0, airmass=1.2, orders=DEEP)
    telluric = transmission(seen.spectra, fit_telluric(seen.spectra, molecules, Sight(1.2)))
    flagged = has(telluric.quality, Quality.TELLURIC)
    wave = seen.spectra.wave_nm
    assert flagged[(wave > 1352) & (wave < 1400)].mean() > 0.95
    assert flagged[(wave > 1850) & (wave < 1900)].mean() > 0.9
    assert flagged[(wave > 1000) & (wave < 1080)].mean() == 0
    assert flagged[(wave > 1210) & (wave < 1240)].mean() == 0


def test_without_light_the_expectation_stays(nights, molecules):
    seen = nights(1).observe("VIS", "PL_17", snr=0.1, water_mm=2.0, airmass=1.2)
    water = Expectation(float(np.log(2.2)), 0.1)
    fit = fit_telluric(seen.spectra, molecules, Sight(1.2, water))
    assert fit.water.mean == pytest.approx(water.mean, abs=0.1)


def test_an_order_without_telluric_lines_is_left_alone(nights, molecules):
    seen = nights(1).observe("VIS", "PL_17", snr=20)
    telluric = transmission(seen.spectra, fit_telluric(seen.spectra, molecules, Sight(1.2)))
    blue = seen.spectra.of(2)
    assert np.all(telluric.transmission[blue] == 1)
    assert np.all(telluric.error[blue] == 0)


@pytest.mark.parametrize("arm", ["VIS", "NIR"])
def test_lines_of_an_a0v_star(arm, nights, molecules, vega):
    """Velocity, rotation and strength of hydrogen lines of a star as the simulator made it."""
    from soxs_simulator.rng import stream

    seen = nights(1).observe(arm, "HIP47013", snr=100, airmass=1.4)
    rng = stream(0, "HIP47013")
    _, rotation, velocity = rng.uniform([7.0, 30.0, -30.0], [9.0, 180.0, 30.0])
    strength = rng.uniform(0.85, 1.1)
    lines = fit_star_lines(order_parts(seen.spectra), vega, molecules, 1.4)
    assert lines.velocity_kms == pytest.approx(velocity, abs=6)
    assert np.hypot(lines.broadening_kms, vega.rotation_kms) == pytest.approx(rotation, abs=12)
    assert lines.strength == pytest.approx(strength, abs=0.02)


def test_a_star_without_windows_gets_nominal_lines(molecules, vega):
    lines = fit_star_lines({}, vega, molecules, 1.2)
    assert (lines.velocity_kms, lines.strength) == (0.0, 1.0)
