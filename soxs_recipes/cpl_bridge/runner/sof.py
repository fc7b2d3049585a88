"""Sets of frames: reading the input list and writing the list of products.

A line of a SOF is `path tag [group]`. As in CPL, fields are separated by blanks or tabs, lines
that start with `#` are comments, environment variables are expanded, relative paths count from
the working directory and a path needs no tag. Beyond CPL, a path may hold blanks (quoted or not).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from soxs_recipes.cpl_bridge import cpl
from soxs_recipes.cpl_bridge.runner.errors import SofError, UsageError

_QUOTED = re.compile(r'"([^"]+)"(?:\s+(.*))?$')
_SKIP_HINT = (
    "Correct the path, or skip the check and the file with '--check-sof-exist=FALSE'. Relative "
    "paths count from the working directory."
)


@dataclass(frozen=True)
class Entry:
    """One frame of a SOF; `path` is absolute."""

    path: Path
    tag: str
    group: str
    line: int


def parse_sof(text: str, directory: Path) -> list[Entry]:
    """Split the text of a SOF into its frames.

    Parameters
    ----------
    text : str
    directory : Path
        Where relative paths count from.
    """
    lines = enumerate((line.strip() for line in text.split("\n")), start=1)
    return [_entry(line, number, directory) for number, line in lines if line and line[0] != "#"]


def read_sof(file: str | Path, check_files: bool = True) -> Any:
    """Read a set of frames.

    Parameters
    ----------
    file : str or Path
    check_files : bool
        Whether every file must exist and be readable.

    Returns
    -------
    cpl.ui.FrameSet
        With absolute paths.

    Raises
    ------
    SofError
        If the SOF cannot be read, or a file in it is missing or unreadable.
    """
    frames = cpl.ui.FrameSet()
    for entry in parse_sof(_read_text(Path(file)), Path.cwd()):
        if check_files:
            _require(entry, file)
        frames.append(make_frame(entry.path, entry.tag, entry.group))
    return frames


def make_frame(path: Path, tag: str, group: str = "NONE") -> Any:
    """Build a `cpl.ui.Frame`, also for a file that does not exist."""
    groups = cpl.ui.Frame.FrameGroup.__members__
    # CPL asks for an existing file at construction, and only then.
    frame = cpl.ui.Frame(os.devnull, tag=tag, group=groups[group])
    frame.file = str(path)
    return frame


def write_products_sof(file: Path, products: Sequence[tuple[str, str]]) -> None:
    """List products as a SOF, or as JSON if the file's name ends in .json, like EsoRex.

    Parameters
    ----------
    file : Path
    products : sequence of (str, str)
        Path and tag of each.
    """
    if file.suffix == ".json":
        entries = [{"name": path, "category": tag} for path, tag in products]
        text = json.dumps(entries, indent=2, ensure_ascii=False)
    else:
        text = "\n".join(f"{_sof_path(path)}     {tag}" for path, tag in products)
    partial = file.with_name(file.name + ".partial")
    try:
        partial.write_bytes(os.fsencode(text + "\n"))
        partial.replace(file)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise UsageError(f"Unable to write '--products-sof={file}': {error.strerror}.") from error


def _entry(line: str, number: int, directory: Path) -> Entry:
    candidates = list(_splits(line))
    path, rest = next(
        ((p, r) for p, r in candidates if (directory / p).is_file()),
        candidates[0],
    )
    fields = _without_comment(rest.split())
    tag = fields[0] if fields else ""
    group = fields[1] if len(fields) > 1 and fields[1] in ("RAW", "CALIB", "PRODUCT") else "NONE"
    return Entry(Path(os.path.abspath(directory / path)), tag, group, number)  # noqa: PTH100


def _splits(line: str) -> Iterator[tuple[str, str]]:
    """Yield the ways to divide a line into path and rest, the shortest path first."""
    quoted = _QUOTED.match(line)
    if quoted:
        yield os.path.expandvars(quoted[1]), quoted[2] or ""
        return
    for gap in re.finditer(r"\s+|$", line):
        yield os.path.expandvars(line[: gap.start()]), line[gap.end() :]


def _without_comment(fields: Iterable[str]) -> list[str]:
    fields = list(fields)
    starts = (number for number, text in enumerate(fields) if text.startswith("#"))
    return fields[: next(starts, len(fields))]


def _sof_path(path: str) -> str:
    return f'"{path}"' if re.search(r"\s", path) else path


def _read_text(file: Path) -> str:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise SofError(
            f"Unable to open SOF file '{file}': {error.strerror}.",
            "The SOF is a text file with one line 'path tag' per frame.",
        ) from error
    if content.startswith(b"SIMPLE  ="):
        raise SofError(
            f"'{file}' is a FITS file, not a SOF.",
            "Write its path and tag as a line of a text file and give that file.",
        )
    return os.fsdecode(content)


def _require(entry: Entry, sof: str | Path) -> None:
    if entry.path.is_file() and os.access(entry.path, os.R_OK):
        return
    state = "cannot be read" if entry.path.exists() else "does not exist"
    tag = f"tag '{entry.tag}'" if entry.tag else "no tag"
    raise SofError(
        f"Could not open the input file '{entry.path}' with {tag} in line {entry.line} "
        f"of the SOF '{sof}': it {state}.",
        _SKIP_HINT,
    )
