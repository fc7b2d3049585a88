"""Order tables: evaluation, columns, series."""

import numpy as np
import pytest
from astropy.table import Table
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.polynomial import chebyshev

from soxs_recipes.algorithms.order_table import OrderTable, evaluate, series_of
from soxs_recipes.errors import UnreadableFrameError
from soxs_recipes.products.order_tables import read_order_table

SHAPE = (40, 101)


def table(edges=False):
    centre = np.array([[20.0, 3.0, 1.0], [30.0, -2.0, 0.5]])
    one = OrderTable(
        SHAPE,
        "x",
        np.array([11, 12]),
        centre,
        np.array([[10.0, 90.0], [0.0, 100.0]]),
        np.array([0.6, 0.7]),
    )
    offset = np.array([5.0, 0.0, 0.0])
    return one.with_edges(centre - offset, centre + offset, one.sampled) if edges else one


def test_centre_is_the_series_over_the_detector():
    one = table()
    # T0 + T1 + T2 at the ends and in the middle of the detector, by hand.
    assert one.centre(11, [0, 50, 100]) == pytest.approx([20 - 3 + 1, 20 - 1, 20 + 3 + 1])
    assert one.centres()[1][100] == pytest.approx(30 - 2 + 0.5)


def test_pixels_beyond_the_samples_are_extrapolated():
    assert table().extrapolated(11, [9, 10, 90, 91]).tolist() == [True, False, False, True]


def test_unknown_order_is_named():
    with pytest.raises(KeyError, match="13"):
        table().centre(13, 0)


@pytest.mark.parametrize("edges", [False, True])
def test_columns_come_back_unchanged(edges):
    one = table(edges)
    written = Table(one.to_columns())
    other = OrderTable.from_columns({n: written[n] for n in written.colnames}, SHAPE, "x")
    for name in ("orders", "centre_coef", "sampled", "width_px", "lower_coef", "upper_coef"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
    assert other.has_edges is edges


def test_a_file_without_the_table_is_refused(tmp_path):
    from astropy.io import fits

    path = tmp_path / "other.fits"
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.zeros((2, 2)), name="FLUX")]).writeto(path)
    with pytest.raises(UnreadableFrameError, match="soxs_order_centres"):
        read_order_table(path, SHAPE, "x")


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.floats(-50, 50), min_size=3, max_size=9),
    st.integers(50, 400),
    st.integers(0, 20),
)
def test_series_of_a_polynomial_is_that_polynomial(coefficients, length, gap):
    x = np.linspace(-1, 1, length)
    curve = chebyshev.chebval(x, coefficients)
    known = np.where(np.arange(length) < gap, np.nan, curve)
    both = np.stack([curve, known])
    values = evaluate(series_of(both, len(coefficients) - 1), length)
    assert np.allclose(values[0], curve, atol=1e-6)
    assert np.allclose(values[1][gap:], curve[gap:], atol=1e-6)
