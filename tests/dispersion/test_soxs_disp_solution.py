"""soxs_disp_solution on simulated pinhole arcs, against the truth of their night."""

import numpy as np
import pytest
from astropy.io import fits

from soxs_recipes.algorithms.quality import Quality
from soxs_recipes.algorithms.robust import mad_sd
from soxs_recipes.errors import (
    ArmMismatchError,
    ForeignFrameError,
    HeaderError,
    SettingMismatchError,
    UnreadableFrameError,
)
from soxs_recipes.instrument import keywords as kw
from soxs_recipes.products.dispersion_tables import read_dispersion_table
from soxs_recipes.recipes.dispersion_products import ArcMismatchError
from soxs_recipes.recipes.soxs_disp_solution import SoxsDispSolution

LIMIT_PX = {"VIS": 0.02, "NIR": 0.03}
WORST_PX, WORST_BEYOND_PX = 0.3, 0.5
both_arms = pytest.mark.parametrize("arm", ["VIS", "NIR"])


@pytest.fixture
def solve(run_recipe):
    """Run the recipe on an arc; returns the path of the product."""

    def run(arc, *others, path=None, **settings):
        sets = [*arc.sets(path), *others]
        return run_recipe(SoxsDispSolution, *sets, **settings)[f"DISP_TAB_{arc.arm}"]

    return run


def assert_true(arc, product, factor=1.0):
    solution = read_dispersion_table(product)
    between, beyond = arc.errors(solution)
    rms = np.sqrt(np.mean(between**2, axis=1))
    assert np.all(rms < factor * LIMIT_PX[arc.arm]), rms
    assert np.abs(between).max() < factor * WORST_PX
    assert np.abs(beyond).max() < factor * WORST_BEYOND_PX
    return solution


@pytest.mark.parametrize(
    ("arm", "seed", "binning"),
    [("VIS", 11, (1, 1)), ("VIS", 12, (2, 1)), ("NIR", 11, (1, 1)), ("NIR", 13, (1, 1))],
)
def test_solution_against_the_truth(arm, seed, binning, pinhole_arc, solve):
    """Between the outermost lines of every order, and beyond them as far as the detector goes."""
    arc = pinhole_arc(arm, seed, binning=binning)
    product = solve(arc)
    solution = assert_true(arc, product)
    rows, columns = {"VIS": (4096, 808), "NIR": (2040, 2040)}[arm]
    assert solution.shape == (rows // binning[1], columns // binning[0])
    assert solution.x_coef.shape[1] == 1
    header = fits.getheader(product)
    moved = arc.truth["optics"]["arms"][arm]["distortion"]["shift_px"]
    for axis, true, factor in zip("XY", moved, binning, strict=True):
        # Flexure adds a fraction of a pixel to the shift of the night.
        assert header[f"ESO QC FORMAT SHIFT {axis}"] == pytest.approx(true / factor, abs=1.0)


@pytest.mark.parametrize(
    ("arm", "options"),
    [
        ("VIS", {"lamp_scale": 0.3}),
        ("NIR", {"lamp_scale": 0.3}),
        ("NIR", {"lamps": ("Hg", "Ne", "Xe")}),
        ("NIR", {"lamps": ("Ar", "Hg", "Xe")}),
    ],
    ids=["faint VIS", "faint NIR", "no Ar", "no Ne"],
)
def test_faint_and_missing_lamps(arm, options, pinhole_arc, solve):
    arc = pinhole_arc(arm, 21, **options)
    assert_true(arc, solve(arc), factor=2.0)


@both_arms
@pytest.mark.parametrize("known", [True, False], ids=["map", "no map"])
def test_bad_pixels(arm, known, pinhole_arc, solve, tmp_path):
    """Three per cent of the pixels are dead or hot."""
    arc = pinhole_arc(arm, 11)
    rng = np.random.default_rng(5)
    shape, corner = {"VIS": ((4096, 808), (0, 50)), "NIR": ((2040, 2040), (4, 4))}[arm]
    dead, hot = (rng.random(shape) < part for part in (0.02, 0.01))

    def spoil(hdus):
        part = tuple(slice(at, at + size) for at, size in zip(corner, shape, strict=True))
        data = hdus[0].data
        level = np.median(data[part])
        data[part] = np.where(dead, level, np.where(hot, level + 5000, data[part]))

    others = []
    if known:
        bad = np.where(dead | hot, np.uint16(Quality.BAD_PIXEL), np.uint16(0))
        hdus = fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(bad, name="QUAL")])
        primary = hdus[0].header
        header = fits.getheader(arc.path)
        primary["INSTRUME"] = "SOXS"
        for keyword in header:
            if keyword.startswith(("ESO SEQ", "ESO DET", "EXPTIME")):
                primary[f"HIERARCH {keyword}"] = header[keyword]
        primary["HIERARCH ESO PRO CATG"] = f"BP_MAP_{arm}"
        hdus.writeto(tmp_path / "bad.fits")
        others = [([tmp_path / "bad.fits"], f"BP_MAP_{arm}")]
    path = arc.edited(tmp_path / arc.path.name, spoil)
    assert_true(arc, solve(arc, *others, path=path), factor=2.0)


