"""Ranges of QC parameters: reading, judging, and the note in a product."""

import hashlib
import math

import pytest
from astropy.io import fits
from astropy.table import Table

from soxs_recipes.errors import UnreadableFrameError
from soxs_recipes.qc.ranges import QcRange, outside, read_ranges
from soxs_recipes.recipes import RECIPES, SoxsMbias

HEAD = "# a comment\nrecipe qc arm min max\n"


@pytest.fixture
def table(tmp_path):
    def write(text):
        path = tmp_path / "ranges.ecsv"
        path.write_text(text)
        return path

    return write


def test_table_is_read(table):
    text = HEAD + 'soxs_mbias "RAW RON" VIS 0 15\n\n# more\nsoxs_mdark  "HOTPIX FRAC"  *  -  1e-2\n'
    assert read_ranges(table(text)) == (
        QcRange("soxs_mbias", "RAW RON", "VIS", 0, 15),
        QcRange("soxs_mdark", "HOTPIX FRAC", "*", -math.inf, 0.01),
    )


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "no table"),
        ("recipe qc min max\n", "recipe qc min max"),
        (HEAD + "soxs_mbias RON VIS 0\n", "line 3"),
        (HEAD + "soxs_mbias RON VIS low 3\n", "line 3"),
        (HEAD + "soxs_mbias RON VIS 4 3\n", "line 3: min above max"),
        (HEAD + "soxs_mbias RON VIS nan 3\n", "line 3"),
    ],
)
def test_what_is_wrong_is_named(table, text, found):
    with pytest.raises(UnreadableFrameError, match=found) as caught:
        read_ranges(table(text))
    assert caught.value.file.endswith("ranges.ecsv")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UnreadableFrameError, match=r"none\.ecsv"):
        read_ranges(tmp_path / "none.ecsv")


def test_values_are_judged_by_recipe_and_arm():
    ranges = [
        QcRange("soxs_mbias", "RAW RON", "VIS", 2, 5),
        QcRange("soxs_mbias", "RAW RON", "ACQ", 0, 1),
        QcRange("soxs_mdark", "RAW RON", "*", 0, 1),
        QcRange("soxs_mbias", "OK", "*", 2, 3),
    ]
    values = [("RAW RON", 5.0), ("OK", True), ("OTHER", 9)]
    assert outside(ranges, "soxs_mbias", "VIS", values) == []
    assert outside(ranges, "soxs_mbias", "VIS", [("RAW RON", 5.001)]) == [
        ("RAW RON", 5.001, ranges[0])
    ]
    assert outside(ranges, "soxs_mbias", "ACQ", [("RAW RON", -1)]) == [("RAW RON", -1, ranges[1])]
    assert len(outside(ranges, "soxs_mdark", "NIR", [("RAW RON", 2)])) == 1


def test_packaged_table_is_valid_and_names_declared_parameters():
    from importlib.resources import as_file, files

    with as_file(files("soxs_recipes.calib") / "qc_ranges.ecsv") as path:
        ranges = read_ranges(path)
        assert len(Table.read(path, format="ascii.ecsv")) == len(ranges)
    keys = [(item.recipe, item.qc, item.arm) for item in ranges]
    assert len(set(keys)) == len(keys)
    declared = {recipe.declaration.name: recipe.declaration for recipe in RECIPES}
    for item in ranges:
        if item.recipe in declared:
            arms = declared[item.recipe].arms if item.arm == "*" else (item.arm,)
            for arm in arms:
                assert item.qc in {qc.name for qc in declared[item.recipe].qc_of(arm)}, item


def test_table_of_the_site_is_used_and_recorded(simulated, run_recipe, table):
    files = simulated("bias", arm="VIS", frames=5)
    header = fits.getheader(run_recipe(SoxsMbias, (files, "BIAS_VIS"))["MASTER_BIAS_VIS"])
    ron = header["ESO QC RAW RON"]
    assert header["QCNOUT"] == 0
    assert header["ESO PRO REC1 CAL1 CATG"] == "QC_RANGES"
    assert header["ESO PRO REC1 CAL1 NAME"] == "qc_ranges.ecsv"
    narrow = table(HEAD + 'soxs_mbias "RAW RON" VIS 0 0.5\n')
    sets = (files, "BIAS_VIS"), ([narrow], "QC_RANGES")
    header = fits.getheader(run_recipe(SoxsMbias, *sets)["MASTER_BIAS_VIS"])
    assert header["QCNOUT"] == 1
    assert header["QCOUT1"] == f"RAW RON = {ron:.5g}, not 0 to 0.5"
    assert header["ESO PRO REC1 CAL1 NAME"] == "ranges.ecsv"
    md5 = hashlib.md5(narrow.read_bytes(), usedforsecurity=False).hexdigest()
    assert header["ESO PRO REC1 CAL1 DATAMD5"] == md5
