"""Scratch directories and putting products in place."""

import os
import signal
from pathlib import Path

import pytest

from soxs_recipes.cpl_bridge.runner.errors import DeliveryError, UsageError
from soxs_recipes.cpl_bridge.runner.output import (
    Output,
    make_links,
    put_in_place,
    scratch_directory,
    working_directory,
)
from soxs_recipes.products import writing


@pytest.fixture
def moves(tmp_path):
    """Two new products in `scratch` and two older ones in `out`."""
    for folder, text in (("scratch", "new"), ("out", "old")):
        (tmp_path / folder).mkdir()
        for name in ("a", "b"):
            (tmp_path / folder / name).write_text(f"{text} {name}")
    return {tmp_path / "scratch" / name: tmp_path / "out" / name for name in ("a", "b")}


def contents(moves):
    return [target.read_text() for target in moves.values()]


def test_products_replace_older_ones(tmp_path, moves):
    put_in_place(moves, [], tmp_path / "scratch")
    assert contents(moves) == ["new a", "new b"]


def test_everything_is_as_before_if_one_move_fails(tmp_path, moves):
    missing = tmp_path / "no" / "folder" / "c"
    (tmp_path / "scratch" / "c").write_text("new c")
    with pytest.raises(DeliveryError, match=r"no/folder/c.*No such file"):
        put_in_place({**moves, tmp_path / "scratch" / "c": missing}, [], tmp_path / "scratch")
    assert contents(moves) == ["old a", "old b"]
    assert sorted(os.listdir(tmp_path / "out")) == ["a", "b"]  # noqa: PTH208


def test_a_signal_between_two_moves_waits_for_the_last(tmp_path, moves, monkeypatch):
    rename = Path.rename

    def interrupted(self, target):
        signal.raise_signal(signal.SIGINT)
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        put_in_place(moves, [], tmp_path / "scratch")
    assert contents(moves) == ["new a", "new b"]


def test_inputs_are_never_replaced_also_through_links(tmp_path, moves):
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "out" / "b")
    with pytest.raises(DeliveryError, match="would replace an input"):
        put_in_place(moves, [link], tmp_path / "scratch")
    assert contents(moves) == ["old a", "old b"]


def test_the_scratch_directory_is_on_the_output_directory_and_goes(tmp_path):
    with pytest.raises(KeyboardInterrupt), scratch_directory(tmp_path) as scratch:
        assert scratch.parent == tmp_path
        (scratch / "sub").mkdir()
        (scratch / "sub" / "file").write_text("x")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("scratch", [scratch_directory, writing.scratch_directory])
def test_a_signal_while_the_scratch_directory_is_made_leaves_none(scratch, tmp_path, monkeypatch):
    import tempfile

    mkdtemp = tempfile.mkdtemp

    def interrupted(**options):
        made = mkdtemp(**options)
        signal.raise_signal(signal.SIGINT)
        return made

    monkeypatch.setattr(tempfile, "mkdtemp", interrupted)
    with pytest.raises(KeyboardInterrupt), scratch(tmp_path):
        pytest.fail("the block must not be entered")
    assert list(tmp_path.iterdir()) == []


def test_a_scratch_directory_that_cannot_be_made_is_explained(tmp_path):
    with pytest.raises(UsageError, match="cannot be used"), scratch_directory(tmp_path / "no"):
        pytest.fail("the block must not be entered")


def test_the_working_directory_is_restored_after_an_error(tmp_path):
    here = Path.cwd()
    with pytest.raises(ValueError, match="x"), working_directory(tmp_path):
        assert Path.cwd() == tmp_path
        raise ValueError("x")
    assert Path.cwd() == here


def test_names_with_prefix_keep_the_suffix():
    names = ["a.fits", "b.pdf", "c"]
    assert Output().names(names) == names
    assert Output(prefix="x").names(names) == ["x_0000.fits", "x_0001.pdf", "x_0002"]


def test_links_replace_links_and_nothing_else(tmp_path):
    product = tmp_path / "a.fits"
    product.write_text("x")
    links = tmp_path / "links"
    links.mkdir()
    (links / "a.fits").symlink_to("/nowhere")
    make_links([product], links)
    assert (links / "a.fits").read_text() == "x"
    (links / "a.fits").unlink()
    (links / "a.fits").write_text("a file")
    with pytest.raises(DeliveryError, match="Unable to create symbolic link"):
        make_links([product], links)
    assert (links / "a.fits").read_text() == "a file"
