"""Synthetic magnitudes and colour terms against definitions, published relations, speclite."""

import numpy as np
import pytest

from soxs_recipes.algorithms.passbands import Passband, black_bodies, colour_term
from soxs_recipes.errors import UnreadableFrameError
from soxs_recipes.products.filter_tables import read_filters

LIGHT_NM_PER_S = 2.99792458e17


@pytest.fixture(scope="module")
def bands():
    from importlib.resources import files

    return read_filters(files("soxs_recipes.calib") / "filters.ecsv")


def test_flat_spectrum_has_its_ab_magnitude_in_every_filter(bands):
    wave = np.arange(280.0, 1200.0, 0.5)
    flux = 3631e-23 * 10 ** (-0.4 * 17.3) * LIGHT_NM_PER_S / wave**2
    for band in bands.values():
        assert band.ab_magnitude(wave, flux) == pytest.approx(17.3, abs=1e-6)


def test_pivot_wavelength_turns_a_power_law_into_its_magnitude(bands):
    wave = np.arange(280.0, 1200.0, 0.5)
    for name, band in bands.items():
        flux = 1e-15 * (wave / 500.0) ** -1.0
        at_pivot = -2.5 * np.log10(1e-15 * 500 * band.pivot_nm / LIGHT_NM_PER_S / 3631e-23)
        assert band.ab_magnitude(wave, flux) == pytest.approx(at_pivot, abs=0.01), name


def test_magnitudes_agree_with_speclite(bands):
    filters = pytest.importorskip("speclite.filters")
    wave = np.arange(280.0, 1200.0, 1.0)
    spectra = black_bodies(wave, [3500.0, 6000.0, 15000.0])
    for name, other in (("r", "lsst2023-r"), ("z", "lsst2023-z"), ("PS1_g", "panstarrs-g")):
        curve = filters.load_filter(other)
        flux = np.vstack([np.interp(np.arange(2800, 12000, 5.0) / 10, wave, s) for s in spectra])
        expected = [
            float(curve.get_ab_magnitude(f / 10, np.arange(2800, 12000, 5.0))) for f in flux
        ]
        assert bands[name].ab_magnitude(wave, spectra) == pytest.approx(expected, abs=0.004)


def test_colour_terms_are_the_published_ones_of_real_stars(bands):
    """SDSS to Pan-STARRS: Tonry et al. (2012), table 6, a fit to observed stars."""
    filters = pytest.importorskip("speclite.filters")
    published = {
        "g": (-0.011, -0.125, -0.015), "r": (0.001, -0.006, -0.002), "i": (0.004, -0.014, 0.001),
    }  # fmt: skip
    sdss = {}
    for name in "gri":
        curve = filters.load_filter(f"sdss2010-{name}")
        sdss[name] = Passband(name, np.asarray(curve.wavelength) / 10, np.asarray(curve.response))
    colour = np.linspace(-0.1, 0.9, 12)
    for name, (zero, slope, curvature) in published.items():
        term = colour_term(bands[f"PS1_{name}"], sdss[name], sdss["g"], sdss["r"])
        expected = zero + slope * colour + curvature * colour**2
        assert np.abs(term(colour) - expected).max() < 0.012
        assert np.std(term(colour) - expected) < 0.004


def test_no_colour_term_where_stars_are_unlike_those_it_was_made_of(bands):
    ps1 = [bands[f"PS1_{name}"] for name in "gr"]
    term = colour_term(bands["g"], ps1[0], *ps1)
    assert np.isnan(term([-1.0, 2.5])).all()
    assert term(0.5) == pytest.approx(0.037, abs=0.005)


def test_foreign_table_is_named(tmp_path):
    path = tmp_path / "filters.ecsv"
    path.write_text("nonsense\n1 2 3\n")
    with pytest.raises(UnreadableFrameError, match="filter curves"):
        read_filters(path)
