"""Fits of many small problems at once, against straight lines solved in closed form and scipy."""

import numpy as np
import pytest
from scipy.optimize import curve_fit

from soxs_recipes.algorithms.least_squares import Problems, fit_all, standard_errors

ABSCISSA = np.linspace(-3, 3, 25)


def bump(x, height, centre, width, level):
    return height * np.exp(-0.5 * ((x - centre) / width) ** 2) + level


def slopes_of(parameters):
    height, centre, width, level = (value[:, None] for value in parameters.T)
    u = (ABSCISSA - centre) / width
    shape = np.exp(-0.5 * u**2)
    by_centre, by_width = height * shape * u / width, height * shape * u**2 / width
    return height * shape + level, np.stack([shape, by_centre, by_width, 1 + 0 * shape], axis=1)


def problems(values, weight, bounded=lambda parameters: parameters):
    return Problems(
        values,
        weight,
        lambda parameters, rows: slopes_of(parameters)[0],
        lambda parameters, rows: slopes_of(parameters),
        bounded,
    )


@pytest.fixture
def noisy():
    rng = np.random.default_rng(4)
    truth = np.stack([rng.uniform(*r, 300) for r in ((20, 60), (-1, 1), (0.5, 1), (-2, 2))], 1)
    values = np.stack([bump(ABSCISSA, *row) for row in truth])
    return truth, values + rng.normal(0, 1, values.shape)


def test_all_fits_are_those_of_scipy(noisy):
    truth, values = noisy
    start = truth * [0.8, 1, 1.2, 1] + [0, 0.3, 0, 1]
    found = fit_all(problems(values, np.ones_like(values)), start, 30)
    for row in range(0, 300, 20):
        expected, _ = curve_fit(bump, ABSCISSA, values[row], start[row])
        assert found[row] == pytest.approx(expected, rel=2e-3, abs=2e-3)


def test_standard_errors_are_the_scatter(noisy):
    truth, values = noisy
    weight = np.ones_like(values)
    found = fit_all(problems(values, weight), truth, 30)
    error, alone = standard_errors(slopes_of(found)[1], weight)
    pull = (found - truth) / error
    assert np.all(np.abs(pull.mean(axis=0)) < 4 / np.sqrt(300))
    assert pull.std(axis=0) == pytest.approx(np.ones(4), abs=0.15)
    assert np.all(alone <= error * (1 + 1e-9))


def test_samples_without_weight_do_not_count(noisy):
    truth, values = noisy
    weight = np.ones_like(values)
    weight[:, ::4] = 0
    spoilt = np.where(weight > 0, values, 1e5)
    found = fit_all(problems(spoilt, weight), truth, 30)
    same = fit_all(problems(values, weight), truth, 30)
    assert found == pytest.approx(same)


def test_parameters_stay_within_bounds(noisy):
    truth, values = noisy
    narrow = problems(
        values,
        np.ones_like(values),
        lambda parameters: np.clip(parameters, -np.inf, [np.inf, np.inf, 0.6, np.inf]),
    )
    assert fit_all(narrow, np.minimum(truth, 0.6), 30)[:, 2].max() <= 0.6


def test_no_problem_at_all():
    assert fit_all(problems(np.zeros((0, 25)), np.zeros((0, 25))), np.zeros((0, 4)), 5).size == 0
