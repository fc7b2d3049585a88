"""How lines along the slit are tilted against the rows or columns of a detector."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import ArrayLike, NDArray

from soxs_recipes.algorithms.dispersion import DispersionSolution

_DEGREE = 4
# Wavelengths per order at which tilts are taken, and half the length of slit that tells them.
_SAMPLES, _HALF_ARCSEC = 41, 3.0


@dataclass(frozen=True)
class LineTilts:
    """Smooth surface of tilts: pixels along the dispersion per pixel along the slit.

    Parameters
    ----------
    coefficients : ndarray, shape (degree + 1, degree + 1)
        Chebyshev series in the pixel along the slit and along the dispersion.
    size : tuple of int
        Pixels of the frame along the slit and along the dispersion.
    """

    coefficients: NDArray[np.float64]
    size: tuple[int, int]

    def at(self, slit_px: ArrayLike, dispersion_px: ArrayLike) -> NDArray[np.float32]:
        """Tilt of a line at some pixels."""
        places = (np.asarray(p) for p in (slit_px, dispersion_px))
        scaled = [2 * p / max(n - 1, 1) - 1 for p, n in zip(places, self.size, strict=True)]
        return chebyshev.chebval2d(*scaled, self.coefficients).astype(np.float32)

    @classmethod
    def of(cls, solution: DispersionSolution) -> LineTilts:
        """Return the tilts of a dispersion solution or of a spectral format."""
        order = np.repeat(solution.orders, _SAMPLES)
        wave = np.concatenate([np.linspace(*ends, _SAMPLES) for ends in solution.range_nm])
        ends = [
            solution.to_pixel(order, wave, np.full(wave.shape, slit))
            for slit in (-_HALF_ARCSEC, _HALF_ARCSEC)
        ]
        along = [solution.along(*place) for place in ends]
        across = [solution.across(*place) for place in ends]
        tilt = (along[1] - along[0]) / (across[1] - across[0])
        size = solution.shape if solution.dispersion_axis == "x" else solution.shape[::-1]
        middle = (np.mean(across, axis=0), np.mean(along, axis=0))
        scaled = [2 * p / (n - 1) - 1 for p, n in zip(middle, size, strict=True)]
        design = chebyshev.chebvander2d(*scaled, [_DEGREE, _DEGREE])
        answer = np.linalg.lstsq(design, tilt, rcond=None)[0]
        return cls(answer.reshape(_DEGREE + 1, _DEGREE + 1), size)
