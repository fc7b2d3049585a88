"""Sky of a spectrum in detector coordinates, fitted together with the objects in the slit.

Per order the sky is a cubic spline in wavelength times a straight line in slit position (Kelson
2003, PASP 115, 688), times the illumination along the slit that the sky of all orders shows. Each
object adds its profile along the slit times a spline of its own. Where an object is so bright
that its profile is not known well enough, its pixels count less: the share of the profile that
may be wrong adds to their noise. Thus a faint object costs no pixel, a bright one spoils none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.algorithms import sky_spline
from soxs_recipes.algorithms.detrending import expected_signal
from soxs_recipes.algorithms.frame import DetectorFrame
from soxs_recipes.algorithms.sky_factors import Factors, measure_factors
from soxs_recipes.algorithms.sky_objects import (
    SlitObject,
    at_one_wavelength,
    find_objects,
    measure_profiles,
    medians,
)
from soxs_recipes.algorithms.slit_strips import SlitStrip

Array32 = NDArray[np.float32]
Image = NDArray[np.float32]
Mask = NDArray[np.bool_]

_SKY_FUNCTIONS = 2
_CAUCHY = 3.0
# Before the first fit, the level of a wavelength is known to this share of itself and of its step
# to the next pixel.
_LEVEL_SHARE, _STEP_SHARE = 0.1, 0.5
_SLIT_SCALE_ARCSEC = 6.0
# Jaws of the slit, and objects compared with Moffat's profile, depart by this much.
_USUAL_ROUGHNESS, _USUAL_MISFIT = 0.01, 0.1
# Of the variance of a pixel at least this share is kept as noise that no light causes.
_LEAST_BASE = 0.1


@dataclass(frozen=True)
class SkySettings:
    """How the sky is fitted.

    Attributes
    ----------
    photon_factor : float
        Variance per electron of light in the frame; 0 keeps the variance of every pixel.
    faint_below_e : float
        Signal below which the frame's variance was taken from the surroundings of a pixel.
    expected_arcsec : float
        Slit position at which the target should be; NaN if unknown.
    knot_px : float
        Distance of knots along dispersion.
    object_error : float
        Share of an object's light in a pixel that its profile may misplace.
    kappa : float
        Pixels further than this from the model, in sigma, are left out.
    least_snr : float
        Significance from which a peak along the slit is an object.
    most_objects : int
        Largest number of objects.
    signed : bool
        Whether objects may be negative, as in the difference of two exposures.
    """

    photon_factor: float = 1.0
    faint_below_e: float = 0.0
    expected_arcsec: float = float("nan")
    knot_px: float = 0.7
    object_error: float = 0.05
    kappa: float = 5.0
    least_snr: float = 6.0
    most_objects: int = 3
    signed: bool = False


@dataclass(frozen=True)
class SkySpectrum:
    """Sky of one order, for places where it was not fitted.

    Attributes
    ----------
    first, step : float
        First knot and distance of knots along dispersion, px.
    coef : ndarray, shape (knots, 2)
        Splines of the even sky and of its slope along the slit.
    illumination : Factors
        Illumination along the slit.
    """

    first: float
    step: float
    coef: NDArray[np.float64]
    illumination: Factors

    def at(self, strip: SlitStrip) -> Array32:
        """Electrons in the pixels of a strip."""
        slope = strip.slit_arcsec / np.float32(_SLIT_SCALE_ARCSEC)
        even, tilted = np.moveaxis(
            sky_spline.curves(self.coef, self.first, self.step, strip.column), -1, 0
        )
        return (even + tilted * slope) * strip.area * self.illumination.at(strip.slit_arcsec)


@dataclass(frozen=True)
class SkyModel:
    """The sky in the pixels of a frame; 0 outside the orders.

    Attributes
    ----------
    flux, variance : ndarray, shape (ny, nx)
        Sky in electrons and the variance of the model.
    pixel_variance : ndarray
        Variance of the frame's pixels, photon noise of what the model expects.
    covered : ndarray of bool
        Pixels for which there is a model.
    used : ndarray of bool
        Pixels that entered the last fit.
    objects : tuple of SlitObject
        Objects that were fitted with the sky.
    spectra : tuple of SkySpectrum
        The sky by order.
    light, light_variance : ndarray
        Electrons of the objects in each pixel as fitted, and the variance of sky and objects
        together.
    """

    flux: Image
    variance: Image
    pixel_variance: Image
    covered: Mask
    used: Mask
    objects: tuple[SlitObject, ...]
    spectra: tuple[SkySpectrum, ...]
    light: Image
    light_variance: Image

    def subtracted(self, frame: DetectorFrame) -> DetectorFrame:
        """Return the frame without sky, the model's error included in its own."""
        flux = np.where(self.covered, frame.flux - self.flux, frame.flux)
        variance = np.where(self.covered, self.pixel_variance + self.variance, frame.variance)
        return DetectorFrame.from_variance(flux, variance, frame.quality)


