"""Write the generated workflow files, or say whether they are up to date."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from soxs_recipes.workflows.generate import (
    faults,
    generated,
    recipe_cascade,
    shipped_files,
    stale,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status: 1 if a file is stale or has faults."""
    parser = argparse.ArgumentParser(prog="python -m soxs_recipes.workflows", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    parser.add_argument("--directory", type=Path, help="where the files are (default: the package)")
    arguments = parser.parse_args(argv)
    directory = arguments.directory or shipped_files()
    cascade = recipe_cascade()
    contents = {
        name: text
        for name, text in generated(cascade).items()
        if (directory / name).parent.is_dir()
    }
    found = faults(contents, cascade)
    if found:
        print("\n".join(found), file=sys.stderr)
        return 1
    changed = stale(contents, directory)
    if not arguments.check:
        for name in changed:
            (directory / name).write_text(contents[name], "utf-8")
    word = "stale" if arguments.check else "written"
    print("\n".join(f"{name}: {word if name in changed else 'up to date'}" for name in contents))
    return 1 if arguments.check and changed else 0


if __name__ == "__main__":
    sys.exit(main())
