"""EsoRex with the plugins of the toy recipes and of the package."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import toy_recipes
from esorex_tools import TOY_COMMAND, EsoRex, absent, require

from soxs_recipes.esorex import installation


@pytest.fixture(scope="session")
def esorex_program():
    return require("esorex", "esorex")


@pytest.fixture(scope="session")
def compiler():
    if not Path("/usr/include/cpl.h").exists() and "CPLDIR" not in os.environ:
        absent("cpl.h", "libcpl-dev")
    return require("cc", "gcc")


@pytest.fixture(scope="session")
def toy_plugins(compiler, tmp_path_factory):
    directory = tmp_path_factory.mktemp("plugins") / "Förster's plugins"
    installation.install(directory, lambda: toy_recipes.RECIPES, TOY_COMMAND)
    return directory


@pytest.fixture(scope="session")
def package_plugins(compiler, tmp_path_factory):
    directory = tmp_path_factory.mktemp("package-plugins")
    installation.install(directory)
    return directory


@pytest.fixture
def toy(esorex_program, toy_plugins, tmp_path):
    """EsoRex with the toy recipes, in a directory whose name has a blank and an accent."""
    directory = tmp_path / "in arbeit ä"
    directory.mkdir()
    return EsoRex(esorex_program, toy_plugins, directory)


@pytest.fixture
def package(esorex_program, package_plugins, tmp_path):
    directory = tmp_path / "package"
    directory.mkdir()
    return EsoRex(esorex_program, package_plugins, directory)


@pytest.fixture
def sof(toy):
    """Set of frames with one frame."""
    frame = toy.directory / "frame.dat"
    frame.write_text("data")
    path = toy.directory / "frames.sof"
    path.write_text(f"{frame.name} THING\n")
    return path
