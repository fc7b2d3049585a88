"""Sharing out pixels among cells by the length of their overlap, many rows at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array32 = NDArray[np.float32]


@dataclass(frozen=True)
class Shares:
    """What is shared out, each plane of shape (rows, pixels).

    Attributes
    ----------
    flux : ndarray
        Signal; 0 where unusable.
    variance : ndarray
        Variance of `flux`.
    full_variance : ndarray
        The variance that sums over many cells have: shares of a pixel add to the whole of it.
    usable : ndarray
        Usable fraction of a pixel.
    quality : ndarray or None
        Quality bits; None where there are none.
    """

    flux: Array32
    variance: Array32
    full_variance: Array32
    usable: Array32
    quality: NDArray[np.uint16] | None

    def transposed(self) -> Shares:
        """Rows become pixels."""
        quality = None if self.quality is None else np.ascontiguousarray(self.quality.T)
        planes = (self.flux, self.variance, self.full_variance, self.usable)
        return Shares(*(np.ascontiguousarray(plane.T) for plane in planes), quality)


def share_out(pixels: Shares, edges: NDArray[np.float64], first_row: int = 0) -> Shares:
    """Share out the pixels of each row among the cells of the row.

    A pixel gives each cell the fraction of itself that the cell covers, so that sums are
    conserved; variances take the squares of these fractions.

    Parameters
    ----------
    pixels : Shares
        Rows of pixels; pixel i reaches from i - 0.5 to i + 0.5.
    edges : ndarray, shape (rows, cells + 1)
        Borders of the cells of each row, monotonic, px.
    first_row : int
        Row of `pixels` to which the first row of `edges` belongs.

    Returns
    -------
    Shares
        Of shape (rows, cells). `usable` is the part of a cell covered by usable pixels.
    """
    low, high = np.minimum(edges[:, :-1], edges[:, 1:]), np.maximum(edges[:, :-1], edges[:, 1:])
    flux, variance, full, usable = (np.zeros(low.shape, np.float32) for _ in range(4))
    quality = None if pixels.quality is None else np.zeros(low.shape, np.uint16)
    for weight, index in _overlaps(low, high, pixels.flux.shape, first_row):
        flux += weight * pixels.flux.take(index)
        full += weight * pixels.full_variance.take(index)
        usable += weight * pixels.usable.take(index)
        if quality is not None:
            quality |= np.where(weight > 0, pixels.quality.take(index), np.uint16(0))
        weight *= weight
        variance += weight * pixels.variance.take(index)
    usable /= (high - low).astype(np.float32)
    return Shares(flux, variance, full, usable, quality)


def _overlaps(
    low: NDArray[np.float64], high: NDArray[np.float64], shape: tuple[int, int], first_row: int
) -> Iterator[tuple[Array32, NDArray[np.int32]]]:
    """Overlap of every cell with the first pixel it touches, the second, ...; and their places."""
    _, length = shape
    first = np.floor(low + 0.5)
    lower, upper = (low - first).astype(np.float32), (high - first).astype(np.float32)
    first = first.astype(np.int32)
    start = (np.arange(len(low), dtype=np.int32) + np.int32(first_row))[:, None] * length
    for step in range(int(np.ceil((high - low).max())) + 1):
        weight = np.minimum(upper, np.float32(step + 0.5))
        weight -= np.maximum(lower, np.float32(step - 0.5))
        pixel = first + np.int32(step)
        weight[(weight < 0) | (pixel < 0) | (pixel >= length)] = 0.0
        yield weight, start + np.clip(pixel, 0, length - 1)
