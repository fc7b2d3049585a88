"""The command `soxs phase3`: check files against ESO's rules, pack them for delivery."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``check`` or ``package``; the status is 1 if a file breaks a rule."""
    options = _parser().parse_args(argv)
    return options.function(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="soxs phase3", description=__doc__)
    tasks = parser.add_subparsers(required=True, metavar="TASK")
    check = tasks.add_parser("check", help="check files against the rules of ESO's server")
    check.add_argument("files", nargs="+", type=Path, metavar="FILE")
    check.set_defaults(function=_check)
    pack = tasks.add_parser("package", help="copy products into a folder, ready for delivery")
    pack.add_argument("files", nargs="+", type=Path, metavar="FILE")
    pack.add_argument("--output-dir", type=Path, default=Path("phase3"), help="default: phase3")
    pack.add_argument("--prog-id", default="", help="ESO programme, where products do not tell")
    pack.set_defaults(function=_package)
    return parser


def _check(options: argparse.Namespace) -> int:
    from soxs_recipes.errors import SoxsError
    from soxs_recipes.products.fits_input import read_header
    from soxs_recipes.products.phase3_check import advice, check_file, rules_for

    failed = False
    for path in options.files:
        try:
            problems = [str(problem) for problem in check_file(path)]
        except SoxsError as error:
            problems = [str(error)]
        failed |= bool(problems)
        for text in problems:
            print(f"{path}: {text}")
        if not problems:
            kind = str(read_header(path).get("PRODCATG", ""))
            print(f"{path}: keeps all {len(rules_for(kind))} rules for {kind}")
            for text in advice(path):
                print(f"{path}: note: {text}", file=sys.stderr)
    return int(failed)


def _package(options: argparse.Namespace) -> int:
    from soxs_recipes.products.phase3_package import package

    for delivery in package(options.files, options.output_dir, options.prog_id):
        print(delivery.path)
        for companion in delivery.companions:
            print(f"  {companion}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