@dataclass(frozen=True)
class _Order:
    """Packed pixels of one order; planes of shape (intervals, capacity)."""

    strip: SlitStrip
    place: NDArray[np.int_]
    packing: sky_spline.Packing
    flux: Array32
    base: Array32
    measured: Array32
    good: Mask
    slit: Array32
    area: Array32
    shapes: tuple[Array32, ...] = ()
    distances: tuple[Array32, ...] = ()

    def functions(self, lit: Factors) -> Array32:
        """Electrons per pixel of sky (even, sloped) and of each object."""
        even = self.area * lit.at(self.slit)
        parts = [even, even * self.slit / np.float32(_SLIT_SCALE_ARCSEC)]
        planes = [*parts, *(self.area * shape for shape in self.shapes)]
        return np.stack(planes, axis=-1) * self.packing.filled[..., None]


@dataclass(frozen=True)
class _State:
    """What a fit leaves for the next: model of sky and of each object, variance, weights."""

    sky: Array32
    objects: tuple[Array32, ...]
    variance: Array32
    weight: Array32
    model_variance: tuple[Array32, ...] = ()
    spectrum: SkySpectrum | None = None


def fit_sky(
    frame: DetectorFrame,
    strips: Sequence[SlitStrip],
    settings: SkySettings,
    left_out: Mask | None = None,
    known: Image | None = None,
) -> SkyModel:
    """Fit the sky of a frame.

    Parameters
    ----------
    frame : DetectorFrame
        Detrended frame in electrons.
    strips : sequence of SlitStrip
        Pixels of the orders that the slit lights fully.
    settings : SkySettings
        How.
    left_out : ndarray of bool, shape (ny, nx), optional
        Pixels that are not fitted although they are good; the model covers them.
    known : ndarray, optional
        Sky known from elsewhere, without error: the rest is fitted, and the model is the sum.
    """
    good = frame.good() if left_out is None else frame.good() & ~left_out
    base = _base_variance(frame, settings)
    flux = frame.flux
    if known is not None:
        flux, base = flux - known, base + np.float32(settings.photon_factor) * known
    planes = flux, base, frame.variance, good
    levels = [_level(strip, flux, good) for strip in strips]
    profiles = measure_profiles(strips, [above for _, above in levels])
    objects = find_objects(
        profiles,
        settings.expected_arcsec,
        settings.least_snr,
        settings.most_objects,
        settings.signed,
    )
    fitted: list[tuple[_Order, _State]] = []
    for strip, (level, _) in zip(strips, levels, strict=True):
        order = _packed(strip, planes, objects, settings)
        state = _start(order, level)
        for _ in range(2):
            state = _refit(order, state, Factors.one(), settings)
        fitted.append((order, state))
    lit = measure_factors(
        ((order.slit, order.flux - sum(s.objects), s.sky, s.weight) for order, s in fitted),
        _USUAL_ROUGHNESS,
    )
    model = _last(frame, _reshaped(fitted), lit, objects, settings)
    return model if known is None else replace(model, flux=model.flux + known * model.covered)


