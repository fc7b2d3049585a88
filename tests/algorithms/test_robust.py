import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from soxs_recipes.algorithms import robust


@pytest.fixture(scope="module")
def gaussian():
    return np.random.default_rng(11).normal(5.0, 2.0, size=(20_000, 200))


def efficiency(estimate, count):
    """Variance of the ordinary SD of Gaussian data over that of the estimate."""
    return 0.5 / count / np.var(estimate / np.mean(estimate))


def test_median_equals_numpy_and_skips_nan():
    data = np.random.default_rng(1).normal(size=(7, 30, 5))
    data[data > 1] = np.nan
    data[:, 3, 2] = np.nan
    with pytest.warns(RuntimeWarning, match="All-NaN"):
        expected = np.nanmedian(data, axis=0)
    np.testing.assert_allclose(robust.median(data, axis=0), expected, rtol=1e-14)


@pytest.mark.parametrize(
    ("estimator", "least_efficiency", "most_efficiency"),
    [
        (robust.mad_sd, 0.35, 0.39),
        (lambda d, axis: robust.percentile_sd(d, axis, tail=0.25), 0.35, 0.40),
        (robust.percentile_sd, 0.52, 0.58),
        (lambda d, axis: robust.percentile_sd(d, axis, tail=0.07), 0.62, 0.68),
        (lambda d, axis: robust.clipped_statistics(d, axis, kappa=4).sd, 0.93, 1.01),
    ],
)
def test_scale_estimators_are_unbiased_with_known_efficiency(
    gaussian, estimator, least_efficiency, most_efficiency
):
    estimate = estimator(gaussian, axis=1)
    assert np.mean(estimate) == pytest.approx(2.0, rel=0.005)
    assert least_efficiency < efficiency(estimate, 200) < most_efficiency


@pytest.mark.parametrize("count", [2, 3, 4, 5, 6, 8, 9, 10, 15])
def test_mad_has_no_small_sample_bias(count):
    data = np.random.default_rng(count).normal(size=(100_000, count))
    assert np.mean(robust.mad_sd(data, axis=1)) == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("estimator", [robust.mad_sd, robust.percentile_sd])
def test_missing_values_change_nothing_but_the_sample(gaussian, estimator):
    part = gaussian[:500].copy()
    part[:, 37:] = np.nan
    np.testing.assert_allclose(estimator(part, axis=1), estimator(gaussian[:500, :37], axis=1))


def test_outliers_on_one_side(gaussian):
    data = gaussian.copy()
    data[:, :20] += 1e5
    assert np.mean(robust.mad_sd(data, axis=1)) == pytest.approx(2.0, rel=0.15)
    clipped = robust.clipped_statistics(data, axis=1, kappa=4)
    assert np.mean(clipped.mean) == pytest.approx(5.0, abs=0.004)
    assert np.mean(clipped.sd) == pytest.approx(2.0, rel=0.005)
    assert np.all(clipped.count <= 180)


@pytest.mark.parametrize("kappa", [2.0, 2.5, 3.0, 5.0])
def test_clipped_sd_is_corrected_for_the_clipped_wings(kappa):
    data = np.random.default_rng(5).normal(size=1_000_000)
    assert float(robust.clipped_statistics(data, kappa=kappa).sd) == pytest.approx(1.0, rel=0.003)


@pytest.mark.parametrize("sigma", [0.2, 0.35, 1.3])
def test_clipped_sd_of_digitised_data_is_that_of_the_digits(sigma):
    rng = np.random.default_rng(6)
    data = np.rint(rng.normal(100.3, sigma, size=200_000))
    truth = data.std()
    data[:100] = 4000
    assert float(robust.clipped_statistics(data, kappa=5).sd) == pytest.approx(truth, rel=0.02)


def test_clipped_mean_error_is_its_scatter(gaussian):
    clipped = robust.clipped_statistics(gaussian, axis=1, kappa=4)
    assert np.std((clipped.mean - 5) / clipped.error) == pytest.approx(1.0, abs=0.02)


@given(
    arrays(np.float64, (3, 12), elements=st.floats(-1e3, 1e3)),
    st.floats(-100, 100),
    st.floats(0.1, 10),
)
@settings(max_examples=50, deadline=None)
def test_scale_estimators_are_equivariant(data, shift, factor):
    for estimator in (robust.mad_sd, robust.percentile_sd):
        np.testing.assert_allclose(
            estimator(data * factor + shift, axis=1), factor * estimator(data, axis=1), atol=1e-7
        )


def test_parameters_out_of_range_are_refused():
    with pytest.raises(ValueError, match="tail"):
        robust.percentile_sd([1, 2, 3], tail=0.5)
    with pytest.raises(ValueError, match="kappa"):
        robust.clipped_statistics([1, 2, 3], kappa=1)


@pytest.fixture(scope="module")
def lines():
    x = np.sort(np.random.default_rng(3).uniform(100, 200, size=80))
    noise = np.random.default_rng(4).normal(0, 1.5, size=(10_000, 80))
    return x, 7 - 0.3 * x + noise


def test_line_is_unbiased_efficient_and_knows_its_errors(lines):
    x, y = lines
    line = robust.fit_line(x, y)
    least_squares = np.polyfit(x, y.T, 1)[0]
    assert np.mean(line.slope) == pytest.approx(-0.3, abs=3 * np.std(line.slope) / 100)
    assert np.var(least_squares) / np.var(line.slope) > 0.93
    assert np.std((line.slope + 0.3) / line.slope_error) == pytest.approx(1.0, abs=0.04)
    assert np.std((line.intercept - 7) / line.intercept_error) == pytest.approx(1.0, abs=0.04)


def test_line_survives_outliers_and_gaps(lines):
    x, y = lines
    spoilt = y[:2000].copy()
    spoilt[:, ::6] += 500
    spoilt[:, 1::9] = np.nan
    line = robust.fit_line(x, spoilt)
    assert np.mean(line.slope) == pytest.approx(-0.3, abs=0.001)
    assert np.mean(line(x)[:, 40]) == pytest.approx(7 - 0.3 * x[40], abs=0.02)


def test_line_through_exact_points():
    line = robust.fit_line([0, 1, 2, 3], [1.0, 3.0, 5.0, 7.0])
    assert float(line.slope) == pytest.approx(2)
    assert float(line.intercept) == pytest.approx(1)
