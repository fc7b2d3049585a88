"""``soxs simulate``: the simulator on the command line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from .calibrations import DEFAULT_START, simulate_bias, simulate_dark
from .specs import VIS_MODES, mode_option


def parser() -> argparse.ArgumentParser:
    """Return the parser of ``soxs simulate``."""
    top = argparse.ArgumentParser(
        prog="soxs simulate", description="Simulate raw SOXS frames with known truth."
    )
    kinds = top.add_subparsers(dest="kind", required=True, metavar="KIND")
    bias = kinds.add_parser("bias", help="bias frames of the UV-VIS arm or the camera")
    dark = kinds.add_parser("dark", help="dark frames of any camera")
    for command, arms, default in ((bias, ("VIS", "ACQ"), "VIS"), (dark, None, "NIR")):
        _detector_options(command, arms or ("VIS", "NIR", "ACQ"), default)
    dark.add_argument("--exptime", type=float, default=10.0, help="seconds; NIR: DIT")
    dark.add_argument("--ndit", type=int, default=1, help="integrations averaged (NIR)")
    return top


def _detector_options(command: argparse.ArgumentParser, arms: tuple[str, ...], arm: str) -> None:
    command.add_argument("out", help="directory for the raw files and truth/")
    command.add_argument("--arm", choices=arms, default=arm)
    command.add_argument("--frames", type=int, default=5, help="number of frames")
    command.add_argument("--binning", default="1x1", help="x first: 1x1, 2x1 or 2x2 (VIS)")
    modes = [mode_option(mode.name) for mode in VIS_MODES]
    command.add_argument("--read-mode", choices=modes, help="VIS read mode (default: slow-high)")
    command.add_argument("--fixed-pattern", type=float, default=0.0, help="amplitude in electrons")
    common_options(command)


def common_options(command: argparse.ArgumentParser) -> None:
    """Add the options that every kind of simulation takes."""
    command.add_argument("--seed", type=int, default=1, help="seed of the noise")
    command.add_argument("--detector-seed", type=int, default=0, help="seed of the chips")
    command.add_argument("--start", default=DEFAULT_START, help="UTC of the first frame")
    command.add_argument("--no-cosmics", action="store_true", help="leave out cosmic rays")


def _bias(options: argparse.Namespace) -> int:
    return _report(simulate_bias(options.out, **_detector_arguments(options)))


def _dark(options: argparse.Namespace) -> int:
    arguments = _detector_arguments(options)
    files = simulate_dark(options.out, exptime_s=options.exptime, ndit=options.ndit, **arguments)
    return _report(files)


def _detector_arguments(options: argparse.Namespace) -> dict[str, object]:
    return {
        "arm": options.arm,
        "frames": options.frames,
        "binning": options.binning,
        "read_mode": options.read_mode if options.arm == "VIS" else None,
        "seed": options.seed,
        "detector_seed": options.detector_seed,
        "start": options.start,
        "cosmic_rays": not options.no_cosmics,
        "fixed_pattern_e": options.fixed_pattern,
    }


def _report(files: Sequence[object]) -> int:
    for file in files:
        sys.stdout.write(f"{file}\n")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``soxs simulate``.

    Returns
    -------
    int
        0, or 1 after a message on standard error.
    """
    options = parser().parse_args(argv)
    commands = {"bias": _bias, "dark": _dark}
    try:
        return commands[options.kind](options)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"soxs simulate {options.kind}: {error}\n")
        return 1
