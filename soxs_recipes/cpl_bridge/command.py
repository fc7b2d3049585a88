"""The `pyesorex` command.

ESO's PyEsoRex does the work when it is installed; the recipes of this package are added to its
recipe directories. Otherwise the embedded runner, which has the same options, does.

Exit status of the embedded runner, with the values of EsoRex where it has one:

====== ==============================================================================
0      success
1      the recipe failed, a full disk included
9      the SOF, or a file in it, is missing or unreadable
13     no recipe of that name
61     a product is missing, named twice, outside the working directory of the recipe,
       would replace an input, or cannot be signed or moved
130    interrupted (SIGINT)
143    terminated (SIGTERM)
250    a configuration file names a parameter that does not exist
251    a configuration file holds a value of the wrong type, outside the permitted
       range, or none of the choices
253    a configuration file holds unmatched quotes
254    a line of a configuration file is not `key=value`
255    unknown option, bad value, missing argument, unusable file or directory
====== ==============================================================================
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import MutableMapping
from importlib.metadata import EntryPoint, entry_points

from soxs_recipes.cpl_bridge.runner import discovery, options
from soxs_recipes.cpl_bridge.runner.errors import ConfigError
from soxs_recipes.cpl_bridge.runner.main import main as embedded_main

# Read by EsoRex, and by PyEsoRex too, which fails on C plugins built for another CPL.
ESOREX_VARIABLE = "ESOREX_PLUGIN_DIR"
_USUAL_ENTRY = EntryPoint("pyesorex", "pyesorex.pyesorex:main", "console_scripts")


def main() -> int | str | None:
    """Run ESO's PyEsoRex if it is installed and can be imported, else the embedded runner."""
    entry = eso_entry_point()
    if entry is None:
        return embedded_main()
    prepare_environment(os.environ)
    try:
        eso_main = entry.load()
    except Exception as error:
        print(
            f"[WARNING] pyesorex: ESO's PyEsoRex cannot be imported ({type(error).__name__}: "
            f"{error}); the embedded runner takes over. 'soxs doctor' says more.",
            file=sys.stderr,
        )
        return embedded_main()
    return eso_main()


def eso_entry_point() -> EntryPoint | None:
    """Find the entry point of ESO's command, None if the package is not installed."""
    if not _is_importable("pyesorex"):
        return None
    candidates = entry_points(group="console_scripts", name="pyesorex")
    foreign = [entry for entry in candidates if not entry.value.startswith("soxs_recipes.")]
    return foreign[0] if foreign else _USUAL_ENTRY


def prepare_environment(environ: MutableMapping[str, str]) -> None:
    """Add this package's recipes to PyEsoRex's recipe directories and keep EsoRex's out.

    What the variable, or else the user's configuration file, or else PyCPL has as recipe
    directories is kept.
    """
    stated = environ.get(options.PLUGIN_DIR_VARIABLE) or _configured_directories()
    environ[options.PLUGIN_DIR_VARIABLE] = discovery.with_plugin_directory(stated)
    environ.pop(ESOREX_VARIABLE, None)


def plugin_dir() -> int:
    """Print the directory with this package's recipes, for PYESOREX_PLUGIN_DIR."""
    print(discovery.plugin_directory())
    return 0


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
    from soxs_recipes.cpl_bridge import cpl

    return [str(directory) for directory in cpl.ui.CRecipe.recipe_dir]
