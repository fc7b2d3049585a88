"""What the pixels of a row have in common, measured where no slit light falls.

A row is read at once: the drift of its zero level that reference pixels leave is an error that
all pixels of the row share, and that no average along the row takes out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from soxs_recipes.algorithms.frame import DetectorFrame

Array = NDArray[np.float64]

# Structure wider than this many rows and columns is light between the orders, not drift.
_SMOOTH_PX = (41, 161)
_LEAST_PIXELS = 100
_KAPPA = 5.0


@dataclass(frozen=True)
class RowLevels:
    """Departure of each row from its neighbours.

    Attributes
    ----------
    level : ndarray, shape (rows,)
        Level, in the unit of the frame; 0 where it could not be measured.
    error : ndarray, shape (rows,)
        Its standard error; 0 where it was not measured.
    mean_e : float
        Mean of the pixels themselves: zero level of the frame and what light there is.
    """

    level: Array
    error: Array
    mean_e: float

    def removed_from(self, frame: DetectorFrame) -> DetectorFrame:
        """Return a frame without the levels; their errors are added."""
        return replace(
            frame,
            flux=frame.flux - self.level.astype(np.float32)[:, None],
            error=np.hypot(frame.error, self.error.astype(np.float32)[:, None]),
        )


def row_levels(frame: DetectorFrame, dark: NDArray[np.bool_]) -> RowLevels:
    """Level of each row against the light around it.

    Parameters
    ----------
    frame : DetectorFrame
        A detrended exposure.
    dark : ndarray of bool, shape of the frame
        Pixels that see no light of the slit.

    Notes
    -----
    The mean over the dark pixels of a row of their departure from a running mean over 41 rows and
    161 columns of dark pixels; values further than 5 sigma from that are left out.
    """
    usable = dark & frame.good() & (frame.error > 0)
    near = _departure(frame.flux, usable)
    near = np.abs(near, out=near) < np.float32(_KAPPA) * frame.error
    near &= usable
    count = np.count_nonzero(near, axis=1)
    known = count >= _LEAST_PIXELS
    divisor = np.maximum(count, 1)
    mean = np.sum(_departure(frame.flux, near), axis=1, where=near, dtype=float) / divisor
    variance = np.sum(frame.variance, axis=1, where=near, dtype=float) / divisor**2
    error = np.sqrt(np.where(known, variance, 0.0))
    every = float(np.sum(frame.flux, where=near, dtype=float) / max(np.sum(count), 1))
    return RowLevels(np.where(known, mean, 0.0), error, every)


def _departure(flux: NDArray[np.float32], chosen: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Values less the running mean of the chosen ones."""
    weight, total = chosen.astype(np.float32), np.where(chosen, flux, np.float32(0))
    for plane in (weight, total):
        uniform_filter(plane, _SMOOTH_PX, output=plane, mode="constant")
    total /= np.maximum(weight, np.float32(1e-6), out=weight)
    return np.subtract(flux, total, out=total)
