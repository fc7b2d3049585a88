"""Which standard was observed, and how its spectrum looks at the instrument's resolution."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from soxs_recipes.algorithms.standard_stars import (
    ReferenceSpectrum,
    StandardStar,
    identify,
    nearest,
)
from soxs_recipes.errors import UnreadableFrameError
from soxs_recipes.products.standard_tables import read_reference, read_standard_stars

TABLE = Path(str(files("soxs_recipes.calib") / "flux_standards.fits"))


@pytest.fixture(scope="module")
def stars():
    return read_standard_stars(TABLE)


@pytest.mark.parametrize(
    ("position", "names", "star", "by_position"),
    [
        ((130.3956, -32.9428), ["wrong"], "LTT3218", True),
        ((245.890, -39.2300), [], "EG274", True),
        ((359.9, 89.0), ["", "CD-38 10980"], "EG274", False),
        (None, ["ltt-7987"], "LTT7987", False),
        (None, ["Feige 110"], "Feige110", False),
    ],
)
def test_a_standard_is_found(stars, position, names, star, by_position):
    found = identify(stars, position, names)
    assert (found.star.name, found.by_position) == (star, by_position)


def test_another_star_is_not(stars):
    assert identify(stars, (10.0, 0.0), ["HD1"]) is None
    near = nearest(stars, (47.0, -68.0))
    assert near[0][0].name == "EG21"
    assert [arcsec for _, arcsec in near] == sorted(arcsec for _, arcsec in near)


def test_distances_on_the_sky():
    star = StandardStar("a", (), 0.01, 60.0)
    assert star.distance_arcsec(359.99, 60.0) == pytest.approx(0.02 * 0.5 * 3600, rel=1e-6)
    assert star.distance_arcsec(0.01, 60.05) == pytest.approx(180.0, rel=1e-6)


def test_a_line_is_seen_through_the_line_spread():
    """A Gaussian line of known area, in bins of 0.1 nm, against its analytic convolution."""
    wave = np.arange(600.05, 700.0, 0.1)
    line_sd = 0.4
    reference = ReferenceSpectrum(wave, 1 - 0.5 * np.exp(-0.5 * ((wave - 650) / line_sd) ** 2))
    place = np.array([640.0, 650.0, 650.3])
    value, error = reference.at(place, 0.2)
    sd = np.hypot(line_sd, 0.2)
    depth = 0.5 * line_sd / sd * np.exp(-0.5 * ((place - 650) / sd) ** 2)
    assert value == pytest.approx(1 - depth, abs=3e-3)
    assert error[0] < 1e-6
    # 60 km/s and half a bin, on a flank of that slope.
    slope = depth[2] * 0.3 / sd**2
    assert error[2] == pytest.approx((650.3 * 2e-4 + 0.05) * slope / value[2], rel=0.2)


def test_flux_in_vacuum_follows_the_air_wavelengths():
    wave = np.arange(400.05, 900.0, 0.1)
    reference = ReferenceSpectrum(wave, wave**-2.0)
    vacuum = np.linspace(500.0, 500.4, 5)
    expected = (vacuum / 1.000279) ** -2.0
    assert reference.in_vacuum(vacuum) == pytest.approx(expected / expected.mean(), rel=1e-6)


def test_tables_of_another_kind_are_refused(tmp_path):
    with pytest.raises(UnreadableFrameError, match="the columns WAVE, GD999"):
        read_reference(TABLE, "GD999")
    fits.PrimaryHDU().writeto(tmp_path / "other.fits")
    with pytest.raises(UnreadableFrameError, match="STARS"):
        read_standard_stars(tmp_path / "other.fits")
