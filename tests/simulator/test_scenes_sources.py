"""Sources, spectra on the dispersion grid, and what they look like in a frame."""

from dataclasses import replace

import numpy as np
import pytest

from soxs_simulator.contract import SceneRequest
from soxs_simulator.optics import OPTICS
from soxs_simulator.scenes import OpticsScenes
from soxs_simulator.scenes_truth import exposure_truth
from soxs_simulator.sources import find_target
from soxs_simulator.sources_spectra import black_body, emission_lines, power_law, supernova
from soxs_simulator.sources_standards import a0v_star, find_standard, standard_names
from soxs_simulator.spectra import (
    OVERSAMPLING,
    RunningSum,
    edges_of,
    high_resolution_grid,
    lines_to_order,
    photon_rate,
)

REQUEST = SceneRequest("NIR", "object", "SLIT1.0", target="GAL-EXT", mode="STARE", airmass=1.1)


@pytest.fixture(scope="module")
def source():
    return OpticsScenes(seed=12)


@pytest.mark.parametrize(("arm", "number"), [("VIS", 1), ("VIS", 2), ("NIR", 10), ("NIR", 23)])
def test_photons_are_conserved_on_the_grid(source, arm, number):
    """Also where wavelength falls with pixel number (VIS orders 2 and 3)."""
    order = source.arm(arm).geometry.orders[number]
    low, high = np.sort(order.edge_nm[[0, -1]])
    edges = np.linspace(low - 1, high + 1, 20_001)
    rng = np.random.default_rng(number)
    density = rng.random(edges.size - 1) * ((edges[:-1] > low + 1) & (edges[1:] < high - 1))
    cells = RunningSum(edges, density).to_order(order) / OVERSAMPLING
    assert cells.sum() == pytest.approx((density * np.diff(edges)).sum(), rel=1e-9)
    lines = rng.uniform(low + 1, high - 1, 50)
    placed = lines_to_order(order, lines, np.arange(50.0)) / OVERSAMPLING
    assert placed.sum() == pytest.approx(np.arange(50.0).sum())
    mean = (placed * order.cell_nm).sum() / placed.sum()
    assert mean == pytest.approx((lines * np.arange(50)).sum() / np.arange(50).sum(), abs=1e-5)


def test_bin_edges():
    assert edges_of(np.array([1.0, 2.0, 4.0])) == pytest.approx([0.5, 1.5, 3.0, 5.0])


@pytest.mark.parametrize("spectrum", [power_law(18.0), black_body(18.0, 6000.0)])
def test_continua_have_their_magnitude(spectrum):
    wave = high_resolution_grid().air_nm
    reference = photon_rate(3631e-23 * 10 ** (-0.4 * 18) * 2.99792458e18 / 5500.0**2, 550.0)
    assert np.interp(550.0, wave, spectrum) == pytest.approx(reference, rel=1e-6)


def test_black_body_obeys_wien():
    wave = high_resolution_grid().air_nm
    peak = wave[np.argmax(black_body(18.0, 3500.0))]
    assert peak == pytest.approx(3.6697e6 / 3500.0, rel=2e-3)  # photon form of Wien's law


def test_emission_lines_have_their_strength():
    grid = high_resolution_grid()
    spectrum = emission_lines(2.5, 0.05)
    for rest, ratio in ((486.13, 1.0), (500.68, 3.3)):
        near = np.abs(grid.air_nm / (rest * 1.05) - 1) < 1.5e-3
        assert (spectrum * grid.width_nm)[near].sum() == pytest.approx(2.5 * ratio, rel=1e-3)


def test_supernova_has_broad_blue_shifted_silicon():
    wave = high_resolution_grid().air_nm
    ratio = supernova(17.0, 0.02) / black_body(17.0, 10_000.0)
    window = (wave > 580) & (wave < 660)
    assert wave[window][np.argmin(ratio[window])] == pytest.approx(624.5, abs=2.0)
    assert ratio[window].min() == pytest.approx(0.5, abs=0.02)


def test_rotation_broadens_and_keeps_the_equivalent_width():
    grid = high_resolution_grid()
    narrow, fast = a0v_star(8.0, 10.0), a0v_star(8.0, 150.0)
    core = (grid.vacuum_nm > 1281.5) & (grid.vacuum_nm < 1282.8)
    assert fast[core].min() > 1.01 * narrow[core].min()
    band = (grid.vacuum_nm > 1270) & (grid.vacuum_nm < 1295)
    assert fast[band].sum() == pytest.approx(narrow[band].sum(), rel=1e-4)


def test_a0v_star_has_its_magnitude():
    grid = high_resolution_grid()
    photons = np.interp(556.0, grid.vacuum_nm, a0v_star(0.03, 22.0))
    assert photons == pytest.approx(photon_rate(3.47e-9, 555.6), rel=0.02)
    assert a0v_star(5.03, 22.0)[90_000] == pytest.approx(a0v_star(0.03, 22.0)[90_000] / 100)


def test_line_strength_of_an_a0v_star_is_free():
    wave = high_resolution_grid().vacuum_nm
    depth = []
    for factor in (0.8, 1.2):
        spectrum = a0v_star(8.0, 50.0, 0.0, factor)
        core, side = (np.interp(nm, wave, spectrum) for nm in (1282.16, 1300.0))
        depth.append(np.log(side / core))
    assert depth[1] > depth[0] + 0.1


def test_standards_have_all_their_names():
    assert find_standard("GD 71") == "GD71"
    assert find_standard("WD 0839-327") == "LTT3218"
    assert find_standard("Vega") is None
    assert len(set(standard_names().values())) == 7


