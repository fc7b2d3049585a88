"""From the plan of an exposure to a raw file and its truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from .ccd import CcdSettings, RawPixels, expose_ccd
from .contract import ExposureScene, SceneRequest, SceneSource
from .detector_maps import detector_maps
from .exposure import Exposure, mjd
from .h2rg import RampSettings, expose_h2rg
from .headers import frame_cards
from .raw_file import write_raw
from .specs import DETECTORS, H2rgSpec

SourceFactory = Callable[[], SceneSource]


@dataclass(frozen=True)
class Run:
    """What all frames of one call share.

    Attributes
    ----------
    seed : int
        Seed of everything that differs from night to night.
    detector_seed : int
        Which chips: their fixed maps.
    cosmic_rays, prnu, nonlinear : bool
        Effects that may be switched off.
    fixed_pattern_e : float
        Amplitude of periodic interference in CCD frames, electrons.
    drift : float
        Factor on the shifts of the spectral format: from the tables, and from frame to frame.
    ideal : bool
        The optics follow the recipes' own tables exactly.
    defect_fraction : float
        Share of noisy pixels, and of pixels that lose charge, of the chips.
    """

    seed: int = 1
    detector_seed: int = 0
    cosmic_rays: bool = True
    prnu: bool = True
    nonlinear: bool = True
    fixed_pattern_e: float = 0.0
    drift: float = 1.0
    ideal: bool = False
    defect_fraction: float = 0.0


@dataclass(frozen=True)
class FrameRecord:
    """What is kept of a frame after it has been written."""

    file: str
    truth: dict[str, object]
    cosmic_pixel: np.ndarray
    cosmic_electrons: np.ndarray


def scene_request(exposure: Exposure, run: Run) -> SceneRequest:
    """Return what the optics are asked for, for an illuminated frame of the spectrograph."""
    start, end = zip(
        exposure.pointing.airmass,
        exposure.pointing.parallactic_deg,
        exposure.pointing.seeing_arcsec,
        strict=True,
    )
    airmass, parallactic, seeing = (float(v) for v in np.add(start, end) / 2)
    on_sky = exposure.frame_kind.on_sky
    return SceneRequest(
        arm=exposure.arm,
        kind=scene_kind(exposure.kind),
        slit=exposure.slit,
        lamps=exposure.lamps,
        lamp_on=exposure.lamp_on,
        lamp_scale=exposure.lamp_scale,
        target=exposure.target,
        mode=exposure.frame_kind.mode,
        on_target=exposure.on_target,
        # Lamp frames of one set differ in noise alone: equal requests are answered once.
        exptime_s=exposure.exptime_s if on_sky else 1.0,
        mjd=mjd(exposure.start_ms) if on_sky else float(int(mjd(exposure.start_ms))),
        airmass=airmass,
        parallactic_deg=parallactic - exposure.pointing.rotator_deg,
        seeing_arcsec=seeing * airmass**0.6,
        pwv_mm=exposure.pwv_mm,
        transparency=exposure.pointing.transparency,
        nod_arcsec=exposure.nod.cumulative_y if exposure.nod else 0.0,
        flexure_px=exposure.flexure_px,
        seed=run.seed,
        ideal=run.ideal,
    )


def scene_kind(kind: str) -> str:
    """Return the optics' word for a frame kind: ``object_async_nod`` -> ``object``."""
    for stem in ("object", "std_flux", "std_telluric", "detlin"):
        if kind.startswith(stem):
            return stem
    return kind


def take_frame(
    exposure: Exposure, out: Path, run: Run, scene: ExposureScene | None = None
) -> FrameRecord:
    """Make one raw file.

    Parameters
    ----------
    exposure : Exposure
        The plan.
    out : Path
        Directory of the raw files.
    run : Run
        Seeds and switches.
    scene : ExposureScene, optional
        The light; None for bias and dark.

    Returns
    -------
    FrameRecord
        Its name, truth and cosmic rays.
    """
    raw = _pixels(exposure, run, scene)
    if scene is not None and scene.header_cards:
        exposure = replace(exposure, extra_cards={**exposure.extra_cards, **scene.header_cards})
    datasum = write_raw(out / exposure.file_name, raw.pixels, frame_cards(exposure, run.seed))
    truth = {**_plan_truth(exposure), "detector": raw.truth, "datasum": datasum}
    if scene is not None:
        truth["scene"] = dict(scene.truth)
    return FrameRecord(exposure.file_name, truth, raw.cosmics.pixel, raw.cosmics.electrons)


def _pixels(exposure: Exposure, run: Run, scene: ExposureScene | None) -> RawPixels:
    """Expose the detector of the arm."""
    spec = DETECTORS[exposure.arm]
    maps = detector_maps(exposure.arm, run.detector_seed, run.defect_fraction)
    rate = None if scene is None else scene.rate_e_per_s
    switches = {
        "cosmic_rays": run.cosmic_rays,
        "prnu": run.prnu,
        "nonlinear": run.nonlinear,
    }
    if isinstance(spec, H2rgSpec):
        ramp = RampSettings(exposure.dit_s, exposure.ndit, **switches)
        return expose_h2rg(spec, maps, ramp, run.seed, exposure.stream, rate)
    settings = CcdSettings(
        mode=spec.mode(exposure.read_mode),
        binning=exposure.binning,
        exptime_s=exposure.exptime_s,
        fixed_pattern_e=run.fixed_pattern_e,
        **switches,
    )
    return expose_ccd(spec, maps, settings, run.seed, exposure.stream, rate)


def _plan_truth(exposure: Exposure) -> dict[str, object]:
    """Return the parts of the plan that a test or a benchmark wants to select frames by."""
    keep = (
        "arm kind number exptime_s ndit binning read_mode slit lamps lamp_on lamp_scale target "
        "on_target flexure_px pwv_mm expno nexp"
    )
    truth: dict[str, object] = {name: getattr(exposure, name) for name in keep.split()}
    truth["mjd"] = mjd(exposure.start_ms)
    if exposure.arm == "ACQ":
        truth["filter"] = exposure.acq_filter
    if exposure.frame_kind.on_sky:
        truth["pointing"] = asdict(exposure.pointing)
    if exposure.nod is not None:
        truth["nod"] = asdict(exposure.nod)
    return truth
