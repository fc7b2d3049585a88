"""Which star of an image is which star of a catalogue: matching of triangles.

Triangles of the brightest stars in the image and in the catalogue are compared by the lengths of
their sides, for the scale is known (Groth 1986; Valdes et al. 1995). Each pair of like triangles
gives a rotation, a shift and perhaps a mirror; the one that brings most stars onto each other
wins, if chance would hardly do as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.special import bdtrc

Array = NDArray[np.float64]
Index = NDArray[np.intp]


@dataclass(frozen=True)
class MatchSettings:
    """What is believed before.

    Attributes
    ----------
    offset_arcsec : float
        Largest error of the pointing.
    rotation_deg : float
        Largest error of the position angle, apart from half turns; 90 for any.
    scale_error : float
        Largest relative error of the scale.
    tolerance_arcsec : float
        Distance within which stars are the same; distortion counts.
    stars : tuple of int
        Brightest stars of the image in triangles, one try after the other.
    chance : float
        Largest number of matches as good as this that chance may be expected to give.
    """

    offset_arcsec: float = 60.0
    rotation_deg: float = 5.0
    scale_error: float = 0.015
    tolerance_arcsec: float = 1.2
    stars: tuple[int, ...] = (12, 20, 30)
    chance: float = 1e-3


@dataclass(frozen=True)
class FieldMatch:
    """A match of an image with a catalogue.

    Attributes
    ----------
    matrix : ndarray, shape (2, 2)
        With `shift`: standard coordinates = matrix @ expected + shift.
    shift : ndarray, shape (2,)
        Arcsec.
    stars, catalogue : ndarray of int
        Indices of the same stars in both lists, each at most once.
    chance : float
        Matches as good that chance is expected to give.
    """

    matrix: Array
    shift: Array
    stars: Index
    catalogue: Index
    chance: float

    def applied(self, points: Array) -> Array:
        """Expected positions brought onto the catalogue."""
        return points @ self.matrix.T + self.shift

    @property
    def is_mirrored(self) -> bool:
        """Whether an axis runs against the expectation."""
        return bool(np.linalg.det(self.matrix) < 0)


def match_field(
    points: Array, catalogue: Array, settings: MatchSettings | None = None
) -> FieldMatch | None:
    """Match the stars of an image with those of a catalogue.

    Parameters
    ----------
    points : ndarray, shape (n, 2)
        Where the stars of the image should stand, arcsec about the expected centre, brightest
        first.
    catalogue : ndarray, shape (m, 2)
        Stars of the catalogue in the same plane, brightest first.
    settings : MatchSettings, optional
        What is believed before.

    Returns
    -------
    FieldMatch or None
        None where no match is beyond chance: with fewer than 3 stars always.
    """
    settings = settings or MatchSettings()
    if min(len(points), len(catalogue)) < 3:
        return None
    area = _area_ratio(points, settings)
    for count in settings.stars:
        ours = points[:count]
        theirs = catalogue[: int(np.ceil(1.3 * area * max(count, 8)))]
        found = _best(ours, theirs, settings)
        if found is not None and found.chance < settings.chance:
            return _all_stars(found, points, catalogue, settings)
        if count >= len(points):
            break
    return None


def _area_ratio(points: Array, settings: MatchSettings) -> float:
    """Area in which the stars of the image may lie over the area that they cover."""
    size = np.maximum(np.ptp(points, axis=0), 30.0)
    return float(np.prod(size + 2 * settings.offset_arcsec) / np.prod(size))


def _best(points: Array, catalogue: Array, settings: MatchSettings) -> FieldMatch | None:
    turns, shifts, mirrored = _hypotheses(points, catalogue, settings)
    if not len(turns):
        return None
    tree = cKDTree(catalogue)
    plane = points[:, 0] + 1j * points[:, 1]
    flipped = -points[:, 0] + 1j * points[:, 1]
    moved = np.where(mirrored[:, None], flipped, plane) * turns[:, None] + shifts[:, None]
    distance, _ = tree.query(
        np.stack([moved.real, moved.imag], axis=-1), distance_upper_bound=settings.tolerance_arcsec
    )
    count = np.isfinite(distance).sum(axis=1)
    spread = np.where(np.isfinite(distance), distance, 0).sum(axis=1) / np.maximum(count, 1)
    first = int(np.lexsort((spread, -count))[0])
    sign = np.array([[-1.0 if mirrored[first] else 1.0, 0], [0, 1.0]])
    turn = np.array(
        [[turns[first].real, -turns[first].imag], [turns[first].imag, turns[first].real]]
    )
    guess = FieldMatch(
        turn @ sign,
        np.array([shifts[first].real, shifts[first].imag]),
        np.empty(0, dtype=int),
        np.empty(0, dtype=int),
        np.inf,
    )
    return _refined(guess, points, catalogue, settings)


def _refined(
    guess: FieldMatch, points: Array, catalogue: Array, settings: MatchSettings
) -> FieldMatch | None:
    """Fit the transformation to all pairs within the tolerance, three times."""
    found = guess
    for _ in range(3):
        stars, theirs = _pairs(found.applied(points), catalogue, settings.tolerance_arcsec)
        if len(stars) < 3:
            return None
        matrix, shift = _similarity(points[stars], catalogue[theirs], found.is_mirrored)
        found = FieldMatch(matrix, shift, stars, theirs, np.inf)
    stars, theirs = _pairs(found.applied(points), catalogue, settings.tolerance_arcsec)
    chance = _chance(len(stars), points, catalogue, settings)
    return FieldMatch(found.matrix, found.shift, stars, theirs, chance)


def _all_stars(
    found: FieldMatch, points: Array, catalogue: Array, settings: MatchSettings
) -> FieldMatch:
    stars, theirs = _pairs(found.applied(points), catalogue, settings.tolerance_arcsec)
    return FieldMatch(found.matrix, found.shift, stars, theirs, found.chance)


def _pairs(points: Array, catalogue: Array, tolerance: float) -> tuple[Index, Index]:
    """Mutual nearest neighbours within a distance."""
    distance, theirs = cKDTree(catalogue).query(points, distance_upper_bound=tolerance)
    _, back = cKDTree(points).query(catalogue)
    near = np.flatnonzero(np.isfinite(distance))
    mutual = near[back[theirs[near]] == near]
    return mutual, theirs[mutual]


def _similarity(points: Array, targets: Array, mirrored: bool) -> tuple[Array, Array]:
    """Rotation, scale, shift and, where asked for, mirror by least squares."""
    sign = np.array([-1.0 if mirrored else 1.0, 1.0])
    source = points * sign
    middle, goal = source.mean(axis=0), targets.mean(axis=0)
    z = (source - middle) @ np.array([1, 1j])
    w = (targets - goal) @ np.array([1, 1j])
    turn = np.vdot(z, w) / max(np.vdot(z, z).real, 1e-9)
    matrix = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
    return matrix * sign, goal - matrix @ middle


def _hypotheses(
    points: Array, catalogue: Array, settings: MatchSettings
) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Turns (complex), shifts (complex) and mirrors that pairs of like triangles suggest."""
    ours, our_sides = _triangles(points)
    theirs, their_sides = _triangles(catalogue)
    if not len(ours) or not len(theirs):
        empty = np.empty(0)
        return empty, empty, empty.astype(bool)
    reach = settings.tolerance_arcsec + settings.scale_error * 60
    near = cKDTree(their_sides).query_ball_point(our_sides, reach)
    sizes = np.array([len(one) for one in near])
    first = np.repeat(np.arange(len(ours)), sizes)
    second = np.concatenate([np.array(one, dtype=int) for one in near]) if sizes.sum() else first
    z = points[ours[first]] @ np.array([1, 1j])
    w = catalogue[theirs[second]] @ np.array([1, 1j])
    mirrored = _orientation(z) != _orientation(w)
    z = np.where(mirrored[:, None], -z.conj(), z)
    z0, w0 = z.mean(axis=1, keepdims=True), w.mean(axis=1, keepdims=True)
    turn = np.sum((z - z0).conj() * (w - w0), axis=1) / np.sum(np.abs(z - z0) ** 2, axis=1)
    shift = w0[:, 0] - turn * z0[:, 0]
    likely = _believable(turn, shift, settings)
    return turn[likely], shift[likely], mirrored[likely]


