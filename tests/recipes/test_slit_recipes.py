"""soxs_straighten and soxs_line_check against the simulator's truth."""

import json
from importlib.resources import files

import numpy as np
import pytest
from astropy import units as u
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

from soxs_recipes.algorithms.dispersion_image import dispersion_image
from soxs_recipes.errors import HeaderError, InputError, MissingInputError
from soxs_recipes.instrument.spectral_format import spectral_format
from soxs_recipes.products.dispersion_tables import dispersion_tables
from soxs_recipes.products.line_check_tables import read_offset
from soxs_recipes.recipes.soxs_line_check import SoxsLineCheck
from soxs_recipes.recipes.soxs_straighten import SoxsStraighten
from soxs_simulator.observations import lamp_set, simulate_lamps

EXPTIME_S = {"VIS": 30.0, "NIR": 10.0}


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """Slit arcs of both arms, sorted by tag, and the truth of their night."""
    out = tmp_path_factory.mktemp("slit-arcs")
    sets = [lamp_set("slit_arc", arm, 1, exptime_s) for arm, exptime_s in EXPTIME_S.items()]
    frames = simulate_lamps(out, *sets)
    truth = json.loads((out / "truth" / "manifest.json").read_text())
    kept = truth["frames"]
    tags = {}
    for path in frames:
        record = kept[path.name]
        off = "" if record["lamp_on"] else "_OFF"
        tags[f"SLIT_ARC{off}_{record['arm']}"] = path
    return tags, truth


def true_solution(truth, arm):
    path = files("soxs_recipes.calib") / f"spectral_format_{arm.lower()}.json"
    nominal, table = json.loads(path.read_text()), truth["optics"]["arms"][arm]["format"]
    for number, order in table["orders"].items():
        order["lam_on_detector"] = nominal["orders"][number]["lam_on_detector"]
    return spectral_format(table)


@pytest.fixture
def arc_set(night, tmp_path):
    """Sets of frames of a slit arc, whose solution is the night's true format, moved."""
    tags, truth = night

    def prepare(arm, moved_px=(0.0, 0.0)):
        arc = tags[f"SLIT_ARC_{arm}"]
        tables = dispersion_tables(true_solution(truth, arm).shifted(*moved_px))
        table = write_tables(tmp_path / "disp_tab_2d.fits", fits.getheader(arc), {}, tables)
        sets = [([arc], f"SLIT_ARC_{arm}"), ([table], f"DISP_TAB_2D_{arm}")]
        off = tags.get(f"SLIT_ARC_OFF_{arm}")
        return [*sets, *([([off], f"SLIT_ARC_OFF_{arm}")] if off else [])]

    return prepare


@pytest.mark.parametrize("arm", ["VIS", "NIR"])
def test_straightened_lines_stand_where_the_coordinates_say(arm, arc_set, run_recipe, night):
    path = run_recipe(SoxsStraighten, *arc_set(arm))[f"STRAIGHTENED_{arm}"]
    with fits.open(path) as hdus:
        wcs, flux = WCS(hdus["FLUX"].header), hdus["FLUX"].data.astype(float)
        grids, cube = hdus["GRIDS"].data, hdus["ORDER_FLUX"].data
        quality, header = hdus["QUAL"].data, hdus[0].header
        error = hdus["ERRS"].data
    assert len(grids) == len(cube) == {"VIS": 4, "NIR": 15}[arm] == header["ESO QC N ORDERS"]
    lines = night[1]["optics"]["arms"][arm]["arc_lines"]
    strength = np.array(lines["photons_per_s_arcsec2"])
    wave = np.array(lines["true_nm"])
    low, high = {"VIS": (600, 640), "NIR": (1300, 1330)}[arm]
    strength[(wave < low) | (wave > high)] = 0
    brightest = wave[np.argmax(strength)]
    units = [unit.to(base) for unit, base in zip((u.nm, u.arcsec), wcs.wcs.cunit, strict=True)]
    world = np.array([[brightest, place] for place in (-4.0, 0.0, 4.0)]) * units
    column, row = wcs.wcs_world2pix(world, 0).T
    reach = 7
    for x, y in zip(column, row.round().astype(int), strict=True):
        part = flux[y, round(x) - reach : round(x) + reach + 1]
        part = np.clip(part - np.median(part), 0.3 * part.max(), None) - 0.3 * part.max()
        offset = np.arange(len(part)) - reach + round(x) - x
        assert abs(part @ offset / part.sum()) < 0.25
    good = quality == 0
    assert np.all(error[good] > 0)
    assert 1.5 < header["ESO QC COVAR FACTOR"] < 5
    assert fits.getheader(path, "FLUX")["CTYPE1"] == "AWAV"


