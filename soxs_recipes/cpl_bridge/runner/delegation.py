"""Handing over to ESO's PyEsoRex when it is installed."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping, MutableMapping
from importlib.metadata import EntryPoint, entry_points

from soxs_recipes.cpl_bridge import FORCE_VARIABLE, cpl
from soxs_recipes.cpl_bridge.runner import discovery, options
from soxs_recipes.cpl_bridge.runner.errors import ConfigError

# Read by EsoRex, and by PyEsoRex too, which fails on C plugins built for another CPL.
ESOREX_VARIABLE = "ESOREX_PLUGIN_DIR"
_USUAL_ENTRY = EntryPoint("pyesorex", "pyesorex.pyesorex:main", "console_scripts")


def eso_entry_point() -> EntryPoint | None:
    """Find the entry point of ESO's command, None if the package is not installed."""
    if not _is_importable("pyesorex"):
        return None
    candidates = entry_points(group="console_scripts", name="pyesorex")
    foreign = [entry for entry in candidates if not entry.value.startswith("soxs_recipes.")]
    return foreign[0] if foreign else _USUAL_ENTRY


def stand_in_asked_for(environ: Mapping[str, str]) -> bool:
    """Say whether the user wants CPL's stand-in, whose recipes PyEsoRex cannot see."""
    return environ.get(FORCE_VARIABLE, "").strip().lower() == "embedded"


def prepare_environment(environ: MutableMapping[str, str]) -> None:
    """Add this package's recipes to PyEsoRex's recipe directories and keep EsoRex's out.

    What the variable, or else the user's configuration file, or else PyCPL has as recipe
    directories is kept.
    """
    stated = environ.get(options.PLUGIN_DIR_VARIABLE) or _configured_directories()
    environ[options.PLUGIN_DIR_VARIABLE] = discovery.with_plugin_directory(stated)
    environ.pop(ESOREX_VARIABLE, None)


def _is_importable(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _configured_directories() -> str:
    try:
        configured = options.from_rc(options.user_file("pyesorex")).get("recipe-dir", "")
    except ConfigError:
        configured = ""
    return str(configured) or os.pathsep.join(_pycpl_directories())


def _pycpl_directories() -> list[str]:
    return [str(directory) for directory in cpl.ui.CRecipe.recipe_dir]
