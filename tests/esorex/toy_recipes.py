"""Recipes that show what reached them and misbehave when asked to, run like the real ones."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

from soxs_recipes.cpl_bridge import cpl
from soxs_recipes.errors import MissingInputError

TWELVE = tuple(f"choice-{number}" for number in range(12))
BEHAVIOURS = (
    "work",
    "refuse",
    "break",
    "exit",
    "kill",
    "wait",
    "ignore",
    "leave-worker",
    "talk",
    "half-done",
    "nothing",
)
LINE = "long text with a backslash \\n "
LONG = "\n".join(f"{number:04d} {LINE * 5}" for number in range(90))
LONG += "\tTAB, 100 %, λ = 1.5 µm, the end."


def parameter(kind, name, *values, text="One parameter"):
    made = kind(f"soxs.toy.{name}", text, "soxs.toy", *values)
    made.cli_alias = name
    return made


class Toy(cpl.ui.PyRecipe):
    """Writes the request to a product, beside a FITS file."""

    _name = "toy"
    _version = "1.2.3"
    _author = "A. Ströhm"
    _email = "toy@example.org"
    _copyright = "GPL-3.0-or-later"
    _synopsis = "Shows what reached it"
    _description = LONG

    def __init__(self):
        super().__init__()
        value, enum = cpl.ui.ParameterValue, cpl.ui.ParameterEnum
        interval = cpl.ui.ParameterRange
        self.parameters = cpl.ui.ParameterList(
            [
                parameter(enum, "behaviour", "work", BEHAVIOURS),
                parameter(value, "flag", False),
                parameter(value, "count", 7),
                parameter(value, "factor", 0.1),
                parameter(value, "word", "", text='A word, "quoted"\tand\\or λ'),
                parameter(interval, "bounded-count", 3, 1, 20),
                parameter(interval, "bounded-factor", 5.0, 1.5, 100.0),
                parameter(enum, "twelve", TWELVE[7], TWELVE),
                parameter(enum, "one", "only", ("only",)),
                parameter(enum, "integers", 16, tuple(1 << n for n in range(12))),
                parameter(enum, "reals", 0.25, tuple(0.25 * n for n in range(12))),
            ]
        )

    def run(self, frameset, settings):
        behaviour = settings.get("soxs.toy.behaviour", "work")
        Path("toy.pid").write_text(str(os.getpid()))
        getattr(self, "_" + behaviour.replace("-", "_"))()
        if behaviour == "nothing":
            return cpl.ui.FrameSet()
        return products(frameset, settings)

    def _work(self):
        cpl.core.Msg.info("worker", "working on 100 %\n  in two lines")

    def _nothing(self):
        pass

    def _refuse(self):
        raise MissingInputError("No good frames", expected="5 or more", remedy="take more – soon")

    def _break(self):
        return {}["no such key"]

    def _exit(self):
        print("a last word")
        os._exit(3)

    def _kill(self):
        os.kill(os.getpid(), signal.SIGKILL)

    def _wait(self):
        with partial_product():
            cpl.core.Msg.info("toy", "waiting")
            time.sleep(60)

    def _ignore(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        self._wait()

    def _leave_worker(self):
        worker = subprocess.Popen(["sleep", "60"])
        Path("worker.pid").write_text(str(worker.pid))
        self._kill()

    def _talk(self):
        cpl.core.Msg.debug("whisperer", "a detail")
        cpl.core.Msg.warning("watcher", "take care")
        cpl.core.Msg.error("grumbler", "not nice, but no failure")
        cpl.core.Msg.info("talker", "λ\ta TAB, a backslash \\n and " + "x" * 3000 + " end")
        print("printed, no line feed", end="")
        cpl.core.Msg.info("talker", "after print")
        print("[WARNING] from a C library", file=sys.stderr)
        warnings.warn("from Python", stacklevel=1)
        os.write(1, b"not UTF-8: \xff\n")

    def _half_done(self):
        with partial_product():
            raise MissingInputError("Half way through")


class Second(Toy):
    """Another recipe of the same library."""

    _name = "toy_second"
    _synopsis = "Is another recipe"
    _description = "Short."


class partial_product:  # noqa: N801
    """A scratch directory as real recipes have it: gone whenever the process can still act."""

    def __enter__(self):
        Path(".scratch").mkdir()
        Path(".scratch/half.fits").write_text("half a product")

    def __exit__(self, *_):
        Path(".scratch/half.fits").unlink()
        Path(".scratch").rmdir()


def products(frameset, settings):
    frame = cpl.ui.Frame
    seen = {
        "settings": settings,
        "frames": [[item.file, item.tag, int(item.group)] for item in frameset],
        "environment": dict(os.environ),
        "path": sys.path,
    }
    Path("request.json").write_text(json.dumps(seen))
    write_fits(Path("toy product ü.fits"))
    return cpl.ui.FrameSet(
        [
            frame(
                "request.json",
                "TOY_REQUEST",
                group=frame.FrameGroup.PRODUCT,
                level=frame.FrameLevel.INTERMEDIATE,
                frameType=frame.FrameType.ANY,
            ),
            frame(
                "toy product ü.fits",
                "TOY_IMAGE",
                group=frame.FrameGroup.PRODUCT,
                level=frame.FrameLevel.FINAL,
                frameType=frame.FrameType.IMAGE,
            ),
        ]
    )


def write_fits(path):
    cards = ["SIMPLE  =                    T", "BITPIX  =                    8"]
    cards += ["NAXIS   =                    0", "EXTEND  =                    T", "END"]
    path.write_bytes("".join(f"{card:<80}" for card in cards).ljust(2880).encode())


RECIPES = (Toy, Second)

if __name__ == "__main__":
    from soxs_recipes.esorex.child import main

    sys.exit(main(sys.argv[1:], lambda: RECIPES))
