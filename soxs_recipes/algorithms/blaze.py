"""Smooth light of a slit flat: blaze along each order times illumination along the slit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solveh_banded
from scipy.ndimage import binary_dilation, median_filter
from scipy.sparse import csr_array, diags_array

from soxs_recipes.algorithms.blaze_splines import TERMS, cubic_splines

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Powers of the slit position: a tilted slit image shifts the blaze along dispersion.
_POWERS = 3
# Fine bins per pixel across dispersion in which the slit's illumination is collected.
_FINE = 6
# A pixel off the model by this much, in sigma with the given scatter of the response, is left out.
_OUTLIER_KAPPA, _RESPONSE_SCATTER = 5.0, 0.01
# Before any fit, pixels may depart from the median along the slit by this share.
_WILD_SHARE = 0.3
# An emission line of a lamp stands out from this many px of continuum, by share and sigma.
_LINE_BOX_PX, _LINE_SHARE, _LINE_KAPPA, _LINE_WING_PX = 65, 0.06, 8.0, 12
_LINE_QUANTILE = 0.75
_RIDGE = 1e-9


@dataclass(frozen=True)
class OrderLight:
    """The pixels of one order of a slit flat, arrays of shape (length, width).

    Attributes
    ----------
    value : ndarray
        Signal without scattered light.
    slit : ndarray
        Position along the slit: -1 at the lower edge, +1 at the upper.
    good : ndarray of bool
        Pixels to use: inside the slit's plateau and not bad.
    sd : ndarray, shape (length,)
        Typical standard deviation of a pixel at each place along dispersion.
    half_px : float
        Half the length of the slit's image.
    """

    value: NDArray
    slit: Array
    good: Mask
    sd: Array
    half_px: float


@dataclass(frozen=True)
class Illumination:
    """Fitted light of one order.

    Attributes
    ----------
    light : ndarray, shape (length, width)
        Expected signal of a pixel of average response.
    blaze, blaze_error : ndarray, shape (length,)
        Signal at the slit centre, averaged over the slit's illumination, and standard error.
    usable : ndarray of bool, shape (length,)
        Where there is continuum to fit.
    """

    light: Array
    blaze: Array
    blaze_error: Array
    usable: Mask


def fit_illumination(light: OrderLight, knot_px: float, rounds: int = 2) -> Illumination:
    """Fit blaze times slit illumination to the pixels of one order.

    The blaze is a cubic spline along dispersion whose value may change along the slit like a
    parabola: the slit's image is tilted, and steep ends of a band would else leave their mark.
    The illumination along the slit is a cubic spline of about a knot per pixel, the same all along
    the order, so that the roughness of the slit's jaws is told from the response of pixels.
    Both are fitted in turn by least squares; dead pixels and the like are left out.

    Parameters
    ----------
    light : OrderLight
        Pixels.
    knot_px : float
        Distance of the knots of the blaze, px.
    rounds : int
        Turns of both fits.
    """
    level = column_quantile(light.value, light.good)
    # A tilted line covers only part of the slit at any one place.
    usable = _continuum(light, column_quantile(light.value, light.good, _LINE_QUANTILE))
    good = light.good & usable[:, None] & _near_level(light, level)
    powers = _powers(light.slit)
    illumination = np.ones(light.value.shape)
    for turn in range(rounds):
        fit = _fit_blaze(light, good, illumination, powers, knot_px)
        if turn == 0:
            good = good & _inliers(light, fit.surface(powers) * illumination)
            fit = _fit_blaze(light, good, illumination, powers, knot_px)
        illumination = _fit_slit(light, good, fit.surface(powers))
    fit = _fit_blaze(light, good, illumination, powers, knot_px)
    blaze, error = fit.at_centre()
    return Illumination(fit.surface(powers) * illumination, blaze, error, usable)


def column_quantile(value: NDArray, good: Mask, share: float = 0.5) -> Array:
    """Quantile of the good pixels at each place along dispersion; 0 where there are none."""
    ordered = np.sort(np.where(good, value, np.inf), axis=1)
    count = good.sum(axis=1)
    index = (np.maximum(count - 1, 0) * share).astype(np.intp)
    return np.where(count > 0, ordered[np.arange(len(ordered)), index], 0.0)


def _near_level(light: OrderLight, level: Array) -> Mask:
    """Pixels that are not wildly off: none may draw the first fit away from the others."""
    limit = _OUTLIER_KAPPA * light.sd + _WILD_SHARE * np.abs(level)
    return np.abs(light.value - level[:, None]) < limit[:, None]


def _continuum(light: OrderLight, level: Array) -> Mask:
    """Places along dispersion without emission lines of the lamp."""
    count = light.good.sum(axis=1)
    smooth = median_filter(level, _LINE_BOX_PX, mode="nearest")
    noise = light.sd / np.sqrt(np.maximum(count, 1))
    line = level - smooth > _LINE_SHARE * np.abs(smooth) + _LINE_KAPPA * noise
    return ~binary_dilation(line, iterations=_LINE_WING_PX) if line.any() else ~line


def _powers(slit: Array) -> list[Array]:
    """Powers of the slit position, up to those of the normal equations."""
    powers = [np.ones_like(slit)]
    for _ in range(2 * _POWERS - 2):
        powers.append(powers[-1] * slit)
    return powers


@dataclass(frozen=True)
class _BlazeFit:
    """Spline coefficients of the blaze: design (length, knots), coef and covariance."""

    design: csr_array
    coef: Array
    covariance: Array

    def surface(self, powers: list[Array]) -> Array:
        along = self.design @ self.coef
        surface = along[:, 2, None] * powers[2]
        surface += along[:, 1, None] * powers[1]
        surface += along[:, 0, None]
        return surface

    def at_centre(self) -> tuple[Array, Array]:
        variance = self.design.multiply(self.design @ self.covariance).sum(axis=1)
        return self.design @ self.coef[:, 0], np.sqrt(np.maximum(variance, 0.0))


def _fit_blaze(
    light: OrderLight, good: Mask, illumination: Array, powers: list[Array], knot_px: float
) -> _BlazeFit:
    """Least squares for the spline along dispersion, given the illumination of the slit."""
    design = cubic_splines(np.arange(len(light.value)), len(light.value) - 1, knot_px)
    across = design.T.tocsr()
    known = np.where(good, illumination, 0.0)
    squared, product = known * known, known * light.value
    weight = 1 / np.square(light.sd)
    moments = [_row_dot(squared, power) * weight for power in powers]
    right = [_row_dot(product, power) * weight for power in powers[:_POWERS]]
    products = [across @ (diags_array(moment) @ design) for moment in moments]
    knots = design.shape[1]
    wanted = np.zeros((knots, _POWERS, knots + 1))
    wanted[:, :, 0] = np.stack([across @ part for part in right], axis=1)
    wanted[np.arange(knots), 0, np.arange(knots) + 1] = 1.0
    solved = solveh_banded(_banded(products), wanted.reshape(-1, knots + 1), lower=True)
    solved = solved.reshape(wanted.shape)
    return _BlazeFit(design, solved[:, :, 0], solved[:, 0, 1:])


def _banded(products: list[csr_array]) -> Array:
    """Normal equations as the lower bands of a matrix, the powers of one knot side by side."""
    knots = products[0].shape[0]
    bands = np.zeros((TERMS * _POWERS, knots * _POWERS))
    for below in range(TERMS):
        diagonals = [product.diagonal(-below) for product in products]
        for p in range(_POWERS):
            for q in range(_POWERS):
                band = _POWERS * below + p - q
                if band >= 0:
                    bands[band, q : q + _POWERS * (knots - below) : _POWERS] = diagonals[p + q]
    bands[0] += _RIDGE * bands[0].max() or 1.0
    return bands


def _row_dot(left: Array, right: Array) -> Array:
    return np.einsum("xv,xv->x", left, right)


def _inliers(light: OrderLight, model: Array) -> Mask:
    noise = np.hypot(light.sd[:, None], _RESPONSE_SCATTER * model)
    return np.abs(light.value - model) < _OUTLIER_KAPPA * noise


def _fit_slit(light: OrderLight, good: Mask, surface: Array) -> Array:
    """Illumination along the slit, mean 1, at every pixel."""
    cells = max(int(2 * light.half_px * _FINE), _FINE)
    place = np.clip((light.slit + 1) / 2, 0, 1 - 1e-9) * cells
    index = place.astype(np.intp).ravel()
    weight = np.where(good & (surface > 0), surface / np.square(light.sd)[:, None], 0.0)
    total = np.bincount(index, (weight * surface).ravel(), cells)
    mean = np.bincount(index, (weight * light.value).ravel(), cells) / np.maximum(total, 1e-30)
    filled = total > 1e-6 * total.max()
    if filled.sum() < _FINE:
        return np.ones(light.slit.shape)
    design = cubic_splines(np.arange(cells) + 0.5, cells, _FINE).toarray()
    part, weight = design[filled], total[filled]
    normal = part.T @ (weight[:, None] * part)
    # Where no pixel lies the table is carried on flat.
    steps = np.diff(np.eye(design.shape[1]), axis=0)
    normal += 1e-8 * np.trace(normal) * (steps.T @ steps)
    coef = np.linalg.solve(normal, part.T @ (weight * mean[filled]))
    table = design @ coef / np.average(part @ coef, weights=weight)
    return np.interp(place, np.arange(cells) + 0.5, table)
