"""Messages of ``cpl.core``: terminal lines, log file and their settings.

The lines are CPL's: ``[ INFO  ] text`` on the terminal, with time, domain, component and thread
where asked for, and ``HH:MM:SS [ INFO  ] component: [tid=000] text`` in the log file.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from os import PathLike, fspath
from typing import Any, TextIO

from soxs_recipes.cpl_bridge.embedded.core_errors import FileNotCreatedError, IllegalInputError
from soxs_recipes.cpl_bridge.embedded.core_types import CplEnum
from soxs_recipes.cpl_bridge.embedded.overloads import as_text, cast_error, signature_error

MAX_MESSAGE = 1023
MAX_DOMAIN = 39
MAX_LOG_NAME = 72
INDENT_STEP = 2
_LOGGING_LEVELS = {10: 0, 20: 1, 30: 2, 40: 3}
_THREAD = "[tid=000] "


class SeverityLevel(CplEnum):
    """Severity of a message, or the least severity that is shown."""

    DEBUG = 0
    INFO = 1
    WARNING = 2
    ERROR = 3
    OFF = 4


_LABELS = {
    SeverityLevel.DEBUG: "[ DEBUG ] ",
    SeverityLevel.INFO: "[ INFO  ] ",
    SeverityLevel.WARNING: "[WARNING] ",
    SeverityLevel.ERROR: "[ ERROR ] ",
}


@dataclass
class _State:
    """Settings of the messaging system, one set per process as in CPL."""

    log_name: str = ".logfile"
    level: SeverityLevel = SeverityLevel.INFO
    domain: str = "Undefined domain"
    width: int = 0
    indent: int = 0
    show_threadid: bool = False
    show_domain: bool = False
    show_time: bool = False
    show_component: bool = False


_state = _State()
_log: TextIO | None = None
_log_level = SeverityLevel.OFF


def wrap(head: str, text: str, width: int) -> str:
    """Break a message at blanks so that lines stay below `width`; words are never cut.

    Parameters
    ----------
    head
        What stands before the text; continuation lines are indented by its length.
    text
        The message; its own line breaks are kept.
    width
        Width of the page; below 1 nothing is changed.
    """
    if width < 1:
        return head + text
    margin = " " * min(len(head), width - 1)
    lines = [head]
    for number, paragraph in enumerate(text.removesuffix("\n").split("\n")):
        if number:
            lines.append(margin)
        first, *words = paragraph.split(" ")
        lines[-1] += first
        for word in words:
            used = len(lines[-1]) + (len(lines) > 1)
            if used + 1 + len(word) >= width:
                lines.append(margin + word)
            else:
                lines[-1] += f" {word}"
    return "\n".join(lines)


def _severity(value: Any) -> SeverityLevel:
    """Convert a level given as SeverityLevel, its number or a level of :mod:`logging`."""
    if not hasattr(value, "__index__"):
        raise cast_error(value)
    number = int(value)
    if number > SeverityLevel.OFF.value:
        number = _LOGGING_LEVELS.get(number, -1)
    if number < 0:
        raise IllegalInputError(f"{int(value)} is invalid verbosity value")
    return SeverityLevel(number)


def _integer(value: Any) -> int:
    if not hasattr(value, "__index__"):
        raise cast_error(value)
    return int(value)


def _domain(value: Any) -> str:
    text = as_text(value)
    if text is None:
        raise cast_error(value)
    return text[:MAX_DOMAIN]


_CONVERTERS = {
    "level": _severity,
    "domain": _domain,
    "width": _integer,
    "indent": _integer,
    "show_threadid": bool,
    "show_domain": bool,
    "show_time": bool,
    "show_component": bool,
}


def _emit(name: str, severity: SeverityLevel, component: Any, message: Any) -> None:
    where, text = as_text(component), as_text(message)
    if where is None or text is None:
        form = "(component: str, message: str) -> None"
        raise signature_error(name, [form], (component, message))
    text = text[:MAX_MESSAGE]
    now = time.strftime("%H:%M:%S ")
    indent = " " * (max(_state.indent, 0) * INDENT_STEP)
    if _log is not None and severity.value >= _log_level.value:
        head = f"{now}{_LABELS[severity]}{where}: {_THREAD}{indent}"
        _log.write((head + text)[:MAX_MESSAGE] + "\n")
        _log.flush()
    if severity.value >= _state.level.value:
        head = _terminal_head(severity, where, now) + indent
        line = wrap(head, text[: MAX_MESSAGE - len(head)], _state.width)
        stream = sys.stderr if severity is SeverityLevel.ERROR else sys.stdout
        stream.write(line + "\n")
        stream.flush()


def _terminal_head(severity: SeverityLevel, component: str, now: str) -> str:
    show_component = _state.show_component or _state.level is SeverityLevel.DEBUG
    return (
        (now if _state.show_time else "")
        + _LABELS[severity]
        + (f"{_state.domain}: " if _state.show_domain else "")
        + (f"{component}: " if show_component else "")
        + (_THREAD if _state.show_threadid else "")
    )


class Msg:
    """Messages to terminal and log file."""

    SeverityLevel = SeverityLevel

    def __init__(self, *_: Any, **__: Any):
        raise TypeError("cpl.core.Msg: No constructor defined!")

    @staticmethod
    def start_file(verbosity: SeverityLevel, name: str | PathLike = ".logfile") -> None:
        """Write messages of at least `verbosity` to a new log file, closing an open one.

        Raises
        ------
        IllegalInputError
            If the name is 72 characters long or longer.
        FileNotCreatedError
            If the file can't be written.
        """
        global _log, _log_level
        Msg.stop_file()
        path = fspath(name)
        if len(path) + 1 > MAX_LOG_NAME:
            raise IllegalInputError(
                f"Illegal input: {path}: {len(path)} + 1 > {MAX_LOG_NAME} = CPL_MAX_LOGFILE_NAME"
            )
        _state.log_name = path
        if verbosity is SeverityLevel.OFF:
            return
        try:
            _log = open(path, "w")  # noqa: PTH123, SIM115 - stays open, closed by stop_file
        except OSError:
            raise FileNotCreatedError(f"File cannot be created: {path}") from None
        _log_level = verbosity
        _log.write(
            f"\nStart time     : {time.strftime('%Y-%m-%dT%H:%M:%S')}\n"
            f"Program name   : {_state.domain}\nSeverity level : {_LABELS[verbosity]}\n\n"
        )
        _log.flush()

    @staticmethod
    def stop_file() -> None:
        """Close the log file, if one is open."""
        global _log, _log_level
        if _log is not None:
            _log.close()
        _log, _log_level = None, SeverityLevel.OFF

    @staticmethod
    def set_config(**kwargs: Any) -> None:
        """Change settings: level, domain, width, indent and the four ``show_`` switches."""
        for name, convert in _CONVERTERS.items():
            if name in kwargs:
                setattr(_state, name, convert(kwargs[name]))

    @staticmethod
    def get_config() -> dict[str, Any]:
        """Return all settings."""
        return dict(vars(_state))

    @staticmethod
    def debug(component: str, message: str) -> None:
        """Write a debug message."""
        _emit("debug", SeverityLevel.DEBUG, component, message)

    @staticmethod
    def info(component: str, message: str) -> None:
        """Write an informational message."""
        _emit("info", SeverityLevel.INFO, component, message)

    @staticmethod
    def warning(component: str, message: str) -> None:
        """Write a warning."""
        _emit("warning", SeverityLevel.WARNING, component, message)

    @staticmethod
    def error(component: str, message: str) -> None:
        """Write an error message, to standard error on the terminal."""
        _emit("error", SeverityLevel.ERROR, component, message)
