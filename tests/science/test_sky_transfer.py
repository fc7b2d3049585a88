"""Sky of one exposure from another: lines that have drifted, an object that fills the slit."""

from dataclasses import replace

import numpy as np
import pytest

from soxs_recipes.algorithms.robust import mad_sd
from soxs_recipes.algorithms.sky_model import fit_sky, given_sky
from soxs_recipes.algorithms.sky_transfer import joined_sky, transferred_sky, weights_in_time
from tests.science.test_sky_model import settings


def test_weights_are_linear_between_the_exposures_that_enclose_a_time():
    assert weights_in_time(2.5, [1.0, 2.0, 4.0]) == pytest.approx([0.0, 0.75, 0.25])
    assert weights_in_time(0.0, [1.0, 2.0]) == [1.0, 0.0]
    assert weights_in_time(9.0, [1.0, 2.0]) == [0.0, 1.0]


def test_lines_are_scaled_and_an_extended_object_is_kept(scene, strips):
    """The airglow is 8 % brighter on target; the object is as wide as the slit."""
    beside = scene("NIR", "BLANK-SKY", 300.0)
    model = fit_sky(beside.noisy(1), strips["NIR"], settings("NIR", expected_arcsec=np.nan))
    sky, flux = 1.08 * beside.sky_e, beside.noisy(2).flux - beside.sky_e
    on_target = scene("NIR", "BLANK-SKY", 300.0).noisy(2)
    object_e = np.float32(40.0)
    frame = type(on_target)(flux + sky + object_e, on_target.error, on_target.quality)
    found = transferred_sky(frame, strips["NIR"], [model.spectra], [1.0])
    covered = model.covered
    bright = covered & (beside.sky_e > np.quantile(beside.sky_e[covered], 0.9))
    ratio = found[bright].sum() / beside.sky_e[bright].sum()
    # The continuum below the lines is not scaled.
    assert ratio == pytest.approx(1.077, abs=0.005)
    rest = given_sky(frame, strips["NIR"], settings("NIR"), found, model.variance)
    left = rest.subtracted(frame).flux[covered]
    assert np.median(left) == pytest.approx(object_e, abs=1.5)
    assert np.median(frame.flux[bright] - found[bright]) == pytest.approx(object_e, abs=8.0)


def test_with_the_same_sky_nothing_is_scaled(scene, strips):
    truth = scene("NIR", "AT2026ABC", 300.0)
    model = fit_sky(truth.noisy(1), strips["NIR"], settings("NIR"))
    found = transferred_sky(truth.noisy(2), strips["NIR"], [model.spectra], [1.0])
    departure = (found - truth.sky_e)[model.covered] / truth.sigma[model.covered]
    assert abs(departure.mean()) < 0.05
    assert np.median(np.abs(departure)) < 0.35


def test_a_sky_fainter_than_its_noise_is_kept(scene, strips):
    """Noise of the other exposure's sky must not pass for lines that have vanished since."""
    truth = scene("VIS", "BLANK-SKY", 300.0)
    model = fit_sky(truth.noisy(1), strips["VIS"], settings("VIS", expected_arcsec=np.nan))
    found = transferred_sky(truth.noisy(2), strips["VIS"], [model.spectra], [1.0])
    for strip in strips["VIS"]:
        place = strip.index[strip.inside]
        light = truth.sky_e.ravel()[place].mean()
        assert found.ravel()[place].mean() == pytest.approx(light, rel=0.02, abs=0.03)


def test_two_exposures_tell_the_sky_better_than_one(scene, strips):
    """The sky beside has drifted by some per cent, lines more than continuum."""
    truth, beside = scene("NIR", "AT2026ABC", 300.0), scene("NIR", "BLANK-SKY", 300.0)
    one, other = truth.noisy(3), beside.noisy(4)
    bright = beside.sky_e > 30
    other = replace(other, flux=other.flux * np.where(bright, np.float32(0.95), np.float32(0.98)))
    own = fit_sky(one, strips["NIR"], settings("NIR"))
    away = fit_sky(other, strips["NIR"], settings("NIR", expected_arcsec=np.nan))
    known = transferred_sky(one, strips["NIR"], [away.spectra], [1.0])
    both = joined_sky(own, strips["NIR"], known, away.variance)
    near = own.covered & (truth.object_e > 1)
    for pixels, gain in ((near & ~bright, 0.75), (near & bright, 0.82)):
        before, after = ((model.flux - truth.sky_e)[pixels] for model in (own, both))
        assert mad_sd(after) < gain * mad_sd(before)
        pull = mad_sd(after / np.sqrt(both.variance[pixels]))
        assert pull == pytest.approx(1, abs=0.08)
