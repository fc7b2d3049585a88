"""Least-squares fit of a dispersion solution to measured line positions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from soxs_recipes.algorithms.dispersion import SLIT_SCALE_ARCSEC, DispersionSolution
from soxs_recipes.algorithms.robust import mad_sd

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Scaled coordinates of all echelle orders: m * wavelength and m are the natural ones.
ECHELLE_CENTRE_NM, ECHELLE_HALF_NM = 19500.0, 950.0

_ROUNDS, _SMOOTH_ROUNDS = 12, 4
_FIRST_FLOOR_PX = 0.05
_CAUCHY = 2.4
_SMALLEST_FLOOR_PX = 0.002
_FOLDS = 5
_BISECTIONS = 10


class FitError(ValueError):
    """There are too few lines for the terms of a fit."""


@dataclass(frozen=True)
class Basis:
    """The terms of a fit: products of Chebyshev polynomials of scaled variables.

    Attributes
    ----------
    orders : ndarray of int, shape (n,)
        Order numbers.
    centre_nm, half_nm : ndarray, shape (n,)
        Scaling of the wavelength in each order.
    order_terms : ndarray, shape (n, p)
        Functions of the order number: Chebyshev polynomials if orders share one model, the unit
        matrix if each has its own.
    terms : sequence of (int, int)
        Per power of the slit position: how many functions of wavelength and of order it has.
    """

    orders: NDArray[np.int_]
    centre_nm: Array
    half_nm: Array
    order_terms: Array
    terms: tuple[tuple[int, int], ...]

    @classmethod
    def per_order(cls, guess: DispersionSolution, degrees: Sequence[int]) -> Basis:
        """Every order by itself; `degrees` in wavelength, one per power of the slit position."""
        count = len(guess.orders)
        low, high = guess.range_nm.T
        terms = tuple((degree + 1, count) for degree in degrees)
        return cls(guess.orders, (low + high) / 2, (high - low) / 2, np.eye(count), terms)

    @classmethod
    def echelle(cls, guess: DispersionSolution, degrees: Sequence[tuple[int, int]]) -> Basis:
        """All orders in (m wavelength, m, s); `degrees` in the first two, per power of s."""
        orders = guess.orders
        q = (2 * orders - orders.min() - orders.max()) / max(np.ptp(orders), 1)
        order_terms = chebyshev.chebvander(q, max(degree for _, degree in degrees))
        terms = tuple((i + 1, j + 1) for i, j in degrees)
        return cls(orders, ECHELLE_CENTRE_NM / orders, ECHELLE_HALF_NM / orders, order_terms, terms)

    @property
    def size(self) -> int:
        """Number of coefficients per axis."""
        return sum(i * j for i, j in self.terms)

    def design(self, index: NDArray[np.int_], wave_nm: Array, slit_arcsec: Array) -> Array:
        """Design matrix, one row per line; `index` is the row of its order."""
        t = (wave_nm - self.centre_nm[index]) / self.half_nm[index]
        by_wave = chebyshev.chebvander(t, max(i for i, _ in self.terms) - 1)
        by_slit = chebyshev.chebvander(slit_arcsec / SLIT_SCALE_ARCSEC, len(self.terms) - 1)
        by_order = self.order_terms[index]
        blocks = [
            (by_wave[:, :i, None] * by_order[:, None, :j]).reshape(len(t), -1) * by_slit[:, k, None]
            for k, (i, j) in enumerate(self.terms)
        ]
        return np.hstack(blocks)

    def expand(self, coefficients: Array) -> Array:
        """Coefficients per order, shape (n, powers of s, powers of wavelength)."""
        longest = max(i for i, _ in self.terms)
        result = np.zeros((len(self.orders), len(self.terms), longest))
        start = 0
        for k, (i, j) in enumerate(self.terms):
            block = coefficients[start : start + i * j].reshape(i, j)
            result[:, k, :i] = self.order_terms[:, :j] @ block.T
            start += i * j
        return result


@dataclass(frozen=True)
class LineSample:
    """Measured lines: what they are and where they were seen.

    Attributes
    ----------
    order : ndarray of int, shape (n,)
        Order number.
    wave_nm, slit_arcsec : ndarray, shape (n,)
        Wavelength and slit position.
    line : ndarray of int, shape (n,)
        Lines of one number share the error of a listed wavelength.
    x, y, x_error, y_error : ndarray, shape (n,)
        Position and its standard error, px; that along dispersion includes the wavelength's.
    """

    order: NDArray[np.int_]
    wave_nm: Array
    slit_arcsec: Array
    line: NDArray[np.int_]
    x: Array
    y: Array
    x_error: Array
    y_error: Array

    def select(self, where: Mask) -> LineSample:
        """Part of the lines."""
        return LineSample(**{name: value[where] for name, value in vars(self).items()})


@dataclass(frozen=True)
class DispersionFit:
    """A fitted solution and how well it fits.

    Attributes
    ----------
    solution : DispersionSolution
        The solution.
    used : ndarray of bool
        Which lines were kept.
    x_residual, y_residual : ndarray
        Observed minus fitted position of every line, px.
    floor_px : tuple of float
        Scatter in x and y beyond the errors of the lines, added to them in quadrature.
    """

    solution: DispersionSolution
    used: Mask
    x_residual: Array
    y_residual: Array
    floor_px: tuple[float, float]


def fit_dispersion(
    guess: DispersionSolution, basis: Basis, lines: LineSample, kappa: float = 4.0
) -> DispersionFit:
    """Fit x and y of a set of lines, rejecting outliers.

    Lines are weighted by their errors and a common scatter that is estimated from the residuals.
    The first rounds downweight outliers smoothly (Cauchy weights; Holland & Welsch 1977), the
    later ones clip.

    Parameters
    ----------
    guess : DispersionSolution
        Supplies arm, shape, and the range of the orders.
    basis : Basis
        Terms of the fit.
    lines : LineSample
        Measured lines.
    kappa : float
        Lines further than this many standard deviations off in x or y are rejected.

    Raises
    ------
    FitError
        If there are fewer than two lines per coefficient.
    """
    design = basis.design(guess.index(lines.order), lines.wave_nm, lines.slit_arcsec)
    measured, errors = np.stack([lines.x, lines.y]), np.stack([lines.x_error, lines.y_error])
    used = np.ones(len(lines.order), bool)
    sigma = np.hypot(errors, _FIRST_FLOOR_PX)
    soft = np.ones(len(used))
    for step in range(_ROUNDS):
        if np.count_nonzero(used) < 2 * basis.size:
            raise FitError(f"{2 * basis.size} lines needed, {np.count_nonzero(used)} found")
        weight = used * soft / sigma
        coefs = [_solve(design, *axis) for axis in zip(measured, weight, strict=True)]
        residual = measured - np.stack([design @ coef for coef in coefs])
        floors = [_floor(r[used], e[used]) for r, e in zip(residual, errors, strict=True)]
        sigma = np.hypot(errors, np.array(floors)[:, None])
        pull = np.abs(residual / sigma).max(axis=0)
        if step < _SMOOTH_ROUNDS:
            soft = 1 / np.sqrt(1 + (pull / _CAUCHY) ** 2)
            continue
        soft, before, used = np.ones(len(used)), used, pull < kappa
        if step > _SMOOTH_ROUNDS and np.array_equal(before, used):
            break
    solution = _solution(guess, basis, coefs, lines.select(used))
    return DispersionFit(solution, used, residual[0], residual[1], (floors[0], floors[1]))


def with_slit_terms(
    solution: DispersionSolution, template: DispersionSolution
) -> DispersionSolution:
    """Complete a solution of the slit centre with the slit of another one.

    The offset of a slit position from the slit centre is that of the template at the same order
    and wavelength.
    """
    powers, terms = template.x_coef.shape[1:]
    count = max(terms, solution.x_coef.shape[2])
    unit = np.cos(np.pi * (np.arange(2 * count) + 0.5) / (2 * count))
    slit = SLIT_SCALE_ARCSEC * np.cos(np.pi * (np.arange(powers) + 0.5) / powers)
    low, high = solution.range_nm.T[:, :, None, None]
    wave = (low + high) / 2 + (high - low) / 2 * unit[:, None]
    order, wave, slit = np.broadcast_arrays(solution.orders[:, None, None], wave, slit)
    centre = np.zeros_like(slit)
    degrees = [count - 1] * powers
    basis = replace(
        Basis.per_order(solution, degrees),
        centre_nm=solution.centre_nm,
        half_nm=solution.half_nm,
    )
    design = basis.design(solution.index(order).ravel(), wave.ravel(), slit.ravel())
    positions = zip(
        solution.to_pixel(order, wave, centre),
        template.to_pixel(order, wave, slit),
        template.to_pixel(order, wave, centre),
        strict=True,
    )
    x_coef, y_coef = (
        basis.expand(_solve(design, (here + there - middle).ravel(), np.ones(len(design))))
        for here, there, middle in positions
    )
    return replace(solution, x_coef=x_coef, y_coef=y_coef)


def cross_validated_rms(
    guess: DispersionSolution, basis: Basis, lines: LineSample
) -> tuple[float, float]:
    """Weighted rms in x and y of lines left out of the fit, in units of their errors, px.

    Lines of one number are left out together, since they share the error of the wavelength.
    """
    index = guess.index(lines.order)
    design = basis.design(index, lines.wave_nm, lines.slit_arcsec)
    fold = np.unique(lines.line, return_inverse=True)[1] * 7919 % _FOLDS
    rms = []
    for values, error in ((lines.x, lines.x_error), (lines.y, lines.y_error)):
        weight = 1 / error
        residual = np.empty(len(values))
        for k in range(_FOLDS):
            out = fold == k
            residual[out] = values[out] - design[out] @ _solve(design, values, weight * ~out)
        rms.append(float(np.sqrt(np.average(residual**2, weights=weight**2))))
    return rms[0], rms[1]


def _solve(design: Array, values: Array, weight: Array) -> Array:
    """Weighted least squares by normal equations: the scaled basis is conditioned well enough."""
    weighted = design * weight[:, None]
    return np.linalg.lstsq(weighted.T @ weighted, weighted.T @ (values * weight), rcond=1e-14)[0]


def _floor(residual: Array, error: Array) -> float:
    """Scatter to be added in quadrature so that the residuals agree with the errors."""
    low, high = 0.0, float(mad_sd(residual)) + _SMALLEST_FLOOR_PX
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        excess = mad_sd(residual / np.hypot(error, middle)) > 1
        low, high = (middle, high) if excess else (low, middle)
    return max(high, _SMALLEST_FLOOR_PX)


def _solution(
    guess: DispersionSolution, basis: Basis, coefs: Sequence[Array], lines: LineSample
) -> DispersionSolution:
    """Fitted solution, with the range of the lines that it rests on."""
    fitted = np.full((len(basis.orders), 2), np.nan)
    for n, order in enumerate(basis.orders):
        waves = lines.wave_nm[lines.order == order]
        if len(waves):
            fitted[n] = waves.min(), waves.max()
    return replace(
        guess,
        centre_nm=basis.centre_nm,
        half_nm=basis.half_nm,
        x_coef=basis.expand(coefs[0]),
        y_coef=basis.expand(coefs[1]),
        fitted_nm=fitted,
    )
