"""Sets of frames: reading and writing."""

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soxs_recipes.cpl_bridge import cpl
from soxs_recipes.cpl_bridge.runner import sof
from soxs_recipes.cpl_bridge.runner.errors import SofError, UsageError

WORD = st.text(
    st.characters(whitelist_categories=("L", "N"), whitelist_characters="._-+"), min_size=1
)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.fits", "a b.fits", "Núñez ü.fits", "x #1.fits"):
        (tmp_path / name).write_text(name)
    return tmp_path


def read(here, text, **options):
    (here / "in.sof").write_text(text)
    frames = sof.read_sof("in.sof", **options)
    return [(f.file, f.tag, f.group.name) for f in frames]


@pytest.mark.parametrize(
    ("line", "name", "tag", "group"),
    [
        ("a.fits BIAS", "a.fits", "BIAS", "NONE"),
        ("a.fits\t \tBIAS   RAW", "a.fits", "BIAS", "RAW"),
        ("  a.fits BIAS CALIB rest of line", "a.fits", "BIAS", "CALIB"),
        ("a.fits BIAS raw", "a.fits", "BIAS", "NONE"),
        ("a.fits BIAS # a comment", "a.fits", "BIAS", "NONE"),
        ("a.fits", "a.fits", "", "NONE"),
        ("$HERE/a.fits BIAS", "a.fits", "BIAS", "NONE"),
        ("./a.fits BIAS\r", "a.fits", "BIAS", "NONE"),
        ("a b.fits BIAS RAW", "a b.fits", "BIAS", "RAW"),
        ('"a b.fits" BIAS RAW', "a b.fits", "BIAS", "RAW"),
        ("Núñez ü.fits\tBIAS", "Núñez ü.fits", "BIAS", "NONE"),
        ("x #1.fits BIAS", "x #1.fits", "BIAS", "NONE"),
    ],
)
def test_lines(here, monkeypatch, line, name, tag, group):
    monkeypatch.setenv("HERE", str(here))
    assert read(here, f"# comment\n\n{line}\n") == [(str(here / name), tag, group)]


def test_lines_that_cpl_reads_are_read_as_cpl_reads_them(here):
    text = "#c\n\na.fits\t BIAS  RAW  x\n a.fits DARK CALIB\na.fits FLAT other\na.fits\n"
    ours = read(here, text)
    theirs = [(f.file, f.tag, f.group.name) for f in cpl.ui.FrameSet("in.sof")]
    assert ours == theirs


@given(names=st.lists(st.tuples(WORD, WORD), max_size=5))
def test_any_plain_names_are_taken_apart(tmp_path_factory, names):
    directory = tmp_path_factory.getbasetemp()
    text = "".join(f"{name} {tag}\n" for name, tag in names)
    entries = sof.parse_sof(text, directory)
    assert [(e.path.name, e.tag) for e in entries if e.path.name] == [
        (os.path.basename(os.path.normpath(directory / n)), t)  # noqa: PTH119
        for n, t in names
    ]


def test_relative_paths_count_from_the_working_directory(here, monkeypatch):
    (here / "lists").mkdir()
    (here / "lists" / "in.sof").write_text("a.fits BIAS\n")
    (frame,) = sof.read_sof("lists/in.sof")
    assert frame.file == str(here / "a.fits")


def test_a_missing_file_is_named_with_line_and_remedy(here):
    with pytest.raises(SofError) as raised:
        read(here, "a.fits BIAS\n\nnone.fits DARK\n")
    text = str(raised.value)
    assert f"'{here / 'none.fits'}' with tag 'DARK' in line 3 of the SOF 'in.sof'" in text
    assert "does not exist" in text
    assert "--check-sof-exist=FALSE" in text
    assert raised.value.status == 9


def test_a_missing_file_is_kept_if_the_check_is_off(here):
    frames = read(here, "none.fits DARK\n", check_files=False)
    assert frames == [(str(here / "none.fits"), "DARK", "NONE")]


def test_a_directory_is_no_frame(here):
    (here / "folder").mkdir()
    with pytest.raises(SofError, match="folder"):
        read(here, "folder DARK\n")


def test_a_missing_sof_is_named(here):
    with pytest.raises(SofError, match=r"Unable to open SOF file 'no\.sof'"):
        sof.read_sof("no.sof")


def test_a_fits_file_in_place_of_a_sof_is_recognised(here):
    (here / "raw.fits").write_bytes(b"SIMPLE  =                    T" + bytes(2850))
    with pytest.raises(SofError, match="FITS file, not a SOF"):
        sof.read_sof("raw.fits")


def test_an_empty_sof_is_an_empty_set(here):
    assert read(here, "# nothing\n") == []


def test_products_are_listed_as_esorex_does(here):
    products = [("out/a.fits", "THING"), ("out/b.txt", "NOTES")]
    sof.write_products_sof(here / "p.sof", products)
    sof.write_products_sof(here / "p.json", products)
    assert (here / "p.sof").read_text() == "out/a.fits     THING\nout/b.txt     NOTES\n"
    assert json.loads((here / "p.json").read_text()) == [
        {"name": "out/a.fits", "category": "THING"},
        {"name": "out/b.txt", "category": "NOTES"},
    ]


def test_listed_products_can_be_read_again(here):
    sof.write_products_sof(here / "in.sof", [("a b.fits", "THING"), ("a.fits", "OTHER")])
    frames = sof.read_sof("in.sof")
    assert [(f.file, f.tag) for f in frames] == [
        (str(here / "a b.fits"), "THING"),
        (str(here / "a.fits"), "OTHER"),
    ]


def test_an_unwritable_list_is_an_error_and_leaves_nothing(here):
    (here / "p.sof").mkdir()
    with pytest.raises(UsageError, match=r"--products-sof=.*p\.sof"):
        sof.write_products_sof(here / "p.sof", [("a.fits", "THING")])
    assert not (here / "p.sof.partial").exists()
