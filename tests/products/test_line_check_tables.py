"""Line checks and sky lines, written and read."""

from importlib.resources import files

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from soxs_recipes.algorithms.line_check import CheckedLines, LineCheck
from soxs_recipes.algorithms.line_check_offset import Offset, SlitCentres
from soxs_recipes.algorithms.resolution import order_resolution
from soxs_recipes.errors import UnreadableFrameError
from soxs_recipes.products.line_check_tables import line_check_tables, read_offset
from soxs_recipes.products.sky_lines import read_sky_lines


def a_check():
    """Two orders; only the first has lines and a slit."""
    count = 30
    wave = np.linspace(1000.0, 1030.0, count)
    order = np.repeat([10, 11], count // 2)
    ones = np.ones(count)
    fwhm = 3.2 + 0.01 * np.sin(np.arange(count))
    lines = CheckedLines(
        np.arange(count), order, wave, 0.001 * ones, 0 * ones, ones, ones, 0.1 * ones,
        0.2 * ones, 0.01 * ones, fwhm, wave / (fwhm * 0.05), 100 * ones, order == 10,
    )  # fmt: skip
    values = (np.array([number]) for number in (0.03, 11.8, 0.1, 0.002))
    centres = SlitCentres(np.array([10]), *values)
    offset = Offset(0.25, -0.125, 0.003, 0.004, 0.03, 15)
    return LineCheck(lines, lines.detected, centres, offset)


def test_the_offset_survives_a_file(tmp_path):
    check = a_check()
    tables = line_check_tables(check, order_resolution(check))
    hdus = [fits.BinTableHDU(table, name=name) for name, table in tables.items()]
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(tmp_path / "check.fits")
    assert read_offset(tmp_path / "check.fits") == (0.25, -0.125)
    orders = Table.read(tmp_path / "check.fits", "ORDERS")
    assert orders["LINES"].tolist() == [15, 0]
    assert orders["R_START"][0] == pytest.approx(1000 / 0.16, rel=5e-3)
    assert orders["SLIT_LENGTH"][0] == 11.8
    assert np.isnan(orders["SLIT_LENGTH"].filled(np.nan)[1])
    assert np.isnan(orders["R"].filled(np.nan)[1])


def test_another_file_is_refused(tmp_path):
    fits.PrimaryHDU().writeto(tmp_path / "other.fits")
    with pytest.raises(UnreadableFrameError, match="OFFSET"):
        read_offset(tmp_path / "other.fits")


def test_sky_lines_are_joined_where_unresolved(tmp_path):
    path = tmp_path / "lines.ecsv"
    path.write_text(
        "# comment\nwavelength_nm rel_flux isolated\n"
        "1500.06 3.0 False\n1500.00 1.0 False\n1510.0 2.0 True\n"
    )
    lines = read_sky_lines(path)
    assert lines.wave_nm == pytest.approx([1500.045, 1510.0])
    assert 10**lines.strength == pytest.approx([4.0, 2.0])
    packaged = read_sky_lines(files("soxs_recipes.calib") / "sky_lines.ecsv")
    assert np.all(np.diff(packaged.wave_nm) > packaged.wave_nm[1:] / 17001)
    assert np.abs(packaged.wave_nm - 557.7347).min() < 1e-4


def test_a_file_without_sky_lines_is_refused(tmp_path):
    (tmp_path / "lines.ecsv").write_text("wave flux\n1 2\n")
    with pytest.raises(UnreadableFrameError, match="wavelength_nm"):
        read_sky_lines(tmp_path / "lines.ecsv")
