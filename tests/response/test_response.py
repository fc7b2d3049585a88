"""Response measured from standards of known truth."""

from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from truth_spectra import binned_twice

from soxs_recipes.algorithms.quality import Quality
from soxs_recipes.algorithms.response import (
    ResponseSettings,
    Standard,
    expected_flux,
    measure_response,
)
from soxs_recipes.algorithms.response_checks import (
    drift,
    efficiency,
    residual_rms,
    saturated_fraction,
    steps_between_orders,
)
from soxs_recipes.algorithms.telluric import Sight, fit_telluric
from soxs_recipes.algorithms.telluric_transmission import transmission
from soxs_recipes.products.extinction_tables import read_extinction
from soxs_recipes.products.molecular_tables import read_molecular_table
from soxs_recipes.products.standard_tables import read_reference

CALIB = Path(str(files("soxs_recipes.calib")))
EXTINCTION = read_extinction(CALIB / "extinction.ecsv")
MOLECULES = read_molecular_table(CALIB / "telluric_optical_depth.fits")
STARS = {"LTT3218": 1.05, "EG274": 1.3}
JOINED = {"VIS": False, "NIR": True}


def measured(observation, star, **settings):
    """Response as the recipe measures it."""
    spectra = observation.spectra
    reference = read_reference(CALIB / "flux_standards.fits", star)
    sight = Sight(observation.airmass, source=reference.in_vacuum)
    telluric = transmission(spectra, fit_telluric(spectra, MOLECULES, sight))
    standard = Standard(
        *expected_flux(spectra, reference),
        telluric.transmission,
        telluric.error,
        observation.airmass * EXTINCTION.at(spectra.wave_nm),
    )
    return measure_response(spectra, standard, ResponseSettings(**settings))


def calibrated_over_truth(observation, response):
    """Flux of a target without noise over its true flux, outside telluric bands."""
    spectra = observation.spectra
    ratio = np.full(spectra.wave_nm.size, np.nan)
    for order in spectra.orders:
        here = spectra.of(order)
        value, _ = response.at(order, spectra.wave_nm[here])
        rate = observation.flux_e[here] / spectra.exptime_s / spectra.width_nm[here]
        above = 10 ** (0.4 * observation.airmass * EXTINCTION.at(spectra.wave_nm[here]))
        ratio[here] = value * rate * above / observation.slit[here]
    ratio /= observation.flux_erg * observation.transmission
    return ratio[np.isfinite(ratio) & (observation.transmission > 0.95)]


@pytest.fixture(scope="module")
def responses(nights):
    """Response of each arm and standard; ideal: the stars are those of the table."""
    made = {}

    def get(arm, star, ideal):
        key = (arm, star, ideal)
        if key not in made:
            seen = nights(1, ideal).observe(
                arm, star, exptime_s=120, airmass=STARS[star], slit="SLIT5.0"
            )
            made[key] = seen, measured(seen, star, joined=JOINED[arm])
        return made[key]

    return get


@pytest.mark.parametrize("arm", ["VIS", "NIR"])
def test_shape_at_another_airmass(arm, nights, responses):
    """Perturbed atmosphere, a standard that is off its table by 1 %: the shape is right to 2 %."""
    _, found = responses(arm, "LTT3218", False)
    target = nights(1).observe(arm, "PL_15", airmass=1.5, slit="SLIT5.0")
    ratio = calibrated_over_truth(target, found.response)
    assert np.std(ratio / np.median(ratio)) < 0.02
    assert np.median(ratio) == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("arm", ["VIS", "NIR"])
def test_the_method_itself(arm, nights, responses):
    """With the tables true, what is left is the method's own error."""
    _, found = responses(arm, "LTT3218", True)
    target = nights(1, True).observe(arm, "PL_15", airmass=1.5, slit="SLIT5.0")
    ratio = calibrated_over_truth(target, found.response)
    assert np.std(ratio / np.median(ratio)) < 0.003


