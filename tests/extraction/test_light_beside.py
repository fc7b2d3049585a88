"""Objects with other light beside them: a galaxy, a neighbour; and objects that are alone."""

import numpy as np
import pytest

from soxs_recipes.algorithms.beam_pixels import Beam, Exposure
from soxs_recipes.algorithms.extraction import ExtractionSettings, extract_order, object_pixels
from soxs_recipes.algorithms.frame import DetectorFrame
from soxs_recipes.algorithms.light_beside import separate
from soxs_recipes.algorithms.object_extraction import ObjectSettings, extract_object, look
from soxs_recipes.algorithms.object_profile import moffat
from soxs_recipes.algorithms.slit_profiles import SlitProfiles, slit_profiles
from soxs_recipes.algorithms.slit_scene import (
    SlitScene,
    describe_slit,
    with_galaxy,
    with_level_error,
)

READ_NOISE_E = {"VIS": 3.35, "NIR": 9.2}
LIMITS = {"VIS": (-5.75, 5.75), "NIR": (-5.95, 5.95)}
BINS, CENTRE, FWHM = 600, 0.4, 0.9
PLACE = np.arange(BINS, dtype=float)


def spectrum(place):
    return 150 - 60 * np.exp(-0.5 * ((place - 200) / 20) ** 2)


def galaxy_spectrum(place):
    """Continuum and narrow lines, electrons per bin and arcsec."""
    lines = sum(np.exp(-0.5 * ((place - at) / 1.4) ** 2) for at in (120, 340, 480))
    return 40 + 0.02 * place + 250 * lines


def galaxy(distance):
    """Not symmetric about the object."""
    return np.exp(-np.abs(distance - 1.0) / 1.5)


def order_with_galaxy(make, rng, amount=1.0):
    from dataclasses import replace

    pixels = make(spectrum, None, centre=CENTRE, fwhm=FWHM)
    distance = pixels.slit_arcsec.astype(float) - CENTRE
    light = amount * galaxy(distance) * galaxy_spectrum(pixels.place.astype(float)) * pixels.area
    variance = pixels.measured_variance + light
    value = pixels.value + light + rng.normal(0, np.sqrt(variance))
    return replace(pixels, value=value.astype("f4"), measured_variance=variance.astype("f4"))


def separated(pixels):
    one = np.ones(BINS)
    near = object_pixels(pixels, 1, CENTRE * one, FWHM * one, moffat(3.0), 6.0)
    distance = near.x * near.fwhm_arcsec
    terms = [near.area * galaxy(distance), near.area, near.area * distance / 5]
    fit = separate(near, terms, 1.0, 5.0)
    return extract_order(fit, one, ExtractionSettings())


def test_spectra_of_object_and_galaxy_are_told_apart(synthetic_order):
    rng, inside = np.random.default_rng(1), slice(20, -20)
    runs = [separated(order_with_galaxy(synthetic_order, rng)) for _ in range(12)]
    flux = np.array([run.flux for run in runs])[:, inside]
    variance = np.array([run.variance for run in runs])[:, inside]
    departure = flux - spectrum(PLACE)[inside]
    pull = departure / np.sqrt(variance)
    assert abs(departure.mean() / spectrum(PLACE).mean()) < 0.005
    assert pull.std() == pytest.approx(1, abs=0.05)
    # Lines of the galaxy leave nothing in the object.
    lines = np.concatenate([np.arange(at - 2, at + 3) for at in (120, 340, 480)]) - 20
    assert abs(pull[:, lines].mean()) < 0.35
    factor = np.mean([run.covariance_factor for run in runs])
    sums = departure.reshape(12, -1, 20).sum(axis=2)
    told = factor * variance.reshape(12, -1, 20).sum(axis=2)
    assert np.std(sums / np.sqrt(told)) == pytest.approx(1, abs=0.1)
    collected = np.mean([run.background for run in runs], axis=0)[inside]
    assert np.median(collected) > 0.2 * np.median(spectrum(PLACE))


