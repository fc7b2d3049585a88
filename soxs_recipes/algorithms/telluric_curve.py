"""Telluric transmission along the orders of a spectrum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from soxs_recipes.algorithms.quality import Quality, QualityArray

Array = NDArray[np.float64]

ALL_ORDERS = 0


@dataclass(frozen=True)
class Telluric:
    """Transmission of the telluric lines at the resolution of a spectrum, order by order.

    Attributes
    ----------
    order : ndarray of int, shape (n,)
        Order number of each sample; 0 where it holds for every order.
    wave_nm : ndarray, shape (n,)
        Wavelength in standard air as the spectrum has it, rising within an order.
    transmission, error : ndarray, shape (n,)
        Transmission and its standard error, that of the model included.
    quality : ndarray of uint16, shape (n,)
        `Quality.TELLURIC` where absorption is too deep for the correction to be trusted.
    """

    order: NDArray[np.int_]
    wave_nm: Array
    transmission: Array
    error: Array
    quality: QualityArray

    def at(self, order: int, wave_nm: ArrayLike) -> tuple[Array, Array, QualityArray]:
        """Transmission, its standard error and quality in an order.

        Where the table says nothing the transmission is 1 with no error, flagged `EXTRAPOLATED`.
        """
        wave = np.asarray(wave_nm, float)
        here = self.order == order
        if not here.any():
            here = self.order == ALL_ORDERS
        if not here.any():
            outside = np.full(wave.shape, Quality.EXTRAPOLATED, np.uint16)
            return np.ones(wave.shape), np.zeros(wave.shape), outside
        nodes = self.wave_nm[here]
        value = np.interp(wave, nodes, self.transmission[here], left=1.0, right=1.0)
        error = np.interp(wave, nodes, self.error[here], left=0.0, right=0.0)
        return value, error, self._quality(wave, nodes, self.quality[here])

    @staticmethod
    def _quality(wave: Array, nodes: Array, quality: QualityArray) -> QualityArray:
        """Bits of either neighbour."""
        right = np.clip(np.searchsorted(nodes, wave), 0, nodes.size - 1)
        left = np.where(nodes[right] == wave, right, np.maximum(right - 1, 0))
        outside = (wave < nodes[0]) | (wave > nodes[-1])
        bits = quality[left] | quality[right]
        return np.where(outside, np.uint16(Quality.EXTRAPOLATED), bits).astype(np.uint16)
