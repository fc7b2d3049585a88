"""Telluric absorption in one order: the fit.

The spectrum is a smooth continuum times the transmission at the pixels. All unknowns have a
Gaussian expectation, so that a spectrum that says little leaves them there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.algorithms.blaze_splines import cubic_splines
from soxs_recipes.algorithms.telluric_order import (
    Absorption,
    Expectations,
    OrderModel,
    line_spread,
)

Array = NDArray[np.float64]

_WORSE_BY = 9.0
_BOUNDS = {"ln_sd": (-0.9, 2.0), "wing": (0.0, 0.3), "shift_px": (-2.0, 2.0)}


@dataclass(frozen=True)
class OrderSpectrum:
    """Spectrum of one order, its blaze taken out.

    Attributes
    ----------
    number : int
        Order.
    air_nm, value, variance : ndarray
        Pixels, rising in wavelength.
    good : ndarray of bool
        Pixels that may be used.
    """

    number: int
    air_nm: Array
    value: Array
    variance: Array
    good: NDArray[np.bool_]


@dataclass(frozen=True)
class FitSettings:
    """How an order is fitted.

    Attributes
    ----------
    knot : float
        Distance of the knots of the continuum as a fraction of the wavelength.
    line_error : float
        Relative error of the optical depth of lines, as it shows in an element of resolution.
    floor : float
        Relative error of the model otherwise.
    kappa : float
        Pixels further off the model are rejected, in standard errors.
    rounds, steps : int
        Rounds of rejection, and steps in each.
    """

    knot: float = 0.012
    line_error: float = 0.045
    floor: float = 0.003
    kappa: float = 5.0
    rounds: int = 3
    steps: int = 5


@dataclass(frozen=True)
class OrderFit:
    """Result of a fit of an order.

    Attributes
    ----------
    number : int
        Order.
    unknowns : dict
        Fitted values.
    covariance : ndarray
        Of the unknowns, in the order of `unknowns`, with the expectations as data.
    absorption : Absorption
        Model at the fitted values.
    continuum : ndarray
        Continuum at the pixels.
    used : ndarray of bool
        Pixels that were not rejected.
    chi2, chi2_without : float
        Sum of squared deviations of the model, and of a continuum without absorption.
    count : int
        Pixels fitted.
    """

    number: int
    unknowns: dict[str, float]
    covariance: Array
    absorption: Absorption
    continuum: Array
    used: NDArray[np.bool_]
    chi2: float
    chi2_without: float
    count: int

    @property
    def is_refuted(self) -> bool:
        """Whether the data fit clearly better without the absorption."""
        return self.chi2 > self.chi2_without + _WORSE_BY

    @property
    def fwhm_px(self) -> float:
        """Width of the line spread, the pixel's included."""
        return line_spread(self.unknowns).fwhm_px

    def error(self, name: str) -> float:
        """Standard error of an unknown."""
        place = list(self.unknowns).index(name)
        return float(np.sqrt(self.covariance[place, place]))


