"""Spectral format of the simulator and the tables it starts from."""

import json
from importlib.resources import files

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from soxs_simulator.format import ArmFormat, nominal_format
from soxs_simulator.format_distortion import Distortion, draw_distortion, true_format

# Published check values of the format: arm, order, nm, arcsec, x, y.
CHECKS = [
    ("VIS", 1, 604.750, 0.0, 170.8840, 1925.5357),
    ("VIS", 2, 394.500, -3.0, 325.8306, 2229.7058),
    ("VIS", 4, 800.000, 5.0, 666.7324, 2823.4198),
    ("NIR", 10, 1945.600, 0.0, 988.0980, 384.4176),
    ("NIR", 17, 1146.450, 5.0, 981.8000, 799.6744),
    ("NIR", 24, 820.000, -4.0, 1159.1933, 1403.1820),
]


@pytest.mark.parametrize(("arm", "order", "wave", "slit", "x", "y"), CHECKS)
def test_format_gives_the_published_positions(arm, order, wave, slit, x, y):
    found = nominal_format(arm).orders[order].to_pixel(wave, slit)
    assert found == pytest.approx((x, y), abs=1e-4)


@pytest.mark.parametrize(
    ("order", "tilt_deg"),
    [(10, (-11.87, -14.26, -19.04)), (17, (-7.53, -9.96, -13.03)), (24, (-3.65, -5.05, -6.34))],
)
def test_slit_tilt_of_the_nir_orders(order, tilt_deg):
    table = json.loads(_read("spectral_format_nir.json"))["orders"][str(order)]
    wave = np.linspace(*table["lam_on_detector"], 3)
    _, x_s, _, y_s = nominal_format("NIR").orders[order].jacobian(wave, 0.0)
    assert np.degrees(np.arctan2(x_s, y_s)) == pytest.approx(tilt_deg, abs=0.01)


def test_global_nir_model_agrees_with_the_orders():
    table = json.loads(_read("spectral_format_nir.json"))
    rng = np.random.default_rng(1)
    for number, order in nominal_format("NIR").orders.items():
        wave = order.lam0_nm + order.lamh_nm * rng.uniform(-1, 1, 20)
        s = rng.uniform(-5, 5, 20)
        expected = _global_position(table["global_model"], number, wave, s)
        assert np.allclose(order.to_pixel(wave, s), expected, atol=1e-4)


def test_jacobian_is_the_derivative():
    order = nominal_format("NIR").orders[15]
    h = 1e-4
    x_w, x_s, y_w, y_s = order.jacobian(1290.0, 2.0)
    ahead, behind = order.to_pixel(1290.0 + h, 2.0), order.to_pixel(1290.0 - h, 2.0)
    up, down = order.to_pixel(1290.0, 2.0 + h), order.to_pixel(1290.0, 2.0 - h)
    numeric = [(a - b) / (2 * h) for a, b in zip((*ahead, *up), (*behind, *down), strict=True)]
    assert (x_w, y_w, x_s, y_s) == pytest.approx(numeric, rel=1e-6)


@pytest.mark.parametrize("arm", ["VIS", "NIR"])
def test_true_format_is_the_moved_table(arm):
    distortion = draw_distortion(arm, seed=5)
    nominal, true = nominal_format(arm), true_format(arm, distortion)
    worst = 0.0
    for number, order in nominal.orders.items():
        wave = (order.lam0_nm + order.lamh_nm * np.linspace(-1, 1, 57))[:, None]
        s = np.linspace(-6.5, 6.5, 11)
        expected = _moved_by_hand(distortion, *order.to_pixel(wave, s), nominal.shape)
        found = true.orders[number].to_pixel(wave, s)
        worst = max(worst, np.abs(np.array(found) - np.array(expected)).max())
    assert worst < 1e-4


def test_distortion_has_the_stated_size():
    drawn = [draw_distortion("NIR", seed) for seed in range(200)]
    shift = np.array([d.shift_px for d in drawn])
    rotation, scale = ([getattr(d, n) for d in drawn] for n in ("rotation_rad", "scale"))
    assert shift.std() == pytest.approx(3.0, rel=0.1)
    assert np.std(rotation) == pytest.approx(3e-4, rel=0.15)
    assert np.std(scale) == pytest.approx(2e-4, rel=0.15)
    mesh = np.linspace(-1, 1, 50)
    warp = [np.polynomial.chebyshev.chebgrid2d(mesh, mesh, d.warp_x).std() for d in drawn]
    assert np.mean(warp) == pytest.approx(0.1, rel=0.1)


