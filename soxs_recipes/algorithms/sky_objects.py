"""Objects in the slit: their profile, measured along the orders and smooth in wavelength.

What is measured here tells the sky model where there is light of objects and how much; the
extraction measures profiles of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from soxs_recipes.algorithms.robust import mad_sd
from soxs_recipes.algorithms.slit_strips import SlitStrip

Array = NDArray[np.float64]
Array32 = NDArray[np.float32]
Mask = NDArray[np.bool_]

_BLOCK_PX = 128
_LEAST_SHARE = 0.3
_BIN_ARCSEC = 0.3
# Objects closer than this are one.
_SEPARATION_ARCSEC = 1.5
# Departures of the profile from its usual shape: FWHM (relative), Moffat's power, exponent of the
# FWHM in wavelength, and the curve of the trace in powers of wavelength (arcsec).
_USUAL_FWHM_ARCSEC, _USUAL_POWER, _USUAL_EXPONENT = 1.0, 3.0, -0.2
_SPREADS = np.array([0.5, 0.4, 0.3, 0.8, 0.5, 0.3])
_REFERENCE_NM = 1000.0
# A Moffat profile describes real ones to this share of themselves, and of their peak.
_MISFIT, _LEAST_MISFIT = 0.03, 2e-4
# Derivatives are taken over this part of a departure: profiles are single-precision numbers.
_DIFFERENCE = 1e-3


@dataclass(frozen=True)
class Profiles:
    """Light along the slit, sky level taken out, in blocks along dispersion.

    Attributes
    ----------
    wave_nm : ndarray, shape (blocks,)
        Wavelength of the middle of each block.
    slit_arcsec, light, error : ndarray, shape (blocks, width)
        Slit position, electrons per arcsec and px, and the standard error; NaN where none.
    """

    wave_nm: Array
    slit_arcsec: Array
    light: Array
    error: Array


@dataclass(frozen=True)
class SlitObject:
    """Moffat profile of an object along the slit (Moffat 1969).

    Attributes
    ----------
    centre_arcsec : tuple of float
        Slit position at 1000 nm, and its change with the first and second power of
        ``(1000 nm / wavelength)**2 - 1``, as of atmospheric refraction.
    fwhm_arcsec, power, exponent : float
        FWHM at 1000 nm, Moffat's power, and exponent of the FWHM in wavelength.
    snr : float
        Significance in the profile of all orders together; 0 if only expected.
    """

    centre_arcsec: tuple[float, float, float]
    fwhm_arcsec: float = _USUAL_FWHM_ARCSEC
    power: float = _USUAL_POWER
    exponent: float = _USUAL_EXPONENT
    snr: float = 0.0

    def trace(self, wave_nm: Array) -> Array:
        """Slit position at wavelengths."""
        return np.polynomial.polynomial.polyval(_refraction(wave_nm), self.centre_arcsec)

    def distance(self, wave_nm: Array, slit_arcsec: Array) -> Array32:
        """Distance from the object in units of its FWHM, rows of one wavelength each."""
        fwhm = self._fwhm(wave_nm)
        narrow, centre = (v.astype(np.float32)[:, None] for v in (1 / fwhm, self.trace(wave_nm)))
        return (slit_arcsec - centre) * narrow

    def profile(self, wave_nm: Array, slit_arcsec: Array) -> Array32:
        """Light per arcsec over all light, rows of one wavelength each."""
        narrow = (1 / self._fwhm(wave_nm)).astype(np.float32)[:, None]
        return self.at_distance(self.distance(wave_nm, slit_arcsec)) * narrow

    def at_distance(self, distance: Array32) -> Array32:
        """Light per FWHM over all light, at distances in FWHM."""
        per_fwhm = 2 * np.sqrt(2 ** (1 / self.power) - 1)
        apart = distance * np.float32(per_fwhm)
        return np.float32(per_fwhm * _norm(self.power)) * (1 + apart**2) ** np.float32(-self.power)

    def _fwhm(self, wave_nm: Array) -> Array:
        return self.fwhm_arcsec * (np.asarray(wave_nm) / _REFERENCE_NM) ** self.exponent


def at_one_wavelength(strip: SlitStrip, light: Array32, good: Mask) -> Array32:
    """Values of the nearest pixels of one wavelength in each row, NaN where there is none.

    Parameters
    ----------
    strip : SlitStrip
        The order.
    light : ndarray, shape (length, width)
        Values in the shape of the strip.
    good : ndarray of bool
        Pixels to use.
    """
    length, width = light.shape
    along = np.arange(length)[:, None]
    source = np.clip(np.rint(2 * along - strip.column).astype(int), 0, length - 1)
    across = np.arange(width)
    return np.where(good[source, across], light[source, across], np.float32(np.nan))


def measure_profiles(strips: Sequence[SlitStrip], above: Sequence[Array32]) -> Profiles:
    """Profiles along the slit in blocks along dispersion, by medians.

    Parameters
    ----------
    strips : sequence of SlitStrip
        The orders.
    above : sequence of ndarray
        Electrons per arcsec and px above the level of the wavelength; rows of one wavelength.
    """
    parts = [_order_profiles(*each) for each in zip(strips, above, strict=True)]
    width = max(part[1].shape[1] for part in parts)

    def joined(which: int) -> Array:
        pads = [((0, 0), (0, width - part[which].shape[1])) for part in parts]
        rows = [
            np.pad(part[which], pad, constant_values=np.nan)
            for part, pad in zip(parts, pads, strict=True)
        ]
        return np.concatenate(rows)

    wave = np.concatenate([part[0] for part in parts])
    return Profiles(wave, joined(1), joined(2), joined(3))


def _order_profiles(strip: SlitStrip, above: Array32) -> tuple[Array, ...]:
    length, width = above.shape
    blocks = length // _BLOCK_PX
    block = above[: blocks * _BLOCK_PX].reshape(blocks, _BLOCK_PX, width).swapaxes(1, 2)
    ordered = np.sort(block, axis=2)
    count = np.isfinite(ordered).sum(axis=2)
    low, level, high = (_of_sorted(ordered, count, share) for share in (0.25, 0.5, 0.75))
    enough = count > _LEAST_SHARE * _BLOCK_PX
    # Standard error of a median of Gaussian data, from their quartiles.
    error = 1.2533 * 0.7413 * (high - low) / np.sqrt(np.maximum(count, 1))
    error = np.where(enough, error, np.nan).astype(float)
    seen = np.isfinite(error).sum(axis=1) > _LEAST_SHARE * width
    middle = np.arange(blocks) * _BLOCK_PX + _BLOCK_PX // 2
    slit = strip.slit_arcsec[: blocks * _BLOCK_PX].reshape(blocks, _BLOCK_PX, width)
    parts = strip.wave_nm[middle], slit.mean(axis=1, dtype=float), level, error
    return tuple(part[seen] for part in parts)


def _of_sorted(ordered: Array, count: NDArray[np.int_], share: float) -> Array:
    """Quantile along the last axis of sorted values, NaN last."""
    rank = np.clip(np.rint(share * (count - 1)).astype(int), 0, None)
    return np.take_along_axis(ordered, rank[..., None], -1)[..., 0]


def medians(values: Array32) -> Array32:
    """Median along the last axis; NaN where there is nothing."""
    ordered = np.sort(values, axis=-1)
    return _of_sorted(ordered, np.isfinite(values).sum(axis=-1), 0.5)


def find_objects(
    profiles: Profiles, expected_arcsec: float, least_snr: float, most: int, signed: bool = False
) -> tuple[SlitObject, ...]:
    """Find objects in the profile of all orders together, and fit their shape and trace.

    Parameters
    ----------
    profiles : Profiles
        See `measure_profiles`.
    expected_arcsec : float
        Where the target should be; it is allowed for there if nothing is found (NaN: unknown).
    least_snr : float
        Significance from which a peak is an object.
    most : int
        Largest number of objects.
    signed : bool
        Whether objects may be negative, as in the difference of two exposures.
    """
    starts: list[tuple[float, float]] = []
    objects: list[SlitObject] = []
    lights: list[Array] = []
    while len(starts) < most:
        peak = _peak(profiles, lights, [start for start, _ in starts], signed)
        if peak is None or peak[1] <= least_snr:
            break
        starts.append(peak)
        objects, lights = _fit_all(profiles, starts)
    known = [abs(one.centre_arcsec[0] - expected_arcsec) < _SEPARATION_ARCSEC for one in objects]
    if np.isfinite(expected_arcsec) and not any(known):
        objects.append(SlitObject((expected_arcsec, 0.0, 0.0)))
    return tuple(objects)


def _peak(
    profiles: Profiles, lights: Sequence[Array], starts: Sequence[float], signed: bool
) -> tuple[float, float] | None:
    """Most significant peak beside the objects that were fitted, with its significance."""
    fitted = sum(lights, start=np.zeros_like(profiles.light))
    place, light, error = _stacked(replace(profiles, light=profiles.light - fitted))
    if not len(place):
        return None
    left = light - np.median(light)
    if lights:
        # What a profile leaves of a bright object is no object.
        _, shape, _ = _stacked(replace(profiles, light=fitted))
        error = np.hypot(error, _MISFIT * shape)
    near = np.abs(place[:, None] - np.array(starts)) < _SEPARATION_ARCSEC
    height = np.where(near.any(axis=1), 0.0, np.abs(left) if signed else left)
    ratio = height / np.maximum(error, 1e-12)
    top = int(np.argmax(ratio))
    return float(place[top]), float(ratio[top])


def _fit_all(
    profiles: Profiles, starts: Sequence[tuple[float, float]]
) -> tuple[list[SlitObject], list[Array]]:
    """Fit objects one after the other, the light of all others taken out; twice if several."""
    lights = [np.zeros_like(profiles.light) for _ in starts]
    objects: list[SlitObject] = []
    for _ in range(min(len(starts), 2)):
        objects = []
        for number, (place, snr) in enumerate(starts):
            others = sum(light for k, light in enumerate(lights) if k != number)
            alone = replace(profiles, light=profiles.light - others)
            found, lights[number] = _fit(alone, place, snr)
            objects.append(found)
    return objects, lights


def _stacked(profiles: Profiles) -> tuple[Array, Array, Array]:
    """Weighted mean of all profiles in bins of slit position."""
    known = np.isfinite(profiles.error) & (profiles.error > 0)
    slit, light, error = (
        plane[known] for plane in (profiles.slit_arcsec, profiles.light, profiles.error)
    )
    if not len(slit):
        return slit, light, error
    # Blocks weigh as a whole, so that where a block's noise is underrated no bin stands out.
    block_error = np.repeat(medians(profiles.error), known.sum(axis=1))
    weight = 1 / np.maximum(block_error, 1e-12) ** 2
    number = np.floor((slit - slit.min()) / _BIN_ARCSEC).astype(int)
    total = np.bincount(number, weight)
    seen = total > 0.3 * np.median(total[total > 0])
    mean = np.bincount(number, weight * light)[seen] / total[seen]
    place = np.bincount(number, weight * slit)[seen] / total[seen]
    sd = np.sqrt(np.bincount(number, weight**2 * error**2)[seen]) / total[seen]
    # Illumination of the slit is uneven: the scatter of the bins tells by how much.
    rough = mad_sd(np.diff(mean)) / np.sqrt(2)
    return place, mean, np.hypot(sd, rough)


def _fit(profiles: Profiles, start_arcsec: float, snr: float) -> tuple[SlitObject, Array]:
    """Least squares for shape and trace; amplitude, level and slope of each block are linear.

    Returns the object and its light in the profiles.
    """
    known = profiles.error > 0
    light = np.where(known, profiles.light, 0.0)
    slit = np.nan_to_num(profiles.slit_arcsec)
    floor = np.abs(light) * _MISFIT + np.abs(light).max(axis=1, keepdims=True) * _LEAST_MISFIT
    weight = np.where(known, 1 / np.hypot(np.where(known, profiles.error, 1.0), floor), 0.0)

    def solved(departure: Array) -> tuple[Array, Array, Array]:
        shape = _object(departure, start_arcsec).profile(profiles.wave_nm, slit).astype(float)
        basis = np.stack([shape, np.ones_like(shape), slit - start_arcsec], axis=-1)
        basis *= weight[..., None]
        turned = basis.transpose(0, 2, 1)
        normal = turned @ basis + 1e-9 * np.eye(3)
        return shape, basis, np.linalg.solve(normal, turned @ (light * weight)[..., None])

    def residuals(departure: Array) -> Array:
        _, basis, amplitude = solved(departure)
        misfit = light * weight - (basis @ amplitude)[..., 0]
        # Blocks in which a profile cannot be described must not rule the others.
        return np.concatenate([4 * np.arcsinh(misfit.ravel() / 4), departure])

    def slopes(departure: Array) -> Array:
        here = residuals(departure)
        beside = departure + _DIFFERENCE * np.eye(len(departure))
        return np.stack([residuals(one) - here for one in beside], axis=1) / _DIFFERENCE

    start, limit = np.zeros(len(_SPREADS)), 2.8
    best = least_squares(residuals, start, slopes, bounds=(-limit, limit), max_nfev=15)
    fitted = _object(best.x, start_arcsec)
    shape, _, amplitude = solved(best.x)
    return replace(fitted, snr=snr), shape * amplitude[:, 0]


def _object(departure: Array, start_arcsec: float) -> SlitObject:
    width, power, exponent, *curve = departure * _SPREADS
    return SlitObject(
        (start_arcsec + curve[0], curve[1], curve[2]),
        _USUAL_FWHM_ARCSEC * np.exp(width),
        _USUAL_POWER + power,
        _USUAL_EXPONENT + exponent,
    )


def _refraction(wave_nm: Array) -> Array:
    return (_REFERENCE_NM / np.asarray(wave_nm)) ** 2 - 1


def _norm(power: float) -> float:
    """Integral normalisation of ``(1 + u**2)**-power``."""
    from scipy.special import gamma

    return float(gamma(power) / (np.sqrt(np.pi) * gamma(power - 0.5)))
