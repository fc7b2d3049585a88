"""Absorption, emission and refraction of the atmosphere."""

import numpy as np
import pytest
from astropy.table import Table
from scipy.ndimage import gaussian_filter1d

from soxs_simulator.atmosphere import (
    LINE_FACTOR_SD,
    draw_atmosphere,
    draw_ripple,
    ripple,
)
from soxs_simulator.atmosphere_refraction import refraction_arcsec, slit_offsets
from soxs_simulator.atmosphere_sky import draw_sky, sky_table, van_rhijn
from soxs_simulator.spectra import (
    GRID_STEP,
    air_index,
    high_resolution_grid,
    photon_rate,
    vacuum_to_air,
)

# Transmission of the lines alone at R = 5000, airmass 1.3, 3.0 mm of water (vacuum nm), as found
# with an evaluator of its own when the table was made.
CHECKS = {
    628.0: 0.9182,
    687.5: 0.7382,
    718.5: 0.9756,
    760.7: 0.2403,
    823.0: 0.7333,
    935.3: 0.8737,
    1122.2: 0.5216,
    1268.5: 0.7192,
    1432.5: 0.0587,
    1602.5: 0.9123,
    1665.8: 0.8747,
    2005.0: 0.1998,
}


@pytest.fixture(scope="module")
def ideal():
    return draw_atmosphere(1, ideal=True)


@pytest.fixture(scope="module")
def true():
    return draw_atmosphere(1)


def lines_only(atmosphere, airmass=1.3, pwv=3.0):
    grid = high_resolution_grid()
    smooth = 10 ** (-0.4 * airmass * atmosphere.extinction_mag(grid.air_nm))
    wave = grid.vacuum_nm
    return wave, atmosphere.transmission(airmass, pwv) / smooth


def test_ideal_transmission_is_the_table(ideal):
    wave, lines = lines_only(ideal)
    smooth = gaussian_filter1d(lines, 1 / (2.3548 * 5000 * GRID_STEP))
    for nm, expected in CHECKS.items():
        # The collision-induced O2 band at 1268 nm belongs to the lines here.
        band = 0.97 if nm == 1268.5 else 1.0
        tolerance = 0.02 if nm == 1268.5 else 3e-4
        assert np.interp(nm, wave, smooth) / band == pytest.approx(expected, abs=tolerance)


def test_extinction_is_the_measured_curve(ideal):
    assert ideal.extinction_mag(400.0) == pytest.approx(0.30)
    assert ideal.extinction_mag(550.0) == pytest.approx(0.11, abs=0.005)
    assert 0 < ideal.extinction_mag(1600.0) < ideal.extinction_mag(900.0)


def test_lines_differ_from_the_table_by_band(true):
    start = high_resolution_grid().telluric_start
    wave = high_resolution_grid().vacuum_nm[start:]

    def mean(species, low, high):
        inside = (wave > low) & (wave < high)
        return true.line_factor[species][inside].mean()

    assert mean("H2O", 1101, 1239) == pytest.approx(0.84, abs=0.01)
    assert mean("H2O", 1400, 1900) == pytest.approx(1.0, abs=0.01)
    assert mean("O2", 622, 638) == pytest.approx(0.75, abs=0.02)
    for low, high in ((682, 704), (756, 779), (1250, 1290)):
        assert 0.91 < mean("O2", low, high) < 0.96


def test_lines_scatter_per_wavenumber(true):
    start = high_resolution_grid().telluric_start
    wavenumber = 1e7 / high_resolution_grid().vacuum_nm[start:]
    inside = (wavenumber > 5100) & (wavenumber < 6900)
    factor, whole = true.line_factor["H2O"][inside], np.floor(wavenumber[inside])
    assert factor.std() == pytest.approx(LINE_FACTOR_SD, rel=0.1)
    jumps = np.abs(np.diff(factor)) > 0
    assert np.array_equal(jumps, np.diff(whole) != 0)


