"""Stars that stand together: told apart, or told to be a blend."""

import numpy as np
import pytest

from soxs_recipes.algorithms.image_background import noise_excess, sky_of
from soxs_recipes.algorithms.image_stars import measure_stars
from soxs_recipes.algorithms.photometry import PhotometrySettings, fit_stars
from soxs_recipes.algorithms.point_spread import PointSpread
from soxs_recipes.algorithms.star_drawing import PAD_PX, draw_stars, unpadded
from soxs_recipes.algorithms.star_flags import StarFlag

SKY = 80.0


def photons(x, y, flux, profile, size, seed=1):
    """Electrons of stars on a sky."""
    shape = (size + 2 * PAD_PX,) * 2
    light = unpadded(draw_stars(shape, x, y, flux, np.full(len(x), 45), profile))
    return np.random.default_rng(seed).poisson(np.maximum(light, 0) + SKY).astype("f4")


def spread(values):
    low, high = np.percentile(values, (16, 84))
    return (high - low) / 2


def lattice(step, size, seed=2):
    rng = np.random.default_rng(seed)
    place = np.arange(40, size - 39, step)
    return (v.ravel() + rng.uniform(-0.5, 0.5, v.size) for v in np.meshgrid(place, place))


def pairs_among_singles(separation_px, ratio, flux, size=900, step=46):
    """Stars of which every sixth has a neighbour; those, and the directions to the neighbours."""
    x, y = lattice(step, size)
    double = np.arange(0, x.size, 6)
    angle = np.random.default_rng(5).uniform(0, 2 * np.pi, double.size)
    bright = np.full(x.size, flux)
    return (
        np.concatenate([x, x[double] + separation_px * np.cos(angle)]),
        np.concatenate([y, y[double] + separation_px * np.sin(angle)]),
        np.concatenate([bright, ratio * bright[double]]),
        double,
        angle,
    )


def test_elongation_tells_distance_and_direction_of_a_blend():
    profile = PointSpread(5.0, 3.5)
    x, y, flux, double, angle = pairs_among_singles(1.6, 0.5, 2e5)
    image = photons(x, y, flux, profile, 900) - np.float32(SKY)
    variance, good = np.full(image.shape, SKY, "f4"), np.ones(image.shape, bool)
    count = x.size - double.size
    start = [v[:count].copy() for v in (x, y, flux)]
    # The centre of light, in which the brighter has 2/3.
    for value, other in zip(start[:2], (x, y), strict=True):
        value[double] = 2 / 3 * value[double] + 1 / 3 * other[count:]
    start[2][double] *= 1.5
    found = fit_stars(image, variance, good, *start, profile).elongation
    single = np.ones(count, bool)
    single[double] = False
    assert np.median(found.significance[double]) > 10
    assert found.significance[single].max() < 4.5
    expected = 2 / 9 * 1.6**2
    assert np.median(found.variance[double]) == pytest.approx(expected, rel=0.1)
    off = np.abs((found.angle[double] - angle + np.pi / 2) % np.pi - np.pi / 2)
    assert np.median(off) < 0.1


@pytest.mark.parametrize(("separation", "ratio", "flux"), [(0.9, 0.5, 5e4), (0.5, 0.7, 2e5)])
def test_close_pairs_become_two_stars_with_the_errors_they_have(separation, ratio, flux):
    profile = PointSpread(5.0, 3.5)
    x, y, true, double, _ = pairs_among_singles(separation * 5.0, ratio, flux)
    image = photons(x, y, true, profile, 900)
    none = np.zeros(image.shape, bool)
    stars = measure_stars(image, image, ~none, none)
    count = x.size - double.size
    pair = np.concatenate([double, np.arange(count, x.size)])
    distance = np.hypot(stars.stars.x[:, None] - x[pair], stars.stars.y[:, None] - y[pair])
    nearest = distance.argmin(axis=0)
    found = (distance.min(axis=0) < 1.0) & (np.bincount(nearest)[nearest] == 1)
    assert found.mean() > 0.95
    pull = ((stars.stars.flux[nearest] - true[pair]) / stars.stars.flux_error[nearest])[found]
    assert abs(np.mean(pull)) < 0.35
    assert spread(pull) == pytest.approx(1.0, abs=0.25)
    assert ((stars.flags[nearest[found]] & StarFlag.BLEND) > 0).all()
    assert len(stars.stars) <= x.size + 3


