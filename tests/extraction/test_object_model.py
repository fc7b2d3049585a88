"""The model of an object where the variances of its pixels are not quite what they should be."""

from dataclasses import replace

import numpy as np
import pytest

from soxs_recipes.algorithms.extraction import ExtractionSettings
from soxs_recipes.algorithms.object_model import ModelSettings, ObjectModel, fit_model
from soxs_recipes.algorithms.object_profile import moffat
from soxs_recipes.algorithms.object_trace import constant_trace


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("share", [0.1, 1.0])
def test_the_sky_beside_a_bright_object_has_a_positive_variance(share, synthetic_order):
    """Its wings hold nearly all variance: what they leave for the sky may come out negative."""
    pixels = synthetic_order(lambda place: np.full(np.shape(place), 3e5), np.random.default_rng(1))
    wings = np.abs(pixels.slit_arcsec - 0.4) > 1.2
    measured = np.where(wings, np.float32(share), np.float32(1)) * pixels.measured_variance
    pixels = replace(pixels, measured_variance=measured)
    range_nm = (float(pixels.wave_nm[0]), float(pixels.wave_nm[-1]))
    start = ObjectModel(constant_trace(0.4, 0.9, range_nm), {12: moffat(3.0)})
    how = ModelSettings(range_nm, 4, True, 5000.0)
    fit = fit_model([pixels], 1, start, how, ExtractionSettings())
    assert np.all(fit.pixels[0].variance > 0)
    flux = fit.fits[0].spectrum.flux[10:-10]
    assert flux.mean() == pytest.approx(3e5, rel=2e-3)


def test_the_profile_of_an_object_at_the_slits_end_is_true_where_bins_are_noise(synthetic_order):
    """Next to nothing holds the first and last bins of tilted orders: they rule no profile."""
    level, orders, centre, fwhm = 12.0, range(8), 2.5, 0.9
    ratios, widths = [], []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        pixels = [
            synthetic_order(
                lambda place: np.full(np.shape(place), level), rng, centre=centre, order=order
            )
            for order in orders
        ]
        range_nm = (float(pixels[0].wave_nm[0]), float(pixels[0].wave_nm[-1]))
        trace = constant_trace(centre, 1.05, range_nm)
        start = ObjectModel(trace, dict.fromkeys(orders, moffat(3.0)))
        how = ModelSettings(range_nm, 0, True, 60.0)
        fit = fit_model(pixels, 1, start, how, ExtractionSettings())
        flux = np.concatenate([one.spectrum.flux[10:-10] for one in fit.fits])
        noise = np.median(np.abs(flux - np.median(flux))) * 1.4826
        assert 0.5 < level / noise < 2
        ratios.append(flux.mean() / level)
        widths.append(float(fit.model.trace.at(3, np.array([1015.0]))[1][0]))
    # A total signal-to-noise ratio of 65 each, and the error of the width.
    assert np.mean(ratios) == pytest.approx(1, abs=0.025)
    assert np.std(ratios) < 0.02
    assert np.mean(widths) == pytest.approx(fwhm, rel=0.05)
