"""Lamp scenes against arithmetic of their own."""

from functools import lru_cache

import numpy as np
import pytest

from soxs_simulator.contract import SceneRequest
from soxs_simulator.lamps import planck_photons, thermal_background
from soxs_simulator.lamps_arc import ArcLines, draw_arc_lines
from soxs_simulator.optics_geometry import invert
from soxs_simulator.optics_throughput import efficiency
from soxs_simulator.scenes import OpticsScenes

LAMPS = {"VIS": ("ThAr",), "NIR": ("Ar", "Hg", "Ne", "Xe")}
LINES_NM = {
    "VIS": {1: (560.0, 600.0, 640.0), 2: (370.0, 400.0), 3: (450.0, 500.0), 4: (700.0, 780.0)},
    "NIR": {10: (1880.0, 2010.0), 13: (1450.0, 1500.0), 17: (1120.0, 1180.0), 22: (880.0, 915.0)},
}
PHOTONS = 1.0e6


@lru_cache(maxsize=2)
def with_sparse_arcs(arm):
    """Scenes whose arc lamps have few lines, all as bright, far apart."""
    source = OpticsScenes(seed=4, ideal=True)
    wave = np.array(sorted(w for lines in LINES_NM[arm].values() for w in lines))
    lamp = np.full(wave.size, LAMPS[arm][0])
    source.arm(arm).__dict__["arcs"] = ArcLines(wave, wave, np.full(wave.size, PHOTONS), lamp)
    return source


@pytest.fixture(scope="module")
def source():
    return OpticsScenes(seed=2)


def spot(image, x, y, half=7):
    """Sum and centroid (x, y) of the light in a box about a position."""
    x0, y0 = round(float(x)), round(float(y))
    box = image[y0 - half : y0 + half + 1, x0 - half : x0 + half + 1].astype(float)
    rows, columns = np.indices(box.shape)
    total = box.sum()
    return total, (box * columns).sum() / total + x0 - half, (box * rows).sum() / total + y0 - half


@pytest.mark.parametrize("arm", ["VIS", "NIR"])
@pytest.mark.parametrize("flexure", [(0.0, 0.0), (0.45, -0.3), (1.6, -2.2)])
def test_pinhole_lines_are_where_the_format_says(arm, flexure):
    source = with_sparse_arcs(arm)
    request = SceneRequest(arm, "pinhole_arc", "PINHOLE", LAMPS[arm], flexure_px=flexure)
    image = source.scene(request).rate_e_per_s
    moved = source.arm(arm).format.shifted(*flexure)
    for number, waves in LINES_NM[arm].items():
        for wave in waves:
            x, y = moved.orders[number].to_pixel(wave, 0.0)
            total, found_x, found_y = spot(image, x, y)
            assert (found_x, found_y) == pytest.approx((x, y), abs=0.001)
            expected = PHOTONS * np.pi / 16 * efficiency(arm, number, wave)
            assert total == pytest.approx(expected, rel=0.01)


def test_centroids_of_photons_scatter_as_they_must():
    """Poisson images of a line: the mean position is the truth, the scatter sigma / sqrt(N)."""
    source = with_sparse_arcs("NIR")
    request = SceneRequest("NIR", "pinhole_arc", "PINHOLE", LAMPS["NIR"])
    image = source.scene(request).rate_e_per_s
    x, y = source.arm("NIR").format.orders[17].to_pixel(1120.0, 0.0)
    x0, y0 = round(float(x)), round(float(y))
    box = image[y0 - 5 : y0 + 6, x0 - 5 : x0 + 6].astype(float)
    box *= 2000.0 / box.sum()
    draws = np.random.default_rng(1).poisson(box, (4000, *box.shape))
    columns = np.arange(-5, 6) + x0
    counts = draws.sum(axis=1)
    centroid = counts @ columns / counts.sum(axis=1)
    spread = np.sqrt(box.sum(axis=0) @ (columns - x) ** 2 / 2000.0)
    assert centroid.mean() == pytest.approx(x, abs=4 * spread / np.sqrt(2000 * 4000) + 0.001)
    assert centroid.std() == pytest.approx(spread / np.sqrt(2000), rel=0.05)


@pytest.mark.parametrize("arm", ["VIS", "NIR"])
def test_nine_pinholes_have_the_right_places(arm):
    source = with_sparse_arcs(arm)
    request = SceneRequest(arm, "multi_pinhole_arc", "MULTPIN", LAMPS[arm])
    image = source.scene(request).rate_e_per_s
    step = {"VIS": 1.375, "NIR": 1.436}[arm]
    number, waves = next(iter(LINES_NM[arm].items()))
    for hole in range(-4, 5):
        x, y = source.arm(arm).format.orders[number].to_pixel(waves[0], hole * step)
        _, found_x, found_y = spot(image, x, y, half=2)
        assert np.hypot(found_x - x, found_y - y) < 0.08


