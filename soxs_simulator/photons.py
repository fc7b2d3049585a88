"""Poisson noise, quickly, on images that are nearly empty here and bright there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

THROWN_BELOW = 0.02
INVERTED_BELOW = 0.8
NORMAL_ABOVE = 10.0
BLOCK = 1 << 16

Array = NDArray[np.float32]


def poisson(rng: np.random.Generator, expected: Array) -> Array:
    """Draw Poisson counts of an expected image.

    Below 0.02 events are thrown on the image instead of asking every pixel (exact: the sum of
    independent Poisson counts is Poisson and its events fall in proportion to the expectations);
    below 0.8 the distribution function is inverted; above 10 a normal deviate is transformed to a
    Poisson count by the asymptotic expansion of Giles (2016, ACM TOMS 42, 6), which misses the
    exact inverse in about 1 draw of 1000, then by one. Blocks of pixels that fit the processor's
    cache are worked on one after the other.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    expected : ndarray of float32
        Expectation per pixel; negative values count as zero.

    Returns
    -------
    ndarray of float32
        Whole numbers, of the same shape.
    """
    flat = np.ascontiguousarray(expected).reshape(-1)
    counts = np.zeros(flat.size, np.float32)
    for start in range(0, flat.size, BLOCK):
        mean = flat[start : start + BLOCK]
        part = counts[start : start + BLOCK]
        classes = (mean >= THROWN_BELOW).view(np.uint8) + (mean >= INVERTED_BELOW)
        classes += mean >= NORMAL_ABOVE
        for number, draw in enumerate((_thrown, _inverted, _middle, _from_normal)):
            chosen = classes == number
            size = np.count_nonzero(chosen)
            if size == mean.size:
                part[:] = draw(rng, mean)
            elif size:
                part[chosen] = draw(rng, mean[chosen])
    return counts.reshape(expected.shape)


def _thrown(rng: np.random.Generator, mean: Array) -> Array:
    """Throw a Poisson number of events at pixels in proportion to their expectations."""
    cumulative = np.cumsum(np.maximum(mean, 0), dtype=np.float64)
    total = rng.poisson(cumulative[-1])
    event = np.searchsorted(cumulative, rng.uniform(0, cumulative[-1], total), side="right")
    return np.bincount(event, minlength=mean.size).astype(np.float32)


def _inverted(rng: np.random.Generator, mean: Array) -> Array:
    """Count up the distribution function until it passes a uniform deviate."""
    counts = np.zeros(mean.size, np.float32)
    probability = np.exp(-mean)
    left = rng.random(mean.size, dtype=np.float32) - probability
    where = np.flatnonzero(left > 0)
    count = 0
    # A uniform deviate of 24 bits never asks for more than a dozen events.
    while where.size and count < 20:
        count += 1
        counts[where] = count
        probability[where] *= mean[where] / np.float32(count)
        left[where] -= probability[where]
        where = where[left[where] > 0]
    return counts


def _middle(rng: np.random.Generator, mean: Array) -> Array:
    return rng.poisson(mean).astype(np.float32)


def _from_normal(rng: np.random.Generator, mean: Array) -> Array:
    """Poisson counts from normal deviates (Giles 2016, second-order expansion)."""
    z = rng.standard_normal(mean.size, dtype=np.float32)
    square = z * z
    root = np.sqrt(mean)
    counts = mean + root * z
    counts += np.float32(1 / 3) + square / 6
    counts -= z * (2 + square) / (72 * root)
    return np.maximum(np.floor(counts, out=counts), 0, out=counts)