def write_tables(path, header, planes, tables):
    """Write a product with image and table extensions."""
    hdus = fits.HDUList([fits.PrimaryHDU(header=header)])
    hdus += [fits.ImageHDU(data, name=name) for name, data in planes.items()]
    for name, table in tables.items():
        hdus.append(fits.table_to_hdu(table))
        hdus[-1].name = name
    hdus.writeto(path, output_verify="silentfix", overwrite=True)
    return path


def test_a_frame_without_sky_keeps_its_flux_and_brings_its_flexure(night, tmp_path, run_recipe):
    tags, truth = night
    moved_px = np.array([0.4, -0.3])
    solution, arc = true_solution(truth, "VIS"), tags["SLIT_ARC_VIS"]
    header, flux = fits.getheader(arc), fits.getdata(arc)[:, 50:].astype(np.float32)
    order = dispersion_image(solution, 6.5).order
    flux -= np.median(flux[order == 0])
    planes = {"FLUX": flux, "ERRS": np.full_like(flux, 5), "QUAL": np.zeros(flux.shape, "u2")}
    rectified = []
    for shift in (0 * moved_px, moved_px):
        geometry = Table({name: [value] for name, value in zip(("DX", "DY"), shift, strict=True)})
        frame = write_tables(tmp_path / "sky_sub.fits", header, planes, {"GEOMETRY": geometry})
        tables = dispersion_tables(solution.shifted(*-shift))
        table = write_tables(tmp_path / "disp_tab_2d.fits", header, {}, tables)
        sets = ([frame], "SCI_SKY_SUB_VIS"), ([table], "DISP_TAB_2D_VIS")
        path = run_recipe(SoxsStraighten, *sets)["STRAIGHTENED_VIS"]
        rectified.append(fits.getdata(path, "ORDER_FLUX"))
    assert np.abs(rectified[1] - rectified[0]).max() < 1e-3 * rectified[0].max()
    for plane, number in zip(rectified[0], solution.orders, strict=True):
        assert plane.sum(dtype=float) == pytest.approx(flux[order == number].sum(), rel=1e-3)


@pytest.mark.parametrize("arm", ["VIS", "NIR"])
def test_line_check_finds_the_shift(arm, arc_set, run_recipe):
    moved_px = (-0.4, 0.3)
    path = run_recipe(SoxsLineCheck, *arc_set(arm, moved_px))[f"LINE_CHECK_TAB_{arm}"]
    header = fits.getheader(path)
    shift = read_offset(path)
    assert shift == pytest.approx((0.4, -0.3), abs=0.03)
    assert header["ESO QC FLEXURE X"] == pytest.approx(shift[0], abs=1e-5)
    assert header["ESO QC DETLINES FRAC"] > 0.7
    assert header["QCNOUT"] == 0, header["QCOUT*"]


def test_one_kind_of_frame_is_needed(arc_set, run_recipe):
    sets = arc_set("VIS")
    with pytest.raises(MissingInputError, match="SLIT_ARC_VIS, OBJECT_STARE_VIS"):
        run_recipe(SoxsStraighten, sets[1])
    both = (sets[0], (sets[0][0], "OBJECT_STARE_VIS"))
    with pytest.raises(InputError):
        run_recipe(SoxsLineCheck, *both, sets[1])


def test_a_frame_through_the_pinhole_is_refused(night, tmp_path, arc_set, run_recipe):
    sets = arc_set("VIS")
    with fits.open(sets[0][0][0]) as hdus:
        hdus[0].header["ESO INS VISE NAME"] = "PINHOLE"
        hdus.writeto(tmp_path / "pinhole.fits")
    with pytest.raises(HeaderError, match="PINHOLE"):
        run_recipe(SoxsLineCheck, ([tmp_path / "pinhole.fits"], "SLIT_ARC_VIS"), sets[1])


def test_a_solution_far_off_is_an_error_that_names_the_frame(arc_set, run_recipe):
    sets = arc_set("VIS", (30.0, 60.0))
    with pytest.raises(InputError, match=sets[0][0][0].name):
        run_recipe(SoxsLineCheck, *sets)
