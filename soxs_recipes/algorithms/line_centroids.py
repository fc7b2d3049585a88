"""Centroids of many emission spots at once, by least squares on small stamps."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.algorithms.arc_lines import expand_ranges
from soxs_recipes.algorithms.frame import DetectorFrame
from soxs_recipes.algorithms.least_squares import Problems, fit_all, standard_errors
from soxs_recipes.algorithms.quality import has

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

FWHM_OF_SD = 2 * np.sqrt(2 * np.log(2))
STAMP_HALF_PX = (4, 4)

# A pixel integrates the light: three nodes of Gauss and Legendre across it.
_NODES = np.sqrt(0.15) * np.array([-1.0, 0.0, 1.0])
_SHARES = np.array([5.0, 8.0, 5.0]) / 18
_PIXEL_VARIANCE = 1 / 12

# Parameters of a spot: amplitude, x, y, SD in x, SD in y, background.
_PARAMETERS = 6
_STEPS = 12
_START_SD_PX = 0.65
_SMALLEST_SD_PX, _LARGEST_SD_PX = 0.2, 2.5
# A Gaussian describes a spot to this fraction of its height; the error budget says so.
_MODEL_ERROR = 0.03
_OUTLIER = 6.0
_LEAST_GOOD = 0.5
# Fainter peaks, relative to the error of a pixel, are not fitted.
_LEAST_SNR = 4.0


@dataclass(frozen=True)
class Stamps:
    """Cut-outs around positions.

    Attributes
    ----------
    flux, variance : ndarray, shape (n, rows, columns)
        Pixels and their variance.
    good : ndarray of bool, shape (n, rows, columns)
        Usable pixels.
    x, y : ndarray of int, shape (n,)
        Detector position of the central pixel.
    """

    flux: Array
    variance: Array
    good: Mask
    x: NDArray[np.int_]
    y: NDArray[np.int_]

    @property
    def offsets(self) -> tuple[Array, Array]:
        """Coordinates of the rows and of the columns relative to the central pixel."""
        y_half, x_half = (side // 2 for side in self.flux.shape[1:])
        return np.arange(-y_half, y_half + 1.0), np.arange(-x_half, x_half + 1.0)

    def select(self, where: Mask | NDArray[np.int_]) -> Stamps:
        """Part of the stamps."""
        return Stamps(**{name: value[where] for name, value in vars(self).items()})

    @property
    def core(self) -> tuple[slice, slice, slice]:
        """The nine central pixels."""
        y_half, x_half = (side // 2 for side in self.flux.shape[1:])
        return slice(None), slice(y_half - 1, y_half + 2), slice(x_half - 1, x_half + 2)


@dataclass(frozen=True)
class Spots:
    """Fitted two-dimensional Gaussians; positions that could not be fitted have NaN.

    Attributes
    ----------
    x, y, x_error, y_error : ndarray, shape (n,)
        Centroid and its standard error, px.
    fwhm_x_px, fwhm_y_px : ndarray
        Full width at half maximum, the pixel's own width included.
    flux, snr : ndarray
        Volume, in the unit of the frame, and amplitude over its error with the shape known.
    background : ndarray
        Level under the spot, per pixel.
    bad : ndarray of bool
        The core holds an unusable pixel.
    """

    x: Array
    y: Array
    x_error: Array
    y_error: Array
    fwhm_x_px: Array
    fwhm_y_px: Array
    flux: Array
    snr: Array
    background: Array
    bad: Mask

    @property
    def sd_x_px(self) -> Array:
        """SD in x before the pixel integrates."""
        return _unpixelled(self.fwhm_x_px)

    @property
    def sd_y_px(self) -> Array:
        """SD in y before the pixel integrates."""
        return _unpixelled(self.fwhm_y_px)


def cut_stamps(
    frame: DetectorFrame,
    x: Array,
    y: Array,
    search_px: int = 1,
    half: tuple[int, int] = STAMP_HALF_PX,
) -> Stamps:
    """Cut a frame around the brightest usable pixel near each position.

    Parameters
    ----------
    frame : DetectorFrame
        The image.
    x, y : ndarray, shape (n,)
        Predicted positions.
    search_px : int
        How far from the nearest pixel the brightest one is looked for.
    half : tuple of int
        Stamps have ``2 half + 1`` rows and columns; what lies off the frame is not good.
    """
    x, y = np.rint(x).astype(int), np.rint(y).astype(int)
    if search_px:
        flux, good = _windows(frame, x, y, (search_px, search_px))
        best = np.argmax(np.where(good, flux, -np.inf).reshape(len(x), -1), axis=1)
        rows, columns = np.unravel_index(best, flux.shape[1:])
        x, y = x + columns - search_px, y + rows - search_px
    flux, good = _windows(frame, x, y, half)
    error = _windows(frame, x, y, half, frame.error)[0]
    return Stamps(flux, error.astype(float) ** 2, good, x, y)


def without_neighbours(stamps: Stamps, spots: Spots) -> Stamps:
    """Subtract from every stamp the light of the other spots, one of which belongs to each stamp.

    The variance keeps theirs.
    """
    known = np.isfinite(spots.x)
    reach = max(stamps.flux.shape[1:]) + 2.0
    here, other = _neighbours(spots, stamps, known, reach)
    rows, columns = stamps.offsets
    x, y = spots.x[other] - stamps.x[here], spots.y[other] - stamps.y[here]
    gx, _, _ = _profile(columns, x, spots.sd_x_px[other])
    gy, _, _ = _profile(rows, y, spots.sd_y_px[other])
    height = spots.flux[other] / (2 * np.pi * spots.sd_x_px[other] * spots.sd_y_px[other])
    light = (height[:, None] * gy)[:, :, None] * gx[:, None, :]
    flux = stamps.flux.copy()
    np.subtract.at(flux, here, light)
    return replace(stamps, flux=flux)


def fit_spots(stamps: Stamps) -> Spots:
    """Fit a pixel-integrated Gaussian on a constant to every stamp (Marquardt 1963).

    All stamps are one array problem. After a first fit, pixels that depart from the model by six
    sigma, as cosmic rays do, are left out and the fit is repeated.
    """
    start = _start(stamps)
    fitted = np.full_like(start, np.nan)
    bright = np.flatnonzero(_peak_snr(stamps, start) > _LEAST_SNR)
    part, good = stamps.select(bright), stamps.good.copy()
    fitted[bright] = _fit_gaussians(part, start[bright], part.good)
    model = _image(fitted, stamps.offsets)
    with np.errstate(invalid="ignore"):
        spoilt = np.abs(stamps.flux - model) > _OUTLIER * np.sqrt(_variance(stamps, model))
    again = np.flatnonzero((spoilt & good).any(axis=(1, 2)))
    good[again] &= ~spoilt[again]
    anew = np.where(_sane(fitted[again])[:, None], fitted[again], start[again])
    fitted[again] = _fit_gaussians(stamps.select(again), anew, good[again])
    return _as_spots(stamps, fitted, good)


def _peak_snr(stamps: Stamps, start: Array) -> Array:
    """Height over the error of one pixel, before any fit."""
    noise = np.where(stamps.good, stamps.variance, np.nan)[stamps.core]
    noise[~np.isfinite(noise).any(axis=(1, 2))] = np.inf
    return start[:, 0] / np.sqrt(np.nanmedian(noise.reshape(len(noise), -1), axis=1))


def _unpixelled(fwhm_px: Array) -> Array:
    variance = (fwhm_px / FWHM_OF_SD) ** 2 - _PIXEL_VARIANCE
    return np.sqrt(np.maximum(variance, _SMALLEST_SD_PX**2))


def _neighbours(
    spots: Spots, stamps: Stamps, known: Mask, reach: float
) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """Pairs (stamp, other spot that may shine into it)."""
    fitted = np.flatnonzero(known)
    fitted = fitted[np.argsort(spots.y[fitted])]
    start = np.searchsorted(spots.y[fitted], stamps.y - reach)
    stop = np.searchsorted(spots.y[fitted], stamps.y + reach)
    here, place = expand_ranges(start, stop)
    other = fitted[place]
    near = (np.abs(spots.x[other] - stamps.x[here]) < reach) & (other != here)
    return here[near], other[near]


def _windows(
    frame: DetectorFrame,
    x: NDArray[np.int_],
    y: NDArray[np.int_],
    half: tuple[int, int],
    plane: NDArray | None = None,
) -> tuple[Array, Mask]:
    """Pixels around positions, and which of them exist and are good."""
    down, right = (np.arange(-size, size + 1) for size in half)
    rows, columns = y[:, None, None] + down[:, None], x[:, None, None] + right
    height, width = frame.shape
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    rows, columns = np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)
    if plane is not None:
        return plane[rows, columns], inside
    flux, error = frame.flux[rows, columns], frame.error[rows, columns]
    good = ~has(frame.quality[rows, columns]) & np.isfinite(flux) & np.isfinite(error)
    return np.where(good, flux, 0.0).astype(float), inside & good


def _start(stamps: Stamps) -> Array:
    """Start values: the ring around the core is the background, the middle pixel the height."""
    ring = np.ones(stamps.flux.shape[1:], bool)
    ring[2:-2, 1:-1] = False
    masked = np.where(stamps.good & ring, stamps.flux, np.nan)
    masked[~np.isfinite(masked).any(axis=(1, 2))] = 0.0
    background = np.nanmedian(masked.reshape(len(masked), -1), axis=1)
    core = stamps.core
    light = np.where(stamps.good[core], stamps.flux[core] - background[:, None, None], 0.0)
    light = np.clip(light, 0, None)
    total = np.maximum(light.sum(axis=(1, 2)), 1e-9)
    offset = np.array([-1.0, 0.0, 1.0])
    x = 1.2 * (light.sum(axis=1) @ offset) / total
    y = 1.2 * (light.sum(axis=2) @ offset) / total
    width = np.full(len(x), _START_SD_PX)
    height = np.maximum(1.3 * light.max(axis=(1, 2)), 1e-3)
    return np.stack([height, x, y, width, width, background], axis=1)


def _profile(offsets: Array, centre: Array, sd: Array) -> tuple[Array, Array, Array]:
    """Gaussian of height 1 averaged over pixels, and its slopes in centre and SD; (n, size)."""
    u = (offsets[:, None] + _NODES - centre[:, None, None]) / sd[:, None, None]
    weighted = np.exp(-0.5 * u**2) * _SHARES
    by_centre = (weighted * u).sum(axis=-1) / sd[:, None]
    return weighted.sum(axis=-1), by_centre, (weighted * u**2).sum(axis=-1) / sd[:, None]


def _image(parameters: Array, offsets: tuple[Array, Array]) -> Array:
    """Model pixels (n, rows, columns)."""
    height, x, y, sd_x, sd_y, background = parameters.T
    gx, gy = _profile(offsets[1], x, sd_x)[0], _profile(offsets[0], y, sd_y)[0]
    light = (height[:, None] * gy)[:, :, None] * gx[:, None, :]
    return light + background[:, None, None]


def _model(parameters: Array, offsets: tuple[Array, Array]) -> tuple[Array, Array]:
    """Model pixels (n, rows, columns) and derivatives (n, parameters, rows, columns)."""
    height, x, y, sd_x, sd_y, background = parameters.T
    gx, gx_centre, gx_sd = _profile(offsets[1], x, sd_x)
    gy, gy_centre, gy_sd = _profile(offsets[0], y, sd_y)
    shape = gy[:, :, None] * gx[:, None, :]
    tall, high = height[:, None, None], (height[:, None] * gy)[:, :, None]
    slopes = np.empty((len(parameters), _PARAMETERS, *shape.shape[1:]))
    slopes[:, 0] = shape
    slopes[:, 1] = high * gx_centre[:, None, :]
    slopes[:, 2] = tall * gy_centre[:, :, None] * gx[:, None, :]
    slopes[:, 3] = high * gx_sd[:, None, :]
    slopes[:, 4] = tall * gy_sd[:, :, None] * gx[:, None, :]
    slopes[:, 5] = 1.0
    return tall * shape + background[:, None, None], slopes


def _variance(stamps: Stamps, model: Array) -> Array:
    """Variance of the pixels with that of the model; single pixels may not dominate."""
    light = model - model.min(axis=(1, 2), keepdims=True, initial=np.inf)
    return stamps.variance + (_MODEL_ERROR * light) ** 2


def _fit_gaussians(stamps: Stamps, start: Array, good: Mask) -> Array:
    """Best parameters of every stamp; `good` says which pixels count."""
    offsets, pixels = stamps.offsets, stamps.flux[0].size if len(start) else 0
    weight = good / _variance(stamps, _image(start, offsets))

    def model(parameters: Array, rows: NDArray[np.int_]) -> Array:
        return _image(parameters, offsets).reshape(len(rows), pixels)

    def slopes(parameters: Array, rows: NDArray[np.int_]) -> tuple[Array, Array]:
        image, derivatives = _model(parameters, offsets)
        shape = (len(rows), _PARAMETERS, pixels)
        return image.reshape(len(rows), pixels), derivatives.reshape(shape)

    problems = Problems(
        stamps.flux.reshape(len(start), pixels),
        weight.reshape(len(start), pixels),
        model,
        slopes,
        lambda parameters: _bounded(parameters, offsets),
    )
    return fit_all(problems, start, _STEPS)


def _bounded(parameters: Array, offsets: tuple[Array, Array]) -> Array:
    """Keep a step inside what can be a spot."""
    y_reach, x_reach = (places[-1] - 0.5 for places in offsets)
    parameters[:, 1] = np.clip(parameters[:, 1], -x_reach, x_reach)
    parameters[:, 2] = np.clip(parameters[:, 2], -y_reach, y_reach)
    parameters[:, 3:5] = np.clip(parameters[:, 3:5], _SMALLEST_SD_PX, _LARGEST_SD_PX)
    return parameters


def _sane(parameters: Array) -> Mask:
    """Fits that stayed near the middle of their stamp and inside the bounds of width."""
    near = np.all(np.abs(parameters[:, 1:3]) < 2.0, axis=1)
    width = parameters[:, 3:5]
    free = np.all((width > _SMALLEST_SD_PX) & (width < _LARGEST_SD_PX), axis=1)
    return near & free & (parameters[:, 0] > 0)


def _as_spots(stamps: Stamps, parameters: Array, good: Mask) -> Spots:
    core = good[stamps.core]
    usable = _sane(parameters) & (core.sum(axis=(1, 2)) >= 6)
    usable &= good.mean(axis=(1, 2)) > _LEAST_GOOD
    error, alone = np.full((2, *parameters.shape), np.nan)
    error[usable], alone[usable] = _errors(stamps.select(usable), parameters[usable], good[usable])
    height, x, y, sd_x, sd_y, background = np.where(usable, parameters.T, np.nan)
    return Spots(
        x=stamps.x + x,
        y=stamps.y + y,
        x_error=error[:, 1],
        y_error=error[:, 2],
        fwhm_x_px=FWHM_OF_SD * np.sqrt(sd_x**2 + _PIXEL_VARIANCE),
        fwhm_y_px=FWHM_OF_SD * np.sqrt(sd_y**2 + _PIXEL_VARIANCE),
        flux=2 * np.pi * height * sd_x * sd_y,
        snr=height / alone[:, 0],
        background=background,
        bad=~core.all(axis=(1, 2)),
    )


def _errors(stamps: Stamps, parameters: Array, good: Mask) -> tuple[Array, Array]:
    """Standard errors of the parameters, and those that each would have with the others known."""
    model, slopes = _model(parameters, stamps.offsets)
    weight = good / _variance(stamps, model)
    pixels = model.shape[1] * model.shape[2]
    flat = slopes.reshape(len(slopes), _PARAMETERS, pixels)
    return standard_errors(flat, weight.reshape(len(weight), pixels))
