"""soxs_telluric as a recipe: with and without standards, and by molecfit."""

import stat
import sys

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from truth_spectra import write_orders

from soxs_recipes.algorithms.quality import Quality, has
from soxs_recipes.errors import UnreadableFrameError
from soxs_recipes.products.telluric_tables import read_telluric
from soxs_recipes.recipes import molecfit
from soxs_recipes.recipes.soxs_telluric import SoxsTelluric

ORDERS = (13, 15, 17, 21)
NARROW = {"ESO_INS_NISE_NAME": "SLIT1.0", "OBJECT": "PL"}


@pytest.fixture(scope="module")
def target(nights):
    return nights(1).observe("NIR", "PL_17", snr=30, airmass=1.2, orders=ORDERS)


@pytest.fixture
def frames(tmp_path):
    def write(role, observation, **cards):
        tag = f"{role}_SPECTRUM_ORDERS_NIR"
        return [write_orders(tmp_path / f"{role}.fits", observation, "NIR", tag, **cards)], tag

    return write


def product_of(run_recipe, *sets, **settings):
    (path,) = run_recipe(SoxsTelluric, *sets, **settings).values()
    return path


def assert_right(path, observation, worst=0.02):
    spectra = observation.spectra
    for order in spectra.orders:
        here = spectra.of(order)
        value, _, quality = read_telluric(path).at(order, spectra.wave_nm[here])
        fair = ~has(quality, Quality.TELLURIC) & (observation.transmission[here] > 0.5)
        assert np.std((value - observation.transmission[here])[fair]) < worst


def test_the_target_alone(target, frames, run_recipe):
    path = product_of(run_recipe, frames("SCI", target, **NARROW))
    assert path.name == "telluric_tab_nir_61115.0000000.fits"
    assert_right(path, target)
    header = fits.getheader(path)
    assert header["ESO QC PWV"] == pytest.approx(3.0, rel=0.1)
    assert header["ESO QC TELL METHOD"] == "auto"
    assert "ESO QC TELL STD" not in header
    fit = Table.read(path, "FIT")
    assert fit["ORDER"].tolist() == list(ORDERS)
    assert np.all(fit["USED"] == 1)
    assert np.all(fit["CHI2"] < fit["CHI2_NONE"])


@pytest.mark.parametrize(
    ("role", "star", "name"), [("TELL", "HIP1234", "HIP1234"), ("FLUX", "LTT3218", "LTT3218")]
)
def test_a_faint_target_with_a_standard(role, star, name, nights, frames, run_recipe):
    night = nights(1)
    faint = night.observe("NIR", "PL_17", snr=3, airmass=1.2, orders=ORDERS)
    bright = night.observe("NIR", star, snr=80, airmass=1.5, water_mm=4.0, orders=ORDERS)
    sets = frames("SCI", faint, **NARROW), frames(role, bright, OBJECT=name)
    path = product_of(run_recipe, *sets)
    assert_right(path, faint, 0.03)
    header = fits.getheader(path)
    assert header["ESO QC TELL STD"] == name
    assert header["ESO QC PWV STD"] == pytest.approx(4.0, rel=0.1)


def test_an_unknown_flux_standard_is_taken_as_smooth(target, frames, run_recipe, capsys):
    cards = {"RA": 10.0, "DEC": 0.0, "OBJECT": "HD1"}
    path = product_of(run_recipe, frames("SCI", target, **NARROW), frames("FLUX", target, **cards))
    assert "taken as smooth" in capsys.readouterr().out
    assert_right(path, target)


def test_the_radiometer_counts(nights, frames, run_recipe):
    """No light at all: the water of the header is what is left."""
    dark = nights(1).observe("NIR", "PL_17", snr=0.05, airmass=1.2, orders=(17,))
    water = {"ESO_TEL_AMBI_IWV_START": 1.4, "ESO_TEL_AMBI_IWV_END": 1.6}
    path = product_of(run_recipe, frames("SCI", dark, **NARROW, **water))
    assert fits.getheader(path)["ESO QC PWV"] == pytest.approx(1.5, rel=0.1)


