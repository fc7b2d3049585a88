"""Telluric tables, written, read and evaluated."""

import numpy as np
import pytest
from astropy.io import fits

from soxs_recipes.algorithms.quality import Quality
from soxs_recipes.errors import UnreadableFrameError
from soxs_recipes.products.telluric_tables import (
    TELLURIC,
    Telluric,
    read_telluric,
    telluric_tables,
)


def a_telluric(orders=(10, 11)):
    wave = np.tile(np.linspace(1000.0, 1010.0, 101), len(orders))
    value = np.where(wave > 1005, 0.05, 0.9)
    quality = np.where(value < 0.1, Quality.TELLURIC, Quality.GOOD).astype(np.uint16)
    return Telluric(np.repeat(orders, 101), wave, value, 0.01 + 0 * wave, quality)


def written(telluric, path):
    table = fits.BinTableHDU(telluric_tables(telluric)[TELLURIC], name=TELLURIC)
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path)
    return path


def test_the_transmission_survives_a_file(tmp_path):
    telluric = read_telluric(written(a_telluric(), tmp_path / "tell.fits"))
    value, error, quality = telluric.at(11, [1002.0, 1005.05, 1008.0])
    assert value == pytest.approx([0.9, 0.475, 0.05], abs=1e-6)
    assert error == pytest.approx(0.01)
    assert quality.tolist() == [0, Quality.TELLURIC, Quality.TELLURIC]
    assert quality.dtype == np.uint16


@pytest.mark.parametrize(("order", "wave"), [(12, 1002.0), (10, 999.0), (10, 1011.0)])
def test_without_a_model_the_spectrum_stays_as_it_is(order, wave):
    value, error, quality = a_telluric().at(order, [wave])
    assert (value[0], error[0], quality[0]) == (1.0, 0.0, Quality.EXTRAPOLATED)


def test_a_curve_for_all_orders_holds_for_each():
    value, _, quality = a_telluric(orders=(0,)).at(7, [1002.0])
    assert (value[0], quality[0]) == (0.9, 0)


def test_another_file_is_refused(tmp_path):
    fits.PrimaryHDU().writeto(tmp_path / "other.fits")
    with pytest.raises(UnreadableFrameError, match=r"no extension[\s\S]*soxs_telluric"):
        read_telluric(tmp_path / "other.fits")
