"""Messages of the runner, through CPL's messaging: terminal, log file and levels are shared."""

from __future__ import annotations

import os
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from soxs_recipes.cpl_bridge import cpl
from soxs_recipes.cpl_bridge.runner.errors import UsageError

PROGRAM = "pyesorex"
_RESTORED = ("level", "domain", "show_domain")


def info(text: str) -> None:
    """Report progress."""
    _emit(cpl.core.Msg.info, text)


def warning(text: str) -> None:
    """Report something the user should look at."""
    _emit(cpl.core.Msg.warning, text)


def error(text: str) -> None:
    """Report a failure, to standard error on the terminal."""
    _emit(cpl.core.Msg.error, text)


def debug(text: str) -> None:
    """Report a detail."""
    _emit(cpl.core.Msg.debug, text)


def log_only(text: str) -> None:
    """Write to the log file and not to the terminal."""
    message = cpl.core.Msg
    level = message.get_config()["level"]
    message.set_config(level=message.SeverityLevel.OFF)
    info(text)
    message.set_config(level=level)


def failure(exception: BaseException) -> None:
    """Report an exception; its traceback is a debug message."""
    error(str(exception))
    debug("".join(traceback.format_exception(exception)))


def set_level(name: str) -> None:
    """Set the lowest severity that the terminal shows."""
    cpl.core.Msg.set_config(level=_severity(name))


@contextmanager
def domain(name: str) -> Iterator[None]:
    """Put a name in front of the messages of a block."""
    before = cpl.core.Msg.get_config()["domain"]
    cpl.core.Msg.set_config(domain=name)
    try:
        yield
    finally:
        cpl.core.Msg.set_config(domain=before)


@contextmanager
def session() -> Iterator[None]:
    """Show the program's name in messages, pass Python warnings on, and restore all at the end."""
    message = cpl.core.Msg
    before = {key: message.get_config()[key] for key in _RESTORED}
    message.set_config(domain=PROGRAM, show_domain=True)
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            yield
    finally:
        message.stop_file()
        message.set_config(**before)


def start_log(directory: Path, file: str, level: str) -> None:
    """Open the log file.

    Raises
    ------
    UsageError
        If the directory does not exist or the file cannot be written.
    """
    if level == "off":
        return
    if not directory.is_dir():
        raise UsageError(
            f"'--log-dir={directory}' specified, but '{directory}' is not a valid directory.",
            "Create it or name another one.",
        )
    here = Path.cwd()
    try:
        # CPL takes 72 characters for the name at most, so the directory stays out of it.
        os.chdir(directory)
        cpl.core.Msg.start_file(_severity(level), file)
    except (OSError, cpl.core.Error) as problem:
        raise UsageError(
            f"Log file '{directory / file}' cannot be written: {reason(problem)}",
            "Name another one with --log-dir and --log-file, or switch it off: --log-level=off.",
        ) from problem
    finally:
        os.chdir(here)


def reason(exception: BaseException) -> str:
    """Text of an exception for the reader of a message.

    CPL's errors give their message without the stack trace; Python's own exceptions, whose text
    alone says little, are named.
    """
    text = exception.message if isinstance(exception, cpl.core.Error) else str(exception)
    if type(exception).__module__ == "builtins" or not text:
        text = f"{type(exception).__name__}: {text}".rstrip(": ")
    return "\n".join([text.rstrip(), *getattr(exception, "__notes__", ())])


def _severity(name: str) -> Any:
    return cpl.core.Msg.SeverityLevel.__members__[name.upper()]


def _emit(write, text: str) -> None:
    # File names that are no UTF-8 hold characters that no terminal takes.
    text = text.encode(errors="surrogateescape").decode(errors="replace")
    for line in text.rstrip("\n").split("\n"):
        write(PROGRAM, line)


def _show_warning(message, category, filename, lineno, file=None, line=None) -> None:  # noqa: ARG001
    warning(f"{category.__name__}: {message} ({Path(filename).name}, line {lineno})")
