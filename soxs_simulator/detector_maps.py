"""The fixed properties of one detector, pixel by pixel, drawn from its own seed.

The same detector seed is the same chip on every night: structure, response, dark current, hot and
dead pixels do not change with the seed of the noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray
from scipy import ndimage

from .rng import coloured_noise, stream
from .specs import DETECTORS, CcdSpec, H2rgSpec

PRESCAN_STEP_E = 1.5
STRUCTURE_E = 1.2
COLUMN_E = 0.6
PRNU_PIXEL = 0.007
PRNU_SMOOTH = 0.010
NOISE_FACTORS = (1.2, 20.0)
LOSSES_PER_E = (2e-7, 1e-5)


@dataclass(frozen=True)
class DetectorMaps:
    """Truth of one detector, in unbinned pixels; each map is made when first asked for.

    Attributes
    ----------
    arm : str
        ``VIS``, ``NIR`` or ``ACQ``.
    detector_seed : int
        Which chip of that kind.
    defect_fraction : float
        Share of the science pixels with too much read noise, and of those that lose charge.
    """

    arm: str
    detector_seed: int = 0
    defect_fraction: float = 0.0

    @cached_property
    def structure_e(self) -> NDArray[np.float32]:
        """Fixed pattern of the read-out on the whole raw frame, electrons.

        Its mean over the prescan of each row is zero, so it is what a prescan-subtracted bias
        holds. All zero in the NIR, whose ramps lose it.
        """
        return _frozen(_structure(DETECTORS[self.arm], self.detector_seed))

    @cached_property
    def response(self) -> NDArray[np.float32]:
        """Relative sensitivity of the science pixels, mean 1; dead pixels have 0 to 0.2."""
        return _frozen(self._response_and_dead[0])

    @cached_property
    def dead(self) -> NDArray[np.bool_]:
        """Dead science pixels, columns included."""
        return _frozen(self._response_and_dead[1])

    @cached_property
    def dark_e_per_s(self) -> NDArray[np.float32]:
        """Dark current of the science pixels, hot pixels included."""
        return _frozen(self._dark_and_hot[0])

    @cached_property
    def hot(self) -> NDArray[np.bool_]:
        """Science pixels drawn as hot, before any threshold."""
        return _frozen(self._dark_and_hot[1])

    @cached_property
    def noise_factor(self) -> NDArray[np.float32] | None:
        """Read noise of the science pixels over that of the others; None if all are alike."""
        return self._defects("noisy", NOISE_FACTORS, 1.0)

    @cached_property
    def loss_per_e(self) -> NDArray[np.float32] | None:
        """Charge lost per electron squared, beside what all pixels lose; None if nowhere."""
        return self._defects("losing", LOSSES_PER_E, 0.0)

    def _defects(
        self, word: str, ends: tuple[float, float], usual: float
    ) -> NDArray[np.float32] | None:
        """Map of a property that some pixels have, log-uniform between two ends."""
        if not self.defect_fraction:
            return None
        spec = DETECTORS[self.arm]
        rng = stream(self.detector_seed, self.arm, word)
        result = np.full((spec.rows, spec.columns), usual, np.float32)
        count = round(self.defect_fraction * result.size)
        where = rng.choice(result.size, count, replace=False)
        result.ravel()[where] = np.exp(rng.uniform(*np.log(ends), count))
        return _frozen(result)

    @cached_property
    def _response_and_dead(self) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        return _response(DETECTORS[self.arm], self.detector_seed)

    @cached_property
    def _dark_and_hot(self) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        return _dark_map(DETECTORS[self.arm], self.detector_seed)


@lru_cache(maxsize=6)
def detector_maps(arm: str, detector_seed: int = 0, defect_fraction: float = 0.0) -> DetectorMaps:
    """Return the fixed maps of one camera, the same object on every call."""
    return DetectorMaps(arm, detector_seed, defect_fraction)


def _frozen(array: NDArray) -> NDArray:
    """Make a shared map read-only."""
    array.setflags(write=False)
    return array


def _structure(spec: CcdSpec | H2rgSpec, seed: int) -> NDArray[np.float32]:
    """Smooth surface, decay after the prescan, and a column pattern."""
    if isinstance(spec, H2rgSpec):
        return np.zeros((spec.size, spec.size), np.float32)
    rng = stream(seed, spec.arm, "structure")
    rows, columns = spec.raw_shape
    smooth = smooth_surface(rng, (rows, columns)) * STRUCTURE_E
    x = np.arange(columns) - spec.prescan
    decay = np.where(x >= 0, PRESCAN_STEP_E + 2.0 * np.exp(-np.maximum(x, 0) / 12.0), 0.0)
    odd_even = np.where(np.arange(columns) % 2, 0.15, -0.15)
    pattern = COLUMN_E * rng.standard_normal(columns) + odd_even
    structure = smooth + (decay + pattern).astype(np.float32)
    if spec.prescan:
        # The prescan's mean row by row is the level by definition, so it goes from the whole row.
        structure -= structure[:, : spec.prescan].mean(axis=1, keepdims=True)
    else:
        structure -= structure.mean()
    return structure


def smooth_surface(
    rng: np.random.Generator, shape: tuple[int, int], degree: int = 3
) -> NDArray[np.float32]:
    """Return a random low-order Chebyshev surface of mean about 0 and SD 1."""
    coefficients = rng.standard_normal((degree + 1, degree + 1))
    order = np.add.outer(np.arange(degree + 1), np.arange(degree + 1))
    coefficients *= (order > 0) / (1.0 + order)
    along_y = chebyshev.chebvander(np.linspace(-1, 1, shape[0]), degree)
    along_x = chebyshev.chebvander(np.linspace(-1, 1, shape[1]), degree)
    surface = (along_y @ coefficients @ along_x.T).astype(np.float32)
    surface -= surface.mean()
    return surface / surface.std()


def _dark_map(spec: CcdSpec | H2rgSpec, seed: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Hot pixels at random places with log-uniform rates, on a slightly uneven dark current."""
    rng = stream(seed, spec.arm, "dark")
    shape = (spec.rows, spec.columns)
    dark = np.float32(spec.dark_e_per_s) * np.exp(0.2 * smooth_surface(rng, shape))
    count = round(spec.hot_fraction * dark.size)
    where = rng.choice(dark.size, count, replace=False)
    low, high = np.log(spec.hot_range_e_per_s)
    dark.ravel()[where] += np.exp(rng.uniform(low, high, count)).astype(np.float32)
    hot = np.zeros(shape, bool)
    hot.ravel()[where] = True
    return dark, hot


