"""Line-spread functions, as kernels on the oversampled dispersion grid.

A monochromatic source is imaged as the light distribution across the slit (or pinhole),
blurred by the spectrograph. The integration over the pixel is not part of the kernel.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.signal import oaconvolve
from scipy.special import ndtr

from .optics import PINHOLE_ARCSEC, ArmOptics
from .optics_geometry import OVERSAMPLING

Array = NDArray[np.float64]

WING_FRACTION = 0.04
"""Share of the light in the wings of the true line spread (none in an ideal scene)."""

_WING_SCALE_PX, _WING_POWER = 3.0, 1.25
_REACH_PX = 26


def uniform_aperture(width_arcsec: float) -> tuple[Array, Array]:
    """Positions across a uniformly lit slit (arcsec) and their weights (sum 1)."""
    x = width_arcsec * ((np.arange(200) + 0.5) / 200 - 0.5)
    return x, np.full(200, 1 / 200)


def pinhole_aperture() -> tuple[Array, Array]:
    """Return the same for a uniformly lit round hole, projected on dispersion."""
    x, _ = uniform_aperture(PINHOLE_ARCSEC)
    chord = np.sqrt(1.0 - (2 * x / PINHOLE_ARCSEC) ** 2)
    return x, chord / chord.sum()


def line_spread(
    aperture: tuple[Array, Array], optics: ArmOptics, blur_px: float, wings: bool
) -> Array:
    """Kernel of unit sum, `OVERSAMPLING` taps per px, for one blur (SD, px)."""
    x_arcsec, weight = aperture
    cells = _REACH_PX * OVERSAMPLING
    edge_px = (np.arange(-cells, cells + 2) - 0.5) / OVERSAMPLING
    image_px = x_arcsec * optics.slit_px_per_arcsec
    cumulative = _blurred_steps(edge_px, image_px, weight, blur_px)
    kernel = np.diff(cumulative)
    kernel /= kernel.sum()
    if wings:
        centre_px = np.arange(-cells, cells + 1) / OVERSAMPLING
        wing = (1.0 + (centre_px / _WING_SCALE_PX) ** 2) ** -_WING_POWER
        kernel = (1 - WING_FRACTION) * kernel + WING_FRACTION * wing / wing.sum()
    return kernel


def convolve_order(spectrum: Array, kernels: tuple[Array, Array]) -> Array:
    """Convolve the cells of an order with a kernel that changes linearly along it.

    Each cell is spread by the mixture of ``kernels`` (for the start and the end of the grid) that
    belongs to its own place, so the flux is conserved.
    """
    share = np.linspace(0.0, 1.0, spectrum.size)
    start, end = ((1 - share) * spectrum, share * spectrum)
    return oaconvolve(start, kernels[0], mode="same") + oaconvolve(end, kernels[1], mode="same")


def order_kernels(
    aperture: tuple[Array, Array], optics: ArmOptics, wings: bool
) -> tuple[Array, Array]:
    """Kernels for the two ends of an order, the blur changing by ``optics.blur_range``."""
    factors = (1 - optics.blur_range / 2, 1 + optics.blur_range / 2)
    low, high = (line_spread(aperture, optics, f * optics.blur_px, wings) for f in factors)
    return low, high


def _blurred_steps(edge_px: Array, image_px: Array, weight: Array, blur_px: float) -> Array:
    """Cumulative distribution of the aperture's image blurred by a Gaussian."""
    return ndtr((edge_px[:, None] - image_px) / blur_px) @ weight
