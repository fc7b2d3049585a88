"""The steps between a raw frame and electrons with an error, each a pure function.

Their order is that of `soxs_recipes.recipes.detrending`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from soxs_recipes.algorithms.bands import row_bands
from soxs_recipes.algorithms.combining import median_inefficiency
from soxs_recipes.algorithms.frame import DetectorFrame
from soxs_recipes.algorithms.linearity import Linearity
from soxs_recipes.algorithms.quality import Quality, QualityArray
from soxs_recipes.algorithms.variance import NoiseModel

Image = NDArray[np.float32]

FAINT = 4.0
"""Up to this multiple of the read-noise variance photon noise is taken from the surroundings."""

# Pixels that exceed their surroundings by so many standard deviations tell their own signal.
_OUTSTANDING = np.float32(5.0)


def level_quality(
    signal_adu: Image, saturation_adu: ArrayLike, linearity: Linearity | None = None
) -> QualityArray:
    """Flag the pixels that are full, or beyond the range in which the response is known.

    Parameters
    ----------
    signal_adu : ndarray, shape (rows, nx)
        Signal above the zero level, before any correction.
    saturation_adu : float or ndarray
        Level above zero at which the converter is full.
    linearity : Linearity, optional
        Adds the levels measured on the detector.

    Returns
    -------
    ndarray of uint16
        Bits ``SATURATED`` and ``NONLINEAR``.
    """
    full = signal_adu >= np.asarray(saturation_adu, dtype=np.float32)
    if linearity is None:
        return full * np.uint16(Quality.SATURATED)
    full |= signal_adu >= np.float32(linearity.saturation_adu)
    beyond = signal_adu > np.float32(linearity.valid_to_adu)
    return full * np.uint16(Quality.SATURATED) | beyond * np.uint16(Quality.NONLINEAR)


def expected_signal(flux: Image, faint_below: float) -> Image:
    """Estimate the signal whose photon noise a pixel has.

    A bright pixel tells its own signal. In a faint one read noise rules; its own value, cut at
    zero, would make the variance too large on average (by 12 % where there is no signal and the
    read noise is 3 electrons), and not cut it could vanish. There running medians of three
    pixels, twice along both axes, are taken with their sign, unless a pixel stands out from them:
    it is hot, or the peak of a line.

    Parameters
    ----------
    flux : ndarray, shape (ny, nx)
        Electrons above the zero level.
    faint_below : float
        Median below which a pixel is faint: `FAINT` times the variance without signal.
    """
    result = np.empty_like(flux)
    for band in row_bands(len(flux)):
        first = max(band.start - 2, 0)
        part = flux[band]
        around = _twice_median(flux[first : band.stop + 2])[band.start - first :][: len(part)]
        quiet = np.float32(faint_below / FAINT) + np.maximum(around, 0)
        own = (around >= np.float32(faint_below)) | (part - around > _OUTSTANDING * np.sqrt(quiet))
        result[band] = np.where(own, part, around)
    return result


def _twice_median(image: Image) -> Image:
    """Running medians of three along both axes, twice."""
    one, two, scratch = (np.empty_like(image) for _ in range(3))
    for source in (image, two):
        _median_of_three(source, one, scratch)
        _median_of_three(one.T, two.T, scratch.T)
    return two


def _median_of_three(image: Image, out: Image, scratch: Image) -> None:
    """Running median along the first axis; the edge stands twice."""
    before, middle, after = image[:-2], image[1:-1], image[2:]
    high, inner = scratch[1:-1], out[1:-1]
    np.minimum(np.maximum(before, after, out=high), middle, out=high)
    np.maximum(np.minimum(before, after, out=inner), high, out=inner)
    out[0], out[-1] = image[0], image[-1]


def signed_variance(noise: NoiseModel, signal_e: Image) -> Image:
    """Variance of single frames for a signal that noise may have made negative.

    The model is continued below zero as an odd function about its value at zero, so that a mean
    signal of zero gives the read noise without bias; at least half of that is kept.
    """
    at_zero = noise.variance(0.0)
    above = noise.variance(np.abs(signal_e))
    return np.where(signal_e < 0, np.maximum(2 * at_zero - above, at_zero / 2), above)


def expected_light(flux: Image, noise: NoiseModel, structure: Image | None = None) -> Image:
    """Estimate the light whose photon noise each pixel has; see `expected_signal`.

    Parameters
    ----------
    flux : ndarray, shape (ny, nx)
        Electrons above the zero level.
    noise : NoiseModel
        Noise of one frame.
    structure : ndarray, optional
        What of the signal is no light: the structure of the bias.
    """
    light = flux if structure is None else flux - structure
    faint = FAINT * float(noise.variance(0.0))
    return np.asarray(expected_signal(light, faint), np.float32)


def mean_with_noise(
    flux: Image,
    quality: QualityArray,
    count: ArrayLike,
    noise: NoiseModel,
    is_median: bool = False,
    light: Image | None = None,
) -> DetectorFrame:
    """Give a combined signal its error: read noise, and photon noise of the signal above zero.

    Parameters
    ----------
    flux : ndarray, shape (ny, nx)
        Mean of `count` frames in electrons above the zero level, dark and sky included.
    quality : ndarray of uint16
        Its quality.
    count : array_like of int
        Frames that entered each pixel; 0 is taken as 1.
    noise : NoiseModel
        Noise of one frame.
    is_median : bool
        Whether the frames were combined by a median, which is noisier than a mean.
    light : ndarray, optional
        As of `expected_light`, where some of the signal is no light.
    """
    frames = np.maximum(np.asarray(count), 1)
    expected = expected_light(flux, noise) if light is None else light
    error = np.empty_like(expected)
    frames = np.broadcast_to(frames, error.shape)
    for band in row_bands(len(error)):
        variance = signed_variance(noise, expected[band]) / frames[band].astype(np.float32)
        if is_median:
            variance *= median_inefficiency(frames[band])
        np.sqrt(variance, out=error[band])
    return DetectorFrame(flux, error, quality)


def minus_dark(frame: DetectorFrame, dark: DetectorFrame, factor: float = 1.0) -> DetectorFrame:
    """Subtract a dark; `factor` is the exposure time of the frame where the dark is a rate."""
    return frame.minus(dark if factor == 1.0 else dark.times(factor))


def with_bad_pixels(frame: DetectorFrame, bad_pixels: QualityArray) -> DetectorFrame:
    """Add the bits of a bad-pixel map.

    Raises
    ------
    FrameShapeError
        If the map is not of the frame's shape.
    """
    empty = np.zeros(bad_pixels.shape, dtype=np.float32)
    return frame.minus(DetectorFrame(empty, empty, bad_pixels))


def flat_fielded(frame: DetectorFrame, flat: DetectorFrame) -> DetectorFrame:
    """Divide by the pixel response; where there is none there is no data."""
    return frame.divided_by(flat)
