"""Profile of a star: normalisation, width, fit."""

import numpy as np
import pytest

from soxs_recipes.algorithms.point_spread import PointSpread, cut_stamps, fit_point_spread


@pytest.mark.parametrize("profile", [PointSpread(3.0, 3.5), PointSpread(5.0, 4.5, 0.1, -0.05)])
def test_light_is_one_and_half_maximum_is_at_the_fwhm(profile):
    y, x = np.mgrid[-150:151, -150:151]
    light = profile.light(x - 0.3, y + 0.2)
    share = profile.within(150)
    assert light.sum() == pytest.approx(share, abs=2e-3)
    fine = np.mgrid[-30:31, -30:31] * 0.2
    density = profile._density(fine[1], fine[0])
    area = np.count_nonzero(density > density.max() / 2) * 0.04
    stretch = np.sqrt(1 - profile.stretch**2 - profile.skew**2)
    assert 2 * np.sqrt(area / np.pi) == pytest.approx(profile.fwhm_px / stretch**0.5, rel=0.03)


def test_noise_pixels_of_a_nearly_gaussian_profile():
    sigma = 6.0 / 2.3548
    assert PointSpread(6.0, 200.0).noise_pixels() == pytest.approx(4 * np.pi * sigma**2, rel=0.02)


def test_fit_recovers_the_profile_with_noise_neighbours_of_no_account():
    truth = PointSpread(4.4, 3.2, 0.06, 0.03)
    rng = np.random.default_rng(5)
    image = np.zeros((400, 400))
    x, y = rng.uniform(30, 370, (2, 15))
    yy, xx = np.mgrid[:400, :400]
    for cx, cy, flux in zip(x, y, rng.uniform(2e4, 2e5, 15), strict=True):
        image += flux * truth.light(xx - cx, yy - cy)
    image = rng.poisson(image + 60) - 60.0
    stamps = cut_stamps(image, np.maximum(image, 0) + 60, x, y, 12)
    start_x, start_y = x + rng.normal(0, 0.2, 15), y + rng.normal(0, 0.2, 15)
    found = fit_point_spread(stamps, start_x, start_y, PointSpread(5.5, 3.5))
    assert found.fwhm_px == pytest.approx(truth.fwhm_px, rel=0.01)
    assert found.beta == pytest.approx(truth.beta, rel=0.05)
    assert (found.stretch, found.skew) == pytest.approx((truth.stretch, truth.skew), abs=0.01)
