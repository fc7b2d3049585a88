"""Bias level of a CCD frame from its prescan columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter1d

from soxs_recipes.algorithms.robust import clipped_statistics, mad_sd, median

PrescanMethod = Literal["frame", "row", "smooth"]


@dataclass(frozen=True)
class PrescanLevel:
    """Bias level per row.

    Parameters
    ----------
    level : ndarray of float32, shape (ny,)
        Level to subtract from each row, unit of the frame.
    error : ndarray of float32, shape (ny,)
        Its standard error. The error of one level is common to all pixels of the row.
    read_noise : float
        Standard deviation of single prescan pixels about their row's mean, same unit.
    """

    level: NDArray[np.float32]
    error: NDArray[np.float32]
    read_noise: float


def prescan_level(
    prescan: ArrayLike,
    method: PrescanMethod = "smooth",
    smoothing_rows: float = 50.0,
    kappa: float = 4.0,
) -> PrescanLevel:
    """Measure the bias level of each row in the prescan.

    Parameters
    ----------
    prescan : array_like, shape (ny, columns)
        Prescan pixels of a raw frame, at least 2 columns.
    method : {"smooth", "row", "frame"}
        One level for the frame, one per row, or one per row smoothed along y. A level per row
        follows every drift but adds ``read_noise / sqrt(columns)`` of noise to the row.
    smoothing_rows : float
        Standard deviation in rows of the Gaussian used by ``smooth``.
    kappa : float
        Pixels further from their row's median than that many times the prescan's noise are
        rejected; so are, by ``smooth``, rows that stand out from their neighbourhood.

    Returns
    -------
    PrescanLevel

    Raises
    ------
    ValueError
        If the prescan is no image of at least two columns, holds nothing finite, or the method is
        unknown.
    """
    pixels = np.asarray(prescan, dtype=np.float32)
    if pixels.ndim != 2 or pixels.shape[1] < 2 or not np.isfinite(pixels).any():
        raise ValueError(f"a prescan of shape (ny, >= 2) expected, found {pixels.shape}")
    if method not in ("frame", "row", "smooth"):
        raise ValueError(f"method must be frame, row or smooth, found {method!r}")
    mean, weight, noise = _row_means(pixels, kappa)
    if method == "frame":
        level, error = _frame_level(mean, weight, noise)
    elif method == "row":
        level, error = _fill(mean, weight), noise / np.sqrt(np.maximum(weight, 1))
    else:
        level, error = _smooth(mean, weight, noise, smoothing_rows, kappa)
    return PrescanLevel(level.astype(np.float32), error.astype(np.float32), float(noise))


def _row_means(
    pixels: NDArray[np.float32], kappa: float
) -> tuple[NDArray, NDArray[np.integer], float]:
    """Return mean and number of kept pixels per row, and the noise of one pixel."""
    residual = pixels - median(pixels, axis=1)[:, None]
    # A quarter of the rows tells the noise to a few per mille.
    step = 4 if pixels.size > 100_000 else 1
    scale = clipped_statistics(residual[::step], kappa=kappa).sd
    # Digitised levels may make the scale zero; half a unit of the data's resolution is no outlier.
    keep = np.abs(residual) <= kappa * max(float(scale), np.finfo(np.float32).tiny)
    count = keep.sum(axis=1)
    mean = np.sum(pixels, axis=1, where=keep, dtype=np.float64) / np.maximum(count, 1)
    square = np.square(pixels - mean[:, None], where=keep, out=np.zeros(pixels.shape))
    freedom = np.maximum(count - 1, 0).sum()
    return mean, count, float(np.sqrt(square.sum() / max(freedom, 1)))


def _fill(mean: NDArray, weight: NDArray[np.integer]) -> NDArray:
    """Give rows without a kept pixel the level of the frame."""
    return np.where(weight > 0, mean, np.median(mean[weight > 0]))


def _frame_level(
    mean: NDArray, weight: NDArray[np.integer], noise: float
) -> tuple[NDArray, NDArray]:
    """One level, its error from the scatter of the rows if that exceeds the pixel noise."""
    rows = clipped_statistics(mean[weight > 0], kappa=4.0)
    error = max(float(rows.error), noise / float(np.sqrt(weight.sum())))
    return np.full(mean.shape, rows.mean), np.full(mean.shape, error)


def _smooth(
    mean: NDArray,
    weight: NDArray[np.integer],
    noise: float,
    smoothing_rows: float,
    kappa: float,
) -> tuple[NDArray, NDArray]:
    """Weighted Gaussian smoothing, normalised at the ends, without rows that stand out."""
    used = weight.astype(np.float64)
    for _ in range(3):
        total = _gaussian(used, smoothing_rows)
        level = _gaussian(used * np.where(weight > 0, mean, 0), smoothing_rows) / total
        residual = np.where(weight > 0, mean - level, np.nan)
        limit = kappa * max(float(mad_sd(residual)), noise / np.sqrt(weight.max()))
        keep = np.abs(residual) <= limit
        previous, used = used, np.where(keep, weight, 0).astype(np.float64)
        if np.array_equal(used, previous):
            break
    # The squared kernel is a Gaussian narrower by sqrt(2) and lower by 2 sqrt(pi) sigma.
    narrow = _gaussian(used, smoothing_rows / np.sqrt(2)) / (2 * np.sqrt(np.pi) * smoothing_rows)
    return level, noise * np.sqrt(narrow) / total


def _gaussian(values: NDArray, sigma: float) -> NDArray:
    return gaussian_filter1d(values, sigma, mode="constant", truncate=5.0)