@both_arms
def test_lines_have_the_errors_they_state(arm, pinhole_arc, solve):
    """Measured minus true position of lines whose true wavelength is that of the lamp."""
    arc = pinhole_arc(arm, 11)
    lines = fits.getdata(solve(arc), "LINES")
    atlas = arc.truth["optics"]["arms"][arm]["arc_lines"]
    listed, true = (np.array(atlas[name]) for name in ("listed_nm", "true_nm"))
    used = lines[lines["USED"] == 1]
    assert np.all(used["DETECTED"] == 1)
    wave = true[np.abs(np.subtract.outer(used["WAVE"], listed)).argmin(axis=1)]
    there = np.array([arc.position(*pair) for pair in zip(used["ORDER"], wave, strict=True)]).T
    across, along = ("X", "Y") if arm == "VIS" else ("Y", "X")
    error = {axis: used[axis] - position for axis, position in zip("XY", there, strict=True)}
    assert 0.8 < mad_sd(error[across] / used[f"{across}_ERR"]) < 1.35
    # Neighbours may shift a line along dispersion by 0.03 px before it is left out.
    assert mad_sd(error[along] / np.hypot(used[f"{along}_ERR"], 0.02)) < 1.2
    assert np.all(np.abs([np.median(value) for value in error.values()]) < 0.005)


def test_quality_control_is_that_of_the_lines(pinhole_arc, solve):
    product = solve(pinhole_arc("VIS", 11))
    header, lines = fits.getheader(product), fits.getdata(product, "LINES")
    used = lines[lines["USED"] == 1]
    assert header["ESO QC DETLINES TOT"] == len(lines)
    assert header["ESO QC DETLINES NUM"] == lines["DETECTED"].sum()
    assert header["ESO QC GOODLINES FRAC"] == pytest.approx(len(used) / len(lines))
    residual = np.abs(used["Y"] - used["Y_FIT"])
    assert header["ESO QC Y RES MEDIAN"] == pytest.approx(np.median(residual), rel=1e-5)
    assert header["ESO QC Y RES MAX"] == pytest.approx(residual.max(), rel=1e-5)
    # The images of the pinhole are 1.6 to 1.75 px wide.
    assert header["ESO QC FWHM PIN MEDIAN"] == pytest.approx(1.7, abs=0.15)


def with_cards(change):
    def edit(hdus):
        change(hdus[0].header)

    return edit


def without_light(hdus):
    """Leave the noise of a frame without its lines."""
    data = hdus[0].data
    hdus[0].data = np.minimum(data, np.median(data, axis=0).astype(data.dtype))


def moved_away(hdus):
    hdus[0].data[:, 50:] = np.roll(hdus[0].data[:, 50:], 250, axis=1)


