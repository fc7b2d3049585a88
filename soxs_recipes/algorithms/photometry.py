"""Fluxes and positions of all stars of an image at once, by fitting the profile of a star.

The image is linear in the fluxes, in the sky and, for small moves, in the positions: a few rounds
of sparse least discs give all of them, and a blend is taken apart like everything else (Stetson
1987; in this form Schlafly et al. 2018). For a star by itself the flux is the sum of its pixels
with the weights of the profile over the variance (Naylor 1998).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.algorithms.point_spread import PointSpread
from soxs_recipes.algorithms.star_blends import Elongation, elongation
from soxs_recipes.algorithms.star_drawing import (
    PAD_PX,
    ProfileDisc,
    disc_of,
    draw_stars,
    padded,
    unpadded,
)
from soxs_recipes.algorithms.star_equations import (
    Equations,
    Pixels,
    joint_variances,
    star_equations,
)

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

Array = NDArray[np.float64]
Image = NDArray[np.float32]
Mask = NDArray[np.bool_]

# Radii to which stars are drawn, px: each takes the smallest at whose edge its
# light is below a share of the noise, up to the largest.
_RADII = (9, 14, 20, 30, 45, 70)
_EDGE_NOISE = 0.05
# Radii in which they are fitted, FWHM: a faint star's flux is in its core; the signal over noise
# from which it is not.
_FAINT_RADIUS, _BRIGHT_RADIUS, _BRIGHT_SN = 1.2, 2.0, 60.0
_LARGEST_FIT_PX = 50
# More pixels than this are fitted in blocks, if a star is wider than so many of them.
_MOST_PIXELS, _LEAST_SAMPLING = 400_000, 4.0
# A star may move so far in a round, FWHM, and change its flux by so much of it (1-sigma).
_STEP_FWHM, _STEP_FLUX = 0.12, 0.5
# A star may lie so far beyond the edge, FWHM: of one further out too little is seen.
_BEYOND_FWHM = 0.5
# Precision of a round's solution, relative to its right-hand side.
_PRECISION, _MOST_ROUNDS = 1e-5, 300


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
class StarFit:
    """A fit of all stars of an image.

    Attributes
    ----------
    stars : StarFluxes
        The stars, in the order given.
    model : ndarray of float32
        Their light.
    elongation : Elongation
        How far the stars are from having the shape of the profile.
    """

    stars: StarFluxes
    model: Image
    elongation: Elongation


@dataclass(frozen=True)
class _Scene:
    """An image to fit, padded: light above the background, variance without stars, usability."""

    image: Array
    variance: Array
    good: Array
    inside: Array
    profile: PointSpread
    settings: PhotometrySettings


@dataclass(frozen=True)
class _State:
    """What is known of the stars."""

    x: Array
    y: Array
    flux: Array


def fit_stars(
    image: Image,
    variance: Image,
    good: Mask,
    x: Array,
    y: Array,
    flux: Array,
    profile: PointSpread,
    settings: PhotometrySettings | None = None,
) -> StarFit:
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
        Rounds, errors and sky.
    """
    settings = settings or PhotometrySettings()
    if not len(x):
        return _empty_fit(image.shape)
    side = _block_side(len(x), profile)
    scene = _scene(image, variance, good, profile, settings, side)
    start = np.maximum(np.array(flux, dtype=float), 1.0)
    centre = (side - 1) / 2
    state = _State((x - centre) / side, (y - centre) / side, start)
    for _ in range(settings.rounds):
        equations, _ = _equations(scene, state, True)
        state = _improved(scene, state, equations)
    equations, pixels = _equations(scene, state, settings.joint_errors)
    stars = _in_pixels(_measured(scene, state, equations), side)
    if side == 1:
        model = unpadded(scene.image - pixels.residual).astype(np.float32)
    else:
        model = _model(variance, stars, profile)
    discs = _fitted_discs(scene.profile, _typical_noise(unpadded(scene.variance)), state.flux)
    shape = elongation(pixels, state.x, state.y, state.flux, discs)
    shape = replace(shape, variance=shape.variance * side**2)
    return StarFit(stars, model, shape)


def _empty_fit(shape: tuple[int, int]) -> StarFit:
    none = np.empty(0)
    stars = StarFluxes(*[none] * len(StarFluxes.__dataclass_fields__))
    return StarFit(stars, np.zeros(shape, np.float32), Elongation(none, none, none))


def _block_side(count: int, profile: PointSpread) -> int:
    """Side of the blocks that are fitted instead of pixels.

    Many stars, each of many pixels, are fitted in blocks of pixels that still sample them: a few
    per cent of the signal over noise for most of the time.
    """
    pixels = count * np.pi * (_FAINT_RADIUS * profile.fwhm_px) ** 2
    return max(int(profile.fwhm_px / _LEAST_SAMPLING), 1) if pixels > _MOST_PIXELS else 1


def _scene(
    image: Image,
    variance: Image,
    good: Mask,
    profile: PointSpread,
    settings: PhotometrySettings,
    side: int,
) -> _Scene:
    """Padded images of sums over blocks, in which a pixel that is not usable spoils its block."""
    usable = _blocks(good.astype(float), side) == side**2
    return _Scene(
        padded(np.where(usable, _blocks(np.where(good, image, 0), side), 0)),
        padded(_blocks(variance, side)),
        padded(usable),
        padded(np.ones(usable.shape)),
        replace(profile, fwhm_px=profile.fwhm_px / side),
        replace(settings, profile_error=settings.profile_error / side),
    )