@pytest.mark.parametrize(("arm", "order"), [("VIS", 1), ("VIS", 3), ("NIR", 10), ("NIR", 22)])
def test_slit_lines_have_the_tilt_of_the_format(arm, order):
    source = with_sparse_arcs(arm)
    image = source.scene(SceneRequest(arm, "slit_arc", "SLIT1.0", LAMPS[arm])).rate_e_per_s
    fmt = source.arm(arm).format
    wave = LINES_NM[arm][order][0]
    ends = fmt.split(*fmt.orders[order].to_pixel(wave, np.array([-4.0, 4.0])))
    rows = np.arange(*np.sort(np.rint(ends[1]).astype(int)))
    image = image if fmt.disp_axis == "x" else image.T
    middle = round(float(ends[0].mean()))
    columns = np.arange(middle - 16, middle + 17)
    strip = image[np.ix_(rows, columns)].astype(float)
    centroid = strip @ columns / strip.sum(axis=1)
    slope = np.polyfit(rows, centroid, 1)[0]
    expected = (ends[0][1] - ends[0][0]) / (ends[1][1] - ends[1][0])
    assert np.degrees(np.arctan(slope)) == pytest.approx(np.degrees(np.arctan(expected)), abs=0.3)


@pytest.mark.parametrize("arm", ["VIS", "NIR"])
def test_lines_depart_from_the_list_by_the_stated_amounts(arm):
    true, ideal = draw_arc_lines(arm, 7), draw_arc_lines(arm, 7, ideal=True)
    offset = true.true_nm - true.listed_nm
    mercury = true.lamp == "Hg"
    assert offset[~mercury].std() == pytest.approx(0.001, rel=0.1)
    if arm == "NIR":
        assert offset[mercury].std() == pytest.approx(0.005, rel=0.2)
    assert np.mean(true.photons == 0) == pytest.approx(0.05, abs=0.015)
    present = true.photons > 0
    ratio = true.photons[present] / ideal.photons[present]
    assert np.log10(ratio).std() == pytest.approx(0.15, rel=0.1)
    assert np.array_equal(ideal.true_nm, ideal.listed_nm) and np.all(ideal.photons > 0)


def test_faint_lines_are_faint():
    lines = draw_arc_lines("NIR", 1, ideal=True)
    strength = np.sort(lines.photons)[::-1]
    assert strength[:100].sum() > 0.6 * strength.sum()
    assert np.median(strength) < 0.01 * strength[20]


def test_only_burning_lamps_shine():
    lines = draw_arc_lines("NIR", 1)
    wave, photons = lines.lit(("Xe",))
    assert np.all(photons > 0) and 0 < wave.size < lines.true_nm.size / 4
    assert np.abs(wave - 828.01).min() < 0.02


def test_lamp_scale_and_lamp_off(source):
    on, half, off = (
        source.scene(SceneRequest("NIR", "slit_flat", "SLIT1.0", ("QTH",), **settings)).rate_e_per_s
        for settings in ({}, {"lamp_scale": 0.5}, {"lamp_on": False})
    )
    lit = on > 50
    assert np.allclose((half - off)[lit], 0.5 * (on - off)[lit], rtol=1e-4)
    assert 0.1 < off[300:600].max() < 1.0
    assert off[300:600].max() > 5 * off[1400:1500].max()
    assert 1000 < np.percentile(on[lit], 99) < 3000


def test_flats_match_the_instruments_levels(source):
    qth, d2 = (
        source.scene(SceneRequest("VIS", "slit_flat", "SLIT1.0", (lamp,))).rate_e_per_s
        for lamp in ("QTH", "D2")
    )
    assert qth.max() * 20.0 < 65535 * 1.1
    ultraviolet = (slice(2000, 3500), slice(305, 325))
    assert d2[ultraviolet].mean() > 5 * qth[ultraviolet].mean()


def test_thermal_background_is_planck():
    """Energy of a black body through one arcsec2 and the telescope, integrated by hand."""
    wave = np.linspace(1900.0, 2000.0, 2001)
    h, c, k = 6.62607015e-34, 2.99792458e8, 1.380649e-23
    metre = wave * 1e-9
    radiance = 2 * h * c**2 / metre**5 / np.expm1(h * c / (metre * k * 285.0))
    photons = radiance / (h * c / metre) * 1e-9
    assert planck_photons(wave, 285.0) == pytest.approx(photons, rel=1e-6)
    area = np.pi / 4 * (3.58**2 - 0.875**2)
    expected = 0.9 * photons * area * 4.254517e10**-1
    assert thermal_background(wave) == pytest.approx(expected, rel=1e-5)


def test_blank_slit_is_dark_and_images_are_finite(source):
    dark = source.scene(SceneRequest("VIS", "slit_flat", "BLANK", ("QTH",))).rate_e_per_s
    assert dark.shape == (4096, 808) and not dark.any()
    flat = source.scene(SceneRequest("VIS", "slit_flat", "SLIT5.0", ("QTH",))).rate_e_per_s
    assert flat.dtype == np.float32 and np.all(np.isfinite(flat)) and flat.min() >= 0


def test_wavelength_of_a_pixel_is_found_again(source):
    order = source.arm("NIR").format.orders[14]
    x, y = order.to_pixel(1390.0, 2.5)
    wave, slit = invert(order, x, y, np.array(order.lam0_nm), np.array(0.0))
    assert (wave, slit) == pytest.approx((1390.0, 2.5), abs=1e-9)
