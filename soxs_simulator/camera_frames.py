"""Frames of the acquisition camera as functions: twilight flats and star fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from .calibrations import detector_set
from .camera_fields import stars_of
from .camera_stars import write_catalogue
from .exposure import Exposure, parse_start
from .frames import Run
from .simulation import simulate
from .sky_track import NightSky

TWILIGHT = "2026-03-15T23:05:00"
EVENING = "2026-03-16T02:00:00"


def simulate_camera_flats(
    out: str | Path,
    filters: Sequence[str] = ("u", "g", "r", "i", "z", "y", "V"),
    frames: int = 3,
    exptime_s: float = 4.0,
    seed: int = 1,
    detector_seed: int = 0,
    start: str = TWILIGHT,
) -> list[Path]:
    """Simulate twilight flats of the acquisition camera.

    Parameters
    ----------
    out : path
        Directory for the raw files and ``truth/``.
    filters : sequence of str
        Filters, of u, g, r, i, z, y, V.
    frames : int
        Frames per filter.
    exptime_s : float
        Exposure time of each.
    seed, detector_seed : int
        Seeds of the noise and of the camera.
    start : str
        UTC of the first frame.

    Returns
    -------
    list of Path
        The raw files in time order.
    """
    run = Run(seed, detector_seed)
    plans: list[Exposure] = []
    for index, name in enumerate(filters):
        begin = parse_start(start) + index * 60_000 * (1 + frames // 4)
        number = 1 + len(plans)
        group = detector_set("dark", "ACQ", exptime_s, frames, start=begin, first_number=number)
        plans += [replace(plan, kind="img_flat", acq_filter=name) for plan in group]
    return simulate(plans, out, run)


def simulate_star_field(
    out: str | Path,
    ra_deg: float = 150.1,
    dec_deg: float = -21.3,
    filters: Sequence[str] = ("r",),
    exptime_s: float = 20.0,
    kind: str = "img_object",
    target: str = "FIELD",
    rotator_deg: float = 0.0,
    seeing_arcsec: float = 0.85,
    seed: int = 1,
    detector_seed: int = 0,
    start: str = EVENING,
    transparency: float = 1.0,
) -> list[Path]:
    """Simulate images of a star field, one per filter, and a catalogue of its stars.

    Parameters
    ----------
    out : path
        Directory for the raw files, ``truth/`` and ``refcat2_<target>.csv``.
    ra_deg, dec_deg : float
        Pointing in the header; the true one differs by a few arcsec.
    filters : sequence of str
        Filters, of u, g, r, i, z, y, V.
    exptime_s : float
        Exposure time of each.
    kind : str
        ``img_object``, ``img_std`` or ``acquisition``.
    target : str
        Name of the field; see `soxs_simulator.camera_fields.KINDS` for those that differ.
    rotator_deg : float
        Position angle of the detector's y axis in the header.
    seeing_arcsec : float
        Seeing at zenith and 500 nm.
    seed, detector_seed : int
        Seeds of the sky and noise, and of the camera.
    start : str
        UTC of the first frame.
    transparency : float
        Share of the stars' light that clouds let pass.

    Returns
    -------
    list of Path
        The raw files in the order of ``filters``.
    """
    out, run = Path(out), Run(seed, detector_seed)
    sky = NightSky(seed, parse_start(start), seeing_arcsec=seeing_arcsec, transparency=transparency)
    plans: list[Exposure] = []
    for index, name in enumerate(filters):
        begin = parse_start(start) + index * round(1000 * (exptime_s + 30))
        (plan,) = detector_set("dark", "ACQ", exptime_s, 1, start=begin, first_number=index + 1)
        pointing = sky.pointing(ra_deg, dec_deg, plan.start_ms, exptime_s)
        pointing = replace(pointing, rotator_deg=rotator_deg)
        changes = {"kind": kind, "acq_filter": name, "target": target, "pointing": pointing}
        plans.append(replace(plan, **changes))
    files = simulate(plans, out, run)
    write_catalogue(out / f"refcat2_{target}.csv", stars_of(target, seed, ra_deg, dec_deg), seed)
    return files
