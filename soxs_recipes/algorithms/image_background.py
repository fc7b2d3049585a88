"""What an image of the sky holds without its stars: smooth sky, and the drift of rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from soxs_recipes.algorithms.star_detection import filtered, smooth_background

Array = NDArray[np.float64]
Image = NDArray[np.float32]
Mask = NDArray[np.bool_]

# Pixels of sky are within so many standard deviations.
_KAPPA = 3.5
# Light of a star below which a pixel tells of noise, in standard deviations.
_DARK = 0.3
_LEAST_PIXELS = 2000
# Gaussian SD over which the level of a row is averaged with its neighbours': it drifts slowly.
_ROWS = 3.0


def sky_of(image: Image, model: Image, noise: Image, good: Mask) -> Image:
    """Sky in an image without stars.

    The mode that boxes tell lies below the mean by more than half an electron, for photon noise
    is skew; the mean of all boxes together takes that out. A camera without a prescan lets its
    zero level drift while it reads: what the pixels of a row have in common is no light.

    Parameters
    ----------
    image : ndarray, shape (ny, nx)
        Image without the stars that are known.
    model : ndarray
        Light of the stars: pixels in which it shows tell nothing.
    noise : ndarray
        Variance of the background.
    good : ndarray of bool
        Usable pixels.
    """
    smooth = smooth_background(image, ~good)
    rest, limit = image - smooth, np.sqrt(noise)
    calm = good & (model < limit) & (np.abs(rest) < _KAPPA * limit)
    if not calm.any():
        return smooth
    return smooth + _row_levels(rest, calm).astype(np.float32)[:, None]


def noise_excess(residual: Image, model: Image, noise: Image, good: Mask, fwhm_px: float) -> float:
    """Standard deviation of the fluxes of absent stars over that of white noise, 1 or more.

    The drift of rows, an imperfect flat or sky and stars too faint to be seen are noise that
    neighbouring pixels share: fluxes have more of it than single pixels tell.

    Parameters
    ----------
    residual : ndarray
        Image without stars and sky.
    model, noise, good
        As for `sky_of`.
    fwhm_px : float
        Width of a star.
    """
    significance, _ = filtered(residual, noise, ~good, fwhm_px)
    dark = good & (np.abs(significance) < _KAPPA) & (significance != 0)
    dark &= model < _DARK * np.sqrt(noise)
    if dark.sum() < _LEAST_PIXELS:
        return 1.0
    return max(float(np.percentile(np.abs(significance[dark]), 68.27)), 1.0)


def _row_levels(rest: Image, calm: Mask) -> Array:
    """Mean of the calm pixels of each row and its neighbours."""
    count = calm.sum(axis=1).astype(float)
    total = np.sum(rest, axis=1, where=calm, dtype=float)
    # All rows together stand in where a row has hardly a pixel.
    few = 1e-3 * max(float(count.max()), 1.0)
    mean = total.sum() / count.sum()
    above = gaussian_filter1d(total, _ROWS, mode="nearest") + few * mean
    return above / (gaussian_filter1d(count, _ROWS, mode="nearest") + few)
