"""The sky of one exposure from that of others, scaled for the drift of the airglow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import percentile_filter, uniform_filter1d

from soxs_recipes.algorithms.frame import DetectorFrame
from soxs_recipes.algorithms.sky_fit import SkySpectrum
from soxs_recipes.algorithms.sky_model import SkyModel
from soxs_recipes.algorithms.sky_objects import at_one_wavelength, medians
from soxs_recipes.algorithms.slit_strips import SlitStrip

Array = NDArray[np.float64]
Image = NDArray[np.float32]

# Lines stand on a continuum that is smooth over this many pixels.
_CONTINUUM_PX, _CONTINUUM_PERCENTILE = 81, 30
# Lines are scaled by a straight line in wavelength per order; what else differs is smooth.
_SCALE_TERMS, _REST_TERMS = 2, 4
_ROUNDS, _CAUCHY = 10, 2.4
_LEAST_ERROR_SHARE = 0.02
# What is less above the continuum is noise, which would pass for lines that have vanished. Lines
# drift by no more than this, a priori.
_LINE_SIGMA, _USUAL_DRIFT = 5.0, 0.1
# Where skies of two exposures differ smoothly over so many pixels, the exposure itself is right;
# beyond that they differ by this share of the sky, and by such an error of the flexure.
_SMOOTH_PX, _DRIFT_LEFT, _REGISTRATION_PX = 301, 0.02, 0.03


def weights_in_time(time: float, others: Sequence[float]) -> list[float]:
    """Weights of other exposures for the sky at a time: linear between the two that enclose it."""
    times = np.array(others, float)
    weights = np.zeros(len(times))
    before, after = np.flatnonzero(times <= time), np.flatnonzero(times > time)
    if not len(before) or not len(after):
        weights[int(np.argmin(np.abs(times - time)))] = 1.0
        return weights.tolist()
    left, right = before[np.argmax(times[before])], after[np.argmin(times[after])]
    part = (time - times[left]) / (times[right] - times[left])
    weights[left], weights[right] = 1 - part, part
    return weights.tolist()


def transferred_sky(
    frame: DetectorFrame,
    strips: Sequence[SlitStrip],
    skies: Sequence[Sequence[SkySpectrum]],
    weights: Sequence[float],
) -> Image:
    """Sky expected in a frame from the skies of other exposures.

    The lines of each order are scaled to those in the frame, for the airglow drifts within
    minutes; the continuum, which the frame's object may hide, is taken as it is.

    Parameters
    ----------
    frame : DetectorFrame
        Exposure whose sky is wanted.
    strips : sequence of SlitStrip
        Its orders.
    skies : sequence of sequences of SkySpectrum
        For each other exposure the sky of every order, for the frame's exposure time.
    weights : sequence of float
        Weights of the other exposures.
    """
    result = np.zeros(frame.shape, np.float32)
    good = frame.good()
    for n, strip in enumerate(strips):
        parts = zip(skies, weights, strict=True)
        sky = sum(np.float32(weight) * one[n].at(strip) for one, weight in parts if weight)
        factor = _line_factor(strip, strip.take(frame.flux), sky, strip.take(good) & strip.inside)
        column = np.arange(len(factor), dtype=np.float32)
        sky = sky * np.interp(strip.column, column, factor).astype(np.float32)
        result.reshape(-1)[strip.index[strip.inside]] = sky[strip.inside]
    return result


def joined_sky(
    model: SkyModel, strips: Sequence[SlitStrip], known: Image, variance: Image
) -> SkyModel:
    """Mean of the sky fitted in a frame and of that known from others, by inverse variance.

    Exposures of the sky tell its level at every wavelength as well as the frame itself does, but
    for what has drifted: where both differ smoothly along dispersion, in level or in slope along
    the slit, the frame is right. In bright lines, whose drift is not known well enough, it is so
    by its weight.

    Parameters
    ----------
    model : SkyModel
        Sky fitted in the frame.
    strips : sequence of SlitStrip
        Its orders.
    known, variance : ndarray, shape (ny, nx)
        Sky of other exposures, lines scaled to the frame, and its variance.
    """
    flux, left = model.flux.copy(), model.variance.copy()
    for strip in strips:
        area, own = strip.area, strip.take(model.variance)
        sky = strip.take(known)
        other = strip.take(variance) + _doubt(sky, area)
        both = strip.inside & (own > 0) & (strip.take(variance) > 0)
        apart = (strip.take(model.flux) - sky) / area
        weight = both * area**2 / np.maximum(own + other, np.float32(1e-6))
        drift = _smooth_difference(apart, strip.slit_arcsec, weight)
        share = np.where(both, own / np.maximum(own + other, np.float32(1e-6)), 0)[strip.inside]
        place = strip.index[strip.inside]
        flux.reshape(-1)[place] -= share * ((apart - drift) * area)[strip.inside]
        left.reshape(-1)[place] *= 1 - share
    return replace(model, flux=flux, variance=left)


def _doubt(sky: NDArray, area: NDArray) -> NDArray:
    """Variance of a sky from elsewhere beyond its own: lines drift, and are not where they were."""
    slope = np.gradient(sky / area, axis=0) * area
    return (_DRIFT_LEFT * sky) ** 2 + (_REGISTRATION_PX * slope) ** 2


def _smooth_difference(apart: NDArray, slit_arcsec: NDArray, weight: NDArray) -> NDArray:
    """Level and slope along the slit of a difference, running means along dispersion."""

    def mean(values: NDArray) -> NDArray:
        sums = (weight * values).sum(axis=1, dtype=float)
        return uniform_filter1d(sums, _SMOOTH_PX, mode="constant")[:, None]

    total, first, second = (mean(slit_arcsec**power) for power in range(3))
    level, tilted = mean(apart), mean(apart * slit_arcsec)
    det = np.maximum(total * second - first**2, 1e-30)
    slope = (total * tilted - first * level) / det
    return (second * level - first * tilted) / det + slope * slit_arcsec


def _line_factor(strip: SlitStrip, flux: NDArray, sky: NDArray, good: NDArray[np.bool_]) -> NDArray:
    """Factor on the sky at every pixel along dispersion."""
    seen, expected = (
        medians(at_one_wavelength(strip, plane / strip.area, good)).astype(float)
        for plane in (flux, sky)
    )
    known = np.isfinite(seen) & np.isfinite(expected)
    if known.sum() < 10 * (_SCALE_TERMS + _REST_TERMS):
        return np.ones(len(seen))
    expected = np.where(known, expected, 0.0)
    continuum = percentile_filter(expected, _CONTINUUM_PERCENTILE, _CONTINUUM_PX)
    continuum = uniform_filter1d(continuum, _CONTINUUM_PX)
    lines = expected - continuum
    lines = np.where(lines > _LINE_SIGMA * _noise(expected[known]), lines, 0.0)
    scale = _line_scale(np.where(known, seen, 0.0) - expected, lines, known)
    return 1 + np.divide(lines * scale, expected, out=np.zeros_like(lines), where=expected > 0)


def _line_scale(difference: Array, lines: Array, known: NDArray[np.bool_]) -> Array:
    """Relative change of the lines, robust; what is smooth is left to the object."""
    along = np.linspace(-1, 1, len(lines))
    terms = np.polynomial.legendre.legvander(along, _REST_TERMS - 1)
    design = np.concatenate([lines[:, None] * terms[:, :_SCALE_TERMS], terms], axis=1)
    usual = np.eye(_SCALE_TERMS, design.shape[1]) / _USUAL_DRIFT
    soft, unknown = np.ones(len(lines)), np.zeros(design.shape[1])
    for _ in range(_ROUNDS):
        residual = difference - design @ unknown
        quiet = 1.4826 * np.median(np.abs(residual[known & (lines <= np.median(lines[known]))]))
        sigma = np.hypot(max(quiet, 1e-6), _LEAST_ERROR_SHARE * lines)
        soft = 1 / (1 + (residual / (_CAUCHY * sigma)) ** 2)
        weight = known * np.sqrt(soft) / sigma
        rows = np.concatenate([design * weight[:, None], usual])
        values = np.concatenate([difference * weight, np.zeros(_SCALE_TERMS)])
        unknown = np.linalg.lstsq(rows, values, rcond=1e-10)[0]
    return terms[:, :_SCALE_TERMS] @ unknown[:_SCALE_TERMS]


def _noise(values: Array) -> float:
    """Scatter from pixel to pixel, in the quiet half of a spectrum."""
    return float(1.4826 * np.median(np.abs(np.diff(values, 2))) / np.sqrt(6))
