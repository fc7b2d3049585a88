"""Flux scale from magnitudes against drawn truth."""

import numpy as np
import pytest

from soxs_recipes.algorithms.absolute_scale import SLOPE_SD, BandRatio, fit_scale


def test_one_filter_sets_the_level_and_nothing_else():
    scale = fit_scale([BandRatio(622.0, 1.4, 0.02)])
    factor, error = scale.at([350.0, 622.0, 2000.0])
    assert factor == pytest.approx(1.4)
    assert error == pytest.approx(
        np.hypot(0.02, SLOPE_SD * np.abs(np.log([350 / 622, 1, 2000 / 622])))
    )
    assert scale.level == pytest.approx(1.4)


def test_errors_are_those_of_drawn_levels_and_slopes():
    """Slopes of the truth drawn as expected, one between the filters and one beyond them."""
    rng = np.random.default_rng(3)
    pivots, errors = np.array([477.0, 763.0, 900.0]), np.array([0.01, 0.03, 0.02])
    at = np.array([400.0, 500.0, 650.0, 900.0, 1800.0])
    pulls, slopes = [], []
    for _ in range(800):
        slope, beyond = rng.normal(0, SLOPE_SD, 2)
        ratios = 1.3 * (pivots / 600) ** slope * np.exp(errors * rng.standard_normal(3))
        scale = fit_scale([BandRatio(*one) for one in zip(pivots, ratios, errors, strict=True)])
        factor, error = scale.at(at)
        end = np.clip(at, pivots[0], pivots[-1])
        true = 1.3 * (end / 600) ** slope * (at / end) ** beyond
        pulls.append(np.log(factor / true) / error)
        slopes.append((scale.slope - slope) / scale.slope_sd)
    assert np.std(slopes) == pytest.approx(1.0, abs=0.06)
    assert np.std(pulls, axis=0) == pytest.approx(1.0, abs=0.08)
    assert np.abs(np.mean(pulls, axis=0)).max() < 0.12


def test_filters_close_together_show_no_slope():
    scale = fit_scale([BandRatio(620.0, 1.02, 0.02), BandRatio(640.0, 0.98, 0.02)])
    assert abs(scale.slope) < 0.01
    assert scale.slope_sd == pytest.approx(SLOPE_SD, rel=0.02)
    factor, _ = scale.at([400.0, 1900.0])
    assert factor == pytest.approx(1.0, abs=1e-3)