def test_ends_of_an_order_without_pixels_are_no_trouble(synthetic_order):
    """Nothing is told there: the solution is finite, and the rest as good as it was."""
    from dataclasses import replace

    rng = np.random.default_rng(3)
    pixels = order_with_galaxy(synthetic_order, rng)
    lit = (PLACE > 150) & (PLACE < 450)
    run = separated(replace(pixels, usable=pixels.usable & lit[:, None]))
    inside = slice(170, 430)
    pull = (run.flux - spectrum(PLACE))[inside] / np.sqrt(run.variance[inside])
    assert pull.std() == pytest.approx(1, abs=0.15)
    assert abs(pull.mean()) < 0.2


def test_cosmic_rays_are_no_light_along_the_slit(synthetic_order):
    """Neither those that were flagged nor those that were missed."""
    from dataclasses import replace

    pixels = synthetic_order(spectrum, np.random.default_rng(4), centre=CENTRE, fwhm=FWHM)
    rng, value, usable = np.random.default_rng(5), pixels.value.copy(), pixels.usable.copy()
    hit = rng.random(value.shape) < 5e-3
    value[hit] += rng.uniform(300, 5000, hit.sum())
    found = hit & (rng.random(value.shape) < 0.8)
    usable[found] = False
    struck = replace(pixels, value=value, usable=usable, suspect=found)
    limits = (-5.5, 5.5)
    clean, seen = (slit_profiles([one], 1, limits) for one in (pixels, struck))
    known = np.isfinite(clean.error) & np.isfinite(seen.error)
    size = np.hypot(clean.error, 0.02 * clean.light)[known]
    assert np.percentile(np.abs(seen.light - clean.light)[known] / size, 98) < 10


def test_a_dip_about_a_star_is_no_galaxy():
    """Where the sky took too much it is darker than nothing: no galaxy of negative light."""
    slit = np.arange(-5.5, 5.5, 0.1)
    star = 1e4 / (1 + (slit / 0.9) ** 2) ** 3
    dip = -400 * np.exp(-np.abs(slit) / 1.5)
    light = (star + dip)[None]
    profiles = SlitProfiles(np.array([600.0]), slit[None], light, 5 + 0 * light, 0 * light)
    scene = with_galaxy(profiles, describe_slit(profiles, 0.0, 0.9, (550.0, 650.0), 1.0))
    assert scene.galaxy is None or scene.extended(slit[None], np.array([0.9])).max() < 3
    assert np.isfinite(scene.share_beside)


@pytest.mark.parametrize("noise", [2.0, 8.0])
def test_the_error_of_the_level_is_that_of_many_fits(noise):
    """It allows for profiles that are a little off, so that in this perfect case it is large."""
    wave, slit = np.array([600.0, 700, 800, 900]), np.tile(np.arange(-5.5, 5.5, 0.2), (4, 1))
    shapes = np.array([0.6, np.log(1.5), np.log(0.1), 0, 0])
    true = SlitScene(
        (550.0, 950.0), 1.0, 0.0, -0.2, 3.0, np.log(0.15), np.array([0.1, 0, 0]), galaxy=shapes
    )
    fwhm = true.disc.at(0, wave)[1]
    light = 1000 * true.star(slit - 0.1, fwhm[:, None]) + 300 * true.extended(slit - 0.1, fwhm)
    rng, pulls = np.random.default_rng(2), []
    for _ in range(16):
        seen, error = light + rng.normal(0, noise, light.shape), np.full(light.shape, noise)
        profiles = SlitProfiles(wave, slit, seen, error, 0 * light)
        stars = describe_slit(profiles, 0.1, 1.0, (550.0, 950.0), 1.0)
        found = with_level_error(profiles, with_galaxy(profiles, stars))
        pulls.append((found.levels[0] / 1000 - 1) / found.level_error)
    assert 0.2 < np.std(pulls) < 1.0


