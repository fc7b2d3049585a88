"""Order statistics of values with gaps, against numpy's."""

import numpy as np
import pytest

from soxs_recipes.algorithms.gappy_statistics import gappy_median, gappy_quantile


@pytest.fixture
def values():
    rng = np.random.default_rng(8)
    return np.where(rng.random((7, 10, 6)) < 0.3, np.nan, rng.normal(size=(7, 10, 6)))


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_they_agree_with_numpy(values, axis):
    assert np.array_equal(gappy_median(values, axis), np.nanmedian(values, axis=axis))
    for share in (0, 0.15, 0.5, 1):
        expected = np.nanquantile(values, share, axis=axis, method="lower")
        assert np.array_equal(gappy_quantile(values, share, axis), expected)


@pytest.mark.parametrize("empty", [np.nan, 0.0])
def test_where_nothing_is_known(values, empty):
    values[:, 2, 3] = np.nan
    for found in (gappy_median(values, 0, empty), gappy_quantile(values, 0.5, 0, empty)):
        assert np.array_equal(found[2, 3], empty, equal_nan=True)
        assert np.isfinite(np.delete(found, 2, axis=0)).all()


def test_single_precision_stays(values):
    assert gappy_median(values.astype(np.float32), 0).dtype == np.float32
    assert gappy_quantile(values.astype(np.float32), 0.5, 0).dtype == np.float32
