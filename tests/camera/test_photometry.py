"""Profile photometry: pulls, blends, apertures, limits."""

import numpy as np
import pytest

from soxs_recipes.algorithms.aperture_photometry import aperture_fluxes, forced_flux
from soxs_recipes.algorithms.image_stars import measure_stars
from soxs_recipes.algorithms.photometry import fit_stars
from soxs_recipes.algorithms.point_spread import PointSpread
from soxs_recipes.algorithms.star_flags import StarFlag

PROFILE = PointSpread(4.5, 3.5)
SKY = 60.0


def scene(x, y, flux, shape=(500, 500), seed=1):
    """Photons of stars on a sky, less the sky."""
    image = np.full(shape, SKY)
    offset = np.arange(-40, 41)
    for cx, cy, f in zip(x, y, flux, strict=True):
        column, row = round(cx), round(cy)
        rows, columns = row + offset, column + offset
        inside = np.ix_((rows >= 0) & (rows < shape[0]), (columns >= 0) & (columns < shape[1]))
        light = f * PROFILE.light(columns[None] - cx, rows[:, None] - cy)
        image[np.ix_(rows[inside[0][:, 0]], columns[inside[1][0]])] += light[inside]
    return (np.random.default_rng(seed).poisson(image) - SKY).astype("f4")


def grid_of_stars(step, shape=500, seed=2):
    rng = np.random.default_rng(seed)
    place = np.arange(30, shape - 29, step)
    x, y = (v.ravel() + rng.uniform(-0.5, 0.5, v.size) for v in np.meshgrid(place, place))
    return x, y, 10 ** rng.uniform(3.0, 5.3, x.size)


def test_fluxes_and_positions_have_the_errors_they_state():
    x, y, flux = grid_of_stars(30)
    rng = np.random.default_rng(8)
    image = scene(x, y, flux)
    variance, good = np.full(image.shape, SKY, "f4"), np.ones(image.shape, bool)
    guess = (x + rng.normal(0, 0.3, x.size), y + rng.normal(0, 0.3, x.size), 0.8 * flux)
    fit = fit_stars(image, variance, good, *guess, PROFILE)
    found, model = fit.stars, fit.model
    for value, truth, error in (
        (found.flux, flux, found.flux_error),
        (found.x, x, found.x_error),
        (found.y, y, found.y_error),
    ):
        pull = (value - truth) / error
        assert abs(np.mean(pull)) < 3.5 / np.sqrt(x.size)
        assert np.std(pull) == pytest.approx(1.0, abs=0.1)
    assert np.median(found.chi2) == pytest.approx(1.0, abs=0.05)
    assert np.std(image - model) == pytest.approx(np.sqrt(SKY + flux.sum() / image.size), rel=0.02)


def test_blends_are_taken_apart_with_their_errors():
    x, y, flux = grid_of_stars(44)
    angle = np.random.default_rng(4).uniform(0, 2 * np.pi, x.size)
    flux = np.clip(flux, 2e4, None)
    both = (
        np.concatenate([x, x + 4.5 * np.cos(angle)]),
        np.concatenate([y, y + 4.5 * np.sin(angle)]),
        np.concatenate([flux, 0.5 * flux]),
    )
    image = scene(*both)
    variance, good = np.full(image.shape, SKY, "f4"), np.ones(image.shape, bool)
    found = fit_stars(image, variance, good, *both, PROFILE).stars
    pull = (found.flux - both[2]) / found.flux_error
    assert abs(np.mean(pull)) < 0.2
    assert np.std(pull) == pytest.approx(1.0, abs=0.2)
    alone = fit_stars(image, variance, good, *(v[:1] for v in both), PROFILE).stars
    assert found.flux_error[0] > 1.02 * alone.flux_error[0]


def test_bad_pixels_do_not_bias():
    x, y, flux = grid_of_stars(30)
    image = scene(x, y, flux)
    good = np.random.default_rng(5).uniform(size=image.shape) > 0.05
    image[~good] = 1e5
    variance = np.full(image.shape, SKY, "f4")
    found = fit_stars(image, variance, good, x, y, flux, PROFILE).stars
    assert np.std((found.flux - flux) / found.flux_error) == pytest.approx(1.0, abs=0.1)
    assert np.mean(found.usable) == pytest.approx(0.95, abs=0.01)


def test_aperture_and_forced_fluxes():
    x, y, flux = grid_of_stars(30)
    image = scene(x, y, flux)
    variance, good = np.full(image.shape, SKY, "f4"), np.ones(image.shape, bool)
    fit = fit_stars(image, variance, good, x, y, flux, PROFILE)
    found, model = fit.stars, fit.model
    aperture, error = aperture_fluxes(image - model, variance, good, found, PROFILE, 4.5)
    pull = (aperture - flux) / error
    assert abs(np.mean(pull)) < 0.3
    assert np.std(pull) == pytest.approx(1.0, abs=0.15)
    empty = [
        forced_flux(image - model, variance, good, a, b, PROFILE)
        for a, b in zip(x[:-1] + 15, y[:-1] + 15, strict=True)
    ]
    values, errors = np.array(empty).T
    assert np.std(values / errors) == pytest.approx(1.0, abs=0.15)
    assert errors[0] == pytest.approx(np.sqrt(SKY * PROFILE.noise_pixels()), rel=0.03)
    assert np.isnan(forced_flux(image, variance, good, -300, 10, PROFILE)).all()


def test_image_is_measured_from_scratch():
    x, y, flux = grid_of_stars(40)
    flux[7] = 3e6
    image = scene(x, y, flux) + np.float32(SKY)
    saturated = image > 60_000
    variance = np.maximum(image, 1)
    stars = measure_stars(image, variance, ~saturated, saturated)
    assert stars.profile.fwhm_px == pytest.approx(PROFILE.fwhm_px, rel=0.01)
    assert stars.limiting_flux() == pytest.approx(
        5 * np.sqrt(SKY * PROFILE.noise_pixels()), rel=0.04
    )
    distance = np.hypot(stars.stars.x[:, None] - x, stars.stars.y[:, None] - y)
    assert (distance.min(axis=0) < 1).sum() >= 0.97 * x.size
    nearest = distance.argmin(axis=1)
    clean = (distance.min(axis=1) < 1) & (stars.flags == 0)
    pull = ((stars.stars.flux - flux[nearest]) / stars.stars.flux_error)[clean]
    assert abs(np.mean(pull)) < 0.25
    assert np.std(pull) == pytest.approx(1.0, abs=0.12)
    (full,) = np.flatnonzero(nearest == 7)[:1]
    assert stars.flags[full] & StarFlag.SATURATED


def test_empty_image_has_no_star_and_a_limit():
    image = np.random.default_rng(1).poisson(SKY, (400, 400)).astype("f4")
    none = np.zeros(image.shape, bool)
    stars = measure_stars(image, np.full(image.shape, SKY, "f4"), ~none, none)
    assert len(stars.stars) <= 1
    assert not stars.has_profile
    assert stars.limiting_flux() > 0
