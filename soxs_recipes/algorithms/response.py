"""Response of the instrument from a flux standard.

The count rate of the standard over its known flux is the efficiency of an order. Divided by the
blaze of the lamp it is smooth, and a spline follows it across lines and telluric bands; the
steep edges of an order are those of the blaze.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag

from soxs_recipes.algorithms.blaze_splines import cubic_splines
from soxs_recipes.algorithms.order_spectra import OrderSpectra
from soxs_recipes.algorithms.response_curve import Response
from soxs_recipes.algorithms.standard_stars import ReferenceSpectrum

Array = NDArray[np.float64]

LEAST_BLAZE = 0.01
"""Share of an order's peak below which its response is not given."""
_LEAST_TRANSMISSION = 0.3
_FLOOR = 0.003
_KAPPA, _ROUNDS, _STEPS = 5.0, 8, 3
_BRIGHT = 5.0
_LEAST_BINS = 50
_BEND = 0.3
_LINE_SD_PX = 1.3
# Orders depart from the common curve by a constant and a slope, of at least this size.
_OWN_TERMS, _LEAST_DEPARTURE = 2, 3e-4


@dataclass(frozen=True)
class ResponseSettings:
    """How the response is fitted.

    Attributes
    ----------
    knot : float
        Distance of the knots, as a fraction of the wavelength.
    joined : bool
        Whether one curve runs through all orders, each departing from it a little; else each order
        has a curve of its own.
    order_error : float
        Largest likely departure of an order from the common curve.
    reference_error : float
        Relative error of the standard's published flux, common to wide ranges.
    extinction_error : float
        Relative error of the extinction curve.
    """

    knot: float = 0.03
    joined: bool = False
    order_error: float = 0.02
    reference_error: float = 0.01
    extinction_error: float = 0.03


@dataclass(frozen=True)
class Standard:
    """What is known of the standard, bin for bin of its spectrum.

    Attributes
    ----------
    flux : ndarray
        Flux above the atmosphere at the resolution of the spectrum; NaN where it is not known.
    flux_error : ndarray
        Its relative error, bin by bin.
    transmission, transmission_error : ndarray
        Telluric transmission and its standard error.
    extinction_mag : ndarray
        Extinction towards the standard in mag, airmass included.
    """

    flux: Array
    flux_error: Array
    transmission: Array
    transmission_error: Array
    extinction_mag: Array


@dataclass(frozen=True)
class MeasuredResponse:
    """The response of all orders, and what it was measured from.

    Attributes
    ----------
    response : Response
        The smooth response.
    throughput, throughput_error : ndarray
        Electrons s-1 nm-1 above the atmosphere over flux, bin by bin of the spectrum.
    fitted : ndarray
        The same, smooth; NaN where there is none.
    used : ndarray of bool
        Bins that the curve was fitted to.
    """

    response: Response
    throughput: Array
    throughput_error: Array
    fitted: Array
    used: NDArray[np.bool_]

    @property
    def residual(self) -> Array:
        """Relative departure of the bins from the curve."""
        return self.throughput / self.fitted - 1


def expected_flux(spectra: OrderSpectra, reference: ReferenceSpectrum) -> tuple[Array, Array]:
    """Flux of a standard in the bins of a spectrum, and its relative error; NaN beyond its ends."""
    value, error = np.full((2, spectra.wave_nm.size), np.nan)
    for order in spectra.orders:
        here = spectra.of(order)
        line_sd_nm = _LINE_SD_PX * float(np.median(spectra.width_nm[here]))
        value[here], error[here] = reference.at(spectra.wave_nm[here], line_sd_nm)
    value[~reference.covers(spectra.wave_nm)] = np.nan
    return value, error


def measure_response(
    spectra: OrderSpectra, standard: Standard, settings: ResponseSettings
) -> MeasuredResponse:
    """Measure the response from the spectrum of a standard.

    Parameters
    ----------
    spectra : OrderSpectra
        Extracted orders.
    standard : Standard
        The standard's flux, and what the atmosphere took of it.
    settings : ResponseSettings
        How the curve is fitted.

    Raises
    ------
    ValueError
        If no order has enough bins to be fitted.
    """
    scale = 10 ** (0.4 * standard.extinction_mag)
    scale = scale / (spectra.exptime_s * spectra.width_nm * standard.transmission * standard.flux)
    value, error = spectra.flux_e * scale, spectra.error_e * scale
    shape = _shape(spectra)
    relative = np.hypot(standard.flux_error, standard.transmission_error / standard.transmission)
    known = (
        spectra.good
        & np.isfinite(shape)
        & np.isfinite(standard.flux)
        & (standard.transmission > _LEAST_TRANSMISSION)
    )
    curve, spread = np.full((2, value.size), np.nan)
    used = np.zeros(value.size, bool)
    groups = [spectra.orders] if settings.joined else [[order] for order in spectra.orders]
    for orders in groups:
        group = np.isin(spectra.order, orders) & np.isfinite(shape)
        if np.count_nonzero(known & group) < _LEAST_BINS:
            continue
        fit = _SmoothFit(spectra.order[group], spectra.wave_nm[group], settings)
        curve[group], spread[group], used[group] = fit.run(
            value[group] / shape[group],
            error[group] / shape[group],
            relative[group],
            known[group],
        )
    if not used.any():
        raise ValueError("no order of the standard has enough usable bins")
    fitted = curve * shape
    common = np.hypot(
        settings.reference_error,
        settings.extinction_error * standard.extinction_mag * np.log(10) / 2.5,
    )
    response = _response(spectra, fitted, np.hypot(spread, common))
    return MeasuredResponse(response, value, error, fitted, used)


