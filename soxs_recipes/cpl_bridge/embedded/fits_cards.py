"""FITS header cards from properties and back, in ESO's layout.

Method: FITS standard 4.0 section 4 and the ESO HIERARCH convention. Numbers are right-justified
to column 30, doubles have 15 significant digits, floats 7; strings that do not fit one card are
cut (ESO-044156, and what CPL 7.3 does).
"""

from __future__ import annotations

import math
import re

from soxs_recipes.cpl_bridge.embedded.core_errors import (
    BadFileFormatError,
    IllegalInputError,
    passed_on,
)
from soxs_recipes.cpl_bridge.embedded.core_properties import Property
from soxs_recipes.cpl_bridge.embedded.core_types import Type

CARD_LENGTH = 80
ALIGN_COLUMN = 30
_MAX_VALUE = 71
_MAX_HIERARCH = 64
_COMMENTARY = ("COMMENT", "HISTORY", "")
_FLOAT_KEY = re.compile(
    r"MJD-OBS|EQUINOX|EPOCH|LONGPOLE|LATPOLE|(CRPIX|CRVAL|CDELT|CRDER|CSYER)\d{1,3}"
    r"|(PC|PV|CD)\d+_\d+"
)
_BAD_KEY = re.compile(r"[^A-Za-z0-9 _-]")
_INTEGER = re.compile(r"[+-]?\d+(?=[ /]|$)")
_REAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([ED][+-]?\d+)?", re.IGNORECASE)
_COMPLEX = re.compile(r"\( *([^, ]+) *, *([^) ]+) *\)")


def printable(text: str) -> str:
    """Replace every byte that FITS does not allow in a header by a blank."""
    return "".join(chr(b) if 32 <= b < 127 else " " for b in text.encode("utf-8", "replace"))


def _format_key(name: str) -> str:
    key = name.strip(" ")
    if _BAD_KEY.search(key.removeprefix("HIERARCH ")):
        raise passed_on(IllegalInputError, f'Bad {len(key)}-character FITS key ("{key}")')
    key = key.upper()
    if len(key) <= 8 and " " not in key:
        return key.ljust(8)
    if key.startswith("HIERARCH "):
        return key
    if len(key) > _MAX_HIERARCH:
        raise passed_on(IllegalInputError, f"FITS HIERARCH key too long: {len(key)}")
    return f"HIERARCH {key}"


def _format_string(value: str, room: int) -> str:
    """Quote a string within `room` characters, cutting it where it does not fit."""
    text = ""
    for char in printable(value):
        escaped = "''" if char == "'" else char
        if len(text) + len(escaped) > room - 2:
            break
        text += escaped
    return f"'{text.ljust(min(8, room - 3))}'"


def format_real(value: float, digits: int) -> str:
    """Write a floating-point number with a decimal point or an exponent.

    Raises
    ------
    IllegalInputError
        If it is NaN or infinite, which FITS headers do not allow.
    """
    kind = "float" if digits == 7 else "double"
    text = f"{value:.{digits}G}"
    if not math.isfinite(value):
        raise passed_on(IllegalInputError, f"FITS does not allow special {kind}: {text}")
    return text if "." in text or "E" in text else f"{text}."


def _format_complex(value: complex, digits: int) -> str:
    for part in (value.real, value.imag):
        format_real(part, digits)
    return f"({value.real:.{digits}G}, {value.imag:.{digits}G})"


def _format_value(prop: Property, room: int) -> str:
    kind, value = prop.type, prop.value
    if kind in (Type.STRING, Type.CHAR):
        return _format_string(value, room)
    if kind is Type.BOOL:
        text = "T" if value else "F"
    elif kind in (Type.FLOAT_COMPLEX, Type.DOUBLE_COMPLEX):
        text = _format_complex(value, 7 if kind is Type.FLOAT_COMPLEX else 15)
    elif kind in (Type.FLOAT, Type.DOUBLE):
        text = format_real(value, 7 if kind is Type.FLOAT else 15)
    else:
        text = str(value)
    if len(text) > room:
        detail = f"Key + value too long for FITS card: {len(text)} < {room} ({text})"
        raise passed_on(IllegalInputError, detail)
    return text


