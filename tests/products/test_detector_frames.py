"""Detector frames on disk."""

import numpy as np
import pytest
from astropy.io import fits

from soxs_recipes.algorithms.frame import DetectorFrame
from soxs_recipes.errors import ProductError, UnreadableFrameError
from soxs_recipes.products.detector_frames import HDU_CLASSES, planes, read_detector_frame
from soxs_recipes.products.writing import Extension, scratch_directory, write_product


@pytest.fixture
def product(tmp_path):
    rng = np.random.default_rng(1)
    frame = DetectorFrame(
        rng.normal(size=(5, 7)).astype("f4"),
        rng.uniform(1, 2, (5, 7)).astype("f4"),
        rng.integers(0, 2**16, (5, 7)).astype("u2"),
    )
    path = tmp_path / "frame.fits"
    extensions = [
        Extension(name, data, "electron" if name != "QUAL" else "", HDU_CLASSES[name])
        for name, data in planes(frame).items()
    ]
    write_product(path, fits.Header({"INSTRUME": "SOXS"}), extensions)
    return path, frame


def test_round_trip(product):
    path, frame = product
    back, header = read_detector_frame(path)
    for name in ("flux", "error", "quality"):
        assert np.array_equal(getattr(back, name), getattr(frame, name))
        assert getattr(back, name).dtype.isnative
    assert header["INSTRUME"] == "SOXS"


def test_layout(product):
    with fits.open(product[0]) as hdus:
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "FLUX", "ERRS", "QUAL"]
        assert hdus[0].header["NAXIS"] == 0
        assert hdus["FLUX"].header["BITPIX"] == -32
        assert hdus["QUAL"].data.dtype == np.uint16
        assert "BUNIT" not in hdus["QUAL"].header
        assert [hdus[n].header["HDUCLAS2"] for n in ("FLUX", "ERRS", "QUAL")] == [
            "DATA",
            "ERROR",
            "QUALITY",
        ]
        assert hdus["FLUX"].header["ERRDATA"] == "ERRS"
        assert hdus["ERRS"].header["SCIDATA"] == "FLUX"


def test_another_file_is_refused(tmp_path):
    path = tmp_path / "x.fits"
    fits.PrimaryHDU().writeto(path)
    with pytest.raises(UnreadableFrameError, match="FLUX, ERRS and QUAL"):
        read_detector_frame(path)


def test_scratch_directory_goes_with_an_error(tmp_path):
    with pytest.raises(KeyboardInterrupt), scratch_directory(tmp_path) as scratch:
        (scratch / "half").write_text("x")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    with (
        pytest.raises(ProductError, match="absent"),
        scratch_directory(tmp_path / "absent"),
    ):
        pass
