"""Raw frames in every packing that the archive delivers, and damaged ones."""

import gzip
import shutil

import numpy as np
import pytest
from astropy.io import fits

from soxs_recipes.cameras import arm_named
from soxs_recipes.errors import ForeignFrameError, UnreadableFrameError
from soxs_recipes.products.fits_input import open_fits, read_header
from soxs_recipes.products.raw import open_raw, open_raw_set


@pytest.fixture(scope="module")
def bias(simulated):
    return simulated("bias", arm="VIS", frames=3, seed=21, binning=(2, 2))[0]


def plain(source, folder):
    return shutil.copy(source, folder / "a.fits")


def gzipped(source, folder):
    path = folder / "a.fits.gz"
    path.write_bytes(gzip.compress(source.read_bytes(), 1))
    return path


def compressed(source, folder):
    """Write the LZW format of compress with literal codes alone, the table cleared in time."""
    data = np.frombuffer(source.read_bytes(), "u1")
    padded = np.zeros(-(-len(data) // 255) * 255, "u2")
    padded[: len(data)] = data
    codes = np.full((len(padded) // 255, 256), 256, "u2")
    codes[:, :255] = padded.reshape(-1, 255)
    codes = codes.ravel()[: len(data) + len(data) // 255]
    bits = (codes[:, None] >> np.arange(9, dtype="u2")) & 1
    path = folder / "a.fits.Z"
    path.write_bytes(
        b"\x1f\x9d\x90" + np.packbits(bits.astype("u1").ravel(), bitorder="little").tobytes()
    )
    return path


def rice_tiled(source, folder):
    path = folder / "a.fits.fz"
    with fits.open(source) as hdus:
        tiled = fits.CompImageHDU(hdus[0].data, hdus[0].header, compression_type="RICE_1")
        fits.HDUList([fits.PrimaryHDU(), tiled]).writeto(path)
    return path


@pytest.mark.parametrize("pack", [plain, gzipped, compressed, rice_tiled])
def test_every_packing_gives_the_same_pixels(pack, bias, tmp_path):
    path = tmp_path / pack(bias, tmp_path)
    header = read_header(path)
    assert header["ESO SEQ ARM"] == "VIS"
    raw = fits.getdata(bias).astype("f8")
    with open_raw(path, header, arm_named("VIS"), "frame") as frame:
        level = raw[:, :25].mean()
        expected = (raw[100:200, 25:] - level) * 1.1
        assert np.abs(frame.rows(100, 200) - expected).max() < 0.2
        assert frame.rows(100, 200).dtype == np.float32
        assert frame.pixels().shape == (2048, 404)
        assert frame.level_e == pytest.approx(level * 1.1, abs=0.1)


def test_bands_agree_with_the_whole(bias):
    header = read_header(bias)
    with open_raw_set([Frame(bias, header)], arm_named("VIS"), "smooth") as (frame,):
        whole = frame.pixels()
        bands = [frame.rows(start, min(start + 333, 2048)) for start in range(0, 2048, 333)]
    assert np.array_equal(np.concatenate(bands), whole)


class Frame:
    def __init__(self, path, header):
        self.path, self.header = path, header


def test_inputs_are_not_touched(bias):
    before = bias.read_bytes(), bias.stat().st_mtime_ns
    with open_fits(bias) as hdus:
        assert hdus[0].section[:].shape == (2048, 429)
    assert (bias.read_bytes(), bias.stat().st_mtime_ns) == before


def damage_end(data):
    return data[:-20_000]


def damage_header(data):
    return data[:1000]


def empty(data):
    return b""


def other(data):
    return b"%PDF-1.4" + data[8:]


@pytest.mark.parametrize("damage", [damage_end, damage_header, empty, other])
def test_damaged_files_are_named(damage, bias, tmp_path):
    path = tmp_path / "damaged.fits"
    path.write_bytes(damage(bias.read_bytes()))
    with pytest.raises(UnreadableFrameError, match=r"damaged\.fits"):
        read_header(path)


@pytest.mark.parametrize("magic", [b"\x1f\x8b", b"\x1f\x9d"])
def test_damaged_packed_files_are_named(magic, tmp_path):
    path = tmp_path / "damaged.fits"
    path.write_bytes(magic + b"\x90" * 5000)
    with pytest.raises(UnreadableFrameError, match=r"damaged\.fits"):
        read_header(path)


def test_missing_file(tmp_path):
    with pytest.raises(UnreadableFrameError, match="does not exist"):
        read_header(tmp_path / "absent.fits")


def test_a_product_is_no_raw_frame(tmp_path):
    path = tmp_path / "product.fits"
    header = {"INSTRUME": "SOXS", "ESO SEQ ARM": "VIS", "EXPTIME": 0.0}
    fits.HDUList([fits.PrimaryHDU(header=fits.Header(header))]).writeto(path)
    with (
        pytest.raises(ForeignFrameError, match="no image"),
        open_raw(path, read_header(path), arm_named("VIS"), "frame"),
    ):
        pass


def test_an_error_of_the_caller_is_not_blamed_on_the_file(bias):
    with pytest.raises(ValueError, match="mine"), open_fits(bias):
        raise ValueError("mine")
