"""Background and stars of an image.

The background is that of SExtractor (Bertin & Arnouts 1996) as SEP makes it (Barbary 2016). Stars
are peaks of the image filtered with the profile of a star, each pixel with the weight of its
variance: the value there is the signal over noise that a star of known shape has (Irwin 1985). A
peak needs no area of its own, so that neighbours of bright stars are found.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]
Array = NDArray[np.float64]

# Boxes of the background, px, and boxes over which its level is a median.
_BOX_PX, _FILTER_BOXES = 64, 3
_SIGMA_PER_FWHM = 1 / (2 * np.sqrt(2 * np.log(2)))
# The filter ends at so many standard deviations.
_TRUNCATE = 3.0
# A peak needs this share of the filter on usable pixels.
_LEAST_SHARE = 0.5
# Distance, in FWHM, within which a star has one peak.
_PEAK_REACH = 0.6
# Share of the light of a star beyond the Gaussian core that the filter sees.
_CORE_SHARE = 0.85


@dataclass(frozen=True)
class Detections:
    """Stars as found, brightest first.

    Attributes
    ----------
    x, y : ndarray
        0-based pixel of the centre.
    flux : ndarray
        Rough total flux.
    significance : ndarray
        Signal over noise of the filtered image.
    """

    x: Array
    y: Array
    flux: Array
    significance: Array

    def __len__(self) -> int:
        return len(self.x)

    def chosen(self, which: NDArray) -> Detections:
        """Return some of the stars."""
        return Detections(*(getattr(self, name)[which] for name in self.__dataclass_fields__))


def smooth_background(image: Image, mask: Mask, box_px: int = _BOX_PX) -> Image:
    """Background of an image: clipped modes of boxes, interpolated.

    Parameters
    ----------
    image : ndarray, shape (ny, nx)
        The image.
    mask : ndarray of bool
        Pixels to leave out.
    box_px : int
        Size of the boxes.
    """
    import sep

    data = np.ascontiguousarray(np.where(mask, 0, image), dtype=np.float32)
    made = sep.Background(data, mask=mask, bw=box_px, bh=box_px, fw=_FILTER_BOXES, fh=_FILTER_BOXES)
    return made.back(dtype=np.float32)


def find_stars(
    image: Image, variance: Image, mask: Mask, fwhm_px: float, kappa: float
) -> Detections:
    """Find the peaks of an image after filtering it with a Gaussian of the width of a star.

    Parameters
    ----------
    image, variance : ndarray, shape (ny, nx)
        Light above the background and its variance.
    mask : ndarray of bool
        Pixels to leave out.
    fwhm_px : float
        Width of a star.
    kappa : float
        Least signal over noise.
    """
    from scipy.ndimage import maximum_filter

    significance, flux = filtered(image, variance, mask, fwhm_px)
    reach = 2 * max(int(np.rint(_PEAK_REACH * fwhm_px)), 1) + 1
    peak = (significance == maximum_filter(significance, reach)) & (significance > kappa)
    row, column = np.nonzero(peak)
    x, y = _centres(significance, row, column)
    found = Detections(
        x, y, flux[row, column].astype(float), significance[row, column].astype(float)
    )
    return found.chosen(np.argsort(-found.flux))


def filtered(image: Image, variance: Image, mask: Mask, fwhm_px: float) -> tuple[Image, Image]:
    """Filter an image with a Gaussian of the width of a star.

    Parameters
    ----------
    image, variance, mask, fwhm_px
        As for `find_stars`.

    Returns
    -------
    ndarray
        Signal over noise of a star at each pixel, its standard deviation 1 if noise is white; 0
        where too few pixels are usable.
    ndarray
        Its total flux.
    """
    from scipy.ndimage import gaussian_filter

    filter_ = partial(gaussian_filter, mode="constant", truncate=_TRUNCATE)
    sigma = fwhm_px * _SIGMA_PER_FWHM
    weight = np.where(mask, 0, 1 / np.maximum(variance, 1e-6)).astype(np.float32)
    light = filter_(np.where(mask, 0, image) * weight, sigma)
    # The square of a Gaussian is one of half the variance, of sum 1 / (4 pi sigma^2).
    norm = filter_(weight, sigma / np.sqrt(2)) / (4 * np.pi * sigma**2)
    share = filter_((~mask).astype(np.float32), sigma)
    norm = np.maximum(norm, 1e-12)
    significance = np.where(share > _LEAST_SHARE, light / np.sqrt(norm), 0)
    return significance, light / norm / _CORE_SHARE


def star_width(image: Image, mask: Mask, stars: Detections, largest_px: float) -> Array:
    """Full width at half maximum of stars from the number of pixels above half of their peak.

    Parameters
    ----------
    image : ndarray
        Light above the background.
    mask : ndarray of bool
        Pixels to leave out: stars with any in their core have no width (NaN).
    stars : Detections
        The stars.
    largest_px : float
        Radius of the circle that is looked at.
    """
    half = int(np.ceil(largest_px))
    offset = np.arange(-half, half + 1)
    disc = np.hypot(offset, offset[:, None]) <= largest_px
    rows = np.clip(np.rint(stars.y).astype(int)[:, None] + offset, 0, image.shape[0] - 1)
    columns = np.clip(np.rint(stars.x).astype(int)[:, None] + offset, 0, image.shape[1] - 1)
    stamps = image[rows[:, :, None], columns[:, None, :]]
    bad = mask[rows[:, :, None], columns[:, None, :]]
    core = stamps[:, half - 1 : half + 2, half - 1 : half + 2]
    top = np.sort(core.reshape(len(stars), 9), axis=1)[:, -3:].mean(axis=1)
    above = (stamps > top[:, None, None] / 2) & disc
    spoiled = bad[:, half - 1 : half + 2, half - 1 : half + 2].any(axis=(1, 2))
    return np.where(spoiled, np.nan, 2 * np.sqrt(above.sum(axis=(1, 2)) / np.pi))


def _centres(image: Image, row: NDArray, column: NDArray) -> tuple[Array, Array]:
    """Tops of parabolas through a peak and its neighbours."""

    def shift(low: NDArray, middle: NDArray, high: NDArray) -> Array:
        curve = low - 2 * middle + high
        moved = np.divide(
            (low - high) / 2, curve, out=np.zeros(len(curve)), where=curve < 0, dtype=float
        )
        return np.clip(moved, -0.5, 0.5)

    ny, nx = image.shape
    up, down = np.minimum(row + 1, ny - 1), np.maximum(row - 1, 0)
    right, left = np.minimum(column + 1, nx - 1), np.maximum(column - 1, 0)
    middle = image[row, column]
    x = column + shift(image[row, left], middle, image[row, right])
    return x, row + shift(image[down, column], middle, image[up, column])
