"""The image of a slit: a box blurred by a Gaussian, fitted to many cuts at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Parameters: height, centre, width of the box, SD of the blur, background, its slope.
_PARAMETERS = 6
_STEPS = 15
_SMALLEST_GAIN = 1e-5
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
    start = _start(cuts, width, sd)
    fitted = _levenberg_marquardt(cuts, start, reach=float(np.abs(cuts.offset).max()))
    return _as_images(cuts, fitted)


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


def _levenberg_marquardt(cuts: Cuts, start: Array, reach: float) -> Array:
    """Minimise the weighted squares of all cuts; those that have converged drop out."""
    result, damping = start.copy(), np.full(len(start), 1e-3)
    weights, active = _weights(cuts, start), np.arange(len(start))
    for _ in range(_STEPS):
        part, weight = cuts.select(active), weights[active]
        model, slopes = _model(result[active], part.offset)
        residual = part.flux - model
        normal, gradient = _normal_equations(slopes, weight, residual)
        diagonal = np.einsum("npp->np", normal) * damping[active, None] + 1e-12
        damped = normal + np.eye(_PARAMETERS) * diagonal[:, None, :]
        step = np.linalg.solve(damped, gradient[..., None])[..., 0]
        trial = _bounded(result[active] + step, reach)
        cost = (weight * residual**2).sum(axis=1)
        gain = cost - (weight * (part.flux - _model(trial, part.offset)[0]) ** 2).sum(axis=1)
        result[active[gain > 0]] = trial[gain > 0]
        damping[active] *= np.where(gain > 0, 0.1, 10)
        active = active[np.abs(gain) > _SMALLEST_GAIN * cost + 1e-9]
        if not len(active):
            break
    return result


def _normal_equations(slopes: Array, weight: Array, residual: Array) -> tuple[Array, Array]:
    weighted = slopes * weight[:, None, :]
    return weighted @ slopes.transpose(0, 2, 1), (weighted @ residual[..., None])[..., 0]


def _bounded(parameters: Array, reach: float) -> Array:
    parameters[:, 1] = np.clip(parameters[:, 1], -reach, reach)
    parameters[:, 2] = np.clip(parameters[:, 2], _SMALLEST_WIDTH, 2 * reach)
    parameters[:, 3] = np.clip(parameters[:, 3], _SMALLEST_WIDTH, reach)
    return parameters


def _as_images(cuts: Cuts, parameters: Array) -> SlitImages:
    weight = _weights(cuts, parameters)
    model, slopes = _model(parameters, cuts.offset)
    normal, _ = _normal_equations(slopes, weight, cuts.flux - model)
    scale = np.sqrt(np.maximum(np.einsum("npp->np", normal), 1e-30))
    correlation = normal / (scale[:, :, None] * scale[:, None, :])
    inverse = np.linalg.inv(correlation + 1e-9 * np.eye(_PARAMETERS))
    error = np.sqrt(np.abs(np.einsum("npp->np", inverse))) / scale
    height, centre, width, sd = parameters.T[:4]
    known = (cuts.good.sum(axis=1) > 2 * _PARAMETERS) & (height > 0)
    known &= np.abs(centre) < 0.6 * np.abs(cuts.offset).max(axis=1)
    peak = height * _profile(np.zeros_like(width), width, sd)
    fwhm = full_width(width, sd)
    values = (centre, error[:, 1], width, sd, fwhm, peak, height * scale[:, 0])
    return SlitImages(*(np.where(known, value, np.nan) for value in values))
