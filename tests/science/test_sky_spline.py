"""Banded least squares against the same problem solved with full matrices."""

import numpy as np
import pytest

from soxs_recipes.algorithms import sky_spline


@pytest.fixture(params=[1, 2, 3])
def problem(request):
    """Random pixels, functions and weights; the design as one full matrix."""
    rng, functions = np.random.default_rng(1), request.param
    column = rng.uniform(3, 90, 4000).astype("f4")
    packing = sky_spline.pack(column, 0.7)
    values = rng.normal(size=(*packing.place.shape, functions)).astype("f4")
    values *= packing.filled[..., None]
    weights = (rng.uniform(0.5, 2, packing.filled.shape) * packing.filled).astype("f4")
    data = rng.normal(size=packing.filled.shape).astype("f4")
    interval, rank = np.nonzero(packing.filled)
    full = np.zeros((len(interval), packing.knots * functions))
    for row, (i, k) in enumerate(zip(interval, rank, strict=True)):
        design = np.outer(packing.splines[i, k], values[i, k])
        full[row, i * functions : (i + 4) * functions] = design.ravel()
    return column, packing, values, weights, data, full


def test_solution_and_variance_are_those_of_full_matrices(problem):
    column, packing, values, weights, data, full = problem
    fit = sky_spline.fit(packing, values, data, weights, errors=True)
    weight, value = weights[packing.filled].astype(float), data[packing.filled].astype(float)
    normal = full.T @ (weight[:, None] * full)
    expected = np.linalg.solve(normal, full.T @ (weight * value))
    # At the ends few pixels hold a knot, and the penalty has its say.
    inner = np.abs(column[packing.place[packing.filled]] - 46.5) < 40
    parts = sky_spline.contributions(packing, values, fit.coef)
    model = parts.sum(axis=-1)[packing.filled]
    assert model[inner] == pytest.approx((full @ expected)[inner], abs=1e-3)
    inverse, functions = np.linalg.inv(normal), values.shape[-1]
    is_first = np.arange(full.shape[1]) % functions < 2
    found = sky_spline.variances(packing, values, fit.covariance, 2)
    for design, variance in zip((full * is_first, full), found, strict=True):
        expected = np.einsum("ij,jk,ik->i", design, inverse, design)
        assert variance[packing.filled][inner] == pytest.approx(expected[inner], rel=2e-3)


def test_splines_add_up_to_one_and_reproduce_a_straight_line():
    column = np.linspace(10, 50, 900, dtype="f4")
    packing = sky_spline.pack(column, 0.5)
    assert packing.splines[packing.filled].sum(axis=-1) == pytest.approx(1.0, abs=1e-6)
    even = np.ones((*packing.place.shape, 1), "f4")
    line = np.where(packing.filled, 2 * column[packing.place] - 7, 0).astype("f4")
    weights = packing.filled.astype("f4")
    fit = sky_spline.fit(packing, even, line, weights)
    at = np.linspace(12, 48, 100, dtype="f4")
    values = sky_spline.curves(fit.coef, packing.first, 0.5, at)[..., 0]
    assert values == pytest.approx(2 * at - 7, abs=1e-2)


def test_gaps_in_the_data_leave_a_finite_solution():
    column = np.concatenate([np.linspace(0, 20, 400), np.linspace(30, 50, 400)]).astype("f4")
    packing = sky_spline.pack(column, 1.0)
    filled = packing.filled.astype("f4")
    data = np.ones(packing.place.shape, "f4")
    fit = sky_spline.fit(packing, filled[..., None], data, filled, errors=True)
    assert np.isfinite(fit.coef).all()
    assert np.isfinite(fit.covariance).all()
    inside = sky_spline.curves(fit.coef, packing.first, 1.0, np.float32([5.0, 45.0]))
    assert inside == pytest.approx(np.ones((2, 1)), abs=1e-3)


def test_held_differences_are_a_prior(problem):
    _, packing, values, weights, data, full = problem
    functions = values.shape[-1]
    held = np.random.default_rng(3).uniform(5, 50, (packing.knots - 1, functions))
    fit = sky_spline.fit(packing, values, data, weights, errors=True, held=held)
    steps = np.diff(np.eye(packing.knots), axis=0)
    penalty = np.zeros((packing.knots, functions, packing.knots, functions))
    for k in range(functions):
        penalty[:, k, :, k] = steps.T @ (held[:, k, None] * steps)
    weight, value = weights[packing.filled].astype(float), data[packing.filled].astype(float)
    size = packing.knots * functions
    normal = full.T @ (weight[:, None] * full) + penalty.reshape(size, size)
    expected = np.linalg.solve(normal, full.T @ (weight * value))
    assert fit.coef.ravel() == pytest.approx(expected, abs=1e-3)
