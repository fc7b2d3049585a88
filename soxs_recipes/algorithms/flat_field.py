"""Pixel response from a slit flat, freed of everything smooth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.algorithms.blaze import (
    Illumination,
    OrderLight,
    column_quantile,
    fit_illumination,
)
from soxs_recipes.algorithms.frame import DetectorFrame
from soxs_recipes.algorithms.order_table import OrderTable
from soxs_recipes.algorithms.quality import Quality
from soxs_recipes.algorithms.robust import mad_sd
from soxs_recipes.algorithms.tracing import strips

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class FlatSettings:
    """How the pixel response is separated from the light; lengths in pixels of the frame.

    Attributes
    ----------
    knot_px : float
        Distance of the knots of the blaze along dispersion: what varies faster is response.
    inset_px : float
        Pixels nearer to the edges of an order are not used.
    least_sn : float
        Signal over noise of a pixel from which its response counts as measured.
    low_below, cold_below : float
        Responses below are those of low-sensitivity and of cold pixels.
    """

    knot_px: float = 32.0
    inset_px: float = 2.0
    least_sn: float = 20.0
    low_below: float = 0.8
    cold_below: float = 0.5


@dataclass(frozen=True)
class OrderResponse:
    """Response of the pixels of one order, arrays of shape (length, width).

    Attributes
    ----------
    first : ndarray of int, shape (length,)
        Pixel across dispersion of the first of each row.
    response, error : ndarray
        Relative response and its standard error.
    measured : ndarray of bool
        Where there was light enough.
    illumination : Illumination
        The smooth light that was divided out.
    typical_error : float
        Median error of the pixels measured; infinite if there are none.
    """

    first: NDArray[np.intp]
    response: Array
    error: Array
    measured: Mask
    illumination: Illumination
    typical_error: float


@dataclass(frozen=True)
class Responses:
    """Response of every order, and how far it scatters from pixel to pixel."""

    orders: tuple[OrderResponse, ...]
    scatter: float


def order_responses(
    frame: DetectorFrame, table: OrderTable, settings: FlatSettings
) -> tuple[OrderResponse, ...]:
    """Divide the pixels of every order by their smooth light.

    Parameters
    ----------
    frame : DetectorFrame
        Combined slit flat without scattered light.
    table : OrderTable
        With edges.
    settings : FlatSettings
        How.
    """
    lower, upper = table.edges()
    half = int(np.ceil((upper - lower).max() / 2))
    planes = [table.across_first(p) for p in (frame.flux, frame.error, frame.good())]
    return tuple(
        _order_response(planes, low, high, half, settings)
        for low, high in zip(lower, upper, strict=True)
    )


def stitch(lamps: Sequence[tuple[OrderResponse, ...]]) -> tuple[tuple[OrderResponse, ...], Array]:
    """Join the responses that several lamps give, order by order.

    Each order takes the mean of the lamps with weights that go with the inverse variance of a
    typical pixel, so that a lamp that is faint in an order has next to no say in it; a pixel that
    one lamp leaves unmeasured takes the other's. The blaze is that of the lamp with the largest
    weight, in units of the first lamp.

    Returns
    -------
    orders : tuple of OrderResponse
    weights : ndarray, shape (orders, lamps)
    """
    inverse = np.array([[1 / one.typical_error**2 for one in lamp] for lamp in lamps]).T
    total = inverse.sum(axis=1, keepdims=True)
    weights = np.where(total > 0, inverse / np.where(total > 0, total, 1), 1 / len(lamps))
    if len(lamps) == 1:
        return lamps[0], weights
    joined = [
        _join(parts, row) for parts, row in zip(zip(*lamps, strict=True), weights, strict=True)
    ]
    return tuple(joined), weights


def master_flat(
    orders: Sequence[OrderResponse], frame: DetectorFrame, table: OrderTable, settings: FlatSettings
) -> tuple[DetectorFrame, float]:
    """Put the responses of all orders on one frame; also return their scatter.

    Pixels whose response was not measured (between the orders, at the ends of the slit, without
    light) have response 1, the scatter of the pixels measured as error, and the bit
    ``EXTRAPOLATED``. Low-sensitivity pixels have the bit ``BAD_PIXEL``, cold ones also ``DEAD``.
    """
    scatter = response_scatter(orders)
    flux = np.ones(frame.shape, dtype=np.float32)
    error = np.full(frame.shape, scatter, dtype=np.float32)
    quality = frame.quality | np.uint16(Quality.EXTRAPOLATED)
    targets = [table.across_first(plane) for plane in (flux, error, quality)]
    bits = table.across_first(frame.quality)
    for one in orders:
        pixel, step = np.nonzero(one.measured)
        across = one.first[pixel] + step
        targets[0][across, pixel] = one.response[one.measured]
        targets[1][across, pixel] = one.error[one.measured]
        targets[2][across, pixel] = bits[across, pixel]
    master = DetectorFrame(flux, error, quality)
    measured = (quality & np.uint16(Quality.EXTRAPOLATED)) == 0
    master = master.flag(measured & (flux < settings.low_below), Quality.BAD_PIXEL)
    return master.flag(measured & (flux < settings.cold_below), Quality.DEAD), scatter


def response_scatter(orders: Sequence[OrderResponse]) -> float:
    """Return the scatter of the response from pixel to pixel, without that of the noise.

    The better half of the pixels tells it.
    """
    values = np.concatenate([one.response[one.measured][::7] for one in orders])
    errors = np.concatenate([one.error[one.measured][::7] for one in orders])
    if not values.size:
        return 0.0
    better = errors <= np.median(errors)
    noise = float(np.mean(np.square(errors[better])))
    return float(np.sqrt(max(mad_sd(values[better]) ** 2 - noise, 0.0)))


def _order_response(
    planes: Sequence[NDArray], low: Array, high: Array, half: int, settings: FlatSettings
) -> OrderResponse:
    """Response of one order from the turned planes of flux, error and usability."""
    flux, error, good = planes
    middle = ((low + high) / 2)[None]
    cut = strips(flux, middle, half)
    across = cut.offset[0] + middle[0][:, None]
    inside = cut.inside[0]
    inside &= (across - low[:, None] > settings.inset_px) & (
        high[:, None] - across > settings.inset_px
    )
    spread = strips(error, middle, half).value[0].astype(np.float64)
    usable = inside & strips(good, middle, half).value[0]
    value = cut.value[0].astype(np.float64)
    sd = _typical_sd(spread, usable)
    light = OrderLight(
        np.where(usable, value, 0.0),
        2 * cut.offset[0] / (high - low)[:, None],
        usable,
        sd,
        float(np.mean(high - low)) / 2,
    )
    smooth = fit_illumination(light, settings.knot_px)
    bright = smooth.light > settings.least_sn * sd[:, None]
    measured = inside & bright & smooth.usable[:, None] & np.isfinite(value)
    scale = np.where(measured, 1 / np.where(measured, smooth.light, 1.0), 0.0)
    response, noise = value * scale, spread * scale
    typical = float(np.median(noise[measured])) if measured.any() else np.inf
    first = np.rint(across[:, 0]).astype(np.intp)
    return _normalised(OrderResponse(first, response, noise, measured, smooth, typical), usable)


def _normalised(one: OrderResponse, usable: Mask) -> OrderResponse:
    """Mean response 1 along the order, of pixels that are not far off it."""
    regular = one.measured & usable & (np.abs(one.response - 1) < 0.1)
    if not regular.any():
        return one
    mean = float(np.mean(one.response[regular]))
    return replace(one, response=one.response / mean, error=one.error / mean)


def _typical_sd(spread: Array, usable: Mask) -> Array:
    """Error of a typical pixel at each place along dispersion."""
    known = usable.any(axis=1)
    if not known.any():
        return np.ones(len(spread))
    picked = column_quantile(spread, usable)
    fallback = float(np.median(picked[known]))
    return np.maximum(np.where(known, picked, fallback), 1e-6)


def _join(parts: Sequence[OrderResponse], weights: Array) -> OrderResponse:
    """Weighted mean of the lamps in one order."""
    measured = np.stack([one.measured for one in parts])
    shares = measured * weights[:, None, None]
    total = shares.sum(axis=0)
    # A pixel that only a lamp of no weight has measured still takes that lamp's word.
    shares = np.where(total > 0, shares, measured)
    shares = shares / np.maximum(shares.sum(axis=0), 1e-30)
    response = sum(share * one.response for share, one in zip(shares, parts, strict=True))
    variance = sum((share * one.error) ** 2 for share, one in zip(shares, parts, strict=True))
    best = int(np.argmax(weights))
    smooth = _scaled(parts[best].illumination, parts[0].illumination)
    error = np.sqrt(variance)
    anywhere = measured.any(axis=0)
    typical = float(np.median(error[anywhere])) if anywhere.any() else np.inf
    return OrderResponse(parts[0].first, response, error, anywhere, smooth, typical)


def _scaled(smooth: Illumination, unit: Illumination) -> Illumination:
    """Blaze of one lamp in units of another: the same total light of the order."""
    factor = unit.blaze.sum() / smooth.blaze.sum()
    return replace(
        smooth,
        light=smooth.light * factor,
        blaze=smooth.blaze * factor,
        blaze_error=smooth.blaze_error * abs(factor),
    )
