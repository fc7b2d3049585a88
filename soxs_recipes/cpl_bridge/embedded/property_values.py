"""Typing and conversion of property values, as CPL's C types allow them."""

from __future__ import annotations

import struct
from typing import Any

from soxs_recipes.cpl_bridge.embedded.core_errors import InvalidTypeError
from soxs_recipes.cpl_bridge.embedded.core_types import TYPE_NAMES, Type
from soxs_recipes.cpl_bridge.embedded.overloads import as_index, as_text, is_bool

Value = bool | int | float | complex | str

_DEFAULTS: dict[Type, Value] = {
    Type.CHAR: "\0",
    Type.BOOL: False,
    Type.INT: 0,
    Type.LONG: 0,
    Type.LONG_LONG: 0,
    Type.FLOAT: 0.0,
    Type.DOUBLE: 0.0,
    Type.FLOAT_COMPLEX: 0j,
    Type.DOUBLE_COMPLEX: 0j,
    Type.STRING: "",
}
_INT_BITS = {Type.CHAR: 8, Type.INT: 32, Type.LONG: 64, Type.LONG_LONG: 64}


def default_of(kind: Type) -> Value:
    """Return the value of a property made without one.

    Raises
    ------
    InvalidTypeError
        If properties can't have the type.
    """
    if kind is Type.UNSPECIFIED:
        raise InvalidTypeError("Invalid type")
    if kind not in _DEFAULTS:
        raise InvalidTypeError("constructor was given an unsupported property type")
    return _DEFAULTS[kind]


def classify(value: Any) -> tuple[Type, Value] | None:
    """Find the type that PyCPL gives a Python value; None for what it refuses.

    numpy's float32 is no Python float and becomes complex, None becomes False: convert values
    with ``float()``, ``int()``, ``bool()`` or ``str()`` before making a property.
    """
    if isinstance(value, complex):
        return Type.DOUBLE_COMPLEX, complex(value)
    if isinstance(value, float):
        return Type.DOUBLE, float(value)
    if is_bool(value):
        return Type.BOOL, bool(value)
    text = as_text(value)
    if text is not None:
        return Type.STRING, text
    integer = as_index(value)
    if integer is not None and -(2**63) <= integer < 2**63:
        return Type.LONG, integer
    number = _as_complex(value)
    if number is not None:
        return Type.DOUBLE_COMPLEX, number
    if value is None or hasattr(value, "__bool__"):
        return Type.BOOL, bool(value)
    return None


def _as_complex(value: Any) -> complex | None:
    try:
        return complex(value)
    except TypeError:
        return None


def to_float32(value: float) -> float:
    """Round to single precision; what is too large becomes infinite."""
    try:
        return struct.unpack("f", struct.pack("f", value))[0]
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def _to_integer(value: float, bits: int) -> int:
    whole = int(value) if abs(value) < 2.0**64 else 0
    return (whole + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1)


def _cast(value: Value, kind: Type) -> Value | None:
    """Cast a number to a C type, losing what does not fit; None where C++ has no cast."""
    if kind is Type.STRING or isinstance(value, str):
        return None
    if kind is Type.DOUBLE_COMPLEX:
        return complex(value)
    if isinstance(value, complex):
        return None
    if kind is Type.FLOAT_COMPLEX:
        return complex(to_float32(value))
    if kind is Type.BOOL:
        return bool(value)
    if kind in _INT_BITS:
        return 0 if value != value else _to_integer(value, _INT_BITS[kind])
    return to_float32(value) if kind is Type.FLOAT else float(value)


def convert(source: Type, value: Value, kind: Type) -> Value:
    """Convert a value to a property type if nothing is lost.

    Parameters
    ----------
    source, value
        What :func:`classify` returned.
    kind
        The type wanted.

    Raises
    ------
    InvalidTypeError
        If the types do not go together or the value would change; NaN counts as changed.
    """
    if kind not in _DEFAULTS:
        raise InvalidTypeError("set_value_type was given an unsupproted type to cast to")
    if kind is Type.STRING and source is Type.STRING:
        return value
    result = _cast(value, kind)
    names = TYPE_NAMES[source], TYPE_NAMES[kind]
    if result is None:
        raise InvalidTypeError(f"It is not a valid conversion to use a {names[0]} as a {names[1]}")
    if not isinstance(result, complex) and result != value:
        shown = chr(result % 256) if kind is Type.CHAR else f"{result:g}"
        if kind in (Type.BOOL, Type.INT, Type.LONG, Type.LONG_LONG):
            shown = f"{result:d}"
        raise InvalidTypeError(
            f"Using a {names[0]} as a stand-in for {names[1]} would loose information "
            f"(Casts into {shown})"
        )
    return chr(result % 256) if kind is Type.CHAR else result