def format_card(prop: Property) -> str:
    """Write a property as an 80-character card.

    Raises
    ------
    IllegalInputError
        If name or value can't stand in a FITS header.
    """
    name = prop.name.strip(" ")
    if name in _COMMENTARY and prop.type is Type.STRING:
        return (name.ljust(8) + printable(prop.value))[:CARD_LENGTH].ljust(CARD_LENGTH)
    card = _format_key(name)
    value = _format_value(prop, _MAX_VALUE - max(1, len(card) - 7))
    sign = " = " if len(card) > 8 and len(card) + len(value) + 2 < CARD_LENGTH else "= "
    if value.startswith("'"):
        card = (card + sign + value).ljust(ALIGN_COLUMN)
    else:
        sign = " = " if len(card) > 8 and len(card) + len(value) + 2 < ALIGN_COLUMN else sign
        card += sign + value.rjust(ALIGN_COLUMN - len(card) - len(sign))
    if prop.comment and len(card) + 3 < CARD_LENGTH:
        card += " / " + printable(prop.comment)
    return card[:CARD_LENGTH].ljust(CARD_LENGTH)


def _split_key(card: str) -> tuple[str, int]:
    """Return the keyword and the column where the value indicator is or would be."""
    equals = card.find("=", 9) if card.startswith("HIERARCH ") else -1
    if equals > 0:
        return card[9:equals].rstrip(" "), equals
    return card[:8].split(" ")[0], 8


def _parse_string(card: str, start: int) -> tuple[str, int] | None:
    """Read a quoted string from its opening quote; return it and the column after it."""
    parts, begin = [], start + 1
    while (quote := card.find("'", begin)) >= 0:
        if card[quote + 1 : quote + 2] != "'":
            return "".join([*parts, card[begin:quote]]).rstrip(" "), quote + 1
        parts.append(card[begin : quote + 1])
        begin = quote + 2
    return None


def _real(text: str) -> float:
    return float(text.upper().replace("D", "E"))


def _parse_number(key: str, card: str, start: int) -> tuple[Type, int | float, int] | None:
    if match := _INTEGER.match(card, start):
        number = int(match.group())
        if _FLOAT_KEY.fullmatch(key):
            return Type.DOUBLE, float(number), match.end()
        if abs(number) < 2**63:
            kind = Type.INT if -(2**31) <= number < 2**31 else Type.LONG_LONG
            return kind, number, match.end()
    match = _REAL.match(card, start)
    number = _real(match.group()) if match else math.inf
    return (Type.DOUBLE, number, match.end()) if math.isfinite(number) else None


def _parse_value(key: str, card: str, start: int) -> tuple[Type, object, int] | None:
    """Read the value at a column; return type, value and the column after it."""
    first = card[start]
    if first == "'":
        found = _parse_string(card, start)
        return (Type.STRING, *found) if found else None
    if first in "TF":
        return Type.BOOL, first == "T", start + 1
    if first == "(":
        match = _COMPLEX.match(card, start)
        if match is None:
            return None
        return Type.DOUBLE_COMPLEX, complex(*map(_real, match.groups())), match.end()
    return _parse_number(key, card, start)


def parse_card(card: str) -> Property | None:
    """Read an 80-character card; None for an empty one.

    Cards without a value become strings; a text without keyword becomes a COMMENT. Integers
    are INT if they fit 32 bits, keywords that are real by convention always DOUBLE.

    Raises
    ------
    BadFileFormatError
        If the value is none that FITS knows.
    """
    key, column = _split_key(card)
    start = column + 1
    if card[column] == "=" and key not in _COMMENTARY:
        start += len(card[start:]) - len(card[start:].lstrip(" "))
    else:
        text = card[8 if key else 0 :].rstrip(" ")
        return Property._of(key or "COMMENT", Type.STRING, text, "") if key or text else None
    if start >= CARD_LENGTH or card[start] == "/":
        text = card[start:].rstrip(" ")
        return Property._of(key, Type.STRING, text, "")
    found = _parse_value(key, card, start)
    if found is None or card[found[2] : found[2] + 1] not in ("", " ", "/"):
        raise BadFileFormatError(f"Bad file format: Bad value in FITS card '{card.rstrip()}'")
    kind, value, end = found
    comment = card[end:].partition("/")[2].removeprefix(" ").rstrip(" ")
    return Property._of(key, kind, value, comment)
