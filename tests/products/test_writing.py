"""Tables on disk: the bytes are those of FITS, however long a row is."""

import threading

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from soxs_recipes.errors import ProductError
from soxs_recipes.products import writing
from soxs_recipes.products.writing import Extension, write_product, written_aside


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


def extension(value):
    return [Extension("FLUX", np.full((4, 5), value, "f4"))]


def test_products_written_aside_are_there_at_the_end(tmp_path):
    with written_aside() as write:
        for number in range(5):
            write(tmp_path / f"{number}.fits", fits.Header(), extension(number))
    for number in range(5):
        assert np.all(fits.getdata(tmp_path / f"{number}.fits", "FLUX") == number)


@pytest.mark.parametrize("bad", [0, 4])
def test_an_error_of_a_product_written_aside_is_passed_on(tmp_path, bad):
    paths = [tmp_path / f"{number}.fits" for number in range(5)]
    paths[bad] = tmp_path / "missing" / "x.fits"
    with pytest.raises(ProductError, match="Cannot write"), written_aside() as write:
        for path in paths:
            write(path, fits.Header(), extension(1))


def test_no_more_than_two_products_wait(tmp_path, monkeypatch):
    free, begun = threading.Event(), []

    def slow(path, *_):
        begun.append(path)
        free.wait(timeout=20)

    monkeypatch.setattr(writing, "write_product", slow)
    with written_aside() as write:
        for number in range(2):
            write(number, None, ())
        third = threading.Thread(target=write, args=(2, None, ()))
        third.start()
        third.join(timeout=0.2)
        assert third.is_alive() and 2 not in begun
        free.set()
        third.join(timeout=20)
    assert sorted(begun) == [0, 1, 2]


def test_products_that_share_their_pixels_may_be_written_at_once(tmp_path):
    """FITS wants the other order of bytes: they are not swapped where others read them."""
    pixels = np.arange(2_000_000, dtype="f4")
    with written_aside() as write:
        for number in range(8):
            write(tmp_path / f"{number}.fits", fits.Header(), [Extension("FLUX", pixels)])
            assert pixels[-1] == len(pixels) - 1
    for number in range(8):
        assert np.array_equal(fits.getdata(tmp_path / f"{number}.fits"), pixels)