def _blocks(image: NDArray, side: int) -> Array:
    """Sums over blocks; what is beyond the edge counts as 0."""
    if side == 1:
        return image
    ny, nx = (-(-size // side) for size in image.shape)
    whole = np.zeros((ny * side, nx * side))
    whole[: image.shape[0], : image.shape[1]] = image
    return whole.reshape(ny, side, nx, side).sum(axis=(1, 3))


def _in_pixels(stars: StarFluxes, side: int) -> StarFluxes:
    """Positions in pixels instead of blocks."""
    centre = (side - 1) / 2
    return replace(
        stars,
        x=centre + side * stars.x,
        y=centre + side * stars.y,
        x_error=side * stars.x_error,
        y_error=side * stars.y_error,
    )


def _model(variance: Image, stars: StarFluxes, profile: PointSpread) -> Image:
    shape = (variance.shape[0] + 2 * PAD_PX, variance.shape[1] + 2 * PAD_PX)
    radii = _drawn_radii(profile, _typical_noise(variance), stars.flux)
    drawn = draw_stars(shape, stars.x, stars.y, stars.flux, radii, profile)
    return unpadded(drawn).astype(np.float32)


def _equations(scene: _Scene, state: _State, with_normal: bool) -> tuple[Equations, Pixels]:
    """Normal equations about a state, and the pixels they rest on."""
    noise = _typical_noise(unpadded(scene.variance))
    radii = _drawn_radii(scene.profile, noise, state.flux)
    model = draw_stars(scene.image.shape, state.x, state.y, state.flux, radii, scene.profile)
    light = np.maximum(model, 0)
    variance = scene.variance + light + (scene.settings.profile_error * light) ** 2
    weight = np.divide(scene.good, variance, out=np.zeros_like(light), where=scene.good > 0)
    residual = scene.image - model
    pixels = Pixels(residual, weight, scene.inside)
    discs = _fitted_discs(scene.profile, noise, state.flux)
    return star_equations(pixels, state.x, state.y, discs, with_normal), pixels


def _typical_noise(variance: NDArray) -> float:
    return float(np.sqrt(np.median(variance[::8, ::8])))


def _drawn_radii(profile: PointSpread, noise: float, flux: Array) -> NDArray[np.intp]:
    edge = np.array([profile.light(float(radius), 0.0) for radius in _RADII])
    index = np.sum(flux[:, None] * edge[None, :-1] > _EDGE_NOISE * noise, axis=1)
    return np.array(_RADII)[index]


def _fitted_discs(
    profile: PointSpread, noise: float, flux: Array
) -> list[tuple[ProfileDisc, NDArray[np.intp]]]:
    bright = flux > _BRIGHT_SN * noise * profile.fwhm_px * np.sqrt(np.pi)
    discs = []
    for size, ours in ((_FAINT_RADIUS, ~bright), (_BRIGHT_RADIUS, bright)):
        radius = min(max(int(np.ceil(size * profile.fwhm_px)), 3), _LARGEST_FIT_PX)
        if ours.any():
            discs.append((disc_of(profile, radius), np.flatnonzero(ours)))
    return discs


def _improved(scene: _Scene, state: _State, equations: Equations) -> _State:
    """Stars after one step of Gauss and Newton.

    Steps are damped, not pulled back to where a star was found: blends that little tells apart
    would trade light without end.
    """
    from scipy.sparse import diags

    count = len(state.x)
    limit = _STEP_FWHM * scene.profile.fwhm_px
    noise = 1 / np.sqrt(np.maximum(equations.diagonal[0], 1e-30))
    size = np.maximum(state.flux, 3 * noise)
    damping = np.concatenate([(_STEP_FLUX * size) ** -2.0, *2 * [(limit * size) ** -2.0]])
    found = _solve(equations.normal + diags(damping), equations.right)
    change, moves = found[:count], found[count:].reshape(2, count)
    flux = state.flux + change
    # Stars that vanished stay where they are.
    scale = np.where(flux > 0.1 * state.flux, np.maximum(flux, 1e-9), np.inf)
    moves = np.clip(moves / scale, -limit, limit)
    rows, columns = unpadded(scene.image).shape
    reach = _BEYOND_FWHM * scene.profile.fwhm_px
    return _State(
        np.clip(state.x + moves[0], -reach, columns - 1 + reach),
        np.clip(state.y + moves[1], -reach, rows - 1 + reach),
        flux,
    )


def _solve(normal: csr_matrix, right: Array) -> Array:
    """Solve by conjugate gradients, scaled to a unit diagonal.

    Blends are few enough stars that some tens of rounds do, and no matrix is filled up.
    """
    from scipy.sparse import diags
    from scipy.sparse.linalg import cg

    scale = 1 / np.sqrt(np.maximum(normal.diagonal(), 1e-12))
    scaled = diags(scale) @ normal @ diags(scale)
    found, _ = cg(scaled, scale * right, rtol=_PRECISION, maxiter=_MOST_ROUNDS)
    return np.where(np.isfinite(found), scale * found, 0.0)


def _measured(scene: _Scene, state: _State, equations: Equations) -> StarFluxes:
    """Errors and quality of a fit."""
    with np.errstate(divide="ignore"):
        variance = 1 / equations.diagonal
    if scene.settings.joint_errors:
        variance = joint_variances(equations.normal)
    x_error, y_error = np.sqrt(variance[1:]) / np.maximum(state.flux, 1e-9)
    return StarFluxes(
        state.x,
        state.y,
        x_error,
        y_error,
        state.flux,
        np.sqrt(variance[0]),
        equations.chi2,
        equations.usable,
    )
