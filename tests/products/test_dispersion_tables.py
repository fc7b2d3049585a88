"""Dispersion solutions on disk: what is read is what was written, to the last bit."""

from dataclasses import fields, replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from soxs_recipes.errors import UnreadableFrameError
from soxs_recipes.instrument.spectral_format import read_spectral_format
from soxs_recipes.products.dispersion_tables import dispersion_tables, read_dispersion_table
from soxs_recipes.products.writing import Extension, write_product
from soxs_recipes.recipes.dispersion_products import DISPERSION_HDUS


def nominal(arm):
    return read_spectral_format(
        Path(str(files("soxs_recipes.calib") / f"spectral_format_{arm.lower()}.json"))
    )


def write(path, solution):
    tables = dispersion_tables(solution)
    extensions = [Extension(name, table) for name, table in tables.items()]
    path.unlink(missing_ok=True)
    write_product(path, fits.Header(), extensions)
    return path


def assert_equal(one, two):
    for field in fields(one):
        left, right = getattr(one, field.name), getattr(two, field.name)
        assert np.array_equal(left, right, equal_nan=field.name == "fitted_nm"), field.name


@pytest.mark.parametrize("arm", ["VIS", "NIR"])
def test_round_trip_is_exact(arm, tmp_path):
    solution = nominal(arm)
    assert_equal(read_dispersion_table(write(tmp_path / "disp.fits", solution)), solution)


@settings(max_examples=20, deadline=None)
@given(
    st.data(),
    st.integers(1, 15),
    st.integers(1, 4),
    st.integers(1, 12),
    st.sampled_from(["x", "y"]),
)
def test_any_size_of_model_comes_back(tmp_path_factory, data, orders, powers, terms, axis):
    finite = st.floats(-1e4, 1e4, allow_subnormal=False)
    coefs = [
        data.draw(arrays.arrays(float, (orders, powers, terms), elements=finite)) for _ in "xy"
    ]
    numbers = np.arange(orders) + 10
    solution = replace(
        nominal("NIR"),
        dispersion_axis=axis,
        orders=numbers,
        centre_nm=500.0 / numbers,
        half_nm=70.0 / numbers,
        x_coef=coefs[0],
        y_coef=coefs[1],
        range_nm=np.stack([400.0 / numbers, 600.0 / numbers], axis=1),
        fitted_nm=np.full((orders, 2), np.nan),
    )
    path = tmp_path_factory.getbasetemp() / "disp.fits"
    assert_equal(read_dispersion_table(write(path, solution)), solution)


def test_the_declaration_is_what_is_written(tmp_path):
    path = write(tmp_path / "disp.fits", nominal("NIR"))
    with fits.open(path) as hdus:
        assert [hdu.name for hdu in hdus[1:]] == [hdu.name for hdu in DISPERSION_HDUS]
        for declared in DISPERSION_HDUS:
            data = hdus[declared.name].data
            assert data.names == [column.name for column in declared.columns]
            for column in declared.columns:
                assert (
                    data[column.name].dtype.kind
                    in {"f": "f", "i": "i", "A": "U"}[column.dtype.strip("0123456789")[0]]
                )


def test_too_many_terms_are_refused():
    solution = nominal("NIR")
    with pytest.raises(ValueError, match="at most"):
        dispersion_tables(replace(solution, x_coef=np.zeros((15, 3, 13))))


def test_another_file_is_named(tmp_path):
    path = tmp_path / "image.fits"
    fits.PrimaryHDU(np.zeros((3, 3))).writeto(path)
    with pytest.raises(UnreadableFrameError, match=r"no dispersion solution[\s\S]*image\.fits"):
        read_dispersion_table(path)


@pytest.mark.parametrize("harm", ["column", "rows", "coefficients"])
def test_a_damaged_table_is_named(harm, tmp_path):
    tables = dispersion_tables(nominal("VIS"))
    if harm == "column":
        tables["SOLUTION"].remove_column("Y0")
    elif harm == "rows":
        tables["FRAME"].remove_row(0)
    else:
        tables["SOLUTION"]["X0"][1, 2] = np.nan
    path = tmp_path / "disp.fits"
    write_product(path, fits.Header(), [Extension(*item) for item in tables.items()])
    with pytest.raises(UnreadableFrameError, match=r"disp\.fits"):
        read_dispersion_table(path)
