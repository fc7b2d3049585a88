"""The one path from raw frames to electrons with errors, used by every recipe after the masters.

Order of the steps and of the error terms:

1. trim to the pixels that see light and subtract the zero level of the frame's own prescan (VIS)
   or reference pixels (NIR); a camera without either takes the level of its master bias;
2. flag saturation, on the level before any correction, and levels beyond the measured response;
3. correct the response (linearity), per frame, for it depends on the full signal;
4. gain: electrons; NIR signals are those of one DIT;
5. combine the frames; values that noise cannot explain (cosmic rays) are rejected;
6. error: read noise, as measured in the frame's own prescan or reference pixels, and photon noise
   of the signal above the zero level and the structure of the bias, each once;
7. subtract the lamp-off frames, detrended the same way, or the structure of the bias (VIS) and
   the dark (NIR; times the exposure time only where it is a rate); their variances add;
8. divide by the pixel response where one is given;
9. flag bad pixels. Nothing is interpolated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from soxs_recipes.algorithms import detrending as steps
from soxs_recipes.algorithms.cosmic_rays import CosmicSettings, flag_cosmic_rays
from soxs_recipes.algorithms.cosmic_rays_pairs import struck_in_two
from soxs_recipes.algorithms.frame import DetectorFrame
from soxs_recipes.algorithms.line_tilts import LineTilts
from soxs_recipes.algorithms.linearity import Linearity
from soxs_recipes.algorithms.quality import Quality
from soxs_recipes.algorithms.stacking import (
    Band,
    BandReader,
    StackSettings,
    join_readers,
    stack,
)
from soxs_recipes.algorithms.variance import NoiseModel
from soxs_recipes.errors import SettingMismatchError
from soxs_recipes.instrument.classification import SLIT_KEYWORDS
from soxs_recipes.instrument.spectrograph import slit_width_of_name
from soxs_recipes.products.detector_tables import GainTable
from soxs_recipes.products.raw import RawFrame, open_raw_set
from soxs_recipes.recipes.declarations import Input
from soxs_recipes.recipes.detrending_calibrations import Calibrations, Dark, read_calibrations
from soxs_recipes.recipes.raw_stacks import BUDGET_BYTES
from soxs_recipes.recipes.statics import SPECTRAL_FORMAT

if TYPE_CHECKING:
    from soxs_recipes.recipes.base import Run
    from soxs_recipes.recipes.frames import InputFrame

__all__ = [
    "Calibrations",
    "Dark",
    "Detrended",
    "detrend_one",
    "detrended",
    "read_calibrations",
    "with_cosmic_rays",
]

# Memory for the rows of a single frame that are held at one time: they stay in the cache.
_SINGLE_BYTES = 12 * 2**20
# Least response by which photon noise is scaled, so that it stays finite where there is none.
_DARKEST = np.float32(0.01)
# Exposure times that differ by less are the same.
_SAME_EXPTIME = 0.01
# Standard deviation of lines along dispersion: of the optics, and what the slit adds in quadrature.
# Wide slits have flat tops with edges that are no wider than the largest.
_LINE_PX, _SLIT_PX_PER_ARCSEC, _WIDEST_PX, _NARROWEST_ARCSEC = 0.56, 1.06, 1.2, 0.5
# Tilts of lines may differ by this from those of the spectral format.
_TILT_RANGE = (-0.02, 0.02)


@dataclass(frozen=True)
class Detrended:
    """Frames of one kind, detrended and combined.

    Attributes
    ----------
    frame : DetectorFrame
        Electrons (NIR: of one DIT) with error and quality.
    exptime_s : float
        Exposure time in which they came (NIR: one DIT).
    frames : tuple of InputFrame
        The raw frames.
    steps : tuple of str
        What was applied, in order; for the header of the product.
    noise : NoiseModel
        Noise of one raw frame as used, electrons.
    read_noise_e, gain_e_per_adu : float
        Read noise of one raw frame and conversion factor as used.
    light : ndarray or None
        Of a single exposure, the electrons whose photon noise the errors contain. It tells them
        apart from other noise; found anew in the frame it would not be what the errors were
        made of, and weights would follow the noise of the dark.
    """

    frame: DetectorFrame
    exptime_s: float
    frames: tuple[InputFrame, ...]
    steps: tuple[str, ...]
    noise: NoiseModel
    read_noise_e: float
    gain_e_per_adu: float
    light: np.ndarray | None = None


def detrended(
    run: Run,
    item: Input,
    off: Input | None = None,
    calibrations: Calibrations | None = None,
) -> Detrended:
    """Detrend and combine the frames of an input.

    Parameters
    ----------
    run : Run
        Its settings stack_method, kappa, iterations and reference are used.
    item : Input
        The frames, one or more of one exposure time.
    off : Input, optional
        Their lamp-off twins. Where there are none, the dark is subtracted.
    calibrations : Calibrations, optional
        Those of the run, read anew unless given.

    Raises
    ------
    SettingMismatchError
        If the frames, or they and their lamp-off twins, differ in exposure time.
    """
    calibrations = read_calibrations(run) if calibrations is None else calibrations
    twins = () if off is None else run.inputs.of(off)
    return _detrend(run, run.inputs.of(item), twins, calibrations)


def detrend_one(run: Run, frame: InputFrame, calibrations: Calibrations | None = None) -> Detrended:
    """Detrend a single exposure; see `detrended`. Its cosmic rays stay: see `with_cosmic_rays`."""
    calibrations = read_calibrations(run) if calibrations is None else calibrations
    return _detrend(run, (frame,), (), calibrations)


def with_cosmic_rays(run: Run, exposure: Detrended) -> Detrended:
    """Flag the cosmic rays of a single exposure; nothing is replaced."""
    settings = cosmic_settings(run, exposure.frames[0])
    axis = 0 if run.arm.detector.dispersion_axis == "y" else 1
    frame = flag_cosmic_rays(exposure.frame, axis, settings)
    done = (*exposure.steps, f"cosmic rays flagged above {settings.kappa:g} sigma")
    return replace(exposure, frame=frame, steps=done)


def cosmic_settings(run: Run, frame: InputFrame) -> CosmicSettings:
    """Return the tilts that lines have in the spectral format, and the widths the slit allows."""
    from soxs_recipes.instrument.spectral_format import read_spectral_format
    from soxs_recipes.recipes.frames import packaged

    binning = frame.readout.binning
    along = binning[1 if run.arm.detector.dispersion_axis == "y" else 0]
    paths = run.inputs.static(SPECTRAL_FORMAT) or packaged(SPECTRAL_FORMAT, run.arm.name)
    tilts = LineTilts.of(read_spectral_format(paths[0]).binned(*binning))
    width = slit_width_arcsec(frame)
    sigma = min(float(np.hypot(_LINE_PX, _SLIT_PX_PER_ARCSEC * width)), _WIDEST_PX) / along
    return CosmicSettings(line_tilts=tilts, tilt_range=_TILT_RANGE, line_sigma_px=sigma)


def slit_width_arcsec(frame: InputFrame) -> float:
    """Width of the slit from its name, SLIT1.0; the narrowest where it has another name."""
    name = str(frame.header.get(SLIT_KEYWORDS.get(frame.arm.name, ""), "") or "")
    return slit_width_of_name(name) or _NARROWEST_ARCSEC


def _detrend(
    run: Run,
    frames: Sequence[InputFrame],
    twins: Sequence[InputFrame],
    calibrations: Calibrations,
) -> Detrended:
    """All steps, in the order of this module's description."""
    on = _combined(run, frames, calibrations)
    frame, done = on.frame, list(on.steps)
    if twins:
        off = _combined(run, twins, calibrations)
        _check_twins(on, off)
        frame = frame.minus(off.frame)
        done.append(f"lamp-off subtracted: {len(twins)} frame(s)")
    else:
        frame, subtracted = _without_zero_frames(run, frame, on.exptime_s, calibrations)
        done += subtracted
    light = on.light
    if calibrations.flat is not None:
        frame = steps.flat_fielded(frame, calibrations.flat)
        done.append("divided by the pixel response")
        # Where the response is r every electron counts 1 / r, and its variance 1 / r^2.
        light = None if light is None else light / np.maximum(calibrations.flat.flux, _DARKEST) ** 2
    if calibrations.bad_pixels is not None:
        frame = steps.with_bad_pixels(frame, calibrations.bad_pixels)
        done.append("bad pixels flagged from map")
    return replace(on, frame=frame, steps=tuple(done), light=light)


