r"""The text that plugins and Python exchange: lines of TAB-separated fields.

In a field a backslash, a TAB and a line feed are written ``\\``, ``\t`` and ``\n``. Text is UTF-8;
bytes of file names that are not UTF-8 survive. Three texts use this form:

Description, beside each plugin, made when it is installed::

    recipe   name  version  synopsis  description  author  email  copyright
    command  program  argument ...
    param    type  kind  name  alias  context  help  default ...

What follows the default depends on the kind: nothing for a ``value``, minimum and maximum for a
``range``; for an ``enum`` the default is the index of one of the choices, which follow it. A bool
is 0 or 1.

Request, which the process reads on its standard input::

    level  number
    frame  group  tag  file
    param  type  name  value

The level is the lowest severity that anybody wants to hear. Only parameters that the user has set
are there.

Records, which the process writes to its standard output, each after the character RECORD so that
they cannot be taken for other output, which is logged as it is::

    log      level  component  text
    product  type  level  tag  file

The level of a message is one of the letters D, I, W, E. All other types, levels and groups are
numbers of CPL's enumerations.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

RECORD = "\x1e"
_READERS = MappingProxyType({128: lambda text: text == "1", 1024: int, 131072: float, 33: str})
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n"})
_MEANINGS = {"t": "\t", "n": "\n"}

Value = bool | int | float | str


@dataclass(frozen=True)
class InputFrame:
    """A frame of a request; the group is CPL's number for it."""

    file: str
    tag: str
    group: int


@dataclass(frozen=True)
class Request:
    """What a recipe is asked to do.

    Attributes
    ----------
    level : int
        Lowest severity of messages that is wanted, as in CPL.
    frames : tuple of InputFrame
        In the order of the set of frames.
    settings : mapping of str to value
        Parameters that were set, by full name.
    """

    level: int
    frames: tuple[InputFrame, ...]
    settings: Mapping[str, Value]


def join(*fields: object) -> str:
    """Make a line of fields, without its line feed."""
    return "\t".join(str(field).translate(_ESCAPES) for field in fields)


def split(line: str) -> list[str]:
    """Take a line apart; the inverse of `join`."""
    return [_unescape(field) for field in line.split("\t")]


def encode(text: str) -> bytes:
    """Bytes of a text that may hold file names as Python decodes them."""
    return text.encode("utf-8", "surrogateescape")


def parse_request(data: bytes) -> Request:
    """Read a request.

    Raises
    ------
    ValueError
        If it is not one.
    """
    level, frames, settings = 1, [], {}
    for line in data.decode("utf-8", "surrogateescape").split("\n"):
        match split(line):
            case ["level", number]:
                level = int(number)
            case ["frame", group, tag, file]:
                frames.append(InputFrame(file, tag, int(group)))
            case ["param", kind, name, text]:
                settings[name] = _READERS[int(kind)](text)
            case [""]:
                pass
            case _:
                raise ValueError(f"not a line of a request: {line!r}")
    return Request(level, tuple(frames), settings)


def format_value(value: Value) -> str:
    """Write a parameter value as the plugin reads it."""
    return str(int(value)) if isinstance(value, bool) else str(value)


def _unescape(field: str) -> str:
    return re.sub(r"\\(.)", lambda found: _MEANINGS.get(found[1], found[1]), field, flags=re.DOTALL)
