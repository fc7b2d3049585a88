"""Sky of a spectrum in detector coordinates, fitted together with the objects in the slit.

Per order the sky is a cubic spline in wavelength times a straight line in slit position (Kelson
2003, PASP 115, 688), times the illumination along the slit that the sky of all orders shows. Each
object adds its profile along the slit times a spline of its own. Where an object is so bright
that its profile is not known well enough, its pixels count less: the share of the profile that
may be wrong adds to their noise. Thus a faint object costs no pixel, a bright one spoils none.
The slope along the slit is expected to be smooth where the sky is smooth, so that beside the
middle of the slit it costs no signal-to-noise ratio either.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.algorithms.detrending import expected_signal
from soxs_recipes.algorithms.frame import DetectorFrame
from soxs_recipes.algorithms.parallel import in_parallel
from soxs_recipes.algorithms.sky_factors import measure_factors
from soxs_recipes.algorithms.sky_fit import (
    SKY_FUNCTIONS,
    FitState,
    PackedOrder,
    SkySettings,
    SkySpectrum,
    firm_weight,
    first_state,
    pack_order,
    refit,
    sky_spectrum,
)
from soxs_recipes.algorithms.sky_illumination import (
    Illumination,
    ObjectView,
    SlitView,
    measure_illumination,
)
from soxs_recipes.algorithms.sky_objects import (
    SlitObject,
    at_one_wavelength,
    find_objects,
    measure_profiles,
    medians,
)
from soxs_recipes.algorithms.sky_profiles import adjusted
from soxs_recipes.algorithms.sky_spline import SPLINES
from soxs_recipes.algorithms.slit_strips import SlitStrip

Array32 = NDArray[np.float32]
Image = NDArray[np.float32]
Mask = NDArray[np.bool_]

# Objects depart from Moffat's profile by this much.
_USUAL_MISFIT = 0.1
# Of the variance of a pixel at least this share is kept as noise that no light causes.
_LEAST_BASE = 0.1


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


def fit_sky(
    frame: DetectorFrame,
    strips: Sequence[SlitStrip],
    settings: SkySettings,
    left_out: Mask | None = None,
    light: Image | None = None,
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
    light : ndarray, optional
        Electrons whose photon noise the errors of the frame contain; found in the frame if not
        given.
    """
    good = frame.good() if left_out is None else frame.good() & ~left_out
    base = _base_variance(frame, settings, light)
    planes = frame.flux, base, frame.variance, good
    even = Illumination.even(len(strips))
    levels, objects = _objects(strips, frame.flux, good, settings)
    packed = in_parallel(
        lambda strip, level: _packed(strip, level, planes, objects, settings), strips, levels
    )
    fitted = _refitted(packed, even, settings)
    slit = _illumination(fitted, even)
    # Under a sky that is lit unevenly objects look other than they are.
    evenly_lit = frame.flux - _unevenness(frame, fitted, slit)
    _, objects = _objects(strips, evenly_lit, good, settings)
    fitted = [
        (order.showing(strip, objects), state)
        for strip, (order, state) in zip(strips, fitted, strict=True)
    ]
    fitted = adjusted(_refitted(fitted, slit, settings))
    slit = _illumination(fitted, slit)
    return _last(frame, _reshaped(fitted), slit, objects, settings)


def _objects(
    strips: Sequence[SlitStrip], flux: Image, good: Mask, settings: SkySettings
) -> tuple[list[Array32], tuple[SlitObject, ...]]:
    """Level of the sky along the orders, and the objects above it."""
    pairs = in_parallel(lambda strip: _level(strip, flux, good), strips)
    profiles = measure_profiles(strips, [above for _, above in pairs])
    objects = find_objects(
        profiles,
        settings.expected_arcsec,
        settings.least_snr,
        settings.most_objects,
        settings.signed,
    )
    return [level for level, _ in pairs], objects


def _unevenness(
    frame: DetectorFrame, orders: Sequence[tuple[PackedOrder, FitState]], slit: Illumination
) -> Image:
    """What the illumination along the slit adds to an even sky that was fitted."""
    result = np.zeros(frame.shape, np.float32)
    for (order, state), beside in zip(orders, slit.beside.tolist(), strict=True):
        through = state.sky - np.float32(beside) * order.area
        more = (slit.factors.at(order.slit) - 1) * through
        filled = order.packing.filled
        result.reshape(-1)[order.place[filled]] = more[filled]
    return result


def given_sky(
    frame: DetectorFrame,
    strips: Sequence[SlitStrip],
    settings: SkySettings,
    sky: Image,
    variance: Image,
    light: Image | None = None,
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
        pixel_variance=_base_variance(frame, settings, light) + photons,
        covered=covered,
        used=covered & frame.good(),
        objects=(),
        spectra=(),
        light=none,
        light_variance=none,
    )


def _base_variance(frame: DetectorFrame, settings: SkySettings, light: Image | None) -> Image:
    """Variance of the pixels without the photon noise of their light."""
    variance, factor = frame.variance, np.float32(settings.photon_factor)
    if not factor:
        return variance
    light = expected_signal(frame.flux, settings.faint_below_e) if light is None else light
    return np.maximum(variance - factor * light, np.float32(_LEAST_BASE) * variance)


