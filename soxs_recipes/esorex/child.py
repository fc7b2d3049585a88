"""The process that an EsoRex plugin starts: it runs one recipe and says what happens.

``python -m soxs_recipes.esorex.child RECIPE`` reads a request on standard input and writes records
to standard output, both as in :mod:`soxs_recipes.esorex.protocol`. EsoRex moves and signs the
products; here they are only made.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from soxs_recipes.cpl_bridge.runner import memory, threads
from soxs_recipes.esorex.protocol import RECORD, Request, encode, join, parse_request

LONGEST_TEXT = 900
"""Bytes of a message; CPL cuts what is longer than 1023, with its level and time."""
LEVELS = ("debug", "info", "warning", "error")


class Interrupted(BaseException):
    """A signal asked the process to end."""


def package_recipes() -> Iterable[type]:
    """Return the recipe classes of the package."""
    from soxs_recipes.recipes import RECIPES

    return RECIPES


def main(argv: Sequence[str], recipes: Callable[[], Iterable[type]] = package_recipes) -> int:
    """Run the recipe that is named; the request is on standard input.

    Parameters
    ----------
    argv : sequence of str
        The name of the recipe.
    recipes : callable
        Gives the recipe classes to choose from.

    Returns
    -------
    int
        Exit status: 0, 1 if the recipe failed, 128 + the number of a signal that ended it.
    """
    (name,) = argv
    threads.one_unless_told(os.environ)
    memory.one_pool(os.environ)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)
    sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")
    voice = Voice(name)
    try:
        request = parse_request(sys.stdin.buffer.read())
        voice.lowest = request.level
        run(name, request, recipes, voice)
    except Interrupted as error:
        number = error.args[0]
        voice.say("error", name, f"Ended by {signal.Signals(number).name}")
        return 128 + number
    except (Exception, SystemExit) as error:
        voice.failure(error)
        return 1
    return 0


def run(name: str, request: Request, recipes: Callable[[], Iterable[type]], voice: Voice) -> None:
    """Run a recipe on a request and tell its products.

    Raises
    ------
    LookupError
        If there is no recipe of that name.
    """
    from soxs_recipes.cpl_bridge import cpl

    voice.take_over(cpl.core.Msg)
    recipe = next((item() for item in recipes() if item._name == name), None)
    if recipe is None:
        raise LookupError(
            f"This installation has no recipe {name}: run 'soxs esorex install' again"
        )
    frame = cpl.ui.Frame
    frames = cpl.ui.FrameSet(
        [frame(item.file, item.tag, frame.FrameGroup(item.group)) for item in request.frames]
    )
    for product in recipe.run(frames, dict(request.settings)):
        if product.group in (frame.FrameGroup.RAW, frame.FrameGroup.CALIB):
            continue
        record("product", int(product.type), int(product.level), product.tag, product.file)


def record(*fields: object) -> None:
    """Write a record, after what is still buffered."""
    sys.stdout.flush()
    data = encode(RECORD + join(*fields) + "\n")
    while data:
        data = data[os.write(sys.stdout.fileno(), data) :]


class Voice:
    """Sends messages to the plugin, which gives them to CPL's messaging.

    Parameters
    ----------
    recipe : str
        Component of messages that have no other.
    """

    def __init__(self, recipe: str) -> None:
        self.recipe = recipe
        self.lowest = 0

    def take_over(self, msg: Any) -> None:
        """Take the place of the methods of ``cpl.core.Msg``, and of Python's way to warn."""
        for level in LEVELS:
            setattr(msg, level, staticmethod(self._method(level)))
        warnings.showwarning = self._show_warning

    def say(self, level: str, component: str, text: str) -> None:
        """Send a message, a record for each of its lines."""
        if LEVELS.index(level) < self.lowest:
            return
        for line in text.rstrip("\n").split("\n"):
            for part in _parts(line):
                record("log", level[0].upper(), component, part)

    def failure(self, error: BaseException) -> None:
        """Send an exception as an error, its traceback as a debug message."""
        from soxs_recipes.cpl_bridge.runner.messages import reason

        self.say("error", self.recipe, reason(error))
        self.say("debug", self.recipe, "".join(traceback.format_exception(error)))

    def _method(self, level: str) -> Callable[[str, str], None]:
        return lambda component, message: self.say(level, component, message)

    def _show_warning(self, message, category, filename, lineno, file=None, line=None) -> None:  # noqa: ARG002
        where = f"({Path(filename).name}, line {lineno})"
        self.say("warning", self.recipe, f"{category.__name__}: {message} {where}")


def _parts(line: str) -> list[str]:
    """Cut a line where it is too long for one message."""
    step = LONGEST_TEXT // 4 if len(line.encode("utf-8", "replace")) > LONGEST_TEXT else len(line)
    return [line[at : at + step] for at in range(0, len(line), step)] if line else [""]


def _interrupt(number: int, _frame: object) -> None:
    signal.signal(number, signal.SIG_DFL)  # whoever asks again does not want to wait
    raise Interrupted(number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
