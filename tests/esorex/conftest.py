"""EsoRex, the plugins of the toy recipes and of the package, and a way to run them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import toy_recipes

from soxs_recipes.esorex import installation


def require(program, package):
    """Path of a program; without it tests are skipped, on a build server they fail."""
    path = shutil.which(program)
    if path:
        return path
    message = f"{program} is not installed (Debian package {package})"
    pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    return None


class Done(NamedTuple):
    status: int
    out: str
    log: str


class EsoRex:
    """Runs EsoRex with a folder of plugins in a working directory."""

    def __init__(self, program, plugins, directory):
        self.program = program
        self.plugins = plugins
        self.directory = directory

    def command(self, *arguments):
        return [self.program, f"--recipe-dir={self.plugins}", *map(str, arguments)]

    def run(self, *arguments, wrapper=(), **options):
        """Run to the end and return the status, what was printed and the log file."""
        done = subprocess.run(
            [*wrapper, *self.command(*arguments)],
            cwd=self.directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            timeout=120,
            check=False,
            **options,
        )
        log = self.directory / "esorex.log"
        text = log.read_text(errors="replace") if log.exists() else ""
        return Done(done.returncode, done.stdout, text)

    def start(self, *arguments, wrapper=()):
        """Start in the background, in a session of its own."""
        return subprocess.Popen(
            [*wrapper, *self.command(*arguments)],
            cwd=self.directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            start_new_session=True,
        )


@pytest.fixture(scope="session")
def esorex_program():
    return require("esorex", "esorex")


@pytest.fixture(scope="session")
def compiler():
    if not Path("/usr/include/cpl.h").exists() and "CPLDIR" not in os.environ:
        message = "cpl.h is not installed (Debian package libcpl-dev)"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    return require("cc", "gcc")


TOY_COMMAND = (sys.executable, "-X", "utf8", "-E", "-P", toy_recipes.__file__)


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