def _without_zero_frames(
    run: Run, frame: DetectorFrame, exptime_s: float, calibrations: Calibrations
) -> tuple[DetectorFrame, list[str]]:
    """Subtract bias and dark; a camera's bias has given its level as the zero level already."""
    done = []
    bias, dark = calibrations.bias, calibrations.dark
    if bias is not None:
        frame = frame.minus(replace(bias, flux=_structure(run, calibrations)))
        done.append("bias structure subtracted")
    if dark is not None:
        if not dark.is_rate and abs(dark.exptime_s / exptime_s - 1) > _SAME_EXPTIME:
            run.warning(
                f"The master dark is of {dark.exptime_s:g} s, the frames are of {exptime_s:g} s: "
                "hot pixels will not cancel"
            )
        frame = steps.minus_dark(frame, dark.frame, exptime_s if dark.is_rate else 1.0)
        scale = f", rate times {exptime_s:g} s" if dark.is_rate else ""
        done.append(f"dark subtracted{scale}")
    return frame, done


def _zero_level_e(run: Run, calibrations: Calibrations) -> float:
    """Level of the bias where frames cannot measure their own, else 0."""
    if calibrations.bias is None or run.arm.detector.has_reference:
        return 0.0
    return float(np.median(calibrations.bias.flux))


