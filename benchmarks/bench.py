"""Time the recipes as a user starts them, and compare with the last figures.

Each command runs in a process of its own, once uncounted, then as often as asked; the median is
kept. Of a series of commands the times are added. Figures go to ``benchmarks/figures.json``, which
is not part of the repository.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

FIGURES = Path(__file__).parent / "figures.json"
ARMS = ("VIS", "NIR")
CALIBRATION = (
    "soxs_disp_solution",
    "soxs_order_centres",
    "soxs_spec_mflat",
    "soxs_spatial_solution",
)

Commands = list[tuple[str, ...]]


class Case(NamedTuple):
    """Commands to time one after the other, made by `prepare` in a folder, and their targets."""

    name: str
    prepare: Callable[[Path], Commands]
    wall_s: float
    peak_mb: float


def listing(_: Path) -> Commands:
    """List the recipes."""
    return [("--recipes",)]


def one_set(recipe: str, tag: str, kind: str, folder: Path, **options: object) -> Commands:
    """A recipe on a simulated set of frames of one kind."""
    from soxs_simulator import calibrations

    files = getattr(calibrations, f"simulate_{kind}")(folder / "raw", **options)
    return [(recipe, write_sof(folder / "input.sof", [(path, tag) for path in files]))]


def calibration(folder: Path, recipes: tuple[str, ...] = CALIBRATION) -> Commands:
    """The calibration recipes on the lamp frames of a small night, arm by arm."""
    from soxs_simulator.night import simulate_night

    return in_a_row(folder, simulate_night(folder / "raw", small=True), recipes, ARMS)


def slit_arc(recipe: str, arm: str, exptime_s: float, folder: Path) -> Commands:
    """A recipe on an arc through the slit; the solution it needs is made beforehand."""
    from soxs_simulator.observations import lamp_set, simulate_lamps

    files = []
    for kind, time_s in (("multi_pinhole_arc", 60.0), ("slit_arc", exptime_s)):
        files += simulate_lamps(folder / kind, lamp_set(kind, arm, 1, time_s))
    before, last = in_a_row(folder, files, ("soxs_spatial_solution", recipe), (arm,))
    run(before, folder)
    return [last]


def in_a_row(
    folder: Path, files: list[Path], recipes: tuple[str, ...], arms: tuple[str, ...]
) -> Commands:
    """Recipes with the raw frames they take and the products of those before them."""
    from soxs_recipes.cameras import arm_of
    from soxs_recipes.instrument.classification import classify
    from soxs_recipes.products.fits_input import read_header
    from soxs_recipes.recipes import RECIPES

    declarations = {item.declaration.name: item.declaration for item in RECIPES}
    frames: dict[str | None, list[Path]] = {}
    first: dict[str | None, float] = {}
    for path in files:
        header = read_header(path)
        tag = classify(header).tag
        # Flats through several slits differ in exposure time: one set of each tag.
        exptime_s = arm_of(header).readout(header).exptime_s
        if first.setdefault(tag, exptime_s) == exptime_s:
            frames.setdefault(tag, []).append(path)
    commands: Commands = []
    for arm in arms:
        for recipe in recipes:
            items = [one for one in declarations[recipe].inputs_of(arm) if not one.alternative]
            tags = [item.tag_of(arm) for item in items]
            entries = [(path, tag) for tag in tags for path in frames.get(tag, [])]
            commands.append((recipe, write_sof(folder / f"{recipe}_{arm}.sof", entries)))
            for product in declarations[recipe].products:
                tag = product.tag_of(arm)
                frames[tag] = [folder / f"{tag.lower()}.fits"]
    return commands


def write_sof(path: Path, entries: list[tuple[Path, str]]) -> str:
    """Write a set of frames; its path."""
    path.write_text("".join(f"{file} {tag}\n" for file, tag in entries))
    return str(path)


CASES = (
    Case("pyesorex --recipes", listing, 1.0, 400),
    Case(
        "soxs_mbias, 10 VIS frames",
        partial(one_set, "soxs_mbias", "BIAS_VIS", "bias", arm="VIS", frames=10),
        2.0,
        400,
    ),
    Case(
        "soxs_mdark, 5 NIR frames",
        partial(one_set, "soxs_mdark", "DARK_NIR", "dark", arm="NIR", frames=5, exptime_s=10.0),
        2.0,
        400,
    ),
    Case("spectral calibration, 8 runs", calibration, 14.0, 800),
    *(
        Case(f"{recipe}, {arm}", partial(slit_arc, recipe, arm, exptime_s), 2.0, 800)
        for recipe in ("soxs_line_check", "soxs_straighten")
        for arm, exptime_s in (("VIS", 30.0), ("NIR", 10.0))
    ),
)


def main() -> int:
    """Run the benchmarks, print a table and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    last = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    figures = {}
    print(f"{platform.machine()}, {os.cpu_count()} cores, median of {runs} processes")
    print(f"{'':32}{'wall s':>8}{'target':>8}{'last':>8}{'peak MB':>9}{'target':>8}")
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            wall, peak = measure(case, Path(folder), runs)
        figures[case.name] = {"wall_s": round(wall, 3), "peak_mb": round(peak)}
        before = last.get(case.name, {}).get("wall_s", float("nan"))
        print(
            f"{case.name:32}{wall:8.2f}{case.wall_s:8.1f}{before:8.2f}{peak:9.0f}{case.peak_mb:8.0f}"
        )
    FIGURES.write_text(json.dumps(figures, indent=1) + "\n")
    return 0


def measure(case: Case, folder: Path, runs: int) -> tuple[float, float]:
    """Median wall time in s and largest resident size in MB of a case."""
    commands = case.prepare(folder)
    results = [[run(command, folder) for command in commands] for _ in range(runs + 1)][1:]
    walls = [sum(wall for wall, _ in series) for series in results]
    return statistics.median(walls), max(peak for series in results for _, peak in series)


def run(arguments: tuple[str, ...], folder: Path) -> tuple[float, float]:
    """Run one process; its wall time in s and peak resident size in MB."""
    command = [sys.executable, "-m", "soxs_recipes.cli", "run", *arguments]
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        os.chdir(folder)
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.execv(command[0], command)
    _, status, usage = os.wait4(child, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed with status {status}")
    scale = 1e6 if sys.platform == "darwin" else 1e3
    return time.monotonic() - started, usage.ru_maxrss / scale


if __name__ == "__main__":
    sys.exit(main())