def rename_lamp(header):
    del header[kw.ARC_LAMPS["ThAr"]]
    header[f"HIERARCH {kw.LAMP_QTH}"] = "Qth_Lamp"


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (without_light, ArcMismatchError, "peaks"),
        (moved_away, ArcMismatchError, "coincide"),
        (with_cards(rename_lamp), HeaderError, "burning: ThAr"),
        (
            with_cards(lambda header: header.set(kw.VIS_SLIT, "SLIT1.0")),
            HeaderError,
            "through another mask",
        ),
    ],
    ids=["blank", "moved", "lamp", "mask"],
)
def test_a_frame_that_will_not_do_is_named(change, error, words, pinhole_arc, solve, tmp_path):
    arc = pinhole_arc("VIS", 11)
    path = arc.edited(tmp_path / "bad.fits", change)
    with pytest.raises(error, match=words) as caught:
        solve(arc, path=path)
    assert "bad.fits" in str(caught.value)
    assert "remedy" in str(caught.value)
    assert list(tmp_path.glob("disp_tab*")) == []


@both_arms
def test_an_arc_through_the_slit_is_refused_whatever_its_header_says(
    arm, pinhole_arc, solve, tmp_path
):
    slit = pinhole_arc(arm, 11, kind="slit_arc")
    card = {"VIS": kw.VIS_SLIT, "NIR": kw.NIR_SLIT}[arm]
    path = slit.edited(tmp_path / "slit.fits", with_cards(lambda head: head.set(card, "PINHOLE")))
    with pytest.raises(ArcMismatchError, match=r"slit\.fits"):
        solve(pinhole_arc(arm, 11), path=path)


def test_light_of_other_lamps_than_the_header_says_is_refused(pinhole_arc, solve, tmp_path):
    arc = pinhole_arc("NIR", 21, lamps=("Ar", "Hg", "Xe"))

    def only_neon(header):
        for lamp in ("Ar", "Hg", "Xe"):
            del header[kw.ARC_LAMPS[lamp]]
        header[f"HIERARCH {kw.ARC_LAMPS['Ne']}"] = "Neon_Lamp"

    path = arc.edited(tmp_path / "neon.fits", with_cards(only_neon))
    with pytest.raises(ArcMismatchError, match=r"neon\.fits"):
        solve(arc, path=path)


def test_arms_swapped(pinhole_arc, run_recipe, tmp_path):
    arc = pinhole_arc("VIS", 11)
    with pytest.raises(ArmMismatchError):
        run_recipe(SoxsDispSolution, ([arc.path], "PINHOLE_ARC_NIR"))
    path = arc.edited(
        tmp_path / "nir.fits", with_cards(lambda header: header.set("ESO SEQ ARM", "NIR"))
    )
    with pytest.raises(ForeignFrameError):
        run_recipe(SoxsDispSolution, ([path], "PINHOLE_ARC_NIR"))


def test_arcs_of_different_lamps_are_not_averaged(pinhole_arc, run_recipe):
    one = pinhole_arc("NIR", 21, lamps=("Ar", "Hg", "Xe"))
    two = pinhole_arc("NIR", 21, lamps=("Hg", "Ne", "Xe"))
    with pytest.raises(SettingMismatchError, match="different lamps"):
        run_recipe(SoxsDispSolution, ([one.path, two.path], "PINHOLE_ARC_NIR"))


def test_a_list_of_lines_from_the_set_of_frames_is_used(pinhole_arc, solve, tmp_path):
    from importlib.resources import files

    text = (files("soxs_recipes.calib") / "arc_lines_vis.ecsv").read_text()
    head = [line for line in text.splitlines() if line.startswith("#")]
    rows = [line for line in text.splitlines() if not line.startswith("#")]
    path = tmp_path / "mine.ecsv"
    path.write_text("\n".join(head + rows[:1] + rows[1::4]))
    arc = pinhole_arc("VIS", 11)
    all_lines = fits.getdata(solve(arc), "LINES")
    product = solve(arc, ([path], "ARC_LINES_VIS"))
    assert len(fits.getdata(product, "LINES")) < 0.75 * len(all_lines)
    assert "mine.ecsv" in fits.getheader(product)["ESO PRO REC1 CAL* NAME"].values()
    path.write_text("wavelength_nm\n500.0\n")
    with pytest.raises(UnreadableFrameError, match=r"mine\.ecsv"):
        solve(arc, ([path], "ARC_LINES_VIS"))