def _structure(run: Run, calibrations: Calibrations) -> np.ndarray | None:
    """Structure of the bias on top of the zero level, which is no light."""
    if calibrations.bias is None:
        return None
    return calibrations.bias.flux - np.float32(_zero_level_e(run, calibrations))


def _combined(run: Run, frames: Sequence[InputFrame], calibrations: Calibrations) -> Detrended:
    """Steps 1 to 6: frames of one kind as electrons with error, zero frames still in."""
    exptime_s = _one_exptime(frames)
    settings = run.settings
    with open_raw_set(frames, run.arm, settings.reference) as raws:
        conversion = _conversion(raws, run, calibrations)
        combined = stack(
            _joined(raws, conversion, settings.kappa),
            len(raws),
            raws[0].readout.science_shape,
            StackSettings(
                settings.stack_method,
                settings.kappa,
                settings.iterations,
                # Of two values one may be a cosmic ray; the other is as good as ever.
                minimum_count=1,
            ),
            conversion.noise.variance,
            budget=BUDGET_BYTES if len(raws) > 1 else _SINGLE_BYTES,
        )
    light = steps.expected_light(combined.flux, conversion.noise, _structure(run, calibrations))
    frame = steps.mean_with_noise(
        combined.flux,
        combined.quality,
        combined.count,
        conversion.noise,
        settings.stack_method == "median",
        light,
    )
    done = (*conversion.steps, f"combined: {len(frames)} frame(s), {settings.stack_method}")
    if len(frames) == 1:
        done = conversion.steps
    return Detrended(
        frame,
        exptime_s,
        tuple(frames),
        done,
        conversion.noise,
        conversion.read_noise_e,
        conversion.gain_e_per_adu,
        light if len(frames) == 1 else None,
    )


@dataclass(frozen=True)
class _Conversion:
    """From ADU to electrons, for all frames of a set."""

    gain_e_per_adu: float
    zero_adu: float
    linearity: Linearity | None
    noise: NoiseModel
    read_noise_e: float
    steps: tuple[str, ...]