def test_no_drift_is_the_table():
    true = true_format("VIS", draw_distortion("VIS", seed=2, drift=0.0))
    expected = nominal_format("VIS").orders[3].to_pixel(500.0, 4.0)
    assert true.orders[3].to_pixel(500.0, 4.0) == pytest.approx(expected, abs=1e-5)


def test_format_survives_json():
    moved = nominal_format("NIR").shifted(1.25, -0.5)
    again = ArmFormat.from_dict(json.loads(json.dumps(moved.to_dict())))
    x, y = nominal_format("NIR").orders[12].to_pixel(1600.0, 1.0)
    assert again.orders[12].to_pixel(1600.0, 1.0) == pytest.approx((x + 1.25, y - 0.5))


@pytest.mark.parametrize("name", ["spectral_format_vis.json", "spectral_format_nir.json"])
def test_json_tables_name_their_origin(name):
    table = json.loads(_read(name))
    assert all(table[key] for key in ("provenance", "licence", "wavelength", "coordinates"))


@pytest.mark.parametrize(
    "name", ["arc_lines_vis", "arc_lines_nir", "sky_lines", "oh_lines", "extinction"]
)
def test_ecsv_tables_name_origin_and_units(name):
    table = Table.read(str(files("soxs_recipes.calib") / f"{name}.ecsv"), format="ascii.ecsv")
    assert all(table.meta[key] for key in ("title", "provenance", "licence", "units"))
    wavelengths = [n for n in table.colnames if n.startswith("wavelength")]
    assert wavelengths and all(table[n].unit == "nm" for n in wavelengths)
    assert np.all(np.diff(table[wavelengths[0]]) >= 0)


@pytest.mark.parametrize(
    "name",
    [
        "flux_standards.fits",
        "telluric_optical_depth.fits",
        "sky_emission.fits.gz",
        "a0v_vega.fits.gz",
    ],
)
def test_fits_tables_name_their_origin_and_are_intact(name):
    with fits.open(str(files("soxs_recipes.calib") / name), checksum=True) as hdus:
        header = hdus[0].header
        assert header["TITLE"] and header["LICENCE"] and header["WAVEREF"] in ("AIR", "VACUUM")
        assert "Provenance" in str(header["COMMENT"])


def test_bright_red_argon_lines_are_listed():
    table = Table.read(str(files("soxs_recipes.calib") / "arc_lines_vis.ecsv"))
    for wave in (696.5431, 706.7218, 763.5106, 811.5311, 842.4648):
        row = table[np.argmin(np.abs(table["wavelength_nm"] - wave))]
        assert row["wavelength_nm"] == pytest.approx(wave, abs=1e-4)
        assert row["ion"] == "ArI" and row["log_amplitude"] > 4.5


def _read(name):
    return (files("soxs_recipes.calib") / name).read_text()


def _global_position(model, order, wave, s):
    """Evaluate the echelle model term by term."""
    v, q = (order * wave - 19500) / 950, (order - 17) / 7
    chebyshev = [np.polynomial.chebyshev.Chebyshev.basis(k) for k in range(6)]
    result = []
    for axis in ("x", "y"):
        total, position = 0.0, 0
        for k in range(3):
            deg_v, deg_q = model["degrees"][f"k{k}"]
            for i in range(deg_v + 1):
                for j in range(deg_q + 1):
                    term = model[axis][position] * chebyshev[i](v) * chebyshev[j](q)
                    total = total + term * (s / 6) ** k
                    position += 1
        result.append(total)
    return result


def _moved_by_hand(distortion: Distortion, x, y, shape):
    rows, columns = shape
    dx, dy = x - (columns - 1) / 2, y - (rows - 1) / 2
    z = (dx + 1j * dy) * (1 + distortion.scale) * np.exp(1j * distortion.rotation_rad)
    u, v = dx / (columns / 2), dy / (rows / 2)
    u, v = np.arccos(u + 0j), np.arccos(v + 0j)
    warp = [
        sum((c * np.cos(i * u) * np.cos(j * v)).real for (i, j), c in np.ndenumerate(coef))
        for coef in (distortion.warp_x, distortion.warp_y)
    ]
    shift = distortion.shift_px
    return (
        (columns - 1) / 2 + z.real + shift[0] + warp[0],
        (rows - 1) / 2 + z.imag + shift[1] + warp[1],
    )
