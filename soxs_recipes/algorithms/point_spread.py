"""The image of a star: an elliptical Moffat profile (Moffat 1969) fitted to bright stars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

# Two Gauss-Legendre points per pixel and axis integrate the profile over the pixel.
_POINTS = (-0.5 / np.sqrt(3.0), 0.5 / np.sqrt(3.0))
# Relative error of the profile, which keeps the brightest stars from ruling the fit.
_PROFILE_ERROR = 0.01
_BETA_RANGE, _SHAPE_RANGE = (1.6, 20.0), 0.6
# A first guess lies so far inside the ranges; shapes are found to this relative precision.
_INSIDE, _PRECISION = 1e-3, 1e-4


@dataclass(frozen=True)
class PointSpread:
    """An elliptical Moffat profile of total flux 1.

    Attributes
    ----------
    fwhm_px : float
        Full width at half maximum, mean of the axes.
    beta : float
        Exponent.
    stretch, skew : float
        Ellipticity along the axes and along the diagonals; 0 is round.
    """

    fwhm_px: float
    beta: float
    stretch: float = 0.0
    skew: float = 0.0

    @property
    def core_px(self) -> float:
        """Radius in which the profile is measured."""
        return self.fwhm_px / (2 * np.sqrt(2 ** (1 / self.beta) - 1))

    @property
    def ellipticity(self) -> float:
        """1 - b/a."""
        size = min(float(np.hypot(self.stretch, self.skew)), 0.99)
        return 1 - np.sqrt((1 - size) / (1 + size))

    def light(self, dx: ArrayLike, dy: ArrayLike) -> Array:
        """Light of pixels whose centres are at offsets from the star, px."""
        dx, dy = np.asarray(dx, dtype=float), np.asarray(dy, dtype=float)
        total = 0.0
        for step_x in _POINTS:
            for step_y in _POINTS:
                total = total + self._density(dx + step_x, dy + step_y)
        return total / 4

    def within(self, radius_px: float) -> float:
        """Share of the light within a radius."""
        return float(1 - (1 + (radius_px / self.core_px) ** 2) ** (1 - self.beta))

    def noise_pixels(self, half: int = 25) -> float:
        """Number of pixels whose background noise a flux has: 1 / sum of squares (King 1983)."""
        offset = np.arange(-half, half + 1)
        return float(1 / np.sum(self.light(offset[None, :], offset[:, None]) ** 2))

    def _density(self, dx: Array, dy: Array) -> Array:
        norm = np.sqrt(max(1 - self.stretch**2 - self.skew**2, 1e-6))
        r2 = (1 + self.stretch) * dx**2 + 2 * self.skew * dx * dy + (1 - self.stretch) * dy**2
        core = self.core_px
        peak = (self.beta - 1) / (np.pi * core**2) * norm
        return peak * (1 + r2 / core**2) ** -self.beta


@dataclass(frozen=True)
class Stamps:
    """Squares around stars; pixels of one star along the last two axes.

    Attributes
    ----------
    flux, variance : ndarray, shape (n, size, size)
        Light above the background, and its variance; infinite where a pixel is not usable.
    x, y : ndarray of int, shape (n,)
        Pixel in the middle.
    """

    flux: Array
    variance: Array
    x: NDArray[np.intp]
    y: NDArray[np.intp]

    @property
    def offset(self) -> Array:
        """Offsets of columns (or rows) from the middle."""
        half = self.flux.shape[-1] // 2
        return np.arange(-half, half + 1, dtype=float)


def cut_stamps(image: NDArray, variance: NDArray, x: Array, y: Array, half: int) -> Stamps:
    """Cut squares of 2 `half` + 1 pixels around positions; beyond the edge pixels are unusable."""
    column, row = np.rint(x).astype(int), np.rint(y).astype(int)
    offset = np.arange(-half, half + 1)
    rows, columns = row[:, None] + offset, column[:, None] + offset
    inside = ((rows >= 0) & (rows < image.shape[0]))[:, :, None] & (
        (columns >= 0) & (columns < image.shape[1])
    )[:, None, :]
    rows = np.clip(rows, 0, image.shape[0] - 1)
    columns = np.clip(columns, 0, image.shape[1] - 1)
    flux = image[rows[:, :, None], columns[:, None, :]].astype(float)
    spread = variance[rows[:, :, None], columns[:, None, :]].astype(float)
    return Stamps(flux, np.where(inside, spread, np.inf), column, row)


def with_star(stamps: Stamps, x: Array, y: Array, flux: Array, profile: PointSpread) -> Stamps:
    """Stamps with a star added in each."""
    light = _light(profile, stamps, x - stamps.x, y - stamps.y)
    return replace(stamps, flux=stamps.flux + flux[:, None, None] * light)


def fit_point_spread(
    stamps: Stamps, x: Array, y: Array, guess: PointSpread, rounds: int = 3
) -> PointSpread:
    """Fit one profile to several stars, each with a flux and a background of its own.

    Parameters
    ----------
    stamps : Stamps
        Bright, unsaturated, isolated stars.
    x, y : ndarray, shape (n,)
        Their positions, px.
    guess : PointSpread
        First guess.
    rounds : int
        How often shape and positions are fitted in turn.
    """
    from scipy.optimize import least_squares

    dx, dy = x - stamps.x, y - stamps.y
    lower = np.array([np.log(guess.fwhm_px / 3), _BETA_RANGE[0], -_SHAPE_RANGE, -_SHAPE_RANGE])
    upper = np.array([np.log(guess.fwhm_px * 3), _BETA_RANGE[1], _SHAPE_RANGE, _SHAPE_RANGE])
    start = np.array([np.log(guess.fwhm_px), guess.beta, guess.stretch, guess.skew])
    start = np.clip(start, lower + _INSIDE, upper - _INSIDE)
    for _ in range(rounds):

        def residuals(shape: Sequence[float], dx: Array = dx, dy: Array = dy) -> Array:
            return _projected(_profile(shape), stamps, dx, dy).ravel()

        found = least_squares(
            residuals, start, bounds=(lower, upper), loss="soft_l1", f_scale=3.0, xtol=_PRECISION
        )
        start = found.x
        dx, dy = _centred(_profile(start), stamps, dx, dy)
    return _profile(start)


def _profile(shape: Sequence[float]) -> PointSpread:
    return PointSpread(float(np.exp(shape[0])), *(float(v) for v in shape[1:]))


def _light(profile: PointSpread, stamps: Stamps, dx: Array, dy: Array) -> Array:
    offset = stamps.offset
    return profile.light(
        offset[None, None, :] - dx[:, None, None], offset[None, :, None] - dy[:, None, None]
    )


def _weights(stamps: Stamps) -> Array:
    model_error = _PROFILE_ERROR * np.maximum(stamps.flux, 0)
    return 1 / (stamps.variance + model_error**2)


def _projected(profile: PointSpread, stamps: Stamps, dx: Array, dy: Array) -> Array:
    """Weighted residuals after the best flux and background of each star."""
    light = _light(profile, stamps, dx, dy)
    weight = _weights(stamps)
    flux, level = _flux_and_level(light, stamps.flux, weight)
    model = flux[:, None, None] * light + level[:, None, None]
    return np.sqrt(weight) * np.where(weight > 0, stamps.flux - model, 0)


def _flux_and_level(light: Array, data: Array, weight: Array) -> tuple[Array, Array]:
    axes = (1, 2)
    total = weight.sum(axis=axes)
    s_l, s_ll = (weight * light).sum(axis=axes), (weight * light**2).sum(axis=axes)
    s_d, s_ld = (weight * data).sum(axis=axes), (weight * light * data).sum(axis=axes)
    det = total * s_ll - s_l**2
    return (total * s_ld - s_l * s_d) / det, (s_ll * s_d - s_l * s_ld) / det


def _centred(profile: PointSpread, stamps: Stamps, dx: Array, dy: Array) -> tuple[Array, Array]:
    """Positions after one step of Gauss and Newton."""
    step = 0.05
    light = _light(profile, stamps, dx, dy)
    weight = _weights(stamps)
    flux, level = _flux_and_level(light, stamps.flux, weight)
    slope_x = (_light(profile, stamps, dx + step, dy) - light) / step * flux[:, None, None]
    slope_y = (_light(profile, stamps, dx, dy + step) - light) / step * flux[:, None, None]
    rest = stamps.flux - flux[:, None, None] * light - level[:, None, None]
    rest = np.where(weight > 0, rest, 0)
    moves = [
        np.clip((weight * s * rest).sum(axis=(1, 2)) / (weight * s**2).sum(axis=(1, 2)), -0.5, 0.5)
        for s in (slope_x, slope_y)
    ]
    return dx + moves[0], dy + moves[1]
