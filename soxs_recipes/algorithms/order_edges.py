"""Edges of the orders in a slit flat: where the light falls to half of its plateau."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.algorithms.frame import DetectorFrame
from soxs_recipes.algorithms.gappy_statistics import gappy_median
from soxs_recipes.algorithms.order_table import OrderTable, series_of
from soxs_recipes.algorithms.tracing import bin_centres, binned, sampled_range, strips
from soxs_recipes.algorithms.tracing_fit import (
    Samples,
    Smoothed,
    SmoothModel,
    TooFewSamplesError,
    fit_smooth,
)
from soxs_recipes.algorithms.tracing_profiles import Points, fit_profiles, rising_edge
from soxs_recipes.errors import InputError

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


class NoEdgesError(InputError):
    """The light of the orders has no edges where a slit's would be."""


@dataclass(frozen=True)
class EdgeSettings:
    """How order edges are measured; lengths in pixels of the frame.

    Attributes
    ----------
    model : SmoothModel
        Distance of the edges from the order centres.
    bin_px : int
        Stretch along dispersion that gives one sample.
    reach_px : float
        Largest distance of an edge from the centre.
    shortest_px : float
        Least such distance: light with nearer edges is not that of a slit.
    window_px : float
        Half width of the window in which an edge is fitted.
    detection : float
        Level of the plateau over its error from which a sample is used.
    """

    model: SmoothModel
    bin_px: int = 32
    reach_px: float = 27.0
    shortest_px: float = 10.0
    window_px: float = 6.0
    detection: float = 30.0


@dataclass(frozen=True)
class Edges:
    """Measured edges.

    Attributes
    ----------
    table : OrderTable
        The order table with edges.
    lower, upper : Smoothed
        Fits of the distance of the edges from the order centres.
    """

    table: OrderTable
    lower: Smoothed
    upper: Smoothed

    def residuals(self) -> Array:
        """Absolute residuals of all samples kept, px."""
        parts = [fit.residual[fit.kept] for fit in (self.lower, self.upper)]
        return np.abs(np.concatenate(parts))


# One column out of so many is fitted: they carry light enough.
_STRIDE = 4
_SERIES_DEGREE = 11
_SD_LIMITS_PX = (0.1, 2.5)


def measure_edges(frame: DetectorFrame, table: OrderTable, settings: EdgeSettings) -> Edges:
    """Fit the ends of the slit's image bin by bin, then smoothly along the orders.

    The profile across dispersion near an edge is a straight line times a Gaussian's integral,
    averaged over pixels; the edge is where that integral is one half.

    Parameters
    ----------
    frame : DetectorFrame
        Combined slit flat.
    table : OrderTable
        Order centres.
    settings : EdgeSettings
        How.

    Raises
    ------
    NoEdgesError
        If the light along the order centres has no edges at the distances of a slit.
    """
    centres = table.centres()
    crossing = _crossings(frame, table, centres, settings)
    fits = []
    for sign, guess in zip((-1, 1), crossing, strict=True):
        samples = _sample(frame, table, centres, sign, guess, settings)
        try:
            fits.append((samples, fit_smooth(samples, table.length, settings.model)))
        except TooFewSamplesError as error:
            raise _no_edges("too few stretches of the orders end like a slit's image") from error
    (low_samples, low), (_, high) = fits
    sampled = sampled_range(low_samples.pixel, low.kept & high.kept)
    lower = series_of(centres + low.values, _SERIES_DEGREE)
    upper = series_of(centres + high.values, _SERIES_DEGREE)
    return Edges(table.with_edges(lower, upper, sampled), low, high)


