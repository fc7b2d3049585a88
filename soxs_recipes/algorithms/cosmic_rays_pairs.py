"""Cosmic rays in two exposures of the same light."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.algorithms.variance import NoiseModel

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]

# Largest share of the pixels of one exposure that cosmic rays strike.
_MOST_STRUCK = 0.02


def struck_in_two(flux: Image, noise: NoiseModel, kappa: float = 5.0, drift: float = 0.02) -> Mask:
    """Find cosmic rays as differences of two exposures of the same light.

    Parameters
    ----------
    flux : ndarray, shape (2, ny, nx)
        Two exposures of one kind, electrons above the zero level.
    noise : NoiseModel
        Noise of one of them.
    kappa : float
        Threshold in standard deviations of the difference.
    drift : float
        Relative difference that drifts of the light may cause.

    Returns
    -------
    ndarray of bool, shape (2, ny, nx)
        The higher one where they differ by more; nothing if that is more than cosmic rays do,
        for then the light has changed.
    """
    difference = flux[0] - flux[1]
    # The higher of the two owes part of its photon noise to the cosmic ray.
    lower = np.maximum(flux.min(axis=0), 0)
    limit = np.float32(kappa) * np.sqrt(2 * noise.variance(lower)) + np.float32(drift) * lower
    struck = np.stack([difference > limit, -difference > limit])
    return struck if struck.mean() < _MOST_STRUCK else np.zeros_like(struck)
