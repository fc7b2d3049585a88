"""Tables on disk: the bytes are those of FITS, however long a row is."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from soxs_recipes.products.writing import Extension, write_product


@pytest.mark.parametrize("length", [10, 5000])
def test_rows_short_and_long_are_read_as_written(tmp_path, length):
    values = np.random.default_rng(1).normal(size=(2, length))
    table = Table({"WAVE": values, "FLUX": values.astype("f4"), "QUAL": np.arange(2, dtype="i4")})
    table["FLUX"].unit = "adu"
    table["FLUX"][0, 3] = np.nan
    path = tmp_path / "table.fits"
    cards = {"VOCLASS": ("SPECTRUM v2.0", "")}
    write_product(path, fits.Header(), [Extension("SPECTRUM", table, cards=cards)])
    assert path.stat().st_size % 2880 == 0
    with fits.open(path) as hdus:
        hdus.verify("exception")
        hdu = hdus["SPECTRUM"]
        assert hdu.header["VOCLASS"] == "SPECTRUM v2.0" and hdu.header["TUNIT2"] == "adu"
        for name in table.colnames:
            assert hdu.data[name].dtype == table[name].dtype.newbyteorder(">")
            assert np.array_equal(hdu.data[name], table[name], equal_nan=True)
    # Without a library: the first value follows the second header block, high byte first.
    content = path.read_bytes()
    assert values[:1, 0].astype(">f8").tobytes() in content
