"""Zero point of an image: the magnitude that gives one electron per second."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.algorithms.robust import mad_sd, median

Array = NDArray[np.float64]

# Systematic error of RefCat2 over the sky (Tonry et al. 2018), magnitudes.
CATALOGUE_ERROR_MAG = 0.005
_KAPPA, _ROUNDS = 3.0, 8


@dataclass(frozen=True)
class ZeroPoint:
    """A zero point.

    Attributes
    ----------
    magnitude, error : float
        AB magnitude of a source of 1 electron per second, through the air, and its standard
        error; NaN if there is none.
    used : ndarray of bool
        Stars it rests on.
    scatter : float
        Robust standard deviation of the stars about it.
    slope, slope_error : float
        Change with colour that is left: 0 if the filter curves are right.
    """

    magnitude: float
    error: float
    used: NDArray[np.bool_]
    scatter: float = float("nan")
    slope: float = float("nan")
    slope_error: float = float("nan")


def zero_point(instrumental: Array, predicted: Array, error: Array, colour: Array) -> ZeroPoint:
    """Zero point from stars of known magnitude.

    Parameters
    ----------
    instrumental : ndarray, shape (n,)
        -2.5 log10 of electrons per second.
    predicted : ndarray
        Magnitudes in the filter itself, from the catalogue and the colour term; NaN: not used.
    error : ndarray
        Standard error of the difference.
    colour : ndarray
        A colour of the stars, to look for what the colour term leaves.

    Returns
    -------
    ZeroPoint
        Weighted mean after rejection around the median. Weights allow for a scatter that the
        errors do not explain.
    """
    difference = predicted - instrumental
    used = np.isfinite(difference) & np.isfinite(error)
    if not used.any():
        return ZeroPoint(float("nan"), float("nan"), used)
    extra = 0.0
    for _ in range(_ROUNDS):
        spread = np.hypot(error, extra)
        centre = _weighted(difference, spread, used)[0]
        off = difference - (centre if used.sum() > 5 else float(median(difference[used])))
        extra = _unexplained(off[used], error[used])
        keep = np.isfinite(difference) & (np.abs(off) < _KAPPA * np.maximum(spread, 0.01))
        if not keep.any() or np.array_equal(keep, used):
            break
        used = keep
    centre, statistical = _weighted(difference, np.hypot(error, extra), used)
    slope, slope_error = _slope(difference - centre, np.hypot(error, extra), colour, used)
    scatter = float(mad_sd(difference[used])) if used.sum() > 2 else float("nan")
    return ZeroPoint(
        centre,
        float(np.hypot(statistical, CATALOGUE_ERROR_MAG)),
        used,
        scatter,
        slope,
        slope_error,
    )


def _weighted(values: Array, error: Array, used: NDArray[np.bool_]) -> tuple[float, float]:
    weight = error[used] ** -2.0
    return float(np.sum(weight * values[used]) / weight.sum()), float(weight.sum() ** -0.5)


def _unexplained(residual: Array, error: Array) -> float:
    """Scatter beyond the errors."""
    if len(residual) < 4:
        return 0.0
    return float(np.sqrt(max(float(mad_sd(residual)) ** 2 - float(np.median(error)) ** 2, 0.0)))


def _slope(
    residual: Array, error: Array, colour: Array, used: NDArray[np.bool_]
) -> tuple[float, float]:
    ours = used & np.isfinite(colour)
    if ours.sum() < 5:
        return float("nan"), float("nan")
    weight = error[ours] ** -2.0
    offset = colour[ours] - np.average(colour[ours], weights=weight)
    total = float(np.sum(weight * offset**2))
    if not total > 0:
        return float("nan"), float("nan")
    return float(np.sum(weight * offset * residual[ours]) / total), total**-0.5
