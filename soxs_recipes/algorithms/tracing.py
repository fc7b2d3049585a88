"""Order centres from a pinhole flat: expected orders are found, then measured bin by bin."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.algorithms.frame import DetectorFrame
from soxs_recipes.algorithms.gappy_statistics import gappy_quantile
from soxs_recipes.algorithms.order_table import OrderTable, series_of
from soxs_recipes.algorithms.tracing_fit import Samples, Smoothed, SmoothModel, fit_smooth
from soxs_recipes.algorithms.tracing_profiles import Fit, Points, fit_profiles, spot
from soxs_recipes.errors import InputError

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


class NoOrdersError(InputError):
    """The frame shows no light where orders are expected."""


class NotPinholeError(InputError):
    """The light of the orders is not that of a pinhole."""


@dataclass(frozen=True)
class TraceSettings:
    """How order centres are measured; lengths in pixels of the frame.

    Attributes
    ----------
    model : SmoothModel
        Departure of the centres from those expected.
    bin_px : int
        Stretch along dispersion that gives one sample.
    reach_px : float
        Largest shift of the orders that is looked for.
    window_px : float
        Half width of the window in which a profile is fitted.
    detection : float
        Flux over its error from which a sample is detected.
    widest_px : float
        Largest SD of a pinhole's image.
    """

    model: SmoothModel
    bin_px: int = 16
    reach_px: float = 22.0
    window_px: float = 6.0
    detection: float = 5.0
    widest_px: float = 2.0


@dataclass(frozen=True)
class Traces:
    """Measured order centres.

    Attributes
    ----------
    table : OrderTable
        Smooth order centres; orders that were not found are left out.
    samples : Samples
        Measured departures from the expected centres, for the orders of the table.
    smoothed : Smoothed
        Their fit.
    expected : int
        Number of samples looked for, in all expected orders.
    shift_px : float
        Mean shift across dispersion against the expectation.
    """

    table: OrderTable
    samples: Samples
    smoothed: Smoothed
    expected: int
    shift_px: float


# Terms of the series that hold a trace; the expected ones bend within a fraction of their length.
_SERIES_DEGREE = 11
# An order of which less than this share of its samples is detected has not been found.
_LEAST_SHARE = 0.05
# Profiles narrower than this look broader or narrower by where they fall on the pixels.
_UNDERSAMPLED_PX = 0.5
# A profile narrower than this is a hot pixel.
_NARROWEST_PX = 0.15
# Profiles of the search are cut at this many sigma, so that no bright order or hot pixel rules.
_SEARCH_CUT = 20.0
_SEARCH_DETECTION = 6.0
# Degrees of the first, coarse fit along dispersion and across orders.
_COARSE = SmoothModel(2, 1)
_LOCAL_PX = 6


@dataclass(frozen=True)
class Strips:
    """The surroundings of curves in an image, arrays of shape (orders, length, width).

    Attributes
    ----------
    value : ndarray
        Pixels.
    offset : ndarray
        Their distance from the curve across dispersion, px.
    inside : ndarray of bool
        Whether the pixel is on the detector.
    """

    value: NDArray
    offset: Array
    inside: Mask


def strips(image: NDArray, curves: Array, half: int) -> Strips:
    """Cut the pixels within `half` of curves out of an image.

    Parameters
    ----------
    image : ndarray, shape (breadth, length)
        Dispersion along the last axis.
    curves : ndarray, shape (orders, length)
        Positions across dispersion; NaN where there is none.
    half : int
        Half width.
    """
    base = np.rint(np.nan_to_num(curves, nan=-1e4)).astype(np.intp)
    rows = base[..., None] + np.arange(-half, half + 1)
    inside = (rows >= 0) & (rows < image.shape[0])
    columns = np.arange(image.shape[1])[None, :, None]
    value = image[np.clip(rows, 0, image.shape[0] - 1), columns]
    return Strips(value, rows - curves[..., None], inside)


def trace_orders(
    frame: DetectorFrame,
    orders: NDArray[np.int_],
    expected: Array,
    dispersion_axis: str,
    settings: TraceSettings,
) -> Traces:
    """Measure the centre of every order in a pinhole flat.

    The expected orders are matched to the frame by one shift, then by a plane; a Gaussian
    integrated over pixels is fitted across dispersion to every bin along it; the departure of
    these centres from the expectation is fitted by a smooth model.

    Parameters
    ----------
    frame : DetectorFrame
        Detrended pinhole flat.
    orders : ndarray of int, shape (n,)
        Order numbers, ascending.
    expected : ndarray, shape (n, length)
        Expected centres at each pixel along dispersion, NaN off the order.
    dispersion_axis : {'x', 'y'}
        Detector axis along which wavelength runs.
    settings : TraceSettings
        How.

    Raises
    ------
    NoOrdersError
        If there is no light where half of the orders or more are expected.
    NotPinholeError
        If the light is broader than the image of a pinhole.
    """
    turned = (lambda plane: plane) if dispersion_axis == "x" else (lambda plane: plane.T)
    flux, good = turned(frame.flux), turned(frame.good())
    variance = turned(frame.variance)
    departure = _coarse_departure(flux, variance, good, expected, settings)
    samples, width = _sample(flux, variance, good, expected, departure, settings)
    found = samples.found.mean(axis=1) > _LEAST_SHARE
    if 2 * np.count_nonzero(found) < len(orders):
        raise _no_orders(f"light in {np.count_nonzero(found)} of {len(orders)} orders")
    kept = Samples(*(getattr(samples, field.name)[found] for field in fields(Samples)))
    smoothed = fit_smooth(kept, expected.shape[1], settings.model)
    table = OrderTable(
        frame.shape,
        dispersion_axis,
        orders[found],
        series_of(expected[found] + smoothed.values, _SERIES_DEGREE),
        sampled_range(kept.pixel, smoothed.kept),
        np.nanmedian(np.where(smoothed.kept, width[found], np.nan), axis=1),
    )
    total = int(np.isfinite(samples.position).sum())
    return Traces(table, kept, smoothed, total, float(np.nanmean(smoothed.values)))


def sampled_range(pixel: Array, kept: Mask) -> Array:
    """First and last pixel along dispersion of the samples kept, shape (orders, 2)."""
    low = np.where(kept, pixel, np.inf).min(axis=1)
    high = np.where(kept, pixel, -np.inf).max(axis=1)
    return np.stack([low, high], axis=1)


def binned(array: NDArray, bin_px: int) -> NDArray:
    """Join the pixels of bins along dispersion: (orders, length, ...) to (orders * bins, px ...).

    Pixels beyond the last full bin are left out.
    """
    bins = array.shape[1] // bin_px
    return array[:, : bins * bin_px].reshape(len(array) * bins, -1)


def bin_centres(length: int, bin_px: int) -> Array:
    """Middle of each bin in pixels along dispersion."""
    return np.arange(length // bin_px) * bin_px + (bin_px - 1) / 2


def _coarse_departure(
    flux: NDArray, variance: NDArray, good: Mask, expected: Array, settings: TraceSettings
) -> Array:
    """Departure from the expectation to about a pixel, shape (orders, length)."""
    half = int(np.ceil(settings.reach_px)) + 2
    bin_px = 2 * settings.bin_px
    shape = (len(expected), expected.shape[1] // bin_px)
    significance = _profiles(flux, variance, good, expected, half, bin_px)
    shift = _common_shift(significance, half, settings)
    place = np.arange(-half, half + 1)
    near = np.where(np.abs(place - shift) <= _LOCAL_PX, significance, 0.0)
    peak = near.argmax(axis=-1)
    found = near.max(axis=-1) > _SEARCH_DETECTION
    position = place[peak].astype(float).reshape(shape)
    pixel = np.tile(bin_centres(expected.shape[1], bin_px), (shape[0], 1))
    samples = Samples(pixel, position, np.ones(shape), found.reshape(shape))
    if samples.found.sum() < 2 * (_COARSE.along + 1) * (_COARSE.across + 1):
        raise _no_orders("too little light along the orders")
    return _plane(samples, expected.shape[1])


def _plane(samples: Samples, length: int) -> Array:
    return fit_smooth(samples, length, _COARSE).values


def _profiles(
    flux: NDArray, variance: NDArray, good: Mask, expected: Array, half: int, bin_px: int
) -> Array:
    """Signal over noise across dispersion, bin by bin, shape (orders * bins, width)."""
    value = strips(flux, expected, half)
    usable = strips(good, expected, half).value & value.inside
    usable &= np.isfinite(expected)[..., None]
    bins, width = expected.shape[1] // bin_px, 2 * half + 1

    def cells(array: NDArray) -> NDArray:
        part = array[:, : bins * bin_px]
        return part.reshape(len(expected) * bins, bin_px, width)

    masked = np.where(cells(usable), cells(value.value), np.nan)
    filled = np.isfinite(masked).sum(axis=1)
    middle = gappy_quantile(masked, 0.5, axis=1, empty=0)
    noise = np.sqrt(np.mean(cells(strips(variance, expected, half).value), axis=1))
    level = gappy_quantile(middle, 0.5, axis=1, empty=0)[:, None]
    return np.nan_to_num((middle - level) / noise * np.sqrt(filled / 1.6))


def _common_shift(significance: Array, half: int, settings: TraceSettings) -> float:
    """Shift at which most bins of all orders show light."""
    score = np.clip(significance, 0, _SEARCH_CUT).mean(axis=0)
    padded = np.pad(score, _LOCAL_PX - 1, mode="edge")
    smooth = np.convolve(padded, np.ones(2 * _LOCAL_PX - 1), mode="valid")
    place = np.arange(-half, half + 1)
    allowed = np.abs(place) <= settings.reach_px
    shift = float(place[np.where(allowed, smooth, -np.inf).argmax()])
    lit = significance[:, np.abs(place - shift) <= _LOCAL_PX].max(axis=-1) > _SEARCH_DETECTION
    if lit.mean() < _LEAST_SHARE:
        raise _no_orders("no light within reach of the expected orders")
    return shift


def _sample(
    flux: NDArray,
    variance: NDArray,
    good: Mask,
    expected: Array,
    departure: Array,
    settings: TraceSettings,
) -> tuple[Samples, Array]:
    """Departure from the expected centre in every bin of every order, and the profile's SD."""
    half, bin_px = int(settings.window_px) + 1, settings.bin_px
    coarse = expected + departure
    cut = strips(flux, coarse, half)
    usable = strips(good, coarse, half).value & cut.inside
    usable &= np.abs(cut.offset) <= settings.window_px
    value = binned(np.where(usable, cut.value, 0.0), bin_px)
    spread = binned(np.where(usable, strips(variance, coarse, half).value, 1.0), bin_px)
    offset = binned(np.nan_to_num(cut.offset), bin_px)
    points = Points(offset, value, np.maximum(spread, 1e-3), binned(usable, bin_px))
    fit = _fit_spots(points, settings)
    shape = (len(coarse), coarse.shape[1] // bin_px)
    width = fit.values[:, 2].reshape(shape)
    found = _detected(fit, settings).reshape(shape)
    typical = _check_width(width, found, settings)
    if typical < _UNDERSAMPLED_PX:
        fit = _fit_spots_of_width(points, fit, np.where(found, width, np.nan), settings)
        found = _detected(fit, settings).reshape(shape)
    pixel = np.tile(bin_centres(coarse.shape[1], bin_px), (shape[0], 1))
    on_order = np.isfinite(binned(expected, bin_px)).all(axis=1).reshape(shape)
    position = binned(departure, bin_px).mean(axis=1) + fit.values[:, 1]
    position = np.where(on_order, position.reshape(shape), np.nan)
    return Samples(pixel, position, fit.errors[:, 1].reshape(shape), found & on_order), width


def _fit_spots(points: Points, settings: TraceSettings) -> Fit:
    centre = np.abs(points.offset) < settings.window_px / 2
    inner = np.where(points.good & centre, points.value, 0.0).sum(axis=1)
    beside = np.where(points.good & ~centre, points.value, np.nan)
    background = gappy_quantile(beside, 0.5, axis=1, empty=0)[:, None]
    columns = settings.bin_px
    count = (points.good & centre).sum(axis=1) / columns
    flux = np.maximum(inner / columns - background[:, 0] * count, 1.0)
    moment = np.where(points.good & centre, points.value - background, 0.0) * points.offset
    place = np.clip(moment.sum(axis=1) / (flux * columns), -2.0, 2.0)
    ones = np.ones(len(flux))
    start = np.stack([flux, place, 0.9 * ones, background[:, 0]], axis=1)
    reach = settings.window_px - 2
    low = np.tile([-np.inf, -reach, _NARROWEST_PX, -np.inf], (len(flux), 1))
    high = np.tile([np.inf, reach, 2 * settings.widest_px, np.inf], (len(flux), 1))
    return fit_profiles(spot, points, start, (low, high))


def _fit_spots_of_width(points: Points, first: Fit, width: Array, settings: TraceSettings) -> Fit:
    """Fit again with the typical width of each order; a free one follows the pixels' phase."""
    known = np.nan_to_num(width, nan=np.inf)
    order = np.sort(known, axis=1)
    count = np.isfinite(width).sum(axis=1)
    middle = order[np.arange(len(width)), np.maximum(count - 1, 0) // 2]
    middle = np.where(count > 0, middle, np.median(middle[count > 0]))
    start = np.nan_to_num(first.values)
    start[:, 2] = np.repeat(middle, width.shape[1])
    reach = settings.window_px - 2
    free = np.full_like(start, np.inf)
    free[:, 1], free[:, 2] = reach, start[:, 2]
    low = -free
    low[:, 2] = start[:, 2]
    return fit_profiles(spot, points, np.clip(start, low, free), (low, free))


def _detected(fit: Fit, settings: TraceSettings) -> Mask:
    with np.errstate(invalid="ignore", divide="ignore"):
        strong = fit.values[:, 0] > settings.detection * fit.errors[:, 0]
    sd = fit.values[:, 2]
    sane = (sd > 1.01 * _NARROWEST_PX) & (sd < 1.99 * settings.widest_px)
    return strong & sane & (np.abs(fit.values[:, 1]) < settings.window_px - 2.1)


def _check_width(width: Array, found: Mask, settings: TraceSettings) -> float:
    """Return the typical width, which must be that of a pinhole."""
    if not found.any():
        raise _no_orders("no profile across dispersion could be fitted")
    typical = float(np.median(width[found]))
    if typical > settings.widest_px:
        raise NotPinholeError(
            "The light of the orders is not that of a pinhole",
            expected=f"profiles of SD {settings.widest_px:.2g} px at most",
            found=f"{typical:.2g} px",
            remedy="check that the pinhole was in: the frame looks like one through a slit",
        )
    return typical


def _no_orders(found: str) -> NoOrdersError:
    return NoOrdersError(
        "The frame shows no orders",
        expected="light along the orders of the spectral format",
        found=found,
        remedy="check lamp, pinhole and exposure time, and that the format is not shifted off",
    )
