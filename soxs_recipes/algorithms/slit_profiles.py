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
# Pixels further from the light of their step than noise and lines of the object allow are struck.
_KAPPA, _LINE_CONTRAST = 6.0, 1.5


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
    use = _looked_at(pixels, limits_arcsec, others_arcsec)
    steps = int(np.ceil((limits_arcsec[1] - limits_arcsec[0]) / _STEP_ARCSEC))
    step = ((pixels.slit_arcsec[use] - limits_arcsec[0]) / _STEP_ARCSEC).astype(int)
    part = np.clip((pixels.place[use] * parts / pixels.count).astype(int), 0, parts - 1)
    # Rows that a step happens to see may be brighter than those of its neighbours.
    spectrum = at_places(_spectrum(pixels, sign, use), pixels.place[use])
    columns = _Columns(
        part * steps + step,
        pixels.slit_arcsec[use],
        sign * pixels.value[use],
        pixels.area[use] * spectrum,
        pixels.variance[use].astype(float),
        np.zeros(spectrum.shape) if pixels.sky is None else pixels.sky[use],
    )
    size = parts * steps
    # What the search for cosmic rays missed may be a hundred times as bright as faint light.
    clean = columns.taken(~columns.outliers(columns.averages(size)[1]))
    middle = pixels.wave_of((np.arange(parts) + 0.5) * pixels.count / parts)
    return middle, *(plane.reshape(parts, steps) for plane in clean.averages(size))


def _looked_at(
    pixels: OrderPixels, limits_arcsec: tuple[float, float], others_arcsec: Sequence[float]
) -> NDArray[np.bool_]:
    slit = pixels.slit_arcsec
    use = pixels.usable & (slit > limits_arcsec[0]) & (slit < limits_arcsec[1])
    for other in others_arcsec:
        use &= np.abs(slit - other) > _OTHER_SIGN_ARCSEC
    return use


@dataclass(frozen=True)
class _Columns:
    """Pixels: the step they belong to, and what they hold."""

    place: NDArray[np.integer]
    slit_arcsec: NDArray
    value: NDArray
    area: NDArray
    variance: NDArray
    sky: NDArray

    def taken(self, keep: NDArray[np.bool_]) -> _Columns:
        """Some of the pixels."""
        return _Columns(*(column[keep] for column in vars(self).values()))

    def outliers(self, light: Array) -> NDArray[np.bool_]:
        """Pixels that differ from the light of their step by more than noise and lines allow."""
        expected = light[self.place] * self.area
        allowed = self.variance + np.abs(expected) + (_LINE_CONTRAST * expected) ** 2
        return (self.value - expected) ** 2 > _KAPPA**2 * allowed

    def averages(self, size: int) -> tuple[Array, Array, Array, Array]:
        """Slit position, light, its error, and sky of every step."""
        inverse = self.area / self.variance
        planes = (self.area, self.slit_arcsec * self.area, self.value, self.sky)
        sums = [np.bincount(self.place, inverse * plane, size) for plane in planes]
        photons = np.bincount(self.place, inverse**2 * self.area, size)
        weight = sums[0]
        seen = weight > 0.2 * np.median(weight[weight > 0]) if weight.any() else weight > 0
        safe = np.where(seen, weight, 1.0)
        slit, light, sky, photons = (one / safe for one in (*sums[1:], photons))
        # The variance of the pixels is that without light of objects.
        variance = (1 + np.maximum(light, 0) * photons) / safe
        error = np.where(seen, np.sqrt(variance), np.inf)
        return slit, np.where(seen, light, 0.0), error, sky * seen


def _spectrum(pixels: OrderPixels, sign: int, use: NDArray[np.bool_]) -> Array:
    """All light on the slit along the order, smoothed and relative to its median."""
    (total,) = nearest_bins(pixels.place, np.where(use, sign * pixels.value, np.float32(0)))
    light = uniform_filter1d(total.sum(axis=1, dtype=float), _SMOOTH_BINS, mode="nearest")
    middle = float(np.median(light))
    return np.clip(light / middle, *_CONTRAST) if middle > 0 else np.ones(len(light))
