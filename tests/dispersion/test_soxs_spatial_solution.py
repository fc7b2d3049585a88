"""soxs_spatial_solution on simulated raw frames, against the truth of their night."""

import json
from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest
from astropy.io import fits

from soxs_recipes.algorithms.dispersion_image import dispersion_image
from soxs_recipes.algorithms.quality import Quality
from soxs_recipes.errors import ArmMismatchError, HeaderError, SettingMismatchError
from soxs_recipes.instrument import keywords as kw
from soxs_recipes.instrument.spectral_format import read_spectral_format
from soxs_recipes.products.dispersion_tables import dispersion_tables, read_dispersion_table
from soxs_recipes.recipes.dispersion_products import ArcMismatchError
from soxs_recipes.recipes.pinhole_arcs import PinholeMaskError
from soxs_recipes.recipes.soxs_spatial_solution import SoxsSpatialSolution
from soxs_simulator.format import ArmFormat
from soxs_simulator.frames import Run
from soxs_simulator.observations import lamp_set, simulate_lamps
from soxs_simulator.optics import OPTICS, pinhole_positions

TRIM = {"VIS": (50, 0), "NIR": (4, 4)}
BORDER_ARCSEC = 5.7


class Arc:
    """Raw multi-pinhole arc of an arm, its lamp-off twin, and the truth of their night."""

    def __init__(self, folder, paths, arm):
        self.paths, self.arm = paths, arm
        manifest = json.loads((folder / "truth" / "manifest.json").read_text())
        self.record = manifest["frames"][paths[0].name]
        self.binning = tuple(self.record["binning"])
        self.format = ArmFormat.from_dict(manifest["optics"]["arms"][arm]["format"])

    def sets(self, paths=None):
        """Sets of frames with their tags."""
        tags = [f"MULTI_PINHOLE_ARC_{self.arm}", "MULTI_PINHOLE_ARC_OFF_NIR"]
        return [([path], tag) for path, tag in zip(paths or self.paths, tags, strict=False)]

    def pixel(self, order, wave, slit):
        """True position in the trimmed, binned frame."""
        there = self.format.orders[order].to_pixel(wave, slit)
        moved = zip(there, self.record["flexure_px"], self.binning, strict=True)
        return [(place + shift + 0.5) / factor - 0.5 for place, shift, factor in moved]

    def miss(self, order, wave, slit, x, y):
        """Error of wavelength (px) and slit (arcsec) that a map gives for pixels (x, y)."""
        px, py = self.pixel(order, wave, slit)
        x_wave, x_slit, y_wave, y_slit = self.format.orders[order].jacobian(wave, slit)
        x_wave, x_slit = x_wave / self.binning[0], x_slit / self.binning[0]
        y_wave, y_slit = y_wave / self.binning[1], y_slit / self.binning[1]
        determinant = x_wave * y_slit - y_wave * x_slit
        wave_error = (y_slit * (px - x) - x_slit * (py - y)) / determinant
        slit_error = (x_wave * (py - y) - y_wave * (px - x)) / determinant
        along = x_wave if self.format.disp_axis == "x" else y_wave
        return wave_error * np.abs(along), slit_error


@pytest.fixture(scope="module")
def arcs(tmp_path_factory):
    """Multi-pinhole arcs, each simulated when first asked for."""
    made = {}

    def arc(arm, seed, slit="MULTPIN", drift=1.0, **options):
        key = (arm, seed, slit, drift, *sorted(options.items()))
        if key not in made:
            folder = tmp_path_factory.mktemp("multi-pinhole")
            chosen = lamp_set("multi_pinhole_arc", arm, 1, 60.0, slit=slit, **options)
            paths = simulate_lamps(folder, chosen, run=Run(seed=seed, drift=drift))
            made[key] = Arc(folder, paths, arm)
        return made[key]

    return arc


def assert_map_is_true(path, arc, factor=1.0):
    """Every pixel of every order against the truth, within `factor` times the limits."""
    with fits.open(path) as hdus:
        wave, slit = hdus["WAVELENGTH"].data, hdus["SLIT"].data.astype(float)
        order, quality = hdus["ORDER"].data, hdus["QUAL"].data
    assert np.array_equal(order == 0, np.isnan(wave))
    assert np.array_equal(order == 0, quality == Quality.NO_DATA)
    wave_error, slit_error = np.zeros(order.shape), np.zeros(order.shape)
    half = OPTICS[arc.arm].slit_half_arcsec
    lit = np.abs(slit) < half
    for number in arc.format.orders:
        here = lit & (order == number)
        y, x = np.nonzero(here)
        wave_error[here], slit_error[here] = arc.miss(number, wave[here], slit[here], x, y)
    beyond = quality == Quality.EXTRAPOLATED
    assert rms(wave_error[lit]) < 0.04 * factor
    assert np.abs(wave_error[lit & ~beyond]).max() < 0.3 * factor
    assert np.abs(wave_error[lit & beyond]).max() < 0.5 * factor
    assert rms(slit_error[lit]) < 0.02 * factor
    return order


