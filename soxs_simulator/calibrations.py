"""Sets of detector calibrations as functions: bias, dark, detector linearity."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from .exposure import Block, Exposure, parse_start
from .frames import Run, SourceFactory
from .rng import stream
from .simulation import simulate
from .specs import DETECTORS, NIR, H2rgSpec

DEFAULT_START = "2026-03-15T18:00:00"
DETLIN_SERIES = {
    "VIS": ((1.0, 2.0, 4.0, 8.0, 12.0, 16.0, 20.0, 24.0), 0.35),
    "NIR": ((10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 80.0), 0.25),
    "ACQ": ((1.0, 2.0, 4.0, 7.0, 10.0, 13.0, 16.0, 19.0), 1.0),
}
"""Exposure times and lamp brightness of the linearity series of each arm."""

DEFAULT_MODE = {"VIS": "Slow High Gain", "NIR": "Nondest", "ACQ": "Normal"}


def parse_binning(text: str | tuple[int, int]) -> tuple[int, int]:
    """Binning (x, y) of ``2x1`` or of a pair of numbers."""
    if isinstance(text, tuple):
        return text
    match = re.fullmatch(r"(\d)x(\d)", text)
    if not match:
        raise ValueError(f"binning {text!r}: write it as 1x1, 2x1 or 2x2 (x first)")
    return int(match[1]), int(match[2])


def simulate_bias(
    out: str | Path,
    arm: str = "VIS",
    frames: int = 5,
    binning: str | tuple[int, int] = (1, 1),
    read_mode: str | None = None,
    seed: int = 1,
    detector_seed: int = 0,
    start: str = DEFAULT_START,
    cosmic_rays: bool = True,
    fixed_pattern_e: float = 0.0,
) -> list[Path]:
    """Simulate a set of bias frames.

    Parameters
    ----------
    out : path
        Directory for the raw files and ``truth/``; made if absent.
    arm : {'VIS', 'ACQ'}
        Camera.
    frames : int
        Number of frames.
    binning : tuple of int or str
        Binning along x and y, ``(2, 1)`` or ``"2x1"``.
    read_mode : str, optional
        ``slow-high``, ``slow-low``, ``fast-high``, ``fast-low`` or the full name of the mode.
    seed, detector_seed : int
        Seeds of the noise and of the chip.
    start : str
        UTC date and time of the first frame.
    cosmic_rays : bool
        Whether cosmic rays strike during the read-out.
    fixed_pattern_e : float
        Amplitude of a periodic pattern, electrons.

    Returns
    -------
    list of Path
        The raw files, in time order.

    Raises
    ------
    ValueError
        The arm takes no biases, or has no such binning or read mode.
    """
    run = Run(seed, detector_seed, cosmic_rays=cosmic_rays, fixed_pattern_e=fixed_pattern_e)
    plan = detector_set("bias", arm, 0.0, frames, binning, read_mode, start, seed=seed)
    return simulate(plan, out, run)


def simulate_dark(
    out: str | Path,
    arm: str = "NIR",
    exptime_s: float = 10.0,
    frames: int = 5,
    binning: str | tuple[int, int] = (1, 1),
    read_mode: str | None = None,
    seed: int = 1,
    detector_seed: int = 0,
    start: str = DEFAULT_START,
    ndit: int = 1,
    cosmic_rays: bool = True,
    fixed_pattern_e: float = 0.0,
) -> list[Path]:
    """Simulate a set of dark frames.

    Parameters are those of :func:`simulate_bias`; ``exptime_s`` is the exposure time (NIR: DIT)
    and ``ndit`` the number of integrations averaged in a NIR frame.
    """
    run = Run(seed, detector_seed, cosmic_rays=cosmic_rays, fixed_pattern_e=fixed_pattern_e)
    plan = detector_set(
        "dark", arm, exptime_s * ndit, frames, binning, read_mode, start, ndit=ndit, seed=seed
    )
    return simulate(plan, out, run)


def simulate_detlin(
    out: str | Path,
    arm: str = "VIS",
    times_s: Sequence[float] | None = None,
    read_mode: str | None = None,
    lamp_scale: float | None = None,
    seed: int = 1,
    detector_seed: int = 0,
    start: str = DEFAULT_START,
    cosmic_rays: bool = True,
    factory: SourceFactory | None = None,
    defect_fraction: float = 0.0,
    biases: int = 3,
) -> list[Path]:
    """Simulate a detector-linearity series: lamp-off frames and a pair of flats per time.

    Parameters
    ----------
    out : path
        Directory for the raw files and ``truth/``.
    arm : {'VIS', 'NIR', 'ACQ'}
        VIS and ACQ: three biases and lamp-on pairs; NIR: lamp-off and lamp-on pairs per DIT.
    times_s : sequence of float, optional
        Exposure times (NIR: DITs); by default a series from a few per cent to all of the full well.
    lamp_scale : float, optional
        Brightness of the lamp against the nominal flat.
    factory : callable, optional
        Makes another source of scenes than the optics of the instrument.
    defect_fraction : float
        Share of pixels that are noisy, and of those that lose charge.
    biases : int
        Number of biases (CCD cameras).

    The other parameters are those of :func:`simulate_bias`.
    """
    default_times, default_scale = DETLIN_SERIES[arm]
    times_s = default_times if times_s is None else times_s
    lamp_scale = default_scale if lamp_scale is None else lamp_scale
    plan = detlin_set(arm, times_s, read_mode, start, lamp_scale, seed=seed, biases=biases)
    run = Run(seed, detector_seed, cosmic_rays=cosmic_rays, defect_fraction=defect_fraction)
    return simulate(plan, out, run, factory)


def detector_set(
    kind: str,
    arm: str,
    exptime_s: float,
    frames: int,
    binning: str | tuple[int, int] = (1, 1),
    read_mode: str | None = None,
    start: str | int = DEFAULT_START,
    ndit: int = 1,
    first_number: int = 1,
    seed: int = 1,
) -> list[Exposure]:
    """Plan a set of biases or darks that one template takes."""
    start_ms = parse_start(start) if isinstance(start, str) else start
    spec = DETECTORS[arm]
    if kind == "bias" and isinstance(spec, H2rgSpec):
        raise ValueError("the NIR arm takes no biases; use darks")
    mode = DEFAULT_MODE[arm] if read_mode is None or isinstance(spec, H2rgSpec) else read_mode
    if not isinstance(spec, H2rgSpec):
        mode = spec.mode(mode).name
    block = Block(200_000_000 + first_number, f"SOXS_{arm}_{kind}", "", start_ms)
    first = Exposure(
        arm=arm,
        kind=kind,
        start_ms=start_ms,
        number=first_number,
        exptime_s=exptime_s,
        block=block,
        nexp=frames,
        ndit=ndit,
        binning=parse_binning(binning),
        read_mode=mode,
        template_start_ms=start_ms,
    )
    return repeat(first, frames, seed)


def repeat(first: Exposure, frames: int, seed: int) -> list[Exposure]:
    """Plan ``frames`` like the first, one after the other with the overhead of reading out."""
    rng = stream(seed, "clock", first.stream)
    start, plans = first.start_ms + arm_delay_ms(first.arm), []
    for index in range(frames):
        now = start + int(rng.integers(0, 300))
        plans.append(
            replace(first, start_ms=now, number=first.number + index, expno=first.expno + index)
        )
        start += round(1000 * (first.exptime_s + readout_s(first)))
    return plans


def arm_delay_ms(arm: str) -> int:
    """Start of an arm's exposure after the template's command; keeps file names apart.

    Exposures of both arms commanded together start within 0.7 s of each other.
    """
    return {"VIS": 3000, "NIR": 3400, "ACQ": 3700}[arm]


def readout_s(exposure: Exposure) -> float:
    """Overhead of one frame, seconds."""
    spec = DETECTORS[exposure.arm]
    if isinstance(spec, H2rgSpec):
        return 3.0 + exposure.ndit * spec.read_s
    bin_x, bin_y = exposure.binning
    return 3.0 + spec.mode(exposure.read_mode).readout_s / (bin_x * bin_y)


def detlin_set(
    arm: str,
    times_s: Sequence[float],
    read_mode: str | None = None,
    start: str | int = DEFAULT_START,
    lamp_scale: float = 1.0,
    first_number: int = 1,
    seed: int = 1,
    biases: int = 3,
) -> list[Exposure]:
    """Plan a detector-linearity series of one arm and read mode."""
    start_ms = parse_start(start) if isinstance(start, str) else start
    plans: list[Exposure] = []
    is_ccd = arm != "NIR"
    if is_ccd:
        plans = detector_set("bias", arm, 0.0, biases, (1, 1), read_mode, start_ms, 1, first_number)
    mode = plans[0].read_mode if plans else NIR.curname
    block = Block(200_100_000 + first_number, f"SOXS_{arm}_detlin", "", start_ms)
    template = Exposure(
        arm=arm,
        kind="detlin_off",
        start_ms=start_ms,
        number=first_number,
        exptime_s=1.0,
        block=block,
        read_mode=mode,
        slit="BLANK" if arm == "ACQ" else "SLIT5.0",
        lamps=("QTH",),
        lamp_scale=lamp_scale,
        template_start_ms=start_ms,
    )
    steps = [(time, on) for time in times_s for on in ((True,) if is_ccd else (False, True))]
    clock = start_ms + 300_000 * len(plans)
    for time, on in steps:
        first = replace(
            template,
            kind="detlin_on" if on else "detlin_off",
            exptime_s=float(time),
            number=first_number + len(plans),
            expno=len(plans) + 1,
            start_ms=clock,
            lamp_on=on,
            nexp=2 * len(steps),
            extra_cards=_image_name(arm, read_mode, time),
        )
        plans += repeat(first, 2, seed)
        clock = plans[-1].start_ms + round(1000 * (time + readout_s(plans[-1])))
    return plans


def _image_name(arm: str, read_mode: str | None, time_s: float) -> dict[str, str]:
    """Card that names the series: ``SOXS_GEN_FLAT_VIS_DETLIN_SHG_UIT2``."""
    if arm == "ACQ":
        return {"ESO OCS DET3 IMGNAME": f"SOXS_GEN_FLAT_ACQ_DETLIN_UIT{time_s:g}"}
    if arm == "NIR":
        return {"ESO OCS DET1 IMGNAME": f"SOXS_GEN_FLAT_NIR_DETLIN_DIT{time_s:g}"}
    name = DETECTORS["VIS"].mode(read_mode or DEFAULT_MODE["VIS"]).name
    initials = "".join(word[0] for word in name.split())
    return {"ESO OCS DET2 IMGNAME": f"SOXS_GEN_FLAT_VIS_DETLIN_{initials}_UIT{time_s:g}"}
