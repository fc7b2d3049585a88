"""Pure-Python stand-in for the part of PyCPL that recipes use.

Names, arguments, defaults, exceptions and printed forms follow PyCPL 1.0.3; what differs is
listed in ``docs/pycpl_compatibility.md``. Nothing here imports numpy or astropy at import time.
"""

from soxs_recipes.cpl_bridge.embedded import core, dfs, ui

__version__ = "1.0.3"
DESCRIPTION = "soxs_recipes embedded stand-in for PyCPL"

__all__ = ["DESCRIPTION", "core", "dfs", "ui"]
