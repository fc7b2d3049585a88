"""A detector-linearity series: its frames sorted by exposure time, and what is measured in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.algorithms.detrending import expected_signal
from soxs_recipes.algorithms.linearity_pixels import PairScatter
from soxs_recipes.algorithms.photon_transfer import TransferPoints, pair_points
from soxs_recipes.algorithms.robust import clipped_statistics
from soxs_recipes.errors import InputError
from soxs_recipes.products.raw import RawFrame, open_raw_set

if TYPE_CHECKING:
    from soxs_recipes.instrument.arm import Arm
    from soxs_recipes.recipes.frames import InputFrame

Image = NDArray[np.float32]

FEWEST_LEVELS = 3
# Every second row is ample for what is common to all pixels.
_ROWS = slice(None, None, 2)
# Differences of a pair beyond this many standard deviations are cosmic rays.
_COSMIC_KAPPA = 6.0
# Pixels whose variance is below this multiple of the read noise's show excess read noise.
_FAINT = 4.0


class SeriesError(InputError):
    """A detector-linearity series from which nothing sound can be measured."""


@dataclass(frozen=True)
class Level:
    """Frames of one exposure time: lamp on, and without light where taken with them."""

    exptime_s: float
    on: tuple[InputFrame, ...]
    off: tuple[InputFrame, ...]


@dataclass(frozen=True)
class Series:
    """Levels in order of exposure time, frames without light for all, and what was left out."""

    levels: tuple[Level, ...]
    zero: tuple[InputFrame, ...]
    dropped: tuple[str, ...]


def sort_series(
    on: Sequence[InputFrame], off: Sequence[InputFrame], zero: Sequence[InputFrame]
) -> Series:
    """Sort a series into levels of pairs.

    Parameters
    ----------
    on, off : sequence of InputFrame
        Frames with the lamp on and off.
    zero : sequence of InputFrame
        Biases or darks, for levels without lamp-off frames.

    Raises
    ------
    SeriesError
        If there are no frames without light, or too few levels that have a pair.
    """
    if not (off or zero):
        raise SeriesError(
            "The series has no frame without light",
            expected="DETLIN_OFF, BIAS or DARK frames beside DETLIN_ON",
            found="none",
            remedy="add the lamp-off frames (NIR) or the biases (VIS) of the template",
        )
    dark, levels, dropped = _by_exptime(off), [], []
    for exptime_s, frames in _by_exptime(on).items():
        twins = dark.get(exptime_s, ())
        if len(frames) % 2:
            dropped.append(f"{frames[-1].path.name}: no second exposure of {exptime_s:g} s")
        if len(frames) > 1 and (twins or zero):
            levels.append(Level(exptime_s, frames[: len(frames) // 2 * 2], twins))
        elif not (twins or zero):
            dropped.append(f"{frames[0].path.name}: no lamp-off frame of {exptime_s:g} s")
    if len(levels) < FEWEST_LEVELS:
        raise SeriesError(
            "The series has too few levels of light",
            expected=f"pairs of equal exposures at {FEWEST_LEVELS} exposure times or more",
            found=f"{len(levels)} exposure time(s) with a pair"
            + (f"; {dropped[0]}" if dropped else ""),
            remedy="add the frames that are missing, or take the series again",
        )
    return Series(tuple(levels), tuple(zero), tuple(dropped))


def _by_exptime(frames: Sequence[InputFrame]) -> dict[float, tuple[InputFrame, ...]]:
    groups: dict[float, list[InputFrame]] = {}
    for frame in sorted(frames, key=lambda frame: frame.readout.exptime_s):
        groups.setdefault(round(frame.readout.exptime_s, 3), []).append(frame)
    return {exptime_s: tuple(group) for exptime_s, group in groups.items()}


@dataclass(frozen=True)
class LevelData:
    """What is kept of a level: every second row of its mean exposures, in ADU.

    Attributes
    ----------
    signal, zero : ndarray
        With light and without; `zero` is a number where no structure is known.
    struck : ndarray of bool
        Pixels hit by a cosmic ray.
    """

    exptime_s: float
    signal: Image
    zero: Image | float
    struck: NDArray[np.bool_]


@dataclass
class Response:
    """Light and exposure time that each pixel has gathered below saturation, in ADU and s."""

    light: Image
    exptime_s: Image

    @classmethod
    def of(cls, shape: tuple[int, int]) -> Response:
        """Return an empty accumulator."""
        return cls(np.zeros(shape, np.float32), np.zeros(shape, np.float32))

    def rate(self) -> Image:
        """Light per second; NaN where there is none below saturation."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.light / self.exptime_s


