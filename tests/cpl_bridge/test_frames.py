"""Frames, frame sets and recipes behave as PyCPL's (1.0.3, measured)."""

from __future__ import annotations

import pickle

import pytest
from astropy.io import fits

from soxs_recipes.cpl_bridge.embedded import core, ui

Frame = ui.Frame
Group = Frame.FrameGroup


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.fits", "b.fits"):
        (tmp_path / name).touch()
    return tmp_path


def test_enumerations_have_cpls_numbers():
    numbers = [
        {name: int(member) for name, member in kind.__members__.items()}
        for kind in (Group, Frame.FrameLevel, Frame.FrameType)
    ]
    assert numbers == [
        {"NONE": 0, "CALIB": 2, "PRODUCT": 3, "RAW": 1},
        {"NONE": 0, "TEMPORARY": 1, "INTERMEDIATE": 2, "FINAL": 3},
        {"NONE": 1, "MATRIX": 4, "IMAGE": 2, "PAF": 16, "TABLE": 8, "ANY": 32},
    ]
    assert Group.RAW == 1
    assert Group.RAW != Frame.FrameLevel.TEMPORARY
    assert repr(Group.RAW) == "<FrameGroup.RAW: 1>"
    assert str(Group.RAW) == "FrameGroup.RAW"


def test_defaults_and_printed_forms(files):
    frame = Frame("a.fits")
    assert (frame.tag, frame.group, frame.level, frame.type) == ("", 0, 0, 1)
    frame = Frame("a.fits", "T", Group.RAW, frameType=Frame.FrameType.IMAGE)
    assert str(frame) == (
        "(file=a.fits, tag=T, group=FrameGroup.RAW, level=FrameLevel.NONE, type=FrameType.IMAGE)"
    )
    assert repr(frame) == (
        "cpl.ui.Frame('a.fits', 'T', cpl.ui.Frame.FrameGroup.RAW, "
        "cpl.ui.Frame.FrameLevel.NONE, cpl.ui.Frame.FrameType.IMAGE)"
    )
    assert frame.dump(show=False) == (
        "a.fits  \tT  CPL_FRAME_TYPE_IMAGE  CPL_FRAME_GROUP_RAW  CPL_FRAME_LEVEL_NONE  \n"
    )


def test_the_file_must_exist_when_the_frame_is_made(files):
    with pytest.raises(core.FileIOError) as caught:
        Frame("gone.fits")
    assert caught.value.message == "gone.fits could not be found"
    assert isinstance(caught.value, RuntimeError)
    frame = Frame(files / "a.fits")
    frame.file = "gone.fits"
    assert frame.file == "gone.fits"


@pytest.mark.parametrize("arguments", [("a.fits", None), ("a.fits", "T", 1), (3,)])
def test_wrong_arguments(files, arguments):
    with pytest.raises(TypeError, match=r"frameType: cpl\.ui\.Frame\.FrameType"):
        Frame(*arguments)
    with pytest.raises(TypeError):
        Frame("a.fits", ftype=Frame.FrameType.IMAGE)


def test_equality_and_pickling(files):
    frame = Frame("a.fits", "T", Group.CALIB)
    assert frame == Frame("a.fits", "T", Group.CALIB) == pickle.loads(pickle.dumps(frame))
    assert frame != Frame("a.fits", "T")
    assert frame != 3
    sof = ui.FrameSet([frame, Frame("b.fits")])
    assert pickle.loads(pickle.dumps(sof)) == sof
    with pytest.raises(TypeError, match="unhashable"):
        hash(frame)


def test_astropy_views(files):
    fits.PrimaryHDU([[1.0, 2.0]], fits.Header({"BUNIT": "adu"})).writeto("c.fits")
    with Frame("c.fits").as_hdulist(memmap=False) as hdus:
        assert hdus[0].data.tolist() == [[1.0, 2.0]]
    assert Frame("c.fits").as_ccddata().unit == "adu"


