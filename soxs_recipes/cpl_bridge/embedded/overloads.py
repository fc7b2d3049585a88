"""Type errors worded as PyCPL words them."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any


def signature_error(
    function: str,
    signatures: Sequence[str],
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
) -> TypeError:
    """Build the TypeError that PyCPL raises when no overload takes the given arguments.

    Parameters
    ----------
    function
        Name of the function, ``__init__`` for a constructor.
    signatures
        The accepted call forms, in order.
    args, kwargs
        What the caller passed.
    """
    kind = "constructor" if function == "__init__" else "function"
    lines = [
        f"{function}(): incompatible {kind} arguments. The following argument types are supported:"
    ]
    lines += [f"    {i}. {signature}" for i, signature in enumerate(signatures, start=1)]
    passed = ", ".join(repr(a) for a in args)
    named = ", ".join(f"{k}={v!r}" for k, v in (kwargs or {}).items())
    if named:
        passed = "; ".join(part for part in (passed, f"kwargs: {named}") if part)
    return TypeError("\n".join(lines) + f"\n\nInvoked with: {passed}")


def cast_error(value: Any) -> RuntimeError:
    """Build the RuntimeError that PyCPL raises for a value that no C++ type can hold."""
    return RuntimeError(
        f"Unable to cast Python instance of type {type(value)} to C++ type '?' "
        "(#define PYBIND11_DETAILED_ERROR_MESSAGES or compile in debug mode for details)"
    )


def is_bool(value: Any) -> bool:
    """Tell whether a value is a Python or numpy boolean, without importing numpy."""
    kind = type(value)
    return kind is bool or (kind.__module__ == "numpy" and kind.__name__ in ("bool", "bool_"))


def as_index(value: Any) -> int | None:
    """Return a value that is an integer for Python, numpy's included, as int, else None."""
    try:
        return operator.index(value)
    except TypeError:
        return None


def as_text(value: Any) -> str | None:
    """Return str or bytes as str, anything else as None."""
    if isinstance(value, str):
        return str(value)
    return value.decode() if isinstance(value, bytes | bytearray) else None
