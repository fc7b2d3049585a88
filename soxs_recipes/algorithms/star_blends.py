"""Blends that pass for one star: what a second star nearby does to the shape of the first.

Two stars closer than their width leave, after the fit of one, the second derivatives of the
profile times the second moments of the pair about its centre. These are linear in the residuals
and tell how far apart the two are along which direction; errors of the profile itself, common to
all stars, are taken out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.algorithms.robust import median
from soxs_recipes.algorithms.star_drawing import ProfileDisc, chunks, place
from soxs_recipes.algorithms.star_equations import Pixels

Array = NDArray[np.float64]

# Directions that are tried.
_ANGLES = np.arange(16) * np.pi / 16
# Share of the stars, the best measured, that tell the error of the profile, and how many it takes.
_BEST_PERCENT, _LEAST_STARS = 50, 5
_RIDGE = 1e-9
# Error of a profile's mean square radius from star to star, FWHM^2: that of 0.3 % in its width.
_SHAPE_ERROR = 1e-3


@dataclass(frozen=True)
class Elongation:
    """How much longer than the profile stars are in the direction in which they are longest.

    Attributes
    ----------
    variance : ndarray, shape (n,)
        Mean square distance of the light from the centre along that direction beyond the
        profile's, px^2.
    angle : ndarray
        Direction, radians from x to y.
    significance : ndarray
        Signal over noise.
    """

    variance: Array
    angle: Array
    significance: Array


def elongation(
    pixels: Pixels,
    x: Array,
    y: Array,
    flux: Array,
    discs: list[tuple[ProfileDisc, NDArray[np.intp]]],
) -> Elongation:
    """Measure the second moments of stars in the residuals of their fit.

    Parameters
    ----------
    pixels : Pixels
        Residuals and weights.
    x, y, flux : ndarray, shape (n,)
        Stars as fitted.
    discs : list of (ProfileDisc, ndarray of int)
        Pixels of which stars.
    """
    count = len(x)
    moments, information = np.zeros((count, 3)), np.zeros((count, 3, 3))
    for disc, members in discs:
        for ours in chunks(members, disc):
            at = place(pixels.residual.shape, x, y, ours, disc)
            weight = pixels.weight.ravel()[at.pixel]
            residual = pixels.residual.ravel()[at.pixel]
            terms = np.stack(disc.derivatives(at.dx, at.dy), axis=1)
            normal = np.einsum("nap,nbp->nab", terms * weight[:, None], terms)
            right = np.einsum("nap,np->na", terms, weight * residual)
            moments[ours], information[ours] = _moments(normal, right)
    fwhm = discs[0][0].profile.fwhm_px if discs else 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        moments, information = moments / flux[:, None], information * flux[:, None, None] ** 2
    return _strongest(moments, information, _SHAPE_ERROR * fwhm**2)


def _moments(normal: Array, right: Array) -> tuple[Array, Array]:
    """Second moments and their inverse covariance, flux and position solved for beside them."""
    scale = 1 / np.sqrt(np.maximum(np.einsum("nii->ni", normal), 1e-30))
    scaled = normal * scale[:, :, None] * scale[:, None, :] + _RIDGE * np.eye(6)
    inverse = np.linalg.inv(scaled) * scale[:, :, None] * scale[:, None, :]
    found = np.einsum("nab,nb->na", inverse, right)[:, 3:]
    return found, np.linalg.inv(inverse[:, 3:, 3:])


def _strongest(moments: Array, information: Array, least_error: float) -> Elongation:
    """Direction in which an elongation is most significant."""
    moments, own = _without_common(moments, information)
    own = np.hypot(own, least_error)
    cosine, sine = np.cos(_ANGLES), np.sin(_ANGLES)
    # Terms are half of xx, half of yy, and xy.
    along = np.stack([cosine**2 / 2, sine**2 / 2, cosine * sine], axis=1)
    size = np.einsum("ta,nab,nb->nt", along, information, moments)
    weight = np.einsum("ta,nab,tb->nt", along, information, along)
    value = size / np.maximum(weight, 1e-30)
    significance = value / np.sqrt(1 / np.maximum(weight, 1e-30) + own**2)
    best = np.argmax(np.where(np.isfinite(significance), significance, -np.inf), axis=1)
    every = np.arange(len(best))
    return Elongation(
        value[every, best], _ANGLES[best], np.nan_to_num(significance[every, best], nan=0.0)
    )


def _without_common(moments: Array, information: Array) -> tuple[Array, float]:
    """Moments without those that all bright stars have, and the scatter of the latter."""
    error = np.sqrt(1 / np.maximum(information[:, 0, 0], 1e-30))
    tells = np.isfinite(moments).all(axis=1) & (error < np.nanpercentile(error, _BEST_PERCENT))
    if tells.sum() < _LEAST_STARS:
        return moments, 0.0
    common = np.array([median(moments[tells, axis]) for axis in range(3)])
    # A blend is only ever longer: the lower half knows nothing of it.
    scatter = float(common[0] - np.percentile(moments[tells, 0], 16))
    typical = float(np.median(error[tells]))
    return moments - common, 2 * float(np.sqrt(max(scatter**2 - typical**2, 0.0)))
