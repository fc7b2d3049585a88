"""Spectra and images in ESO's form: other programs read them, and every value is right."""

import subprocess
import sys
import types

import numpy as np
import pytest
from astropy import units
from astropy.io import fits
from astropy.table import QTable
from phase3_files import make_observation, make_spectrum, write_spectrum

from soxs_recipes.errors import HeaderError
from soxs_recipes.products import sdp_reader
from soxs_recipes.products.phase3_check import check_file
from soxs_recipes.products.phase3_image import limiting_magnitude
from soxs_recipes.products.phase3_observation import observation_of, slit_width_arcsec
from soxs_recipes.products.phase3_spectrum import COLUMNS, spectrum_table, trimmed

ERG = units.erg / units.s / units.cm**2 / units.AA


def test_products_keep_all_rules(spectrum_file, image_file, companion_file):
    for path in (spectrum_file, image_file, companion_file):
        assert [str(problem) for problem in check_file(path)] == []


def test_an_uncalibrated_spectrum_in_vacuum_keeps_all_rules(tmp_path):
    spectrum = make_spectrum(is_calibrated=False, is_air=False)
    path = write_spectrum(tmp_path / "counts.fits", spectrum)
    assert check_file(path) == []
    with fits.open(path) as hdus:
        assert hdus[0].header["FLUXCAL"] == "UNCALIBRATED"
        assert hdus[0].header["FLUXERR"] == -1
        assert hdus[1].header["TUCD1"] == "em.wl"
        assert "stat.uncalib" in hdus[1].header["TUCD2"]


def test_fitsverify_has_nothing_to_say(spectrum_file, image_file, companion_file, required_tool):
    program = required_tool("fitsverify")
    for path in (spectrum_file, image_file, companion_file):
        done = subprocess.run([program, path], capture_output=True, text=True, check=False)
        assert "0 warning(s) and 0 error(s)" in done.stdout, done.stdout


def test_plain_astropy_reads_the_arrays_with_units(spectrum_file):
    row = QTable.read(spectrum_file, hdu="SPECTRUM")[0]
    spectrum = make_spectrum()
    assert row["WAVE"].unit == units.nm
    assert row["FLUX"].unit.is_equivalent(ERG)
    assert np.array_equal(row["WAVE"].value, spectrum.wave_nm)
    given = spectrum.columns["FLUX"]
    assert np.allclose(row["FLUX"].to_value(ERG), given, rtol=1e-6, equal_nan=True)