def _triangles(points: Array) -> tuple[Index, Array]:
    """All triangles: corners opposite to their sides by length, and the lengths."""
    corners = np.array(list(combinations(range(len(points)), 3)), dtype=int).reshape(-1, 3)
    a, b, c = (points[corners[:, i]] for i in range(3))
    sides = np.stack([np.hypot(*(q - p).T) for p, q in ((b, c), (c, a), (a, b))], axis=1)
    order = np.argsort(sides, axis=1)
    corners = np.take_along_axis(corners, order, axis=1)
    return corners, np.take_along_axis(sides, order, axis=1)


def _orientation(corners: NDArray[np.complex128]) -> NDArray[np.bool_]:
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return (first.conj() * second).imag > 0


def _believable(
    turn: NDArray[np.complex128], shift: NDArray[np.complex128], settings: MatchSettings
) -> NDArray[np.bool_]:
    angle = np.degrees(np.angle(turn))
    from_half_turn = np.abs((angle + 90) % 180 - 90)
    return (
        (np.abs(np.abs(turn) - 1) < settings.scale_error)
        & (from_half_turn <= settings.rotation_deg)
        & (np.abs(shift) <= settings.offset_arcsec)
    )


def _chance(matched: int, points: Array, catalogue: Array, settings: MatchSettings) -> float:
    """Matches of that many stars which chance is expected to give among all transformations.

    Transformations count as different if they move stars by more than the tolerance.
    """
    reach = settings.tolerance_arcsec
    size = np.ptp(points, axis=0) + 1.0
    extent = float(np.hypot(*size)) / 2
    shifts = (settings.offset_arcsec / reach) ** 2
    angles = 4 * max(np.radians(2 * settings.rotation_deg) * extent / reach, 1.0)
    scales = max(2 * settings.scale_error * extent / reach, 1.0)
    density = len(catalogue) / np.prod(np.ptp(catalogue, axis=0) + 1.0)
    single = min(float(density * np.pi * reach**2), 1.0)
    return float(shifts * angles * scales * bdtrc(matched - 1, len(points), single))
