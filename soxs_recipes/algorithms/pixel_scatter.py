"""Scatter of each pixel from frame to frame, measured while the frames are stacked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.algorithms.stacking import Block


@dataclass(frozen=True)
class PixelScatter:
    """Sample variance of the values that entered a stack, per pixel.

    An accumulator for `stack`, made for one with ``PixelScatter.of(shape)``. With three frames or
    more the clipped mean has left cosmic rays out; an unstable pixel keeps most of its scatter.

    Parameters
    ----------
    variance : ndarray of float32, shape (ny, nx)
        Variance of one value; 0 where fewer than two entered.
    count : ndarray of uint16, shape (ny, nx)
        Number of values.
    """

    variance: NDArray[np.float32]
    count: NDArray[np.uint16]

    @classmethod
    def of(cls, shape: tuple[int, int]) -> PixelScatter:
        """Return an empty accumulator for frames of a shape."""
        return cls(np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=np.uint16))

    def update(self, block: Block) -> None:
        """Take in one block of rows of all frames."""
        rows = slice(block.row_start, block.row_stop)
        shape = self.variance[rows].shape
        count = block.keep.sum(axis=0, dtype=np.uint16)
        values = np.where(block.keep, block.flux, np.float32(0))
        mean = values.sum(axis=0, dtype=np.float64) / np.maximum(count, 1)
        residual = np.where(block.keep, values - mean.astype(np.float32), np.float32(0))
        square = np.einsum("ij,ij->j", residual, residual)
        self.variance[rows] = (square / np.maximum(count.astype(np.int32) - 1, 1)).reshape(shape)
        self.count[rows] = count.reshape(shape)
