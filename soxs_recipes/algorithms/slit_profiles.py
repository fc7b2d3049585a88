"""Light along the slit, averaged in some ranges of wavelength of each order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from soxs_recipes.algorithms.beam_pixels import OrderPixels, nearest_bins
from soxs_recipes.algorithms.uniform_splines import at_places

Array = NDArray[np.float64]

_STEP_ARCSEC = 0.15
_PARTS = 16
# The spectrum by which rows are compared is smoothed over so many bins, and is within these limits.
_SMOOTH_BINS, _CONTRAST = 31, (0.2, 5.0)
# Around images of the other sign nothing is looked at.
_OTHER_SIGN_ARCSEC = 2.0


@dataclass(frozen=True)
class SlitProfiles:
    """Light along the slit in ranges of wavelength.

    Attributes
    ----------
    wave_nm : ndarray, shape (parts,)
        Middle of each range.
    slit_arcsec, light, error : ndarray, shape (parts, steps)
        Slit position, electrons per bin and arcsec, and the standard error; infinite where nothing
        is known.
    sky : ndarray, shape (parts, steps)
        Electrons of sky that were subtracted.
    """

    wave_nm: Array
    slit_arcsec: Array
    light: Array
    error: Array
    sky: Array


def slit_profiles(
    orders: Sequence[OrderPixels],
    sign: int,
    limits_arcsec: tuple[float, float],
    others_arcsec: Sequence[float] = (),
) -> SlitProfiles:
    """Average the light along the slit in ranges of wavelength.

    Parameters
    ----------
    orders : sequence of OrderPixels
        The frame.
    sign : int
        Sign of the object in it.
    limits_arcsec : tuple of float
        Ends of the slit.
    others_arcsec : sequence of float
        Slit positions of images of the other sign, around which nothing is looked at.
    """
    parts = max(1, round(_PARTS / len(orders)))
    rows = [_order_profiles(one, sign, limits_arcsec, others_arcsec, parts) for one in orders]
    return SlitProfiles(*(np.concatenate(columns) for columns in zip(*rows, strict=True)))


def _order_profiles(
    pixels: OrderPixels,
    sign: int,
    limits_arcsec: tuple[float, float],
    others_arcsec: Sequence[float],
    parts: int,
) -> tuple[Array, ...]:
    slit = pixels.slit_arcsec
    use = (pixels.usable | pixels.suspect) & (slit > limits_arcsec[0]) & (slit < limits_arcsec[1])
    for other in others_arcsec:
        use &= np.abs(slit - other) > _OTHER_SIGN_ARCSEC
    steps = int(np.ceil((limits_arcsec[1] - limits_arcsec[0]) / _STEP_ARCSEC))
    step = ((slit[use] - limits_arcsec[0]) / _STEP_ARCSEC).astype(int)
    part = np.clip((pixels.place[use] * parts / pixels.count).astype(int), 0, parts - 1)
    place, size = part * steps + step, parts * steps
    # Rows that a step happens to see may be brighter than those of its neighbours.
    spectrum = at_places(_spectrum(pixels, sign, use), pixels.place[use])
    area, inverse = pixels.area[use] * spectrum, 1 / pixels.variance[use].astype(float)
    weight = np.bincount(place, area**2 * inverse, size)
    total = np.bincount(place, sign * pixels.value[use] * area * inverse, size)
    mean_slit = np.bincount(place, slit[use] * area**2 * inverse, size)
    photons = np.bincount(place, area**3 * inverse**2, size)
    seen = weight > 0.2 * np.median(weight[weight > 0]) if weight.any() else weight > 0
    safe = np.where(seen, weight, 1.0)
    mean_slit, light, photons = (one / safe for one in (mean_slit, total, photons))
    # The variance of the pixels is that without light of objects.
    variance = (1 + np.maximum(light, 0) * photons) / safe
    subtracted = np.zeros(size)
    if pixels.sky is not None:
        subtracted = np.bincount(place, pixels.sky[use] * area * inverse, size) / safe
    error = np.where(seen, np.sqrt(variance), np.inf)
    planes = mean_slit, np.where(seen, light, 0.0), error, subtracted
    middle = pixels.wave_of((np.arange(parts) + 0.5) * pixels.count / parts)
    return middle, *(plane.reshape(parts, steps) for plane in planes)


def _spectrum(pixels: OrderPixels, sign: int, use: NDArray[np.bool_]) -> Array:
    """All light on the slit along the order, smoothed and relative to its median."""
    total = nearest_bins(pixels.place, np.where(use, sign * pixels.value, np.float32(0)))
    light = uniform_filter1d(total.sum(axis=1, dtype=float), _SMOOTH_BINS, mode="nearest")
    middle = float(np.median(light))
    return np.clip(light / middle, *_CONTRAST) if middle > 0 else np.ones(len(light))
