"""The command ``soxs reflex``: install the EsoReflex workflow, or check it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

DATA_DIRECTORY = Path("~/soxs_reflex_data")
REFLEX_DIRECTORY = Path("~/KeplerData/workflows/MyWorkflows")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    arguments = _parser().parse_args(argv)
    return arguments.function(arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="soxs reflex", description=__doc__)
    commands = parser.add_subparsers(required=True)
    installer = commands.add_parser("install", help="install the workflow for EsoReflex")
    installer.add_argument(
        "directory",
        type=Path,
        nargs="?",
        default=REFLEX_DIRECTORY,
        help="where EsoReflex looks for workflows (default: %(default)s)",
    )
    installer.add_argument(
        "--root-data-dir",
        type=Path,
        default=DATA_DIRECTORY,
        help="where raw frames are read and products written (default: %(default)s)",
    )
    installer.add_argument(
        "--calib-data-dir",
        type=Path,
        help="master calibrations to be reused (default: reflex_calib in the root directory)",
    )
    installer.set_defaults(function=_install)
    checker = commands.add_parser("check", help="look for faults of the workflow")
    checker.set_defaults(function=_check)
    return parser


def _install(arguments: argparse.Namespace) -> int:
    from soxs_recipes.workflows.generate import install

    root = arguments.root_data_dir
    calibrations = arguments.calib_data_dir or root / "reflex_calib"
    for path in (root / "reflex_input" / "soxs", calibrations):
        path.expanduser().mkdir(parents=True, exist_ok=True)
    installed = install(arguments.directory, root, calibrations)
    print(f"{installed.workflow}\n{installed.rules}")
    print(f"Put raw frames into {root / 'reflex_input' / 'soxs'}, then: esoreflex soxs")
    return 0


def _check(_: argparse.Namespace) -> int:
    from soxs_recipes.workflows.generate import faults, generated, recipe_cascade, shipped_files

    cascade = recipe_cascade()
    directory = shipped_files()
    contents = {name: (directory / name).read_text("utf-8") for name in generated(cascade)}
    found = faults(contents, cascade)
    print("\n".join(found) or "The workflow has no fault")
    return 1 if found else 0
