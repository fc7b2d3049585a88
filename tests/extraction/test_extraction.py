"""Extraction of one order whose spectrum, profile and noise are known."""

from dataclasses import replace

import numpy as np
import pytest

from soxs_recipes.algorithms.extraction import (
    ExtractionSettings,
    extract_order,
    fit_order,
    object_pixels,
)
from soxs_recipes.algorithms.object_profile import moffat
from soxs_recipes.algorithms.quality import Quality

BINS = 600
SETTINGS = ExtractionSettings()
PLACE = np.arange(BINS, dtype=float)


def lines(place):
    """Lines as narrow as the instrument makes them, of unit height."""
    return sum(np.exp(-0.5 * ((place - at) / 1.3) ** 2) for at in range(60, 560, 100))


def flat(level):
    return lambda place: np.full(np.shape(place), level)


SPECTRA = {
    "featureless": flat(300.0),
    "emission": lambda place: 5 + 2000 * lines(place),
    "stellar": lambda place: 400 - 250 * lines(place),
}


def extract(pixels, sign=1, centre=0.4, fwhm=0.9, share=1.0, factor=1.0):
    one = np.ones(pixels.count)
    near = object_pixels(pixels, sign, centre * one, fwhm * one, moffat(3.0))
    return extract_order(fit_order(near, factor, SETTINGS), share * one, SETTINGS)


@pytest.mark.parametrize("name", SPECTRA)
def test_pulls_and_signal_to_noise(name, synthetic_order):
    rng, truth = np.random.default_rng(4), SPECTRA[name](PLACE)
    runs = [extract(synthetic_order(SPECTRA[name], rng)) for _ in range(30)]
    inside = slice(10, -10)
    departure = np.array([run.flux - truth for run in runs])[:, inside]
    pull = departure / np.sqrt([run.variance for run in runs])[:, inside]
    assert abs(pull.mean()) < 0.05
    assert pull.std() == pytest.approx(1, abs=0.03)
    assert np.mean(np.abs(pull) > 4) < 1e-3
    factor = np.mean([run.covariance_factor for run in runs])
    sums = departure.reshape(30, -1, 20).sum(axis=2)
    variance = np.array([run.variance for run in runs])[:, inside].reshape(30, -1, 20).sum(axis=2)
    assert np.std(sums / np.sqrt(factor * variance)) == pytest.approx(1, abs=0.08)
    pixels = synthetic_order(SPECTRA[name])
    weight = (pixels.area * moffat(3.0)((pixels.slit_arcsec - 0.4) / 0.9) / 0.9) ** 2
    bound = 1 / np.sum(weight / pixels.measured_variance, axis=1)[inside]
    assert np.median(np.mean(departure**2, axis=0) / bound) < 1 / 0.97**2
    plain = np.array([run.boxcar - truth for run in runs])[:, inside]
    told = np.sqrt([run.boxcar_variance for run in runs])[:, inside]
    assert np.std(plain / told) == pytest.approx(1, abs=0.03)
    assert np.mean(told**2) > 1.02 * np.mean([run.variance[inside] for run in runs])


def test_narrow_lines_keep_flux_and_width(synthetic_order):
    run = extract(synthetic_order(SPECTRA["emission"]))
    place = np.arange(-12, 13)
    for centre in range(60, 560, 100):
        light = run.flux[centre - 12 : centre + 13] - 5
        assert light.sum() == pytest.approx(2000 * 1.3 * np.sqrt(2 * np.pi), rel=0.003)
        width = np.sqrt(light @ (place - light @ place / light.sum()) ** 2 / light.sum())
        assert width == pytest.approx(1.3, rel=0.02)


@pytest.mark.parametrize("level", [30.0, 3000.0])
def test_cosmic_rays_change_the_flux_by_little(level, synthetic_order):
    truth, rng = flat(level), np.random.default_rng(5)
    rows = rng.permutation(np.arange(20, 580))[:60]
    columns = rng.integers(16, 30, 60)
    struck = [(r, c, q) for r, c, q in zip(rows, columns, rng.uniform(200, 5e3, 60), strict=True)]
    struck += [(row + 1, column, 0.6 * q) for row, column, q in struck]
    clean = extract(synthetic_order(truth, np.random.default_rng(6)))
    dirty = extract(synthetic_order(truth, np.random.default_rng(6), struck=struck))
    hit = np.unique(np.add.outer(rows, (-1, 0, 1, 2)))
    change = (dirty.flux - clean.flux)[hit]
    assert abs(change.mean()) < max(0.002 * level, 0.05 * np.sqrt(clean.variance[hit].mean()))
    assert 0.003 < dirty.rejected < 0.02
    assert np.all(dirty.variance[hit] >= 0.99 * clean.variance[hit])


