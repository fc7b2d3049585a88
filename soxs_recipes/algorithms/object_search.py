"""Objects along the slit, found in the profile stacked over all orders."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, gaussian_filter1d, maximum_filter1d

from soxs_recipes.algorithms.beam_pixels import OrderPixels
from soxs_recipes.algorithms.parallel import in_parallel
from soxs_recipes.algorithms.robust import mad_sd

Array = NDArray[np.float64]

STEP_ARCSEC = 0.1
_TYPICAL_FWHM_ARCSEC = 0.9
# Pixels beyond so many SDs of their noise count as being there: no single one makes an object.
_CAP_SIGMA = 20.0
_CHUNK_BINS = 128
# An object stands out of the wings of a brighter one by this part of its own height.
_LEAST_PROMINENCE = 0.3
_LEAST_SHARE = 0.01
EXTENDED_ARCSEC = 3.0
_EDGE_STEPS = 3
# Around images of the other sign nothing is looked for.
_OTHER_SIGN_ARCSEC = 2.0


@dataclass(frozen=True)
class StackedProfile:
    """Light along the slit, averaged over all orders and beams.

    Attributes
    ----------
    offset_arcsec : ndarray
        Distance from where the object should be.
    flux, error : ndarray
        Electrons per bin and arcsec, and its standard error; NaN where the slit is not seen.
    """

    offset_arcsec: Array
    flux: Array
    error: Array


@dataclass(frozen=True)
class SlitObject:
    """An object on the slit.

    Attributes
    ----------
    offset_arcsec : float
        Distance from where the object should be.
    flux : float
        Mean electrons per bin.
    snr : float
        Signal-to-noise ratio of the detection.
    fwhm_arcsec : float
        Width along the slit.
    """

    offset_arcsec: float
    flux: float
    snr: float
    fwhm_arcsec: float

    @property
    def kind(self) -> str:
        """POINT or EXTENDED."""
        return "EXTENDED" if self.fwhm_arcsec > EXTENDED_ARCSEC else "POINT"


@dataclass(frozen=True)
class BeamView:
    """Pixels of the frame that a beam is in.

    Attributes
    ----------
    orders : iterable of OrderPixels
        Pixels of the frame.
    sign : int
        Sign of the beam.
    slit_arcsec : float
        Where the object should be.
    others_arcsec : tuple of float
        Where the frame holds it with the other sign.
    """

    orders: Iterable[OrderPixels]
    sign: int
    slit_arcsec: float
    others_arcsec: tuple[float, ...] = ()


def stacked_profile(
    beams: Sequence[BeamView], limits_arcsec: tuple[float, float]
) -> StackedProfile:
    """Average the light along the slit over orders and beams by inverse variance.

    Parameters
    ----------
    beams : sequence of BeamView
        The beams.
    limits_arcsec : tuple of float
        Ends of the slit.
    """
    expected = [beam.slit_arcsec for beam in beams]
    low, high = limits_arcsec[0] - max(expected), limits_arcsec[1] - min(expected)
    first, count = np.floor(low / STEP_ARCSEC), int(np.ceil((high - low) / STEP_ARCSEC)) + 2
    total, weight = np.zeros(count), np.zeros(count)
    for beam in beams:
        how = partial(_sums, beam=beam, limits_arcsec=limits_arcsec, first=first, count=count)
        for light in in_parallel(how, list(beam.orders)):
            total += light[0]
            weight += light[1]
    seen = weight > 0.1 * weight.max()
    with np.errstate(divide="ignore", invalid="ignore"):
        flux = np.where(seen, total / weight, np.nan)
        error = np.where(seen, weight**-0.5, np.nan)
    return StackedProfile((first + np.arange(count)) * STEP_ARCSEC, flux, error)


def find_objects(profile: StackedProfile, detection_sigma: float) -> list[SlitObject]:
    """Find the maxima of a profile that noise does not explain, the brightest first."""
    seen = np.isfinite(profile.flux)
    if not seen.any():
        return []
    width = _TYPICAL_FWHM_ARCSEC / 2.3548 / STEP_ARCSEC
    base = _base(profile.flux[seen], profile.error[seen])
    light = np.where(seen, profile.flux - base, 0.0)
    smooth = gaussian_filter1d(light, width, mode="constant")
    norm = gaussian_filter1d(seen.astype(float), width, mode="constant")
    smooth = np.where(seen, smooth / np.maximum(norm, 0.1), 0.0)
    # Neighbouring steps share pixels and, in all orders at once, errors of the sky.
    noise = _smooth_noise(profile, seen, width, smooth)
    reach = max(3, round(_TYPICAL_FWHM_ARCSEC / 2 / STEP_ARCSEC))
    # What still rises at the end of what is seen is the wing of something beyond it.
    inside = binary_erosion(seen, iterations=_EDGE_STEPS)
    peaks = np.flatnonzero((smooth == maximum_filter1d(smooth, 2 * reach + 1)) & inside)
    peaks = peaks[smooth[peaks] > detection_sigma * noise[peaks]]
    peaks = [k for k in peaks[np.argsort(-smooth[peaks])] if _stands_out(smooth, k, noise[k])]
    bright = [k for k in peaks if smooth[k] > _LEAST_SHARE * smooth[peaks[0]]]
    return [_measured(profile, light, smooth, noise, int(k)) for k in bright]


def _sums(
    pixels: OrderPixels,
    beam: BeamView,
    limits_arcsec: tuple[float, float],
    first: float,
    count: int,
) -> Array:
    """Light of an order in steps along the slit, and its weight."""
    slit, use = pixels.slit_arcsec, pixels.usable | pixels.suspect
    use = use & (slit > limits_arcsec[0]) & (slit < limits_arcsec[1])
    for other in beam.others_arcsec:
        use &= np.abs(slit - other) > _OTHER_SIGN_ARCSEC
    place = np.rint((slit[use] - beam.slit_arcsec) / STEP_ARCSEC - first).astype(int)
    area, inverse = pixels.area[use], 1 / pixels.variance[use]
    value = beam.sign * _capped(pixels)[use]
    planes = (value * area * inverse, area**2 * inverse)
    return np.array([np.bincount(place, plane, count) for plane in planes])


def _capped(pixels: OrderPixels) -> NDArray:
    """Signal, with outliers brought back to what their surroundings in the order hold."""
    value, sigma = pixels.value, np.sqrt(pixels.variance)
    chunks = range(0, len(value), _CHUNK_BINS)
    capped = np.empty_like(value)
    for start in chunks:
        part = slice(start, start + _CHUNK_BINS)
        level = np.median(value[part], axis=0)
        limit = _CAP_SIGMA * sigma[part] + 3 * np.abs(level)
        capped[part] = np.clip(value[part], level - limit, level + limit)
    return capped


def _base(flux: Array, error: Array) -> float:
    """Level beside objects: the first quartile is below it by what noise makes it."""
    return float(np.quantile(flux, 0.25) + 0.6745 * np.median(error))


def _smooth_noise(
    profile: StackedProfile, seen: NDArray[np.bool_], width: float, smooth: Array
) -> Array:
    formal = np.sqrt(
        gaussian_filter1d(np.where(seen, np.nan_to_num(profile.error) ** 2, 0.0), width)
        / (2 * np.sqrt(np.pi) * width)
    )
    quiet = np.sort(smooth[seen])[: max(5, int(0.6 * seen.sum()))]
    return np.hypot(formal, mad_sd(quiet))


def _stands_out(smooth: Array, peak: int, noise: float) -> bool:
    """Whether the profile falls enough on both sides before it rises to something brighter."""
    height = smooth[peak]
    for side in (smooth[peak:], smooth[peak::-1]):
        higher = np.flatnonzero(side > height)
        if not higher.size:
            continue
        valley = side[: higher[0]].min()
        if height - valley < max(_LEAST_PROMINENCE * height, 3 * noise):
            return False
    return True


def _measured(
    profile: StackedProfile, light: Array, smooth: Array, noise: Array, peak: int
) -> SlitObject:
    """Position, flux and width of one maximum."""
    half = light[max(peak - 1, 0) : peak + 2].mean() / 2
    right = _first_below(light[peak:], half)
    left = _first_below(light[peak::-1], half)
    fwhm = (left + right) * STEP_ARCSEC
    reach = max(2, round(0.7 * (left + right) / 2))
    part = slice(max(peak - reach, 0), peak + reach + 1)
    weight = np.maximum(light[part], 0.0)
    offset = float(np.sum(weight * profile.offset_arcsec[part]) / max(weight.sum(), 1e-30))
    wide = slice(max(peak - 3 * reach, 0), peak + 3 * reach + 1)
    flux = float(light[wide].sum() * STEP_ARCSEC)
    return SlitObject(offset, flux, float(smooth[peak] / noise[peak]), float(fwhm))


def _first_below(light: Array, level: float) -> float:
    """Steps from the start of a profile to where it falls below a level, interpolated."""
    below = np.flatnonzero(light < level)
    if not below.size:
        return float(len(light))
    k = int(below[0])
    if k == 0:
        return 0.5
    return k - 1 + (light[k - 1] - level) / (light[k - 1] - light[k])