def exposure(sky, arm, target, seed):
    """An exposure with its sky taken out exactly."""
    request = sky.request(arm, target)
    whole, alone = sky.electrons(request)
    variance = whole + READ_NOISE_E[arm] ** 2
    data = np.random.default_rng(seed).normal(whole, np.sqrt(variance))
    frame = DetectorFrame.from_variance(data - alone, variance)
    return request, Exposure(frame, sky.solution(arm), (Beam(1, 0.0, 600.0),))


def extract_at(arm, one, offset_arcsec=0.0, **options):
    settings = ObjectSettings(LIMITS[arm], **options)
    view = look([one], settings)
    found = min(view.objects, key=lambda each: abs(each.offset_arcsec - offset_arcsec))
    return view, extract_object(view, found, settings)


def departures(sky, request, spectra):
    """Of all bins with light: relative to the error; and of their sum, relative, with its error."""
    own, error, truth = [], [], []
    for order in spectra.orders:
        here = spectra.of(order)
        expected, _ = sky.truth(request, order, spectra.wave_nm[here])
        lit = (expected > 0.05 * expected.max()) & spectra.good[here]
        own.append(spectra.flux_e[here][lit])
        error.append(spectra.error_e[here][lit])
        truth.append(expected[lit])
    own, error, truth = map(np.concatenate, (own, error, truth))
    return (own - truth) / error, own.sum() / truth.sum() - 1


@pytest.mark.parametrize(
    ("arm", "target", "most"),
    [
        ("VIS", "PL_18.0_HOST_0.5", 0.02),
        ("NIR", "PL_17.0_HOST_1.0", 0.02),
        ("VIS", "PL_16.0_HOST_2.0", 0.04),
    ],
)
def test_an_object_on_a_galaxy(arm, target, most, sky):
    request, one = exposure(sky, arm, target, 5)
    _, extracted = extract_at(arm, one)
    pull, bias = departures(sky, request, extracted.spectra)
    # Without the galaxy taken out the object is too bright by 40 to 200 %.
    assert abs(bias) < most
    # What all bins share is told beside their errors.
    assert abs(bias) < 2.5 * extracted.level_error
    assert 0.003 < extracted.level_error < 0.06
    assert 1.4826 * np.median(np.abs(pull - np.median(pull))) == pytest.approx(1, abs=0.1)
    assert extracted.beams[0].scene.galaxy is not None
    spectra = extracted.spectra
    assert np.median(spectra.background_e / spectra.flux_e) > 0.15


@pytest.mark.parametrize(("target", "ratio"), [("PL_18.0_NEXT_0.2", 0.2), ("PL_18.5_NEXT_5", 5.0)])
def test_a_neighbour_in_the_wings(target, ratio, sky):
    request, one = exposure(sky, "VIS", target, 6)
    view, extracted = extract_at("VIS", one)
    offsets = sorted(each.offset_arcsec for each in view.objects)
    assert offsets == pytest.approx([0, 2], abs=0.1)
    fluxes = {round(each.offset_arcsec): each.flux for each in view.objects}
    assert fluxes[2] / fluxes[0] == pytest.approx(ratio, rel=0.4)
    pull, bias = departures(sky, request, extracted.spectra)
    assert abs(bias) < 0.01
    assert 1.4826 * np.median(np.abs(pull - np.median(pull))) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("target", ["PL_12.0", "PL_21.0"])
def test_an_object_that_is_alone_is_left_alone(target, sky):
    _, one = exposure(sky, "VIS", target, 7)
    _, extracted = extract_at("VIS", one)
    assert extracted.beams[0].scene is None
    assert np.all(extracted.spectra.background_e == 0)


def test_the_background_can_be_forced_or_left_out(sky):
    request, one = exposure(sky, "VIS", "PL_18.0", 8)
    _, usual = extract_at("VIS", one, background="no")
    _, forced = extract_at("VIS", one, background="yes")
    assert forced.beams[0].scene is not None and usual.beams[0].scene is None
    pull, bias = departures(sky, request, forced.spectra)
    assert abs(bias) < 0.01
    assert 1.4826 * np.median(np.abs(pull - np.median(pull))) == pytest.approx(1, abs=0.05)
    assert np.median(forced.spectra.error_e / usual.spectra.error_e) < 1.05
