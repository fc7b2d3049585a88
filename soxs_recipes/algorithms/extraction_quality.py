"""What the bins of an extracted spectrum rest on, as quality bits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.algorithms.quality import Quality, QualityArray, has

if TYPE_CHECKING:
    from soxs_recipes.algorithms.extraction import ObjectPixels

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

REACH_FWHM = 3.0
"""Distance from the object up to which pixels are used."""
CORE_FWHM = 0.6
"""Distance up to which pixels see most of the object."""

# Least share of its information that a bin keeps to be a measurement, and to be one as usual.
_LEAST_COVERAGE, _USUAL_COVERAGE = 0.1, 0.7


def bin_quality(near: ObjectPixels, variance: NDArray, keep: Mask) -> QualityArray:
    """Bits of the bins: how much of the information is left, and what is saturated.

    Parameters
    ----------
    near : ObjectPixels
        The pixels.
    variance : ndarray
        Their variance.
    keep : ndarray of bool
        Pixels on which the spectrum rests.
    """
    near_object = np.abs(near.x) < REACH_FWHM
    information = near.response**2 / np.where(variance > 0, variance, np.inf)
    all_ = near.summed(np.where(near_object, information, 0.0))
    kept = near.summed(np.where(keep, information, 0.0))
    coverage = np.divide(kept, all_, out=np.zeros_like(all_), where=all_ > 0)
    quality = np.where(coverage < _LEAST_COVERAGE, np.uint16(Quality.NO_DATA), np.uint16(0))
    quality |= np.where(coverage < _USUAL_COVERAGE, np.uint16(Quality.INTERPOLATED), np.uint16(0))
    bits = near.taken(near.pixels.quality)
    core = np.abs(near.x) < CORE_FWHM
    for bit in (Quality.SATURATED, Quality.NONLINEAR):
        marked = near.summed(core & has(bits, bit)) > 0
        quality |= np.where(marked, np.uint16(bit), np.uint16(0))
    return quality
