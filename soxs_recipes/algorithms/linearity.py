"""Linearity of a detector: the correction of its response and the levels up to which it holds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Image = NDArray[np.float32]


@dataclass(frozen=True)
class Linearity:
    """Correction of the response and the levels that matter, in ADU above the zero level.

    A signal m becomes ``m (1 + c1 m + c2 m^2 + ...)``; NIR signals are those of one DIT.

    Parameters
    ----------
    coefficients : tuple of float
        c1, c2, ... in ADU^-1, ADU^-2, ...; empty for a response taken as linear.
    limit_adu : float
        Linearity limit: where the uncorrected response departs by 1 %.
    saturation_adu : float
        Level from which a pixel counts as full.
    valid_to_adu : float
        Highest level at which the correction was measured to hold.
    """

    coefficients: tuple[float, ...] = ()
    limit_adu: float = float("inf")
    saturation_adu: float = float("inf")
    valid_to_adu: float = float("inf")

    def correct(self, signal_adu: ArrayLike) -> Image:
        """Return the signal that a linear detector would have given."""
        signal = np.asarray(signal_adu, dtype=np.float32)
        if not self.coefficients:
            return signal
        factor = np.full_like(signal, self.coefficients[-1])
        for coefficient in reversed(self.coefficients[:-1]):
            factor *= signal
            factor += np.float32(coefficient)
        factor *= signal
        factor += np.float32(1)
        factor *= signal
        return factor
