"""Rectified orders of a slit become one flux-calibrated image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from soxs_recipes.algorithms.quality import Quality, QualityArray, has

Array = NDArray[np.float64]

_SMOOTH_COLUMNS = 51


@dataclass(frozen=True)
class ImagePart:
    """One order on a range of columns of the common grid.

    Attributes
    ----------
    columns : slice
        Columns of the grid.
    flux, variance : ndarray, shape (slit, columns)
        Calibrated flux and its variance; not finite where there is none.
    quality : ndarray of uint16
        Quality bits.
    """

    columns: slice
    flux: Array
    variance: Array
    quality: QualityArray


def combine_images(
    parts: Sequence[ImagePart], shape: tuple[int, int]
) -> tuple[Array, Array, QualityArray]:
    """Average orders where they overlap, with weights that are smooth along wavelength.

    The weight of an order in a column is the inverse of its median variance there, so that cells
    of one column are weighted alike and the profile along the slit keeps its form.

    Parameters
    ----------
    parts : sequence of ImagePart
        Orders.
    shape : tuple of int
        Rows and columns of the grid.

    Returns
    -------
    flux, variance, quality : ndarray
        NaN and NO_DATA where no order has a usable cell.
    """
    total, flux, variance = (np.zeros(shape) for _ in range(3))
    quality = np.zeros(shape, np.uint16)
    for part in parts:
        good = np.isfinite(part.flux) & np.isfinite(part.variance) & (part.variance > 0)
        good &= ~has(part.quality)
        weight = np.where(good, _column_weights(part.variance, good), 0.0)
        total[:, part.columns] += weight
        flux[:, part.columns] += weight * np.where(good, part.flux, 0.0)
        variance[:, part.columns] += weight**2 * np.where(good, part.variance, 0.0)
        quality[:, part.columns] |= np.where(good, part.quality, np.uint16(0))
    known = total > 0
    scale = np.divide(1.0, total, out=np.full(shape, np.nan), where=known)
    quality |= np.where(known, np.uint16(0), np.uint16(Quality.NO_DATA))
    return flux * scale, variance * scale**2, quality


def _column_weights(variance: Array, good: NDArray[np.bool_]) -> Array:
    """Inverse of the median variance of each column, smoothed; 0 where there is none."""
    filled = np.sort(np.where(good, variance, np.inf), axis=0)
    middle = np.maximum(good.sum(axis=0) - 1, 0) // 2
    typical = filled[middle, np.arange(variance.shape[1])]
    inverse = np.where(np.isfinite(typical), 1 / typical, 0.0)
    seen = (inverse > 0).astype(float)
    total = uniform_filter1d(inverse, _SMOOTH_COLUMNS, mode="constant")
    number = uniform_filter1d(seen, _SMOOTH_COLUMNS, mode="constant")
    return np.divide(total, number, out=np.zeros_like(total), where=seen > 0)