def rms(values):
    return np.sqrt(np.mean(np.square(values)))


def spoilt(paths, folder, change):
    """Copies of raw frames after `change(pixels, number)`."""
    copies = []
    for number, path in enumerate(paths):
        with fits.open(path, do_not_scale_image_data=True) as hdus:
            change(hdus[0].data, number)
            copies.append(folder / f"spoilt_{path.name}")
            hdus.writeto(copies[-1], output_verify="silentfix", overwrite=True)
    return copies


def slit_of_raw(arc):
    """True slit position of every raw pixel; NaN outside the orders."""
    nominal = read_spectral_format(
        files("soxs_recipes.calib") / f"spectral_format_{arc.arm.lower()}.json"
    )
    moved = arc.pixel(int(nominal.orders[0]), nominal.centre_nm[0], 0.0)
    there = nominal.to_pixel(nominal.orders[0], nominal.centre_nm[0])
    image = dispersion_image(nominal.shifted(moved[0] - there[0], moved[1] - there[1]), 6.5)
    left, low = TRIM[arc.arm]
    pad = ((low, low), (left, left if arc.arm == "NIR" else 0))
    return np.pad(image.slit_arcsec, pad, constant_values=np.nan)


@pytest.mark.parametrize(
    ("arm", "seed", "binning"),
    [
        ("VIS", 1, (1, 1)),
        ("VIS", 2, (1, 1)),
        ("VIS", 5, (2, 1)),
        ("NIR", 3, (1, 1)),
        ("NIR", 4, (1, 1)),
    ],
)
def test_map_against_the_truth(arm, seed, binning, arcs, run_recipe):
    arc = arcs(arm, seed, binning=binning)
    products = run_recipe(SoxsSpatialSolution, *arc.sets())
    order = assert_map_is_true(products[f"DISP_IMAGE_{arm}"], arc)
    rows, columns = order.shape
    for number, one in arc.format.orders.items():
        wave, slit = np.meshgrid(
            np.linspace(*one.use_nm, 500), np.linspace(-BORDER_ARCSEC, BORDER_ARCSEC, 9)
        )
        x, y = (np.rint(place).astype(int) for place in arc.pixel(number, wave, slit))
        seen = (x >= 0) & (x < columns) & (y >= 0) & (y < rows)
        assert np.all(order[y[seen], x[seen]] == number), "a lit pixel is not in the map"
    header = fits.getheader(products[f"DISP_TAB_2D_{arm}"])
    assert header["ESO QC PINHOLE COUNT MIN"] == header["ESO QC PINHOLE NUM"] == 9
    assert header["ESO QC PINHOLE REJ NUM"] == 0
    assert header["ESO QC DETLINES FRAC"] > 0.7
    assert header["QCNOUT"] == 0, header["QCOUT*"]


def test_table_and_image_are_one_solution(arcs, run_recipe):
    products = run_recipe(SoxsSpatialSolution, *arcs("NIR", 3).sets())
    solution = read_dispersion_table(products["DISP_TAB_2D_NIR"])
    image = dispersion_image(solution, 6.5)
    with fits.open(products["DISP_IMAGE_NIR"]) as hdus:
        assert np.array_equal(hdus["ORDER"].data, image.order)
        assert np.array_equal(hdus["WAVELENGTH"].data, image.wave_nm, equal_nan=True)
        fraction = hdus[0].header["ESO QC EXTRAP FRAC"]
    flagged = image.quality[image.order > 0] == Quality.EXTRAPOLATED
    assert fraction == pytest.approx(flagged.mean(), rel=1e-5)
    lines = fits.getdata(products["DISP_TAB_2D_NIR"], "LINES")
    used = lines[lines["USED"] == 1]
    x, y = solution.to_pixel(used["ORDER"], used["WAVE"], used["SLIT"])
    header = fits.getheader(products["DISP_TAB_2D_NIR"])
    assert header["ESO QC X RES RMS"] == pytest.approx(rms(used["X"] - x), rel=1e-4)
    assert header["ESO QC Y RES MEDIAN"] == pytest.approx(
        np.median(np.abs(used["Y"] - y)), rel=1e-4
    )
    assert header["ESO QC GOODLINES FRAC"] == pytest.approx(len(used) / len(lines), rel=1e-4)
    ends = np.array([solution.fitted_nm[solution.index(n)] for n in used["ORDER"]])
    assert np.all((used["WAVE"] >= ends[:, 0]) & (used["WAVE"] <= ends[:, 1]))