def _conversion(raws: Sequence[RawFrame], run: Run, calibrations: Calibrations) -> _Conversion:
    readout, table = raws[0].readout, calibrations.gain
    gain = readout.gain_e_per_adu if table is None else table.gain_e_per_adu
    read_noise_e = float(np.mean([_read_noise_e(raw, gain, table) for raw in raws]))
    factor = None if table is None else table.photon_factor
    zero_e = _zero_level_e(run, calibrations)
    done = [
        f"zero level: {run.settings.reference}",
        f"saturation flagged from {run.arm.detector.saturation_adu:g} ADU",
    ]
    if calibrations.linearity is not None:
        done.append("linearity corrected by table")
    done.append(f"gain {gain:.4g} e-/ADU from {'header' if table is None else 'table'}")
    done.append(f"read noise {read_noise_e:.4g} e-")
    return _Conversion(
        gain,
        zero_e / readout.gain_e_per_adu,
        calibrations.linearity,
        run.arm.noise_model(read_noise_e, readout.ndit, factor),
        read_noise_e,
        tuple(done),
    )


def _read_noise_e(raw: RawFrame, gain_e_per_adu: float, table: GainTable | None) -> float:
    """Read noise of a frame, with the error of its zero level.

    The frame's own reference pixels know it best: in the NIR it depends on the number of reads.
    A gain table tells how much noisier the pixels that see light are.
    """
    own_e = raw.level.noise_adu * gain_e_per_adu
    if table is not None:
        known = np.isfinite(own_e) and np.isfinite(table.reference_noise_e)
        ratio = own_e / table.reference_noise_e if known else 1.0
        own_e = table.read_noise_e * ratio
    elif not np.isfinite(own_e):
        own_e = raw.readout.read_noise_e
    return float(np.hypot(own_e, raw.level.error_adu * gain_e_per_adu))


def _reader(raw: RawFrame, conversion: _Conversion) -> Callable[[int, int], Band]:
    """Reader of rows of one frame: steps 1 to 4."""
    per_e = np.float32(1 / raw.readout.gain_e_per_adu)
    full = np.float32(raw.readout.detector.saturation_adu - 0.5)

    def read(start: int, stop: int) -> Band:
        signal = raw.rows(start, stop) * per_e
        zero = raw.level.row_adu[start:stop, None] + raw.level.column_adu
        quality = steps.level_quality(signal, full - zero, None)
        if conversion.zero_adu:
            signal -= np.float32(conversion.zero_adu)
        if conversion.linearity is not None:
            quality |= steps.level_quality(signal, np.inf, conversion.linearity)
            signal = conversion.linearity.correct(signal)
        return signal * np.float32(conversion.gain_e_per_adu), None, quality

    return read


def _joined(raws: Sequence[RawFrame], conversion: _Conversion, kappa: float) -> BandReader:
    """Reader of rows of all frames; of two, which a stack cannot judge, the higher is flagged."""
    read = join_readers([_reader(raw, conversion) for raw in raws])
    if len(raws) != 2:
        return read

    def read_pair(start: int, stop: int) -> Band:
        flux, variance, quality = read(start, stop)
        high = struck_in_two(flux, conversion.noise, kappa)
        return flux, variance, quality | high * np.uint16(Quality.COSMIC_RAY)

    return read_pair


def _one_exptime(frames: Sequence[InputFrame]) -> float:
    first = frames[0].readout.exptime_s
    for frame in frames:
        if abs(frame.readout.exptime_s - first) > _SAME_EXPTIME * first:
            raise SettingMismatchError(
                "Frames of one kind differ in exposure time",
                file=frame.path,
                expected=f"{first:g} s, as in {frames[0].path.name}",
                found=f"{frame.readout.exptime_s:g} s",
                remedy="keep frames of one exposure time in the set",
            )
    return first


def _check_twins(on: Detrended, off: Detrended) -> None:
    if abs(off.exptime_s - on.exptime_s) > _SAME_EXPTIME * on.exptime_s:
        raise SettingMismatchError(
            "Lamp-off frames differ in exposure time from those with the lamp on",
            file=off.frames[0].path,
            expected=f"{on.exptime_s:g} s, as in {on.frames[0].path.name}",
            found=f"{off.exptime_s:g} s",
            remedy="give the lamp-off frames taken with them",
        )
