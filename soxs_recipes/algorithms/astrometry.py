"""The plate of an image: its stars matched with a catalogue, and the fit to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from soxs_recipes.algorithms.astrometry_fit import Plate, PlateFit, corrected_plate, fit_plate
from soxs_recipes.algorithms.astrometry_match import MatchSettings, match_field
from soxs_recipes.algorithms.photometry import StarFluxes
from soxs_recipes.algorithms.star_flags import UNFIT, StarFlag
from soxs_recipes.algorithms.tangent_plane import to_plane

Array = NDArray[np.float64]
Index = NDArray[np.intp]

# Errors per axis that no fit knows of: of the catalogue, of the image in px.
_CATALOGUE_ERROR_ARCSEC, _IMAGE_ERROR_PX = 0.008, 0.02
# Distance within which stars are the same before the distortion is known, and after.
_WIDE_ARCSEC, _NEAR_ARCSEC = 1.2, 0.5
# Saturated stars have no good position; they are used where there are few others.
_FEW = 6


@dataclass(frozen=True)
class FieldSolution:
    """Where an image points.

    Attributes
    ----------
    plate : Plate
        Pixels to the sky; as expected from the header if nothing matched.
    fit : PlateFit or None
        The fit; None if nothing matched.
    stars, catalogue : ndarray of int
        Indices of the stars of the image and of the catalogue that are the same.
    fitted : ndarray of int
        Those of the image that the plate rests on.
    chance : float
        Matches as good that chance is expected to give.
    """

    plate: Plate
    fit: PlateFit | None
    stars: Index
    catalogue: Index
    fitted: Index
    chance: float = float("nan")

    @property
    def is_solved(self) -> bool:
        """Whether the stars were matched."""
        return self.fit is not None


def solve_field(
    stars: StarFluxes,
    flags: NDArray[np.int_],
    expected: Plate,
    ra_deg: Array,
    dec_deg: Array,
    magnitude: Array,
    settings: MatchSettings | None = None,
) -> FieldSolution:
    """Find the plate of an image.

    Parameters
    ----------
    stars : StarFluxes
        Stars of the image, brightest first.
    flags : ndarray of int
        `StarFlag` of each.
    expected : Plate
        Plate by the header.
    ra_deg, dec_deg, magnitude : ndarray
        Stars of the catalogue at the time of the image; magnitudes order them by brightness.
    settings : MatchSettings, optional
        What is believed of the header.
    """
    # In the frame of the detector a wrong axis is a mirror without a turn.
    turn = expected.matrix / expected.scale_arcsec
    plane = np.column_stack(to_plane(ra_deg, dec_deg, expected.ra_deg, expected.dec_deg))
    goal = plane @ np.linalg.inv(turn).T
    order = np.argsort(np.where(np.isfinite(magnitude), magnitude, np.inf), kind="stable")
    seen = np.flatnonzero((flags & (StarFlag.NOT_SEEN | StarFlag.POOR_FIT)) == 0)
    pixels = np.column_stack([stars.x[seen], stars.y[seen]]) - expected.reference_px
    found = match_field(pixels * expected.scale_arcsec, goal[order], settings)
    if found is None:
        none = np.empty(0, dtype=int)
        return FieldSolution(expected, None, none, none, none)
    matrix = turn @ found.matrix @ np.linalg.inv(turn)
    plate = corrected_plate(expected, matrix, turn @ found.shift)
    ours, theirs = _same(plate, stars, ra_deg, dec_deg, _WIDE_ARCSEC)
    fit, used = _fit(plate, stars, flags, ra_deg, dec_deg, ours, theirs)
    ours, theirs = _same(fit.plate, stars, ra_deg, dec_deg, _NEAR_ARCSEC)
    if len(ours) < 3:
        ours, theirs = _same(fit.plate, stars, ra_deg, dec_deg, _WIDE_ARCSEC)
    fit, used = _fit(fit.plate, stars, flags, ra_deg, dec_deg, ours, theirs)
    return FieldSolution(fit.plate, fit, ours, theirs, used[fit.used], found.chance)


def _same(
    plate: Plate, stars: StarFluxes, ra: Array, dec: Array, reach_arcsec: float
) -> tuple[Index, Index]:
    """Stars of image and catalogue that are each other's nearest within a distance."""
    goal = np.column_stack(to_plane(ra, dec, plate.ra_deg, plate.dec_deg))
    points = np.column_stack(plate.plane(stars.x, stars.y))
    distance, theirs = cKDTree(goal).query(points, distance_upper_bound=reach_arcsec)
    _, back = cKDTree(points).query(goal)
    near = np.flatnonzero(np.isfinite(distance))
    ours = near[back[theirs[near]] == near]
    return ours, theirs[ours]


def _fit(
    plate: Plate,
    stars: StarFluxes,
    flags: NDArray[np.int_],
    ra: Array,
    dec: Array,
    ours: Index,
    theirs: Index,
) -> tuple[PlateFit, Index]:
    """Fit to the stars that are fit for it; return these too."""
    fit = (flags[ours] & int(UNFIT)) == 0
    if fit.sum() < _FEW:
        fit = np.ones(len(ours), dtype=bool)
    ours, theirs = ours[fit], theirs[fit]
    centre = np.hypot(stars.x_error[ours], stars.y_error[ours]) / np.sqrt(2)
    full = (flags[ours] & int(StarFlag.SATURATED)) > 0
    centre = np.hypot(centre, np.where(full, 1.0, _IMAGE_ERROR_PX))
    error = np.hypot(centre * plate.scale_arcsec, _CATALOGUE_ERROR_ARCSEC)
    return fit_plate(stars.x[ours], stars.y[ours], ra[theirs], dec[theirs], error, plate), ours
