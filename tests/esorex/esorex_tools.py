"""EsoRex in tests: the program, and a way to run it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from typing import NamedTuple

import pytest
import toy_recipes

TOY_COMMAND = (sys.executable, "-X", "utf8", "-E", "-P", toy_recipes.__file__)


def absent(what, package):
    """Skip a test that needs something; on a build server it fails."""
    message = f"{what} is not installed (Debian package {package})"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def require(program, package):
    """Path of a program."""
    return shutil.which(program) or absent(program, package)


def wait_for(condition, seconds=20.0):
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.005)


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