def given_sky(
    frame: DetectorFrame,
    strips: Sequence[SlitStrip],
    settings: SkySettings,
    sky: Image,
    variance: Image,
) -> SkyModel:
    """Take a sky from elsewhere as the model, with the photon noise of what it expects."""
    covered = np.zeros(frame.shape, bool)
    for strip in strips:
        covered.reshape(-1)[strip.index[strip.inside]] = True
    none = np.zeros(frame.shape, np.float32)
    rest = expected_signal(frame.flux - sky, settings.faint_below_e)
    photons = np.float32(settings.photon_factor) * np.maximum(sky + rest, 0)
    return SkyModel(
        flux=np.where(covered, sky, none),
        variance=np.where(covered, variance, none),
        pixel_variance=_base_variance(frame, settings) + photons,
        covered=covered,
        used=covered & frame.good(),
        objects=(),
        spectra=(),
        light=none,
        light_variance=none,
    )


def _base_variance(frame: DetectorFrame, settings: SkySettings) -> Image:
    """Variance of the pixels without the photon noise of their light."""
    variance, factor = frame.variance, np.float32(settings.photon_factor)
    if not factor:
        return variance
    light = expected_signal(frame.flux, settings.faint_below_e)
    return np.maximum(variance - factor * light, np.float32(_LEAST_BASE) * variance)


def _level(strip: SlitStrip, flux: Image, good: Mask) -> tuple[Array32, Array32]:
    """Median of each wavelength per arcsec and px, and what its pixels have above it."""
    light = strip.take(flux) / strip.area
    rows = at_one_wavelength(strip, light, strip.take(good) & strip.inside)
    level = medians(rows)
    return np.nan_to_num(level), rows - level[:, None]


def _packed(
    strip: SlitStrip,
    planes: tuple[Image, Image, Image, Mask],
    objects: Sequence[SlitObject],
    settings: SkySettings,
) -> _Order:
    inside = np.flatnonzero(strip.inside)
    packing = sky_spline.pack(strip.column.reshape(-1)[inside], settings.knot_px)
    local = inside[packing.place]
    place = strip.index.reshape(-1)[local]
    flux, base, measured, good = (plane.reshape(-1)[place] for plane in planes)
    known = measured > 0
    good &= packing.filled & known
    base, measured = (np.where(known, plane, np.float32(1)) for plane in (base, measured))
    flux = np.where(good, flux, np.float32(0))
    slit, area = (plane.reshape(-1)[local] for plane in (strip.slit_arcsec, strip.area))
    shapes, distances = (
        tuple(f(strip.wave_nm, strip.slit_arcsec).reshape(-1)[local] for f in functions)
        for functions in ([o.profile for o in objects], [o.distance for o in objects])
    )
    return _Order(strip, place, packing, flux, base, measured, good, slit, area, shapes, distances)


def _start(order: _Order, level: Array32) -> _State:
    """First weights: pixels far from the median of their wavelength count little."""
    column = order.strip.column.reshape(-1)
    inside = np.flatnonzero(order.strip.inside)
    at = column[inside[order.packing.place]]
    pixel = np.arange(len(level), dtype=np.float32)
    sky = np.interp(at, pixel, level).astype(np.float32) * order.area
    step = np.interp(at, pixel, np.abs(np.gradient(level))).astype(np.float32) * order.area
    tolerance = (_LEVEL_SHARE * sky) ** 2 + (_STEP_SHARE * step) ** 2
    weight = _soft(order.flux - sky, order.measured + tolerance) / order.measured
    return _State(sky, (), order.measured, _usable(weight, order.good))