def test_crowd_of_wide_stars_is_fitted_in_blocks_with_true_errors():
    profile = PointSpread(8.6, 3.5)
    rng = np.random.default_rng(4)
    size, count = 640, 1200
    x, y = rng.uniform(0, size, (2, count))
    flux = 10 ** rng.uniform(3.5, 5.0, count)
    image = photons(x, y, flux, profile, size) - np.float32(SKY)
    variance, good = np.full(image.shape, SKY, "f4"), np.ones(image.shape, bool)
    start = x + rng.normal(0, 0.3, count), y + rng.normal(0, 0.3, count), 0.9 * flux
    # The profile is known exactly.
    settings = PhotometrySettings(profile_error=0.0)
    fit = fit_stars(image, variance, good, *start, profile, settings)
    inside = (np.abs(x - size / 2) < 300) & (np.abs(y - size / 2) < 300)
    useful = inside & (flux > 10 * fit.stars.flux_error)
    assert useful.sum() > 500
    for value, truth, error in (
        (fit.stars.flux, flux, fit.stars.flux_error),
        (fit.stars.x, x, fit.stars.x_error),
    ):
        pull = ((value - truth) / error)[useful]
        assert abs(np.median(pull)) < 0.15
        assert spread(pull) == pytest.approx(1.0, abs=0.12)
    # Neighbours take some of the residuals, too.
    assert 0.9 < np.median(fit.stars.chi2) < 1.02


def test_drift_of_rows_is_no_light():
    rng = np.random.default_rng(6)
    drift = np.cumsum(rng.normal(0, 0.15, 600))
    drift -= drift.mean()
    image = (rng.poisson(SKY, (600, 600)) + drift[:, None]).astype("f4")
    noise, good = np.full(image.shape, SKY, "f4"), np.ones(image.shape, bool)
    found = sky_of(image, np.zeros_like(image), noise, good)
    error = found.mean(axis=1) - SKY - drift
    assert np.std(drift) > 0.5
    assert np.std(error) < 0.25
    assert abs(error.mean()) < 0.05


def test_noise_that_neighbours_share_is_measured():
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(7)
    white = rng.normal(0, 9.0, (500, 500)).astype("f4")
    noise, good = np.full(white.shape, 81.0, "f4"), np.ones(white.shape, bool)
    none = np.zeros_like(white)
    assert noise_excess(white, none, noise, good, 5.0) == pytest.approx(1.0, abs=0.03)
    # A star's filter of 5 px averages white noise over 4 pi sigma^2 = 57 pixels; waves of 8 px not.
    waves = gaussian_filter(rng.normal(0, 1, white.shape), 8.0)
    waves *= 0.6 / waves.std()
    expected = np.hypot(1.0, 0.6 / (9.0 / np.sqrt(57))) * 0.98
    assert noise_excess(white + waves, none, noise, good, 5.0) == pytest.approx(expected, rel=0.05)


def test_noise_peaks_that_are_no_stars_leave_an_empty_image():
    image = np.random.default_rng(1).poisson(SKY, (300, 300)).astype("f4")
    none = np.zeros(image.shape, bool)
    stars = measure_stars(image, np.full(image.shape, SKY, "f4"), ~none, none, kappa=3.0)
    assert (stars.stars.flux > 3 * 0.9 * stars.stars.flux_error).all()
    masked = measure_stars(image, image, none, none)
    assert not len(masked.stars)
