"""``soxs simulate``: the simulator on the command line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from .calibrations import DEFAULT_START, simulate_bias, simulate_dark, simulate_detlin
from .camera_bands import BANDS
from .camera_frames import EVENING, TWILIGHT, simulate_camera_flats, simulate_star_field
from .frame_kinds import KINDS, SLITS
from .frames import Run
from .night import NIGHT_START, simulate_night
from .observations import AFTERNOON, MASKS, lamp_set, simulate_lamps, simulate_observation
from .observations import EVENING as OBSERVING_START
from .schedule import Observation, Target
from .specs import VIS_MODES, mode_option

READ_MODES = tuple(mode_option(mode.name) for mode in VIS_MODES)
OBSERVATIONS = tuple(name for name, kind in KINDS.items() if kind.mode)


def parser() -> argparse.ArgumentParser:
    """Return the parser of ``soxs simulate``."""
    top = argparse.ArgumentParser(
        prog="soxs simulate", description="Simulate raw SOXS frames with known truth."
    )
    kinds = top.add_subparsers(dest="kind", required=True, metavar="KIND")
    _bias_and_dark(kinds)
    _detlin(kinds)
    _lamp(kinds)
    _observe(kinds)
    _camera(kinds)
    _night(kinds)
    return top


def _command(
    kinds: argparse._SubParsersAction, name: str, text: str, start: str
) -> argparse.ArgumentParser:
    """Add a kind of simulation with the options that every one takes."""
    command = kinds.add_parser(name, help=text, description=text)
    command.add_argument("out", help="directory for the raw files and truth/")
    command.add_argument("--seed", type=int, default=1, help="seed of sky, optics and noise")
    command.add_argument("--detector-seed", type=int, default=0, help="seed of the chips")
    command.add_argument("--start", default=start, help="UTC of the first frame")
    return command


def _bias_and_dark(kinds: argparse._SubParsersAction) -> None:
    bias = _command(kinds, "bias", "bias frames of the UV-VIS arm or the camera", DEFAULT_START)
    dark = _command(kinds, "dark", "dark frames of any camera", DEFAULT_START)
    for command, arms in ((bias, ("VIS", "ACQ")), (dark, ("NIR", "VIS", "ACQ"))):
        command.add_argument("--arm", choices=arms, default=arms[0])
        command.add_argument("--frames", type=int, default=5, help="number of frames")
        command.add_argument("--binning", default="1x1", help="x first: 1x1, 2x1 or 2x2 (VIS)")
        command.add_argument("--read-mode", choices=READ_MODES, help="VIS: default slow-high")
        command.add_argument("--fixed-pattern", type=float, default=0.0, help="electrons")
        command.add_argument("--no-cosmics", action="store_true", help="no cosmic rays")
    dark.add_argument("--exptime", type=float, default=10.0, help="seconds; NIR: DIT")
    dark.add_argument("--ndit", type=int, default=1, help="integrations averaged (NIR)")


def _detlin(kinds: argparse._SubParsersAction) -> None:
    command = _command(kinds, "detlin", "detector-linearity series", DEFAULT_START)
    command.add_argument("--arm", choices=("VIS", "NIR", "ACQ"), default="VIS")
    command.add_argument("--times", type=_numbers, help="seconds, comma-separated; NIR: DITs")
    command.add_argument("--read-mode", choices=READ_MODES, help="VIS: default slow-high")
    command.add_argument("--no-cosmics", action="store_true", help="no cosmic rays")


def _lamp(kinds: argparse._SubParsersAction) -> None:
    command = _command(kinds, "lamp", "arcs and flats of one arm", AFTERNOON)
    command.add_argument("--frame", choices=tuple(MASKS), default="slit_flat")
    command.add_argument("--arm", choices=("VIS", "NIR"), default="VIS")
    command.add_argument("--frames", type=int, default=1, help="number of (lamp-on) frames")
    command.add_argument("--exptime", type=float, default=20.0, help="seconds; NIR: DIT")
    command.add_argument("--slit", choices=SLITS, help="for slit frames: default SLIT1.0")
    command.add_argument("--lamps", type=_words, help="QTH, D2, ThAr, Ar, Hg, Ne, Xe")
    _optics_options(command)


def _observe(kinds: argparse._SubParsersAction) -> None:
    command = _command(kinds, "observe", "a target with both arms", OBSERVING_START)
    command.add_argument("--frame", choices=OBSERVATIONS, default="object_async_nod")
    command.add_argument("--target", default="SN2026XYZ", help="a name that the scenes know")
    command.add_argument("--ra", type=float, default=150.1, help="degrees")
    command.add_argument("--dec", type=float, default=-21.3, help="degrees")
    command.add_argument("--slit", choices=SLITS, default="SLIT1.0")
    command.add_argument("--exptime", type=float, default=300.0, help="seconds, UV-VIS")
    command.add_argument("--dit", type=float, default=300.0, help="seconds, NIR")
    command.add_argument("--ndit", type=int, default=1, help="integrations averaged (NIR)")
    command.add_argument("--cycles", type=int, default=1, help="pairs (stare, map: exposures)")
    command.add_argument("--throw", type=float, default=5.0, help="arcsec between A and B")
    command.add_argument("--jitter", type=float, default=0.0, help="arcsec, width of the jitter")
    _air_options(command)
    _optics_options(command)


def _camera(kinds: argparse._SubParsersAction) -> None:
    flats = _command(kinds, "camera-flat", "twilight flats of the camera", TWILIGHT)
    flats.add_argument("--filters", type=_words, default=tuple(BANDS))
    flats.add_argument("--frames", type=int, default=3, help="frames per filter")
    field = _command(kinds, "field", "star field, with its catalogue", EVENING)
    field.add_argument("--filters", type=_words, default=("r",))
    field.add_argument("--ra", type=float, default=150.1, help="degrees")
    field.add_argument("--dec", type=float, default=-21.3, help="degrees")
    field.add_argument("--exptime", type=float, default=20.0, help="seconds")
    field.add_argument("--rotator", type=float, default=0.0, help="position angle, degrees")
    field.add_argument("--target", default="FIELD", help="name of the field")
    _air_options(field)


def _night(kinds: argparse._SubParsersAction) -> None:
    command = _command(kinds, "night", "both arms and the camera for a night", NIGHT_START)
    command.add_argument("--small", action="store_true", help="few frames of each kind")
    command.add_argument("--workers", type=int, default=2, help="number of processes")
    command.add_argument("--no-cosmics", action="store_true", help="no cosmic rays")
    _optics_options(command)


def _air_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--seeing", type=float, default=0.85, help="arcsec, zenith, 500 nm")
    command.add_argument("--transparency", type=float, default=1.0, help="what clouds let pass")


def _optics_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--drift", type=float, default=1.0, help="factor on format shifts")
    command.add_argument("--ideal", action="store_true", help="truth as in the tables")


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(word) for word in text.split(","))


def _seeds(options: argparse.Namespace) -> dict[str, object]:
    return {
        "seed": options.seed,
        "detector_seed": options.detector_seed,
        "start": options.start,
    }


def _run(options: argparse.Namespace) -> Run:
    return Run(
        seed=options.seed,
        detector_seed=options.detector_seed,
        cosmic_rays=not getattr(options, "no_cosmics", False),
        drift=options.drift,
        ideal=options.ideal,
    )


def _detector_arguments(options: argparse.Namespace) -> dict[str, object]:
    return {
        **_seeds(options),
        "arm": options.arm,
        "frames": options.frames,
        "binning": options.binning,
        "read_mode": options.read_mode if options.arm == "VIS" else None,
        "cosmic_rays": not options.no_cosmics,
        "fixed_pattern_e": options.fixed_pattern,
    }


def _take_bias(options: argparse.Namespace) -> list[Path]:
    return simulate_bias(options.out, **_detector_arguments(options))


def _take_dark(options: argparse.Namespace) -> list[Path]:
    arguments = _detector_arguments(options)
    return simulate_dark(options.out, exptime_s=options.exptime, ndit=options.ndit, **arguments)


def _take_detlin(options: argparse.Namespace) -> list[Path]:
    return simulate_detlin(
        options.out,
        options.arm,
        options.times,
        options.read_mode,
        cosmic_rays=not options.no_cosmics,
        **_seeds(options),
    )


def _take_lamp(options: argparse.Namespace) -> list[Path]:
    frames = lamp_set(
        options.frame, options.arm, options.frames, options.exptime, options.slit, options.lamps
    )
    return simulate_lamps(options.out, frames, run=_run(options), start=options.start)


def _take_observation(options: argparse.Namespace) -> list[Path]:
    observation = Observation(
        kind=options.frame,
        target=Target(options.target, options.ra, options.dec),
        slit=options.slit,
        vis_exptime_s=options.exptime,
        nir_dit_s=options.dit,
        nir_ndit=options.ndit,
        cycles=options.cycles,
        nod_throw_arcsec=options.throw,
        jitter_arcsec=options.jitter,
    )
    air = {"seeing_arcsec": options.seeing, "transparency": options.transparency}
    return simulate_observation(options.out, observation, _run(options), options.start, **air)


def _take_camera_flats(options: argparse.Namespace) -> list[Path]:
    return simulate_camera_flats(options.out, options.filters, options.frames, **_seeds(options))


def _take_field(options: argparse.Namespace) -> list[Path]:
    return simulate_star_field(
        options.out,
        options.ra,
        options.dec,
        options.filters,
        options.exptime,
        target=options.target,
        rotator_deg=options.rotator,
        seeing_arcsec=options.seeing,
        transparency=options.transparency,
        **_seeds(options),
    )


def _take_night(options: argparse.Namespace) -> list[Path]:
    return simulate_night(options.out, _run(options), options.small, options.start, options.workers)


COMMANDS = {
    "bias": _take_bias,
    "dark": _take_dark,
    "detlin": _take_detlin,
    "lamp": _take_lamp,
    "observe": _take_observation,
    "camera-flat": _take_camera_flats,
    "field": _take_field,
    "night": _take_night,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``soxs simulate``: print the files made, one per line.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments after ``soxs simulate``; by default those of the process.

    Returns
    -------
    int
        0, or 1 after a message on standard error.
    """
    options = parser().parse_args(argv)
    try:
        files = COMMANDS[options.kind](options)
    except (ValueError, OSError) as error:
        sys.stderr.write(f"soxs simulate {options.kind}: {error}\n")
        return 1
    sys.stdout.writelines(f"{file}\n" for file in files)
    return 0
