"""Profiles of objects, moved and shaped as the pixels of the orders show them.

One Moffat profile along one trace knows an object to some per cent of its peak. What it misses
would pass for sky beside the object, so that position, width and Moffat's power are adjusted by
least squares: by what all orders have in common first, then order by order, the less the fainter
the object is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter, uniform_filter1d

from soxs_recipes.algorithms import sky_spline
from soxs_recipes.algorithms.parallel import in_parallel
from soxs_recipes.algorithms.robust import mad_sd
from soxs_recipes.algorithms.sky_fit import SKY_FUNCTIONS, FitState, PackedOrder, firm_weight

Array = NDArray[np.float64]
Array32 = NDArray[np.float32]
Fitted = tuple[PackedOrder, FitState]

# Expected departures of all orders together, and of each from them: position and width in the
# middle of an order and their change to its ends, and the inverse of Moffat's power; positions
# in FWHM, widths relative.
_COMMON = np.array([0.1, 0.1, 0.2, 0.1, 0.1])
_OWN = np.array([0.1, 0.05, 0.05, 0.05, 0.03])
_MOST = 0.3
_LEAST_INVERSE_POWER, _MOST_INVERSE_POWER = 0.1, 0.6
# Spectra noisier than this per knot are smoothed before profiles are compared with them.
_SMOOTH_SNR2, _MOST_KNOTS = 20.0, 201
# Beyond this a spectrum does not rule the comparison: its ends may be little but noise.
_MOST_SIGMA = 10.0
_STEP = np.float32(0.01)


@dataclass(frozen=True)
class _Normal:
    """Normal equations of the departures of an object in an order."""

    matrix: Array
    right: Array


def adjusted(orders: Sequence[Fitted]) -> list[Fitted]:
    """Orders with the profiles of their objects where fits show them, and their light with these.

    Parameters
    ----------
    orders : sequence of tuples of PackedOrder and FitState
        Orders fitted with the profiles as they are.
    """
    normals = in_parallel(_normals, orders)
    departures = [_departures(parts) for parts in zip(*normals, strict=True)]
    by_order = zip(*departures, strict=True) if departures else [()] * len(orders)
    return in_parallel(_changed, orders, list(by_order))


def _departures(parts: Sequence[_Normal]) -> list[Array]:
    """Departures of an object in every order."""
    matrix, right = sum(one.matrix for one in parts), sum(one.right for one in parts)
    common = np.linalg.solve(matrix + np.diag(_COMMON**-2), right)
    prior = np.diag(_OWN**-2)
    return [
        common + np.linalg.solve(one.matrix + prior, one.right - one.matrix @ common)
        for one in parts
    ]


def _normals(fitted: Fitted) -> list[_Normal]:
    """Normal equations of each object of an order.

    Of a change of the profile only what the fit of sky and objects has not taken up already is
    left in the residuals.
    """
    order, state = fitted
    residual = order.flux - state.sky - sum(state.objects)
    basis = order.basis(np.float32(1))
    weight = firm_weight(order, state)[..., None]
    weighted = np.swapaxes(basis * weight, 1, 2)
    normal = (weighted @ basis).astype(float)
    # Where nothing was fitted, nothing was taken up.
    ridge = 1e-6 * np.einsum("nkk->n", normal) + 1e-30
    inverse = np.linalg.inv(normal + ridge[:, None, None] * np.eye(basis.shape[-1]))
    result = []
    for number in range(len(order.shapes)):
        terms = _terms(order, state, number)
        terms -= basis @ (inverse @ (weighted @ terms)).astype(np.float32)
        turned = np.swapaxes(terms * weight, 1, 2)
        matrix = np.sum(turned @ terms, axis=0, dtype=float)
        right = np.sum(turned @ residual[..., None], axis=0, dtype=float)[:, 0]
        result.append(_Normal(matrix, right))
    return result


def _terms(order: PackedOrder, state: FitState, number: int) -> Array32:
    """Change of the light in the pixels with each of the departures, along the last axis."""
    distance, one, along = order.distances[number], order.objects[number], _along(order)
    here = one.at_distance(distance)
    slope = (one.at_distance(distance + _STEP) - one.at_distance(distance - _STEP)) / (2 * _STEP)
    broader = replace(one, power=1 / (1 / one.power + float(_STEP)))
    power = (broader.at_distance(distance) - here) / _STEP
    light = _smooth_light(order, state, number) * (order.shapes[number] / here)
    moved, wider = -light * slope, -light * slope * distance
    return np.stack([moved, moved * along, wider, wider * along, light * power], axis=-1)


def _changed(fitted: Fitted, departures: Sequence[Array]) -> Fitted:
    """An order with its objects changed."""
    order, state = fitted
    parts = zip(order.objects, order.distances, order.shapes, departures, strict=True)
    objects, distances, shapes, lights = [], [], [], []
    for k, (one, distance, shape, departure) in enumerate(parts):
        *bounded, power = departure
        place, turn, width, growth = np.clip(bounded, -_MOST, _MOST).astype(np.float32)
        inverse = np.clip(1 / one.power + power, _LEAST_INVERSE_POWER, _MOST_INVERSE_POWER)
        new, along = replace(one, power=float(1 / inverse)), _along(order)
        moved = (distance - place - turn * along) / (1 + width + growth * along)
        ratio = new.at_distance(moved) / one.at_distance(distance)
        objects.append(new)
        distances.append(moved)
        shapes.append(shape * ratio)
        lights.append(state.objects[k] * ratio)
    order = replace(order, objects=tuple(objects), distances=tuple(distances), shapes=tuple(shapes))
    return order, replace(state, objects=tuple(lights))


def _along(order: PackedOrder) -> Array32:
    """Place along the order, from -1 to 1, by interval."""
    return np.linspace(-1, 1, len(order.flux), dtype=np.float32)[:, None]


def _smooth_light(order: PackedOrder, state: FitState, number: int) -> Array32:
    """Electrons of an object over its profile, smoothed where they are little but noise."""
    own = state.coef[:, SKY_FUNCTIONS + number]
    centre = median_filter(own, _MOST_KNOTS)
    apart = own - centre
    own = centre + np.clip(apart, *(_MOST_SIGMA * mad_sd(apart) * np.array([-1, 1])))
    light = state.objects[number]
    information = _sum(firm_weight(order, state), light, light) / len(own)
    knots = int(np.clip(_SMOOTH_SNR2 / max(information - 1, 1e-3), 1, _MOST_KNOTS))
    spectrum = uniform_filter1d(own, knots)[:, None]
    area = (order.area * order.packing.filled)[..., None]
    return sky_spline.contributions(order.packing, area, spectrum)[..., 0]


def _sum(weight: Array32, one: Array32, other: Array32) -> float:
    return float(np.einsum("nc,nc,nc->", weight, one, other, dtype=float))
