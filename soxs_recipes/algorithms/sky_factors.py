"""Factors along the slit that data show against a model: of the slit, or of a profile."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Array32 = NDArray[np.float32]

_BIN = 0.15
_REACH = 9.0


@dataclass(frozen=True)
class Factors:
    """Factors on a model at equidistant positions.

    Attributes
    ----------
    position, relative : ndarray
        Position (slit position in arcsec, or distance from an object in its FWHM) and factor; 1
        where it is not known.
    error : ndarray
        Standard error of the factor.
    """

    position: Array
    relative: Array
    error: Array

    @classmethod
    def one(cls) -> Factors:
        """Return factors of 1."""
        centre = _centres()
        return cls(centre, np.ones_like(centre), np.zeros_like(centre))

    def at(self, position: Array32) -> Array32:
        """Interpolate."""
        scaled = (position + np.float32(_REACH)) / np.float32(_BIN)
        scaled = np.clip(scaled - np.float32(0.5), 0, len(self.relative) - 1.001)
        cell = scaled.astype(np.int32)
        # Single precision throughout: an integer would make all that follows double.
        part = scaled - cell.astype(np.float32)
        table = self.relative.astype(np.float32)
        return table[cell] + part * np.diff(table)[cell]


def measure_factors(
    orders: Iterable[tuple[Array32, Array32, Array32, Array32]], usual: float
) -> Factors:
    """Measure factors as the ratio of data to model.

    Parameters
    ----------
    orders : iterable of tuples of ndarrays
        For each order position, data, model, and weight (inverse variance, 0 to leave a pixel
        out).
    usual : float
        Departure from 1 that is usual; what is measured worse counts less.
    """
    centre = _centres()
    above, below = np.zeros_like(centre), np.zeros_like(centre)
    for position, data, model, weight in orders:
        cell = cells(position).ravel()
        common = weight * model
        above += np.bincount(cell, (common * (data - model)).ravel(), len(centre))
        below += np.bincount(cell, (common * model).ravel(), len(centre))
    return shrunk(above, below, usual)


def shrunk(above: Array, below: Array, usual: float) -> Factors:
    """Factors from sums of weighted products; what is measured worse than usual counts less.

    Parameters
    ----------
    above, below : ndarray
        Sums of weight x model x departure, and of weight x model squared.
    usual : float
        Departure from 1 that is usual.
    """
    known = below > 0
    variance = np.where(known, 1 / np.where(known, below, 1.0), np.inf)
    departure = np.where(known, above / np.where(known, below, 1.0), 0.0)
    trusted = usual**2 / (usual**2 + variance)
    return Factors(_centres(), 1 + trusted * departure, usual * np.sqrt(1 - trusted))


def cells(position: Array32) -> NDArray[np.intp]:
    """Number of the factor to which each position belongs."""
    cell = ((position + np.float32(_REACH)) / np.float32(_BIN)).astype(np.intp)
    return np.clip(cell, 0, round(2 * _REACH / _BIN) - 1)


def _centres() -> Array:
    return np.arange(-_REACH, _REACH, _BIN) + _BIN / 2
