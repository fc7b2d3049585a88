"""Typing and conversion of parameter values, as PyCPL's overloads do it."""

from __future__ import annotations

import warnings
from typing import Any

from soxs_recipes.cpl_bridge.embedded.core_types import TYPE_NAMES, Type
from soxs_recipes.cpl_bridge.embedded.overloads import as_index, as_text, cast_error, is_bool

INT_MIN, INT_MAX = -(2**31), 2**31 - 1
Value = bool | int | float | str


def as_int(value: Any) -> int | None:
    """Return a value that a C int takes unchanged, else None."""
    number = as_index(value)
    return number if number is not None and INT_MIN <= number <= INT_MAX else None


def as_float(value: Any) -> float | None:
    """Return a value that a C double takes, integers included, else None."""
    if isinstance(value, str) or not (hasattr(value, "__float__") or hasattr(value, "__index__")):
        return None
    return float(value)


def infer(value: Any) -> tuple[Type, Value] | None:
    """Find type and value of a default, as PyCPL's overloads do (None and others: bool)."""
    if is_bool(value):
        return Type.BOOL, bool(value)
    number = as_int(value)
    if number is not None:
        return Type.INT, number
    if isinstance(value, float):
        return Type.DOUBLE, float(value)
    text = as_text(value)
    if text is not None:
        return Type.STRING, text
    if value is None or hasattr(value, "__bool__"):
        return Type.BOOL, bool(value)
    return None


def format_value(kind: Type, value: Value) -> str:
    """Write a parameter value as CPL prints it in a dump."""
    if kind is Type.BOOL:
        return "1" if value else "0"
    return f"{value:g}" if kind is Type.DOUBLE else str(value)


def typed(kind: Type, value: Any) -> Value:
    """Convert an assigned value to a parameter's type.

    Raises
    ------
    RuntimeError
        If the value is of another type; integers are taken where a float is expected.
    """
    if kind is Type.INT and isinstance(value, float):
        return _truncated(value)
    if isinstance(value, list | tuple | dict | set):
        raise cast_error(value)
    converted: Value | None = None
    if is_bool(value) or value is None:
        converted = bool(value) if kind is Type.BOOL else None
    elif kind is Type.INT:
        converted = as_int(value)
    elif kind is Type.DOUBLE:
        converted = as_float(value)
    elif kind is Type.STRING:
        converted = as_text(value)
    if converted is None:
        raise RuntimeError(
            f"A parameter of type {TYPE_NAMES[kind]} does not match the received type"
        )
    return converted


def _truncated(value: float) -> int:
    warnings.warn(
        "An Integer type CPL Parameter received a floating-point value. Lossy conversion will "
        "occur",
        RuntimeWarning,
        stacklevel=4,
    )
    inside = INT_MIN <= value <= INT_MAX
    return int(value) if inside else INT_MIN
