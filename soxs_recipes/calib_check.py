"""`soxs calib check`: whether the static calibrations are whole, and say where they come from."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from soxs_recipes.errors import SoxsError

PACKAGE = "soxs_recipes.calib"
README = "README.md"
# Words of which one must name the origin, and the licence, in the metadata of every file.
ORIGIN = ("source", "sources", "origin", "provenance", "reference", "references", "from")
LICENCE = ("licence", "license", "copyright")


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``soxs calib check [FOLDER]``; the exit status is 1 if a file is not as it should be."""
    parser = argparse.ArgumentParser(prog="soxs calib", description=__doc__)
    parser.add_argument("task", choices=["check"], help="what to do")
    parser.add_argument("folder", nargs="?", type=Path, help="another folder than the package's")
    arguments = parser.parse_args(argv)
    if arguments.folder is not None:
        return report(check_folder(arguments.folder))
    with as_file(files(PACKAGE)) as folder:
        return report(check_folder(folder))


def report(findings: Mapping[str, list[str]]) -> int:
    """Print one line per file and return the exit status."""
    for name, problems in findings.items():
        print(f"{name}: {'; '.join(problems) if problems else 'good'}")
    if not findings:
        print("no static calibrations found")
    return int(not findings or any(findings.values()))


def check_folder(folder: Path) -> dict[str, list[str]]:
    """Problems of every static calibration of a folder, by file name; an empty list is good."""
    paths = sorted(path for path in folder.iterdir() if _reader(path) is not None)
    readme = folder / README
    described = readme.read_text(encoding="utf-8") if readme.exists() else ""
    findings = {path.name: check_file(path) for path in paths}
    for name, problems in findings.items():
        if f"`{name}`" not in described:
            problems.append(f"is not described in {README}")
    return findings


def check_file(path: Path) -> list[str]:
    """Problems of one static calibration: unreadable, not finite, no units, no provenance."""
    try:
        return list(_reader(path)(path))
    except SoxsError as error:
        return [f"{error.summary} ({error.found})"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        return [f"cannot be read ({type(error).__name__}: {error})"]


def _reader(path: Path) -> Callable[[Path], Iterator[str]] | None:
    endings = {".ecsv": _ecsv, ".json": _json, ".fits": _fits, ".fits.gz": _fits}
    return next((check for end, check in endings.items() if path.name.endswith(end)), None)


def _ecsv(path: Path) -> Iterator[str]:
    from astropy.table import Table

    table = Table.read(path, format="ascii.ecsv")
    yield from _provenance(json.dumps(dict(table.meta), default=str))
    yield from _columns({name: table[name] for name in table.colnames})
    listed = {"unit", "units"} & {name.lower() for name in (*table.colnames, *table.meta)}
    if not (listed or any(table[name].unit for name in table.colnames)):
        yield "has no column with a unit"


def _json(path: Path) -> Iterator[str]:
    content = json.loads(path.read_text(encoding="utf-8"))
    yield from _provenance(json.dumps(content))
    yield from (f"{place} is not finite" for place in _not_finite(content))


def _fits(path: Path) -> Iterator[str]:
    from soxs_recipes.products.fits_input import open_fits

    with open_fits(path) as hdus:
        header = hdus[0].header
        yield from _provenance(" ".join(f"{card.keyword} {card.value}" for card in header.cards))
        if len(hdus) == 1 and hdus[0].data is None:
            yield "holds no data"
        for hdu in hdus[1:]:
            if hdu.data is None or len(hdu.data) == 0:
                yield f"extension {hdu.name} is empty"
            elif hdu.data.dtype.names:
                yield from _columns({name: hdu.data[name] for name in hdu.data.dtype.names})


def _provenance(text: str) -> Iterator[str]:
    lower = text.lower()
    if not any(word in lower for word in ORIGIN):
        yield "does not say where it comes from"
    if not any(word in lower for word in LICENCE):
        yield "does not state its licence"


def _columns(columns: Mapping[str, Any]) -> Iterator[str]:
    """Columns of numbers that hold nothing; wavelengths that are not in order or not positive."""
    import numpy as np

    for name, column in columns.items():
        values = np.ma.asarray(column)
        if values.dtype.kind not in "fiu":
            continue
        known = np.ma.compressed(np.ma.masked_invalid(values))
        if known.size == 0:
            yield f"column {name} holds no number"
        elif name.lower().startswith("wave") and (known.size < values.size or known.min() <= 0):
            yield f"column {name} has missing or impossible wavelengths"


def _not_finite(content: Any, place: str = "value") -> Iterator[str]:
    if isinstance(content, dict):
        for key, value in content.items():
            yield from _not_finite(value, str(key))
    elif isinstance(content, list):
        for value in content:
            yield from _not_finite(value, place)
    elif isinstance(content, float) and content - content != 0:
        yield place
