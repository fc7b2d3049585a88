"""soxs_response as a recipe: products, quality control and refusals."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from truth_spectra import write_orders

from soxs_recipes.algorithms.quality import Quality
from soxs_recipes.products.response_tables import RESPONSE, read_response
from soxs_recipes.recipes.soxs_response import (
    NoResponseError,
    SaturatedStandardError,
    SoxsResponse,
)
from soxs_recipes.recipes.standard_inputs import UnknownStandardError

TAG = "FLUX_SPECTRUM_ORDERS_VIS"


@pytest.fixture(scope="module")
def standard(nights):
    return nights(1).observe(
        "VIS", "LTT3218", exptime_s=120, airmass=1.05, slit="SLIT5.0", orders=(1, 3)
    )


@pytest.fixture
def orders_file(standard, tmp_path):
    def write(observation=standard, **cards):
        return write_orders(tmp_path / "orders.fits", observation, "VIS", TAG, **cards)

    return write


def test_products_and_quality(orders_file, run_recipe):
    products = run_recipe(SoxsResponse, ([orders_file()], TAG))
    response = read_response(products["RESP_TAB_VIS"])
    assert (response.standard, response.slit, response.airmass) == ("LTT3218", "SLIT5.0", 1.05)
    assert response.binning == "1x1"
    assert set(response.order) == {1, 3}
    header = fits.getheader(products["RESP_TAB_VIS"])
    assert header["ESO QC STD NAME"] == "LTT3218"
    assert header["ESO QC RESP STEP MAX"] < 0.5
    assert header["ESO QC SNR MEDIAN"] > 50
    assert "ESO QC RESP DRIFT A" not in header
    efficiency = Table.read(products["EFFICIENCY_TAB_VIS"], "ORDERS")
    assert efficiency["ORDER"].tolist() == [1, 3]
    # Peaks of the simulated bands are 0.22 and 0.16, less what the wide slit loses.
    assert efficiency["PEAK"] == pytest.approx([0.215, 0.156], rel=0.05)
    static = [header[f"ESO PRO REC1 CAL{i} CATG"] for i in range(2, 5)]
    assert {"FLUX_STD_TAB", "EXTINCTION_TAB", "TELLURIC_MODEL"} <= set(static)


def test_drift_against_a_master_response(orders_file, run_recipe, tmp_path):
    path = orders_file()
    product = run_recipe(SoxsResponse, ([path], TAG))["RESP_TAB_VIS"]
    with fits.open(product) as hdus:
        hdus[RESPONSE].data["RESPONSE"] /= 1.05
        hdus.writeto(tmp_path / "master.fits")
    master = ([tmp_path / "master.fits"], "MASTER_RESP_TAB_VIS")
    again = run_recipe(SoxsResponse, ([path], TAG), master, product_suffix="again")
    header = fits.getheader(again["RESP_TAB_VIS"])
    assert header["ESO QC RESP DRIFT A"] == pytest.approx(1.05, abs=1e-3)
    assert header["ESO QC RESP DRIFT B"] == pytest.approx(0.0, abs=1e-6)


def test_an_unknown_standard_is_refused(orders_file, run_recipe):
    path = orders_file(RA=88.0, DEC=16.9, OBJECT="HD1", ESO_OBS_TARG_NAME="HD1")
    with pytest.raises(UnknownStandardError, match=r"HD1; the nearest are GD71 1\.0"):
        run_recipe(SoxsResponse, ([path], TAG))


def test_a_standard_may_be_named(orders_file, run_recipe):
    path = orders_file(RA=88.0, DEC=16.9, OBJECT="HD1")
    products = run_recipe(SoxsResponse, ([path], TAG), standard="CD-32 5613")
    assert read_response(products["RESP_TAB_VIS"]).standard == "LTT3218"
    with pytest.raises(UnknownStandardError, match="EG999"):
        run_recipe(SoxsResponse, ([path], TAG), standard="EG999")


def test_a_standard_of_a_given_table(orders_file, run_recipe, tmp_path):
    """Another FLUX_STD_TAB: the flux doubled, so the response too."""
    from importlib.resources import files

    path = orders_file()
    with fits.open(str(files("soxs_recipes.calib") / "flux_standards.fits")) as hdus:
        hdus["FLUX"].data["LTT3218"] *= 2
        hdus.writeto(tmp_path / "bright.fits")
    plain = run_recipe(SoxsResponse, ([path], TAG))
    bright = run_recipe(
        SoxsResponse, ([path], TAG), ([tmp_path / "bright.fits"], "FLUX_STD_TAB"),
        product_suffix="bright",
    )  # fmt: skip
    values = [read_response(one["RESP_TAB_VIS"]).response for one in (plain, bright)]
    assert values[1] == pytest.approx(2 * values[0], rel=1e-3)


def test_a_saturated_standard_is_refused_unless_allowed(standard, orders_file, run_recipe):
    quality = standard.spectra.quality.copy()
    third = np.flatnonzero(standard.spectra.of(3))
    quality[third[1000:1200]] = Quality.SATURATED
    path = orders_file(replace(standard, spectra=replace(standard.spectra, quality=quality)))
    with pytest.raises(SaturatedStandardError, match=r"5\.3 % in order 3"):
        run_recipe(SoxsResponse, ([path], TAG))
    products = run_recipe(SoxsResponse, ([path], TAG), max_saturated=10.0)
    header = fits.getheader(products["RESP_TAB_VIS"])
    assert header["ESO QC SATURATED FRAC"] == pytest.approx(100 * 200 / third.size)


def test_an_empty_spectrum_is_refused(standard, orders_file, run_recipe):
    nothing = np.full(standard.spectra.flux_e.shape, np.nan)
    path = orders_file(replace(standard, spectra=replace(standard.spectra, flux_e=nothing)))
    with pytest.raises(NoResponseError, match="no order"):
        run_recipe(SoxsResponse, ([path], TAG))


def test_a_narrow_slit_is_warned_of(orders_file, run_recipe, capsys):
    path = orders_file(ESO_INS_VISE_NAME="SLIT1.0")
    products = run_recipe(SoxsResponse, ([path], TAG))
    assert read_response(products["RESP_TAB_VIS"]).slit == "SLIT1.0"
    assert "SLIT1.0, not SLIT5.0" in capsys.readouterr().out


def test_without_an_airmass(orders_file, run_recipe):
    from soxs_recipes.errors import HeaderError

    path = orders_file(ESO_TEL_AIRM_START=0.0, ESO_TEL_AIRM_END=0.0)
    with pytest.raises(HeaderError, match="ESO TEL AIRM START"):
        run_recipe(SoxsResponse, ([path], TAG))