@pytest.mark.parametrize("arm", ["VIS", "NIR"])
def test_two_standards_agree(arm, responses):
    """To 2 % in shape as they are; to 0.5 % once the stars' true departures are allowed for."""
    (seen, one), (also, other) = (responses(arm, star, False) for star in STARS)
    wave, inner = seen.spectra.wave_nm, seen.spectra.blaze > 0.1
    truth = [
        np.interp(wave, *sorted_unique(x.spectra.wave_nm, x.flux_erg / reference_flux(x, star)))
        for x, star in zip((seen, also), STARS, strict=True)
    ]
    ratio = other.fitted / one.fitted
    assert np.std(ratio[inner]) < 0.02
    assert np.nanmedian(ratio[inner]) == pytest.approx(1, abs=0.025)
    explained = (ratio * truth[0] / truth[1])[inner]
    assert np.nanmedian(explained) == pytest.approx(1, abs=0.005)
    assert np.nanstd(explained) < 0.005
    centre = drift(one.response, other.response).offset
    assert centre == pytest.approx(np.nanmedian(ratio[inner]), abs=0.015)


def sorted_unique(wave, value):
    sort = np.argsort(wave)
    return wave[sort], value[sort]


def reference_flux(observation, star):
    reference = read_reference(CALIB / "flux_standards.fits", star)
    return np.interp(observation.spectra.wave_nm, reference.wave_nm, reference.flux)


@pytest.mark.parametrize("arm", ["VIS", "NIR"])
@pytest.mark.parametrize("star", STARS)
def test_no_steps_at_the_joins_of_orders(arm, star, responses):
    seen, found = responses(arm, star, False)
    steps = steps_between_orders(seen.spectra, found, np.inf)
    assert len(steps) == {"VIS": 3, "NIR": 13}[arm]
    assert max(map(abs, steps.values())) < 0.005
    assert residual_rms(seen.spectra, found) < 0.01


def test_steps_that_are_mostly_noise_are_left_out(nights):
    seen = nights(1, True).observe(
        "NIR", "EG274", exptime_s=100, airmass=1.3, slit="SLIT5.0", orders=(11, 12, 17, 18)
    )
    found = measured(seen, "EG274", joined=True)
    assert set(steps_between_orders(seen.spectra, found, np.inf)) == {12, 18}
    assert set(steps_between_orders(seen.spectra, found)) == {18}


def test_a_step_is_noticed(responses):
    seen, found = responses("VIS", "EG274", False)
    scale = np.where(seen.spectra.of(3), 1.02, 1.0)
    stepped = replace(found, throughput=found.throughput * scale)
    before, after = (steps_between_orders(seen.spectra, one) for one in (found, stepped))
    assert after[2] - before[2] == pytest.approx(0.02, abs=1e-3)
    assert after[3] - before[3] == pytest.approx(-0.02, abs=1e-3)


def test_efficiency_of_the_instrument(nights, responses):
    """Electrons per photon against the simulator's, the loss at the slit taken out."""
    from soxs_recipes.instrument.telescope import COLLECTING_AREA_CM2
    from soxs_simulator.optics_throughput import efficiency as true_efficiency

    seen, found = responses("VIS", "LTT3218", True)
    here = seen.spectra.of(4) & (np.abs(seen.spectra.wave_nm - 740) < 10)
    wave = seen.spectra.wave_nm[here]
    value = efficiency(wave, found.fitted[here], COLLECTING_AREA_CM2) / seen.slit[here]
    assert value == pytest.approx(true_efficiency("VIS", 4, wave), rel=0.01)


def test_lines_of_the_standard_leave_no_trace(responses):
    """The curve about H alpha and H beta departs by less than 0.5 % from its smooth course."""
    _, found = responses("VIS", "LTT3218", True)
    for order, line in ((1, 656.3), (3, 486.1)):
        wave = np.linspace(line - 8, line + 8, 81)
        value, _ = found.response.at(order, wave)
        smooth = np.polynomial.Polynomial.fit(wave, np.log(value), 3)(wave)
        assert np.abs(np.log(value) - smooth).max() < 0.005


def test_a_binned_standard_serves_unbinned_targets(responses):
    seen, found = responses("VIS", "EG274", True)
    binned = measured(binned_twice(seen), "EG274")
    for order in seen.spectra.orders:
        wave = found.response.wave_nm[found.response.order == order][20:-20:50]
        ratio = binned.response.at(order, wave)[0] / found.response.at(order, wave)[0]
        assert ratio == pytest.approx(1, abs=0.01)
        assert np.median(ratio) == pytest.approx(1, abs=1e-3)


