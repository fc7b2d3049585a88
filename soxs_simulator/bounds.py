"""The best signal-to-noise ratio that any extraction can reach.

Bound (a): the sky is known. Bound (b): the Cramer-Rao bound when, in every wavelength pixel, a sky
that is constant plus linear along the slit is found from the same pixels. The noise of the
master calibration frames belongs in the variance of each pixel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .optics_geometry import MARGIN_PX, ArmGeometry, OrderGeometry
from .optics_render import lookup, slit_cells

Array = NDArray[np.float64]


@dataclass(frozen=True)
class NoisyImage:
    """Expected image of the object alone and the variance of every pixel of the frame.

    Attributes
    ----------
    object_e : ndarray
        Expected electrons of the object per science pixel.
    variance_e2 : ndarray
        Variance of the calibrated pixel value, the noise of master frames included.
    """

    object_e: NDArray[np.float32]
    variance_e2: NDArray[np.float32]


@dataclass(frozen=True)
class OrderBounds:
    """Signal-to-noise ratio per pixel of dispersion, sky known and sky fitted."""

    sky_known: Array
    sky_fitted: Array


def sn_bounds(
    geometry: ArmGeometry,
    images: Sequence[NoisyImage],
    transmission: Array,
    shared_sky: bool = False,
) -> dict[int, OrderBounds]:
    """Bounds of every order.

    Parameters
    ----------
    geometry : ArmGeometry
        Where wavelengths and slit positions lie.
    images : sequence of NoisyImage
        The exposures that are combined (one for stare; A and B for nodding).
    transmission : ndarray
        Transmission along the slit on ``SLIT_GRID``: how an even sky appears.
    shared_sky : bool
        Whether the sky is the same in all exposures, as image subtraction assumes; else each
        exposure has its own.

    Returns
    -------
    dict
        Order to bounds, per pixel of dispersion; a pixel collects the strip pixels whose
        wavelength is nearest to it. 0 where there is no light.
    """
    return {
        number: _order_bounds(order, images, transmission, shared_sky)
        for number, order in geometry.orders.items()
    }


def _order_bounds(
    order: OrderGeometry, images: Sequence[NoisyImage], transmission: Array, shared_sky: bool
) -> OrderBounds:
    groups = [images] if shared_sky else [[image] for image in images]
    known, fitted = 0.0, 0.0
    for group in groups:
        moments = sum(_moments(order, image, transmission) for image in group)
        known = known + moments[0]
        fitted = fitted + _schur(moments)
    return OrderBounds(np.sqrt(known), np.sqrt(np.clip(fitted, 0.0, None)))


def _moments(order: OrderGeometry, image: NoisyImage, transmission: Array) -> Array:
    """Sums of products of (object, sky, sky times s) over variance, per pixel of dispersion."""
    lit = order.area > 0
    length = len(order.q)
    place = np.arange(length)[:, None] + np.rint(order.q).astype(int)
    place = np.clip(place[lit] + MARGIN_PX, 0, length + 2 * MARGIN_PX - 1)
    index = order.index[lit]
    weight = 1.0 / image.variance_e2.reshape(-1)[index].astype(float)
    source = image.object_e.reshape(-1)[index].astype(float)
    even = (order.area[lit] * lookup(transmission, slit_cells(order.s[lit]))).astype(float)
    sloped = even * order.s[lit]
    pairs = (
        (source, source),
        (source, even),
        (source, sloped),
        (even, even),
        (even, sloped),
        (sloped, sloped),
    )
    size = length + 2 * MARGIN_PX
    sums = [np.bincount(place, a * b * weight, minlength=size) for a, b in pairs]
    return np.array(sums)[:, MARGIN_PX : MARGIN_PX + length]


def _schur(moments: Array) -> Array:
    """Information on the object when the two sky terms are unknown."""
    ff, fe, fs, ee, es, ss = moments
    det = ee * ss - es**2
    with np.errstate(divide="ignore", invalid="ignore"):
        lost = (ss * fe**2 - 2 * es * fe * fs + ee * fs**2) / det
    return ff - np.where(det > 0, lost, ff)
