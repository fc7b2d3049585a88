"""Light that does not follow the spectral format: scattered light and ghosts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

Array32 = NDArray[np.float32]

_BLOCK_PX = 16

GHOST_FRACTION = 2e-4
"""Brightness of the ghost: the image mirrored through the detector centre and defocused."""


def scattered_light(image: Array32, fraction: float, scale_px: float) -> Array32:
    """Smooth pedestal holding a share of the light, spread by a Gaussian of SD ``scale_px``."""
    return _defocused(image, scale_px) * np.float32(fraction)


def ghost(image: Array32, defocus_px: float = 12.0) -> Array32:
    """Return the defocused mirror image of a frame."""
    return _defocused(image[::-1, ::-1], defocus_px) * np.float32(GHOST_FRACTION)


def _defocused(image: Array32, sigma_px: float) -> Array32:
    """Convolve with a wide Gaussian on a block-averaged copy; the total light is kept."""
    rows, columns = image.shape
    pad = ((0, -rows % _BLOCK_PX), (0, -columns % _BLOCK_PX))
    padded = np.pad(image, pad)
    high, wide = padded.shape[0] // _BLOCK_PX, padded.shape[1] // _BLOCK_PX
    blocks = padded.reshape(high, _BLOCK_PX, wide, _BLOCK_PX).mean(axis=(1, 3))
    smooth = gaussian_filter(blocks, sigma_px / _BLOCK_PX, mode="reflect")
    return _hat_functions(rows, high) @ smooth.astype(np.float32) @ _hat_functions(columns, wide).T


def _hat_functions(pixels: int, blocks: int) -> Array32:
    """Matrix of linear interpolation from block centres to pixels, shape (pixels, blocks)."""
    centre = _BLOCK_PX * (np.arange(blocks) + 0.5) - 0.5
    place = np.clip(np.arange(pixels), centre[0], centre[-1])
    return np.maximum(0.0, 1 - np.abs(place[:, None] - centre) / _BLOCK_PX).astype(np.float32)