def _packed(
    strip: SlitStrip,
    level: Array32,
    planes: tuple[Image, Image, Image, Mask],
    objects: tuple[SlitObject, ...],
    settings: SkySettings,
) -> tuple[PackedOrder, FitState]:
    """Pixels of an order with their first weights."""
    order = pack_order(strip, planes, objects, settings)
    return order, first_state(order, strip, level)


def _refitted(
    orders: Sequence[tuple[PackedOrder, FitState]], slit: Illumination, settings: SkySettings
) -> list[tuple[PackedOrder, FitState]]:
    def again(each: tuple[PackedOrder, FitState], beside: float) -> tuple[PackedOrder, FitState]:
        return each[0], refit(*each, slit.factors, beside, settings)

    return in_parallel(again, orders, slit.beside.tolist())


def _illumination(
    orders: Sequence[tuple[PackedOrder, FitState]], before: Illumination
) -> Illumination:
    """Illumination that orders show which were fitted with another one."""

    def view(each: tuple[PackedOrder, FitState], beside: float) -> SlitView:
        return _slit_view(*each, before, beside)

    return measure_illumination(in_parallel(view, orders, before.beside.tolist()))


def _slit_view(
    order: PackedOrder, state: FitState, before: Illumination, beside: float
) -> SlitView:
    """What an order says of the slit."""
    light = sum(state.objects, start=np.zeros_like(state.sky))
    lit = before.factors.at(order.slit)
    sky = (state.sky - order.unlit(lit, beside)) / lit
    residual = order.flux - sky - light
    objects = tuple(
        ObjectView(shape, state.coef[:, SKY_FUNCTIONS + k], _information(order, state, shape))
        for k, shape in enumerate(order.shapes)
    )
    even = state.coef[:, 0]
    weight = firm_weight(order, state)
    return SlitView(order.slit, order.area, residual, sky, light, weight, even, objects)


def _information(order: PackedOrder, state: FitState, shape: Array32) -> NDArray[np.float64]:
    """Inverse variance of the spline of an object's spectrum, the sky known, by knot."""
    by_interval = np.sum(state.weight * (order.area * shape) ** 2, axis=1, dtype=float)
    return np.convolve(by_interval, np.full(SPLINES, 1 / SPLINES))


def _level(strip: SlitStrip, flux: Image, good: Mask) -> tuple[Array32, Array32]:
    """Median of each wavelength per arcsec and px, and what its pixels have above it."""
    light = strip.take(flux) / strip.area
    rows = at_one_wavelength(strip, light, strip.take(good) & strip.inside)
    level = medians(rows)
    return np.nan_to_num(level), rows - level[:, None]


def _reshaped(fitted: Sequence[tuple[PackedOrder, FitState]]) -> list[tuple[PackedOrder, FitState]]:
    """Profiles of objects with the departures from Moffat's shape that all orders show."""

    def lights(k: int) -> Iterator[tuple[Array32, Array32, Array32, Array32]]:
        for order, state in fitted:
            own = state.objects[k]
            data = order.flux - state.sky - sum(state.objects) + own
            yield order.distances[k], data, own, firm_weight(order, state)

    count = len(fitted[0][0].shapes) if fitted else 0
    factors = [measure_factors(lights(k), _USUAL_MISFIT) for k in range(count)]
    result = []
    for order, state in fitted:
        parts = zip(order.shapes, order.distances, factors, strict=True)
        shapes = tuple(shape * factor.at(distance) for shape, distance, factor in parts)
        result.append((replace(order, shapes=shapes), state))
    return result


def _last(
    frame: DetectorFrame,
    fitted: Sequence[tuple[PackedOrder, FitState]],
    slit: Illumination,
    objects: tuple[SlitObject, ...],
    settings: SkySettings,
) -> SkyModel:
    """Fit once more with the illumination, and put the model on the frame."""
    planes = [np.zeros(frame.shape, np.float32) for _ in range(5)]
    covered, used = np.zeros(frame.shape, bool), np.zeros(frame.shape, bool)

    def finished(order: PackedOrder, before: FitState, beside: float) -> SkySpectrum:
        state = refit(order, before, slit.factors, beside, settings, last=True)
        filled = np.flatnonzero(order.packing.filled)
        place = order.place.reshape(-1)[filled]
        light = sum(state.objects, start=np.zeros_like(state.sky))
        sky_error, error = state.model_variance
        values = (state.sky, sky_error, state.variance, light, error)
        for plane, value in zip(planes, values, strict=True):
            plane.reshape(-1)[place] = value.reshape(-1)[filled]
        covered.reshape(-1)[place] = True
        used.reshape(-1)[place] = state.weight.reshape(-1)[filled] > 0
        return sky_spectrum(order, state, slit.factors, beside, settings)

    spectra = in_parallel(finished, *zip(*fitted, strict=True), slit.beside.tolist())
    *first, light, error = planes
    return SkyModel(*first, covered, used, objects, tuple(spectra), light, error)
