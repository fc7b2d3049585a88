"""Random streams that depend on names, not on the order of the work.

Each piece of noise draws from a generator of its own, seeded by the night's seed and by words
that say what it is for, so frames may be made in any order, by any number of processes, and
still come out byte by byte the same.
"""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray


def stream(seed: int, *names: object) -> np.random.Generator:
    """Return the generator of one purpose.

    Parameters
    ----------
    seed : int
        Seed of the night, or of the detector.
    *names : object
        Words and numbers that name the purpose; their ``str`` is used.

    Returns
    -------
    numpy.random.Generator
        SFC64 (the fastest of numpy's bit generators for bulk normals).
    """
    words = [zlib.crc32(str(name).encode()) for name in names]
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence([seed, *words])))


def coloured_noise(
    rng: np.random.Generator, count: int, exponent: float = 1.0, rows: int = 1
) -> NDArray[np.float32]:
    """Return ``rows`` series of 1/f**exponent noise (power), each of mean 0 and SD 1.

    The spectrum is filled with independent Gaussian amplitudes and transformed back (Timmer and
    Koenig 1995). Each series is twice as long as asked for and cut, so that its two ends differ.
    """
    length = 2 * count
    frequency = np.fft.rfftfreq(length)[1:]
    shape = (rows, frequency.size)
    spectrum = np.zeros((rows, frequency.size + 1), dtype=complex)
    spectrum[:, 1:] = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
    spectrum[:, 1:] *= frequency ** (-exponent / 2)
    series = np.fft.irfft(spectrum, length, axis=1)[:, :count]
    series -= series.mean(axis=1, keepdims=True)
    return (series / series.std(axis=1, keepdims=True)).astype(np.float32)
