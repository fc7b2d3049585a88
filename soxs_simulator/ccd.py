"""A CCD raw frame from light: charge, binning on the chip, amplifier, converter."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .cosmic_rays import CosmicHits, cosmic_hits
from .detector_maps import DetectorMaps, add_excess_noise, bin_sum, row_drift
from .photons import poisson
from .rng import stream
from .specs import CcdSpec, ReadMode

ADC_MAX = 65535
LEVEL_DRIFT_ADU = 0.8
ROW_DRIFT_E = 0.5
FIXED_PATTERN_PERIOD_PX = 7.3


@dataclass(frozen=True)
class CcdSettings:
    """How one CCD frame is taken.

    ``binning`` is (x, y); ``fixed_pattern_e`` the amplitude of a periodic interference whose
    phase differs from frame to frame; ``cosmic_rays`` and ``prnu`` switch these effects.
    """

    mode: ReadMode
    binning: tuple[int, int] = (1, 1)
    exptime_s: float = 0.0
    fixed_pattern_e: float = 0.0
    cosmic_rays: bool = True
    prnu: bool = True
    nonlinear: bool = True


@dataclass(frozen=True)
class RawPixels:
    """A raw frame's pixels and what is true of this frame alone."""

    pixels: NDArray
    cosmics: CosmicHits
    truth: dict[str, object] = field(default_factory=dict)


def expose_ccd(
    spec: CcdSpec,
    maps: DetectorMaps,
    settings: CcdSettings,
    seed: int,
    name: str,
    rate_e_per_s: NDArray[np.float32] | None = None,
) -> RawPixels:
    """Take one raw CCD frame.

    Parameters
    ----------
    spec, maps
        The detector and its fixed maps.
    settings : CcdSettings
        Read mode, binning, exposure time.
    seed : int
        Seed of the noise.
    name : str
        Names this frame's random stream (arm, kind and running number).
    rate_e_per_s : ndarray, optional
        Photo-electron rate of the science pixels, unbinned; None for shutter closed.

    Returns
    -------
    RawPixels
        uint16 pixels in ADU, prescan included.
    """
    if settings.binning not in spec.binnings:
        known = ", ".join(f"{x}x{y}" for x, y in spec.binnings)
        raise ValueError(f"{spec.arm} binning {settings.binning}: use one of {known}")
    rng = stream(seed, "ccd", name)
    hits = _hits(spec, settings, stream(seed, "cosmics", name))
    charge = _charge(spec, maps, settings, rng, rate_e_per_s, hits)
    add_excess_noise(charge, maps, settings.mode.ron_e, stream(seed, "excess", name))
    charge = bin_sum(charge, settings.binning)
    level = settings.mode.level_adu + LEVEL_DRIFT_ADU * float(rng.standard_normal())
    pixels = _digitise(spec, maps, settings, rng, charge, level)
    truth = {
        "bias_level_adu": level,
        "conad_e_per_adu": settings.mode.conad_e_per_adu,
        "ron_e": settings.mode.ron_e,
        "ron_with_rounding_e": settings.mode.total_ron_e,
        "row_drift_e": ROW_DRIFT_E,
        "saturated_pixels": int(np.count_nonzero(pixels >= saturation_adu(spec, settings, level))),
    }
    return RawPixels(pixels, hits, truth)


def saturation_adu(spec: CcdSpec, settings: CcdSettings, level_adu: float) -> float:
    """Return the raw value from which a pixel is full, in the well or in the converter."""
    loss = spec.nonlinearity_per_e * spec.full_well_e if settings.nonlinear else 0.0
    full_e = spec.full_well_e * (1 - loss) - 5 * settings.mode.ron_e
    return min(ADC_MAX, level_adu + full_e / settings.mode.conad_e_per_adu)


def _hits(spec: CcdSpec, settings: CcdSettings, rng: np.random.Generator) -> CosmicHits:
    """Tracks of the exposure and of half the read-out, during which charge still waits."""
    seconds = settings.exptime_s + 0.5 * settings.mode.readout_s
    return cosmic_hits(rng, spec, seconds if settings.cosmic_rays else 0.0)


def _charge(
    spec: CcdSpec,
    maps: DetectorMaps,
    settings: CcdSettings,
    rng: np.random.Generator,
    rate: NDArray[np.float32] | None,
    hits: CosmicHits,
) -> NDArray[np.float32]:
    """Electrons in every unbinned science pixel at the end of the exposure."""
    charge = np.zeros((spec.rows, spec.columns), np.float32)
    if settings.exptime_s > 0:
        expected = maps.dark_e_per_s * np.float32(settings.exptime_s)
        if rate is not None:
            light = rate * maps.response if settings.prnu else rate
            expected += light * np.float32(settings.exptime_s)
        charge = poisson(rng, expected)
    charge.ravel()[hits.pixel] += np.rint(hits.electrons)
    np.minimum(charge, np.float32(spec.full_well_e), out=charge)
    if settings.nonlinear and rate is not None:
        loss = np.float32(spec.nonlinearity_per_e)
        if maps.loss_per_e is not None:
            loss = loss + maps.loss_per_e
        charge *= 1.0 - loss * charge
    return charge


def _digitise(
    spec: CcdSpec,
    maps: DetectorMaps,
    settings: CcdSettings,
    rng: np.random.Generator,
    charge: NDArray[np.float32],
    level: float,
) -> NDArray[np.uint16]:
    """Add what the electronics add and convert to whole ADU."""
    bin_x, bin_y = settings.binning
    structure = maps.structure_e
    if settings.binning != (1, 1):
        structure = bin_sum(structure, settings.binning) / np.float32(bin_x * bin_y)
    signal = rng.standard_normal(structure.shape, dtype=np.float32)
    signal *= np.float32(settings.mode.ron_e)
    signal += structure
    signal[:, spec.prescan // bin_x :] += charge
    signal += row_drift(rng, signal.shape[0], ROW_DRIFT_E)[:, None]
    if settings.fixed_pattern_e:
        phase = rng.uniform(0, 2 * np.pi)
        clock = np.arange(signal.size, dtype=np.float64).reshape(signal.shape)
        wave = np.sin(2 * np.pi * clock / FIXED_PATTERN_PERIOD_PX + phase)
        signal += (settings.fixed_pattern_e * wave).astype(np.float32)
    signal /= np.float32(settings.mode.conad_e_per_adu)
    signal += np.float32(level)
    np.rint(signal, out=signal)
    np.clip(signal, 0, ADC_MAX, out=signal)
    return signal.astype(np.uint16)
