"""A whole night of raw frames: both arms, the camera, and the truth beside them."""

from __future__ import annotations

from pathlib import Path

from .camera_fields import stars_of
from .camera_stars import write_catalogue
from .exposure import Exposure, parse_start
from .frames import Run, SourceFactory
from .observations import FLEXURE_PX, lamp_set
from .schedule import FrameSet, Observation, Planner, Target
from .simulation import simulate
from .sky_track import NightSky

NIGHT_START = "2026-03-15T18:00:00"
TWILIGHT_HOURS, DARK_SKY_HOURS = 5.1, 6.6
"""Hours from the first calibration to the sky flats and to the first observation."""


FLUX_STANDARD = Target("LTT3218", 130.3956, -32.9428)
TELLURIC_STANDARD = Target("HIP47013", 143.7, -27.4)
SUPERNOVA = Target("SN2026XYZ", 150.1, -21.3)
TRANSIENT = Target("AT2026ABC", 165.4, -35.2)


def simulate_night(
    out: str | Path,
    run: Run | None = None,
    small: bool = False,
    start: str = NIGHT_START,
    workers: int = 2,
    factory: SourceFactory | None = None,
) -> list[Path]:
    """Simulate a night.

    Parameters
    ----------
    out : path
        Directory for the raw files, ``truth/`` and one star catalogue per imaged field.
    run : Run, optional
        Seeds and switches.
    small : bool
        Few frames of each kind: what a demonstration needs.
    start : str
        UTC of the first calibration, in the afternoon.
    workers : int
        Number of processes; the files do not depend on it.
    factory : callable, optional
        Makes another source of scenes than the optics of the instrument; picklable.

    Returns
    -------
    list of Path
        The raw files in the order of the plan.
    """
    run = run or Run()
    plans = night_plan(run, small, start)
    files = simulate(plans, out, run, factory, workers)
    _write_catalogues(Path(out), run, plans)
    return files


def night_plan(run: Run, small: bool = False, start: str = NIGHT_START) -> list[Exposure]:
    """Return the exposures of a night in time order of their templates."""
    start_ms = parse_start(start)
    sky = NightSky(run.seed, start_ms, steady=run.ideal)
    planner = Planner(start_ms, sky, run.seed, FLEXURE_PX * run.drift)
    if small:
        _small_calibrations(planner)
    else:
        _full_calibrations(planner)
    planner.wait_until(start_ms + round(DARK_SKY_HOURS * 3.6e6))
    _observations(planner, small)
    return planner.exposures


def _both(
    kind: str, frames: int, vis_s: float, nir_s: float, slit: str | None = None, scale: float = 1.0
) -> tuple[FrameSet, FrameSet]:
    """Lamp frames of both arms."""
    return (
        lamp_set(kind, "VIS", frames, vis_s, slit, lamp_scale=scale),
        lamp_set(kind, "NIR", frames, nir_s, slit, lamp_scale=scale),
    )


def _format_calibrations(planner: Planner) -> None:
    """Pinhole arcs and flats, multi-pinhole arcs."""
    planner.calibrate(*_both("pinhole_arc", 1, 60.0, 60.0))
    planner.calibrate(*_both("pinhole_flat", 1, 30.0, 20.0))
    planner.calibrate(*_both("multi_pinhole_arc", 1, 60.0, 60.0))


def _slit_flats(planner: Planner, frames: int) -> None:
    """Flats through the science slit and through the wide slit of the flux standards."""
    planner.calibrate(*_both("slit_flat", frames, 20.0, 20.0))
    planner.calibrate(*_both("slit_flat", frames, 12.0, 12.0, "SLIT5.0", 0.35))


def _small_calibrations(planner: Planner) -> None:
    planner.calibrate(FrameSet("VIS", "bias", 5, 0.0), FrameSet("NIR", "dark", 3, 120.0))
    _format_calibrations(planner)
    _slit_flats(planner, 3)


def _full_calibrations(planner: Planner) -> None:
    planner.calibrate(
        FrameSet("VIS", "bias", 5, 0.0),
        FrameSet("NIR", "dark", 3, 300.0),
        FrameSet("ACQ", "bias", 5, 0.0),
    )
    planner.calibrate(FrameSet("NIR", "dark", 3, 10.0), FrameSet("ACQ", "dark", 3, 30.0))
    _format_calibrations(planner)
    planner.calibrate(*_both("slit_arc", 1, 30.0, 10.0))
    _slit_flats(planner, 5)
    planner.calibrate(lamp_set("slit_flat", "VIS", 5, 20.0, lamps=("D2",)))
    planner.wait_until(planner.start_ms + round(TWILIGHT_HOURS * 3.6e6))
    for name in ("r", "g"):
        planner.calibrate(FrameSet("ACQ", "img_flat", 3, 4.0, acq_filter=name))


def _observations(planner: Planner, small: bool) -> None:
    """Flux standard, telluric standard, science; an image of the field before each."""
    planner.acquire(FLUX_STANDARD, "r", 2.0)
    planner.observe(Observation("std_flux_nod", FLUX_STANDARD, "SLIT5.0", 120.0, 120.0))
    if small:
        planner.acquire(SUPERNOVA, "r", 20.0)
        planner.observe(Observation("object_async_nod", SUPERNOVA, "SLIT1.0", 240.0, 120.0, 2))
        return
    planner.observe(Observation("std_telluric_nod", TELLURIC_STANDARD, "SLIT1.0", 10.0, 10.0))
    planner.acquire(SUPERNOVA, "r", 20.0)
    planner.acquire(SUPERNOVA, "g", 20.0, kind="img_object")
    planner.observe(
        Observation("object_async_nod", SUPERNOVA, "SLIT1.0", 600.0, 300.0, 2, cycles=2)
    )
    planner.acquire(TRANSIENT, "r", 20.0)
    planner.observe(Observation("object_stare", TRANSIENT, "SLIT1.0", 600.0, 300.0, 2))


def _write_catalogues(out: Path, run: Run, plans: list[Exposure]) -> None:
    """Write a catalogue of each field that the camera saw."""
    for plan in plans:
        path = out / f"refcat2_{plan.target}.csv"
        if plan.arm == "ACQ" and plan.frame_kind.on_sky and plan.target and not path.exists():
            pointing = plan.pointing
            stars = stars_of(plan.target, run.seed, pointing.ra_deg, pointing.dec_deg)
            write_catalogue(path, stars, run.seed)
