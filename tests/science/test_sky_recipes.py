"""soxs_stare, soxs_nod and soxs_offset on simulated exposures with known flexure and positions."""

import json

import numpy as np
import pytest
from astropy.io import fits

from soxs_recipes.algorithms.robust import mad_sd
from soxs_recipes.errors import (
    ArmMismatchError,
    InputError,
    MissingInputError,
    ParameterError,
    SettingMismatchError,
)
from soxs_recipes.recipes.soxs_nod import SoxsNod
from soxs_recipes.recipes.soxs_offset import SoxsOffset
from soxs_recipes.recipes.soxs_stare import SoxsStare
from soxs_simulator.frames import Run
from soxs_simulator.observations import simulate_observation
from soxs_simulator.schedule import Observation, Target
from tests.science.conftest import SEED

TARGET = Target("PL_16", 165.4, -35.2)
MODES = {
    "stare": ("std_telluric_stare", "VIS", {}),
    "nod": ("object_async_nod", "NIR", {"jitter_arcsec": 1.0, "cycles": 1}),
    "offset": ("object_async_offset", "VIS", {"cycles": 1}),
    "map": ("object_map", "VIS", {"cycles": 2, "nod_throw_arcsec": 6.0}),
}


@pytest.fixture(scope="module")
def taken(tmp_path_factory):
    """Exposures of a mode in order of time, each set made once, and their truth by name."""
    made = {}

    def take(mode):
        if mode not in made:
            kind, arm, options = MODES[mode]
            out = tmp_path_factory.mktemp(mode)
            plan = Observation(kind, TARGET, "SLIT1.0", 300.0, 120.0, **options)
            paths = simulate_observation(out, plan, Run(seed=SEED), arms=(arm,))
            made[mode] = paths, json.loads((out / "truth" / "manifest.json").read_text())["frames"]
        return made[mode]

    return take


def check_noise(path, strips, slit_arcsec=0.0):
    """Away from the object nothing is left but noise of the size that the errors say.

    Pixels that were fitted scatter by less than their error, which has the model's in it.
    """
    with fits.open(path) as hdus:
        usable = (hdus["QUAL"].data == 0).ravel()
        error = np.where(usable, hdus["ERRS"].data.ravel(), 1)
        ratio = np.where(usable, hdus["FLUX"].data.ravel() / error, np.nan)
    away = [strip.index[np.abs(strip.slit_arcsec - slit_arcsec) > 3.5] for strip in strips]
    left = ratio[np.concatenate(away)]
    assert 0.85 < mad_sd(left) < 1.05
    assert abs(np.nanmedian(left)) < 0.05


def test_stare_of_a_telluric_standard(taken, reduce, strips):
    (path,), truth = taken("stare")
    products = reduce(SoxsStare, (path, "STD_TELLURIC_STARE_VIS"))
    assert set(products) == {"TELL_SKY_SUB_VIS", "TELL_SKY_MODEL_VIS"}
    raw = fits.getheader(path)
    with fits.open(products["TELL_SKY_SUB_VIS"][0]) as hdus:
        header, beams, geometry = hdus[0].header, hdus["BEAMS"].data, hdus["GEOMETRY"].data[0]
        middle = raw["MJD-OBS"] + raw["EXPTIME"] / 2 / 86400
        assert header["MJD-MID"] == pytest.approx(middle, abs=1e-8)
        assert header["EXPTIME"] == raw["EXPTIME"]
        assert beams["SIGN"].tolist() == [1]
        assert beams["SLIT"].tolist() == [0.0]
        shift = geometry["DX"], geometry["DY"]
        assert shift == pytest.approx(truth[path.name]["flexure_px"], abs=0.05)
        assert header["ESO QC N OBJECTS"] == 1
        assert header["ESO QC OBJECT SLIT"] == pytest.approx(0.0, abs=0.1)
        for name in ("LINES", "BETWEEN"):
            assert header[f"ESO QC SKY RES {name}"] == pytest.approx(1.0, abs=0.05)
        assert 0 < header["ESO QC CRH FRAC"] < 0.005
    check_noise(products["TELL_SKY_SUB_VIS"][0], strips["VIS"])


