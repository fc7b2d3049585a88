"""One fit of the sky of an order, with the weights that lead to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from soxs_recipes.algorithms import sky_spline
from soxs_recipes.algorithms.sky_factors import Factors
from soxs_recipes.algorithms.sky_objects import SlitObject
from soxs_recipes.algorithms.slit_strips import SlitStrip

Array = NDArray[np.float64]
Array32 = NDArray[np.float32]
Image = NDArray[np.float32]
Mask = NDArray[np.bool_]

SKY_FUNCTIONS = 2
"""The sky is even, and sloped, along the slit."""

_CAUCHY = 3.0
# Before the first fit, the level of a wavelength is known to this share of itself and of its step
# to the next pixel.
_LEVEL_SHARE, _STEP_SHARE = 0.1, 0.5
_SLIT_SCALE_ARCSEC = 6.0
# From knot to knot the slope of the sky (at the slit's end) changes by a share of the change of
# the sky itself, as lines that are tilted or brighter at one end do, and by a share of the sky.
_SLOPE_OF_STEP, _SLOPE_OF_LEVEL = 0.2, 0.01
_STEP_KNOTS = 5
# An object is seen where the pixels of a knot have this share of the usual information on it.
_LEAST_SEEN = 0.1


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
    beside : float
        Electrons per px and arcsec that do not come through the slit.
    """

    first: float
    step: float
    coef: NDArray[np.float64]
    illumination: Factors
    beside: float = 0.0

    def at(self, strip: SlitStrip) -> Array32:
        """Electrons in the pixels of a strip."""
        slope = strip.slit_arcsec / np.float32(_SLIT_SCALE_ARCSEC)
        even, tilted = np.moveaxis(
            sky_spline.curves(self.coef, self.first, self.step, strip.column), -1, 0
        )
        lit = self.illumination.at(strip.slit_arcsec)
        return strip.area * ((even + tilted * slope) * lit + np.float32(self.beside) * (1 - lit))


@dataclass(frozen=True)
class PackedOrder:
    """Pixels of one order, packed for the fit; planes of shape (intervals, capacity).

    Attributes
    ----------
    place : ndarray of int
        Place of each pixel in the flattened frame.
    packing : Packing
        Which of them there are, and their B-splines.
    flux, base, measured : ndarray
        Electrons, variance without photon noise of light, and variance as measured.
    good : ndarray of bool
        Pixels to fit.
    slit, area : ndarray
        Slit position, and size in px times arcsec.
    objects : tuple of SlitObject
        Objects in the slit.
    shapes, distances : tuple of ndarray
        Of each object its profile, and the distance from it in its FWHM.
    """

    place: NDArray[np.int_]
    packing: sky_spline.Packing
    flux: Array32
    base: Array32
    measured: Array32
    good: Mask
    slit: Array32
    area: Array32
    objects: tuple[SlitObject, ...] = ()
    shapes: tuple[Array32, ...] = ()
    distances: tuple[Array32, ...] = ()

    def showing(self, strip: SlitStrip, objects: Sequence[SlitObject]) -> PackedOrder:
        """Return the order with these objects."""
        grid = strip.wave_nm, strip.slit_arcsec
        local = np.flatnonzero(strip.inside)[self.packing.place]
        return replace(
            self,
            objects=tuple(objects),
            shapes=tuple(one.profile(*grid).reshape(-1)[local] for one in objects),
            distances=tuple(one.distance(*grid).reshape(-1)[local] for one in objects),
        )

    def basis(self, lit: Array32 | np.float32) -> Array32:
        """Electrons per pixel of sky (even, sloped) and of each object, along the last axis.

        `lit` is the illumination of the pixels by the slit.
        """
        area = self.area * self.packing.filled
        even = area * lit
        parts = [even, even * self.slit / np.float32(_SLIT_SCALE_ARCSEC)]
        functions = [*parts, *(area * shape for shape in self.shapes)]
        return np.stack(functions, axis=-1, dtype=np.float32)

    def unlit(self, lit: Array32, beside: float) -> Array32:
        """Electrons that an even sky has more because some of its light bypasses the slit."""
        return np.float32(beside) * self.area * self.packing.filled * (1 - lit)


@dataclass(frozen=True)
class FitState:
    """What a fit leaves for the next; planes of shape (intervals, capacity).

    Attributes
    ----------
    sky, objects : ndarray, tuple of ndarray
        Model of the sky and of each object, electrons.
    variance, weight : ndarray
        Variance of the pixels, and their weights in the next fit.
    coef : ndarray or None, shape (knots, functions)
        Splines of sky, slope and objects.
    model_variance : tuple of ndarray
        After the last fit, variance of the sky, and of sky and objects together.
    """

    sky: Array32
    objects: tuple[Array32, ...]
    variance: Array32
    weight: Array32
    coef: Array | None = None
    model_variance: tuple[Array32, ...] = ()


