"""The three forms of the catalogue, and what is wrong with bad ones."""

import gzip

import numpy as np
import pytest
from astropy.table import Table

from soxs_recipes.products.star_catalogues import (
    CatalogueEpochError,
    CatalogueFieldError,
    CatalogueFormatError,
    TruncatedCatalogueError,
    read_star_catalogue,
)
from soxs_simulator.camera_stars import star_field, write_catalogue, write_tiles

RA, DEC = 150.02, -21.3


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("catalogue")
    stars = star_field(4, RA, DEC)
    csv = write_catalogue(folder / "refcat2.csv", stars, 4)
    table = Table.read(csv, format="ascii.csv")
    table.write(folder / "refcat2.fits")
    packed = folder / "refcat2.csv.gz"
    packed.write_bytes(gzip.compress(csv.read_bytes()))
    return {"csv": [csv], "fits": [folder / "refcat2.fits"], "gz": [packed],
            "rc2": write_tiles(folder, stars, 4)}  # fmt: skip


@pytest.mark.parametrize("form", ["rc2", "fits", "gz"])
def test_forms_hold_the_same_stars(files, form):
    plain, other = read_star_catalogue(files["csv"]), read_star_catalogue(files[form])
    assert len(plain) == len(other) > 800
    first, second = np.argsort(plain.ra_deg), np.argsort(other.ra_deg)
    assert np.allclose(plain.ra_deg[first], other.ra_deg[second], atol=2e-8)
    assert np.allclose(plain.pm_dec[first], other.pm_dec[second], atol=0.006)
    for band in "griz":
        a, b = plain.magnitudes[band][first], other.magnitudes[band][second]
        assert np.allclose(a, b, atol=6e-4, equal_nan=True)
        assert np.allclose(plain.errors[band][first], other.errors[band][second], atol=6e-4)


def test_proper_motions_are_applied(files):
    catalogue = read_star_catalogue(files["csv"])
    later = catalogue.at(2026.2)
    moved = (later.dec_deg - catalogue.dec_deg) * 3.6e6
    assert np.allclose(moved, catalogue.pm_dec * (2026.2 - 2015.5), atol=1e-3)
    assert later.epoch == 2026.2


def test_positions_without_proper_motions_are_refused_when_old(files, tmp_path):
    table = Table.read(files["fits"][0])
    table.remove_columns(["pmra", "pmdec"])
    table.write(tmp_path / "bare.fits")
    catalogue = read_star_catalogue([tmp_path / "bare.fits"])
    assert catalogue.at(2016.0) is catalogue
    with pytest.raises(CatalogueEpochError, match="another epoch"):
        catalogue.at(2026.2)


def test_epoch_of_a_table_is_taken_from_its_header(files, tmp_path):
    table = Table.read(files["fits"][0])
    table.meta["EPOCH"] = 2025.0
    table.write(tmp_path / "late.fits")
    catalogue = read_star_catalogue([tmp_path / "late.fits"])
    assert catalogue.epoch == 2025.0
    with pytest.raises(CatalogueEpochError, match="differ in epoch"):
        read_star_catalogue([tmp_path / "late.fits", *files["csv"]])


@pytest.mark.parametrize("cut", [3, 40, 150])
def test_truncated_text_is_named(files, tmp_path, cut):
    for source in (files["csv"][0], files["rc2"][0]):
        path = tmp_path / source.name
        path.write_bytes(source.read_bytes()[:-cut])
        with pytest.raises(TruncatedCatalogueError) as error:
            read_star_catalogue([path])
        assert str(path) in str(error.value) and "again" in error.value.remedy


def test_line_that_lacks_values_is_named(files, tmp_path):
    lines = files["csv"][0].read_text().splitlines()
    short = tmp_path / "short.csv"
    short.write_text("\n".join([*lines[:5], lines[5].rpartition(",")[0]]) + "\n")
    with pytest.raises(TruncatedCatalogueError, match="not as many values"):
        read_star_catalogue([short])
    short.write_text("\n".join([*lines[:5], lines[5].rpartition(",")[0], *lines[6:]]) + "\n")
    with pytest.raises(CatalogueFormatError, match="line 6"):
        read_star_catalogue([short])


def test_truncated_packed_file_is_named(files, tmp_path):
    path = tmp_path / "refcat2.csv.gz"
    path.write_bytes(files["gz"][0].read_bytes()[:-2000])
    with pytest.raises(TruncatedCatalogueError, match="damaged"):
        read_star_catalogue([path])


def test_other_files_are_named(tmp_path):
    path = tmp_path / "gaia.csv"
    path.write_text("source_id,ra,dec\n1,2,3\n")
    with pytest.raises(CatalogueFormatError, match="no column"):
        read_star_catalogue([path])
    with pytest.raises(CatalogueFormatError, match="cannot be read"):
        read_star_catalogue([tmp_path / "absent.csv"])


def test_number_that_is_none_is_named(files, tmp_path):
    lines = files["csv"][0].read_text().splitlines()
    path = tmp_path / "odd.csv"
    path.write_text("\n".join([lines[0], "abc" + lines[1][3:]]) + "\n")
    with pytest.raises(CatalogueFormatError, match="no number"):
        read_star_catalogue([path])


def test_catalogue_of_another_field_is_named(files):
    catalogue = read_star_catalogue(files["csv"])
    assert 300 < len(catalogue.around(RA, DEC, 200.0)) < 700
    with pytest.raises(CatalogueFieldError, match="no star near the field") as error:
        catalogue.around(210.0, 40.0, 200.0)
    assert "square degree" in error.value.remedy


def test_missing_magnitudes_are_unknown(files, tmp_path):
    table = Table.read(files["fits"][0])
    table["g"][:10] = 0.0
    table["dg"][:10] = 0.0
    table.write(tmp_path / "gaps.fits")
    catalogue = read_star_catalogue([tmp_path / "gaps.fits"])
    assert np.isnan(catalogue.magnitudes["g"][:10]).all()
    assert np.isnan(catalogue.errors["g"][:10]).all()