def _shape(spectra: OrderSpectra) -> Array:
    """Blaze per nm relative to its mean; 1 for an order whose blaze is not known."""
    shape = np.full(spectra.wave_nm.size, np.nan)
    for order in spectra.orders:
        here = spectra.of(order)
        blaze = spectra.blaze[here]
        if not np.any(blaze > 0):
            shape[here] = 1.0
            continue
        valid = blaze > LEAST_BLAZE * np.nanmax(blaze)
        shape[here] = np.where(valid, blaze / spectra.width_nm[here], np.nan)
    return shape


def _response(spectra: OrderSpectra, fitted: Array, relative_error: Array) -> Response:
    given = np.isfinite(fitted) & (fitted > 0)
    value = 1 / fitted[given]
    return Response(
        spectra.order[given], spectra.wave_nm[given], value, value * relative_error[given]
    )


class _SmoothFit:
    """Exponential of a spline, fitted to the efficiency of some orders over their shape.

    How much orders depart from one curve is learnt from all of them (MacKay 1992, Neural
    Computation 4, 415): where the lamp tells their ratios better than the noise of the standard
    does, they are left to the lamp, and the noise makes no steps where orders meet.
    """

    def __init__(self, order: NDArray[np.int_], wave_nm: Array, settings: ResponseSettings) -> None:
        place = np.log(wave_nm / wave_nm.min())
        common = cubic_splines(place, place.max(), settings.knot).toarray()
        self._design = np.column_stack([common, *self._departures(order, place)])
        # The logarithm may bend by 0.3 between knots; gaps are bridged by the straightest curve.
        second = np.diff(np.eye(common.shape[1]), 2, axis=0) / _BEND
        self._bending = second.T @ second
        self._limit = settings.order_error
        self._size = np.full(_OWN_TERMS, settings.order_error)

    @staticmethod
    def _departures(order: NDArray[np.int_], place: Array) -> list[Array]:
        """Constant and slope of each order about the common curve; none for a single order."""
        numbers = np.unique(order)
        columns = []
        for number in numbers if len(numbers) > 1 else ():
            here = order == number
            centre, half = place[here].mean(), np.ptp(place[here]) / 2
            columns += [here.astype(float), np.where(here, (place - centre) / half, 0.0)]
        return columns

    @property
    def _precision(self) -> Array:
        """What is expected of the coefficients."""
        orders = (self._design.shape[1] - len(self._bending)) // _OWN_TERMS
        return block_diag(self._bending, np.diag(np.tile(self._size**-2.0, orders)))

    def _learn_departures(self, coef: Array, covariance: Array) -> None:
        """Take the size of constants and slopes from those that the data tell."""
        own = coef[len(self._bending) :].reshape(-1, _OWN_TERMS)
        if not own.size:
            return
        variance = np.diag(covariance)[len(self._bending) :].reshape(own.shape)
        told = np.maximum(np.sum(1 - variance / self._size**2, axis=0), 1.0)
        size = np.sqrt(np.sum(own**2, axis=0) / told)
        self._size = np.clip(size, min(_LEAST_DEPARTURE, self._limit), self._limit)

    def run(
        self, value: Array, error: Array, relative: Array, known: NDArray[np.bool_]
    ) -> tuple[Array, Array, NDArray[np.bool_]]:
        """Curve, its relative error, and the bins that were used."""
        coef = self._first_guess(value, np.hypot(error, relative * value), known)
        used = known
        for _ in range(_ROUNDS):
            coef, curve, sigma, covariance = self._converge(coef, value, error, relative, used)
            self._learn_departures(coef, covariance)
            residual = value / curve - 1
            chi = np.median(np.abs(residual / sigma)[used]) / 0.6745
            used = known & (np.abs(residual) < _KAPPA * max(chi, 1.0) * sigma)
        excess = max(float(np.mean((residual / sigma)[used] ** 2)), 1.0)
        spread = np.sqrt(excess * np.einsum("ij,jk,ik->i", self._design, covariance, self._design))
        return curve, spread, used

    def _first_guess(self, value: Array, error: Array, known: NDArray[np.bool_]) -> Array:
        """Curve through the logarithms of the bright bins."""
        bright = known & (value > _BRIGHT * error)
        if not bright.any():
            bright = known & (value > 0)
        sigma = np.hypot(error / np.where(bright, value, 1.0), 10 * _FLOOR)[bright]
        design = self._design[bright] / sigma[:, None]
        right = design.T @ (np.log(value[bright]) / sigma)
        return np.linalg.pinv(design.T @ design + self._precision, hermitian=True) @ right

    def _converge(
        self, coef: Array, value: Array, error: Array, relative: Array, used: NDArray[np.bool_]
    ) -> tuple[Array, Array, Array, Array]:
        """Gauss-Newton steps for the coefficients of the logarithm."""
        design, precision = self._design[used], self._precision
        for _ in range(_STEPS):
            curve = np.exp(np.clip(self._design @ coef, -200, 200))
            sigma = np.sqrt((error / curve) ** 2 + relative**2 + _FLOOR**2)
            weight = sigma[used] ** -2
            normal = (design * weight[:, None]).T @ design + precision
            gradient = design.T @ (weight * (value / curve - 1)[used]) - precision @ coef
            covariance = np.linalg.pinv(normal, hermitian=True)
            coef = coef + np.clip(covariance @ gradient, -2.0, 2.0)
        curve = np.exp(np.clip(self._design @ coef, -200, 200))
        return coef, curve, sigma, covariance
