"""Recognising a full disk."""

import errno
import os
import shutil
from collections import namedtuple

import pytest

from soxs_recipes.cpl_bridge import cpl
from soxs_recipes.cpl_bridge.runner.disk import full_disk_remedy

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def free(monkeypatch):
    """Set the free space that the file system reports."""

    def set_free(number):
        monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, number))

    set_free(10**9)
    return set_free


def chained(cause):
    try:
        try:
            raise cause
        except type(cause) as error:
            raise RuntimeError("could not save") from error
    except RuntimeError as error:
        return error


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "no space left"),
        (errno.EDQUOT, "quota exceeded"),
        (errno.EFBIG, "ulimit -f"),
    ],
)
def test_error_numbers_also_of_the_cause(tmp_path, free, number, words):
    error = OSError(number, os.strerror(number), "a.fits")
    for raised in (error, chained(error)):
        text = full_disk_remedy(raised, tmp_path)
        assert "Writing 'a.fits'" in text
        assert words in text
        assert "1000 MB are free" in text
        assert "--output-dir" in text


def test_short_writes_of_numpy_name_the_newest_file(tmp_path, free):
    (tmp_path / "old.fits").write_text("x")
    os.utime(tmp_path / "old.fits", (0, 0))
    (tmp_path / "new.fits").write_text("x")
    error = OSError("100000 requested and 76080 written")
    assert "Writing 'new.fits'" in full_disk_remedy(error, tmp_path)
    assert "ulimit" in full_disk_remedy(error, tmp_path)
    free(100)
    assert "no space left" in full_disk_remedy(error, tmp_path)


def test_errors_of_cpl_count_on_a_full_disk_only(tmp_path, free):
    error = cpl.core.FileIOError("could not write")
    assert full_disk_remedy(error, tmp_path) == ""
    free(100)
    assert "Writing 'a product'" in full_disk_remedy(error, tmp_path)


def test_other_errors_are_left_alone(tmp_path, free):
    free(0)
    for error in (ValueError("x"), FileNotFoundError(errno.ENOENT, "none"), OSError("broken")):
        assert full_disk_remedy(error, tmp_path) == ""
