"""The plan of one exposure: everything its header says, before any pixel is made."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .contract import HeaderValue
from .frame_kinds import KINDS, FrameKind

UNIX_EPOCH_MJD = 40587.0
MS_PER_DAY = 86_400_000


def parse_start(text: str) -> int:
    """Milliseconds since 1970 of an ISO date and time in UTC."""
    return int(np.datetime64(text, "ms").astype(np.int64))


def iso(time_ms: int) -> str:
    """``YYYY-MM-DDThh:mm:ss.sss`` of milliseconds since 1970."""
    return str(np.datetime64(time_ms, "ms"))


def mjd(time_ms: int) -> float:
    """Modified Julian Date of milliseconds since 1970."""
    return time_ms / MS_PER_DAY + UNIX_EPOCH_MJD


@dataclass(frozen=True)
class Pointing:
    """Where the telescope looks and what the air does, at the start and the end of an exposure.

    ``transparency`` is what clouds let pass, the same at all wavelengths.
    """

    ra_deg: float
    dec_deg: float
    airmass: tuple[float, float] = (1.0, 1.0)
    parallactic_deg: tuple[float, float] = (0.0, 0.0)
    azimuth_deg: float = 0.0
    altitude_deg: float = 90.0
    seeing_arcsec: tuple[float, float] = (0.9, 0.9)
    rotator_deg: float = 0.0
    transparency: float = 1.0


@dataclass(frozen=True)
class Block:
    """Observation block and template an exposure belongs to."""

    ob_id: int
    ob_name: str
    target: str
    start_ms: int
    templates: int = 1
    template_number: int = 1


@dataclass(frozen=True)
class Nod:
    """Offsets of one exposure of a nodding or mapping sequence, arcsec along the slit."""

    cumulative_y: float
    throw: float = 0.0
    jitter: float = 0.0
    cumulative_x: float = 0.0


@dataclass(frozen=True)
class Exposure:
    """One raw frame to be made.

    ``number`` counts the frames of one run and, with ``arm``, names the random streams.
    ``fixed_offset_arcsec`` is (RA, DEC) of the last offset in offset mode.
    """

    arm: str
    kind: str
    start_ms: int
    number: int
    exptime_s: float
    block: Block
    expno: int = 1
    nexp: int = 1
    ndit: int = 1
    binning: tuple[int, int] = (1, 1)
    read_mode: str = "Slow High Gain"
    slit: str = "BLANK"
    lamps: tuple[str, ...] = ()
    lamp_on: bool = True
    lamp_scale: float = 1.0
    target: str = ""
    pointing: Pointing = Pointing(0.0, -29.25)
    nod: Nod | None = None
    fixed_offset_arcsec: tuple[float, float] | None = None
    on_target: bool = True
    acq_filter: str = "r"
    flexure_px: tuple[float, float] = (0.0, 0.0)
    pwv_mm: float = 3.0
    template_start_ms: int = 0
    extra_cards: dict[str, HeaderValue] = field(default_factory=dict)

    @property
    def frame_kind(self) -> FrameKind:
        """DPR cards and template of this kind."""
        return KINDS[self.kind]

    @property
    def dit_s(self) -> float:
        """NIR: time of one integration."""
        return round(self.exptime_s / self.ndit, 6)

    @property
    def file_name(self) -> str:
        """Archive name of the raw frame."""
        return f"SOXS.{iso(self.start_ms)}.fits"

    @property
    def stream(self) -> str:
        """Name of this frame's random streams."""
        return f"{self.arm}-{self.kind}-{self.number}"
