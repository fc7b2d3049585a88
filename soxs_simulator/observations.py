"""Single sets of spectrograph frames as functions: lamp calibrations and observations."""

from __future__ import annotations

from pathlib import Path

from .exposure import Exposure, parse_start
from .frame_kinds import ARC_LAMPS
from .frames import Run, SourceFactory
from .schedule import FrameSet, Observation, Planner
from .simulation import simulate
from .sky_track import NightSky

AFTERNOON = "2026-03-15T18:00:00"
EVENING = "2026-03-16T01:00:00"
FLEXURE_PX = 0.25

MASKS = {
    "pinhole_arc": "PINHOLE",
    "pinhole_flat": "PINHOLE",
    "multi_pinhole_arc": "MULTPIN",
    "slit_flat": "SLIT1.0",
    "slit_arc": "SLIT1.0",
}
"""Mask through which each lamp frame is taken unless said otherwise."""


def lamp_set(
    kind: str,
    arm: str,
    frames: int,
    exptime_s: float,
    slit: str | None = None,
    lamps: tuple[str, ...] | None = None,
    **options: object,
) -> FrameSet:
    """Return a set of lamp frames with the mask and the lamps of its kind.

    Parameters
    ----------
    kind : str
        A key of `MASKS`.
    arm : {'VIS', 'NIR'}
        NIR sets get a lamp-off twin of every frame.
    frames, exptime_s
        Number of frames and the time of one (NIR: DIT).
    slit, lamps : optional
        Other mask (``SLIT5.0``) or lamps (``("D2",)``) than the usual ones.
    **options
        Further fields of :class:`~soxs_simulator.schedule.FrameSet`.
    """
    if kind not in MASKS:
        raise ValueError(f"{kind!r} is no lamp frame; use one of: {', '.join(MASKS)}")
    usual = ARC_LAMPS[arm] if kind.endswith("arc") else ("QTH",)
    twins = {"off_twins": arm == "NIR"} | options
    return FrameSet(
        arm, kind, frames, exptime_s, slit=slit or MASKS[kind], lamps=lamps or usual, **twins
    )


def simulate_lamps(
    out: str | Path,
    *sets: FrameSet,
    run: Run | None = None,
    start: str = AFTERNOON,
    factory: SourceFactory | None = None,
) -> list[Path]:
    """Simulate sets of lamp calibrations, taken side by side.

    Parameters
    ----------
    out : path
        Directory for the raw files and ``truth/``.
    *sets : FrameSet
        At most one set per arm; see :func:`lamp_set`.
    run : Run, optional
        Seeds and switches.
    start : str
        UTC of the command.
    factory : callable, optional
        Makes another source of scenes than the optics of the instrument.
    """
    run = run or Run()
    planner = _planner(run, start)
    planner.calibrate(*sets)
    return simulate(planner.exposures, out, run, factory)


def simulate_observation(
    out: str | Path,
    observation: Observation,
    run: Run | None = None,
    start: str = EVENING,
    arms: tuple[str, ...] = ("VIS", "NIR"),
    workers: int = 1,
    factory: SourceFactory | None = None,
    seeing_arcsec: float = NightSky.seeing_arcsec,
    transparency: float = NightSky.transparency,
) -> list[Path]:
    """Simulate one observation with both arms.

    Parameters
    ----------
    out : path
        Directory for the raw files and ``truth/``.
    observation : Observation
        Target, mode, slit and exposure times.
    run : Run, optional
        Seeds and switches.
    start : str
        UTC of the first exposure.
    arms : tuple of str
        Arms whose frames are written.
    workers : int
        Number of processes.
    factory : callable, optional
        Makes another source of scenes than the optics of the instrument.
    seeing_arcsec : float
        Typical seeing of the night at zenith and 500 nm.
    transparency : float
        Share of the target's light that clouds let pass.
    """
    run = run or Run()
    planner = _planner(run, start, seeing_arcsec, transparency)
    planner.observe(observation)
    plans: list[Exposure] = [plan for plan in planner.exposures if plan.arm in arms]
    return simulate(plans, out, run, factory, workers)


def _planner(
    run: Run,
    start: str,
    seeing_arcsec: float = NightSky.seeing_arcsec,
    transparency: float = NightSky.transparency,
) -> Planner:
    """Return a planner whose clock starts with this set."""
    start_ms = parse_start(start)
    sky = NightSky(
        run.seed,
        start_ms,
        seeing_arcsec=seeing_arcsec,
        steady=run.ideal,
        transparency=transparency,
    )
    return Planner(start_ms, sky, run.seed, FLEXURE_PX * run.drift)