def _response(spec: CcdSpec | H2rgSpec, seed: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Pixel-to-pixel and smooth sensitivity, with dead pixels, clusters and columns."""
    rng = stream(seed, spec.arm, "response")
    shape = (spec.rows, spec.columns)
    response = rng.standard_normal(shape, dtype=np.float32)
    response *= np.float32(PRNU_PIXEL)
    response += 1.0 + np.float32(PRNU_SMOOTH) * smooth_surface(rng, shape)
    response /= response.mean()
    dead = _dead_pixels(spec, rng)
    response[dead] = rng.uniform(0.0, 0.2, np.count_nonzero(dead)).astype(np.float32)
    return response, dead


def _dead_pixels(spec: CcdSpec | H2rgSpec, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Single pixels (one in ten grown to a cross) and columns that end at a random row."""
    dead = np.zeros((spec.rows, spec.columns), bool)
    where = rng.choice(dead.size, spec.dead_pixels, replace=False)
    dead.ravel()[where] = True
    clusters = np.zeros_like(dead)
    clusters.ravel()[where[: spec.dead_pixels // 10]] = True
    dead |= ndimage.binary_dilation(clusters)
    for column in rng.choice(spec.columns, spec.dead_columns, replace=False):
        dead[rng.integers(spec.rows // 4, spec.rows) :, column] = True
    return dead


def add_excess_noise(
    science: NDArray[np.float32], maps: DetectorMaps, read_noise_e: float, rng: np.random.Generator
) -> None:
    """Add what noisy pixels have beyond the read noise of all, electrons, in place."""
    if maps.noise_factor is None:
        return
    noisy = maps.noise_factor > 1
    excess = read_noise_e * np.sqrt(maps.noise_factor[noisy] ** 2 - 1)
    science[noisy] += excess * rng.standard_normal(excess.size, dtype=np.float32)


def row_drift(rng: np.random.Generator, rows: int, size_e: float) -> NDArray[np.float32]:
    """Slow wander of the electronic zero from row to row, electrons, mean 0."""
    return np.float32(size_e) * coloured_noise(rng, rows, exponent=1.6)[0]


def bin_sum(image: NDArray, binning: tuple[int, int]) -> NDArray:
    """Sum of charge in blocks of ``(bin_x, bin_y)`` pixels; ragged edges are left out."""
    bin_x, bin_y = binning
    rows, columns = image.shape[0] // bin_y, image.shape[1] // bin_x
    cut = image[: rows * bin_y, : columns * bin_x]
    return cut.reshape(rows, bin_y, columns, bin_x).sum(axis=(1, 3), dtype=image.dtype)
