"""Where a spectral format has drifted to: global match of predicted lines to observed peaks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.algorithms.arc_lines import expand_ranges
from soxs_recipes.algorithms.frame import DetectorFrame

Array = NDArray[np.float64]

_ROTATIONS_RAD = np.deg2rad(np.linspace(-0.12, 0.12, 7))
_SCALES = np.linspace(-1.2e-3, 1.2e-3, 5)
_MATCH_RADII_PX = (3.0, 2.0, 1.5, 1.2)
_DEGREES = (1, 2, 3, 3)
_BISQUARE_ROUNDS = 5


@dataclass(frozen=True)
class Peaks:
    """Local maxima of an image: position (px) and height."""

    x: Array
    y: Array
    height: Array

    def brightest(self, count: int) -> Peaks:
        """Return the brightest ones."""
        first = np.argsort(self.height)[::-1][:count]
        return Peaks(self.x[first], self.y[first], self.height[first])


@dataclass(frozen=True)
class Drift:
    """Displacement of the observed from the predicted positions.

    A polynomial over the detector, of scaled coordinates.

    Attributes
    ----------
    shape : tuple of int
        Rows and columns of the frame.
    degree : int
        Total degree.
    x_coef, y_coef : ndarray
        Coefficients, px.
    shift_px : tuple of float
        Displacement at the centre in x and y.
    rotation_rad, scale : float
        First-order terms, from the coarse search.
    matched : float
        Fraction of the predicted lines with a peak where it should be, after the fit.
    excess : float
        The coarse match: coincidences found over those expected by chance.
    """

    shape: tuple[int, int]
    degree: int
    x_coef: Array
    y_coef: Array
    shift_px: tuple[float, float]
    rotation_rad: float
    scale: float
    matched: float
    excess: float

    def apply(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Positions after the drift."""
        terms = _terms(x, y, self.shape, self.degree)
        return x + terms @ self.x_coef, y + terms @ self.y_coef


def find_peaks(frame: DetectorFrame, min_snr: float) -> Peaks:
    """Find pixels above their eight neighbours and `min_snr` above the level around them.

    A maximum needs light in a neighbour too, so that a hot pixel or a hit of a cosmic ray in one
    pixel is no peak. Positions are refined by the parabola through three pixels.
    """
    flux = np.where(frame.good(), frame.flux, 0)
    middle = flux[3:-3, 3:-3]
    threshold = min_snr * frame.error[3:-3, 3:-3] + np.median(flux[::7, ::7])
    rows, columns = np.nonzero(middle > threshold)
    rows, columns = rows + 3, columns + 3
    centre = flux[rows, columns]
    steps = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]
    around = np.stack([flux[rows + i, columns + j] for i, j in steps])
    ring = [(i, j) for i in (-3, 0, 3) for j in (-3, 0, 3) if i or j]
    level = np.median([flux[rows + i, columns + j] for i, j in ring], axis=0)
    second = np.sort(around - level, axis=0)[-2]
    keep = np.all(around[:4] < centre, axis=0) & np.all(around[4:] <= centre, axis=0)
    keep &= (centre - level > min_snr * frame.error[rows, columns]) & (
        second > 0.1 * (centre - level)
    )
    rows, columns, height = rows[keep], columns[keep], (centre - level)[keep]
    return Peaks(
        columns + _vertex(flux[rows, columns - 1], centre[keep], flux[rows, columns + 1]),
        rows + _vertex(flux[rows - 1, columns], centre[keep], flux[rows + 1, columns]),
        height,
    )


def find_drift(x: Array, y: Array, peaks: Peaks, shape: tuple[int, int], reach_px: float) -> Drift:
    """Find the displacement that brings most predicted lines onto peaks.

    First every shift up to `reach_px`, on a grid of small rotations and scales, by the histogram
    of all differences between peaks and predictions; then a smooth displacement over the
    detector, from ever closer matches.

    Parameters
    ----------
    x, y : ndarray, shape (n,)
        Predicted positions of lines, about as many as there are peaks.
    peaks : Peaks
        Observed peaks.
    shape : tuple of int
        Rows and columns of the frame.
    reach_px : float
        Largest shift.
    """
    coarse = _coarse_drift(x, y, peaks, shape, reach_px)
    drift = coarse
    for radius, degree in zip(_MATCH_RADII_PX, _DEGREES, strict=True):
        drift = _refined_drift(x, y, peaks, drift, radius, degree)
    return drift


