"""Trace, width and profile of an object, fitted to one beam in turns with its spectrum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, median_filter, uniform_filter1d

from soxs_recipes.algorithms.beam_pixels import OrderPixels, nearest_bins
from soxs_recipes.algorithms.extraction import (
    ExtractionSettings,
    ObjectPixels,
    OrderFit,
    fit_order,
    object_pixels,
)
from soxs_recipes.algorithms.object_profile import (
    ProfileSamples,
    ProfileShape,
    fit_moffat,
    fit_shape,
)
from soxs_recipes.algorithms.object_trace import (
    CHUNK_BINS,
    FLOOR_ARCSEC,
    FLOOR_WIDTH,
    Curve,
    CurveFit,
    Measurements,
    Trace,
    fit_curve,
)
from soxs_recipes.algorithms.uniform_splines import at_places

Array = NDArray[np.float64]

# Signal-to-noise ratio at which a chunk is long enough, and below which it is no measurement.
_CHUNK_SNR, _LEAST_SNR = 8.0, 4.0
# Spectra noisier than this per bin are smoothed before profiles are compared with them.
_SMOOTH_SNR = 10.0
# Lines stand out of the smoothed spectrum by so many SDs; they reach so many bins further.
_LINE_SIGMA, _LINE_REACH, _LINE_WINDOW = 6.0, 4, 25
# A bin with less than this share of the usual information says nothing of lines.
_LEAST_HELD = 0.3
_TURNS = 3
# What an order's profile may differ from the arm's, relative to the peak, a priori.
_ORDER_DEVIATION = 0.003
_WIDTH_DEGREE = 2
# Pixels between these distances tell the variance of the sky at the object.
_SKY_FROM_FWHM, _SKY_TO_ARCSEC = 1.5, 3.5
# Of their variance at least this share is that of the sky.
_LEAST_SKY_SHARE = 0.02


@dataclass(frozen=True)
class ObjectModel:
    """What is known of an object in one beam.

    Attributes
    ----------
    trace : Trace
        Position and width.
    shapes : mapping of int to ProfileShape
        Profile in each order.
    photon_factor : float
        Variance of its photon noise per electron.
    """

    trace: Trace
    shapes: Mapping[int, ProfileShape]
    photon_factor: float = 1.0


@dataclass(frozen=True)
class ModelFit:
    """A fitted model, the spectra that go with it, and how well the trace fits.

    Attributes
    ----------
    model : ObjectModel
        The model.
    pixels : tuple of OrderPixels
        Pixels with the variance of the sky as seen beside the object.
    centres : CurveFit or None
        Fit of the trace; None where it was given.
    fits : tuple of OrderFit
        Spectra of the last turn but one.
    """

    model: ObjectModel
    pixels: tuple[OrderPixels, ...]
    centres: CurveFit | None
    fits: tuple[OrderFit, ...]


@dataclass(frozen=True)
class ModelSettings:
    """How a model is fitted.

    Attributes
    ----------
    range_nm : tuple of float
        Wavelengths of the arm.
    degree : int
        Highest degree of the trace; 0 moves the first guess as a whole, -1 leaves it where it is.
    fit_profile : bool
        Whether width and profile are fitted too.
    snr : float
        Signal-to-noise ratio of the detection, by which the length of chunks is chosen.
    """

    range_nm: tuple[float, float]
    degree: int
    fit_profile: bool
    snr: float


def fit_model(
    pixels: Sequence[OrderPixels],
    sign: int,
    start: ObjectModel,
    settings: ModelSettings,
    extraction: ExtractionSettings,
) -> ModelFit:
    """Fit trace, width and profile of an object in turns with its spectrum.

    Parameters
    ----------
    pixels : sequence of OrderPixels
        Orders of the frame.
    sign : int
        Sign of the object in it.
    start : ObjectModel
        First guess.
    settings, extraction
        See there.
    """
    model, orders, centres = start, tuple(pixels), None
    fits: Sequence[OrderFit] = ()
    for turn in range(_TURNS):
        fits = fit_orders(orders, sign, model, extraction, fits)
        model = replace(model, photon_factor=photon_factor(fits))
        orders = tuple(_with_sky_variance(fit, model) for fit in fits)
        model, centres = _turn(fits, model, settings, turn)
    return ModelFit(model, orders, centres, tuple(fits))


def fit_orders(
    pixels: Sequence[OrderPixels],
    sign: int,
    model: ObjectModel,
    extraction: ExtractionSettings,
    before: Sequence[OrderFit] = (),
) -> list[OrderFit]:
    """Fit the spectrum of every order to its pixels, quickly where it was fitted before."""
    guesses = [fit.spectrum.flux for fit in before] or [None] * len(pixels)
    how = {"rounds": 1} if before else {}
    return [
        fit_order(near_object(one, sign, model), model.photon_factor, extraction, guess, **how)
        for one, guess in zip(pixels, guesses, strict=True)
    ]


def near_object(pixels: OrderPixels, sign: int, model: ObjectModel) -> ObjectPixels:
    """Pixels of an order around an object."""
    centre, fwhm = model.trace.at(pixels.order, pixels.wave_nm)
    return object_pixels(pixels, sign, centre, fwhm, model.shapes[pixels.order])


def photon_factor(fits: Sequence[OrderFit]) -> float:
    """Variance per electron of the object, from the variances that came with the frame."""
    up, down = 0.0, 0.0
    for fit in fits:
        near = fit.near
        signal = near.response * near.level(fit.spectrum)
        light = np.where(fit.keep & (np.abs(near.x) < 1) & (signal > 0), signal, 0.0)
        measured = near.taken(near.pixels.measured_variance)
        up += float(np.sum((measured - near.variance) * light, dtype=float))
        down += float(np.sum(light**2, dtype=float))
    return float(np.clip(up / down, 0.0, 5.0)) if down > 0 else 1.0


def _turn(
    fits: Sequence[OrderFit], model: ObjectModel, settings: ModelSettings, turn: int
) -> tuple[ObjectModel, CurveFit | None]:
    """Improve trace and width; from the second turn on the profile, too."""
    if settings.degree < 0:
        return model, None
    shift, width = _chunks(fits, model, settings)
    if not shift.known.any():
        return model, None
    centres = _fit_centres(shift, model.trace.centre, settings, turn == _TURNS - 1)
    trace = replace(model.trace, centre=centres.curve)
    if not settings.fit_profile:
        return replace(model, trace=trace), centres
    degree = min(settings.degree, _WIDTH_DEGREE)
    widths = _plus(width, model.trace.log_fwhm)
    log_fwhm = fit_curve(widths, settings.range_nm, degree, FLOOR_WIDTH, False).curve
    trace = replace(trace, log_fwhm=log_fwhm)
    return _with_profile(fits, replace(model, trace=trace), turn), centres


def _fit_centres(
    shift: Measurements, centre: Curve, settings: ModelSettings, last: bool
) -> CurveFit:
    """Fit the trace to shifts measured against it."""
    if settings.degree == 0:
        fit = fit_curve(shift, settings.range_nm, 0, FLOOR_ARCSEC, by_order=False)
        return replace(fit, curve=centre.moved(float(fit.curve.coef[0])))
    data = _plus(shift, centre)
    return fit_curve(data, settings.range_nm, settings.degree, FLOOR_ARCSEC, by_order=last)


def _with_profile(fits: Sequence[OrderFit], model: ObjectModel, turn: int) -> ObjectModel:
    """Fit the profile: a Moffat function first, then as measured, in the end order by order."""
    samples = {fit.near.pixels.order: _profile_samples(fit, model.trace) for fit in fits}
    columns = zip(*(vars(one).values() for one in samples.values()), strict=True)
    joined = ProfileSamples(*map(np.concatenate, columns))
    shape, scale = fit_moffat(joined)
    trace = replace(model.trace, log_fwhm=model.trace.log_fwhm.moved(float(np.log(scale))))
    if turn == 0:
        return replace(model, trace=trace, shapes=dict.fromkeys(samples, shape))
    samples = {order: _rescaled(one, scale) for order, one in samples.items()}
    shape = fit_shape(_rescaled(joined, scale), shape)
    if turn < _TURNS - 1:
        return replace(model, trace=trace, shapes=dict.fromkeys(samples, shape))
    shapes = {order: fit_shape(one, shape, _ORDER_DEVIATION) for order, one in samples.items()}
    return replace(model, trace=trace, shapes=shapes)


def _rescaled(samples: ProfileSamples, scale: float) -> ProfileSamples:
    """Samples for a FWHM that is larger by a factor."""
    return replace(samples, x=samples.x / scale, response=samples.response / scale)


def _profile_samples(fit: OrderFit, trace: Trace) -> ProfileSamples:
    near = fit.near
    centre, fwhm = trace.at(near.pixels.order, near.pixels.wave_nm)
    width, slit = near.at(fwhm), near.taken(near.pixels.slit_arcsec)
    response = near.area * near.at(_smoothed(fit)) / width
    x, variance = (slit - near.at(centre)) / width, np.where(fit.keep, fit.variance, np.inf)
    planes = (x, response, near.value, variance)
    return ProfileSamples(*(plane.ravel().astype(float, copy=False) for plane in planes))


def _chunks(
    fits: Sequence[OrderFit], model: ObjectModel, settings: ModelSettings
) -> tuple[Measurements, Measurements]:
    """Shift (arcsec) and relative change of width of the profile in chunks of the orders."""
    total = sum(fit.near.pixels.count for fit in fits)
    length = max(CHUNK_BINS, round(total * (_CHUNK_SNR / max(settings.snr, 1.0)) ** 2))
    parts = [_order_chunks(fit, model, length) for fit in fits]
    order, wave, shift, shift_error, width, width_error = map(
        np.concatenate, zip(*parts, strict=True)
    )
    return (
        Measurements(order, wave, shift, shift_error),
        Measurements(order, wave, width, width_error),
    )


def _order_chunks(fit: OrderFit, model: ObjectModel, length: int) -> tuple[NDArray, ...]:
    """Least squares of level, shift and width in every chunk of one order."""
    near, pixels = fit.near, fit.near.pixels
    shape, count = model.shapes[pixels.order], max(1, round(pixels.count / length))
    level = near.at(_smoothed(fit))
    light = near.response * level
    change = shape.slope(near.x) * near.area * level / near.fwhm_arcsec
    terms = (light, -change / near.fwhm_arcsec, -light - near.x * change)
    weight = np.where(fit.keep, 1 / fit.variance, 0.0)
    first = np.ceil(np.arange(count) * pixels.count / count).astype(int)
    normal = np.empty((count, 3, 3))
    right = np.empty((count, 3))
    for i, one in enumerate(terms):
        weighted = one * weight
        right[:, i] = np.add.reduceat(np.einsum("sb,sb->b", weighted, near.value), first)
        for j, other in enumerate(terms[: i + 1]):
            sums = np.add.reduceat(np.einsum("sb,sb->b", weighted, other), first)
            normal[:, i, j] = normal[:, j, i] = sums
    wave = pixels.wave_of((np.arange(count) + 0.5) * pixels.count / count - 0.5)
    return (np.full(count, pixels.order), wave, *_solved(normal, right))


def _solved(normal: Array, right: Array) -> tuple[Array, Array, Array, Array]:
    """Shift and width with errors; infinite where a chunk has no light worth it."""
    scale = np.sqrt(np.maximum(np.einsum("nkk->nk", normal), 1e-30))
    unit = normal / (scale[:, :, None] * scale[:, None, :]) + 1e-9 * np.eye(3)
    inverse = np.linalg.inv(unit)
    solution = np.einsum("nij,nj->ni", inverse, right / scale) / scale
    error = np.sqrt(np.maximum(np.einsum("nkk->nk", inverse), 0)) / scale
    level = solution[:, 0]
    lit = (level > 0.2) & (level > _LEAST_SNR * error[:, 0])
    safe = np.where(lit, level, 1.0)
    value = np.where(lit[:, None], solution / safe[:, None], np.nan)
    error = np.where(lit[:, None], error / safe[:, None], np.inf)
    return value[:, 1], error[:, 1], value[:, 2], error[:, 2]


def _smoothed(fit: OrderFit) -> Array:
    """Spectrum, smoothed where its noise would weaken the comparison with profiles."""
    flux, near = fit.spectrum.flux, fit.near
    information = near.summed(np.where(fit.keep, near.response**2 / near.variance, 0.0))
    # At the ends of an order next to nothing holds the spectrum, which may be anything there.
    held = information > _LEAST_HELD * median_filter(information, _LINE_WINDOW)
    noise = 1 / np.sqrt(np.where(held, information, np.inf))
    level = np.abs(uniform_filter1d(np.where(held, flux, 0.0), CHUNK_BINS, mode="nearest"))
    snr = float(np.median(level[held] / noise[held])) if held.any() else 0.0
    width = int(np.clip((_SMOOTH_SNR / max(snr, 1e-3)) ** 2, 1, 4 * CHUNK_BINS))
    if width < 2:
        return flux
    # Lines are compared as they are: smeared, they would pass for another profile.
    usual = uniform_filter1d(median_filter(flux, _LINE_WINDOW), width)
    line = held & (np.abs(flux - usual) > _LINE_SIGMA * noise)
    line = held & binary_dilation(line, iterations=_LINE_REACH)
    weight = np.where(held & ~line, information, 0.0)
    total = uniform_filter1d(np.where(weight > 0, flux, 0.0) * weight, width, mode="nearest")
    below = uniform_filter1d(weight, width, mode="nearest")
    seen, bins = below > 1e-6 * below.max(), np.arange(len(flux))
    if not seen.any():
        return np.maximum(flux, 0.0)
    mean = np.interp(bins, bins[seen], total[seen] / below[seen])
    return np.maximum(np.where(line, flux, mean), 0.0)


def _plus(change: Measurements, curve: Curve) -> Measurements:
    """Values of a curve plus the changes measured against it."""
    value = np.empty(len(change.value))
    for order in np.unique(change.order):
        here = change.order == order
        value[here] = curve(int(order), change.wave_nm[here]) + change.value[here]
    return replace(change, value=value)


def _with_sky_variance(fit: OrderFit, model: ObjectModel) -> OrderPixels:
    """Pixels with the variance that the sky has beside the object, in every bin."""
    near, pixels = fit.near, fit.near.pixels
    bins = np.arange(pixels.count)
    centre, fwhm = model.trace.at(pixels.order, pixels.wave_nm)
    distance = np.abs(pixels.slit_arcsec - centre[:, None])
    use = pixels.usable & (distance > _SKY_FROM_FWHM * fwhm[:, None]) & (distance < _SKY_TO_ARCSEC)
    use &= near.plane(fit.keep | ~near.usable, True)
    # Other objects and what no map knows as bad have variances of their own.
    use &= pixels.measured_variance < 2.5 * pixels.variance
    signal = near.response * np.maximum(near.level(fit.spectrum), 0)
    own = near.plane((model.photon_factor * signal).astype(np.float32))
    measured = pixels.measured_variance
    # In the wings of a bright object next to nothing is left for the sky: it is never negative.
    value = np.where(use, np.maximum(measured - own, _LEAST_SKY_SHARE * measured), np.float32(0))
    number, total = (one.sum(axis=1) for one in nearest_bins(pixels.place, use, value))
    enough = number >= 4
    if not enough.any():
        return pixels
    level = np.interp(bins, bins[enough], total[enough] / number[enough])
    level = np.maximum(level, 1e-3 * np.median(level[enough]))
    variance = at_places(level, pixels.place).astype(np.float32)
    return replace(pixels, variance=variance, arrangement=pixels.by_bins)