def pack_order(
    strip: SlitStrip,
    planes: tuple[Image, Image, Image, Mask],
    objects: Sequence[SlitObject],
    settings: SkySettings,
) -> PackedOrder:
    """Pack the pixels of an order; `planes` are flux, base variance, variance and good pixels."""
    inside = np.flatnonzero(strip.inside)
    packing = sky_spline.pack(strip.column.reshape(-1)[inside], settings.knot_px)
    local = inside[packing.place]
    place = strip.index.reshape(-1)[local]
    flux, base, measured, good = (plane.reshape(-1)[place] for plane in planes)
    known = measured > 0
    good &= packing.filled & known
    base, measured = (np.where(known, plane, np.float32(1)) for plane in (base, measured))
    order = PackedOrder(
        place,
        packing,
        np.where(good, flux, np.float32(0)),
        base,
        measured,
        good,
        strip.slit_arcsec.reshape(-1)[local],
        strip.area.reshape(-1)[local],
    )
    return order.showing(strip, objects)


def first_state(order: PackedOrder, strip: SlitStrip, level: Array32) -> FitState:
    """First weights: pixels far from the median of their wavelength count little."""
    at = strip.column.reshape(-1)[np.flatnonzero(strip.inside)[order.packing.place]]
    pixel = np.arange(len(level), dtype=np.float32)
    sky = np.interp(at, pixel, level).astype(np.float32) * order.area
    step = np.interp(at, pixel, np.abs(np.gradient(level))).astype(np.float32) * order.area
    tolerance = (_LEVEL_SHARE * sky) ** 2 + (_STEP_SHARE * step) ** 2
    weight = _soft(order.flux - sky, order.measured + tolerance) / order.measured
    return FitState(sky, (), order.measured, _usable(weight, order.good))


def refit(
    order: PackedOrder,
    state: FitState,
    lit: Factors,
    beside: float,
    settings: SkySettings,
    last: bool = False,
) -> FitState:
    """Fit with the weights of the last state, and find those for the next.

    Parameters
    ----------
    order : PackedOrder
        The order.
    state : FitState
        The last fit.
    lit : Factors
        Illumination along the slit.
    beside : float
        Electrons per px and arcsec that do not come through the slit.
    settings : SkySettings
        See there.
    last : bool
        Whether this is the last fit: weights stay, errors are found.
    """
    lit_here = lit.at(order.slit)
    basis, unlit = order.basis(lit_here), order.unlit(lit_here, beside)
    values, held = order.flux - unlit, _held_slope(state.coef, basis.shape[-1])
    fit = sky_spline.fit(order.packing, basis, values, state.weight, last, held)
    sky, objects, light = _parts(order, basis, fit.coef)
    sky = sky + unlit
    variance = _pixel_variance(order, sky + light, light, settings)
    allowed = variance + (np.float32(settings.object_error) * light) ** 2
    near = (order.flux - sky - light) ** 2 < np.float32(settings.kappa**2) * allowed
    now = FitState(sky, objects, variance, _usable(near / allowed, order.good), fit.coef)
    return _finished(order, state, basis, fit, now) if last else now


def sky_spectrum(
    order: PackedOrder, state: FitState, lit: Factors, beside: float, settings: SkySettings
) -> SkySpectrum:
    """Sky of a fitted order, for places where it was not fitted."""
    coef = state.coef[:, :SKY_FUNCTIONS]
    return SkySpectrum(order.packing.first, settings.knot_px, coef, lit, beside)


def firm_weight(order: PackedOrder, state: FitState) -> Array32:
    """Weights without the ends of the order, where an object is not seen although the sky is."""
    firm = np.ones(len(order.flux), bool)
    for shape in order.shapes:
        seen = np.sum(state.weight * (order.area * shape) ** 2, axis=1)
        firm &= seen > _LEAST_SEEN * np.median(seen)
    return state.weight * firm[:, None]


def _finished(
    order: PackedOrder, before: FitState, basis: Array32, fit: sky_spline.SplineFit, now: FitState
) -> FitState:
    """The last fit with the variances of its model."""
    errors = sky_spline.variances(order.packing, basis, fit.covariance, SKY_FUNCTIONS)
    return replace(now, weight=before.weight, model_variance=errors)


def _held_slope(coef: Array | None, functions: int) -> Array | None:
    """Inverse variances expected of the differences of neighbouring unknowns.

    Only the slope of the sky is expected to be smooth, where the sky is.
    """
    if coef is None:
        return None
    level = uniform_filter1d(coef[:, 0], 3)
    step = uniform_filter1d(np.diff(level) ** 2, _STEP_KNOTS)
    usual = uniform_filter1d(np.abs(level), 64)[1:]
    expected = _SLOPE_OF_STEP**2 * step + (_SLOPE_OF_LEVEL * usual) ** 2
    held = np.zeros((len(coef) - 1, functions))
    held[:, 1] = 1 / np.maximum(expected, 1e-12)
    return held


def _parts(
    order: PackedOrder, basis: Array32, coef: NDArray[np.float64]
) -> tuple[Array32, tuple[Array32, ...], Array32]:
    """Sky, each object, and all objects together."""
    parts = np.moveaxis(sky_spline.contributions(order.packing, basis, coef), -1, 0)
    objects = tuple(parts[SKY_FUNCTIONS:])
    light = parts[SKY_FUNCTIONS:].sum(axis=0)
    return parts[:SKY_FUNCTIONS].sum(axis=0), objects, light


def _pixel_variance(
    order: PackedOrder, total: Array32, objects: Array32, settings: SkySettings
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
