"""Response tables, written, read and evaluated."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits

from soxs_recipes.errors import UnreadableFrameError
from soxs_recipes.products.response_tables import (
    RESPONSE,
    Response,
    read_response,
    response_cards,
    response_tables,
)


def a_response():
    """Two orders with a steep response, 3 % errors."""
    wave = np.concatenate([np.linspace(500, 600, 200), np.linspace(590, 700, 200)])
    value = 1e-17 * np.exp(wave / 30)
    order = np.repeat([1, 4], 200)
    return Response(order, wave, value, 0.03 * value, "LTT3218", 1.25, "SLIT5.0", "1x2", 0.87)


def written(response, path):
    table = fits.BinTableHDU(response_tables(response)[RESPONSE], name=RESPONSE)
    table.header.update(response_cards(response)[RESPONSE])
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path)
    return path


def test_the_response_survives_a_file(tmp_path):
    response = read_response(written(a_response(), tmp_path / "resp.fits"))
    assert (response.standard, response.airmass) == ("LTT3218", 1.25)
    assert (response.slit, response.binning) == ("SLIT5.0", "1x2")
    assert response.seeing_arcsec == 0.87
    assert response.wave_nm.dtype.isnative
    value, error = response.at(4, [595.0, 650.25])
    assert value == pytest.approx(1e-17 * np.exp(np.array([595.0, 650.25]) / 30), rel=1e-10)
    assert error == pytest.approx(0.03 * value)


def test_nothing_is_made_up_outside_the_measured_range():
    response = a_response()
    for order, wave in ((1, 601.0), (4, 589.0), (2, 550.0)):
        value, error = response.at(order, [wave])
        assert np.isnan(value).all()
        assert np.isnan(error).all()


def test_an_airmass_that_is_not_known_is_left_out(tmp_path):
    response = replace(a_response(), airmass=float("nan"))
    assert "AIRMASS" not in response_cards(response)[RESPONSE]
    assert np.isnan(read_response(written(response, tmp_path / "resp.fits")).airmass)


@pytest.mark.parametrize("broken", ["table", "column", "row", "value"])
def test_what_is_no_response_is_refused(tmp_path, broken):
    response = a_response()
    table = response_tables(response)[RESPONSE]
    if broken == "column":
        del table["ERR"]
    if broken == "row":
        table = table[:0]
    if broken == "value":
        table["RESPONSE"] = 0.0
    name = "OTHER" if broken == "table" else RESPONSE
    path = tmp_path / "resp.fits"
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU(table, name=name)]).writeto(path)
    with pytest.raises(UnreadableFrameError, match=r"resp\.fits[\s\S]*soxs_response"):
        read_response(path)