@dataclass
class Measurements:
    """Everything a series tells before a response is fitted.

    Attributes
    ----------
    levels : list of LevelData
        Every level.
    points : list of TransferPoints
        Photon transfer curve of every pair.
    scatter : PairScatter
        Scatter of the pixels between the frames of a pair, where read noise rules.
    faint, bright : Response
        Light in the shorter and in the longer half of the exposures.
    dark : ndarray
        Mean of the longest frames without light, NaN where struck.
    zero_frames : int
        Number of frames in it.
    shared_zero : bool
        Whether it was subtracted from every level.
    zero_noise_adu : list of float
        Read noise from pairs of frames without light.
    reference_noise_adu : list of float
        Read noise of the prescan or reference pixels.
    saturated_fraction : list of float
        Fraction of saturated pixels, per level.
    full_adu : float
        Level above zero at which the converter is full.
    """

    scatter: PairScatter
    faint: Response
    bright: Response
    levels: list[LevelData] = field(default_factory=list)
    points: list[TransferPoints] = field(default_factory=list)
    dark: Image | None = None
    zero_frames: int = 1
    shared_zero: bool = False
    zero_noise_adu: list[float] = field(default_factory=list)
    reference_noise_adu: list[float] = field(default_factory=list)
    saturated_fraction: list[float] = field(default_factory=list)
    full_adu: float = float("inf")

    def sum_variance(self, levels: float, noise_adu: float) -> float:
        """Read-noise variance of the light summed over levels, each the mean of a pair."""
        zero = levels * (levels if self.shared_zero else 1) / self.zero_frames
        return noise_adu**2 * (levels / 2 + zero)


def measure_series(series: Series, arm: Arm, method: str) -> Measurements:
    """Read every frame of a series once and measure it.

    Parameters
    ----------
    series : Series
        The frames.
    arm : Arm
        Their arm.
    method : str
        How zero levels are measured.
    """
    shape = series.levels[0].on[0].readout.science_shape
    found = Measurements(PairScatter.of(shape), Response.of(shape), Response.of(shape))
    common = None
    if series.zero:
        common = _dark_frames(series.zero, arm, method, found)
        found.shared_zero = not any(level.off for level in series.levels)
    for index, level in enumerate(series.levels):
        zero = _dark_frames(level.off, arm, method, found) if level.off else common
        half = found.faint if 2 * index < len(series.levels) else found.bright
        with open_raw_set(level.on, arm, method) as raws:
            _light_frames(raws, level, zero, half, found)
    return found


def _dark_frames(
    frames: Sequence[InputFrame], arm: Arm, method: str, found: Measurements
) -> Image | float:
    """Mean of frames without light; their pairs tell the read noise and noisy pixels.

    A single frame is as noisy as those it would be subtracted from: only its level is used.
    """
    with open_raw_set(frames, arm, method) as raws:
        _note_reference_noise(raws, found)
        if len(raws) == 1:
            return float(np.median(_adu(raws[0])))
        total, struck = None, None
        per_adu = np.float32(2 / raws[0].readout.gain_e_per_adu)
        for first, second in _pairs(raws):
            one, two = _adu(first), _adu(second)
            difference = one - two
            difference = _without_drifts(difference)
            noise = float(clipped_statistics(difference[_ROWS].ravel(), kappa=4.0).sd) / 2**0.5
            found.zero_noise_adu.append(noise)
            # The lower of the two is the one that was not hit; a hot pixel has photon noise.
            lower = np.minimum(one, two)
            expected = noise**2 + per_adu * np.maximum(lower, np.float32(0))
            found.scatter.add(difference, expected)
            hit = np.abs(difference) > _COSMIC_KAPPA * np.sqrt(2 * expected)
            mean = np.where(hit, lower, (one + two) / 2)
            total = mean if total is None else total + mean
            struck = hit if struck is None else struck | hit
    pairs = len(frames) // 2
    total /= np.float32(pairs)
    found.dark = np.where(struck, np.float32(np.nan), total)
    found.zero_frames = 2 * pairs
    return total


