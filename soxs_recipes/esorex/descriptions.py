"""The description of a recipe that EsoRex reads from its plugin."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from soxs_recipes.esorex.protocol import format_value, join


def describe(recipe: Any, command: Sequence[str]) -> str:
    """Text of the description file of a recipe.

    Parameters
    ----------
    recipe : cpl.ui.PyRecipe
        The recipe, with its parameters.
    command : sequence of str
        Program and arguments that run it; its name is appended.
    """
    lines = [
        join(
            "recipe",
            recipe.name,
            binary_version(recipe.version),
            recipe.synopsis,
            recipe.description,
            recipe.author,
            recipe.email,
            recipe.copyright,
        ),
        join("command", *command, recipe.name),
        *(join("param", *parameter_fields(item)) for item in recipe.parameters),
    ]
    return "\n".join(lines) + "\n"


def parameter_fields(parameter: Any) -> tuple[str, ...]:
    """Fields that describe a ``cpl.ui`` parameter."""
    choices = tuple(getattr(parameter, "alternatives", ()))
    if choices:
        kind, values = "enum", (choices.index(parameter.default), *choices)
    elif getattr(parameter, "min", None) is not None:
        kind, values = "range", (parameter.default, parameter.min, parameter.max)
    else:
        kind, values = "value", (parameter.default,)
    return (
        str(int(parameter.data_type)),
        kind,
        parameter.name,
        parameter.cli_alias,
        parameter.context,
        parameter.description,
        *map(format_value, values),
    )


def binary_version(version: object) -> int:
    """Version as the number that CPL makes of it, 10000 major + 100 minor + micro."""
    if isinstance(version, int):
        return version
    numbers = [int(text) for text in re.findall(r"\d+", str(version))[:3]] + [0, 0, 0]
    return 10000 * numbers[0] + 100 * numbers[1] + numbers[2]
