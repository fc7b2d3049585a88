"""A NIR raw frame made read by read: ramps, their fit, channels, drifts, reference pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .ccd import RawPixels
from .cosmic_rays import CosmicHits, cosmic_hits
from .detector_maps import DetectorMaps
from .photons import PhotonSource
from .rng import coloured_noise, stream
from .specs import H2rgSpec


@dataclass(frozen=True)
class RampSettings:
    """How one NIR frame is taken; ``method`` is ``slope`` or ``cds`` (last minus first read)."""

    dit_s: float
    ndit: int = 1
    method: str = "slope"
    cosmic_rays: bool = True
    prnu: bool = True
    nonlinear: bool = True


@dataclass(frozen=True)
class Ramp:
    """The reads of one DIT and what becomes of them.

    This class alone fixes the meaning of a raw pixel: the charge collected in ONE DIT by the
    straight line through the reads (slope times DIT), averaged over NDIT, in ADU per DIT.
    The first read is taken right after the reset, the last at the end of the DIT.
    """

    reads: int
    method: str = "slope"

    @classmethod
    def of(cls, spec: H2rgSpec, dit_s: float, method: str = "slope") -> Ramp:
        """Return the ramp of a DIT: as many reads as fit, at most ``spec.max_reads``.

        Raises
        ------
        ValueError
            The DIT is shorter than one read of the detector, or the method is unknown.
        """
        if dit_s < spec.read_s:
            raise ValueError(f"DIT {dit_s:g} s is shorter than one read ({spec.read_s:g} s)")
        if method not in ("slope", "cds"):
            raise ValueError(f"ramp method {method!r}: use slope or cds")
        fitting = int(dit_s / spec.read_s + 1e-6) + 1
        return cls(2 if method == "cds" else min(fitting, spec.max_reads), method)

    def weights(self, reads: int | None = None) -> NDArray[np.float64]:
        """Weights of the first ``reads`` reads (default: all) whose sum is the charge per DIT."""
        good = self.reads if reads is None else reads
        index = np.arange(good) - (good - 1) / 2
        return index / np.sum(index**2) * (self.reads - 1)

    def noise_factor(self, reads: int | None = None) -> float:
        """Read noise of the fitted charge per DIT over that of a single read."""
        return float(np.sqrt(np.sum(self.weights(reads) ** 2)))

    def photon_factor(self) -> float:
        """Variance of the fitted charge per DIT over the charge, for Poisson arrivals.

        6 (n^2 + 1) / (5 n (n + 1)) for n reads (Garnett and Forrest 1993); 1 for two reads.
        """
        n = self.reads
        return 6 * (n**2 + 1) / (5 * n * (n + 1))


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
    rate = maps.dark_e_per_s
    if rate_e_per_s is not None:
        rate = rate + (rate_e_per_s * maps.response if settings.prnu else rate_e_per_s)
    photons = PhotonSource(rate * np.float32(settings.dit_s / (ramp.reads - 1)))
    mean = np.zeros((spec.size, spec.size), np.float32)
    hits: list[CosmicHits] = []
    for number in range(settings.ndit):
        rng = stream(seed, "h2rg", name, number)
        seconds = settings.dit_s if settings.cosmic_rays else 0.0
        hits.append(cosmic_hits(stream(seed, "cosmics", name, number), spec, seconds))
        mean += _one_dit(spec, ramp, settings, rng, photons, rate, hits[-1])
    mean /= np.float32(settings.ndit)
    offsets = _channel_offsets(spec, maps, stream(seed, "channels", name))
    mean += offsets
    mean /= np.float32(spec.conad_e_per_adu)
    return RawPixels(mean, _joined(hits), _truth(spec, ramp, settings, offsets))


def _one_dit(
    spec: H2rgSpec,
    ramp: Ramp,
    settings: RampSettings,
    rng: np.random.Generator,
    photons: PhotonSource,
    rate: NDArray[np.float32],
    hits: CosmicHits,
) -> NDArray[np.float32]:
    """Fitted charge of one DIT on the whole frame, electrons, channel offsets left out."""
    weights = ramp.weights()
    sigma = np.float32(spec.read_noise_e)
    frame = rng.standard_normal((spec.size, spec.size), dtype=np.float32)
    frame *= sigma * np.float32(ramp.noise_factor())
    drift = coloured_noise(rng, ramp.reads * spec.size).reshape(ramp.reads, spec.size)
    frame += (spec.row_drift_e * (weights @ drift)).astype(np.float32)[:, None]
    watched = _near_saturation(spec, settings, rate, hits)
    charge = np.zeros((spec.rows, spec.columns), np.float32)
    fitted = np.zeros_like(charge)
    reads = np.zeros((ramp.reads, watched.size), np.float32)
    arrival = np.ceil(hits.time_fraction * (ramp.reads - 1)).astype(int)
    for number in range(1, ramp.reads):
        photons.add_counts(rng, charge)
        now = arrival == number
        charge.ravel()[hits.pixel[now]] += hits.electrons[now]
        seen = _measured(spec, settings, charge)
        reads[number] = seen.ravel()[watched]
        seen *= np.float32(weights[number])
        fitted += seen
    if watched.size:
        fitted.ravel()[watched] = _fit_unsaturated(spec, ramp, reads)
    border = slice(spec.border, -spec.border)
    frame[border, border] += fitted
    return frame


def _near_saturation(
    spec: H2rgSpec, settings: RampSettings, rate: NDArray[np.float32], hits: CosmicHits
) -> NDArray[np.int64]:
    """Flat indices of the pixels whose ramp may reach the full well."""
    limit = 0.9 * spec.full_well_e
    bright = np.flatnonzero(rate.ravel() * np.float32(settings.dit_s) > limit)
    struck = hits.pixel[hits.electrons > 0.05 * spec.full_well_e]
    return np.union1d(bright, struck)


def _measured(
    spec: H2rgSpec, settings: RampSettings, charge: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return what a read shows of the accumulated charge: quadratic loss, full well."""
    if not settings.nonlinear:
        return np.minimum(charge, np.float32(spec.full_well_e))
    seen = charge * np.float32(-spec.nonlinearity_per_e)
    seen += 1.0
    seen *= charge
    return np.minimum(seen, np.float32(spec.full_well_e), out=seen)


def _fit_unsaturated(spec: H2rgSpec, ramp: Ramp, reads: NDArray[np.float32]) -> NDArray[np.float32]:
    """Fit of the reads before saturation; a ramp full at its second read gives its lower limit."""
    good = np.count_nonzero(reads < spec.full_well_e, axis=0)
    result = np.full(reads.shape[1], spec.full_well_e * (ramp.reads - 1), np.float32)
    for count in range(2, ramp.reads + 1):
        chosen = good == count
        result[chosen] = ramp.weights(count) @ reads[:count, chosen]
    return result


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
    return {
        "conad_e_per_adu": spec.conad_e_per_adu,
        "reads": ramp.reads,
        "ramp_method": ramp.method,
        "read_noise_single_e": spec.read_noise_e,
        "ron_e": spec.read_noise_e * ramp.noise_factor() / settings.ndit**0.5,
        "photon_factor": ramp.photon_factor(),
        "full_well_e": spec.full_well_e,
        "row_drift_single_read_e": spec.row_drift_e,
        "channel_offsets_e": [round(float(v), 4) for v in offsets[:: spec.size // spec.channels]],
    }
