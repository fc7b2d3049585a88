"""Values of a recipe's parameters: checked, and with what 'auto' stands for filled in."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from types import SimpleNamespace

from soxs_recipes.errors import ParameterError
from soxs_recipes.recipes.declarations import AUTO, Declaration, Parameter, Value

TYPE_NAMES = {bool: "true or false", int: "an integer", float: "a number", str: "text"}


def resolve(declaration: Declaration, given: Mapping[str, object]) -> dict[str, Value]:
    """Value of every parameter, by full name.

    Parameters
    ----------
    declaration : Declaration
        The recipe's.
    given : mapping of str to value
        What was set, by full name or by command-line name; the rest takes its default.

    Raises
    ------
    ParameterError
        If a name is unknown, or a value is of the wrong type, out of range or no choice.
    """
    by_name = {}
    for parameter in declaration.parameters:
        by_name[parameter.name] = by_name[declaration.full_name(parameter)] = parameter
    values = {declaration.full_name(item): item.default for item in declaration.parameters}
    for name, value in given.items():
        if name not in by_name:
            raise _unknown(declaration, name)
        parameter = by_name[name]
        values[declaration.full_name(parameter)] = check_value(parameter, value)
    return values


def check_value(parameter: Parameter, value: object) -> Value:
    """Return the value in the parameter's type.

    Raises
    ------
    ParameterError
        If it is of the wrong type, out of range or not one of the choices.
    """
    kind = type(parameter.default)
    number = kind is float and isinstance(value, int) and not isinstance(value, bool)
    if not (type(value) is kind or number):
        raise _refused(parameter, value, TYPE_NAMES[kind])
    value = kind(value)
    if parameter.choices and value not in parameter.choices:
        raise _refused(parameter, value, "one of " + ", ".join(map(str, parameter.choices)))
    low, high = parameter.minimum, parameter.maximum
    if low is not None and not low <= value <= high:
        raise _refused(parameter, value, f"{low:g} to {high:g}")
    return value


def for_arm(declaration: Declaration, values: Mapping[str, Value], arm: str) -> SimpleNamespace:
    """Values as attributes, 'auto' replaced by what it means in an arm."""
    resolved = {}
    for parameter in declaration.parameters:
        value = values[declaration.full_name(parameter)]
        if value == AUTO and arm in parameter.by_arm:
            value = parameter.by_arm[arm]
        resolved[parameter.attribute] = value
    return SimpleNamespace(**resolved)


def _refused(parameter: Parameter, value: object, expected: str) -> ParameterError:
    return ParameterError(
        f"Parameter --{parameter.name} has an impossible value",
        expected=expected,
        found=repr(value),
        remedy=f"{parameter.help}; default is {parameter.default}",
    )


def _unknown(declaration: Declaration, name: str) -> ParameterError:
    known = [parameter.name for parameter in declaration.parameters]
    near = difflib.get_close_matches(name.rpartition(".")[2], known, 1)
    return ParameterError(
        f"{declaration.name} has no parameter '{name}'",
        expected=", ".join(known),
        remedy=f"did you mean '{near[0]}'?" if near else "see the man page of the recipe",
    )
