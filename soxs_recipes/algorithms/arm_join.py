"""How the flux scales of two arms compare where both see the target."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from soxs_recipes.algorithms.combine_spectra import Combined
from soxs_recipes.algorithms.flux_calibration import TRANSMISSION
from soxs_recipes.algorithms.quality import has

Array = NDArray[np.float64]

OVERLAP_NM = (800.0, 845.0)
CLEAR_TRANSMISSION = 0.95
_LEAST_BINS = 20
_SMOOTH_BINS = 51
_ROUNDS = 3


@dataclass(frozen=True)
class ArmRatio:
    """Flux of the first arm over that of the second in the overlap.

    Attributes
    ----------
    value, error : float
        Ratio and its random error.
    bins : int
        Bins that were used.
    """

    value: float
    error: float
    bins: int

    def is_significant(self, kappa: float) -> bool:
        """Whether the arms differ by more than `kappa` errors."""
        return abs(self.value - 1) > kappa * self.error


def arm_ratio(
    first: Combined, second: Combined, overlap_nm: tuple[float, float] = OVERLAP_NM
) -> ArmRatio | None:
    """Compare two spectra on one grid.

    The ratio is that of weighted sums, with weights smooth along wavelength, and therefore without
    the bias that a mean of ratios, or weights that follow the noise, would have.

    Parameters
    ----------
    first, second : Combined
        Spectra of the arms on the same grid.
    overlap_nm : (float, float)
        Range in which both are trusted.

    Returns
    -------
    ArmRatio or None
        None where fewer than 20 bins are good in both, or the sums are not above zero.
    """
    good = _good(first, overlap_nm) & _good(second, overlap_nm)
    if good.sum() < _LEAST_BINS:
        return None
    width = first.width_nm[good]
    flux = [one.flux[good] * width for one in (first, second)]
    variance = [_smooth(one.variance[good] * width**2) for one in (first, second)]
    factor = [one.covariance_factor[good] for one in (first, second)]
    ratio = 1.0
    for _ in range(_ROUNDS):
        weight = 1 / (variance[0] + ratio**2 * variance[1])
        sums = [float((weight * values).sum()) for values in flux]
        if min(sums) <= 0:
            return None
        ratio = sums[0] / sums[1]
    spread = variance[0] * factor[0] + ratio**2 * variance[1] * factor[1]
    error = float(np.sqrt((weight**2 * spread).sum())) / sums[1]
    return ArmRatio(ratio, error, int(good.sum()))


def _good(spectrum: Combined, overlap_nm: tuple[float, float]) -> NDArray[np.bool_]:
    good = np.isfinite(spectrum.flux) & (spectrum.variance > 0) & ~has(spectrum.quality)
    good &= (spectrum.wave_nm >= overlap_nm[0]) & (spectrum.wave_nm <= overlap_nm[1])
    transmission = spectrum.extra.get(TRANSMISSION)
    return good if transmission is None else good & (transmission > CLEAR_TRANSMISSION)


def _smooth(values: Array) -> Array:
    return median_filter(values, _SMOOTH_BINS, mode="nearest")
