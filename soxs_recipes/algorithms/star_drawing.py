"""Images of many stars at once: the profile as a polynomial in the star's offset from a pixel.

A star's light in the pixels around it is a smooth function of where in a pixel its centre lies. A
polynomial per pixel of a disc, found once for a profile, makes the drawing of any number of
stars one product of matrices.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.algorithms.point_spread import PointSpread

Array = NDArray[np.float64]
Stamp = NDArray[np.float32]
Index = NDArray[np.intp]

# Degree of the polynomials and shifts per axis that they are fitted to: right to some 1e-5 of the
# peak for a star of 2 px.
_DEGREE, _SHIFTS = 8, 9
# Values that are drawn in one go.
_CHUNK = 1_500_000
# So few stars are drawn from the profile itself.
_FEW = 30

PAD_PX = 72
"""Margin of a padded image: discs of stars up to the edge lie inside."""


@dataclass(frozen=True)
class ProfileDisc:
    """A profile on the pixels within a radius.

    Attributes
    ----------
    profile : PointSpread
        Image of a star.
    radius : int
        Radius, px.
    """

    profile: PointSpread
    radius: int

    @cached_property
    def offsets(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Offsets of the pixels' rows and columns from the middle."""
        side = np.arange(-self.radius, self.radius + 1, dtype=np.int32)
        row, column = (grid.ravel() for grid in np.meshgrid(side, side, indexing="ij"))
        inside = row**2 + column**2 <= (self.radius + 0.5) ** 2
        return row[inside], column[inside]

    def light(self, dx: Array, dy: Array) -> Stamp:
        """Light of stars at offsets from the middle, at most half a pixel; shape (n, pixels)."""
        if len(dx) <= _FEW:
            return self._exact(dx, dy).astype(np.float32)
        x, y = _powers(dx), _powers(dy)
        return self._product(x, y)

    def slopes(self, dx: Array, dy: Array) -> tuple[Stamp, Stamp]:
        """Change of the light when stars move along x and along y."""
        x, y = _powers(dx), _powers(dy)
        return self._product(_slopes(x), y), self._product(x, _slopes(y))

    def derivatives(self, dx: Array, dy: Array) -> tuple[Stamp, ...]:
        """Light, its slopes along x and y, and its second derivatives xx, yy and xy."""
        x, y = _powers(dx), _powers(dy)
        slope_x, slope_y = _slopes(x), _slopes(y)
        return (
            self._product(x, y),
            self._product(slope_x, y),
            self._product(x, slope_y),
            self._product(_slopes(slope_x), y),
            self._product(x, _slopes(slope_y)),
            self._product(slope_x, slope_y),
        )

    def _product(self, x: Array, y: Array) -> Stamp:
        along_x, along_y = _exponents()
        return (x[:, along_x] * y[:, along_y]).astype(np.float32) @ self._polynomials

    def _exact(self, dx: Array, dy: Array) -> Array:
        row, column = self.offsets
        return self.profile.light(column - dx[:, None], row - dy[:, None])

    @cached_property
    def _polynomials(self) -> Stamp:
        """Coefficients of the pixels, shape (terms, pixels)."""
        nodes = 0.5 * np.cos(np.pi * (np.arange(_SHIFTS) + 0.5) / _SHIFTS)
        dx, dy = (shift.ravel() for shift in np.meshgrid(nodes, nodes))
        along_x, along_y = _exponents()
        design = _powers(dx)[:, along_x] * _powers(dy)[:, along_y]
        return (np.linalg.pinv(design) @ self._exact(dx, dy)).astype(np.float32)


@lru_cache(maxsize=12)
def disc_of(profile: PointSpread, radius: int) -> ProfileDisc:
    """Disc of a profile, whose polynomials are kept from one drawing to the next."""
    return ProfileDisc(profile, radius)


@dataclass(frozen=True)
class Placed:
    """Where discs of stars lie in a padded image.

    Attributes
    ----------
    stars : ndarray of int, shape (n,)
        Which stars.
    pixel : ndarray of int32, shape (n, pixels)
        Flat index in the padded image.
    dx, dy : ndarray, shape (n,)
        Offset of the star from the middle of its disc.
    """

    stars: Index
    pixel: NDArray[np.int32]
    dx: Array
    dy: Array


def padded(image: NDArray) -> Array:
    """Image with a margin of zeros."""
    return np.pad(image.astype(float), PAD_PX)


def unpadded(image: NDArray) -> NDArray:
    """Image without its margin."""
    return image[PAD_PX:-PAD_PX, PAD_PX:-PAD_PX]


def place(shape: tuple[int, int], x: Array, y: Array, stars: Index, disc: ProfileDisc) -> Placed:
    """Place discs about stars; those further than the margin from the image are moved to it.

    Parameters
    ----------
    shape : tuple of int
        Shape of the padded image.
    x, y : ndarray
        Positions of all stars in the image without margin.
    stars : ndarray of int
        Which of them.
    disc : ProfileDisc
        Pixels about a star.
    """
    (ny, nx), edge = shape, disc.radius
    column = np.clip(np.rint(x[stars]).astype(int) + PAD_PX, edge, nx - 1 - edge)
    row = np.clip(np.rint(y[stars]).astype(int) + PAD_PX, edge, ny - 1 - edge)
    along_y, along_x = disc.offsets
    pixel = (row * nx + column).astype(np.int32)[:, None] + (along_y * np.int32(nx) + along_x)
    dx, dy = x[stars] - (column - PAD_PX), y[stars] - (row - PAD_PX)
    return Placed(stars, pixel, np.clip(dx, -0.5, 0.5), np.clip(dy, -0.5, 0.5))


def draw_stars(
    shape: tuple[int, int],
    x: Array,
    y: Array,
    flux: Array,
    radii: NDArray[np.intp],
    profile: PointSpread,
) -> Array:
    """Draw stars into a padded image.

    Parameters
    ----------
    shape : tuple of int
        Shape of the padded image.
    x, y, flux : ndarray, shape (n,)
        Stars.
    radii : ndarray of int
        Radius to which each star is drawn.
    profile : PointSpread
        Image of a star.
    """
    total = np.zeros(shape[0] * shape[1])
    for radius in np.unique(radii):
        disc = disc_of(profile, int(radius))
        for ours in chunks(np.flatnonzero(radii == radius), disc):
            at = place(shape, x, y, ours, disc)
            light = disc.light(at.dx, at.dy) * flux[ours].astype(np.float32)[:, None]
            total += np.bincount(at.pixel.ravel(), light.ravel(), total.size)
    return total.reshape(shape)


def chunks(stars: Index, disc: ProfileDisc) -> Iterator[Index]:
    """Parts of stars whose pixels fit into memory together."""
    step = max(_CHUNK // len(disc.offsets[0]), 1)
    for start in range(0, len(stars), step):
        yield stars[start : start + step]


def _exponents() -> tuple[Index, Index]:
    x, y = np.mgrid[: _DEGREE + 1, : _DEGREE + 1]
    chosen = x + y <= _DEGREE
    return x[chosen], y[chosen]


def _powers(shift: Array) -> Array:
    """Powers of twice the shift, so that its range is -1 to 1."""
    return (2 * np.asarray(shift, dtype=float))[:, None] ** np.arange(_DEGREE + 1)


def _slopes(powers: Array) -> Array:
    """Derivatives of sums of powers, from those of lower degree in the row."""
    slopes = np.zeros_like(powers)
    slopes[:, 1:] = 2 * np.arange(1, _DEGREE + 1) * powers[:, :-1]
    return slopes
