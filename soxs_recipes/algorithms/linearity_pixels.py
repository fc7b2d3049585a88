"""Pixels that respond otherwise than their neighbours: dead, non-linear, noisy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter
from scipy.special import chdtri

Image = NDArray[np.float32]

# Windows of the local level along and across the dispersion; orders are smooth along it.
_ALONG, _ACROSS = 11, 5
# Deviation from the local level that noise may cause, in standard deviations.
_KAPPA = 5.0


def local_level(light: Image, dispersion_axis: int) -> Image:
    """Level of the surroundings: the higher of two running medians, along and across dispersion.

    A running median leaves a slope as it is, so the edge of an order is no outlier; the higher of
    two also sees the neighbours of a column that is dead from end to end.
    """
    sizes = [_ACROSS, _ACROSS]
    sizes[dispersion_axis] = _ALONG
    along = [1, 1]
    along[dispersion_axis] = sizes[dispersion_axis]
    across = [1, 1]
    across[1 - dispersion_axis] = sizes[1 - dispersion_axis]
    return np.maximum(median_filter(light, tuple(along)), median_filter(light, tuple(across)))


def find_dead(
    light: Image, variance: Image, dispersion_axis: int = 0, response: float = 0.5
) -> NDArray[np.bool_]:
    """Find the pixels with less than a share of the light of their surroundings.

    Parameters
    ----------
    light : ndarray, shape (ny, nx)
        Sum of exposures less the zero level.
    variance : ndarray
        Its variance.
    dispersion_axis : {0, 1}
        Axis along which the light changes least.
    response : float
        A pixel below this share is dead. Where noise would let a good pixel appear dead nothing
        is found.
    """
    level = local_level(light, dispersion_axis)
    bright = level * np.float32(1 - response) > _KAPPA * np.sqrt(variance)
    return bright & (light < np.float32(response) * level)


def find_nonlinear(
    faint: Image, bright: Image, ratio_variance: Image, tolerance: float = 0.05
) -> NDArray[np.bool_]:
    """Find the pixels whose response changes with the level unlike that of the detector.

    Parameters
    ----------
    faint, bright : ndarray, shape (ny, nx)
        Signal per unit of light in short and in long exposures, corrected for linearity.
    ratio_variance : ndarray
        Variance of ``bright / faint``.
    tolerance : float
        Relative change that is allowed.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        deviation = np.abs(bright / faint - 1)
        return (deviation > tolerance) & (deviation > 1.2 * _KAPPA * np.sqrt(ratio_variance))


@dataclass(frozen=True)
class PairScatter:
    """Scatter of each pixel in pairs of equal exposures, in units of the expected variance.

    Parameters
    ----------
    total, largest : ndarray of float32
        Sum and largest of d^2 / (2 v), d the difference of a pair, v the variance of one frame.
    count : ndarray of uint16
        Number of pairs.
    """

    total: Image
    largest: Image
    count: NDArray[np.uint16]

    @classmethod
    def of(cls, shape: tuple[int, int]) -> PairScatter:
        """Return an empty accumulator for frames of a shape."""
        zeros = (np.zeros(shape, dtype) for dtype in (np.float32, np.float32, np.uint16))
        return cls(*zeros)

    def add(self, difference: Image, variance: Image | float, used: NDArray | bool = True) -> None:
        """Take in the difference of a pair where it is `used`."""
        square = np.where(used, np.square(difference) / (2 * variance), np.float32(0))
        self.total[...] += square
        np.maximum(self.largest, square, out=self.largest)
        self.count[...] += np.asarray(used, dtype=np.uint16)

    def noisy(self, false_rate: float = 3e-5) -> NDArray[np.bool_]:
        """Find the pixels that are noisier than chance allows.

        One cosmic ray makes one large difference; a noisy pixel must be so without the largest
        too.
        """
        number = np.arange(int(self.count.max(initial=0)) + 1)
        limit = np.full(len(number), np.inf, dtype=np.float32)
        limit[1:] = chdtri(number[1:], false_rate)
        others = np.full(len(number), np.inf, dtype=np.float32)
        # More pairs are struck more often, and need the largest less.
        others[3:] = chdtri(number[3:] - 1, 0.4 / number[3:])
        rest = self.total - self.largest
        return (self.total > limit[self.count]) & (rest > others[self.count])