def test_telluric_bands_tell_the_flexure_of_a_short_exposure(tmp_path, reduce, solution):
    """In 20 s the VIS shows too few sky lines; the star's bands are off by 0.1 px in the scene."""
    star = Target("A0V_9", 165.4, -35.2)
    plan = Observation("std_telluric_stare", star, "SLIT1.0", 20.0, 2.0)
    (path,) = simulate_observation(tmp_path / "raw", plan, Run(seed=SEED), arms=("VIS",))
    moved = solution["VIS"].shifted(0.0, 0.4)
    header = fits.getheader(
        reduce(SoxsStare, (path, "STD_TELLURIC_STARE_VIS"), known=moved).popitem()[1][0]
    )
    truth = json.loads((tmp_path / "raw" / "truth" / "manifest.json").read_text())["frames"]
    assert header["ESO QC FLEXURE BANDS"] >= 3
    assert header["ESO QC FLEXURE Y ERR"] < 0.08
    found = header["ESO QC FLEXURE Y"] + 0.4
    assert found == pytest.approx(truth[path.name]["flexure_px"][1], abs=0.16)
    assert "telluric bands" in str(header["HISTORY"])


def test_without_flexure_the_solution_stays(taken, reduce):
    (path,), _ = taken("stare")
    products = reduce(SoxsStare, (path, "OBJECT_STARE_VIS"), flexure=False, cosmic_rays=False)
    with fits.open(products["SCI_SKY_SUB_VIS"][0]) as hdus:
        assert hdus["GEOMETRY"].data["DX"][0] == hdus["GEOMETRY"].data["DY"][0] == 0
        assert hdus[0].header["ESO QC CRH FRAC"] == 0


def test_nod_gives_a_product_per_exposure(taken, reduce, strips):
    paths, truth = taken("nod")
    products = reduce(SoxsNod, *((path, "OBJECT_NOD_NIR") for path in paths), arm="NIR")
    assert [len(found) for found in products.values()] == [2, 2]
    for path, product in zip(paths, products["SCI_SKY_SUB_NIR"], strict=True):
        record = truth[path.name]
        with fits.open(product) as hdus:
            header, beams = hdus[0].header, hdus["BEAMS"].data
            assert header["ESO PRO REC1 RAW1 NAME"] == path.name
            assert beams["SIGN"].tolist() == [1]
            assert beams["SLIT"][0] == pytest.approx(record["nod"]["cumulative_y"])
            assert header["ESO QC OBJECT SLIT"] == pytest.approx(beams["SLIT"][0], abs=0.2)
            assert header["ESO QC NOD THROW"] == pytest.approx(5.0)
            shift = [header[f"ESO QC FLEXURE {axis}"] for axis in "XY"]
            assert shift == pytest.approx(record["flexure_px"], abs=0.05)
            assert header["EXPTIME"] == 120.0
        check_noise(product, strips["NIR"], beams["SLIT"][0])


def test_nod_difference_holds_the_object_twice(taken, reduce):
    paths, _ = taken("nod")
    tagged = [(path, "OBJECT_NOD_NIR") for path in paths]
    products = reduce(SoxsNod, *tagged, arm="NIR", nod_sky="difference")
    (path,) = products["SCI_SKY_SUB_NIR"]
    with fits.open(path) as hdus:
        header, beams = hdus[0].header, hdus["BEAMS"].data
        assert beams["SIGN"].tolist() == [1, -1]
        assert beams["SLIT"][0] - beams["SLIT"][1] == pytest.approx(5.0)
        assert header["ESO QC N OBJECTS"] == 2
        for name in ("LINES", "BETWEEN"):
            assert header[f"ESO QC SKY RES {name}"] == pytest.approx(1.0, abs=0.05)
        usable = hdus["QUAL"].data == 0
        assert mad_sd((hdus["FLUX"].data / hdus["ERRS"].data)[usable]) < 1.3


def test_nod_at_one_position_names_files_and_offsets(taken, reduce):
    paths, truth = taken("nod")
    offset = truth[paths[0].name]["nod"]["cumulative_y"]
    with pytest.raises(InputError, match=f"{paths[0].name}: {offset:g}"):
        reduce(SoxsNod, (paths[0], "OBJECT_NOD_NIR"), arm="NIR")


def test_nod_positions_may_be_told(taken, reduce, capfd):
    paths, _ = taken("nod")
    reduce(SoxsNod, (paths[0], "OBJECT_NOD_B_NIR"), (paths[1], "OBJECT_NOD_A_NIR"), arm="NIR")
    assert f"Position A: {paths[1].name}" in capfd.readouterr().out


