"""From pixels to the sky: tangent projection with distortion, fitted to matched stars."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from soxs_recipes.algorithms.robust import mad_sd
from soxs_recipes.algorithms.tangent_plane import from_plane, to_plane

Array = NDArray[np.float64]

# Lengths in which the fit is done, and size of the distortion expected of such a camera: share of
# the distance by which a star at that radius is off, radial and tangential.
_UNIT_PX = 512.0
_RADIAL_PRIOR, _TANGENTIAL_PRIOR = 3e-3, 3e-4
_SCALE_PRIOR = 5e-3
# Stars from which a model with more terms is taken.
_AFFINE_STARS, _CUBIC_STARS = 12, 30
_CUBIC_POWERS = tuple((p, q) for n in range(4) for p in range(n, -1, -1) for q in (n - p,))


@dataclass(frozen=True)
class Plate:
    """Pixels to the sky, as FITS headers express it (TAN-SIP; Shupe et al. 2005).

    Attributes
    ----------
    ra_deg, dec_deg : float
        Where the plane touches the sky.
    reference_px : tuple of float
        0-based pixel (x, y) of that point.
    matrix : ndarray, shape (2, 2)
        Arcsec to the east and north per pixel of x and y.
    distortion_x, distortion_y : ndarray, shape (4, 4)
        Coefficients of u^p v^q (p first index) in px that are added to u and v, the offsets from
        the reference pixel; zero where p + q is below 2 or above 3.
    """

    ra_deg: float
    dec_deg: float
    reference_px: tuple[float, float]
    matrix: Array
    distortion_x: Array
    distortion_y: Array

    def plane(self, x: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
        """Standard coordinates, arcsec, of 0-based pixels."""
        u = np.asarray(x, dtype=float) - self.reference_px[0]
        v = np.asarray(y, dtype=float) - self.reference_px[1]
        along = u + np.polynomial.polynomial.polyval2d(u, v, self.distortion_x)
        across = v + np.polynomial.polynomial.polyval2d(u, v, self.distortion_y)
        xi, eta = np.tensordot(self.matrix, np.stack([along, across]), axes=1)
        return xi, eta

    def sky(self, x: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
        """Right ascension and declination, degrees, of 0-based pixels."""
        return from_plane(*self.plane(x, y), self.ra_deg, self.dec_deg)

    def pixel(self, ra_deg: ArrayLike, dec_deg: ArrayLike) -> tuple[Array, Array]:
        """0-based pixels of positions in degrees, by fixed-point iteration."""
        goal = np.stack(to_plane(ra_deg, dec_deg, self.ra_deg, self.dec_deg))
        straight = np.tensordot(np.linalg.inv(self.matrix), goal, axes=1)
        u, v = straight
        for _ in range(8):
            u, v = (
                straight[0] - np.polynomial.polynomial.polyval2d(u, v, self.distortion_x),
                straight[1] - np.polynomial.polynomial.polyval2d(u, v, self.distortion_y),
            )
        return u + self.reference_px[0], v + self.reference_px[1]

    @property
    def scale_arcsec(self) -> float:
        """Mean size of a pixel at the reference pixel."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix))))

    @property
    def position_angle_deg(self) -> float:
        """Angle of the y axis from north through east."""
        return float(np.degrees(np.arctan2(self.matrix[0, 1], self.matrix[1, 1])))

    @property
    def is_distorted(self) -> bool:
        """Whether the plate has terms beyond the linear ones."""
        return bool(np.any(self.distortion_x) or np.any(self.distortion_y))


@dataclass(frozen=True)
class PlateFit:
    """A plate and how well it fits.

    Attributes
    ----------
    plate : Plate
        The solution.
    used : ndarray of bool
        Stars that were not rejected.
    residual_arcsec : ndarray, shape (n, 2)
        Catalogue minus image, to the east and north.
    """

    plate: Plate
    used: NDArray[np.bool_]
    residual_arcsec: Array

    @property
    def rms_arcsec(self) -> float:
        """Root mean square of the residuals per axis of the stars used."""
        return float(np.sqrt(np.mean(self.residual_arcsec[self.used] ** 2)))


