"""Structure of a master bias: slopes and scatter beyond noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from soxs_recipes.algorithms.robust import clipped_statistics, fit_line


@dataclass(frozen=True)
class StructureSlopes:
    """Slopes of the sums along columns (x) and rows (y), signal unit per pixel, with errors."""

    x: float
    y: float
    x_error: float
    y_error: float


@dataclass(frozen=True)
class StructureScatter:
    """Standard deviation of the structure beyond noise, unit of the frame.

    Parameters
    ----------
    columns : float
        Of the mean of each column.
    rows : float
        Of the mean of each row.
    smooth : float
        Of the means of blocks.
    """

    columns: float
    rows: float
    smooth: float


def structure_slopes(image: ArrayLike, good: ArrayLike | None = None) -> StructureSlopes:
    """Fit straight lines to an image summed along its columns and along its rows.

    Parameters
    ----------
    image : array_like, shape (ny, nx)
        Master bias.
    good : array_like of bool, optional
        Pixels to use; each profile is scaled to what the full number of pixels would sum to.

    Returns
    -------
    StructureSlopes
        The slopes grow with the number of pixels summed: ny for x, nx for y.
    """
    image, good = _with_mask(image, good)
    slopes = []
    for axis in (0, 1):
        profile = _profile(image, good, axis) * image.shape[axis]
        line = fit_line(np.arange(len(profile)), profile)
        slopes.append((float(line.slope), float(line.slope_error)))
    (x, x_error), (y, y_error) = slopes
    return StructureSlopes(x, y, x_error, y_error)


def structure_scatter(
    image: ArrayLike, good: ArrayLike | None = None, block: int = 32
) -> StructureScatter:
    """Measure the structure of an image that is not pixel noise.

    Parameters
    ----------
    image : array_like, shape (ny, nx)
        Master bias, at least two blocks in size.
    good : array_like of bool, optional
        Pixels to use.
    block : int
        Side in pixels of the blocks of the smooth measure.

    Returns
    -------
    StructureScatter
        Each is the robust scatter of the averages less, in quadrature, what the differences
        between neighbouring pixels predict for white noise; never below 0.
    """
    image, good = _with_mask(image, good)
    noise = _white_noise(image, good)
    ny, nx = image.shape
    columns = clipped_statistics(_profile(image, good, 0), kappa=5.0).sd
    rows = clipped_statistics(_profile(image, good, 1), kappa=5.0).sd
    blocks = _block_means(np.where(good, image, np.nan), block)
    smooth = clipped_statistics(blocks, kappa=5.0).sd
    return StructureScatter(
        _beyond(columns, noise / np.sqrt(ny)),
        _beyond(rows, noise / np.sqrt(nx)),
        _beyond(smooth, noise / block),
    )


def _with_mask(image: ArrayLike, good: ArrayLike | None) -> tuple[NDArray, NDArray[np.bool_]]:
    image = np.asarray(image)
    finite = np.isfinite(image)
    return image, finite if good is None else finite & np.asarray(good, dtype=bool)


def _profile(image: NDArray, good: NDArray[np.bool_], axis: int) -> NDArray[np.float64]:
    """Mean along an axis; NaN where no pixel is good."""
    with np.errstate(invalid="ignore", divide="ignore"):
        total = np.sum(image, axis=axis, where=good, dtype=np.float64)
        return total / good.sum(axis=axis)


def _block_means(image: NDArray, side: int) -> NDArray:
    """Means of square blocks; incomplete blocks at the far edges are left out."""
    rows, columns = (length // side for length in image.shape)
    cut = image[: rows * side, : columns * side]
    return np.nanmean(cut.reshape(rows, side, columns, side), axis=(1, 3), dtype=np.float64)


def _white_noise(image: NDArray, good: NDArray[np.bool_]) -> float:
    """Noise of one pixel from differences of neighbours along a diagonal, free of structure."""
    difference = np.where(good[1:, 1:] & good[:-1, :-1], image[1:, 1:] - image[:-1, :-1], np.nan)
    step = max(1, difference.size // 500_000)
    return float(clipped_statistics(difference.reshape(-1)[::step], kappa=5.0).sd) / np.sqrt(2)


def _beyond(measured: float, noise: float) -> float:
    return float(np.sqrt(max(measured**2 - noise**2, 0.0)))
