"""Extracted orders survive their file, and foreign files are refused."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from numpy.lib.recfunctions import drop_fields

from soxs_recipes.algorithms.quality import Quality
from soxs_recipes.errors import UnreadableFrameError
from soxs_recipes.products.spectrum_tables import (
    OrderSpectra,
    read_order_spectra,
    spectrum_tables,
)


@pytest.fixture
def spectra():
    rng = np.random.default_rng(1)
    names = ("flux_e", "error_e", "sky_e", "background_e", "boxcar_e", "boxcar_error_e", "blaze")
    arrays = {name: rng.uniform(0.1, 1e5, 12) for name in names}
    return OrderSpectra(
        order=np.repeat([12, 13], 6),
        wave_nm=np.linspace(1500, 1400, 12) + 1 / 3,
        width_nm=np.full(12, 0.05),
        quality=np.array([0, int(Quality.COSMIC_RAY), int(Quality.SKY_RESIDUAL)] * 4, "u2"),
        covariance={13: 1.1, 12: 0.98},
        exptime_s=600.0,
        **arrays,
    )


def written(path, tables, **cards):
    hdus = [fits.PrimaryHDU(header=fits.Header(cards))]
    hdus += [fits.BinTableHDU(table, name=name) for name, table in tables.items()]
    fits.HDUList(hdus).writeto(path)
    return path


def test_what_is_written_is_read(spectra, tmp_path):
    path = written(tmp_path / "a.fits", spectrum_tables(spectra), EXPTIME=600.0)
    again = read_order_spectra(path)
    for name, value in vars(spectra).items():
        np.testing.assert_array_equal(getattr(again, name), value)
    table = Table.read(path, "SPECTRUM")
    np.testing.assert_allclose(table["SNR"], spectra.flux_e / spectra.error_e, rtol=1e-6)
    assert again.orders == [12, 13] and again.of(13).sum() == 6


def test_good_bins_and_snr_without_error(spectra):
    assert np.array_equal(spectra.good, np.array([True, False, True] * 4))
    spectra.error_e[0] = 0.0
    assert spectra.snr[0] == 0 and not spectra.good[0]


@pytest.mark.parametrize("lost", ["SPECTRUM", "COVARIANCE"])
def test_a_file_without_a_table_is_refused(spectra, tmp_path, lost):
    tables = spectrum_tables(spectra)
    del tables[lost]
    path = written(tmp_path / "a.fits", tables, EXPTIME=600.0)
    with pytest.raises(UnreadableFrameError, match=lost) as caught:
        read_order_spectra(path)
    assert caught.value.file == str(path)


def test_a_missing_column_or_exposure_time_is_named(spectra, tmp_path):
    tables = spectrum_tables(spectra)
    with pytest.raises(UnreadableFrameError, match="EXPTIME"):
        read_order_spectra(written(tmp_path / "a.fits", tables))
    tables["SPECTRUM"] = drop_fields(tables["SPECTRUM"], "BLAZE")
    with pytest.raises(UnreadableFrameError, match="BLAZE"):
        read_order_spectra(written(tmp_path / "b.fits", tables, EXPTIME=1.0))
