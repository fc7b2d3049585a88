"""All stars of an image: background, detection, profile, fluxes, and what to hold against them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter
from scipy.spatial import cKDTree

from soxs_recipes.algorithms.aperture_photometry import aperture_fluxes
from soxs_recipes.algorithms.hidden_stars import believable, uncovered
from soxs_recipes.algorithms.image_background import noise_excess, sky_of
from soxs_recipes.algorithms.photometry import (
    PhotometrySettings,
    StarFit,
    StarFluxes,
    fit_stars,
)
from soxs_recipes.algorithms.point_spread import (
    PointSpread,
    cut_stamps,
    fit_point_spread,
    with_star,
)
from soxs_recipes.algorithms.star_detection import (
    Detections,
    find_stars,
    smooth_background,
    star_width,
)
from soxs_recipes.algorithms.star_flags import StarFlag

Array = NDArray[np.float64]
Image = NDArray[np.float32]
Mask = NDArray[np.bool_]

# First guess of the width of a star, px, and thresholds to measure it with.
_FIRST_FWHM_PX, _FIRST_KAPPA = 4.5, 15.0
_FWHM_RANGE_PX = (1.8, 25.0)
# Stars that the profile is fitted to, their least signal over noise, and the square around them.
_PROFILE_STARS, _PROFILE_SN, _PROFILE_HALF_FWHM = 30, 40.0, 3.0
_DEFAULT_BETA = 3.5
# The first search filters with less than the width of a star, so that blends fall apart.
_SHARP = 0.7
# Neighbours that spoil a star for the profile: within so many FWHM and of this share of its flux.
_ISOLATION_FWHM, _ISOLATION_SHARE = 4.0, 0.05
# A blend: a neighbour within so many FWHM that has this share of the flux.
_BLEND_FWHM, _BLEND_SHARE = 1.8, 0.1
# The search for hidden stars ends when few are new; the last of them do not change the profile.
_HIDDEN_ROUNDS, _HIDDEN_SHARE, _PROFILE_ROUNDS = 5, 0.01, 3
# Least signal over noise of a star beside another: less is not told from nothing. So many times
# at most stars are dropped and the others fitted again, while more than a share are in doubt.
_LEAST_BLEND_SN = 2.0
_LAST_ROUNDS, _DOUBTFUL_SHARE = 3, 0.003
# Stars so significantly longer than the profile are blends that were not taken apart.
_ELONGATED = 5.0
_LEAST_USABLE = 0.8
_QUICK = PhotometrySettings(rounds=1, joint_errors=False)
_FINAL, _LAST = PhotometrySettings(rounds=2), PhotometrySettings(rounds=1)
_EXTENDED_SIGMA, _EXTENDED_SHARE = 5.0, 0.1
_POOR_CHI2 = 5.0


@dataclass(frozen=True)
class Scene:
    """An image to look for stars in.

    Attributes
    ----------
    flux, variance : ndarray
        Electrons, sky included, and variance.
    noise : ndarray
        Variance of the background.
    good, saturated : ndarray of bool
        Usable and saturated pixels.
    """

    flux: Image
    variance: Image
    noise: Image
    good: Mask
    saturated: Mask


@dataclass(frozen=True)
class ImageStars:
    """The stars of an image.

    Attributes
    ----------
    stars : StarFluxes
        Positions and fluxes from the profile, brightest first; electrons.
    aperture, aperture_error : ndarray
        Total fluxes from apertures.
    flags : ndarray of int
        `StarFlag` of each star.
    profile : PointSpread
        Image of a star; a guess if `has_profile` is false.
    has_profile : bool
        Whether any star was fit to measure the profile with.
    background : ndarray
        Smooth light of the sky.
    residual : ndarray
        Image without background and stars.
    variance : ndarray
        Variance of the background.
    good : ndarray of bool
        Usable pixels.
    """

    stars: StarFluxes
    aperture: Array
    aperture_error: Array
    flags: NDArray[np.int_]
    profile: PointSpread
    has_profile: bool
    background: Image
    residual: Image
    variance: Image
    good: Mask

    @property
    def sky_noise(self) -> float:
        """Typical standard deviation of a pixel of sky, electrons."""
        return float(np.sqrt(np.median(self.variance[::4, ::4])))

    def limiting_flux(self, sigma: float = 5.0) -> float:
        """Flux of a star that is so many times its error, sky and read noise alone, electrons."""
        return sigma * self.sky_noise * float(np.sqrt(self.profile.noise_pixels()))

    def under_sloping_light(self, slope_error: float) -> ImageStars:
        """Stars whose fluxes share in the error of the illumination.

        Parameters
        ----------
        slope_error : float
            Standard error of the relative change of the illumination from the middle to an edge.
        """
        half_y, half_x = ((size - 1) / 2 for size in self.residual.shape)
        away = np.hypot(self.stars.x / half_x - 1, self.stars.y / half_y - 1)
        error = slope_error * away * self.stars.flux
        return replace(
            self,
            stars=replace(self.stars, flux_error=np.hypot(self.stars.flux_error, error)),
            aperture_error=np.hypot(self.aperture_error, error),
        )


def measure_stars(
    flux: Image,
    variance: Image,
    good: Mask,
    saturated: Mask,
    kappa: float = 5.0,
) -> ImageStars:
    """Find and measure the stars of an image.

    Parameters
    ----------
    flux, variance : ndarray, shape (ny, nx)
        Electrons, sky included, and variance.
    good : ndarray of bool
        Usable pixels; saturated ones are not.
    saturated : ndarray of bool
        Saturated pixels: stars are looked for in them, fluxes are not.
    kappa : float
        Least signal over noise of a star.
    """
    # A star that fills the detector is bright, not absent.
    hidden = ~good & ~saturated
    noise = np.maximum(smooth_background(variance, ~good), 1e-3)
    background = sky_of(flux, np.zeros_like(flux), noise, good)
    image = flux - background
    fwhm = _typical_fwhm(image, noise, hidden, saturated)
    found = find_stars(image, noise, hidden, _SHARP * fwhm, kappa)
    profile, known = _profile(image, variance, good, saturated, found, fwhm)
    scene = Scene(flux, variance, noise, good, saturated)
    fit, background, profile = _taken_apart(scene, found, background, profile)
    image = flux - background
    if not len(fit.stars):
        return _without_stars(profile, background, image, noise, good)
    order = np.argsort(-fit.stars.flux)
    stars, elongated = fit.stars.chosen(order), fit.elongation.significance[order]
    residual = (image - fit.model).astype(np.float32)
    excess = noise_excess(residual, fit.model, noise, good, profile.fwhm_px)
    stars = _with_noise(stars, (excess**2 - 1) * profile.noise_pixels(), noise)
    radius = max(profile.fwhm_px, 2.0)
    aperture = aperture_fluxes(residual, noise, good, stars, profile, radius)
    flags = _flags(stars, *aperture, saturated, profile, flux.shape)
    flags |= np.where(elongated > _ELONGATED, int(StarFlag.BLEND), 0)
    return ImageStars(stars, *aperture, flags, profile, known, background, residual, noise, good)


def _taken_apart(
    scene: Scene, found: Detections, background: Image, profile: PointSpread
) -> tuple[StarFit, Image, PointSpread]:
    """Fit of all stars, those found in the residuals of others included; sky and profile."""
    x, y, flux = found.x, found.y, found.flux
    noise, good = scene.noise, scene.good
    # What a full star leaves at its rim is no star.
    mask = ~good | maximum_filter(scene.saturated, 2 * int(profile.fwhm_px / 2) + 1)
    for turn in range(_HIDDEN_ROUNDS):
        fit = fit_stars(scene.flux - background, noise, good, x, y, flux, profile, _QUICK)
        # Faint stars and wings lift the background as first measured.
        background = sky_of(scene.flux - fit.model, fit.model, noise, good)
        if turn < _PROFILE_ROUNDS:
            profile = _profile_alone(scene, background, fit, profile)
        x, y, flux, new = uncovered(fit, scene.flux - background, noise, mask, profile)
        if new <= _HIDDEN_SHARE * len(x):
            break
    image = scene.flux - background
    fit = fit_stars(image, noise, good, x, y, flux, profile, _FINAL)
    for _ in range(_LAST_ROUNDS):
        real = believable(fit.stars, profile, _LEAST_BLEND_SN)
        if np.count_nonzero(~real) <= _DOUBTFUL_SHARE * len(real):
            break
        left = fit.stars.chosen(real)
        fit = fit_stars(image, noise, good, left.x, left.y, left.flux, profile, _LAST)
    return fit, background, profile


def _with_noise(stars: StarFluxes, pixels: float, noise: Image) -> StarFluxes:
    """Stars with the noise of so many more pixels of sky in their fluxes."""
    row = np.clip(np.rint(stars.y).astype(int), 0, noise.shape[0] - 1)
    column = np.clip(np.rint(stars.x).astype(int), 0, noise.shape[1] - 1)
    return replace(stars, flux_error=np.sqrt(stars.flux_error**2 + pixels * noise[row, column]))


def _typical_fwhm(image: Image, noise: Image, hidden: Mask, saturated: Mask) -> float:
    found = find_stars(image, noise, hidden, _FIRST_FWHM_PX, _FIRST_KAPPA)
    found = found.chosen(~_near(saturated, found, 5))
    width = star_width(image, hidden, found.chosen(slice(0, 80)), _FWHM_RANGE_PX[1] / 2)
    if not np.isfinite(width).any():
        return _FIRST_FWHM_PX
    return float(np.clip(np.nanmedian(width), *_FWHM_RANGE_PX))


def _near(mask: Mask, found: Detections | StarFluxes, reach: int) -> Mask:
    """Whether a pixel of a mask is near each star."""
    if not mask.any() or not len(found):
        return np.zeros(len(found), dtype=bool)
    wide = maximum_filter(mask, 2 * reach + 1)
    row = np.clip(np.rint(found.y).astype(int), 0, mask.shape[0] - 1)
    column = np.clip(np.rint(found.x).astype(int), 0, mask.shape[1] - 1)
    return wide[row, column]


def _profile(
    image: Image, variance: Image, good: Mask, saturated: Mask, found: Detections, fwhm: float
) -> tuple[PointSpread, bool]:
    """Profile from the brightest stars that are by themselves."""
    guess = PointSpread(fwhm, _DEFAULT_BETA)
    half = int(np.ceil(_PROFILE_HALF_FWHM * fwhm))
    inside = _inside(found, image.shape, half // 2)
    noise = np.sqrt(np.median(variance) * np.pi) * fwhm
    fit = inside & (found.flux > _PROFILE_SN * noise) & ~_near(saturated, found, half)
    fit &= ~_near(~good, found, 2)
    alone = fit & ~_crowded(found.x, found.y, found.flux, fwhm)
    chosen = np.flatnonzero(alone if alone.sum() >= 3 else fit)[:_PROFILE_STARS]
    if not len(chosen):
        return guess, False
    spread = np.where(good, variance, np.inf)
    stamps = cut_stamps(image, spread, found.x[chosen], found.y[chosen], half)
    return fit_point_spread(stamps, found.x[chosen], found.y[chosen], guess), True


def _profile_alone(
    scene: Scene, background: Image, fit: StarFit, profile: PointSpread
) -> PointSpread:
    """Profile from the brightest stars after their neighbours have been subtracted."""
    stars = fit.stars
    half = int(np.ceil(_PROFILE_HALF_FWHM * profile.fwhm_px))
    fits = _inside(stars, scene.flux.shape, half // 2) & ~_near(scene.saturated, stars, half)
    fits &= (stars.flux > _PROFILE_SN * stars.flux_error) & (stars.usable > 0.99)
    fits &= ~_crowded(stars.x, stars.y, stars.flux, profile.fwhm_px, 1.5)
    chosen = np.flatnonzero(fits)
    chosen = chosen[np.argsort(-stars.flux[chosen])][:_PROFILE_STARS]
    if not len(chosen):
        return profile
    ours = stars.chosen(chosen)
    spread = np.where(scene.good, scene.variance, np.inf)
    stamps = cut_stamps(scene.flux - background - fit.model, spread, ours.x, ours.y, half)
    stamps = with_star(stamps, ours.x, ours.y, ours.flux, profile)
    return fit_point_spread(stamps, ours.x, ours.y, profile, rounds=1)


def _inside(found: Detections, shape: tuple[int, int], margin: int) -> Mask:
    return (
        (found.x > margin)
        & (found.y > margin)
        & (found.x < shape[1] - 1 - margin)
        & (found.y < shape[0] - 1 - margin)
    )


def _crowded(
    x: Array,
    y: Array,
    flux: Array,
    fwhm: float,
    reach: float = _ISOLATION_FWHM,
    share: float = _ISOLATION_SHARE,
) -> Mask:
    """Whether a star has a neighbour that matters."""
    pairs = cKDTree(np.column_stack([x, y])).query_pairs(reach * fwhm, output_type="ndarray")
    crowded = np.zeros(len(x), dtype=bool)
    for one, other in (pairs.T, pairs.T[::-1]):
        crowded[one[flux[other] > share * flux[one]]] = True
    return crowded


def _flags(
    stars: StarFluxes,
    aperture: Array,
    aperture_error: Array,
    saturated: Mask,
    profile: PointSpread,
    shape: tuple[int, int],
) -> NDArray[np.int_]:
    reach = max(int(np.rint(profile.fwhm_px)), 2)
    full = _near(saturated, stars, reach)
    edge = ~_inside(stars, shape, reach)
    blend = _crowded(stars.x, stars.y, stars.flux, profile.fwhm_px, _BLEND_FWHM, _BLEND_SHARE)
    more = aperture - stars.flux
    extended = (more > _EXTENDED_SIGMA * aperture_error) & (more > _EXTENDED_SHARE * stars.flux)
    bits = {
        StarFlag.BLEND: blend,
        StarFlag.SATURATED: full,
        StarFlag.BAD_PIXELS: (stars.usable < _LEAST_USABLE) & ~full,
        StarFlag.EDGE: edge,
        StarFlag.EXTENDED: extended & ~full,
        StarFlag.POOR_FIT: stars.chi2 > _POOR_CHI2,
    }
    return sum(int(bit) * where.astype(int) for bit, where in bits.items())


def _without_stars(
    profile: PointSpread, background: Image, image: Image, noise: Image, good: Mask
) -> ImageStars:
    none = np.empty(0)
    stars = StarFluxes(*[none] * len(StarFluxes.__dataclass_fields__))
    flags = np.empty(0, dtype=int)
    return ImageStars(stars, none, none, flags, profile, False, background, image, noise, good)
