"""Many small non-linear least-squares problems of one model, solved together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Ints = NDArray[np.int_]

_SMALLEST_GAIN = 1e-5
_FIRST_DAMPING = 1e-3
_RIDGE = 1e-10


@dataclass(frozen=True)
class Problems:
    """What is fitted: n problems of p samples and k parameters each.

    Attributes
    ----------
    values, weight : ndarray, shape (n, p)
        Samples and their inverse variance; 0 leaves a sample out.
    model : callable
        ``model(parameters, rows)`` gives the samples of the problems `rows`, shape (rows, p).
    slopes : callable
        The same with the derivatives by the parameters, shape (rows, k, p), as a second result.
    bounded : callable
        Brings parameters back to where they make sense.
    """

    values: Array
    weight: Array
    model: Callable[[Array, Ints], Array]
    slopes: Callable[[Array, Ints], tuple[Array, Array]]
    bounded: Callable[[Array], Array]


def fit_all(problems: Problems, start: Array, steps: int) -> Array:
    """Minimise the weighted squares of every problem (Levenberg 1944; Marquardt 1963).

    Problems that have converged drop out.

    Parameters
    ----------
    problems : Problems
        The problems.
    start : ndarray, shape (n, k)
        First guess.
    steps : int
        Largest number of steps.

    Returns
    -------
    ndarray, shape (n, k)
        The parameters.
    """
    result, damping = start.copy(), np.full(len(start), _FIRST_DAMPING)
    active = np.arange(len(start))
    for _ in range(steps):
        if not len(active):
            break
        weight, parameters = problems.weight[active], result[active]
        model, slopes = problems.slopes(parameters, active)
        residual = problems.values[active] - model
        normal, gradient = _normal_equations(slopes, weight, residual)
        diagonal = np.einsum("npp->np", normal) * damping[active, None] + 1e-12
        damped = normal + np.eye(start.shape[1]) * diagonal[:, None, :]
        step = np.linalg.solve(damped, gradient[..., None])[..., 0]
        trial = problems.bounded(parameters + step)
        cost = _cost(weight, residual)
        gain = cost - _cost(weight, problems.values[active] - problems.model(trial, active))
        result[active[gain > 0]] = trial[gain > 0]
        damping[active] *= np.where(gain > 0, 0.1, 10)
        active = active[np.abs(gain) > _SMALLEST_GAIN * cost + 1e-9]
    return result


def standard_errors(slopes: Array, weight: Array) -> tuple[Array, Array]:
    """Standard errors of the parameters, and those that each would have with the others known.

    Parameters
    ----------
    slopes : ndarray, shape (n, k, p)
        Derivatives of the samples by the parameters.
    weight : ndarray, shape (n, p)
        Inverse variance of the samples.
    """
    normal, _ = _normal_equations(slopes, weight, np.zeros_like(weight))
    scale = np.sqrt(np.maximum(np.einsum("npp->np", normal), 1e-30))
    correlation = normal / (scale[:, :, None] * scale[:, None, :])
    covariance = np.linalg.inv(correlation + _RIDGE * np.eye(slopes.shape[1]))
    return np.sqrt(np.abs(np.einsum("npp->np", covariance))) / scale, 1 / scale


def _normal_equations(slopes: Array, weight: Array, residual: Array) -> tuple[Array, Array]:
    weighted = slopes * weight[:, None, :]
    return weighted @ slopes.transpose(0, 2, 1), (weighted @ residual[..., None])[..., 0]


def _cost(weight: Array, residual: Array) -> Array:
    return np.einsum("np,np->n", weight, residual**2)
