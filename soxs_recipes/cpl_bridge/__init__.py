"""One name, ``cpl``, for recipes: ESO's PyCPL when it is there, else the embedded stand-in.

``from soxs_recipes.cpl_bridge import cpl`` gives the installed PyCPL if it has
``cpl.ui.PyRecipe`` and :mod:`soxs_recipes.cpl_bridge.embedded` otherwise; recipe code never
asks which. Setting the environment variable ``SOXS_CPL=embedded`` takes the stand-in even when
PyCPL is installed.
"""

from __future__ import annotations

import importlib
import os
from types import ModuleType

FORCE_VARIABLE = "SOXS_CPL"


def _installed_pycpl() -> ModuleType | None:
    """Import PyCPL, or return None when it is absent, broken or another package named cpl.

    Debian's ``python3-cpl`` has the same import name and no ``cpl.ui``. A build against
    missing libraries may fail with any exception, none of which may stop a recipe that does
    not need PyCPL.
    """
    try:
        package = importlib.import_module("cpl")
        ui = importlib.import_module("cpl.ui")
    except Exception:
        return None
    return package if hasattr(ui, "PyRecipe") else None


def _choose() -> tuple[ModuleType, bool]:
    if os.environ.get(FORCE_VARIABLE, "").strip().lower() != "embedded":
        package = _installed_pycpl()
        if package is not None:
            return package, True
    return importlib.import_module("soxs_recipes.cpl_bridge.embedded"), False


cpl, HAVE_PYCPL = _choose()

__all__ = ["FORCE_VARIABLE", "HAVE_PYCPL", "cpl"]