class OrderFitter:
    """Fit of one order by Levenberg and Marquardt's method, continuum and absorption together."""

    def __init__(self, spectrum: OrderSpectrum, model: OrderModel, settings: FitSettings) -> None:
        self._spectrum, self._model, self._settings = spectrum, model, settings
        wave = spectrum.air_nm
        span = np.log(wave / wave[0])
        self._basis = cubic_splines(span, span[-1], settings.knot).toarray()
        good = spectrum.good
        self._level = float(np.median(np.abs(spectrum.value[good]))) if good.any() else 1.0
        bend = np.diff(np.eye(self._basis.shape[1]), 2, axis=0)
        # A continuum may bend by its own level between knots; what is not seen is bridged.
        self._stiffness = bend.T @ bend / max(self._level, 1e-30) ** 2

    def fit(self, expectations: Expectations, start: Mapping[str, float]) -> OrderFit:
        """Fit from a first guess of the unknowns."""
        names = self._model.names
        mean = np.array([expectations[name].mean for name in names])
        precision = np.array([expectations[name].sd for name in names]) ** -2.0
        theta = np.array([start[name] for name in names])
        used = self._spectrum.good.copy()
        state = self._state(names, theta, used)
        for _ in range(self._settings.rounds):
            state = self._converge(names, state, mean, precision, used)
            off = np.abs(state.residual) > self._settings.kappa * state.sigma
            used = self._spectrum.good & ~off
        return self._result(names, state, precision, used)

    def choose(self, start: Mapping[str, float], name: str, values: Array) -> float:
        """Value of one unknown, out of some, that fits best with the others as they are."""
        used = self._spectrum.good
        costs = []
        for value in values:
            state = self._state(
                self._model.names,
                np.array([{**start, name: value}[one] for one in self._model.names]),
                used,
            )
            costs.append(np.sum((state.residual / state.sigma)[used] ** 2))
        return float(values[int(np.argmin(costs))])

    def _state(self, names: list[str], theta: Array, used: NDArray[np.bool_]) -> _State:
        absorption = self._model.evaluate(dict(zip(names, theta, strict=True)))
        sigma = np.sqrt(self._spectrum.variance)
        for _ in range(2):
            continuum, coef = self._continuum(absorption.value, sigma, used)
            sigma = self._sigma(continuum, absorption)
        residual = self._spectrum.value - continuum * absorption.value
        return _State(theta, coef, absorption, continuum, residual, sigma)

    def _sigma(self, continuum: Array, absorption: Absorption) -> Array:
        settings = self._settings
        model = (settings.line_error * absorption.lines) ** 2 + settings.floor**2
        return np.sqrt(self._spectrum.variance + continuum**2 * model)

    def _continuum(
        self, transmission: Array, sigma: Array, used: NDArray[np.bool_]
    ) -> tuple[Array, Array]:
        design = self._basis[used] * (transmission / sigma)[used, None]
        normal = design.T @ design + self._stiffness
        right = design.T @ (self._spectrum.value / sigma)[used]
        coef = np.linalg.lstsq(normal, right, rcond=None)[0]
        return self._basis @ coef, coef

    def _converge(
        self,
        names: list[str],
        state: _State,
        mean: Array,
        precision: Array,
        used: NDArray[np.bool_],
    ) -> _State:
        """Take steps at fixed weights, damped where one does not help."""
        sigma, damping = state.sigma, 1e-3
        state = self._state_at(names, state.theta, sigma, used)
        cost = self._cost(state, sigma, mean, precision, used)
        for _ in range(self._settings.steps):
            step = self._step(names, state, sigma, mean, precision, used, damping)
            trial = self._state_at(names, _bounded(names, state.theta + step), sigma, used)
            new = self._cost(trial, sigma, mean, precision, used)
            if new > cost:
                damping *= 30
                continue
            state, done, cost, damping = trial, cost - new < 0.01, new, damping / 10
            if done:
                break
        return self._state(names, state.theta, used)

    def _state_at(
        self, names: list[str], theta: Array, sigma: Array, used: NDArray[np.bool_]
    ) -> _State:
        """Best continuum for given unknowns and weights."""
        absorption = self._model.evaluate(dict(zip(names, theta, strict=True)))
        continuum, coef = self._continuum(absorption.value, sigma, used)
        residual = self._spectrum.value - continuum * absorption.value
        return _State(theta, coef, absorption, continuum, residual, sigma)

    def _cost(
        self,
        state: _State,
        sigma: Array,
        mean: Array,
        precision: Array,
        used: NDArray[np.bool_],
    ) -> float:
        prior = np.sum(precision * (state.theta - mean) ** 2)
        smooth = state.coef @ self._stiffness @ state.coef
        return float(np.sum((state.residual / sigma)[used] ** 2) + prior + smooth)

    def _normal(
        self, names: list[str], state: _State, sigma: Array, used: NDArray[np.bool_]
    ) -> tuple[Array, Array]:
        """Normal equations of the unknowns, the continuum eliminated."""
        weight = (1 / sigma)[used, None]
        slopes = np.stack([state.absorption.slopes[name] for name in names], axis=1)
        wanted = (state.continuum[:, None] * slopes)[used] * weight
        linear = (self._basis * state.absorption.value[:, None])[used] * weight
        cross = linear.T @ wanted
        inner = linear.T @ linear + self._stiffness
        scaled = state.residual[used] * weight[:, 0]
        smooth = linear.T @ scaled - self._stiffness @ state.coef
        solved = np.linalg.lstsq(inner, np.column_stack([cross, smooth]), rcond=None)[0]
        normal = wanted.T @ wanted - cross.T @ solved[:, :-1]
        return normal, wanted.T @ scaled - cross.T @ solved[:, -1]

    def _step(
        self,
        names: list[str],
        state: _State,
        sigma: Array,
        mean: Array,
        precision: Array,
        used: NDArray[np.bool_],
        damping: float,
    ) -> Array:
        normal, right = self._normal(names, state, sigma, used)
        full = normal + np.diag(precision + damping * np.diag(normal))
        return np.linalg.solve(full, right - precision * (state.theta - mean))

    def _result(
        self, names: list[str], state: _State, precision: Array, used: NDArray[np.bool_]
    ) -> OrderFit:
        normal, _ = self._normal(names, state, state.sigma, used)
        chi2 = float(np.sum((state.residual / state.sigma)[used] ** 2))
        count = int(np.count_nonzero(used))
        excess = max(chi2 / max(count - len(names) - self._basis.shape[1], 1), 1.0)
        unknowns = dict(zip(names, state.theta.tolist(), strict=True))
        alone = self._model.source_alone(unknowns)
        flat, _ = self._continuum(alone, state.sigma, used)
        without = ((self._spectrum.value - flat * alone) / state.sigma)[used]
        return OrderFit(
            self._spectrum.number,
            unknowns,
            np.linalg.inv(normal / excess + np.diag(precision)),
            state.absorption,
            state.continuum,
            used,
            chi2,
            float(np.sum(without**2)),
            count,
        )


@dataclass(frozen=True)
class _State:
    """A point in the course of a fit."""

    theta: Array
    coef: Array
    absorption: Absorption
    continuum: Array
    residual: Array
    sigma: Array


def _bounded(names: list[str], theta: Array) -> Array:
    bounds = [_BOUNDS.get(name, (-np.inf, np.inf)) for name in names]
    return np.clip(theta, *np.array(bounds).T)
