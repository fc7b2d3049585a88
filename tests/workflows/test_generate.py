"""Generated files: up to date, installed with the user's directories, names of final products."""

from __future__ import annotations

import importlib.util
from xml.etree import ElementTree

import pytest

from soxs_recipes.errors import SoxsError
from soxs_recipes.workflows import __main__ as command
from soxs_recipes.workflows import cli
from soxs_recipes.workflows.generate import (
    CALIB_TOKEN,
    REFERENCE,
    REFLEX_TOKEN,
    ROOT_TOKEN,
    generated,
    recipe_cascade,
    shipped_files,
    stale,
)


def test_committed_files_are_up_to_date(capsys):
    assert stale(generated(recipe_cascade()), shipped_files()) == []
    assert command.main(["--check"]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told == [f"{name}: up to date" for name in ("soxs.xml", "soxs.oca", REFERENCE)]


def test_stale_files_are_told_and_written(tmp_path, capsys):
    directory = ["--directory", str(tmp_path)]
    assert command.main([*directory, "--check"]) == 1
    assert not list(tmp_path.iterdir())
    assert command.main(directory) == 0
    assert command.main([*directory, "--check"]) == 0
    (tmp_path / "soxs.oca").write_text("")
    assert command.main([*directory, "--check"]) == 1
    assert "soxs.oca: stale" in capsys.readouterr().out


def value(root, name):
    return next(item.get("value") for item in root.iter("property") if item.get("name") == name)


def test_install(tmp_path, capsys):
    home = tmp_path / 'my "data" & $more'
    status = cli.main(
        ["install", str(tmp_path / "flows"), "--root-data-dir", str(home)],
    )
    assert status == 0
    text = (tmp_path / "flows" / "soxs.xml").read_text("utf-8")
    assert not [token for token in (ROOT_TOKEN, CALIB_TOKEN, REFLEX_TOKEN) if token in text]
    root = ElementTree.fromstring(text)
    escaped = str(home).replace("$", "$$")
    assert value(root, "ROOT_DATA_DIR") == f"{escaped}/"
    assert value(root, "CALIB_DATA_DIR") == f"{escaped}/reflex_calib/"
    oca = tmp_path / "flows" / "soxs.oca"
    assert value(root, "OCA File") == str(oca)
    assert oca.read_text() == (shipped_files() / "soxs.oca").read_text()
    assert (home / "reflex_input" / "soxs").is_dir()
    assert str(oca) in capsys.readouterr().out


def test_install_says_what_is_in_the_way(tmp_path):
    (tmp_path / "flows").write_text("a file")
    with pytest.raises(SoxsError, match="flows"):
        cli.main(["install", str(tmp_path / "flows"), "--root-data-dir", str(tmp_path / "data")])


def test_check(capsys):
    assert cli.main(["check"]) == 0
    assert "no fault" in capsys.readouterr().out


@pytest.fixture(scope="module")
def renamer():
    path = shipped_files() / "product_renamer.py"
    spec = importlib.util.spec_from_file_location("product_renamer", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


NAMES = "HIERARCH.ESO.OBS.NAME,'_',HIERARCH.ESO.PRO.CATG"


def test_final_names(renamer):
    cards = {"HIERARCH.ESO.OBS.NAME": "SN 2026a/b ", "HIERARCH.ESO.PRO.CATG": "SCI_SLIT_FLUX_VIS"}
    assert renamer.product_stem(NAMES, cards.get) == "SN_2026a_b__SCI_SLIT_FLUX_VIS"
    assert renamer.product_stem(NAMES, {}.get) == "UNKNOWN_UNKNOWN"


@pytest.mark.parametrize(
    ("mode", "taken", "name"),
    [
        ("append_version", [], "a.fits"),
        ("append_version", ["a.fits"], "a_1.fits"),
        ("append_version", ["a.fits", "a_1.fits"], "a_2.fits"),
        ("overwrite", ["a.fits"], "a.fits"),
        ("stop", [], "a.fits"),
    ],
)
def test_nothing_is_replaced_unasked(renamer, tmp_path, mode, taken, name):
    for item in taken:
        (tmp_path / item).write_text("old")
    assert renamer.free_path(str(tmp_path), "a", mode) == str(tmp_path / name)


def test_stop_mode(renamer, tmp_path):
    (tmp_path / "a.fits").write_text("old")
    with pytest.raises(OSError, match=r"a\.fits"):
        renamer.free_path(str(tmp_path), "a", "stop")


@pytest.mark.parametrize("mode", ["copy", "link"])
def test_place(renamer, tmp_path, mode):
    source, target = tmp_path / "source.fits", tmp_path / "target.fits"
    source.write_text("new")
    target.write_text("old")
    renamer.place(str(source), str(target), mode)
    assert target.read_text() == "new"
    assert target.is_symlink() is (mode == "link")
    assert sorted(item.name for item in tmp_path.iterdir()) == ["source.fits", "target.fits"]
