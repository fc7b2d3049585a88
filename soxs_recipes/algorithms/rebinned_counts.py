"""Counts of several spectra added on one grid."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.algorithms.spectrum_pieces import SpectrumPiece

Array = NDArray[np.float64]


def added_counts(spectra: Iterable[SpectrumPiece], edges_nm: Array) -> Array:
    """Sum of the flux of all spectra in each bin of a grid; bins without a value count as none.

    Parameters
    ----------
    spectra : iterable of SpectrumPiece
        Spectra of counts per nm.
    edges_nm : ndarray, shape (n + 1,)
        Borders of the bins.
    """
    total = np.zeros(len(edges_nm) - 1)
    for piece in spectra:
        if len(piece.wave_nm):
            low, high = piece.edges_nm()
            known = np.where(np.isfinite(piece.flux_density), piece.flux_density, 0.0)
            # Between bins that do not touch the running sum stays level.
            borders = np.stack([low, high], axis=1).ravel()
            steps = np.stack([np.zeros(len(low)), known * (high - low)], axis=1).ravel()
            total += np.diff(np.interp(edges_nm, borders, np.cumsum(steps)))
    return total
