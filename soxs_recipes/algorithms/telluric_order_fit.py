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
    WATER_COLUMN,
    Absorption,
    Expectations,
    OrderModel,
    line_spread,
)

Array = NDArray[np.float64]

_WORSE_BY = 9.0
_LEAST_GAIN, _RIDGE = 0.01, 1e-10
_BOUNDS = {
    WATER_COLUMN: (-4.0, 4.5),
    "ln_sd": (-0.9, 2.0),
    "wing": (0.0, 0.3),
    "shift_px": (-2.0, 2.0),
}
_STRENGTH_BOUNDS = (-1.5, 1.5)


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
    """Fit of one order by Levenberg and Marquardt's method, the continuum solved for within."""

    def __init__(self, spectrum: OrderSpectrum, model: OrderModel, settings: FitSettings) -> None:
        self._spectrum, self._model, self._settings = spectrum, model, settings
        self._names = model.names
        wave = spectrum.air_nm
        span = np.log(wave / wave[0])
        self._basis = cubic_splines(span, span[-1], settings.knot).toarray()
        good = spectrum.good
        level = float(np.median(np.abs(spectrum.value[good]))) if good.any() else 1.0
        bend = np.diff(np.eye(self._basis.shape[1]), 2, axis=0)
        # A continuum may bend by its own level between knots; what is not seen is bridged.
        self._stiffness = bend.T @ bend / max(level, 1e-30) ** 2

    def fit(self, expectations: Expectations, start: Mapping[str, float]) -> OrderFit:
        """Fit from a first guess of the unknowns."""
        prior = _Prior(
            np.array([expectations[name].mean for name in self._names]),
            np.array([expectations[name].sd for name in self._names]) ** -2.0,
        )
        used = self._spectrum.good
        theta = np.array([start[name] for name in self._names])
        state = self._weighted(theta, self._evaluate(theta), used)
        for _ in range(self._settings.rounds):
            state = self._converge(state, prior, used)
            off = np.abs(state.residual) > self._settings.kappa * state.sigma
            used = self._spectrum.good & ~off
        return self._result(state, prior, used)

    def choose(self, start: Mapping[str, float], name: str, values: Array) -> float:
        """Value of one unknown, out of some, that fits best with the others as they are."""
        used = self._spectrum.good
        theta = np.array([start[one] for one in self._names])
        sigma = self._weighted(theta, self._evaluate(theta), used).sigma
        costs = []
        for value in values:
            transmission = self._model.value({**start, name: value})
            continuum, _ = self._continuum(transmission, sigma, used)
            residual = (self._spectrum.value - continuum * transmission) / sigma
            costs.append(np.sum(residual[used] ** 2))
        return float(values[int(np.argmin(costs))])

    def _evaluate(self, theta: Array) -> Absorption:
        return self._model.evaluate(dict(zip(self._names, theta, strict=True)))

    def _weighted(self, theta: Array, absorption: Absorption, used: NDArray[np.bool_]) -> _State:
        """State with the errors that its own continuum and lines imply."""
        sigma = np.sqrt(self._spectrum.variance)
        settings = self._settings
        model = (settings.line_error * absorption.lines) ** 2 + settings.floor**2
        for _ in range(2):
            continuum, _ = self._continuum(absorption.value, sigma, used)
            sigma = np.sqrt(self._spectrum.variance + continuum**2 * model)
        return self._state(theta, absorption, sigma, used)

    def _state(
        self, theta: Array, absorption: Absorption, sigma: Array, used: NDArray[np.bool_]
    ) -> _State:
        """State with the best continuum for given errors."""
        continuum, coef = self._continuum(absorption.value, sigma, used)
        residual = self._spectrum.value - continuum * absorption.value
        return _State(theta, coef, absorption, continuum, residual, sigma)

    def _continuum(
        self, transmission: Array, sigma: Array, used: NDArray[np.bool_]
    ) -> tuple[Array, Array]:
        design = self._basis[used] * (transmission / sigma)[used, None]
        normal = design.T @ design + self._stiffness
        coef = _solved(normal, design.T @ (self._spectrum.value / sigma)[used])
        return self._basis @ coef, coef

    def _converge(self, state: _State, prior: _Prior, used: NDArray[np.bool_]) -> _State:
        """Take steps at fixed errors, damped where one does not help."""
        damping, cost = 1e-3, self._cost(state, prior, used)
        for _ in range(self._settings.steps):
            theta = _bounded(self._names, state.theta + self._step(state, prior, used, damping))
            trial = self._state(theta, self._evaluate(theta), state.sigma, used)
            new = self._cost(trial, prior, used)
            if new > cost:
                damping *= 30
                continue
            state, done, cost, damping = trial, cost - new < _LEAST_GAIN, new, damping / 10
            if done:
                break
        return self._weighted(state.theta, state.absorption, used)

    def _cost(self, state: _State, prior: _Prior, used: NDArray[np.bool_]) -> float:
        expected = np.sum(prior.precision * (state.theta - prior.mean) ** 2)
        smooth = state.coef @ self._stiffness @ state.coef
        return float(np.sum((state.residual / state.sigma)[used] ** 2) + expected + smooth)

    def _normal(self, state: _State, used: NDArray[np.bool_]) -> tuple[Array, Array]:
        """Normal equations of the unknowns, the continuum eliminated."""
        weight = (1 / state.sigma)[used, None]
        slopes = np.stack([state.absorption.slopes[name] for name in self._names], axis=1)
        wanted = (state.continuum[:, None] * slopes)[used] * weight
        linear = (self._basis * state.absorption.value[:, None])[used] * weight
        cross = linear.T @ wanted
        scaled = state.residual[used] * weight[:, 0]
        smooth = linear.T @ scaled - self._stiffness @ state.coef
        solved = _solved(linear.T @ linear + self._stiffness, np.column_stack([cross, smooth]))
        normal = wanted.T @ wanted - cross.T @ solved[:, :-1]
        return normal, wanted.T @ scaled - cross.T @ solved[:, -1]

    def _step(self, state: _State, prior: _Prior, used: NDArray[np.bool_], damping: float) -> Array:
        normal, right = self._normal(state, used)
        full = normal + np.diag(prior.precision + damping * np.diag(normal))
        return np.linalg.solve(full, right - prior.precision * (state.theta - prior.mean))

    def _result(self, state: _State, prior: _Prior, used: NDArray[np.bool_]) -> OrderFit:
        normal, _ = self._normal(state, used)
        chi2 = float(np.sum((state.residual / state.sigma)[used] ** 2))
        count = int(np.count_nonzero(used))
        free = max(count - len(self._names) - self._basis.shape[1], 1)
        unknowns = dict(zip(self._names, state.theta.tolist(), strict=True))
        alone = self._model.source_alone(unknowns)
        flat, _ = self._continuum(alone, state.sigma, used)
        without = ((self._spectrum.value - flat * alone) / state.sigma)[used]
        return OrderFit(
            self._spectrum.number,
            unknowns,
            np.linalg.inv(normal / max(chi2 / free, 1.0) + np.diag(prior.precision)),
            state.absorption,
            state.continuum,
            used,
            chi2,
            float(np.sum(without**2)),
            count,
        )


@dataclass(frozen=True)
class _Prior:
    """Expected values of the unknowns, and the inverse variances of the expectations."""

    mean: Array
    precision: Array


@dataclass(frozen=True)
class _State:
    """A point in the course of a fit."""

    theta: Array
    coef: Array
    absorption: Absorption
    continuum: Array
    residual: Array
    sigma: Array


def _solved(normal: Array, right: Array) -> Array:
    """Solution of normal equations, which may be nearly singular where nothing is seen."""
    scale = np.sqrt(np.diag(normal))
    scale = np.where(scale > 0, scale, 1.0)
    scaled = normal / np.outer(scale, scale) + _RIDGE * np.eye(len(scale))
    columns = scale[:, None] if right.ndim > 1 else scale
    return np.linalg.solve(scaled, right / columns) / columns


def _bounded(names: list[str], theta: Array) -> Array:
    bounds = [_BOUNDS.get(name, _STRENGTH_BOUNDS) for name in names]
    return np.clip(theta, *np.array(bounds).T)
