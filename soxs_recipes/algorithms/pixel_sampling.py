"""From a spectrum at high resolution to the pixels of an order: line spread and sampling.

The line spread has a constant shape in pixels, so it is applied there, by Fourier transform: a
Gaussian core, wings, the pixel itself and a shift, all known in closed form with their derivatives.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft

from soxs_recipes.algorithms.air_vacuum import air_to_vacuum

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]

CELLS = 4
"""Cells per pixel; about one bin of the tables each."""
MARGIN_PX = 40
WING_SCALE_PX = 1.5
"""Half width of the Lorentzian that makes the wings."""


@dataclass(frozen=True)
class LineSpread:
    """Line spread of an order.

    Attributes
    ----------
    ln_sd : float
        Logarithm of the SD of the Gaussian core in px, the pixel not included.
    wing : float
        Share of the light in the wings.
    shift_px : float
        Displacement towards longer wavelengths.
    """

    ln_sd: float
    wing: float
    shift_px: float

    NAMES = ("ln_sd", "wing", "shift_px")

    @property
    def fwhm_px(self) -> float:
        """FWHM of the core with the pixel's width."""
        return 2.3548 * float(np.sqrt(np.exp(2 * self.ln_sd) + 1 / 12))


class PixelSampling:
    """The pixels of one order against bins of constant step in ln(vacuum wavelength).

    Parameters
    ----------
    air_nm : ndarray, shape (n,)
        Wavelength of each pixel in air, rising.
    ln_first, step : float
        ln(nm) of the centre of the first bin, and the width of the bins; they must reach
        `reach_nm`.
    bins : int
        Number of bins.
    """

    def __init__(self, air_nm: Array, ln_first: float, step: float, bins: int) -> None:
        self.pixels = air_nm.size
        edges = np.log(padded_vacuum(air_nm, CELLS))
        place = np.clip((edges - ln_first) / step + 0.5, 0, bins - 1e-9)
        self._bin = place.astype(np.intp)
        self._share = place - self._bin
        self._width = np.maximum(np.diff(place), 1e-9)
        self._length = next_fast_len(edges.size - 1, real=True)

    @cached_property
    def _frequency(self) -> Array:
        """Cycles per pixel."""
        return np.fft.rfftfreq(self._length) * CELLS

    def transform(self, spectrum: Array) -> Complex:
        """Fourier transform of the mean of a spectrum in each cell."""
        total = np.concatenate([[0.0], np.cumsum(spectrum)])
        at_edges = total[self._bin] + self._share * spectrum[self._bin]
        return rfft(np.diff(at_edges) / self._width, self._length)

    def kernel(self, spread: LineSpread) -> tuple[Complex, dict[str, Complex]]:
        """Fourier transform of the line spread, and its derivatives by its parameters."""
        frequency = self._frequency
        sd2 = np.exp(2 * spread.ln_sd)
        square = (2 * np.pi * frequency) ** 2
        core = np.exp(-0.5 * square * sd2)
        wings = np.exp(-2 * np.pi * WING_SCALE_PX * frequency)
        # Cells are centred half a cell off the pixel centres, at which the result is wanted.
        place = spread.shift_px + 0.5 / CELLS
        pixel = np.sinc(frequency) * np.exp(-2j * np.pi * frequency * place)
        shape = 1 - spread.wing * (1 - wings)
        kernel = pixel * core * shape
        return kernel, {
            "ln_sd": -square * sd2 * kernel,
            "wing": pixel * core * (wings - 1),
            "shift_px": -2j * np.pi * frequency * kernel,
        }

    def sampled(self, transform: Complex) -> Array:
        """Values at the pixels of a Fourier transform on the cells."""
        cells = irfft(transform, self._length)
        start = MARGIN_PX * CELLS + CELLS // 2
        return cells[start : start + self.pixels * CELLS : CELLS]


def padded_vacuum(air_nm: Array, cells: int = 1) -> Array:
    """Vacuum wavelengths of the edges of the cells of an order, the margins included."""
    pixel = np.arange(air_nm.size)
    count = (air_nm.size + 2 * MARGIN_PX) * cells
    edge = -MARGIN_PX - 0.5 + np.arange(count + 1) / cells
    wave = np.interp(edge, pixel, air_nm)
    first, last = air_nm[1] - air_nm[0], air_nm[-1] - air_nm[-2]
    wave += np.minimum(edge, 0) * first + np.maximum(edge - pixel[-1], 0) * last
    return air_to_vacuum(wave)
