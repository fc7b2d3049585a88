"""Fluxes in apertures, and of a star of known position."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.algorithms.photometry import StarFluxes
from soxs_recipes.algorithms.point_spread import PointSpread

Array = NDArray[np.float64]
Image = NDArray[np.float32]
Mask = NDArray[np.bool_]

# Half size of the square of a star of known position, px.
_HALF_PX = 30


def forced_flux(
    residual: Image, variance: Image, good: Mask, x: float, y: float, profile: PointSpread
) -> tuple[float, float]:
    """Flux and error of a star of known position in an image without stars; NaN off the image."""
    column, row = round(x), round(y)
    left, low = max(column - _HALF_PX, 0), max(row - _HALF_PX, 0)
    part = np.s_[low : max(row + _HALF_PX + 1, 0), left : max(column + _HALF_PX + 1, 0)]
    data = residual[part]
    if not data.size:
        return float("nan"), float("nan")
    dx = np.arange(left, left + data.shape[1]) - x
    dy = np.arange(low, low + data.shape[0]) - y
    light = profile.light(dx[None, :], dy[:, None])
    weight = np.where(good[part], 1 / variance[part].astype(float), 0)
    total = float(np.sum(weight * light**2))
    if not total > 0:
        return float("nan"), float("nan")
    return float(np.sum(np.where(good[part], weight * light * data, 0)) / total), total**-0.5


def aperture_fluxes(
    residual: Image,
    variance: Image,
    good: Mask,
    stars: StarFluxes,
    profile: PointSpread,
    radius_px: float,
) -> tuple[Array, Array]:
    """Total fluxes from round apertures, neighbours removed, and their standard errors.

    Parameters
    ----------
    residual : ndarray
        Image without any star: what it leaves in the aperture is added to the fitted flux.
    variance, good : ndarray
        As for `fit_stars`.
    stars : StarFluxes
        Fitted stars.
    profile : PointSpread
        Image of a star; corrects for the light outside the aperture.
    radius_px : float
        Radius of the apertures.
    """
    import sep

    data = np.ascontiguousarray(np.where(good, residual, 0), dtype=np.float32)
    noise = np.ascontiguousarray(np.sqrt(variance), dtype=np.float32)
    left, error, _ = sep.sum_circle(
        data, stars.x, stars.y, radius_px, err=noise, mask=~good, subpix=5
    )
    share = profile.within(radius_px)
    photons = np.maximum(stars.flux, 0) * share
    return stars.flux + left / share, np.sqrt(error**2 + photons) / share
