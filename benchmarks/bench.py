"""Time the recipes as a user starts them, and compare with the last figures.

Each command runs in a process of its own, once uncounted, then as often as asked; the median is
kept. Figures go to ``benchmarks/figures.json``, which is not part of the repository.
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
from pathlib import Path
from typing import NamedTuple

FIGURES = Path(__file__).parent / "figures.json"


class Case(NamedTuple):
    """A command to time, the frames it needs, and its targets."""

    name: str
    simulate: tuple[str, dict] | None
    tag: str
    arguments: tuple[str, ...]
    wall_s: float
    peak_mb: float


CASES = (
    Case("pyesorex --recipes", None, "", ("--recipes",), 1.0, 400),
    Case(
        "soxs_mbias, 10 VIS frames",
        ("bias", {"arm": "VIS", "frames": 10}),
        "BIAS_VIS",
        ("soxs_mbias",),
        2.0,
        400,
    ),
    Case(
        "soxs_mdark, 5 NIR frames",
        ("dark", {"arm": "NIR", "frames": 5, "exptime_s": 10.0}),
        "DARK_NIR",
        ("soxs_mdark",),
        2.0,
        400,
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
    command = [sys.executable, "-m", "soxs_recipes.cli", "run", *case.arguments]
    if case.simulate:
        from soxs_simulator import calibrations

        kind, options = case.simulate
        files = getattr(calibrations, f"simulate_{kind}")(folder / "raw", **options)
        sof = folder / "input.sof"
        sof.write_text("".join(f"{path} {case.tag}\n" for path in files))
        command.append(str(sof))
    results = [run(command, folder) for _ in range(runs + 1)][1:]
    return statistics.median(wall for wall, _ in results), max(peak for _, peak in results)


def run(command: list[str], folder: Path) -> tuple[float, float]:
    """Run one process; its wall time in s and peak resident size in MB."""
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
