"""Images and tables are saved as FITS holds them; astropy is the oracle."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table as AstropyTable

from soxs_recipes.cpl_bridge.embedded import core

Image, ImageList, Table, P, L, Type, io = (
    core.Image,
    core.ImageList,
    core.Table,
    core.Property,
    core.PropertyList,
    core.Type,
    core.io,
)
PIXELS = np.linspace(-5, 300, 35).reshape(5, 7)


@pytest.mark.parametrize(
    ("code", "kind"),
    [("f4", Type.FLOAT), ("f8", Type.DOUBLE), ("i4", Type.INT), ("i8", Type.INT)],
)
def test_pixel_types(code, kind):
    image = Image(PIXELS.astype(code))
    assert (image.type, image.width, image.height, image.shape) == (kind, 7, 5, (5, 7))
    np.testing.assert_array_equal(np.array(image), PIXELS.astype(code))
    assert image[1][2] == PIXELS.astype(code)[1, 2]


@pytest.mark.parametrize("code", ["u1", "i2", "u2", "bool", "c8"])
def test_pixel_types_that_cpl_has_not(code):
    with pytest.raises(core.InvalidTypeError):
        Image(np.ones((2, 2), code))


def test_other_bad_pixels():
    with pytest.raises(TypeError, match="numpy array is expected"):
        Image(np.ones((2, 2), ">f4" if np.little_endian else "<f4"))
    with pytest.raises(ValueError, match="expected 2-dimensional buffer"):
        Image(np.ones((2, 2, 2)))


def test_an_image_is_a_copy_and_a_view_of_it_is_not():
    data = np.zeros((2, 2))
    image = Image(data)
    data[0, 0] = 1
    assert image[0][0] == 0
    np.asarray(image)[1, 1] = 5
    assert image[1][1] == 5
    assert Image([1, 2, 3, 4], width=2) == Image([[1, 2], [3, 4]])


@pytest.mark.parametrize(
    ("kind", "bitpix", "dtype"),
    [
        (Type.UNSPECIFIED, -64, ">f8"),
        (Type.FLOAT, -32, ">f4"),
        (Type.INT, 32, ">i4"),
        (Type.SHORT, 16, ">i2"),
        (Type.USHORT, 16, "u2"),
        (Type.UCHAR, 8, "u1"),
    ],
)
def test_saved_images(tmp_path, kind, bitpix, dtype):
    data = np.abs(PIXELS) % 200
    header = L([P("ESO QC A", 1.5), P("CRPIX1", 2.0)])
    Image(data).save(tmp_path / "a.fits", header, io.CREATE, kind)
    Image(data).save(tmp_path / "a.fits", header, io.EXTEND, kind)
    with fits.open(tmp_path / "a.fits") as hdus:
        assert [h.header["BITPIX"] for h in hdus] == [bitpix] * 2
        expected = data if dtype in (">f8", ">f4") else np.rint(data)
        for hdu in hdus:
            np.testing.assert_array_equal(hdu.data, expected.astype(dtype))
            assert (hdu.header["ESO QC A"], hdu.header["CRPIX1"]) == (1.5, 2.0)
        hdus.verify("exception")


def test_loading_images(tmp_path):
    fits.PrimaryHDU(PIXELS.astype("f4")).writeto(tmp_path / "a.fits")
    assert Image.load(tmp_path / "a.fits").type == Type.DOUBLE
    assert Image.load(tmp_path / "a.fits", Type.UNSPECIFIED).type == Type.FLOAT
    part = Image.load(tmp_path / "a.fits", area=(1, 2, 3, 4))
    np.testing.assert_array_equal(np.array(part), PIXELS.astype("f4")[2:5, 1:4])
    for name, extension, error in (
        ("a.fits", 1, core.DataNotFoundError),
        ("none.fits", 0, core.FileIOError),
    ):
        with pytest.raises(error):
            Image.load(tmp_path / name, extension=extension)


def test_image_lists_are_cubes(tmp_path):
    images = [Image(PIXELS), Image(PIXELS + 1)]
    ImageList(images).save(tmp_path / "a.fits", None, io.CREATE, Type.FLOAT)
    assert fits.getdata(tmp_path / "a.fits").shape == (2, 5, 7)
    loaded = ImageList.load(tmp_path / "a.fits", Type.FLOAT)
    expected = [Image(PIXELS.astype("f4")), Image((PIXELS + 1).astype("f4"))]
    assert list(loaded) == expected
    assert Image.load(tmp_path / "a.fits", Type.FLOAT, plane=1) == expected[1]
    with pytest.raises(core.IllegalInputError):
        ImageList().save(tmp_path / "b.fits", None, io.CREATE)
    with pytest.raises(core.IncompatibleInputError):
        ImageList([images[0], Image([[1.0]])]).save(tmp_path / "b.fits", None, io.CREATE)


ROWS = np.array(
    [(1, 2.5, 3.5, "abc", 7), (2, -1.5, 1e30, "d", 2**40)],
    dtype=[("I", "i4"), ("D", "f8"), ("F", "f4"), ("S", "U5"), ("L", "i8")],
)


def test_saved_tables(tmp_path):
    table = Table(ROWS)
    table.set_column_unit("D", "nm")
    primary, own = L([P("ESO PRO CATG", "X"), P("CRVAL1", 1.0)]), L([P("EXTNAME", "LINES")])
    table.save(primary, own, tmp_path / "a.fits", io.CREATE)
    table.save(None, own, tmp_path / "a.fits", io.EXTEND)
    with fits.open(tmp_path / "a.fits") as hdus:
        hdus.verify("exception")
        assert len(hdus) == 3
        assert hdus[0].header["ESO PRO CATG"] == "X"
        assert "CRVAL1" not in hdus[0].header
        formats = [hdus["LINES"].header[f"TFORM{i}"] for i in range(1, 6)]
        assert formats == ["1J", "1D", "1E", "3A", "1K"]
        assert hdus[1].header["TUNIT2"] == "nm"
        for name in "IDFL":
            assert hdus[1].data[name].tolist() == ROWS[name].tolist()
        assert hdus[1].data["S"].tolist() == ["abc", "d  "]


def test_loaded_tables(tmp_path):
    Table(AstropyTable(ROWS)).save(None, L(), tmp_path / "a.fits", io.CREATE)
    loaded = Table.load(tmp_path / "a.fits", 1)
    assert loaded.column_names == list(ROWS.dtype.names)
    assert (len(loaded), loaded.shape, "S" in loaded) == (2, (2, 5), True)
    assert [loaded[n].tolist() for n in "IDFSL"] == [ROWS[n].tolist() for n in "IDFSL"]
    for call in (lambda: loaded["Z"], lambda: Table.load(tmp_path / "a.fits", 2)):
        with pytest.raises(core.DataNotFoundError):
            call()


@pytest.mark.parametrize("code", ["i2", "u1", "bool", "c8"])
def test_column_types_that_cpl_does_not_save(tmp_path, code):
    with pytest.raises(core.InvalidTypeError, match="column A"):
        Table(np.ones(2, [("A", code)])).save(None, L(), tmp_path / "a.fits", io.CREATE)


def test_a_mapping_makes_a_table():
    table = Table({"a": [1, 2], "b": ["x", "yy"]})
    assert table["b"].tolist() == ["x", "yy"]
    assert repr(table) == "Table with 2/2 selected rows and 2 columns:\n"
