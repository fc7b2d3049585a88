"""Parameters as the runner sees them: options of the command and parameters of a recipe alike."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from soxs_recipes.cpl_bridge.runner.errors import BadValueError

Value = bool | int | float | str

_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_INTEGER = re.compile(r"[+-]?[0-9]+")
_REAL = re.compile(r"[+-]?(([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?|inf)")
_INT32 = 2**31


@dataclass(frozen=True)
class Parameter:
    """One typed parameter, with what it accepts.

    Attributes
    ----------
    name : str
        Full name, the key in configuration files.
    alias : str
        Name on the command line, without the dashes.
    kind : type
        bool, int, float or str.
    default : bool, int, float or str
    description : str
    minimum, maximum : int or float, optional
        Inclusive limits.
    choices : tuple, optional
        Accepted values; none means any.
    any_case : bool
        Whether the case of a choice is ignored.
    """

    name: str
    alias: str
    kind: type
    default: Value
    description: str = ""
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[Value, ...] = ()
    any_case: bool = False

    def parse(self, text: str) -> Value:
        """Convert text from the command line, the environment or an rc file, and check it.

        Raises
        ------
        BadValueError
            If the text is not of the parameter's type, or the value is not accepted.
        """
        value = _CONVERTERS[self.kind](text)
        if value is None:
            raise self._wrong_type(text)
        if self.any_case:
            value = next((c for c in self.choices if str(c).lower() == text.lower()), value)
        return self._accepted(value)

    def check(self, value: Any) -> Value:
        """Check a value given from Python; text is converted unless the parameter is text.

        Raises
        ------
        BadValueError
            If the value is not of the parameter's type, or is not accepted.
        """
        if isinstance(value, str):
            return self.parse(value)
        if self.kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if type(value) is not self.kind or value != value:
            raise self._wrong_type(value)
        return self._accepted(value)

    @property
    def limits(self) -> str:
        """The accepted range in words, empty without one."""
        if self.minimum is None:
            return ""
        return f"{format_value(self.minimum)} to {format_value(self.maximum)}"

    def _accepted(self, value: Value) -> Value:
        if self.minimum is not None and not self.minimum <= value <= self.maximum:
            raise BadValueError(
                f"Specified '{self.kind.__name__}' value ({format_value(value)}) for the parameter "
                f"'--{self.alias}' was outside the permitted range {self.limits}."
            )
        if self.choices and value not in self.choices:
            allowed = " | ".join(format_value(c) for c in self.choices)
            raise BadValueError(
                f"Specified value '{format_value(value)}' for the parameter '--{self.alias}' "
                f"is none of those allowed: {allowed}."
            )
        return value

    def _wrong_type(self, value: Any) -> BadValueError:
        expected = "TRUE or FALSE" if self.kind is bool else f"of type {self.kind.__name__}"
        allowed = f" ({self.limits})" if self.limits else ""
        return BadValueError(
            f"Specified value '{value}' for the parameter '--{self.alias}' "
            f"is not {expected}{allowed}."
        )


def from_cpl(parameter: Any) -> Parameter:
    """Describe a `cpl.ui` parameter (value, range or enumeration)."""
    return Parameter(
        name=parameter.name,
        alias=parameter.cli_alias or parameter.name,
        kind=type(parameter.default),
        default=parameter.default,
        description=parameter.description,
        minimum=getattr(parameter, "min", None),
        maximum=getattr(parameter, "max", None),
        choices=tuple(getattr(parameter, "alternatives", ())),
    )


def recipe_parameters(recipe: Any) -> tuple[Parameter, ...]:
    """Describe the parameters of a recipe object; none if it has no `parameters` attribute."""
    return tuple(from_cpl(parameter) for parameter in getattr(recipe, "parameters", None) or ())


def by_name(parameters: Iterable[Parameter]) -> dict[str, Parameter]:
    """Index parameters by full name and by alias; an alias wins over another's full name."""
    parameters = tuple(parameters)
    return {p.name: p for p in parameters} | {p.alias: p for p in parameters}


def format_value(value: Value) -> str:
    """Write a value the way `Parameter.parse` reads it."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return repr(value) if isinstance(value, float) else str(value)


def suggestion(word: str, known: Iterable[str], prefix: str = "") -> str:
    """Return a sentence naming the known word nearest to a mistyped one, or nothing."""
    nearest = difflib.get_close_matches(word, sorted(set(known)), n=1, cutoff=0.6)
    return f"Did you mean '{prefix}{nearest[0]}'?" if nearest else ""


def _to_bool(text: str) -> bool | None:
    return _TRUTH.get(text.strip().lower())


def _to_int(text: str) -> int | None:
    text = text.strip()
    if not _INTEGER.fullmatch(text) or len(text) > 11:
        return None
    # CPL's integers are 32-bit.
    return int(text) if -_INT32 <= int(text) < _INT32 else None


def _to_float(text: str) -> float | None:
    text = text.strip().lower()
    if not _REAL.fullmatch(text):
        return None
    value = float(text)
    return None if math.isnan(value) else value


_CONVERTERS = {bool: _to_bool, int: _to_int, float: _to_float, str: str}
