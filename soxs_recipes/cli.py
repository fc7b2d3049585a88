"""The `soxs` command: one word per task, each loaded only when it is called."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from soxs_recipes import __version__
from soxs_recipes.cpl_bridge.runner import memory, threads
from soxs_recipes.errors import SoxsError


class Command(NamedTuple):
    """A sub-command: its help, and the function ``main(argv) -> int`` behind it."""

    name: str
    help: str
    module: str
    function: str = "main"


COMMANDS = (
    Command("run", "run a recipe on a set of frames", "soxs_recipes.cpl_bridge.runner.cli"),
    Command("classify", "print files with their frame tags", "soxs_recipes.cli", "classify"),
    Command("simulate", "make raw frames with known truth", "soxs_simulator.cli"),
    Command("esorex", "build the EsoRex plugins, say where they are", "soxs_recipes.esorex.cli"),
    Command("reflex", "install the EsoReflex workflow", "soxs_recipes.workflows.cli"),
    Command("phase3", "check products for ESO, pack them", "soxs_recipes.products.phase3_cli"),
    Command("calib", "check the static calibrations", "soxs_recipes.calib_check"),
    Command(
        "plugin-dir",
        "print the folder that ESO's PyEsoRex must scan",
        "soxs_recipes.cpl_bridge.runner.cli",
        "plugin_dir",
    ),
    Command(
        "doctor",
        "say what is installed and what to do about it",
        "soxs_recipes.cpl_bridge.runner.cli",
        "doctor",
    ),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a sub-command and return its exit status."""
    threads.one_unless_told(os.environ)
    memory.one_pool(os.environ)
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help"):
        print(usage())
        return 0 if arguments else 2
    if arguments[0] == "--version":
        print(f"soxs {__version__}")
        return 0
    command = next((item for item in COMMANDS if item.name == arguments[0]), None)
    if command is None:
        print(f"soxs: no command '{arguments[0]}'\n\n{usage()}", file=sys.stderr)
        return 2
    function = getattr(importlib.import_module(command.module), command.function)
    try:
        return function(arguments[1:]) or 0
    except SoxsError as error:
        print(f"soxs {command.name}: {error}", file=sys.stderr)
        return 1


def usage() -> str:
    """Return the list of sub-commands."""
    lines = [f"  {command.name:<12} {command.help}" for command in COMMANDS]
    return "\n".join(
        [
            "usage: soxs COMMAND [ARGUMENTS]",
            "",
            *lines,
            "",
            "soxs COMMAND --help tells more of one of them.",
        ]
    )


def classify(argv: Sequence[str]) -> int:
    """Print ``file tag`` for raw frames and products; reasons for the rest go to stderr."""
    parser = argparse.ArgumentParser(prog="soxs classify", description=classify.__doc__)
    parser.add_argument("files", nargs="+", type=Path, help="FITS files")
    from soxs_recipes.instrument import classification
    from soxs_recipes.products.fits_input import read_header

    status = 0
    for path in parser.parse_args(argv).files:
        try:
            told = classification.classify(read_header(path))
        except SoxsError as error:
            told = classification.Classification(None, str(error))
        if told.tag is None:
            print(f"{path}: {told.reason}", file=sys.stderr)
            status = 1
        else:
            print(f"{path.resolve()} {told.tag}")
    return status


if __name__ == "__main__":
    sys.exit(main())