@pytest.mark.parametrize("sky", ["both", "frames", "model"])
def test_offset_reduces_the_exposures_on_target(taken, reduce, strips, sky):
    paths, truth = taken("offset")
    tagged = [(path, "OBJECT_OFFSET_VIS") for path in paths]
    products = reduce(SoxsOffset, *tagged, offset_sky=sky)
    (path,) = products["SCI_SKY_SUB_VIS"]
    header = fits.getheader(path)
    assert truth[header["ESO PRO REC1 RAW1 NAME"]]["on_target"]
    assert header["ESO QC N SKY FRAMES"] == (0 if sky == "model" else 1)
    check_noise(path, strips["VIS"])


def test_what_zero_levels_differ_by_is_no_light(taken, reduce, strips, tmp_path):
    """The sky of the second position is taken from the first, whose zero level is higher."""
    paths, _ = taken("nod")
    raised = tmp_path / "raised.fits"
    with fits.open(paths[0]) as hdus:
        hdus[0].data[4:-4, 4:-4] += np.asarray(20, hdus[0].data.dtype)
        hdus.writeto(raised)
    medians = []
    for sky in (paths[0], raised):
        tagged = (paths[1], "OBJECT_OFFSET_NIR"), (sky, "OBJECT_OFFSET_SKY_NIR")
        products = reduce(SoxsOffset, *tagged, arm="NIR", offset_sky="frames")
        left = fits.getdata(products["SCI_SKY_SUB_NIR"][0], "FLUX").ravel()
        away = [one.index[np.abs(one.slit_arcsec) < 0.5] for one in strips["NIR"]]
        medians.append(np.median(left[np.concatenate(away)]))
    assert medians[1] == pytest.approx(medians[0], abs=0.3)


def test_offset_is_overruled_by_tag_and_parameter(taken, reduce):
    on, off = taken("offset")[0]
    told = reduce(SoxsOffset, (on, "OBJECT_OFFSET_SKY_VIS"), (off, "OBJECT_OFFSET_VIS"))
    numbered = reduce(
        SoxsOffset, (on, "OBJECT_OFFSET_VIS"), (off, "OBJECT_OFFSET_VIS"), on_target="2"
    )
    for products in (told, numbered):
        header = fits.getheader(products["SCI_SKY_SUB_VIS"][0])
        assert header["ESO PRO REC1 RAW1 NAME"] == off.name
        assert header["ESO QC N OBJECTS"] == 0


def test_offset_without_sky_lists_the_offsets(taken, reduce):
    on, off = taken("offset")[0]
    with pytest.raises(InputError, match=rf"{on.name}: \(-?\d"):
        reduce(SoxsOffset, (on, "OBJECT_OFFSET_VIS"))
    with pytest.raises(ParameterError, match="1 to 2"):
        tagged = [(path, "OBJECT_OFFSET_VIS") for path in (on, off)]
        reduce(SoxsOffset, *tagged, on_target="1,7")


def test_map_tags_every_position(taken, reduce):
    paths, truth = taken("map")
    tagged = [(path, "OBJECT_MAP_VIS") for path in paths]
    with pytest.raises(InputError, match="--mode=map"):
        reduce(SoxsOffset, *tagged)
    products = reduce(SoxsOffset, *tagged, mode="map")["SCI_SKY_SUB_VIS"]
    assert len(products) == 2
    for path, product in zip(paths, products, strict=True):
        header = fits.getheader(product)
        assert header["MAPSLIT"] == truth[path.name]["nod"]["cumulative_y"]
        assert header["ESO QC OBJECT SLIT"] == pytest.approx(header["MAPSLIT"], abs=0.2)


def test_frames_that_do_not_belong_together_are_refused(taken, reduce, solution):
    (star,), (on, _) = taken("stare")[0], taken("offset")[0]
    nod, _ = taken("nod")[0]
    with pytest.raises(MissingInputError, match="sets of their own"):
        reduce(SoxsStare, (star, "STD_TELLURIC_STARE_VIS"), (on, "OBJECT_STARE_VIS"))
    with pytest.raises(ArmMismatchError):
        reduce(SoxsStare, (star, "OBJECT_STARE_VIS"), (nod, "OBJECT_STARE_NIR"))
    with pytest.raises(SettingMismatchError, match="binning"):
        reduce(SoxsStare, (star, "OBJECT_STARE_VIS"), known=solution["VIS"].binned(2, 1))
