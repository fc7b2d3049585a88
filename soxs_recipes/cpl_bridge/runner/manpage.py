"""The texts that the command prints: recipe list, manual pages, help and settings."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

import soxs_recipes
from soxs_recipes.cpl_bridge import cpl
from soxs_recipes.cpl_bridge.runner.discovery import Catalogue
from soxs_recipes.cpl_bridge.runner.options import OPTIONS, Option
from soxs_recipes.cpl_bridge.runner.parameters import (
    Parameter,
    Value,
    format_value,
    recipe_parameters,
)
from soxs_recipes.cpl_bridge.runner.rcfile import help_sentence

_WIDTH = 80
_COLUMN = 26
AUTHOR = f"the PyEsoRex runner of soxs_recipes, version {soxs_recipes.__version__}"
GREETING = f"This is {AUTHOR}."
BANNER = f"\n     ***** Recipe Execution Tool, Python version {soxs_recipes.__version__} *****\n"
USAGE = "Usage: pyesorex [pyesorex-options] recipe [recipe-options] sof"


def recipes_text(catalogue: Catalogue) -> str:
    """List the recipes with their synopses."""
    lines = [f"  {name:<22}: {found.synopsis}" for name, found in sorted(catalogue.recipes.items())]
    return "\n".join(["List of available recipes:", "", *lines, ""])


def version_text() -> str:
    """Versions of the runner and of CPL."""
    return (
        f"soxs_recipes {soxs_recipes.__version__}\n"
        f"Libraries used: {cpl.DESCRIPTION} (interface of PyCPL {cpl.__version__})\n"
    )


def command_help() -> str:
    """Help on the command's own options."""
    blocks = [_labelled(f"--{option.alias}", _option_help(option)) for option in OPTIONS]
    return "\n".join([USAGE, "", "Options:", "", *blocks, ""])


def recipe_help(recipe: Any) -> str:
    """Short help on a recipe: usage and parameters."""
    name = recipe.name
    return (
        f"Recipe: {name} -- {recipe.synopsis}\n\n"
        f"Usage: pyesorex [pyesorex-options] {name} [{name}-options] sof\n\n"
        f"Options:\n\n{_parameter_list(recipe)}\n\n"
        "For help on the options of pyesorex itself, please use the command 'pyesorex --help'\n"
        "(that is, without specifying any recipe name). For more information about the\n"
        f"recipe, one can also use the command 'pyesorex --man-page {name}'.\n"
    )


def man_page(recipe: Any) -> str:
    """Manual page of a recipe."""
    name = recipe.name
    sections = {
        "NAME": f"{name} -- {recipe.synopsis}",
        "SYNOPSIS": f"pyesorex [pyesorex-options] {name} [{name}-options] sof",
        "DESCRIPTION": _wrapped(recipe.description),
        "PARAMETERS": None,
        "AUTHOR": str(recipe.author),
        "BUGS": f"Please report any problems with this recipe to {recipe.email}",
        "RELEASE": f"{name} -- version {recipe.version}",
        "LICENSE": _wrapped(recipe.copyright),
    }
    texts = [
        f"{title}\n{_parameter_section(recipe) if text is None else _indented(text)}"
        for title, text in sections.items()
    ]
    return "\n\n".join(texts) + "\n"


def params_text(title: str, parameters: Iterable[Parameter], values: Mapping[str, Value]) -> str:
    """List current values; `values` are keyed by full name, defaults fill the rest."""
    lines = [
        f"  {p.alias:<22}: {format_value(values.get(p.name, p.default))}".rstrip()
        for p in parameters
    ]
    return "\n".join([f"{title} :", "", *lines, ""])


def _parameter_section(recipe: Any) -> str:
    closing = _indented(
        "Note that it is also possible to create a configuration file containing these\n"
        f"parameters: 'pyesorex --create-config=FILE {recipe.name}'."
    )
    return f"{_parameter_list(recipe)}\n\n{closing}"


def _parameter_list(recipe: Any) -> str:
    parameters = recipe_parameters(recipe)
    if not parameters:
        return "  This recipe has no parameters."
    return "\n".join(_labelled(f"--{p.alias}", _parameter_help(p)) for p in parameters)


def _parameter_help(parameter: Parameter) -> str:
    kind = ", ".join(text for text in (parameter.kind.__name__, parameter.limits) if text)
    return f"{help_sentence(parameter)} ({kind}) [{format_value(parameter.default)}]"


def _option_help(option: Option) -> str:
    variable = (
        f" This option may also be set using the environment variable {option.variable}."
        if option.variable
        else ""
    )
    text = option.description + variable
    choices = f" <{' | '.join(map(str, option.choices))}>" if option.choices else ""
    return f"{text}{choices} [{format_value(option.default)}]"


def _labelled(label: str, text: str) -> str:
    return textwrap.fill(
        text,
        width=_WIDTH,
        initial_indent=f"  {label:<22}: ",
        subsequent_indent=" " * _COLUMN,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _wrapped(text: str) -> str:
    """Fold long lines and keep the author's line breaks."""
    return "\n".join(
        textwrap.fill(line, _WIDTH - 2, subsequent_indent=" " * (len(line) - len(line.lstrip())))
        for line in str(text).strip("\n").split("\n")
    )


def _indented(text: str) -> str:
    return textwrap.indent(text, "  ")