def nominal_plate(
    ra_deg: float,
    dec_deg: float,
    position_angle_deg: float,
    scale_arcsec: float,
    reference_px: tuple[float, float],
) -> Plate:
    """Plate without distortion; east is 90 degrees anticlockwise from north."""
    angle = np.radians(position_angle_deg)
    matrix = scale_arcsec * np.array(
        [[-np.cos(angle), np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    )
    none = np.zeros((4, 4))
    return Plate(ra_deg, dec_deg, reference_px, matrix, none, none)


def corrected_plate(plate: Plate, matrix: Array, shift: Array) -> Plate:
    """Plate after standard coordinates were found to be ``matrix @ expected + shift``."""
    ra, dec = from_plane(shift[0], shift[1], plate.ra_deg, plate.dec_deg)
    return replace(plate, ra_deg=float(ra), dec_deg=float(dec), matrix=matrix @ plate.matrix)


def fit_plate(
    x: Array,
    y: Array,
    ra_deg: Array,
    dec_deg: Array,
    error_arcsec: Array,
    start: Plate,
    kappa: float = 3.5,
) -> PlateFit:
    """Fit a plate to stars; outliers are rejected.

    With few stars the plate is a similarity with radial distortion, held near what such a camera
    has; from 12 stars the linear part is free, from 30 all terms to the third order.

    Parameters
    ----------
    x, y : ndarray, shape (n,)
        0-based pixels; three stars or more.
    ra_deg, dec_deg : ndarray
        Positions in the catalogue at the time of the image.
    error_arcsec : ndarray
        Standard error of each, image and catalogue together, per axis.
    start : Plate
        Within a few arcsec of the solution.
    kappa : float
        Stars with larger residuals, in robust standard deviations, are left out.
    """
    used = np.ones(len(x), dtype=bool)
    plate = start
    for _ in range(6):
        plate = _fitted(x, y, ra_deg, dec_deg, error_arcsec, plate, used)
        plate = _fitted(x, y, ra_deg, dec_deg, error_arcsec, plate, used)
        residual = _residual(plate, x, y, ra_deg, dec_deg)
        size = np.abs(residual).max(axis=1) / error_arcsec
        scale = max(float(mad_sd((residual / error_arcsec[:, None])[used])), 1.0)
        keep = size < kappa * scale
        if keep.sum() < 3 or np.array_equal(keep, used):
            break
        used = keep
    return PlateFit(plate, used, _residual(plate, x, y, ra_deg, dec_deg))


def _residual(plate: Plate, x: Array, y: Array, ra: Array, dec: Array) -> Array:
    goal = np.stack(to_plane(ra, dec, plate.ra_deg, plate.dec_deg), axis=1)
    return goal - np.stack(plate.plane(x, y), axis=1)


def _fitted(
    x: Array, y: Array, ra: Array, dec: Array, error: Array, plate: Plate, used: NDArray[np.bool_]
) -> Plate:
    """One fit; the plane is then moved to touch the sky at the reference pixel."""
    u = (x[used] - plate.reference_px[0]) / _UNIT_PX
    v = (y[used] - plate.reference_px[1]) / _UNIT_PX
    goal = np.stack(to_plane(ra[used], dec[used], plate.ra_deg, plate.dec_deg))
    goal = np.tensordot(np.linalg.inv(plate.matrix), goal, axes=1) / _UNIT_PX
    weight = plate.scale_arcsec * _UNIT_PX / error[used]
    count = int(used.sum())
    if count >= _CUBIC_STARS:
        terms = _polynomial(u, v, goal, weight)
    else:
        terms = _radial(u, v, goal, weight, count >= _AFFINE_STARS)
    return _as_plate(plate, *terms)


def _polynomial(u: Array, v: Array, goal: Array, weight: Array) -> tuple[Array, Array]:
    """All terms to the third order, in units of `_UNIT_PX`."""
    basis = np.stack([u**p * v**q for p, q in _CUBIC_POWERS], axis=1)
    tables = []
    for values in goal:
        found = np.linalg.lstsq(basis * weight[:, None], values * weight, rcond=None)[0]
        table = np.zeros((4, 4))
        for (p, q), value in zip(_CUBIC_POWERS, found, strict=True):
            table[p, q] = value
        tables.append(table)
    return tables[0], tables[1]


def _radial(u: Array, v: Array, goal: Array, weight: Array, is_affine: bool) -> tuple[Array, Array]:
    """Shift, linear terms and r^2 (u, v) with r^2 (-v, u), the last held near zero.

    Unknowns: two shifts; scale and turn; if affine two more linear terms; two distortions.
    """
    r2 = u**2 + v**2
    one, zero = np.ones_like(u), np.zeros_like(u)
    columns = [(one, zero), (zero, one), (u, v), (-v, u), (u, -v), (v, u)]
    columns += [(r2 * u, r2 * v), (-r2 * v, r2 * u)]
    design = np.array([np.concatenate([a * weight, b * weight]) for a, b in columns]).T
    values = np.concatenate([goal[0] * weight, goal[1] * weight])
    free = 1e3
    prior = np.array(
        [free, free, _SCALE_PRIOR, free]
        + [_SCALE_PRIOR if is_affine else 1e-9] * 2
        + [_RADIAL_PRIOR, _TANGENTIAL_PRIOR]
    )
    expected = np.array([0.0, 0, 1, 0, 0, 0, 0, 0])
    design = np.vstack([design, np.diag(1 / prior)])
    values = np.concatenate([values, expected / prior])
    c = np.linalg.lstsq(design, values, rcond=None)[0]
    along, across = np.zeros((4, 4)), np.zeros((4, 4))
    along[0, 0], along[1, 0], along[0, 1] = c[0], c[2] + c[4], c[5] - c[3]
    across[0, 0], across[0, 1], across[1, 0] = c[1], c[2] - c[4], c[3] + c[5]
    along[3, 0] = along[1, 2] = across[0, 3] = across[2, 1] = c[6]
    along[2, 1] = along[0, 3] = -c[7]
    across[3, 0] = across[1, 2] = c[7]
    return along, across


def _as_plate(plate: Plate, along: Array, across: Array) -> Plate:
    """Plate of fitted terms that give positions in units of `_UNIT_PX` of the old plate."""
    linear = np.array([[along[1, 0], along[0, 1]], [across[1, 0], across[0, 1]]])
    shift = plate.matrix @ np.array([along[0, 0], across[0, 0]]) * _UNIT_PX
    ra, dec = from_plane(shift[0], shift[1], plate.ra_deg, plate.dec_deg)
    order = np.add.outer(np.arange(4), np.arange(4))
    beyond = (order >= 2) & (order <= 3)
    scale = _UNIT_PX ** (1.0 - order)
    terms = np.stack([np.where(beyond, table * scale, 0.0) for table in (along, across)])
    terms = np.tensordot(np.linalg.inv(linear), terms, axes=1)
    return Plate(
        float(ra), float(dec), plate.reference_px, plate.matrix @ linear, terms[0], terms[1]
    )
