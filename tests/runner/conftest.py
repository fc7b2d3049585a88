"""Toy recipes and a place to run them in."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from soxs_recipes.cpl_bridge.runner import cli

TOY = """
import errno, os, signal, sys, time
from pathlib import Path
from soxs_recipes.cpl_bridge import cpl

PRODUCT = cpl.ui.Frame.FrameGroup.PRODUCT
BEHAVIOURS = (
    "ok", "two", "text", "nothing", "absolute", "fail", "key_error", "cpl_error", "soxs_error",
    "exit", "none", "missing", "twice", "subdirectory", "outside", "returns_input", "enospc",
    "large", "large_fits", "sleep", "warn",
)


def fits_product(name, raw=""):
    import numpy as np
    from astropy.io import fits
    header = fits.Header()
    header["HIERARCH ESO PRO CATG"] = "TOY"
    if raw:
        header["HIERARCH ESO PRO REC1 RAW1 NAME"] = raw
    fits.PrimaryHDU(np.arange(12, dtype="f4").reshape(3, 4), header).writeto(name)
    return cpl.ui.Frame(str(name), tag="TOY", group=PRODUCT)


class Toy(cpl.ui.PyRecipe):
    _name = "toy"
    _version = "1.2.3"
    _author = "A. Author"
    _email = "author@example.org"
    _copyright = "GNU General Public License"
    _synopsis = "Make a toy"
    _description = "Line one.\\n\\n  * an indented item " + "that is long " * 8

    def __init__(self):
        ui = cpl.ui
        self.parameters = ui.ParameterList([
            ui.ParameterEnum("soxs.toy.behave", "What to do", "soxs.toy", "ok", BEHAVIOURS),
            ui.ParameterRange("soxs.toy.kappa", "Clipping limit", "soxs.toy", 3.5, 1.0, 10.0),
            ui.ParameterRange("soxs.toy.niter", "Iterations", "soxs.toy", 3, 1, 10),
            ui.ParameterValue("soxs.toy.count", "How many", "soxs.toy", 1),
            ui.ParameterValue("soxs.toy.label", "Any text", "soxs.toy", "none"),
            ui.ParameterValue("soxs.toy.plots", "Draw plots", "soxs.toy", False),
        ])
        for parameter in self.parameters:
            parameter.cli_alias = parameter.name.rsplit(".", 1)[1]

    def run(self, frameset, settings):
        print("SETTINGS", sorted(settings.items()), flush=True)
        print("FILES", [f.file for f in frameset], [f.tag for f in frameset], flush=True)
        print("GROUPS", [f.group.name for f in frameset], flush=True)
        behave = settings.get("soxs.toy.behave", "ok")
        names = [Path(f.file).name.encode("ascii", "replace").decode() for f in frameset]
        products = getattr(self, behave)(frameset, names[0] if names else "")
        return None if products is None else cpl.ui.FrameSet(products)

    def ok(self, frameset, raw):
        cpl.core.Msg.info("toy", "a message of the recipe")
        cpl.core.Msg.debug("toy", "a detail of the recipe")
        return [fits_product("toy.fits", raw)]

    def two(self, frameset, raw):
        return [fits_product("one.fits"), fits_product("two.fits")]

    def text(self, frameset, raw):
        Path("notes.txt").write_text("not FITS")
        return [cpl.ui.Frame("notes.txt", tag="NOTES", group=PRODUCT)]

    def nothing(self, frameset, raw):
        return []

    def absolute(self, frameset, raw):
        return [fits_product(Path.cwd() / "toy.fits")]

    def fail(self, frameset, raw):
        fits_product("partial.fits")
        raise RuntimeError("the first line\\nthe second line")

    def key_error(self, frameset, raw):
        raise KeyError("ESO DET NAME")

    def cpl_error(self, frameset, raw):
        raise cpl.core.DataNotFoundError("no bias frames")

    def soxs_error(self, frameset, raw):
        from soxs_recipes.errors import InputError
        raise InputError("Too few frames", file="a.sof", expected="5 BIAS_VIS", found="2")

    def exit(self, frameset, raw):
        sys.exit(3)

    def none(self, frameset, raw):
        return None

    def missing(self, frameset, raw):
        frame = fits_product("toy.fits")
        os.remove("toy.fits")
        return [frame]

    def twice(self, frameset, raw):
        return [fits_product("toy.fits")] * 2

    def subdirectory(self, frameset, raw):
        os.mkdir("sub")
        return [fits_product("sub/toy.fits")]

    def outside(self, frameset, raw):
        other = Path(os.environ["TOY_OUTSIDE"])
        return [fits_product(other / "toy.fits")]

    def returns_input(self, frameset, raw):
        return [cpl.ui.Frame(frameset[0].file, tag="TOY", group=PRODUCT)]

    def enospc(self, frameset, raw):
        Path("big.fits").write_bytes(b"partial")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "big.fits")

    def large(self, frameset, raw):
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (10000, resource.RLIM_INFINITY))
        Path("big.fits").write_bytes(bytes(100000))

    def large_fits(self, frameset, raw):
        import resource
        import numpy as np
        from astropy.io import fits
        resource.setrlimit(resource.RLIMIT_FSIZE, (10000, resource.RLIM_INFINITY))
        fits.PrimaryHDU(np.ones((200, 200))).writeto("big.fits")

    def sleep(self, frameset, raw):
        frame = fits_product("toy.fits")
        Path(os.environ["TOY_READY"]).touch()
        time.sleep(30)
        return [frame]

    def warn(self, frameset, raw):
        import warnings
        warnings.warn("mind the gap", RuntimeWarning)
        return []


class Abstract(cpl.ui.PyRecipe):
    _name = "abstract"
"""


@dataclass
class Place:
    """A working directory with recipes in `recipes` and a SOF of two frames in `in.sof`."""

    path: Path
    capfd: pytest.CaptureFixture
    out: str = ""
    err: str = ""

    def run(self, *arguments: str) -> int:
        """Run the command in this process and keep what it printed."""
        self.capfd.readouterr()
        status = cli.main(["--recipe-dir=recipes", *arguments])
        self.out, self.err = self.capfd.readouterr()
        return status

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen:
        """Start the command in a process of its own."""
        code = "import sys; from soxs_recipes.cpl_bridge.command import main; sys.exit(main())"
        return subprocess.Popen(
            [sys.executable, "-c", code, f"--recipe-dir={self.path / 'recipes'}", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | variables,
        )

    def names(self, directory: str = "out") -> list[str]:
        """Everything in a directory, hidden files included."""
        return sorted(file.name for file in (self.path / directory).iterdir())

    def write(self, name: str, text: str) -> Path:
        """Write a file."""
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    @property
    def settings(self) -> str:
        """What the recipe was given."""
        return next(line for line in self.out.splitlines() if line.startswith("SETTINGS "))[9:]


@pytest.fixture
def place(tmp_path, monkeypatch, capfd):
    """A clean working directory, home directory and environment."""
    for name in list(os.environ):
        if name.startswith(("PYESOREX_", "ESOREX_")):
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    work = tmp_path / "work"
    for folder in (home, work, work / "recipes", work / "out"):
        folder.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(work)
    place = Place(work, capfd)
    place.write("recipes/toy.py", TOY)
    place.write("a.fits", "first")
    place.write("b.fits", "second")
    place.write("in.sof", "a.fits BIAS_VIS\nb.fits BIAS_VIS RAW\n")
    return place
