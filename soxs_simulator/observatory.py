"""Taking frames one after the other, or side by side in several processes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from .camera import camera_scene
from .contract import ExposureScene, SceneRequest, SceneSource
from .exposure import Exposure
from .frames import FrameRecord, Run, SourceFactory, scene_request, take_frame


@dataclass(frozen=True)
class Taken:
    """The frames that were made, in the order of the plans, and the truth of their optics."""

    records: list[FrameRecord]
    optics: Mapping[str, object]


class Observatory:
    """Takes frames one after the other, asking the optics once for equal requests."""

    def __init__(self, out: Path, run: Run, factory: SourceFactory) -> None:
        self._out = out
        self._run = run
        self._factory = factory
        self._source: SceneSource | None = None
        self._last: tuple[SceneRequest, ExposureScene] | None = None

    def take(self, exposure: Exposure) -> FrameRecord:
        """Make one raw file."""
        return take_frame(exposure, self._out, self._run, self._light(exposure))

    def optics_truth(self) -> Mapping[str, object]:
        """Truth of the optics."""
        return dict(self._optics().truth())

    def _light(self, exposure: Exposure) -> ExposureScene | None:
        if exposure.kind in ("bias", "dark"):
            return None
        if exposure.arm == "ACQ":
            run = self._run
            return camera_scene(exposure, run.seed, run.detector_seed, run.ideal)
        return self._scene(scene_request(exposure, self._run))

    def _scene(self, request: SceneRequest) -> ExposureScene:
        if self._last is None or self._last[0] != request:
            self._last = (request, self._optics().scene(request))
        return self._last[1]

    def _optics(self) -> SceneSource:
        if self._source is None:
            self._source = self._factory()
        return self._source


def take_frames(
    exposures: Iterable[Exposure],
    out: Path,
    run: Run,
    factory: SourceFactory,
    workers: int = 1,
) -> Taken:
    """Make raw files, in this process or in several.

    The result does not depend on ``workers``. Frames of one set (same template start and arm) are
    made by the same process, which so renders their common scene once.

    Parameters
    ----------
    exposures : iterable of Exposure
        The plans.
    out : Path
        Directory of the raw files.
    run : Run
        Seeds and switches.
    factory : callable
        Makes the source of scenes when the first lit frame of the spectrograph asks for it; must
        be picklable when ``workers`` > 1.
    workers : int
        Number of processes.
    """
    plans = list(exposures)
    lit = any(plan.arm != "ACQ" and plan.kind not in ("bias", "dark") for plan in plans)
    if workers <= 1:
        observatory = Observatory(out, run, factory)
        records = [observatory.take(plan) for plan in plans]
        return Taken(records, observatory.optics_truth() if lit else {})
    with ProcessPoolExecutor(
        workers, get_context("spawn"), initializer=_start_worker, initargs=(out, run, factory)
    ) as pool:
        done = pool.map(_take_set, _sets(plans))
        optics = pool.submit(_optics_truth) if lit else None
        made = {record.file: record for batch in done for record in batch}
        truth = optics.result() if optics else {}
    return Taken([made[plan.file_name] for plan in plans], truth)


def _sets(plans: list[Exposure]) -> list[list[Exposure]]:
    """Group frames that share a scene, the most expensive groups first."""
    groups: dict[tuple[object, ...], list[Exposure]] = {}
    for plan in plans:
        alone = plan.number if plan.frame_kind.on_sky else 0
        key = (plan.arm, plan.kind, plan.template_start_ms, plan.slit, plan.lamp_on, alone)
        groups.setdefault(key, []).append(plan)
    return sorted(groups.values(), key=_cost, reverse=True)


def _cost(group: list[Exposure]) -> float:
    """Rough time that a group takes, in frames of the NIR arm."""
    per_frame = {"VIS": 0.3, "NIR": 1.0, "ACQ": 0.2}[group[0].arm]
    scene = 0.0 if group[0].kind in ("bias", "dark") else 2.0
    return scene + per_frame * sum(plan.ndit for plan in group)


_worker: list[Observatory] = []


def _start_worker(out: Path, run: Run, factory: SourceFactory) -> None:
    _worker[:] = [Observatory(out, run, factory)]


def _take_set(plans: list[Exposure]) -> list[FrameRecord]:
    return [_worker[0].take(plan) for plan in plans]


def _optics_truth() -> Mapping[str, object]:
    return _worker[0].optics_truth()
