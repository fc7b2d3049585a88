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
129    hung up (SIGHUP)
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

import os
import sys

from soxs_recipes.cpl_bridge.runner import cli, delegation, memory, threads


def main() -> int | str | None:
    """Run ESO's PyEsoRex if it is installed and can be imported, else the embedded runner."""
    threads.one_unless_told(os.environ)
    memory.one_pool(os.environ)
    entry = delegation.eso_entry_point()
    if entry is None or delegation.stand_in_asked_for(os.environ):
        return cli.main()
    delegation.prepare_environment(os.environ)
    try:
        eso_main = entry.load()
    except Exception as error:
        print(
            f"[WARNING] pyesorex: ESO's PyEsoRex cannot be imported ({type(error).__name__}: "
            f"{error}); the embedded runner takes over. 'soxs doctor' says more.",
            file=sys.stderr,
        )
        return cli.main()
    return eso_main()