def _crossings(
    frame: DetectorFrame, table: OrderTable, centres: Array, settings: EdgeSettings
) -> tuple[Array, Array]:
    """Distance of either edge from the centre to a pixel, one per order; NaN where none."""
    half = int(settings.reach_px)
    value = strips(table.across_first(frame.flux), centres, half)
    good = strips(table.across_first(frame.good()), centres, half).value & value.inside
    flux = np.where(good, value.value, np.nan)[:, :: settings.bin_px]
    middle = half
    core = int(settings.shortest_px) // 2
    with np.errstate(all="ignore"):
        plateau = gappy_median(flux[..., middle - core : middle + core + 1], axis=-1)
        strong = plateau > 0.3 * np.nanmax(plateau, axis=1, keepdims=True)
        ratio = np.where(strong[..., None], flux / plateau[..., None], np.nan)
    profile = gappy_median(ratio, axis=1)
    below = profile < 0.5
    left = middle - np.where(below[:, :middle], np.arange(middle), -1).max(axis=1)
    right = np.where(below[:, middle + 1 :], np.arange(1, half + 1), 2 * half).min(axis=1)
    lower = np.where(left <= middle, 0.5 - left, np.nan)
    upper = np.where(right <= half, right - 0.5, np.nan)
    length = np.nanmedian(np.minimum(-lower, upper)) if np.isfinite(lower + upper).any() else 0
    if length < settings.shortest_px:
        raise _no_edges(f"half length of the slit's image {length:.3g} px")
    return (
        np.where(np.isfinite(lower), lower, np.nanmedian(lower)),
        np.where(np.isfinite(upper), upper, np.nanmedian(upper)),
    )


def _sample(
    frame: DetectorFrame,
    table: OrderTable,
    centres: Array,
    sign: int,
    guess: Array,
    settings: EdgeSettings,
) -> Samples:
    """Distance of one edge (sign -1: lower, +1: upper) from the centre, bin by bin."""
    half, bin_px = int(settings.window_px), settings.bin_px
    curves = (centres + guess[:, None])[:, ::_STRIDE]
    flux, variance, good = (
        table.across_first(plane)[:, ::_STRIDE]
        for plane in (frame.flux, frame.variance, frame.good())
    )
    cut = strips(flux, curves, half)
    usable = strips(good, curves, half).value & cut.inside
    columns = bin_px // _STRIDE
    points = Points(
        # Towards the inside of the slit's image is up for both edges.
        binned(-sign * cut.offset, columns),
        binned(np.where(usable, cut.value, 0.0), columns).astype(np.float64),
        binned(np.where(usable, strips(variance, curves, half).value, 1.0), columns) + 1e-3,
        binned(usable, columns),
    )
    fit = fit_profiles(rising_edge, points, *_start(points, settings))
    shape = (len(centres), curves.shape[1] // columns)
    level, place, sd = (fit.values[:, k].reshape(shape) for k in range(3))
    found = level > settings.detection * fit.errors[:, 0].reshape(shape)
    found &= (np.abs(place) < settings.window_px - 2.1) & (sd < 0.99 * _SD_LIMITS_PX[1])
    pixel = bin_centres(curves.shape[1], columns) * _STRIDE
    return Samples(
        np.tile(pixel, (shape[0], 1)),
        guess[:, None] - sign * place,
        fit.errors[:, 1].reshape(shape),
        found,
    )


def _start(points: Points, settings: EdgeSettings) -> tuple[Array, tuple[Array, Array]]:
    inside = points.good & (points.offset > 2)
    count = np.maximum(inside.sum(axis=1), 1)
    level = np.where(inside, points.value, 0.0).sum(axis=1) / count
    zero, one = np.zeros_like(level), np.ones_like(level)
    start = np.stack([np.maximum(level, 1.0), zero, 0.6 * one, zero, zero], axis=1)
    reach = settings.window_px - 2
    low = np.tile([0.0, -reach, _SD_LIMITS_PX[0], -np.inf, -np.inf], (len(level), 1))
    high = np.tile([np.inf, reach, _SD_LIMITS_PX[1], np.inf, np.inf], (len(level), 1))
    return start, (low, high)


def _no_edges(found: str) -> NoEdgesError:
    return NoEdgesError(
        "The orders have no edges like those of a slit",
        expected="light along the order centres that ends on both sides, as through a slit",
        found=found,
        remedy="check that the slit was in and the lamp on, and that the order table fits",
    )