def test_sources_keep_their_offset(source):
    target = find_target("DOUBLE", 1)
    assert [p.slit_arcsec for p in target.points] == [0.0, -3.0]
    request = replace(REQUEST, arm="VIS", target="DOUBLE")
    image = source.scene(request).rate_e_per_s
    order = source.arm("VIS").format.orders[4]
    for slit in (0.0, -3.0):
        x, y = order.to_pixel(750.0, slit)
        row = image[round(float(y)), :]
        near = round(float(x)) + np.arange(-3, 4)
        assert row[near].max() > 1.2 * row[near[[0, -1]]].min()


def test_extended_source_has_its_scale(source):
    request = replace(REQUEST, arm="VIS", slit="SLIT1.5")
    on, off = (
        source.scene(replace(request, on_target=flag)).rate_e_per_s.astype(float)
        for flag in (True, False)
    )
    order = source.arm("VIS").format.orders[4]
    slits = np.array([1.5, 2.5, 3.5, 4.5])
    along = source.arm("VIS").transmission_along("SLIT1.5")
    x, y = order.to_pixel(750.0, slits)
    rows = np.rint(y).astype(int)[:, None] + np.arange(-40, 41)
    light = (on - off)[rows, np.rint(x).astype(int)[:, None]].mean(axis=1)
    light /= np.interp(slits, np.linspace(-16, 16, along.size), along)
    scale = -1 / np.polyfit(slits, np.log(light), 1)[0]
    assert scale == pytest.approx(1.8, rel=0.07)


def test_blank_sky_has_no_object(source):
    truth = exposure_truth(source, replace(REQUEST, target="AT2026ABC", on_target=False))
    assert all(not order.object_e_per_s.any() for order in truth.orders.values())
    assert all(order.sky_e_per_s_arcsec.max() > 0 for order in truth.orders.values())


def test_sky_follows_slit_width_and_gradient(source):
    narrow, wide = (
        exposure_truth(source, replace(REQUEST, slit=slit, on_target=False)).orders[17]
        for slit in ("SLIT0.5", "SLIT1.5")
    )
    assert wide.sky_e_per_s_arcsec.sum() == pytest.approx(3 * narrow.sky_e_per_s_arcsec.sum())
    sky = source.arm("NIR").sky
    ratio = wide.sky_gradient / wide.sky_e_per_s_arcsec
    low, high = sorted((sky.line_slope, sky.continuum_slope))
    assert np.all((ratio > low - 1e-9) & (ratio < high + 1e-9))
    bright = wide.sky_e_per_s_arcsec > 0.7 * wide.sky_e_per_s_arcsec.max()
    assert ratio[bright] == pytest.approx(sky.line_slope, abs=0.1 * abs(high - low))


@pytest.mark.parametrize(("slit", "width"), [("SLIT0.5", 0.5), ("SLIT1.5", 1.5), ("SLIT5.0", 5.0)])
def test_lines_are_as_wide_as_the_slit(source, slit, width):
    """Second moment of an OH line in the truth: slit image and blur in quadrature."""
    ideal = OpticsScenes(seed=12, ideal=True)
    kernel, _ = ideal.arm("NIR").aperture_kernels(slit)
    place = (np.arange(kernel.size) - kernel.size // 2) / OVERSAMPLING
    optics = OPTICS["NIR"]
    blur = optics.blur_px * (1 - optics.blur_range / 2)
    expected = (width * optics.slit_px_per_arcsec) ** 2 / 12 + blur**2
    assert kernel @ place**2 == pytest.approx(expected, rel=0.01)


def test_seeing_sharpens_lines_of_a_star_in_a_wide_slit(source):
    """A telluric band is resolved better in the star's light than in the sky's."""
    request = replace(REQUEST, target="A0V_7.0", slit="SLIT5.0", seeing_arcsec=0.6)
    truth = exposure_truth(source, request).orders[20]
    poor = exposure_truth(source, replace(request, seeing_arcsec=2.0)).orders[20]
    band = (truth.wave_nm > 940) & (truth.wave_nm < 960)
    roughness = [np.std(np.diff(t.transmission[band])) for t in (truth, poor)]
    assert roughness[0] > 1.3 * roughness[1]


def test_ghosts_are_an_option():
    request = replace(REQUEST, arm="VIS", target="A0V_7.0")
    plain, haunted = (
        OpticsScenes(12, ghosts=flag).scene(request).rate_e_per_s.astype(float)
        for flag in (False, True)
    )
    extra = haunted - plain
    assert extra.sum() == pytest.approx(2e-4 * plain.sum(), rel=0.05)
    assert extra.min() >= -1e-3 * extra.max()


def test_night_truth_is_json_and_names_the_departures(source):
    import json

    truth = json.loads(json.dumps(source.truth()))
    bands = {b["nm"]: b["factor"] for b in truth["atmosphere"]["line_factor"]["H2O"]}
    assert bands[1170.0] == pytest.approx(0.84, abs=0.03)
    assert bands[1490.0] == pytest.approx(1.0, abs=0.03)
    oxygen = {b["nm"]: b["factor"] for b in truth["atmosphere"]["line_factor"]["O2"]}
    assert oxygen[630.0] == pytest.approx(0.75, abs=0.02)
    assert truth["arms"]["NIR"]["optics"]["slit_half_arcsec"] == 5.95
    assert len(truth["arms"]["VIS"]["slit_transmission"]["SLIT1.0"]) == 131
    assert set(truth["arms"]["NIR"]["format"]["orders"]) == {str(m) for m in range(10, 25)}
