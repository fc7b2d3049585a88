"""Pixels that stand out from their surroundings in a master frame, or are noisier than others."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from soxs_recipes.algorithms.robust import median

# Smallest box of the scatter estimate, which needs more pixels than a median does.
_SCATTER_BOX = 64


@dataclass(frozen=True)
class OutlierSettings:
    """How pixels are compared with their surroundings.

    Parameters
    ----------
    kappa : float
        Threshold in standard deviations of the master.
    box : int
        Side in pixels of the boxes in which the background is a median; structure much smaller
        than that counts as outlying.
    passes : int
        Each pass leaves the outliers of the one before out of background and scatter.
    """

    kappa: float = 4.5
    box: int = 16
    passes: int = 2


@dataclass(frozen=True)
class Outliers:
    """Pixels above and below their surroundings.

    Parameters
    ----------
    high, low : ndarray of bool, shape (ny, nx)
        Pixels beyond the threshold.
    background : ndarray of float32, shape (ny, nx)
        Local level.
    sigma : ndarray of float32, shape (ny, nx)
        Standard deviation used: the larger of the expected and the observed local one.
    """

    high: NDArray[np.bool_]
    low: NDArray[np.bool_]
    background: NDArray[np.float32]
    sigma: NDArray[np.float32]


def find_outliers(
    image: ArrayLike,
    variance: ArrayLike | None = None,
    good: ArrayLike | None = None,
    settings: OutlierSettings | None = None,
) -> Outliers:
    """Find the pixels of a master frame that differ from their surroundings.

    Parameters
    ----------
    image : array_like, shape (ny, nx)
        Master dark (hot pixels are high outliers) or pixel response (dead pixels are low ones).
    variance : array_like, shape (ny, nx) or scalar, optional
        Expected variance of the master.
    good : array_like of bool, optional
        Pixels to judge; the others are neither used nor marked.
    settings : OutlierSettings, optional
        Threshold and scales.

    Returns
    -------
    Outliers
    """
    settings = settings or OutlierSettings()
    image = np.asarray(image, dtype=np.float32)
    if image.ndim != 2 or min(image.shape) <= max(settings.box, _SCATTER_BOX):
        raise ValueError(
            f"more than {_SCATTER_BOX} pixels a side expected, found shape {image.shape}"
        )
    usable = np.isfinite(image) if good is None else np.isfinite(image) & np.asarray(good)
    expected = np.float32(0) if variance is None else np.sqrt(np.asarray(variance, np.float32))
    calm = usable
    for _ in range(settings.passes):
        background = _box_medians(np.where(calm, image, np.nan), settings.box)
        residual = image - background
        sigma = np.fmax(_local_scatter(np.where(calm, residual, np.nan), settings.box), expected)
        outlying = np.abs(residual) > settings.kappa * sigma
        calm = usable & ~outlying
    high = usable & outlying & (residual > 0)
    return Outliers(high, usable & outlying & ~high, background, sigma)


def find_noisy(
    scatter_variance: ArrayLike,
    expected_variance: ArrayLike,
    count: ArrayLike,
    false_rate: float = 1e-5,
) -> NDArray[np.bool_]:
    """Find the pixels whose values scatter more from frame to frame than noise allows.

    Parameters
    ----------
    scatter_variance : array_like
        Sample variance of each pixel over the frames.
    expected_variance : array_like
        Variance of one value.
    count : array_like of int
        Number of values; pixels with fewer than 2 are never noisy.
    false_rate : float
        Fraction of ordinary pixels with Gaussian noise that may be marked.

    Returns
    -------
    ndarray of bool
    """
    from scipy.special import chdtri

    freedom = np.maximum(np.asarray(count) - 1, 0)
    limits = np.full(int(freedom.max(initial=0)) + 1, np.inf)
    possible = np.arange(1, len(limits))
    limits[1:] = chdtri(possible, false_rate) / possible
    return np.asarray(scatter_variance) > limits[freedom] * np.asarray(expected_variance)


def _box_medians(image: NDArray[np.float32], box: int) -> NDArray[np.float32]:
    """Background image interpolated between the medians of boxes."""
    return _interpolate(median(_boxes(image, box), axis=-1), image.shape, box, degree=3)


def _local_scatter(residual: NDArray[np.float32], box: int) -> NDArray[np.float32]:
    """Local standard deviation from the lower half of the values, which hot pixels spare.

    Every second pixel along both axes is ample: a box has a thousand of them.
    """
    box = max(4 * box, _SCATTER_BOX)
    values = _boxes(residual[::2, ::2], box // 2)
    below = median(np.where(values < 0, -values, np.float32(np.nan)), axis=-1)
    return _interpolate(below / NormalDist().inv_cdf(0.75), residual.shape, box, degree=1)


def _boxes(image: NDArray[np.float32], box: int) -> NDArray[np.float32]:
    """Reshape to (rows of boxes, columns of boxes, box * box), filled up with NaN."""
    short = [-length % box for length in image.shape]
    full = np.pad(image, [(0, short[0]), (0, short[1])], constant_values=np.nan)
    rows, columns = (length // box for length in full.shape)
    tiles = full.reshape(rows, box, columns, box).swapaxes(1, 2)
    return tiles.reshape(rows, columns, box * box)


def _interpolate(
    grid: NDArray, shape: tuple[int, int], box: int, degree: int
) -> NDArray[np.float32]:
    """Interpolate between box centres by a spline that runs on to the edges of the image."""
    # Its import takes as long as all the work of a recipe that finds no bad pixels.
    from scipy.interpolate import RectBivariateSpline, griddata

    known = np.isfinite(grid)
    if not known.any():
        return np.full(shape, np.nan, dtype=np.float32)
    if not known.all():
        grid = griddata(np.argwhere(known), grid[known], tuple(np.indices(grid.shape)), "nearest")
    axes = [_box_centres(length, box) for length in shape]
    spline = RectBivariateSpline(
        *axes,
        grid,
        bbox=[-0.5, shape[0] - 0.5, -0.5, shape[1] - 0.5],
        kx=min(degree, len(axes[0]) - 1),
        ky=min(degree, len(axes[1]) - 1),
    )
    return spline(np.arange(shape[0]), np.arange(shape[1])).astype(np.float32)


def _box_centres(length: int, box: int) -> NDArray[np.float64]:
    start = np.arange(0, length, box)
    return 0.5 * (start + np.minimum(start + box, length) - 1)
