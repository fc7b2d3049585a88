"""Where an object lies along the slit, and how wide it is, as smooth functions of wavelength."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

Array = NDArray[np.float64]
Ints = NDArray[np.int_]

CHUNK_BINS = 64
"""Bins of an order in which position and width are measured together."""

_REJECT_SIGMA, _SOFT_SIGMA = 4.0, 2.0
_ROUNDS = 5
# The error of a position is never believed to be smaller than this.
FLOOR_ARCSEC = 0.003
FLOOR_WIDTH = 0.003


@dataclass(frozen=True)
class Curve:
    """A Chebyshev series in the logarithm of wavelength, and small corrections per order.

    Attributes
    ----------
    range_nm : tuple of float
        Wavelengths at which the argument of the series is -1 and +1; constant beyond.
    coef : ndarray
        Coefficients.
    order_coef : mapping of int to (float, float)
        Order to value and slope (per half of `range_nm`, about the order's middle `order_middle`)
        by which it departs, for spectral formats are known to a finite accuracy.
    """

    range_nm: tuple[float, float]
    coef: Array
    order_coef: dict[int, tuple[float, float]] = field(default_factory=dict)
    order_middle: dict[int, float] = field(default_factory=dict)

    def __call__(self, order: int, wave_nm: NDArray) -> Array:
        """Value at wavelengths of an order."""
        z = self.scaled(wave_nm)
        value = chebyshev.chebval(z, self.coef)
        level, slope = self.order_coef.get(order, (0.0, 0.0))
        return value + level + slope * (z - self.order_middle.get(order, 0.0))

    def scaled(self, wave_nm: NDArray) -> Array:
        """Argument of the series."""
        return np.clip(_scaled(wave_nm, self.range_nm), -1, 1)

    def moved(self, by: float) -> Curve:
        """Return the curve plus a constant."""
        coef = self.coef.copy()
        coef[0] += by
        return replace(self, coef=coef)


@dataclass(frozen=True)
class Trace:
    """Position and width of an object along the slit.

    Attributes
    ----------
    centre : Curve
        Slit position, arcsec.
    log_fwhm : Curve
        Logarithm of the FWHM in arcsec.
    """

    centre: Curve
    log_fwhm: Curve

    def at(self, order: int, wave_nm: NDArray) -> tuple[Array, Array]:
        """Slit position and FWHM, arcsec, at wavelengths of an order."""
        return self.centre(order, wave_nm), np.exp(self.log_fwhm(order, wave_nm))


@dataclass(frozen=True)
class Measurements:
    """Values measured in chunks of orders.

    Attributes
    ----------
    order, wave_nm : ndarray
        Where.
    value, error : ndarray
        What, and its standard error; chunks without light have an infinite one.
    """

    order: Ints
    wave_nm: Array
    value: Array
    error: Array

    @property
    def known(self) -> NDArray[np.bool_]:
        """Chunks that say anything."""
        return np.isfinite(self.value) & np.isfinite(self.error) & (self.error > 0)

    def taken(self, keep: NDArray[np.bool_]) -> Measurements:
        """Return some of the chunks."""
        return Measurements(*(part[keep] for part in vars(self).values()))


@dataclass(frozen=True)
class CurveFit:
    """A curve, what it was fitted to, and how well.

    Attributes
    ----------
    curve : Curve
        The result.
    residual : ndarray
        Measured minus fitted, of all chunks.
    used : ndarray of bool
        Chunks that took part.
    """

    curve: Curve
    residual: Array
    used: NDArray[np.bool_]


def constant_trace(slit_arcsec: float, fwhm_arcsec: float, range_nm: tuple[float, float]) -> Trace:
    """Trace of an object at one slit position."""
    return Trace(Curve(range_nm, np.array([slit_arcsec])), Curve(range_nm, np.log([fwhm_arcsec])))


def fit_curve(
    data: Measurements, range_nm: tuple[float, float], degree: int, floor: float, by_order: bool
) -> CurveFit:
    """Fit a smooth curve to chunks, robustly; its degree is the lowest that suffices.

    Parameters
    ----------
    data : Measurements
        The chunks.
    range_nm : tuple of float
        Wavelengths of the arm.
    degree : int
        Highest degree that is tried.
    floor : float
        Smallest error of a chunk that is believed.
    by_order : bool
        Whether orders may depart from the curve; they do as far as the data show it.
    """
    known = data.known
    if not known.any():
        raise ValueError("no chunk has a measurement")
    z = np.clip(_scaled(data.wave_nm, range_nm), -1, 1)
    weight = np.where(known, 1 / (np.where(known, data.error, 1) ** 2 + floor**2), 0.0)
    value = np.where(known, data.value, 0.0)
    coef, used = _robust(z, value, weight, degree)
    curve = Curve(range_nm, coef)
    if by_order:
        curve = _with_orders(curve, data, z, weight * used)
    fitted = np.empty(len(z))
    for order in np.unique(data.order):
        here = data.order == order
        fitted[here] = curve(int(order), data.wave_nm[here])
    return CurveFit(curve, np.where(known, data.value - fitted, np.nan), used)


def _scaled(wave_nm: NDArray, range_nm: tuple[float, float]) -> Array:
    low, high = np.log(range_nm)
    return 2 * (np.log(wave_nm) - low) / (high - low) - 1


def _robust(z: Array, value: Array, weight: Array, degree: int) -> tuple[Array, NDArray[np.bool_]]:
    """Series of the degree that the Bayesian information criterion prefers, outliers left out."""
    used = _inliers(z, value, weight)
    coef = np.array([np.average(value, weights=weight)])
    for _ in range(_ROUNDS):
        count = int(used.sum())
        fits = [_series(z[used], value[used], weight[used], d) for d in range(degree + 1)]
        # Scatter beyond the errors, as of the spectral format, must not be fitted.
        last = max(1.0, fits[-1][1] / max(count - degree - 1, 1))
        scores = [chi2 / last + (d + 1) * np.log(max(count, 2)) for d, (_, chi2) in enumerate(fits)]
        coef = fits[int(np.argmin(scores))][0]
        pull = np.abs(value - chebyshev.chebval(z, coef)) * np.sqrt(weight / last)
        keep = (weight > 0) & (pull < _REJECT_SIGMA)
        if np.array_equal(keep, used) or keep.sum() < degree + 1:
            break
        used = keep
    return coef, used


def _inliers(z: Array, value: Array, weight: Array) -> NDArray[np.bool_]:
    """Values that are not off a straight line by much more than the others are.

    A curve of higher degree would bend to a single wrong value at the end of the range.
    """
    known, soft = weight > 0, weight
    for _ in range(_ROUNDS):
        coef, _ = _series(z[known], value[known], soft[known], min(1, int(known.sum()) - 1))
        pull = (value - chebyshev.chebval(z, coef)) * np.sqrt(weight)
        pull /= max(1.0, float(np.median(np.abs(pull[known]))) / 0.6745)
        soft = weight / (1 + (pull / _SOFT_SIGMA) ** 2)
    return known & (np.abs(pull) < _REJECT_SIGMA)


def _series(z: Array, value: Array, weight: Array, degree: int) -> tuple[Array, float]:
    if len(z) <= degree:
        return np.zeros(degree + 1), np.inf
    root = np.sqrt(weight)
    basis = chebyshev.chebvander(z, degree)
    coef, *_ = np.linalg.lstsq(basis * root[:, None], value * root, rcond=None)
    return coef, float(np.sum(weight * (value - basis @ coef) ** 2))


def _with_orders(curve: Curve, data: Measurements, z: Array, weight: Array) -> Curve:
    """Let orders depart in value and slope, drawn to the curve by the scatter among orders."""
    orders = [int(order) for order in np.unique(data.order[weight > 0])]
    residual = np.where(weight > 0, data.value - chebyshev.chebval(z, curve.coef), 0.0)
    middle, level, slope = {}, {}, {}
    for order in orders:
        here = np.where(data.order == order, weight, 0.0)
        middle[order] = float(np.average(z, weights=here))
        offset = z - middle[order]
        level[order] = (np.average(residual, weights=here), 1 / here.sum())
        spread = np.sum(here * offset**2)
        slope[order] = (
            np.sum(here * offset * residual) / max(spread, 1e-30),
            1 / max(spread, 1e-30),
        )
    level, slope = _shrunk(level), _shrunk(slope)
    pairs = {order: (level[order], slope[order]) for order in orders}
    return replace(curve, order_coef=pairs, order_middle=middle)


def _shrunk(terms: dict[int, tuple[float, float]]) -> dict[int, float]:
    """Empirical Bayes: what of each value its scatter beyond the errors supports."""
    values, variances = np.array(list(terms.values())).T
    excess = max(0.0, float(np.median(values**2) / 0.455 - np.median(variances)))
    if len(values) < 3 or excess == 0:
        return dict.fromkeys(terms, 0.0)
    return dict(zip(terms, (values * excess / (excess + variances)).tolist(), strict=True))
