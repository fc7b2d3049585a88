"""Profiles of objects, moved and widened to what the pixels of an order show of them.

One trace for all orders knows an object to a few hundredths of an arcsec. What it misses would
pass for sky beside the object, so that in every order position and width are adjusted by least
squares; they are drawn to what was expected where an object is faint.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from soxs_recipes.algorithms import sky_spline
from soxs_recipes.algorithms.sky_fit import SKY_FUNCTIONS, FitState, PackedOrder
from soxs_recipes.algorithms.sky_objects import SlitObject

Array = NDArray[np.float64]
Array32 = NDArray[np.float32]

# Expected departures: level, position and width in the middle of an order, and their change to
# its ends, and Moffat's power; positions in FWHM, the others relative.
_EXPECTED = np.array([0.3, 0.3, 0.1, 0.1, 0.1, 0.1, 0.3])
_MOST = 0.3
# Spectra noisier than this per knot are smoothed before profiles are compared with them.
_SMOOTH_SNR2, _MOST_KNOTS = 20.0, 201
_STEP = np.float32(0.01)


def adjusted(order: PackedOrder, state: FitState) -> tuple[PackedOrder, FitState]:
    """Order with the profiles of its objects where a fit shows them, and their light with these.

    Parameters
    ----------
    order : PackedOrder
        The order.
    state : FitState
        Fit with the profiles as they are.
    """
    if not order.shapes:
        return order, state
    residual = order.flux - state.sky - sum(state.objects)
    column = np.arange(len(order.flux), dtype=np.float32)[:, None]
    along = column / np.float32(max(len(column) - 1, 1)) * 2 - 1
    parts = [_fitted(order, state, k, residual, along) for k in range(len(order.shapes))]
    objects, distances = zip(*parts, strict=True)
    shapes = tuple(
        one.at_distance(x) * (shape / before.at_distance(distance))
        for (one, x), shape, before, distance in zip(
            parts, order.shapes, order.objects, order.distances, strict=True
        )
    )
    lights = zip(state.objects, shapes, order.shapes, strict=True)
    state = replace(state, objects=tuple(light * new / old for light, new, old in lights))
    return replace(order, objects=objects, shapes=shapes, distances=distances), state


def _fitted(
    order: PackedOrder, state: FitState, number: int, residual: Array32, along: Array32
) -> tuple[SlitObject, Array32]:
    """An object with another power of its profile, and the distances from it."""
    distance, one = order.distances[number], order.objects[number]
    here = one.at_distance(distance)
    slope = (one.at_distance(distance + _STEP) - one.at_distance(distance - _STEP)) / (2 * _STEP)
    steeper = replace(one, power=(1 + _STEP) * one.power)
    power = (steeper.at_distance(distance) - here) / _STEP
    light = _smooth_light(order, state, number) * (order.shapes[number] / here)
    terms = (here, -slope, -slope * distance)
    design = [light * term * change for term in terms for change in (1, along)]
    design.append(light * power)
    normal = np.array([[_sum(state.weight, a, b) for b in design] for a in design])
    right = np.array([_sum(state.weight, a, residual) for a in design])
    departure = np.linalg.solve(normal + np.diag(1 / _EXPECTED**2), right)
    _, _, *others, power = np.clip(departure, -_MOST, _MOST).astype(np.float32)
    moved = distance - others[0] - others[1] * along
    wider = 1 + others[2] + others[3] * along
    return replace(one, power=float(one.power * (1 + power))), moved / wider


def _smooth_light(order: PackedOrder, state: FitState, number: int) -> Array32:
    """Electrons of an object over its profile, smoothed where they are little but noise."""
    own = state.coef[:, SKY_FUNCTIONS + number]
    information = _sum(state.weight, state.objects[number], state.objects[number]) / len(own)
    knots = int(np.clip(_SMOOTH_SNR2 / max(information - 1, 1e-3), 1, _MOST_KNOTS))
    spectrum = uniform_filter1d(own, knots)[:, None]
    area = (order.area * order.packing.filled)[..., None]
    return sky_spline.contributions(order.packing, area, spectrum)[..., 0]


def _sum(weight: Array32, one: Array32, other: Array32) -> float:
    return float(np.einsum("nc,nc,nc->", weight, one, other, dtype=float))