STUB = """#!{python}
import pathlib, sys
import numpy as np
from astropy.io import fits
CARDS = {{
    "OBSERVING_DATE": "MJD-OBS", "UTC": "UTC", "TELESCOPE_ANGLE": "ESO TEL ALT",
    "RELATIVE_HUMIDITY": "ESO TEL AMBI RHUM", "PRESSURE": "ESO TEL AMBI PRES START",
    "TEMPERATURE": "ESO TEL AMBI TEMP", "MIRROR_TEMPERATURE": "ESO TEL TH M1 TEMP",
    "ELEVATION": "ESO TEL GEOELEV", "LONGITUDE": "ESO TEL GEOLON",
    "LATITUDE": "ESO TEL GEOLAT", "SLIT_WIDTH": "ESO INS SLIT1 WID",
}}
arguments = sys.argv[1:]
if "--recipes" in arguments:
    print("molecfit_model", "molecfit_calctrans")
    sys.exit(0)
options = dict(one[2:].split("=", 1) for one in arguments if one.startswith("--"))
recipe = next(one for one in arguments if one.startswith("molecfit"))
out = pathlib.Path(options["output-dir"])
assert options["suppress-prefix"] == "TRUE"
frames = {{tag: path for path, tag in map(str.split, open(arguments[-1]))}}
with fits.open(frames["SCIENCE"]) as hdus:
    chips = [hdu.data.copy() for hdu in hdus[1:]]
    header = hdus[0].header
    assert header["ESO TEL AIRM START"] == 1.2
if recipe == "molecfit_model":
    if "{fails}" == "yes":
        sys.exit("no line list")
    assert options["COLUMN_LAMBDA"] in chips[0].names and options["WLG_TO_MICRON"] == "1.0"
    limits = [float(one) for one in options["WAVE_INCLUDE"].split(",")]
    assert len(limits) % 2 == 0 and 0.85 < min(limits) < max(limits) < 1.6
    for name in ("MAP_REGIONS_TO_CHIP", "FIT_CONTINUUM", "CONTINUUM_N", "FIT_WLC"):
        assert len(options[name].split(",")) == len(limits) // 2, name
    for i, number in enumerate(options["MAP_REGIONS_TO_CHIP"].split(",")):
        wave = chips[int(number) - 1]["lambda"]
        assert wave.min() < limits[2 * i] < limits[2 * i + 1] < wave.max()
    # A card that is asked for must be there (molecfit 4.3); its value stands in where it is not.
    for name, card in CARDS.items():
        assert options.get(name + "_KEYWORD", card) in ("NONE", *header), name
        assert (name + "_VALUE" in options) == (card not in header), name
    for tag in ("ATM_PARAMETERS", "BEST_FIT_PARAMETERS", "MODEL_MOLECULES"):
        (out / (tag + ".fits")).write_text("")
else:
    assert set(frames) == {{"SCIENCE", "ATM_PARAMETERS", "BEST_FIT_PARAMETERS", "MODEL_MOLECULES"}}
    mapping = ",".join("1" * len(chips))
    assert options["MAPPING_ATMOSPHERIC"] == options["MAPPING_CONVOLVE"] == mapping
    chip = np.concatenate([[i] * len(one) for i, one in enumerate(chips, 1)])
    wave = np.concatenate([one["lambda"] for one in chips])
    # Chip by chip, lambda as given and mlambda as corrected, which is not where the pixel is.
    through = 0.5 + 0.1 * chip + 0.05 * (np.arange(wave.size) % 2)
    columns = [fits.Column("chip", "J", array=chip), fits.Column("lambda", "D", array=wave),
               fits.Column("mlambda", "D", array=wave * 1.0001),
               fits.Column("mtrans", "D", array=through)]
    table = fits.BinTableHDU.from_columns(columns)
    if "{fails}" == "columns":
        table.columns.change_name("mtrans", "other")
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(out / "TELLURIC_DATA.fits")
"""


@pytest.fixture
def esorex(tmp_path, monkeypatch):
    """Install a program that does what EsoRex with molecfit would, as far as files go."""

    def install(fails="no"):
        folder = tmp_path / "bin"
        folder.mkdir()
        program = folder / "esorex"
        program.write_text(STUB.format(python=sys.executable, fails=fails))
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", str(folder), prepend=":")

    return install


def test_by_molecfit(target, frames, run_recipe, esorex):
    esorex()
    path = product_of(run_recipe, frames("SCI", target, **NARROW), method="molecfit")
    telluric = read_telluric(path)
    for chip, order in enumerate(ORDERS, 1):
        wave = target.spectra.wave_nm[target.spectra.of(order)][1000:1010]
        value = telluric.at(order, wave)[0]
        levels = 0.5 + 0.1 * chip + np.array([0.0, 0.05])
        assert np.sort(value)[[0, -1]] == pytest.approx(levels, abs=1e-3)
    assert fits.getheader(path)["ESO QC TELL METHOD"] == "molecfit"
    assert len(Table.read(path, "FIT")) == 0


def test_molecfit_that_is_not_there(target, frames, run_recipe, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(molecfit.MolecfitError, match="install ESO's molecfit"):
        product_of(run_recipe, frames("SCI", target, **NARROW), method="molecfit")


def test_molecfit_that_fails(target, frames, run_recipe, esorex):
    esorex("yes")
    with pytest.raises(molecfit.MolecfitError, match=r"molecfit_model failed[\s\S]*no line list"):
        product_of(run_recipe, frames("SCI", target, **NARROW), method="molecfit")


def test_molecfit_of_another_release(target, frames, run_recipe, esorex):
    esorex("columns")
    with pytest.raises(UnreadableFrameError, match="version 4"):
        product_of(run_recipe, frames("SCI", target, **NARROW), method="molecfit")
