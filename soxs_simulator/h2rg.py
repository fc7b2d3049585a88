"""A NIR raw frame: ramps and their fit, channels, drifts, reference pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .ccd import RawPixels
from .cosmic_rays import CosmicHits, cosmic_hits
from .detector_maps import DetectorMaps, add_excess_noise
from .photons import poisson
from .ramps import Ramp, explicit_ramps, fitted_charge
from .rng import coloured_noise, stream
from .specs import H2rgSpec

WATCH_ABOVE = 0.8
"""Pixels expected above this fraction of the full well are made read by read."""


@dataclass(frozen=True)
class RampSettings:
    """How one NIR frame is taken; ``method`` is ``slope`` or ``cds`` (last minus first read)."""

    dit_s: float
    ndit: int = 1
    method: str = "slope"
    cosmic_rays: bool = True
    prnu: bool = True
    nonlinear: bool = True


def expose_h2rg(
    spec: H2rgSpec,
    maps: DetectorMaps,
    settings: RampSettings,
    seed: int,
    name: str,
    rate_e_per_s: NDArray[np.float32] | None = None,
) -> RawPixels:
    """Take one raw NIR frame.

    Parameters
    ----------
    spec, maps
        The detector and its fixed maps.
    settings : RampSettings
        DIT and NDIT.
    seed : int
        Seed of the noise.
    name : str
        Names this frame's random stream.
    rate_e_per_s : ndarray, optional
        Photo-electron rate of the science pixels; None for a dark.

    Returns
    -------
    RawPixels
        float32 pixels, 2048 x 2048, in ADU per DIT.
    """
    ramp = Ramp.of(spec, settings.dit_s, settings.method)
    expected = maps.dark_e_per_s * np.float32(settings.dit_s)
    if rate_e_per_s is not None:
        light = rate_e_per_s * np.float32(settings.dit_s)
        expected += light * maps.response if settings.prnu else light
    mean = np.zeros((spec.size, spec.size), np.float32)
    hits: list[CosmicHits] = []
    for number in range(settings.ndit):
        rng = stream(seed, "h2rg", name, number)
        seconds = settings.dit_s if settings.cosmic_rays else 0.0
        hits.append(cosmic_hits(stream(seed, "cosmics", name, number), spec, seconds))
        mean += _one_dit(spec, maps, ramp, settings, rng, expected, hits[-1])
    mean /= np.float32(settings.ndit)
    offsets = _channel_offsets(spec, maps, stream(seed, "channels", name))
    mean += offsets
    mean /= np.float32(spec.conad_e_per_adu)
    return RawPixels(mean, _joined(hits), _truth(spec, ramp, settings, offsets))


def _one_dit(
    spec: H2rgSpec,
    maps: DetectorMaps,
    ramp: Ramp,
    settings: RampSettings,
    rng: np.random.Generator,
    expected: NDArray[np.float32],
    hits: CosmicHits,
) -> NDArray[np.float32]:
    """Fitted charge of one DIT on the whole frame, electrons, channel offsets left out."""
    beta = spec.nonlinearity_per_e if settings.nonlinear else 0.0
    border = slice(spec.border, -spec.border)
    counts = np.zeros((spec.size, spec.size), np.float32)
    science = poisson(rng, expected)
    counts[border, border] = science
    frame = fitted_charge(rng, ramp, counts, spec.read_noise_e)
    drift = coloured_noise(rng, ramp.reads * spec.size).reshape(ramp.reads, spec.size)
    # The straight line through a ramp q t - beta (q t)^2 has the slope q - beta q^2.
    science *= science
    loss = np.float32(beta)
    if settings.nonlinear and maps.loss_per_e is not None:
        loss = loss + maps.loss_per_e
    science *= -loss
    frame[border, border] += science
    _watch(spec, ramp, rng, expected, hits, loss, frame[border, border])
    noise = spec.read_noise_e * ramp.noise_factor()
    add_excess_noise(frame[border, border], maps, noise, rng)
    frame += (spec.row_drift_e * (ramp.weights() @ drift)).astype(np.float32)[:, None]
    return frame


def _watch(
    spec: H2rgSpec,
    ramp: Ramp,
    rng: np.random.Generator,
    expected: NDArray[np.float32],
    hits: CosmicHits,
    loss_per_e: NDArray[np.float32] | np.float32,
    science: NDArray[np.float32],
) -> None:
    """Replace the pixels that saturate or are struck: their ramps are made read by read."""
    bright = np.flatnonzero(expected.ravel() > WATCH_ABOVE * spec.full_well_e)
    where = np.union1d(bright, hits.pixel)
    if where.size == 0:
        return
    jump = np.zeros(where.size, np.float32)
    interval = np.zeros(where.size, np.intp)
    struck = np.searchsorted(where, hits.pixel)
    jump[struck] = hits.electrons
    interval[struck] = (hits.time_fraction * ramp.intervals).astype(int) % ramp.intervals
    rows, columns = np.divmod(where, spec.columns)
    loss = np.broadcast_to(loss_per_e, expected.shape)[rows, columns]
    values = explicit_ramps(rng, spec, ramp, expected.ravel()[where], jump, interval, loss)
    science[rows, columns] = values


def _channel_offsets(
    spec: H2rgSpec, maps: DetectorMaps, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Residual offset per column, electrons per DIT: read-out channel and odd or even column."""
    chip = stream(maps.detector_seed, "channels")
    channel = spec.channel_offset_e * chip.standard_normal(spec.channels)
    alternate = spec.column_offset_e * chip.standard_normal(spec.channels)
    channel = channel + spec.channel_drift_e * rng.standard_normal(spec.channels)
    width = spec.size // spec.channels
    sign = np.where(np.arange(spec.size) % 2, 0.5, -0.5)
    return (np.repeat(channel, width) + sign * np.repeat(alternate, width)).astype(np.float32)


def _joined(hits: list[CosmicHits]) -> CosmicHits:
    """Hits of all DITs in one list."""
    return CosmicHits(
        np.concatenate([h.pixel for h in hits]),
        np.concatenate([h.electrons for h in hits]),
        np.concatenate([h.time_fraction for h in hits]),
    )


def _truth(
    spec: H2rgSpec, ramp: Ramp, settings: RampSettings, offsets: NDArray[np.float32]
) -> dict[str, object]:
    """Noise model of the frame, electrons per DIT."""
    pairs = offsets.reshape(spec.channels, -1)[:, :2]
    return {
        "conad_e_per_adu": spec.conad_e_per_adu,
        "reads": ramp.reads,
        "ramp_method": ramp.method,
        "read_noise_single_e": spec.read_noise_e,
        "ron_e": spec.read_noise_e * ramp.noise_factor() / settings.ndit**0.5,
        "photon_factor": ramp.photon_factor(),
        "full_well_e": spec.full_well_e,
        "row_drift_single_read_e": spec.row_drift_e,
        "channel_offsets_e": np.round(pairs.mean(axis=1), 4).tolist(),
        "odd_minus_even_e": np.round(pairs[:, 1] - pairs[:, 0], 4).tolist(),
    }