def _vertex(left: Array, centre: Array, right: Array) -> Array:
    return 0.5 * (right - left) / np.maximum(2 * centre - left - right, 1e-6)


def _scaled(x: Array, y: Array, shape: tuple[int, int]) -> tuple[Array, Array]:
    """Coordinates about the centre of the frame in units of half its larger side."""
    half = max(shape) / 2
    return (x - (shape[1] - 1) / 2) / half, (y - (shape[0] - 1) / 2) / half


def _terms(x: Array, y: Array, shape: tuple[int, int], degree: int) -> Array:
    u, v = _scaled(x, y, shape)
    powers = [(i, j) for i in range(degree + 1) for j in range(degree + 1 - i)]
    return np.stack([u**i * v**j for i, j in powers], axis=-1)


def _pairs(
    x: Array, y: Array, peaks: Peaks, reach_px: float
) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """All (line, peak) closer than `reach_px` in x and in y."""
    sort = np.argsort(peaks.y)
    ordered = peaks.y[sort]
    line, place = expand_ranges(
        np.searchsorted(ordered, y - reach_px), np.searchsorted(ordered, y + reach_px)
    )
    peak = sort[place]
    near = np.abs(peaks.x[peak] - x[line]) < reach_px
    return line[near], peak[near]


def _coarse_drift(
    x: Array, y: Array, peaks: Peaks, shape: tuple[int, int], reach_px: float
) -> Drift:
    """Best similarity by voting, to about a pixel."""
    half = max(shape) / 2
    margin = 1 + half * max(_ROTATIONS_RAD.max(), _SCALES.max())
    line, peak = _pairs(x, y, peaks, reach_px + margin)
    dx, dy = peaks.x[peak] - x[line], peaks.y[peak] - y[line]
    u, v = (half * part for part in _scaled(x[line], y[line], shape))
    edges = np.arange(-reach_px - 1, reach_px + 1.5)
    best = (-1.0, 0.0, 0.0, 0.0, 0.0)
    for rotation in _ROTATIONS_RAD:
        for scale in _SCALES:
            a, b = dx - scale * u + rotation * v, dy - rotation * u - scale * v
            votes, _, _ = np.histogram2d(a, b, (edges, edges))
            sums = votes[:-1, :-1] + votes[1:, :-1] + votes[:-1, 1:] + votes[1:, 1:]
            i, j = np.unravel_index(np.argmax(sums), sums.shape)
            best = max(best, (sums[i, j], edges[i + 1], edges[j + 1], rotation, scale))
    votes, shift_x, shift_y, rotation, scale = best
    chance = 4 * len(line) / (2 * (reach_px + margin)) ** 2
    terms = np.array([shift_y, 0, shift_x])  # order of the powers: 1, v, u
    x_coef = np.array([shift_x, -rotation * half, scale * half])
    y_coef = np.array([terms[0], scale * half, rotation * half])
    matched = votes / max(len(x), 1)
    excess = votes / max(chance, 1.0)
    return Drift(shape, 1, x_coef, y_coef, (shift_x, shift_y), rotation, scale, matched, excess)


def _refined_drift(
    x: Array, y: Array, peaks: Peaks, drift: Drift, radius_px: float, degree: int
) -> Drift:
    """Fit the displacement of the lines that have one peak within the radius."""
    px, py = drift.apply(x, y)
    line, peak = _pairs(px, py, peaks, radius_px)
    alone = np.bincount(line, minlength=len(x))[line] == 1
    line, peak = line[alone], peak[alone]
    terms = _terms(x[line], y[line], drift.shape, degree)
    if len(line) < 3 * terms.shape[1]:
        return drift
    dx, dy = peaks.x[peak] - x[line], peaks.y[peak] - y[line]
    weight = np.ones(len(line))
    for _ in range(_BISQUARE_ROUNDS):
        system = terms * weight[:, None]
        x_coef = np.linalg.lstsq(system, dx * weight, rcond=1e-10)[0]
        y_coef = np.linalg.lstsq(system, dy * weight, rcond=1e-10)[0]
        distance = np.hypot(dx - terms @ x_coef, dy - terms @ y_coef)
        limit = max(4 * float(np.median(distance)), 0.3)
        weight = 1 - np.minimum(distance / limit, 1) ** 2
    return Drift(
        drift.shape,
        degree,
        x_coef,
        y_coef,
        (float(x_coef[0]), float(y_coef[0])),
        drift.rotation_rad,
        drift.scale,
        float(np.count_nonzero(weight) / len(x)),
        drift.excess,
    )