def test_set_access(files):
    sof = ui.FrameSet(Frame(n, n[0]) for n in ("a.fits", "b.fits"))
    sof[0].group = Group.RAW
    assert [(f.tag, f.group.name) for f in sof] == [("a", "RAW"), ("b", "NONE")]
    assert sof[-1] is sof[1]
    assert Frame("b.fits", "b") in sof
    for key in ("a", slice(0, 1)):
        with pytest.raises(TypeError, match="incompatible function arguments"):
            sof[key]
    with pytest.raises(IndexError):
        sof[2]
    for bad in ([1], 3, None):
        with pytest.raises(TypeError):
            ui.FrameSet(bad)
    assert len(ui.FrameSet(frames=[sof[0]])) == len(ui.FrameSet([sof[0]])) == 1


@pytest.mark.parametrize(("count", "lines"), [(1, 1), (15, 15), (16, 7), (50, 7)])
def test_long_sets_are_abbreviated(files, count, lines):
    sof = ui.FrameSet([Frame("a.fits")] * count)
    assert len(str(sof).split("\n")) == len(repr(sof).split("\n")) == lines
    assert str(ui.FrameSet()) == "[]"


def test_set_of_frames_file(files, monkeypatch):
    monkeypatch.setenv("SOXS_TEST", "a")
    text = (
        "# comment\n\na.fits TAG1\nb.fits\tTAG2   RAW\n  a.fits   T3 CALIB more\n"
        "b.fits T4 PRODUCT\nb.fits\n#b.fits x\na.fits X # note\n$SOXS_TEST.fits T5 raw\n"
        "'a.fits' T6\n<bad>name)$(command) T7\n`echo a.fits` T8\n$SOXS_NOT_SET T9\n?.fits T10\n"
    )
    (files / "x.sof").write_text(text)
    found = [(f.file.removeprefix(f"{files}/"), f.tag, f.group.name) for f in ui.FrameSet("x.sof")]
    assert found[:5] == [
        ("a.fits", "TAG1", "NONE"),
        ("b.fits", "TAG2", "RAW"),
        ("a.fits", "T3", "CALIB"),
        ("b.fits", "T4", "NONE"),
        ("b.fits", "", "NONE"),
    ]
    assert [tag for _, tag, _ in found[5:]] == ["X", "T5", "T6", "T10"]


def test_bad_set_of_frames_files(files):
    with pytest.raises(core.FileNotFoundError) as caught:
        ui.FrameSet(sof_filename="none.sof")
    assert caught.value.message == "none.sof"
    assert not isinstance(caught.value, FileNotFoundError)
    (files / "x.sof").write_text("a.fits T\ngone.fits T\n")
    with pytest.raises(core.FileIOError, match=r"gone\.fits could not be found"):
        ui.FrameSet("x.sof")


REQUIRED = ("name", "author", "copyright", "description", "email", "synopsis", "version")


def recipe_class(**attributes):
    texts = {f"_{name}": name for name in REQUIRED}
    return type("R", (ui.PyRecipe,), {**texts, "run": lambda self, f, s: f, **attributes})


@pytest.mark.parametrize("name", REQUIRED)
def test_recipe_attributes_are_required(name):
    text = f"Can't instantiate class R with class variable _{name} not set."
    with pytest.raises(TypeError) as caught:
        recipe_class(**{f"_{name}": None})()
    assert str(caught.value) == text
    assert getattr(recipe_class()(), name) == name


def test_recipe_class():
    assert repr(recipe_class()()) == "<cpl.ui.Recipe name>"
    with pytest.raises(TypeError, match="abstract class R with abstract method run"):
        recipe_class(run=ui.PyRecipe.run)()
    with pytest.raises(TypeError, match="takes 1 positional argument but 2 were given"):
        recipe_class()(1)
    assert not hasattr(recipe_class()(), "parameters")
    assert issubclass(ui.CRecipe, ui.AbstractRecipe)
    assert not issubclass(ui.CRecipe, ui.PyRecipe)
    with pytest.raises(ui.RecipeNotFoundException, match="Cannot find recipe x"):
        ui.CRecipe("x")