def test_without_a_blaze(nights):
    """Short knots then follow the order's own shape; only its steep edges are lost."""
    seen = nights(1, True).observe("VIS", "EG274", exptime_s=120, slit="SLIT5.0", orders=(3, 4))
    nothing = np.full(seen.spectra.blaze.shape, np.nan)
    plain = replace(seen, spectra=replace(seen.spectra, blaze=nothing))
    found = measured(plain, "EG274", knot=0.006)
    blaze = seen.spectra.blaze
    ratio = found.throughput / found.fitted
    inner = (blaze > 0.3) & found.used
    bins = np.floor(seen.spectra.wave_nm[inner]).astype(int) + 1000 * seen.spectra.order[inner]
    _, place = np.unique(bins, return_inverse=True)
    means = np.bincount(place, ratio[inner]) / np.bincount(place)
    assert np.std(means) < 0.01


def test_faint_bins_do_not_bias(nights):
    """Where a bin has S/N 2 the curve is still right: the logarithm of noise is not taken."""
    seen = nights(1, True).observe("VIS", "GD153", snr=3, slit="SLIT5.0", orders=(3,))
    found = measured(seen, "GD153")
    bright = nights(1, True).observe("VIS", "GD153", snr=300, slit="SLIT5.0", orders=(3,))
    true = measured(bright, "GD153")
    scale = np.sum(seen.flux_e) / np.sum(bright.flux_e)
    ratio = found.fitted / true.fitted / scale
    error = found.response.error / found.response.response
    assert np.nanmedian(ratio) == pytest.approx(1, abs=0.02)
    assert np.nanmedian(error) < 0.05


def test_errors_of_the_response(responses):
    """They hold the published flux (1 %) and the extinction (3 % of it), as is asked for."""
    _, found = responses("VIS", "LTT3218", False)
    response = found.response
    error = response.error / response.response
    wave = response.wave_nm
    k = EXTINCTION.at(wave) * STARS["LTT3218"]
    common = np.hypot(0.01, 0.03 * 0.921 * k)
    assert np.all(error >= common * 0.999)
    assert np.median(error / common) < 1.1


def test_saturated_bins_are_counted_and_left_out(nights):
    seen = nights(1, True).observe("VIS", "EG274", exptime_s=120, slit="SLIT5.0", orders=(3,))
    quality = seen.spectra.quality.copy()
    quality[1000:1400] = Quality.SATURATED
    flux = seen.spectra.flux_e.copy()
    flux[1000:1400] *= 0.5
    spoiled = replace(seen, spectra=replace(seen.spectra, quality=quality, flux_e=flux))
    assert saturated_fraction(spoiled.spectra)[3] == pytest.approx(400 / quality.size)
    good, bad = measured(seen, "EG274"), measured(spoiled, "EG274")
    assert not bad.used[1000:1400].any()
    assert bad.fitted[1000:1400] == pytest.approx(good.fitted[1000:1400], rel=0.01)


def test_nothing_to_measure_is_said(nights):
    seen = nights(1, True).observe("VIS", "EG274", exptime_s=120, orders=(3,))
    bad = np.full(seen.spectra.quality.shape, Quality.NO_DATA, np.uint16)
    with pytest.raises(ValueError, match="usable bins"):
        measured(replace(seen, spectra=replace(seen.spectra, quality=bad)), "EG274")


def test_responses_without_a_common_order():
    from soxs_recipes.algorithms.response_curve import Response

    wave = np.linspace(500.0, 600.0, 50)
    one = Response(np.full(50, 1), wave, np.full(50, 2.0), np.full(50, 0.1))
    other = replace(one, order=np.full(50, 2))
    assert drift(one, other) is None
    tilted = replace(one, response=one.response * (1.03 + 1e-4 * (wave - 550)))
    found = drift(tilted, one)
    assert (found.offset, found.centre_nm) == pytest.approx((1.03, 550.0), abs=1e-3)
    assert found.slope_per_100nm == pytest.approx(0.01, abs=1e-4)