def test_bad_pixels_are_ignored_without_bias(synthetic_order):
    truth = SPECTRA["stellar"](PLACE)
    pixels = synthetic_order(SPECTRA["stellar"])
    bad = np.random.default_rng(7).random(pixels.value.shape) < 0.01
    pixels = replace(pixels, usable=~bad, value=np.where(bad, np.float32(1e5), pixels.value))
    run = extract(pixels)
    assert np.abs(run.flux[10:-10] / truth[10:-10] - 1).max() < 0.01
    assert abs(run.flux[10:-10].sum() / truth[10:-10].sum() - 1) < 2e-4


def test_pixels_wrongly_taken_for_cosmic_rays_are_used(synthetic_order):
    """A search that knows no profile flags the peak of a bright object."""
    pixels = synthetic_order(flat(5e4), np.random.default_rng(8))
    peak = np.abs(pixels.slit_arcsec - 0.4) < 0.3
    real = np.zeros_like(peak)
    real[100:500:20, 24] = True
    value = pixels.value + np.where(real, np.float32(2e4), 0)
    flagged = peak | real
    run = extract(replace(pixels, usable=~flagged, suspect=flagged, value=value))
    usual = extract(pixels)
    assert np.median(run.variance / usual.variance) == pytest.approx(1, abs=0.01)
    assert abs(run.flux[10:-10].mean() / 5e4 - 1) < 1e-3


def test_negative_beams_and_the_slit_share(synthetic_order):
    pixels = synthetic_order(SPECTRA["featureless"])
    pixels = replace(pixels, value=-pixels.value)
    run = extract(pixels, sign=-1, share=0.8)
    assert np.median(run.flux) == pytest.approx(240, rel=1e-3)
    assert np.median(run.boxcar) == pytest.approx(240, rel=1e-3)


def test_error_of_the_sky_adds_up_over_pixels(synthetic_order):
    truth = flat(10.0)
    pixels = replace(synthetic_order(truth), sky_error=np.full((BINS, 44), 0.5, "f4"))
    run, ideal = extract(pixels), extract(synthetic_order(truth))
    assert np.median(run.sky / 20) == pytest.approx(
        np.median(np.sqrt(run.sky_variance)) / 0.5 / 0.65**0.5, rel=1e-3
    )
    assert np.allclose(run.variance - run.sky_variance, ideal.variance)
    # A constant error of 0.5 in every pixel moves the flux by what the variance is made of.
    raised = extract(replace(pixels, value=pixels.value + np.float32(0.5)))
    shift = np.median(raised.flux - run.flux)
    assert shift**2 * 0.65 == pytest.approx(np.median(run.sky_variance), rel=0.05)


def test_bins_tell_what_is_amiss(synthetic_order):
    pixels = synthetic_order(SPECTRA["featureless"], np.random.default_rng(9))
    quality, usable = pixels.quality.copy(), pixels.usable.copy()
    peak = int(np.argmin(np.abs(pixels.slit_arcsec[0] - 0.4)))
    quality[300, peak], usable[300, peak] = int(Quality.SATURATED), False
    usable[400:404] = False
    run = extract(replace(pixels, quality=quality, usable=usable))
    marked = np.flatnonzero(run.quality & int(Quality.SATURATED))
    assert len(marked) == 1 and abs(marked[0] - 300) <= 1
    assert np.all(run.quality[401:403] & int(Quality.NO_DATA))
    assert np.all(run.quality[np.r_[20:290, 420:580]] == 0)
    assert run.variance[402] > 3 * np.median(run.variance)


def test_an_object_beyond_the_pixels_has_no_data(synthetic_order):
    run = extract(synthetic_order(SPECTRA["featureless"]), centre=30.0)
    assert np.all(run.quality & int(Quality.NO_DATA))
