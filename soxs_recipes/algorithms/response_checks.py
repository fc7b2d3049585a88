"""How good a response is: efficiency, steps between orders, drift against a master."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.algorithms.order_spectra import OrderSpectra
from soxs_recipes.algorithms.quality import Quality, has
from soxs_recipes.algorithms.response import MeasuredResponse
from soxs_recipes.algorithms.response_curve import Response
from soxs_recipes.algorithms.robust import fit_line

Array = NDArray[np.float64]

_HC_ERG_NM = 6.62607015e-27 * 2.99792458e17
_ANGSTROM_PER_NM = 10.0
_LEAST_COMMON = 20
WORST_STEP = 0.0025
"""Error of a step from which it says more of the noise than of the response."""
_WEIGHT_FLOOR = 0.01


def efficiency(wave_nm: Array, throughput: Array, area_cm2: float) -> Array:
    """Electrons per photon above the atmosphere that meets the telescope's aperture.

    Parameters
    ----------
    wave_nm : ndarray
        Wavelengths.
    throughput : ndarray
        Electrons s-1 nm-1 over erg s-1 cm-2 Angstrom-1.
    area_cm2 : float
        Collecting area.
    """
    return throughput * _HC_ERG_NM / (wave_nm * _ANGSTROM_PER_NM * area_cm2)


def residual_rms(spectra: OrderSpectra, measured: MeasuredResponse, bin_nm: float = 1.0) -> float:
    """Root mean square of the residuals in bins of a width, less that of the noise.

    Bins are weighted by their noise, to which 1 % is added.
    """
    use = measured.used
    key = spectra.order[use] * 100_000 + np.floor(spectra.wave_nm[use] / bin_nm).astype(int)
    _, place = np.unique(key, return_inverse=True)
    count = np.bincount(place)
    noise = (measured.throughput_error / measured.fitted)[use]
    mean = np.bincount(place, measured.residual[use]) / count
    variance = np.bincount(place, noise**2) / count**2
    full = count >= np.median(count) / 2
    weight = 1 / (variance[full] + _WEIGHT_FLOOR**2)
    excess = np.sum(weight * (mean[full] ** 2 - variance[full])) / weight.sum()
    return float(np.sqrt(max(excess, 0.0)))


def steps_between_orders(
    spectra: OrderSpectra, measured: MeasuredResponse, worst_error: float = WORST_STEP
) -> dict[int, float]:
    """Relative step of the calibrated standard from each order to the next in wavelength.

    Both orders are compared in the bins that they share, weighted by their errors; orders that
    share none, or whose step would be known worse than by `worst_error`, are left out.
    """
    middle = {order: float(spectra.wave_nm[spectra.of(order)].mean()) for order in spectra.orders}
    sequence = sorted(middle, key=middle.__getitem__)
    steps = {}
    for left, right in pairwise(sequence):
        before = _mean_in(spectra, measured, left, right)
        after = _mean_in(spectra, measured, right, left)
        if before is None or after is None:
            continue
        if np.hypot(before[1], after[1]) <= worst_error:
            steps[left] = after[0] - before[0]
    return steps


def _mean_in(
    spectra: OrderSpectra, measured: MeasuredResponse, order: int, other: int
) -> tuple[float, float] | None:
    """Mean residual of an order where another has light too, and its error."""
    with_light = measured.used & spectra.of(other)
    here = measured.used & spectra.of(order)
    if not with_light.any():
        return None
    wave = spectra.wave_nm[with_light]
    here &= (spectra.wave_nm >= wave.min()) & (spectra.wave_nm <= wave.max())
    if np.count_nonzero(here) < _LEAST_COMMON:
        return None
    weight = (measured.fitted / measured.throughput_error)[here] ** 2
    mean = np.sum(weight * measured.residual[here]) / weight.sum()
    return float(mean), float(weight.sum() ** -0.5)


def saturated_fraction(spectra: OrderSpectra) -> dict[int, float]:
    """Share of the bins of each order that hold saturated pixels."""
    saturated = has(spectra.quality, Quality.SATURATED)
    return {order: float(saturated[spectra.of(order)].mean()) for order in spectra.orders}


@dataclass(frozen=True)
class Drift:
    """A response over a master response, ``offset + slope * (wavelength - centre)``.

    Attributes
    ----------
    offset, slope_per_100nm : float
        Ratio at the centre, and its change per 100 nm.
    centre_nm : float
        Wavelength of the centre.
    """

    offset: float
    slope_per_100nm: float
    centre_nm: float


def drift(response: Response, master: Response, samples: int = 200) -> Drift | None:
    """Compare a response with a master response; None if they have no wavelengths in common."""
    wave, ratio = [], []
    for order in np.unique(response.order):
        nodes = response.wave_nm[response.order == order]
        place = np.linspace(nodes[0], nodes[-1], samples + 2)[1:-1]
        value = response.at(int(order), place)[0] / master.at(int(order), place)[0]
        known = np.isfinite(value)
        wave.append(place[known])
        ratio.append(value[known])
    all_wave, all_ratio = np.concatenate(wave), np.concatenate(ratio)
    if all_wave.size < _LEAST_COMMON:
        return None
    centre = float((all_wave.min() + all_wave.max()) / 2)
    line = fit_line((all_wave - centre) / 100, all_ratio)
    return Drift(float(line.intercept), float(line.slope), centre)
