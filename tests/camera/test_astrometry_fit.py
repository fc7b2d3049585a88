"""Plate fits against the simulator's plates, and their headers against astropy."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from soxs_recipes.algorithms.astrometry_fit import fit_plate, nominal_plate
from soxs_recipes.algorithms.tangent_plane import from_plane, moved_by_proper_motion, to_plane
from soxs_recipes.products.plate_headers import plate_cards
from soxs_simulator.camera import PlateModel

CENTRE = (511.5, 511.5)


def truth(**changes):
    given = {"ra_deg": 0.001, "dec_deg": -63.0, "angle_deg": 40.0, "scale_arcsec": 0.2046,
             "distortion": 0.0018}  # fmt: skip
    return PlateModel(**{**given, **changes})


def stars(rng, model, count, error_px=0.02):
    """Positions on the sky and pixels of stars spread over the detector, 0-based."""
    ra = model.ra_deg + rng.uniform(-105, 105, 3 * count) / 3600 / np.cos(np.radians(model.dec_deg))
    dec = model.dec_deg + rng.uniform(-105, 105, 3 * count) / 3600
    x, y = model.pixel(ra, dec)
    on = np.flatnonzero((x > 0) & (x < 1023) & (y > 0) & (y < 1023))[:count]
    noise = rng.normal(0, error_px, (2, len(on)))
    return x[on] + noise[0], y[on] + noise[1], ra[on] % 360, dec[on]


def field_errors(plate, model):
    """Errors of the plate over the detector, arcsec, per axis."""
    x, y = (v.ravel() for v in np.meshgrid(np.linspace(10, 1013, 12), np.linspace(10, 1013, 12)))
    there = model.pixel(*plate.sky(x, y))
    return 0.2046 * np.concatenate([there[0] - x, there[1] - y])


@pytest.mark.parametrize(
    ("count", "limit"), [(5, 0.12), (8, 0.06), (15, 0.02), (40, 0.01), (200, 0.004)]
)
def test_plate_is_true_over_the_whole_detector(count, limit):
    rms = []
    for seed in range(8):
        rng = np.random.default_rng(seed)
        model = truth(angle_deg=45.0 * seed)
        x, y, ra, dec = stars(rng, model, count)
        start = nominal_plate(
            model.ra_deg + 3e-4, model.dec_deg - 3e-4, 45.0 * seed + 0.3, 0.205, CENTRE
        )
        fit = fit_plate(x, y, ra, dec, np.full(len(x), 0.006), start)
        rms.append(np.sqrt(np.mean(field_errors(fit.plate, model) ** 2)))
    assert np.median(rms) < limit


def test_residuals_have_the_size_of_the_errors():
    model = truth()
    x, y, ra, dec = stars(np.random.default_rng(4), model, 300, 0.1)
    start = nominal_plate(model.ra_deg, model.dec_deg, 40.0, 0.205, CENTRE)
    fit = fit_plate(x, y, ra, dec, np.full(len(x), 0.0205), start)
    assert fit.rms_arcsec == pytest.approx(0.1 * 0.2046, rel=0.08)
    assert fit.plate.scale_arcsec == pytest.approx(0.2046, rel=1e-4)


def test_wrong_stars_are_rejected():
    rng = np.random.default_rng(9)
    model = truth()
    x, y, ra, dec = stars(rng, model, 60)
    x[:6] += rng.choice([-3, 3], 6)
    start = nominal_plate(model.ra_deg, model.dec_deg, 40.0, 0.205, CENTRE)
    fit = fit_plate(x, y, ra, dec, np.full(len(x), 0.006), start)
    assert not fit.used[:6].any()
    assert fit.used[6:].mean() > 0.95
    assert np.abs(field_errors(fit.plate, model)).max() < 0.05


@pytest.mark.parametrize("mirrored", [False, True])
def test_header_says_what_the_plate_says(mirrored):
    model = truth(mirrored=mirrored)
    x, y, ra, dec = stars(np.random.default_rng(2), model, 150)
    start = nominal_plate(model.ra_deg, model.dec_deg, 40.0, 0.205, CENTRE)
    if mirrored:
        start = replace(start, matrix=start.matrix @ np.diag([-1.0, 1.0]))
    plate = fit_plate(x, y, ra, dec, np.full(len(x), 0.006), start).plate
    header = fits.Header()
    header["NAXIS"], header["NAXIS1"], header["NAXIS2"] = 2, 1024, 1024
    header.update(plate_cards(plate, (1024, 1024)))
    wcs = WCS(header)
    px, py = np.random.default_rng(1).uniform(0, 1023, (2, 200))
    here = wcs.all_pix2world(px, py, 0)
    assert np.allclose(plate.sky(px, py), here, atol=1e-9)
    back = wcs.sip_foc2pix(*wcs.sip_pix2foc(px, py, 0), 0)
    assert np.abs(np.array(back) - [px, py]).max() < 0.02
    assert np.allclose(plate.pixel(*plate.sky(px, py)), [px, py], atol=1e-6)


def test_undistorted_plate_has_no_distortion_cards():
    cards = plate_cards(nominal_plate(10.0, 20.0, 0.0, 0.205, CENTRE), (1024, 1024))
    assert cards["CTYPE1"][0] == "RA---TAN"
    assert not any(name.startswith(("A_", "B_", "AP_", "BP_")) for name in cards)


def test_plane_and_back():
    rng = np.random.default_rng(0)
    for dec0 in (-89.9, 0.0, 75.0):
        xi, eta = rng.uniform(-300, 300, (2, 50))
        there = from_plane(xi, eta, 359.99, dec0)
        assert np.allclose(to_plane(*there, 359.99, dec0), [xi, eta], atol=1e-8)


def test_proper_motion_is_on_the_sky():
    ra, dec = moved_by_proper_motion(10.0, 60.0, 1000.0, -500.0, 10.0)
    assert ((ra - 10) * 3600 * 0.5, (dec - 60) * 3600) == (
        pytest.approx(10.0, abs=1e-6), pytest.approx(-5.0, abs=1e-6))  # fmt: skip