@pytest.mark.parametrize("arm", ["VIS", "NIR"])
def test_dim_lamps_and_bad_pixels(arm, arcs, run_recipe, tmp_path):
    """30 % of the light, one of four lamps missing, 3 % bad pixels that no map knows."""
    options = {"lamps": ("Ar", "Hg", "Xe")} if arm == "NIR" else {}
    arc = arcs(arm, 2, lamp_scale=0.3, **options)
    rng = np.random.default_rng(3)
    shape = fits.getdata(arc.paths[0]).shape
    dead, hot = rng.random(shape) < 0.015, rng.random(shape) < 0.015
    level = rng.integers(2000, 30000, shape)

    def worn(pixels, _):
        pixels[dead] = np.percentile(pixels, 1) - 50
        pixels[hot] = np.minimum(pixels[hot].astype(int) + level[hot], 32000)

    products = run_recipe(SoxsSpatialSolution, *arc.sets(spoilt(arc.paths, tmp_path, worn)))
    assert_map_is_true(products[f"DISP_IMAGE_{arm}"], arc, factor=2.0)


@pytest.fixture
def disp_tab(tmp_path):
    """Write a solution of the slit centre, as soxs_disp_solution would, from the truth."""

    def write(arc, moved_px=(0.0, 0.0)):
        guess = read_spectral_format(
            files("soxs_recipes.calib") / f"spectral_format_{arc.arm.lower()}.json"
        ).binned(*arc.binning)
        x_coef, y_coef = (np.zeros((len(guess.orders), 1, 11)) for _ in "xy")
        unit = np.polynomial.chebyshev.chebpts1(24)
        low, high = guess.range_nm.T
        centre, half = (low + high) / 2, (high - low) / 2
        for row, number in enumerate(guess.orders.tolist()):
            there = arc.pixel(number, centre[row] + half[row] * unit, 0.0)
            for coef, place in zip((x_coef, y_coef), there, strict=True):
                coef[row, 0] = np.polynomial.chebyshev.chebfit(unit, place, 10)
        solution = replace(
            guess, x_coef=x_coef, y_coef=y_coef, centre_nm=centre, half_nm=half
        ).shifted(*moved_px)
        hdus = fits.HDUList([fits.PrimaryHDU(header=fits.getheader(arc.paths[0]))])
        for name, table in dispersion_tables(solution).items():
            hdus.append(fits.table_to_hdu(table))
            hdus[-1].name = name
        path = tmp_path / "disp_tab.fits"
        hdus.writeto(path, output_verify="silentfix", overwrite=True)
        return [path], f"DISP_TAB_{arc.arm}"

    return write


def covered(arc, holes):
    """Change that takes the light of some holes away."""
    slit, positions = slit_of_raw(arc), pinhole_positions(arc.arm, "MULTPIN")
    gone = np.zeros(slit.shape, bool)
    for hole in holes:
        gone |= np.abs(slit - positions[hole]) < 0.6

    def change(pixels, _):
        pixels[gone] = np.median(pixels[~np.isfinite(slit)])

    return change


@pytest.mark.parametrize("arm", ["VIS", "NIR"])
def test_missing_pinholes_are_left_out(arm, arcs, run_recipe, tmp_path, disp_tab):
    arc = arcs(arm, 1)
    copies = spoilt(arc.paths, tmp_path, covered(arc, (3, 8)))
    products = run_recipe(SoxsSpatialSolution, *arc.sets(copies), disp_tab(arc))
    assert_map_is_true(products[f"DISP_IMAGE_{arm}"], arc)
    header = fits.getheader(products[f"DISP_TAB_2D_{arm}"])
    assert header["ESO QC PINHOLE COUNT MIN"] == header["ESO QC PINHOLE NUM"] == 7


@pytest.mark.parametrize("moved_px", [(0.0, 4.3), (9.0, -13.0)])
def test_a_solution_of_another_night_may_have_moved(moved_px, arcs, run_recipe, disp_tab):
    """By about the distance of two pinholes, and by several times that."""
    arc = arcs("NIR", 3)
    products = run_recipe(SoxsSpatialSolution, *arc.sets(), disp_tab(arc, moved_px))
    assert_map_is_true(products["DISP_IMAGE_NIR"], arc)