def test_lines_are_shifted_by_a_tenth_of_a_pixel(true, ideal):
    grid = high_resolution_grid()
    start = grid.telluric_start
    inside = (grid.vacuum_nm[start:] > 1570) & (grid.vacuum_nm[start:] < 1578)
    unshifted = type(true)(true.line_factor, 0.0, true.water_drift, true.ripple)
    moved, still = (t._lines(1.2, 2.0)[inside] for t in (true, unshifted))
    slope = np.gradient(still)
    shift = -(slope @ (moved - still)) / (slope @ slope) * GRID_STEP
    assert abs(shift) == pytest.approx(5e-6, rel=0.1)
    assert np.sign(shift) == np.sign(true.line_shift)
    assert ideal.line_shift == 0


def test_drifting_water_is_the_mean_over_the_exposure(true):
    steady = type(true)(true.line_factor, true.line_shift, 0.0, true.ripple)
    inside = slice(90_000, 95_000)
    expected = np.mean(
        [steady.transmission(1.2, 3.0 * f)[inside] for f in np.linspace(0.975, 1.025, 21)], axis=0
    )
    assert true.transmission(1.2, 3.0)[inside] == pytest.approx(expected, abs=2e-4)


def test_ripple_has_the_stated_size():
    wave = np.exp(np.linspace(np.log(300), np.log(2100), 400))
    found = [ripple(draw_ripple(np.random.default_rng(i), 0.03), wave).std() for i in range(20)]
    assert found == pytest.approx([0.03] * 20, rel=0.02)


def test_air_wavelengths():
    assert vacuum_to_air(656.461) == pytest.approx(656.2797, abs=2e-4)
    assert air_index(500.0) - 1 == pytest.approx(2.7896e-4, rel=1e-3)
    table = sky_table()
    grid = Table({"air": table.centre_air_nm})["air"]
    assert np.all(np.diff(grid) > 0)


def test_photon_rate_of_vega():
    """A star of V = 0 gives close to 1000 photons per second, cm2 and Angstrom at 550 nm."""
    assert photon_rate(3.6e-9, 550.0) / 1e4 / 10 == pytest.approx(1000.0, rel=0.02)


def test_sky_is_as_bright_as_it_should_be():
    """[O I] 557.7 nm of 207 Rayleigh; V sky of 21.7 mag per arcsec2; both of the dark sky."""
    table = sky_table()
    width = np.diff(table.edge_air_nm)
    line = np.abs(table.centre_air_nm - 557.734) < 0.1
    photons = (table.lines * width)[line].sum()
    rayleigh = 1e10 / (4 * np.pi) * (np.pi / 648000) ** 2
    assert photons / rayleigh == pytest.approx(207.0, rel=0.05)
    band = np.abs(table.centre_air_nm - 550.0) < 44.0
    mean = ((table.lines + table.continuum) * width)[band].sum() / width[band].sum()
    v_mag = -2.5 * np.log10(mean / photon_rate(3.63e-9, 550.0))
    assert v_mag == pytest.approx(21.7, abs=0.2)


def test_sky_grows_with_airmass_and_varies():
    sky = draw_sky(3)
    low, high = (sky.radiance(x, 61000.0)[1].sum() for x in (1.1, 2.0))
    assert high / low == pytest.approx(van_rhijn(2.0) / van_rhijn(1.1), rel=1e-6)
    assert van_rhijn(1.0) == 1.0 and 1.7 < van_rhijn(2.0) < 2.0
    lines = [sky.radiance(1.2, 61000.0 + t / 24)[0].sum() for t in np.linspace(0, 1.8, 19)]
    assert np.ptp(lines) / np.mean(lines) == pytest.approx(0.30, abs=0.03)


def test_refraction_between_two_wavelengths():
    """Against Filippenko (1982): 400 nm lies 1.14 arcsec above 600 nm at airmass 1.5, 2 km."""
    difference = refraction_arcsec(400.0, 1.5) - refraction_arcsec(600.0, 1.5)
    assert difference == pytest.approx(1.0, abs=0.2)
    along, across = slit_offsets(np.array([800.0]), 1.5, 30.0)
    height = refraction_arcsec(800.0, 1.5)
    assert np.hypot(along, across)[0] == pytest.approx(height)
    assert np.degrees(np.arctan2(across, along))[0] == pytest.approx(30.0)
