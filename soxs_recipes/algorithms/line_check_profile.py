"""The image of a slit: a box blurred by a Gaussian, fitted to many cuts at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from soxs_recipes.algorithms.least_squares import Problems, fit_all, standard_errors

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Parameters: height, centre, width of the box, SD of the blur, background, its slope.
_PARAMETERS = 6
_STEPS = 15
# The profile describes a line to this fraction of its height; the error budget says so.
_MODEL_ERROR = 0.02
_SMALLEST_WIDTH = 0.05
_BISECTIONS = 30


@dataclass(frozen=True)
class Cuts:
    """Samples across slit images, one image per row.

    Attributes
    ----------
    offset : ndarray, shape (n, p)
        Distance of each sample from the expected centre.
    flux, variance : ndarray, shape (n, p)
        Samples and their variance.
    good : ndarray of bool, shape (n, p)
        Usable samples.
    """

    offset: Array
    flux: Array
    variance: Array
    good: Mask

    def select(self, where: Mask | NDArray[np.int_]) -> Cuts:
        """Part of the cuts."""
        return Cuts(**{name: value[where] for name, value in vars(self).items()})


@dataclass(frozen=True)
class SlitImages:
    """Fitted slit images, in the unit of the offsets; NaN where there is no fit.

    Attributes
    ----------
    centre, centre_error : ndarray, shape (n,)
        Centre against the expected one, and its standard error.
    width, sd : ndarray
        Width of the box and SD of its blur, the pixel's included.
    fwhm : ndarray
        Full width at half maximum.
    height, snr : ndarray
        Height over the background; over its error with the shape held.
    """

    centre: Array
    centre_error: Array
    width: Array
    sd: Array
    fwhm: Array
    height: Array
    snr: Array


def fit_slit_images(cuts: Cuts, width: float, sd: float) -> SlitImages:
    """Fit a blurred box on a sloping background to every cut (Marquardt 1963).

    Parameters
    ----------
    cuts : Cuts
        The samples.
    width, sd : float
        First guess of the box and its blur.
    """
    return _as_images(cuts, _fit_profiles(cuts, _start(cuts, width, sd)))


def full_width(width: Array, sd: Array) -> Array:
    """Full width at half maximum of a box blurred by a Gaussian."""
    half = 0.5 * _profile(np.zeros_like(width), width, sd)
    low, high = np.zeros_like(width), width / 2 + 3 * sd
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        inside = _profile(middle, width, sd) > half
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    return low + high


def _profile(offset: Array, width: Array, sd: Array) -> Array:
    return ndtr((offset + width / 2) / sd) - ndtr((offset - width / 2) / sd)


def _start(cuts: Cuts, width: float, sd: float) -> Array:
    flux = np.where(cuts.good, cuts.flux, np.nan)
    flux[~cuts.good.any(axis=1)] = 0.0
    outer = np.where(np.abs(cuts.offset) > width / 2 + 2 * sd, flux, np.nan)
    outer[~np.isfinite(outer).any(axis=1)] = 0.0
    background = np.nanmedian(outer, axis=1)
    light = np.clip(np.nan_to_num(flux - background[:, None]), 0, None)
    height = np.maximum(np.quantile(light, 0.9, axis=1), 1e-6)
    light = np.where(light > 0.5 * height[:, None], light, 0)
    centre = (light * cuts.offset).sum(axis=1) / np.maximum(light.sum(axis=1), 1e-9)
    start = np.zeros((len(flux), _PARAMETERS))
    start.T[:5] = height, centre, np.full(len(flux), width), np.full(len(flux), sd), background
    return start


def _light(parameters: Array, offset: Array) -> Array:
    """Model (n, p)."""
    height, centre, width, sd, background, slope = (p[:, None] for p in parameters.T)
    return height * _profile(offset - centre, width, sd) + background + slope * offset


def _model(parameters: Array, offset: Array) -> tuple[Array, Array]:
    """Model (n, p) and its derivatives (n, parameters, p)."""
    height, centre, width, sd, background, slope = (p[:, None] for p in parameters.T)
    u = offset - centre
    left, right = (u + width / 2) / sd, (u - width / 2) / sd
    at_left, at_right = (np.exp(-0.5 * v**2) / np.sqrt(2 * np.pi) for v in (left, right))
    shape = ndtr(left) - ndtr(right)
    slopes = np.empty((len(parameters), _PARAMETERS, offset.shape[1]))
    slopes[:, 0] = shape
    slopes[:, 1] = height * (at_right - at_left) / sd
    slopes[:, 2] = height * (at_left + at_right) / (2 * sd)
    slopes[:, 3] = height * (right * at_right - left * at_left) / sd
    slopes[:, 4] = 1.0
    slopes[:, 5] = offset
    return height * shape + background + slope * offset, slopes


def _weights(cuts: Cuts, parameters: Array) -> Array:
    height, centre, width, sd = (p[:, None] for p in parameters.T[:4])
    light = height * _profile(cuts.offset - centre, width, sd)
    return cuts.good / (cuts.variance + (_MODEL_ERROR * light) ** 2)


def _fit_profiles(cuts: Cuts, start: Array) -> Array:
    """Best parameters of every cut."""
    reach = float(np.abs(cuts.offset).max())
    problems = Problems(
        cuts.flux,
        _weights(cuts, start),
        lambda parameters, rows: _light(parameters, cuts.offset[rows]),
        lambda parameters, rows: _model(parameters, cuts.offset[rows]),
        lambda parameters: _bounded(parameters, reach),
    )
    return fit_all(problems, start, _STEPS)


def _bounded(parameters: Array, reach: float) -> Array:
    parameters[:, 1] = np.clip(parameters[:, 1], -reach, reach)
    parameters[:, 2] = np.clip(parameters[:, 2], _SMALLEST_WIDTH, 2 * reach)
    parameters[:, 3] = np.clip(parameters[:, 3], _SMALLEST_WIDTH, reach)
    return parameters


def _as_images(cuts: Cuts, parameters: Array) -> SlitImages:
    slopes = _model(parameters, cuts.offset)[1]
    error, alone = standard_errors(slopes, _weights(cuts, parameters))
    height, centre, width, sd = parameters.T[:4]
    known = (cuts.good.sum(axis=1) > 2 * _PARAMETERS) & (height > 0)
    known &= np.abs(centre) < 0.6 * np.abs(cuts.offset).max(axis=1)
    peak = height * _profile(np.zeros_like(width), width, sd)
    fwhm = full_width(width, sd)
    values = (centre, error[:, 1], width, sd, fwhm, peak, height / alone[:, 0])
    return SlitImages(*(np.where(known, value, np.nan) for value in values))
