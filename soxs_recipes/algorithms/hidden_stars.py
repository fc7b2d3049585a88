"""Stars that others hide: peaks in what a fit leaves, and stars that are two (Stetson 1987)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from soxs_recipes.algorithms.photometry import StarFit, StarFluxes
from soxs_recipes.algorithms.point_spread import PointSpread
from soxs_recipes.algorithms.star_detection import Detections, find_stars

Array = NDArray[np.float64]
Image = NDArray[np.float32]
Mask = NDArray[np.bool_]

# A peak of the residuals is a star above this threshold, the profile's error allowed for; it must
# not stand nearer to another, in FWHM.
_KAPPA, _MODEL_ERROR, _PEAK_FWHM, _BESIDE_FWHM = 5.0, 0.02, 0.5, 1.5
# A star is two if it is so significantly longer than the profile; they stand at most so far apart.
_ELONGATED, _LONGEST_FWHM = 5.0, 1.0
_LEAST_FLUX_SN = 20.0
# New peaks, relative to the stars, from which on stars are looked at one by one.
_FEW = 0.1
# Two stars closer than this are one.
_SAME_FWHM = 0.2
# Stars of less than this many times their error are none after all, unless no other is near.
_LEAST_SN, _NEAR_FWHM = 3.0, 1.0


def believable(stars: StarFluxes, profile: PointSpread, blend_sn: float = _LEAST_SN) -> Mask:
    """Which stars are stars.

    Not those fainter than their errors, save the brightest of a blend that nothing takes apart;
    nor the fainter of two at one place.

    Parameters
    ----------
    stars : StarFluxes
        Fitted stars.
    profile : PointSpread
        Image of a star.
    blend_sn : float
        Least signal over noise of a star near a brighter one.
    """
    position = np.column_stack([stars.x, stars.y])
    reach = _NEAR_FWHM * profile.fwhm_px
    outshone, near = _outshone(position, stars.flux, reach), _has_neighbour(position, reach)
    least = np.where(outshone, blend_sn, np.where(near, 0.0, _LEAST_SN))
    wrong = (stars.flux <= least * stars.flux_error) | (stars.flux <= 0)
    wrong |= _outshone(position, stars.flux, _SAME_FWHM * profile.fwhm_px)
    # One at a time: without the weakest, its neighbour may turn out to be real.
    wrong[wrong] = ~_outshone(position[wrong], -(stars.flux / stars.flux_error)[wrong], reach)
    return ~wrong


def uncovered(
    fit: StarFit, image: Image, noise: Image, mask: Mask, profile: PointSpread
) -> tuple[Array, Array, Array, int]:
    """Positions and fluxes of the stars of a fit and of those it has laid bare.

    Parameters
    ----------
    fit : StarFit
        A fit.
    image, noise : ndarray
        What was fitted, and the variance of the background.
    mask : ndarray of bool
        Pixels to leave out.
    profile : PointSpread
        Image of a star.

    Returns
    -------
    x, y, flux : ndarray
        All stars.
    int
        How many are new.
    """
    light = np.maximum(fit.model, 0)
    variance = noise + light + (_MODEL_ERROR * light) ** 2
    found = find_stars(image - fit.model, variance, mask, profile.fwhm_px, _KAPPA)
    stars = fit.stars
    real = believable(stars, profile)
    if len(found) and real.any():
        found = found.chosen(_new(found, stars.chosen(real), profile.fwhm_px))
    # Neighbours that are not known yet make stars long.
    few = len(found) < _FEW * len(stars)
    two = real & _is_two(fit, mask) & few
    ours = stars.chosen(real & ~two)
    halves = _halves(fit, two, _LONGEST_FWHM * profile.fwhm_px)
    columns = (
        (ours.x, found.x, halves[0]),
        (ours.y, found.y, halves[1]),
        (ours.flux, found.flux, halves[2]),
    )
    x, y, flux = (np.concatenate(parts) for parts in columns)
    return x, y, flux, len(found) + int(two.sum())


def _new(found: Detections, stars: StarFluxes, fwhm_px: float) -> Mask:
    """Which peaks are no star's own; of those beside one star, the brightest.

    A blend that was fitted as one star leaves a peak at both of its ends.
    """
    tree = cKDTree(np.column_stack([stars.x, stars.y]))
    distance, beside = tree.query(np.column_stack([found.x, found.y]))
    new = distance > _PEAK_FWHM * fwhm_px
    near = np.flatnonzero(new & (distance < _BESIDE_FWHM * fwhm_px))
    _, first = np.unique(beside[near], return_index=True)
    new[np.delete(near, first)] = False
    return new


def _is_two(fit: StarFit, mask: Mask) -> Mask:
    """Which stars are longer than a star, the full and the cut ones left out."""
    stars = fit.stars
    row = np.clip(np.rint(stars.y).astype(int), 0, mask.shape[0] - 1)
    column = np.clip(np.rint(stars.x).astype(int), 0, mask.shape[1] - 1)
    whole = (stars.usable > 0.9) & ~mask[row, column]
    bright = stars.flux > _LEAST_FLUX_SN * stars.flux_error
    return whole & bright & (fit.elongation.significance > _ELONGATED)


def _halves(fit: StarFit, two: Mask, longest_px: float) -> tuple[Array, Array, Array]:
    """Two equal stars in place of each that is two."""
    away = np.sqrt(np.maximum(fit.elongation.variance[two], 0))
    away = np.minimum(away, longest_px / 2)
    dx = away * np.cos(fit.elongation.angle[two])
    dy = away * np.sin(fit.elongation.angle[two])
    x, y, flux = fit.stars.x[two], fit.stars.y[two], fit.stars.flux[two] / 2
    both = (np.concatenate([x - dx, x + dx]), np.concatenate([y - dy, y + dy]))
    return (*both, np.concatenate([flux, flux]))


def _pairs(position: Array, reach_px: float) -> NDArray[np.intp]:
    return cKDTree(position).query_pairs(reach_px, output_type="ndarray")


def _has_neighbour(position: Array, reach_px: float) -> Mask:
    near = np.zeros(len(position), dtype=bool)
    near[_pairs(position, reach_px).ravel()] = True
    return near


def _outshone(position: Array, flux: Array, reach_px: float) -> Mask:
    """Which stars have a brighter one near."""
    fainter = np.zeros(len(position), dtype=bool)
    one, other = _pairs(position, reach_px).T
    fainter[np.where(flux[one] < flux[other], one, other)] = True
    return fainter