def _refit(
    order: _Order, state: _State, lit: Factors, settings: SkySettings, last: bool = False
) -> _State:
    """Fit with the weights of the last state, and find those for the next."""
    functions = order.functions(lit)
    matrix = sky_spline.design(order.packing, functions)
    count = functions.shape[-1]
    fit = sky_spline.fit(matrix, order.flux, state.weight, count, errors=last)
    part = np.tile(np.maximum(np.arange(count) - _SKY_FUNCTIONS + 1, 0), sky_spline.SPLINES)
    sky_matrix = matrix * (part == 0)
    sky = sky_spline.evaluate(sky_matrix, fit.coef)
    objects = tuple(
        sky_spline.evaluate(matrix * (part == k + 1), fit.coef) for k in range(len(order.shapes))
    )
    light = sum(objects, start=np.float32(0))
    variance = _pixel_variance(order, sky + light, light, settings)
    if last:
        error = tuple(sky_spline.variance(m, fit.covariance) for m in (sky_matrix, matrix))
        coef = fit.coef[:, :_SKY_FUNCTIONS]
        spectrum = SkySpectrum(order.packing.first, settings.knot_px, coef, lit)
        return _State(sky, objects, variance, state.weight, error, spectrum)
    allowed = variance + (np.float32(settings.object_error) * light) ** 2
    near = (order.flux - sky - light) ** 2 < np.float32(settings.kappa**2) * allowed
    return _State(sky, objects, variance, _usable(near / allowed, order.good))


def _reshaped(fitted: Sequence[tuple[_Order, _State]]) -> list[tuple[_Order, _State]]:
    """Profiles of objects with the departures from Moffat's shape that all orders show."""

    def lights(k: int) -> Iterator[tuple[Array32, Array32, Array32, Array32]]:
        for order, state in fitted:
            own = state.objects[k]
            data = order.flux - state.sky - sum(state.objects) + own
            yield order.distances[k], data, own, state.weight

    count = len(fitted[0][0].shapes) if fitted else 0
    factors = [measure_factors(lights(k), _USUAL_MISFIT) for k in range(count)]
    result = []
    for order, state in fitted:
        parts = zip(order.shapes, order.distances, factors, strict=True)
        shapes = tuple(shape * factor.at(distance) for shape, distance, factor in parts)
        result.append((replace(order, shapes=shapes), state))
    return result


def _pixel_variance(
    order: _Order, total: Array32, objects: Array32, settings: SkySettings
) -> Array32:
    """Variance with the photon noise of the model; of the pixel itself where objects are bright."""
    factor = np.float32(settings.photon_factor)
    modelled = order.base + factor * np.maximum(total, 0)
    bright = (np.float32(settings.object_error) * objects) ** 2 > modelled
    return np.where(bright, order.measured, modelled)


def _soft(residual: Array32, variance: Array32) -> Array32:
    """Cauchy's weights."""
    return 1 / (1 + residual**2 / (np.float32(_CAUCHY**2) * variance))


def _usable(weight: Array32, good: Mask) -> Array32:
    return np.where(good & np.isfinite(weight), weight, np.float32(0))


def _last(
    frame: DetectorFrame,
    fitted: Sequence[tuple[_Order, _State]],
    lit: Factors,
    objects: tuple[SlitObject, ...],
    settings: SkySettings,
) -> SkyModel:
    """Fit once more with the illumination, and put the model on the frame."""
    planes = [np.zeros(frame.shape, np.float32) for _ in range(5)]
    covered, used = np.zeros(frame.shape, bool), np.zeros(frame.shape, bool)
    spectra = []
    for order, before in fitted:
        state = _refit(order, before, lit, settings, last=True)
        spectra.append(state.spectrum)
        filled = order.packing.filled
        place = order.place[filled]
        sky_error, error = state.model_variance
        light = sum(state.objects, start=np.zeros_like(state.sky))
        values = (state.sky, sky_error, state.variance, light, error)
        for plane, value in zip(planes, values, strict=True):
            plane.reshape(-1)[place] = value[filled]
        covered.reshape(-1)[place] = True
        used.reshape(-1)[place] = state.weight[filled] > 0
    *first, light, error = planes
    return SkyModel(*first, covered, used, objects, tuple(spectra), light, error)
