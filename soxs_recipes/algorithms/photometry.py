"""Fluxes and positions of all stars of an image at once, by fitting the profile of a star.

The image is linear in the fluxes and, for small moves, in the positions: a few rounds of sparse
least squares give both, and a blend is taken apart like everything else (Stetson 1987; in this
form Schlafly et al. 2018). For a star by itself the flux is the sum of its pixels with the
weights of the profile over the variance (Naylor 1998).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.algorithms.point_spread import PointSpread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scipy.sparse import csc_matrix, csr_matrix

Array = NDArray[np.float64]
Image = NDArray[np.float32]
Mask = NDArray[np.bool_]

# Half sizes of the squares in which profiles are drawn, px: each star takes the smallest at whose
# edge its light is below a share of the noise, up to the largest.
_HALF_SIZES = (9, 14, 22, 40, 70)
_EDGE_NOISE = 0.3
_STEP_PX = 0.05
# A star may move this far from where it was found, px (1-sigma).
_POSITION_PRIOR_PX = 0.5
# Precision of the solution, in units of the total signal over noise.
_PRECISION, _MOST_ROUNDS = 1e-8, 500
# Stars that share this part of their light have errors that depend on each other; in groups of
# more than so many stars they are taken as those of stars by themselves.
_SHARED_LIGHT, _LARGEST_GROUP = 0.05, 200


@dataclass(frozen=True)
class PhotometrySettings:
    """How profiles are fitted.

    Attributes
    ----------
    rounds : int
        How often fluxes and positions are solved for.
    profile_error : float
        Relative error of the profile, which adds to the variance of bright pixels.
    joint_errors : bool
        Whether errors of blended stars allow for one another.
    """

    rounds: int = 3
    profile_error: float = 0.01
    joint_errors: bool = True


@dataclass(frozen=True)
class StarFluxes:
    """Stars as fitted, one value per star.

    Attributes
    ----------
    x, y, x_error, y_error : ndarray
        0-based pixel and its standard error.
    flux, flux_error : ndarray
        Total flux and its standard error, unit of the image.
    chi2 : ndarray
        Mean square of the residuals over the variance near the star.
    usable : ndarray
        Share of the star's light that fell on usable pixels.
    """

    x: Array
    y: Array
    x_error: Array
    y_error: Array
    flux: Array
    flux_error: Array
    chi2: Array
    usable: Array

    def __len__(self) -> int:
        return len(self.x)

    def chosen(self, which: NDArray) -> StarFluxes:
        """Return some of the stars."""
        return StarFluxes(*(getattr(self, name)[which] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class _Scene:
    """An image to fit: light above the background, its variance without stars, usable pixels."""

    image: Array
    variance: Array
    good: Mask
    profile: PointSpread
    settings: PhotometrySettings


@dataclass(frozen=True)
class _Drawn:
    """Pixels of all stars in a row: pixel, star, and the profile with its slopes there."""

    pixel: NDArray[np.int32]
    star: NDArray[np.int32]
    light: Array
    slope_x: Array
    slope_y: Array


def fit_stars(
    image: Image,
    variance: Image,
    good: Mask,
    x: Array,
    y: Array,
    flux: Array,
    profile: PointSpread,
    settings: PhotometrySettings | None = None,
) -> tuple[StarFluxes, Image]:
    """Fit all stars of an image at once.

    Parameters
    ----------
    image : ndarray, shape (ny, nx)
        Light above the background, electrons.
    variance : ndarray, shape (ny, nx)
        Variance of the background; photon noise of the stars is added from their model, for a
        pixel's own value as its variance would bias the fluxes.
    good : ndarray of bool
        Usable pixels.
    x, y, flux : ndarray, shape (n,)
        First guess.
    profile : PointSpread
        Image of a star.
    settings : PhotometrySettings, optional
        Rounds and errors.

    Returns
    -------
    StarFluxes
        The stars, in the order given.
    ndarray of float32
        Model of all stars.
    """
    settings = settings or PhotometrySettings()
    scene = _Scene(
        np.where(good, image, 0).astype(float), variance.astype(float), good, profile, settings
    )
    x, y = np.array(x, dtype=float), np.array(y, dtype=float)
    flux = np.maximum(np.array(flux, dtype=float), 1.0)
    for _ in range(settings.rounds):
        drawn = _draw(scene, x, y, flux)
        weight = _weight(scene, _model(scene, drawn, flux))
        step = _solve(scene, drawn, weight, flux)
        flux, moved = _accepted(step, flux)
        x, y = x + moved[0], y + moved[1]
    drawn = _draw(scene, x, y, flux)
    model = _model(scene, drawn, flux)
    weight = _weight(scene, model)
    stars = _measured(scene, drawn, weight, model, flux)
    return replace(stars, x=x, y=y), model.astype(np.float32)


def forced_flux(
    residual: Image, variance: Image, good: Mask, x: float, y: float, profile: PointSpread
) -> tuple[float, float]:
    """Flux and error of a star of known position in an image without stars; NaN off the image."""
    scene = _Scene(
        np.where(good, residual, 0).astype(float),
        variance.astype(float),
        good,
        profile,
        PhotometrySettings(),
    )
    drawn = _draw(scene, np.array([x]), np.array([y]), np.array([1.0]))
    weight = np.where(good, 1 / scene.variance, 0).ravel()[drawn.pixel]
    total = float(np.sum(weight * drawn.light**2))
    if not total > 0:
        return float("nan"), float("nan")
    flux = np.sum(weight * drawn.light * scene.image.ravel()[drawn.pixel]) / total
    return float(flux), total**-0.5


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


def _draw(scene: _Scene, x: Array, y: Array, flux: Array) -> _Drawn:
    parts = []
    sizes = _half_sizes(scene, flux)
    for half in np.unique(sizes):
        ours = np.flatnonzero(sizes == half)
        parts.append(_draw_squares(scene, x, y, ours, int(half)))
    return _Drawn(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _half_sizes(scene: _Scene, flux: Array) -> NDArray[np.intp]:
    limit = _EDGE_NOISE * float(np.sqrt(np.median(scene.variance[::8, ::8])))
    edge = np.array([scene.profile.light(float(half), 0.0) for half in _HALF_SIZES])
    index = np.sum(flux[:, None] * edge[None, :-1] > limit, axis=1)
    return np.array(_HALF_SIZES)[index]


def _draw_squares(
    scene: _Scene, x: Array, y: Array, ours: NDArray[np.intp], half: int
) -> tuple[NDArray, ...]:
    """Profiles of some stars on squares of one size, cut at the edges of the image."""
    ny, nx = scene.image.shape
    offset = np.arange(-half, half + 1)
    columns = np.rint(x[ours]).astype(int)[:, None] + offset
    rows = np.rint(y[ours]).astype(int)[:, None] + offset
    shape = (len(ours), offset.size, offset.size)
    dx = np.broadcast_to((columns - x[ours, None])[:, None, :], shape)
    dy = np.broadcast_to((rows - y[ours, None])[:, :, None], shape)
    inside = ((rows >= 0) & (rows < ny))[:, :, None] & ((columns >= 0) & (columns < nx))[:, None, :]
    pixel = (rows[:, :, None] * nx + columns[:, None, :])[inside].astype(np.int32)
    star = np.broadcast_to(ours.astype(np.int32)[:, None, None], shape)[inside]
    dx, dy = dx[inside], dy[inside]
    light = scene.profile.light(dx, dy)
    slope_x = (scene.profile.light(dx - _STEP_PX, dy) - light) / _STEP_PX
    slope_y = (scene.profile.light(dx, dy - _STEP_PX) - light) / _STEP_PX
    return pixel, star, light, slope_x, slope_y


def _model(scene: _Scene, drawn: _Drawn, flux: Array) -> Array:
    total = np.bincount(drawn.pixel, drawn.light * flux[drawn.star], scene.image.size)
    return total.reshape(scene.image.shape)


def _weight(scene: _Scene, model: Array) -> Array:
    """Inverse variance of the pixels, flat; 0 where they are not usable."""
    light = np.maximum(model, 0)
    variance = scene.variance + light + (scene.settings.profile_error * light) ** 2
    return np.where(scene.good, 1 / variance, 0).ravel()


def _solve(scene: _Scene, drawn: _Drawn, weight: Array, flux: Array) -> Array:
    """Fluxes and flux-weighted moves; shape (3, n).

    The normal equations are solved by conjugate gradients, scaled to a unit diagonal: blends are
    few enough stars that some tens of rounds do, and no matrix is filled up.
    """
    from scipy.sparse import diags
    from scipy.sparse.linalg import cg

    count = len(flux)
    parts = _designs(scene, drawn, weight, count)
    right = np.concatenate([part.T @ (np.sqrt(weight) * scene.image.ravel()) for part in parts])
    normal = _normal(parts, flux)
    scale = 1 / np.sqrt(np.maximum(normal.diagonal(), 1e-12))
    scaled = diags(scale) @ normal @ diags(scale)
    start = np.concatenate([flux, np.zeros(2 * count)]) / scale
    found, _ = cg(scaled, scale * right, x0=start, rtol=_PRECISION, maxiter=_MOST_ROUNDS)
    return (scale * found).reshape(3, count)


def _designs(scene: _Scene, drawn: _Drawn, weight: Array, count: int) -> list[csc_matrix]:
    """Weighted light and slopes of the stars in the pixels."""
    from scipy.sparse import csc_matrix

    root, shape = np.sqrt(weight)[drawn.pixel], (scene.image.size, count)
    return [
        csc_matrix((values * root, (drawn.pixel, drawn.star)), shape)
        for values in (drawn.light, drawn.slope_x, drawn.slope_y)
    ]


def _normal(parts: Sequence[csc_matrix], flux: Array) -> csr_matrix:
    """Normal matrix of fluxes and flux-weighted moves, with the prior of the latter."""
    from scipy.sparse import bmat, diags

    prior = diags((_POSITION_PRIOR_PX * np.maximum(flux, 1.0)) ** -2.0)
    blocks = [[(one.T @ other).tocsr() for other in parts] for one in parts]
    for axis in (1, 2):
        blocks[axis][axis] = blocks[axis][axis] + prior
    return bmat(blocks, format="csr")


def _accepted(step: Array, flux: Array) -> tuple[Array, Array]:
    """Fluxes, and moves of at most half a pixel; stars that vanished stay where they are."""
    bright = step[0] > 0.1 * flux
    scale = np.where(bright, step[0], np.inf)
    moved = np.clip(step[1:] / scale, -0.5, 0.5)
    return np.where(np.isfinite(step[0]), step[0], flux), moved


def _measured(scene: _Scene, drawn: _Drawn, weight: Array, model: Array, flux: Array) -> StarFluxes:
    """Errors and quality of a fit."""
    count = len(flux)
    ours = weight[drawn.pixel]
    information = np.bincount(drawn.star, ours * drawn.light**2, count)
    slopes = [
        np.bincount(drawn.star, ours * slope**2, count) * np.maximum(flux, 1e-9) ** 2
        for slope in (drawn.slope_x, drawn.slope_y)
    ]
    variance = _flux_variance(scene, drawn, weight, flux, information)
    square = (scene.image - model).ravel()[drawn.pixel] ** 2 * ours
    near = drawn.light > 0.1 * scene.profile.light(0.0, 0.0)
    # Three numbers of each star are fitted.
    used = np.maximum(np.bincount(drawn.star, near & (ours > 0), count) - 3, 1)
    chi2 = np.bincount(drawn.star, np.where(near, square, 0), count) / used
    total = np.bincount(drawn.star, drawn.light, count)
    usable = np.bincount(drawn.star, drawn.light * (ours > 0), count) / np.maximum(total, 1e-9)
    with np.errstate(divide="ignore"):
        x_error, y_error = (1 / np.sqrt(slope) for slope in slopes)
        none = np.zeros(count)
        return StarFluxes(
            none, none, x_error, y_error, flux, np.sqrt(variance), chi2, usable * (total > 0.3)
        )


def _flux_variance(
    scene: _Scene, drawn: _Drawn, weight: Array, flux: Array, information: Array
) -> Array:
    """Variance of the fluxes; blends share their light, which makes each of them less certain."""
    from scipy.sparse.csgraph import connected_components

    count = len(flux)
    with np.errstate(divide="ignore"):
        alone = 1 / information
    if not scene.settings.joint_errors:
        return alone
    normal = _normal(_designs(scene, drawn, weight, count), flux)
    pairs = normal[:count, :count].tocoo()
    shared = np.abs(pairs.data) * np.sqrt(alone[pairs.row] * alone[pairs.col])
    pairs.data = np.where(np.isfinite(shared), shared, 0) > _SHARED_LIGHT
    pairs.eliminate_zeros()
    _, group = connected_components(pairs, directed=False)
    members = np.argsort(group, kind="stable")
    for ours in np.split(members, np.cumsum(np.bincount(group))[:-1]):
        if 1 < len(ours) <= _LARGEST_GROUP and (information[ours] > 0).all():
            every = np.concatenate([ours, ours + count, ours + 2 * count])
            block = normal[every][:, every].toarray()
            scale = 1 / np.sqrt(np.diag(block))
            inverse = np.linalg.pinv(block * scale * scale[:, None], hermitian=True)
            alone[ours] = (np.diag(inverse) * scale**2)[: len(ours)]
    return alone
