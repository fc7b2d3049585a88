"""Cosmic-ray tracks: muons through the sensitive layer, and electrons that wander in it.

A track is laid down as packets of charge every fifth of a pixel, each displaced by diffusion, so
one histogram of all packets makes all tracks of a frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .specs import CcdSpec, H2rgSpec

RATE_PER_CM2_S = 2.5 / 60.0
"""Hits per second and square centimetre at 2400 m altitude (assumed: sea level times 2.5)."""

WORM_FRACTION = 0.15
STEP_PX = 0.2
DIFFUSION_PX = 0.30
MAX_TRACK_PX = 250.0


@dataclass(frozen=True)
class CosmicHits:
    """Charge of the cosmic rays of one exposure.

    ``pixel`` is the flat index into the unbinned science pixels, ``electrons`` the charge left
    there, ``time_fraction`` when in the exposure it came (0 to 1).
    """

    pixel: NDArray[np.int64]
    electrons: NDArray[np.float32]
    time_fraction: NDArray[np.float32]


def cosmic_hits(rng: np.random.Generator, spec: CcdSpec | H2rgSpec, seconds: float) -> CosmicHits:
    """Return the tracks of one exposure.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    spec : CcdSpec or H2rgSpec
        Detector: area, pixel size, thickness and charge per micron.
    seconds : float
        Time over which charge is collected.
    """
    area_cm2 = spec.rows * spec.columns * (spec.pixel_um * 1e-4) ** 2
    count = int(rng.poisson(RATE_PER_CM2_S * area_cm2 * seconds))
    if count == 0:
        return CosmicHits(np.zeros(0, np.int64), np.zeros(0, np.float32), np.zeros(0, np.float32))
    track, x, y, charge = _packets(rng, spec, count)
    inside = (x >= 0) & (x < spec.columns) & (y >= 0) & (y < spec.rows)
    pixel = y[inside] * spec.columns + x[inside]
    arrival = rng.uniform(0, 1, count).astype(np.float32)
    return _per_pixel(pixel, charge[inside], arrival[track[inside]])


def _packets(
    rng: np.random.Generator, spec: CcdSpec | H2rgSpec, count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Track number, pixel column, pixel row and charge of every packet of charge."""
    length_px, path_um = _track_lengths(rng, spec, count)
    steps = np.maximum(np.ceil(length_px / STEP_PX).astype(int), 3)
    track = np.repeat(np.arange(count), steps)
    worm = rng.uniform(size=count) < WORM_FRACTION
    turn = np.where(worm[track], 0.35, 0.0) * rng.standard_normal(track.size)
    first = np.concatenate([[0], np.cumsum(steps)[:-1]])
    heading = rng.uniform(0, 2 * np.pi, count)[track] + _restarted_cumsum(turn, track, first)
    stride = (length_px / steps)[track]
    start_x = rng.uniform(0, spec.columns, count)[track]
    start_y = rng.uniform(0, spec.rows, count)[track]
    x = start_x + _restarted_cumsum(stride * np.cos(heading), track, first)
    y = start_y + _restarted_cumsum(stride * np.sin(heading), track, first)
    x += DIFFUSION_PX * rng.standard_normal(track.size)
    y += DIFFUSION_PX * rng.standard_normal(track.size)
    # Energy loss in a thin layer is Landau-like; Moyal's form, -ln z^2 of a normal z, is close.
    loss = np.clip(1.0 - 0.25 * np.log(rng.standard_normal(count) ** 2), 0.3, 20.0)
    charge = (loss * path_um * spec.electrons_per_um / steps)[track]
    return track, np.floor(x).astype(np.int64), np.floor(y).astype(np.int64), charge


def _track_lengths(
    rng: np.random.Generator, spec: CcdSpec | H2rgSpec, count: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Projected length in pixels and path in microns of muons (intensity ~ cos^2 of the zenith)."""
    # The chip stands upright half of the time; a cos^2 flux seen at random tilt is nearly uniform
    # in the cosine of the angle to the chip's normal, down to grazing incidence.
    cosine = rng.uniform(0.03, 1.0, count)
    tangent = np.sqrt(1 - cosine**2) / cosine
    length = np.minimum(tangent * spec.thickness_um / spec.pixel_um, MAX_TRACK_PX)
    return length, spec.thickness_um / cosine


def _restarted_cumsum(
    values: NDArray[np.float64], track: NDArray[np.int64], first: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Cumulative sum that starts anew with every track."""
    total = np.cumsum(values)
    return total - (total[first] - values[first])[track]


def _per_pixel(
    pixel: NDArray[np.int64], charge: NDArray[np.float64], arrival: NDArray[np.float32]
) -> CosmicHits:
    """Packets added up per pixel; a pixel hit twice keeps the time of its first packet."""
    unique, first, inverse = np.unique(pixel, return_index=True, return_inverse=True)
    electrons = np.bincount(inverse, charge, unique.size)
    return CosmicHits(unique, electrons.astype(np.float32), arrival[first])