def _light_frames(
    raws: Sequence[RawFrame], level: Level, zero: Image | float, half: Response, found: Measurements
) -> None:
    """Measure the pairs of one level."""
    readout = raws[0].readout
    # A camera that cannot measure its own zero level has that of its frames without light.
    pedestal = 0.0 if raws[0].level.is_measured else np.float32(np.median(zero))
    full = _full_adu(raws) - pedestal
    found.full_adu = min(found.full_adu, full)
    _note_reference_noise(raws, found)
    noise = float(np.mean(found.zero_noise_adu or found.reference_noise_adu or [0])) or (
        readout.read_noise_e / readout.gain_e_per_adu
    )
    for first, second in _pairs(raws):
        one, two = _adu(first), _adu(second)
        rows = zero[_ROWS] if isinstance(zero, np.ndarray) else zero
        points = pair_points(one[_ROWS], two[_ROWS], rows, noise, 1 / readout.gain_e_per_adu)
        found.points.append(points)
        light = (one + two) / 2 - zero
        signal = light + (zero - pedestal)
        # Full pixels do not scatter; they are no faint ones for that.
        curve = np.maximum.accumulate(points.variance)
        variance = np.interp(light, points.signal, curve).astype(np.float32)
        difference = one - two
        struck = np.abs(difference) > _COSMIC_KAPPA * np.sqrt(2 * variance) + 0.02 * light
        # A noisy pixel must not tell by its own value whether it is faint.
        around = expected_signal(light, np.inf)
        usual = np.interp(around, points.signal, curve).astype(np.float32)
        found.scatter.add(difference, usual, usual <= np.float32(_FAINT * noise**2))
        good = (signal < np.float32(full)) & ~struck
        half.light += np.where(good, light, np.float32(0))
        half.exptime_s += good * np.float32(level.exptime_s)
        found.saturated_fraction.append(float(np.mean(signal >= full)))
        found.levels.append(
            LevelData(level.exptime_s, signal[_ROWS].copy(), rows - pedestal, struck[_ROWS].copy())
        )


def _without_drifts(difference: Image) -> Image:
    """Remove what the zero level leaves of drifts between rows and between channels.

    Means of clipped values: a median of whole ADU would add noise of rounding.
    """
    centre = np.median(difference)
    limit = 4 * float(np.quantile(np.abs(difference[::8] - centre), 0.683))
    for axis in (1, 0):
        inside = np.clip(difference, centre - limit, centre + limit)
        difference = difference - inside.mean(axis=axis, keepdims=True)
        centre = 0.0
    return difference


def _pairs(raws: Sequence[RawFrame]) -> Iterator[tuple[RawFrame, RawFrame]]:
    return zip(raws[0::2], raws[1::2], strict=False)


def _adu(raw: RawFrame) -> Image:
    return raw.pixels() / np.float32(raw.readout.gain_e_per_adu)


def _full_adu(raws: Sequence[RawFrame]) -> float:
    """Level above zero at which the converter is full, in the lowest pixel."""
    level = max(raw.level.row_adu.max() + raw.level.column_adu.max() for raw in raws)
    return raws[0].readout.detector.saturation_adu - float(level) - 1


def _note_reference_noise(raws: Sequence[RawFrame], found: Measurements) -> None:
    noises = [raw.level.noise_adu for raw in raws]
    found.reference_noise_adu += [noise for noise in noises if np.isfinite(noise)]
