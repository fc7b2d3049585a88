"""Absolute flux scale of a spectrum from magnitudes in one or more filters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

SLOPE_SD = 0.05
"""How much, relatively per e-fold of wavelength, the shape of a spectrum may be in error."""


@dataclass(frozen=True)
class BandRatio:
    """Flux by a magnitude over that of the spectrum.

    Attributes
    ----------
    wave_nm : float
        Pivot wavelength of the filter.
    ratio, relative_error : float
        The ratio, and the error of the magnitude as one of flux.
    """

    wave_nm: float
    ratio: float
    relative_error: float


@dataclass(frozen=True)
class FluxScale:
    """Factor on a spectrum: a level and, with filters apart, a slope between them.

    Beyond the outermost filters the factor is constant.

    Attributes
    ----------
    centre_nm : float
        Where level and slope are independent of each other.
    log_level, level_sd : float
        Natural logarithm of the factor there, and its error.
    slope, slope_sd : float
        Change of the logarithm per e-fold of wavelength, and its error.
    range_nm : tuple of float
        Outermost filters.
    """

    centre_nm: float
    log_level: float
    level_sd: float
    slope: float
    slope_sd: float
    range_nm: tuple[float, float]

    @property
    def level(self) -> float:
        """Factor at the centre."""
        return float(np.exp(self.log_level))

    def at(self, wave_nm: ArrayLike) -> tuple[Array, Array]:
        """Factor and its relative error at wavelengths."""
        wave = np.asarray(wave_nm, float)
        between = np.clip(wave, *self.range_nm)
        x = np.log(between / self.centre_nm)
        beyond = np.log(wave / between)
        terms = (self.level_sd, self.slope_sd * x, SLOPE_SD * beyond)
        return np.exp(self.log_level + self.slope * x), np.sqrt(sum(term**2 for term in terms))


def fit_scale(bands: Sequence[BandRatio]) -> FluxScale:
    """Weighted mean of the logarithms, and as much of a slope as the filters show.

    The slope is expected to be 0 with an error of `SLOPE_SD`: filters that lie close together
    leave it there.

    Parameters
    ----------
    bands : sequence of BandRatio
        At least one filter.
    """
    place, value, sd = np.array(
        [(np.log(one.wave_nm), np.log(one.ratio), one.relative_error) for one in bands]
    ).T
    weight = np.maximum(sd, 1e-4) ** -2
    centre = np.average(place, weights=weight)
    level = float(np.average(value, weights=weight))
    precision = np.sum(weight * (place - centre) ** 2) + SLOPE_SD**-2
    slope = float(np.sum(weight * (place - centre) * (value - level)) / precision)
    ends = float(np.exp(place.min())), float(np.exp(place.max()))
    level_sd, slope_sd = float(weight.sum() ** -0.5), float(precision**-0.5)
    return FluxScale(float(np.exp(centre)), level, level_sd, slope, slope_sd, ends)
