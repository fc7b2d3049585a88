"""Pixels of an order arranged by the bins they lie between, so that sums over a bin are columns."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Ints = NDArray[np.intp]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class BinnedPixels:
    """Which pixels lie between each bin and the next.

    Arranged planes have the shape (slots, bins): a column holds the pixels between two bins, those
    of one column of the detector in the same slot or near it.

    Attributes
    ----------
    shape : tuple of int
        Shape of planes that are not arranged.
    source : ndarray of int
        Pixel in each slot, as an index of the flattened plane.
    filled : ndarray of bool
        Slots that hold a pixel; the others repeat the first one.
    share : ndarray
        Distance of the pixel from the bin before it.
    """

    shape: tuple[int, ...]
    source: Ints
    filled: Mask
    share: Array

    @classmethod
    def of(cls, place: NDArray, count: int) -> BinnedPixels:
        """Arrange pixels by places along dispersion, in bins; those beyond the ends are left out.

        Parameters
        ----------
        place : ndarray, shape (pixels,) or (rows, columns)
            Places.
        count : int
            Number of bins; the centre of the first is at 0.
        """
        columns = np.atleast_2d(np.asarray(place).T)
        flat = columns.ravel()
        pixel = np.flatnonzero((flat >= 0) & (flat < count - 1))
        first = flat[pixel].astype(np.min_scalar_type(count))
        order = np.argsort(first, kind="stable")
        pixel, first = pixel[order], first[order].astype(np.intp)
        column, row = np.divmod(pixel, columns.shape[1])
        number = np.bincount(first, minlength=count)
        start = np.cumsum(number) - number
        leftmost = np.append(column, 0)[start]
        slot = np.arange(len(first)) - (start - leftmost)[first]
        source = np.zeros((int((leftmost + number).max(initial=1)), count), np.intp)
        filled, share = np.zeros(source.shape, bool), np.zeros(source.shape)
        source[slot, first] = row * len(columns) + column
        filled[slot, first] = True
        share[slot, first] = flat[pixel] - first
        return cls(np.shape(place), source, filled, share)

    def part(self, slots: slice) -> BinnedPixels:
        """Some of the slots."""
        parts = self.source[slots], self.filled[slots], self.share[slots]
        return replace(self, source=parts[0], filled=parts[1], share=parts[2])

    def arranged(self, plane: NDArray) -> NDArray:
        """Values of a plane, by slot and bin."""
        return np.take(plane, self.source)

    def plane(self, values: NDArray, otherwise: float) -> NDArray:
        """Reverse of `arranged`; a given value where no slot holds a pixel."""
        plane = np.full(self.shape, otherwise, values.dtype)
        plane.reshape(-1)[self.source[self.filled]] = values[self.filled]
        return plane

    def at(self, values: Array) -> Array:
        """Values at the bins, linearly interpolated at the pixels."""
        steps = np.diff(values, append=values[-1])
        return values + steps * self.share

    def summed(self, values: NDArray) -> Array:
        """Sum over the pixels nearest to each bin; those that hold no pixel must be 0."""
        after = np.sum(values, axis=0, where=self.share > 0.5, dtype=float)
        total = np.sum(values, axis=0, dtype=float) - after
        total[1:] += after[:-1]
        return total

    def beside(self, marked: Mask) -> Mask:
        """Pixels that are marked, or whose neighbours on the detector are."""
        rows, columns = self.shape
        row, column = np.divmod(self.source[marked & self.filled], columns)
        near = np.zeros(self.shape, bool)
        for down, right in ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)):
            near[np.clip(row + down, 0, rows - 1), np.clip(column + right, 0, columns - 1)] = True
        return self.arranged(near)
