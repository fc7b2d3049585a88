"""Quality mask: one unsigned 16-bit integer per pixel with named bits."""

from __future__ import annotations

import enum

import numpy as np
from numpy.typing import ArrayLike, NDArray

QualityArray = NDArray[np.uint16]


class Quality(enum.IntFlag):
    """Meaning of the bits of a quality mask; 0 is a pixel without any reservation."""

    GOOD = 0
    BAD_PIXEL = 1
    DEAD = 2
    HOT = 4
    NOISY = 8
    NONLINEAR = 16
    SATURATED = 32
    COSMIC_RAY = 64
    INTERPOLATED = 128
    NO_DATA = 256
    REJECTED = 512
    EXTRAPOLATED = 1024
    TELLURIC = 2048
    SKY_RESIDUAL = 4096


UNUSABLE = (
    Quality.BAD_PIXEL
    | Quality.DEAD
    | Quality.HOT
    | Quality.NOISY
    | Quality.NONLINEAR
    | Quality.SATURATED
    | Quality.COSMIC_RAY
    | Quality.NO_DATA
    | Quality.REJECTED
)
"""Bits that make a value unfit for a measurement; the others only inform."""

ANY = Quality(0xFFFF)
"""Every bit, named or not."""


def has(quality: ArrayLike, bits: Quality = UNUSABLE) -> NDArray[np.bool_]:
    """Return where at least one of `bits` is set.

    Parameters
    ----------
    quality : array_like of unsigned integers
        Quality mask of any shape.
    bits : Quality
        Bits to look for.

    Returns
    -------
    ndarray of bool
        Same shape as `quality`.
    """
    return (np.asarray(quality) & np.uint16(bits)) != 0


def flag(quality: ArrayLike, where: ArrayLike, bits: Quality) -> QualityArray:
    """Return a copy of the mask with `bits` added where `where` is true.

    Parameters
    ----------
    quality : array_like of unsigned integers
        Quality mask.
    where : array_like of bool
        Pixels to flag; broadcast against `quality`.
    bits : Quality
        Bits to add; those already set stay.

    Returns
    -------
    ndarray of uint16
        Same shape as `quality`.
    """
    added = np.where(where, np.uint16(bits), np.uint16(0))
    return np.asarray(quality, dtype=np.uint16) | added


def fraction(quality: ArrayLike, bits: Quality = UNUSABLE) -> float:
    """Return the fraction of pixels with at least one of `bits` set (NaN if there are none)."""
    marked = has(quality, bits)
    return float(np.count_nonzero(marked)) / marked.size if marked.size else float("nan")
