"""The frames of a night, in order: afternoon calibrations, standards, science.

A :class:`Planner` keeps the clock. What both arms do together is one command, whose frames start
within a second of each other; the next command waits for the slower arm.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from .calibrations import DEFAULT_MODE, arm_delay_ms, readout_s, repeat
from .exposure import Block, Exposure, Nod
from .frame_kinds import KINDS
from .rng import stream
from .sky_track import NightSky, flexure_px, local_sidereal_deg


@dataclass(frozen=True)
class FrameSet:
    """Frames of one arm that one template takes.

    ``exptime_s`` is the time of one exposure (NIR: of one DIT); with ``off_twins`` as many frames
    with the lamp off follow.
    """

    arm: str
    kind: str
    frames: int
    exptime_s: float
    ndit: int = 1
    slit: str = "BLANK"
    lamps: tuple[str, ...] = ()
    off_twins: bool = False
    acq_filter: str = "r"
    lamp_scale: float = 1.0
    binning: tuple[int, int] = (1, 1)
    read_mode: str | None = None


@dataclass(frozen=True)
class Target:
    """Something on the sky: its name is what the optics know it by."""

    name: str
    ra_deg: float
    dec_deg: float


@dataclass(frozen=True)
class Observation:
    """One observation of a target with both arms.

    ``kind`` is a frame kind of an observation (``object_async_nod``, ``std_flux_stare``, ...).
    ``cycles`` counts AB pairs, ON-OFF pairs or exposures, by mode.
    """

    kind: str
    target: Target
    slit: str
    vis_exptime_s: float
    nir_dit_s: float
    nir_ndit: int = 1
    cycles: int = 1
    nod_throw_arcsec: float = 5.0
    jitter_arcsec: float = 0.0
    sky_offset_arcsec: float = 30.0
    vis_binning: tuple[int, int] = (1, 1)
    vis_read_mode: str = "Slow High Gain"


class Planner:
    """Turns sets and observations into exposures along one clock.

    Parameters
    ----------
    start_ms : int
        UTC of the first command, milliseconds since 1970.
    sky : NightSky
        Seeing and water vapour.
    seed : int
        Seed of the clock's jitter and of nodding jitter.
    flexure : float
        Size of the flexure between frames, pixels.
    """

    def __init__(self, start_ms: int, sky: NightSky, seed: int, flexure: float) -> None:
        self.start_ms = start_ms
        self.clock_ms = start_ms
        self.exposures: list[Exposure] = []
        self._sky = sky
        self._seed = seed
        self._flexure = flexure
        self._numbers = {"VIS": 0, "NIR": 0, "ACQ": 0}
        self._blocks = 0

    def wait_until(self, time_ms: int) -> None:
        """Let the clock go on, never back."""
        self.clock_ms = max(self.clock_ms, time_ms)

    def calibrate(self, *sets: FrameSet) -> None:
        """Take sets of calibrations of different arms side by side."""
        start, end = self.clock_ms, self.clock_ms
        for frame_set in sets:
            plans = self._calibration(frame_set, start)
            self.exposures += plans
            end = max(end, _end_ms(plans[-1]))
        self.clock_ms = end + 20_000

    def _calibration(self, frame_set: FrameSet, start_ms: int) -> list[Exposure]:
        """Lamp-on frames, then their lamp-off twins, as one template."""
        total = frame_set.frames * (2 if frame_set.off_twins else 1)
        block = self._block(f"SOXS_{frame_set.arm}_{frame_set.kind}", "", start_ms)
        first = self._first(frame_set, block, start_ms, total)
        plans = repeat(first, frame_set.frames, self._seed)
        if frame_set.off_twins:
            off = replace(
                first,
                lamp_on=False,
                start_ms=_end_ms(plans[-1]),
                number=first.number + frame_set.frames,
                expno=1 + frame_set.frames,
            )
            plans += repeat(off, frame_set.frames, self._seed)
        self._numbers[frame_set.arm] += len(plans)
        return plans

    def _first(self, frame_set: FrameSet, block: Block, start_ms: int, total: int) -> Exposure:
        pointing = replace(Exposure.pointing, ra_deg=_zenith_ra(start_ms))
        return Exposure(
            arm=frame_set.arm,
            kind=frame_set.kind,
            start_ms=start_ms,
            number=self._numbers[frame_set.arm] + 1,
            exptime_s=frame_set.exptime_s * frame_set.ndit,
            block=block,
            nexp=total,
            ndit=frame_set.ndit,
            binning=frame_set.binning,
            read_mode=frame_set.read_mode or DEFAULT_MODE[frame_set.arm],
            slit=frame_set.slit,
            lamps=frame_set.lamps,
            lamp_scale=frame_set.lamp_scale,
            acq_filter=frame_set.acq_filter,
            pointing=pointing,
            template_start_ms=start_ms,
        )

    def acquire(
        self,
        target: Target,
        acq_filter: str = "r",
        exptime_s: float = 10.0,
        kind: str = "acquisition",
    ) -> None:
        """Take one image of a target's field."""
        block = self._block(f"SOXS_{kind}_{target.name}", target.name, self.clock_ms)
        frame_set = FrameSet("ACQ", kind, 1, exptime_s, acq_filter=acq_filter)
        plan = self._first(frame_set, block, self.clock_ms + arm_delay_ms("ACQ"), 1)
        plan = self._on_sky(plan, target)
        self._numbers["ACQ"] += 1
        self.exposures.append(plan)
        self.clock_ms = _end_ms(plan) + 30_000

    def observe(self, observation: Observation) -> None:
        """Take an observation with both arms."""
        steps = self._steps(observation)
        block = self._block(
            f"SOXS_{observation.target.name}", observation.target.name, self.clock_ms
        )
        template_start = self.clock_ms
        for expno, step in enumerate(steps, start=1):
            command, end = self.clock_ms, self.clock_ms
            for arm in ("VIS", "NIR"):
                plan = self._science_frame(observation, arm, block, command)
                plan = replace(
                    plan,
                    expno=expno,
                    nexp=len(steps),
                    template_start_ms=template_start,
                    **step,
                )
                self.exposures.append(plan)
                end = max(end, _end_ms(plan))
            self.clock_ms = end + 5_000

    def _science_frame(
        self, observation: Observation, arm: str, block: Block, command_ms: int
    ) -> Exposure:
        ndit = observation.nir_ndit if arm == "NIR" else 1
        exptime = observation.nir_dit_s if arm == "NIR" else observation.vis_exptime_s
        frame_set = FrameSet(arm, observation.kind, 1, exptime, ndit, observation.slit)
        if arm == "VIS":
            frame_set = replace(
                frame_set,
                binning=observation.vis_binning,
                read_mode=observation.vis_read_mode,
            )
        self._numbers[arm] += 1
        number = self._numbers[arm]
        jitter = stream(self._seed, "clock", arm, observation.kind, number).integers(0, 300)
        start = command_ms + arm_delay_ms(arm) + int(jitter)
        plan = self._first(frame_set, block, start, 1)
        return self._on_sky(replace(plan, number=number), observation.target)

    def _on_sky(self, plan: Exposure, target: Target) -> Exposure:
        """Fill in where the target stands, the flexure and the water vapour."""
        pointing = self._sky.pointing(target.ra_deg, target.dec_deg, plan.start_ms, plan.exptime_s)
        return replace(
            plan,
            target=target.name,
            pointing=pointing,
            flexure_px=flexure_px(pointing, self._flexure, plan.arm),
            pwv_mm=self._sky.pwv(plan.start_ms + round(500 * plan.exptime_s)),
        )

    def _steps(self, observation: Observation) -> list[dict[str, object]]:
        """Return what changes from exposure to exposure of a sequence."""
        mode = KINDS[observation.kind].mode
        if mode == "NODDING":
            return self._nod_steps(observation)
        if mode == "OFFSET":
            return _offset_steps(observation)
        if mode == "MAPPING":
            positions = _map_positions(observation.cycles, observation.nod_throw_arcsec)
            return [{"nod": Nod(y, observation.nod_throw_arcsec)} for y in positions]
        return [{}] * observation.cycles

    def _nod_steps(self, observation: Observation) -> list[dict[str, object]]:
        """ABBA...: A is half the throw above the slit centre, jitter around either position."""
        rng = stream(self._seed, "nod", observation.target.name)
        half, width = observation.nod_throw_arcsec / 2, observation.jitter_arcsec
        steps: list[dict[str, object]] = []
        for cycle in range(observation.cycles):
            signs = (1, -1) if cycle % 2 == 0 else (-1, 1)
            jitter = round(float(rng.uniform(-width / 2, width / 2)), 3)
            for sign in signs:
                nod = Nod(round(sign * half + jitter, 3), observation.nod_throw_arcsec, width)
                steps.append({"nod": nod})
        return steps

    def _block(self, name: str, target: str, start_ms: int) -> Block:
        self._blocks += 1
        return Block(200_000_000 + self._blocks, name, target, start_ms)


def _end_ms(plan: Exposure) -> int:
    """When the arm is free again."""
    return plan.start_ms + round(1000 * (plan.exptime_s + readout_s(plan)))


def _zenith_ra(time_ms: int) -> float:
    """Right ascension at which a parked telescope points."""
    return round(local_sidereal_deg(time_ms / 86_400_000 + 40587.0), 5)


def _offset_steps(observation: Observation) -> list[dict[str, object]]:
    """ON and OFF in turn; each card holds the move that led there, so ON follows a move back."""
    throw = observation.sky_offset_arcsec
    on = {"on_target": True, "fixed_offset_arcsec": (-throw, -throw)}
    off = {"on_target": False, "fixed_offset_arcsec": (throw, throw)}
    return [on, off] * observation.cycles


def _map_positions(count: int, step_arcsec: float) -> list[float]:
    """Positions of a mapping along the slit, symmetric about its centre."""
    return [round((index - (count - 1) / 2) * step_arcsec / 2, 3) for index in range(count)]