def test_a_displaced_pinhole_is_rejected(arcs, run_recipe, tmp_path):
    """A hole that is half blocked, or has merged with another, shifts all its lines alike."""
    arc = arcs("VIS", 1)
    slit = slit_of_raw(arc)
    hole = np.abs(slit - pinhole_positions("VIS", "MULTPIN")[6]) < 0.6

    def push(pixels, _):
        moved = (pixels + np.roll(pixels, 1, axis=1).astype(float)) / 2
        pixels[hole] = moved[hole].astype(pixels.dtype)

    copies = spoilt(arc.paths, tmp_path, push)
    products = run_recipe(SoxsSpatialSolution, *arc.sets(copies))
    assert_map_is_true(products["DISP_IMAGE_VIS"], arc)
    header = fits.getheader(products["DISP_TAB_2D_VIS"])
    assert header["ESO QC PINHOLE REJ NUM"] == 1
    assert header["ESO QC PINHOLE NUM"] == 8


def test_a_row_without_its_end_needs_a_solution(arcs, run_recipe, tmp_path):
    arc = arcs("NIR", 1)
    copies = spoilt(arc.paths, tmp_path, covered(arc, (0,)))
    with pytest.raises(PinholeMaskError, match="DISP_TAB_NIR"):
        run_recipe(SoxsSpatialSolution, *arc.sets(copies))


def test_a_format_that_has_turned_too_far_is_refused(arcs, run_recipe):
    """By 0.2 degrees: the row of pinholes fits in part of the frame only."""
    arc = arcs("VIS", 3, drift=3.5)
    with pytest.raises(ArcMismatchError, match="part of the frame"):
        run_recipe(SoxsSpatialSolution, *arc.sets())


def test_the_single_pinhole_is_refused(arcs, run_recipe, tmp_path):
    arc = arcs("VIS", 1, slit="PINHOLE")
    with pytest.raises(HeaderError, match="another mask"):
        run_recipe(SoxsSpatialSolution, *arc.sets())
    with fits.open(arc.paths[0], do_not_scale_image_data=True) as hdus:
        hdus[0].header["ESO INS VISE NAME"] = "MULTPIN"
        hdus.writeto(tmp_path / "one_hole.fits", output_verify="silentfix")
    with pytest.raises(PinholeMaskError, match="one pinhole") as caught:
        run_recipe(SoxsSpatialSolution, *arc.sets([tmp_path / "one_hole.fits"]))
    assert "one_hole.fits" in str(caught.value)


def test_a_blank_frame_is_refused(arcs, run_recipe, tmp_path):
    arc = arcs("NIR", 3)
    dark = fits.getdata(arc.paths[1])

    def blank(pixels, _):
        pixels[:] = dark

    copies = spoilt(arc.paths, tmp_path, blank)
    with pytest.raises(ArcMismatchError, match=copies[0].name):
        run_recipe(SoxsSpatialSolution, *arc.sets(copies))


@pytest.mark.parametrize("guided", [False, True])
def test_a_lamp_that_the_header_does_not_name(guided, arcs, run_recipe, tmp_path, disp_tab):
    """Xenon burns, the header says mercury."""
    arc = arcs("NIR", 1, lamps=("Xe",))
    copies = []
    for path in arc.paths:
        with fits.open(path, do_not_scale_image_data=True) as hdus:
            for lamp in kw.ARC_LAMPS.values():
                if hdus[0].header.pop(lamp, None):
                    hdus[0].header[f"HIERARCH {kw.ARC_LAMPS['Hg']}"] = "Hg lamp"
            copies.append(tmp_path / path.name)
            hdus.writeto(copies[-1], output_verify="silentfix")
    table = [disp_tab(arc)] if guided else []
    with pytest.raises(ArcMismatchError, match=copies[0].name):
        run_recipe(SoxsSpatialSolution, *arc.sets(copies), *table)


def test_a_frame_of_no_arc_lamp_is_refused(arcs, run_recipe):
    flat = arcs("VIS", 1, lamps=("QTH",)).paths[0]
    with pytest.raises(HeaderError, match="ThAr"):
        run_recipe(SoxsSpatialSolution, ([flat], "MULTI_PINHOLE_ARC_VIS"))


def test_a_solution_of_another_binning_is_refused(arcs, run_recipe, disp_tab):
    with pytest.raises(SettingMismatchError, match="binning"):
        binned = disp_tab(arcs("VIS", 5, binning=(2, 1)))
        run_recipe(SoxsSpatialSolution, *arcs("VIS", 1).sets(), binned)


def test_the_other_arm_is_refused(arcs, run_recipe):
    frame = arcs("VIS", 1).paths
    with pytest.raises(ArmMismatchError):
        run_recipe(SoxsSpatialSolution, (frame, "MULTI_PINHOLE_ARC_NIR"))
