"""``soxs esorex``: build the EsoRex plugins, say where they are."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from soxs_recipes.errors import SoxsError


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``install`` or ``path`` and return the exit status."""
    arguments = _parser().parse_args(argv)
    try:
        return arguments.function(arguments)
    except SoxsError as error:
        print(f"soxs esorex: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="soxs esorex", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    install = commands.add_parser("install", help="build the plugins and put them in their folder")
    install.add_argument(
        "--dir", type=Path, help="folder for the plugins; see 'soxs esorex path' for the default"
    )
    install.set_defaults(function=_install)
    path = commands.add_parser("path", help="print the folder, for esorex --recipe-dir")
    path.set_defaults(function=_path)
    return parser


def _install(arguments: argparse.Namespace) -> int:
    from soxs_recipes.esorex import installation

    installation.check_start()
    plugins = installation.install(arguments.dir)
    directory = plugins[0].parent
    print(f"{len(plugins)} recipes installed in {directory}")
    print(f"Try: esorex --recipe-dir={directory} --recipes")
    return 0


def _path(_arguments: argparse.Namespace) -> int:
    from soxs_recipes.esorex.installation import plugin_dir

    directory = plugin_dir()
    print(directory)
    if not any(directory.glob("*.so")):
        print("No plugins there yet: run 'soxs esorex install'", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
