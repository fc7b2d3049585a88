"""Telluric transmission of a whole spectrum: its orders fitted apart, then with what they share.

Every order is fitted by itself; the amounts of the molecules, which all orders share, are then
averaged, and each order is fitted again with these averages as expectations. What a standard of
the same night says is an expectation too, so that a faint spectrum falls back on it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.algorithms.molecules import MolecularTable
from soxs_recipes.algorithms.order_spectra import OrderSpectra
from soxs_recipes.algorithms.pixel_sampling import LineSpread
from soxs_recipes.algorithms.telluric_order import WATER_COLUMN, Expectation, OrderModel
from soxs_recipes.algorithms.telluric_order_fit import (
    FitSettings,
    OrderFit,
    OrderFitter,
    OrderSpectrum,
)

Array = NDArray[np.float64]
Source = Callable[[Array], Array]

USUAL_WATER_MM, USUAL_WATER_SD = 1.5, 0.8
"""Water where nothing is known of it, and the scatter of its logarithm.

Rather low for the site, so that a spectrum too faint to tell is corrected by too little.
"""
LEAST_BLAZE = 0.02
_CARRIED_SD = {"water": 0.25, "component": 0.03}
_LEAST_INFORMATION = 0.1
_WELL_KNOWN = 0.1
_CAUTION = 2.0
_FIRST_SD_PX = (0.9, 1.3, 1.8, 2.6)
_FIRST_SHIFT_PX = (-1.2, -0.6, 0.0, 0.6, 1.2)
_SPREAD = {
    "ln_sd": Expectation(float(np.log(1.3)), 0.35),
    "wing": Expectation(0.04, 0.04),
    "shift_px": Expectation(0.0, 0.6),
}
_BETWEEN_ORDERS = {WATER_COLUMN: 0.03, "ln_sd": 0.06, "wing": 0.02, "shift_px": 0.1}
_COMPONENT_BETWEEN_ORDERS = 0.02


@dataclass(frozen=True)
class Sight:
    """How a spectrum was taken.

    Attributes
    ----------
    airmass : float
        At mid-exposure.
    water : Expectation
        Logarithm of the precipitable water in mm, at zenith.
    source : callable, optional
        Spectrum of the source at high resolution, for a standard.
    """

    airmass: float
    water: Expectation = field(
        default_factory=lambda: Expectation(float(np.log(USUAL_WATER_MM)), USUAL_WATER_SD)
    )
    source: Source | None = None


@dataclass(frozen=True)
class TelluricFit:
    """Fits of the orders that have telluric absorption.

    Attributes
    ----------
    orders : dict
        Order to its fit.
    spectra : dict
        Order to the spectrum that was fitted.
    shared : dict
        Mean of what the orders share.
    source : dict
        Order to the source at the pixels, without the atmosphere.
    """

    orders: dict[int, OrderFit]
    spectra: dict[int, OrderSpectrum]
    shared: dict[str, Expectation]
    source: dict[int, Array]

    @property
    def water(self) -> Expectation:
        """Logarithm of the precipitable water."""
        return self.shared[WATER_COLUMN]

    def offset(self, number: int) -> float:
        """By how much the water of an order departs from the mean, in the logarithm."""
        fit = self.orders.get(number)
        if fit is None or WATER_COLUMN not in fit.unknowns:
            return 0.0
        return fit.unknowns[WATER_COLUMN] - self.water.mean


def fit_telluric(
    spectra: OrderSpectra,
    table: MolecularTable,
    sight: Sight,
    standard: TelluricFit | None = None,
    corrections: Mapping[int, Array] | None = None,
    settings: FitSettings | None = None,
) -> TelluricFit:
    """Fit the telluric absorption of all orders.

    Parameters
    ----------
    spectra : OrderSpectra
        The spectrum.
    table : MolecularTable
        Optical depths of the molecules.
    sight : Sight
        Airmass, expected water, source.
    standard : TelluricFit, optional
        Fit of a standard of the same night, whose results are expected here too.
    corrections : mapping, optional
        Order to the relative correction of the lines' optical depth, per pixel.
    settings : FitSettings, optional
        How orders are fitted.
    """
    settings = settings or FitSettings()
    parts = order_parts(spectra)
    models = {
        number: OrderModel(
            part.air_nm, table, sight.airmass, sight.source, (corrections or {}).get(number)
        )
        for number, part in parts.items()
    }
    models = {number: model for number, model in models.items() if model.parts}
    fitters = {n: OrderFitter(parts[n], model, settings) for n, model in models.items()}
    expected = {n: _expected(n, model, sight, standard) for n, model in models.items()}
    first = {n: _first_fit(fitters[n], expected[n]) for n in models}
    shared = _shared(first, expected, standard)
    again = {n: _refined(n, expected[n], shared, first, standard) for n in models}
    final = {n: fitters[n].fit(again[n], _within(first[n].unknowns, again[n])) for n in models}
    final = {n: _cautious(models[n], fit, shared[WATER_COLUMN]) for n, fit in final.items()}
    sources = {n: models[n].source_alone(final[n].unknowns) for n in models}
    return TelluricFit(final, {n: parts[n] for n in models}, shared, sources)


def _cautious(model: OrderModel, fit: OrderFit, water: Expectation) -> OrderFit:
    """Fit with less water by twice the variance of its logarithm.

    Nothing where the spectrum is bright. Where it is faint the correction is rather too small,
    which leaves absorption, than too large, which makes the spectrum worse than it was. The error
    of the water holds what it was lowered by.
    """
    if WATER_COLUMN not in fit.unknowns or water.sd < _WELL_KNOWN:
        return fit
    by = _CAUTION * water.sd**2
    lower = {**fit.unknowns, WATER_COLUMN: fit.unknowns[WATER_COLUMN] - by}
    covariance = fit.covariance.copy()
    place = list(fit.unknowns).index(WATER_COLUMN)
    covariance[place, place] += by**2
    return replace(fit, unknowns=lower, absorption=model.evaluate(lower), covariance=covariance)


def order_parts(spectra: OrderSpectra) -> dict[int, OrderSpectrum]:
    """Orders of a spectrum with their blaze taken out, where it is known."""
    parts = {}
    for number in spectra.orders:
        here = spectra.of(number)
        blaze = spectra.blaze[here]
        known = np.isfinite(blaze) & (blaze > 0)
        if not known.any():
            blaze, known = np.ones(blaze.size), np.ones(blaze.size, bool)
        divisor = np.where(known, blaze, 1.0)
        good = spectra.good[here] & known & (divisor > LEAST_BLAZE * divisor[known].max())
        value = np.where(good, spectra.flux_e[here] / divisor, 0.0)
        variance = np.where(good, (spectra.error_e[here] / divisor) ** 2, 1.0)
        wave = spectra.wave_nm[here]
        if np.count_nonzero(good) > wave.size // 10:
            parts[number] = OrderSpectrum(number, wave, value, variance, good)
    return parts


def _expected(
    number: int, model: OrderModel, sight: Sight, standard: TelluricFit | None
) -> dict[str, Expectation]:
    """What is expected of an order before it is fitted."""
    expected = {**_SPREAD, **model.expected(), WATER_COLUMN: sight.water}
    if standard is not None:
        expected |= {
            name: Expectation(known.mean, float(np.hypot(known.sd, _CARRIED_SD["component"])))
            for name, known in standard.shared.items()
            if name in expected and name not in (WATER_COLUMN, *LineSpread.NAMES)
        }
        carried = Expectation(
            standard.water.mean, float(np.hypot(standard.water.sd, _CARRIED_SD["water"]))
        )
        both = _mean([carried, sight.water])
        expected[WATER_COLUMN] = Expectation(both.mean + standard.offset(number), both.sd)
    return {name: expected[name] for name in model.names}


def _first_fit(fitter: OrderFitter, expected: Mapping[str, Expectation]) -> OrderFit:
    start = {name: item.mean for name, item in expected.items()}
    start["shift_px"] = fitter.choose(start, "shift_px", np.array(_FIRST_SHIFT_PX))
    start["ln_sd"] = fitter.choose(start, "ln_sd", np.log(_FIRST_SD_PX))
    return fitter.fit(expected, start)


def _shared(
    fits: Mapping[int, OrderFit],
    expected: Mapping[int, Mapping[str, Expectation]],
    standard: TelluricFit | None,
) -> dict[str, Expectation]:
    """Averages over the orders of what they measured, each expectation counted once."""
    names = dict.fromkeys(name for fit in fits.values() for name in fit.unknowns)
    shared = {}
    for name in names:
        members = [number for number, fit in fits.items() if name in fit.unknowns]
        offsets = [_offset(number, name, standard) for number in members]
        between = _BETWEEN_ORDERS.get(name, _COMPONENT_BETWEEN_ORDERS)
        measured = [
            Expectation(own.mean - offset, float(np.hypot(own.sd, between)))
            for number, offset in zip(members, offsets, strict=True)
            if (own := _measured(fits[number], name, expected[number][name])) is not None
        ]
        first = expected[members[0]][name]
        known = Expectation(first.mean - offsets[0], first.sd)
        shared[name] = _robust_mean(measured, known)
    if WATER_COLUMN not in shared:
        shared[WATER_COLUMN] = Expectation(float(np.log(USUAL_WATER_MM)), USUAL_WATER_SD)
    return shared


def _offset(number: int, name: str, standard: TelluricFit | None) -> float:
    return standard.offset(number) if standard is not None and name == WATER_COLUMN else 0.0


def _measured(fit: OrderFit, name: str, expected: Expectation) -> Expectation | None:
    """What the data of an order say of an unknown, the expectation taken out again."""
    precision = fit.error(name) ** -2 - expected.sd**-2
    if precision < _LEAST_INFORMATION * expected.sd**-2:
        return None
    weighted = fit.unknowns[name] * fit.error(name) ** -2 - expected.mean * expected.sd**-2
    return Expectation(weighted / precision, precision**-0.5)


def _mean(items: list[Expectation]) -> Expectation:
    weight = np.array([item.sd for item in items]) ** -2.0
    mean = np.sum(weight * [item.mean for item in items]) / weight.sum()
    return Expectation(float(mean), float(weight.sum() ** -0.5))


def _robust_mean(measured: list[Expectation], known: Expectation) -> Expectation:
    """Weighted mean in which measurements far from the median, for their error, count less."""
    if len(measured) > 2:
        middle = float(np.median([item.mean for item in measured]))
        measured = [
            Expectation(item.mean, float(np.hypot(item.sd, (item.mean - middle) / 2)))
            for item in measured
        ]
    return _mean([*measured, known])


def _refined(
    number: int,
    expected: Mapping[str, Expectation],
    shared: Mapping[str, Expectation],
    first: Mapping[int, OrderFit],
    standard: TelluricFit | None,
) -> dict[str, Expectation]:
    """Expectations of an order once all orders have been fitted."""
    refined = {}
    for name in expected:
        between = _BETWEEN_ORDERS.get(name, _COMPONENT_BETWEEN_ORDERS)
        mean = shared[name].mean + _offset(number, name, standard)
        refined[name] = Expectation(mean, float(np.hypot(shared[name].sd, between)))
    refined["shift_px"] = _shift(number, first, expected["shift_px"])
    return refined


def _shift(number: int, fits: Mapping[int, OrderFit], expected: Expectation) -> Expectation:
    """Shift of an order expected from those of all, a straight line along the order numbers."""
    orders = np.array(list(fits), float)
    shift = np.array([fit.unknowns["shift_px"] for fit in fits.values()])
    error = np.array([fit.error("shift_px") for fit in fits.values()])
    between = _BETWEEN_ORDERS["shift_px"]
    informed = error < 0.7 * expected.sd
    if np.count_nonzero(informed) < 4:
        spread = np.hypot(error, between)
        known = [Expectation(float(shift[i]), float(spread[i])) for i in np.flatnonzero(informed)]
        return _robust_mean(known, expected)
    weight = 1 / np.hypot(error, between)[informed]
    centre = orders[informed].mean()
    line = np.polynomial.polynomial.polyfit(orders[informed] - centre, shift[informed], 1, w=weight)
    return Expectation(float(line[0] + line[1] * (number - centre)), 2 * between)


def _within(start: Mapping[str, float], expected: Mapping[str, Expectation]) -> dict[str, float]:
    """First guess brought to within two standard errors of what is expected."""
    return {
        name: float(np.clip(start[name], item.mean - 2 * item.sd, item.mean + 2 * item.sd))
        for name, item in expected.items()
    }