def test_stilts_reads_the_table(spectrum_file, required_tool):
    program = required_tool("stilts")
    command = [program, "tpipe", f"in={spectrum_file}", "omode=meta"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for column in COLUMNS:
        assert column.name in done.stdout
    assert "Rows:    400" in done.stdout, "the arrays are not taken for a spectrum"


def test_reader_gives_one_row_per_bin(spectrum_file):
    table = sdp_reader.read_sdp(spectrum_file)
    assert len(table) == 400
    assert table["FLUX"].unit.is_equivalent(ERG)
    assert table.meta["FLUXCAL"] == "ABSOLUTE"
    with pytest.raises(ValueError, match="no spectrum of one row"):
        image = spectrum_file.with_name("image.fits")
        fits.PrimaryHDU(np.ones((3, 3))).writeto(image)
        sdp_reader.read_sdp(image)


def test_specutils_opens_it(spectrum_file):
    specutils = pytest.importorskip("specutils", reason="specutils is no dependency")
    sdp_reader.register()
    spectrum = specutils.Spectrum.read(spectrum_file)
    assert np.array_equal(spectrum.spectral_axis.to_value("nm"), make_spectrum().wave_nm)
    assert spectrum.flux.unit.is_equivalent(ERG)


def test_reader_is_registered_as_specutils_wants(spectrum_file, monkeypatch):
    """The same with a stand-in for specutils, which records what it is given."""
    known = {}

    def data_loader(label, identifier, **options):
        def take(function):
            known[label] = (identifier, function)
            return function

        return take

    package = types.ModuleType("specutils")
    package.Spectrum = lambda **content: content
    registers = types.ModuleType("specutils.io.registers")
    registers.data_loader = data_loader
    monkeypatch.setitem(sys.modules, "specutils", package)
    monkeypatch.setitem(sys.modules, "specutils.io", types.ModuleType("specutils.io"))
    monkeypatch.setitem(sys.modules, "specutils.io.registers", registers)
    sdp_reader.register()
    identify, read = known[sdp_reader.FORMAT]
    assert identify("read", str(spectrum_file), None)
    content = read(spectrum_file)
    assert content["flux"].unit.is_equivalent(ERG)
    assert content["mask"].sum() == 3
    assert content["uncertainty"].array[0] == pytest.approx(1e-18, rel=1e-6)


def test_signal_to_noise_is_the_median_of_the_good_bins():
    spectrum = make_spectrum()
    assert spectrum.snr == pytest.approx(100.0, rel=0.02)
    spectrum.columns["QUAL"][:] = 1
    assert spectrum.snr == 0.0


def test_bins_without_data_at_the_ends_are_left_out():
    spectrum = make_spectrum()
    spectrum.columns["FLUX"][:7] = np.nan
    spectrum.columns["FLUX"][-5:] = np.nan
    short = trimmed(spectrum)
    assert len(short.wave_nm) == 388
    assert short.wave_nm[0] == spectrum.wave_nm[7]
    assert len(short.columns["ERR"]) == 388
    spectrum.columns["FLUX"][:] = np.nan
    with pytest.raises(ValueError, match="no data"):
        trimmed(spectrum)


def test_infinite_values_become_no_value():
    spectrum = make_spectrum()
    spectrum.columns["FLUX"][4] = np.inf
    assert np.isnan(spectrum_table(spectrum)["FLUX"][0, 4])


def product_header(**changes):
    header = {
        "OBJECT": "SN2026XYZ",
        "RA": 150.1,
        "DEC": -21.3,
        "RADESYS": "FK5",
        "MJD-OBS": 60715.0,
        "EXPTIME": 240.0,
        "ESO OBS ID": 7,
        "ESO PRO TECH": "ECHELLE,SLIT,NODDING",
        "ESO INS VISE NAME": "SLIT1.5",
        "ESO PRO REC1 RAW1 NAME": "SOXS.A.fits",
        "ESO PRO REC1 RAW1 CATG": "OBJECT_NOD_VIS",
        "ESO PRO REC1 RAW2 NAME": "/data/SOXS.B.fits.Z",
        "ESO PRO REC1 RAW2 CATG": "OBJECT_NOD_VIS",
        "ESO PRO REC1 CAL1 NAME": "master.fits",
    }
    return {**header, **changes}


def test_observation_of_one_arm():
    observation = observation_of([product_header(TEXPTIME=480.0, **{"MJD-END": 60715.006})])
    assert observation.raw_files == ("SOXS.A", "SOXS.B")
    assert observation.total_exptime_s == 480.0
    assert observation.elapsed_s == pytest.approx(518.4)
    assert observation.slit_arcsec == 1.5
    assert observation.title == "SN2026XYZ_7_2025-02-09T00:00:00.000"


def test_observation_of_both_arms_spans_both():
    late = {"MJD-OBS": 60715.0001, "ESO PRO REC1 RAW1 NAME": "SOXS.C.fits", "EXPTIME": 120.0}
    observation = observation_of([product_header(), product_header(**late)])
    assert observation.mjd_start == 60715.0
    assert observation.mjd_end == pytest.approx(60715 + 480 / 86400)
    assert observation.exptime_s == 360.0
    assert observation.raw_files == ("SOXS.A", "SOXS.B", "SOXS.C")


@pytest.mark.parametrize("keyword", ["OBJECT", "RA", "MJD-OBS", "EXPTIME"])
def test_a_missing_card_is_named(keyword):
    header = product_header()
    del header[keyword]
    with pytest.raises(HeaderError, match=keyword):
        observation_of([header])


def test_programme_of_the_header_goes_before_the_one_given():
    assert observation_of([product_header()], "105.A").prog_id == "105.A"
    header = product_header(**{"ESO OBS PROG ID": "108.B"})
    assert observation_of([header], "105.A").prog_id == "108.B"


def test_slit_width():
    assert slit_width_arcsec({"ESO INS NISE NAME": "SLIT0.5"}) == 0.5
    assert slit_width_arcsec({}) == 1.0


def test_limiting_magnitude_is_that_of_a_profile_fit():
    """Against the scatter of fluxes fitted to noise with the true profile."""
    rng = np.random.default_rng(4)
    fwhm, noise = 4.0, 7.0
    y, x = np.mgrid[-12:13, -12:13]
    profile = np.exp(-0.5 * (x**2 + y**2) / (fwhm / 2.35482) ** 2)
    profile /= profile.sum()
    weight = profile / (profile**2).sum()
    fitted = np.tensordot(rng.normal(0, noise, (20000, 25, 25)), weight, 2)
    limit = 27.0 - 2.5 * np.log10(5 * fitted.std())
    assert limiting_magnitude(noise, fwhm, 27.0) == pytest.approx(limit, abs=0.02)


def test_titles_differ_between_observations():
    other = make_observation(mjd_start=60716.0)
    assert make_observation().title != other.title
    assert make_observation(part="VIS").title != make_observation(part="NIR").title


def test_a_long_name_leaves_the_title_on_one_card(tmp_path):
    observation = make_observation(target="The brightest star of all " * 3, part="MERGED")
    assert len(observation.title) == 68
    assert observation.title.endswith("_MERGED")
