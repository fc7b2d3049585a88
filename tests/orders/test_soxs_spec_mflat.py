"""soxs_spec_mflat on simulated raw frames, against the truth of their night."""

import contextlib

import numpy as np
import pytest
from astropy.io import fits
from scipy.ndimage import gaussian_filter

from soxs_recipes.algorithms.flat_field_stack import inside_orders
from soxs_recipes.algorithms.quality import Quality, has
from soxs_recipes.errors import MissingInputError, SettingMismatchError
from soxs_recipes.products.detector_frames import read_detector_frame
from soxs_recipes.products.detector_tables import GainTable
from soxs_recipes.products.detector_tables import gain_table as gain_table_of
from soxs_recipes.products.order_tables import read_order_table
from soxs_recipes.recipes.soxs_mbias import SoxsMbias
from soxs_recipes.recipes.soxs_order_centres import SoxsOrderCentres
from soxs_recipes.recipes.soxs_spec_mflat import SoxsSpecMflat, WrongLampError
from soxs_simulator.optics_scatter import scattered_light

SHAPE = {"VIS": (4096, 808), "NIR": (2040, 2040)}
AXIS = {"VIS": "y", "NIR": "x"}
EXPTIME_S = {"VIS": 15.0, "NIR": 10.0}


def run_in(folder, recipe, *sets):
    """Run a recipe in a folder; returns its products by tag."""
    from soxs_recipes.cpl_bridge import cpl

    with contextlib.chdir(folder):
        frames = [cpl.ui.Frame(str(path), tag) for files, tag in sets for path in files]
        products = recipe().run(cpl.ui.FrameSet(frames), {})
    return {frame.tag: folder / frame.file for frame in products}


@pytest.fixture(scope="session")
def order_tables(lamps, tmp_path_factory):
    made = {}

    def table(arm):
        if arm not in made:
            pinhole = lamps("pinhole_flat", arm, 1, 60.0)
            sets = [(pinhole.files[:1], f"PINHOLE_FLAT_{arm}")]
            if arm == "NIR":
                sets.append((pinhole.files[1:], "PINHOLE_FLAT_OFF_NIR"))
            folder = tmp_path_factory.mktemp("centres")
            made[arm] = run_in(folder, SoxsOrderCentres, *sets)[f"ORDER_TAB_{arm}"]
        return made[arm]

    return table


@pytest.fixture(scope="session")
def master_bias(simulated, tmp_path_factory):
    files = simulated("bias", arm="VIS", frames=5)
    return run_in(tmp_path_factory.mktemp("bias"), SoxsMbias, (files, "BIAS_VIS"))[
        "MASTER_BIAS_VIS"
    ]


@pytest.fixture(scope="session")
def flats(lamps):
    return lambda arm: lamps("slit_flat", arm, 3, EXPTIME_S[arm])


@pytest.fixture(scope="session")
def gain_table(flats, tmp_path_factory):
    """Noise of the ramps of the NIR flats, of which no header tells the number of reads."""
    frames = flats("NIR")
    true = frames.truth["frames"][frames.files[0].name]["detector"]
    noise = true["ron_e"]
    table = GainTable(true["conad_e_per_adu"], noise, true["photon_factor"], noise)
    primary = fits.PrimaryHDU(header=fits.getheader(frames.files[0]))
    path = tmp_path_factory.mktemp("gain") / "gain.fits"
    fits.HDUList([primary, fits.BinTableHDU(gain_table_of(table), name="GAIN")]).writeto(path)
    return path


@pytest.fixture(scope="session")
def sets_of(flats, order_tables, master_bias, gain_table):
    """Sets of frames of an arm: three flats, their twins, the order table, the bias, the gain."""

    def sets(arm):
        files = flats(arm).files
        chosen = [(files[:3], f"FLAT_{arm}"), ([order_tables(arm)], f"ORDER_TAB_{arm}")]
        if arm == "NIR":
            return [*chosen, (files[3:], "FLAT_OFF_NIR"), ([gain_table], "GAIN_TAB_NIR")]
        return [*chosen, ([master_bias], "MASTER_BIAS_VIS")]

    return sets


@pytest.fixture(scope="session")
def products(sets_of, tmp_path_factory):
    made = {}

    def run(arm):
        if arm not in made:
            made[arm] = run_in(tmp_path_factory.mktemp("flat"), SoxsSpecMflat, *sets_of(arm))
        return made[arm]

    return run


def edges_of(products, arm):
    return read_order_table(products[f"ORDER_TAB_EDGES_{arm}"], SHAPE[arm], AXIS[arm])


both_arms = pytest.mark.parametrize("arm", ["VIS", "NIR"])


@both_arms
def test_edges_against_the_truth(arm, products, flats):
    table, truth = edges_of(products(arm), arm), flats(arm).curves()
    lower, upper = table.edges()
    errors = []
    for row, order in enumerate(table.orders):
        first, last = table.edges_sampled[row].astype(int)
        errors.append((lower[row] - truth[order][1])[first : last + 1])
        errors.append((upper[row] - truth[order][2])[first : last + 1])
    errors = np.concatenate(errors)
    assert np.sqrt(np.mean(errors**2)) < 0.02
    assert np.abs(errors).max() < 0.06


@both_arms
def test_pixel_response_to_the_photon_limit(arm, products, flats):
    master, _ = read_detector_frame(products(arm)[f"MASTER_FLAT_{arm}"])
    response = fits.getdata(flats(arm).folder / "truth" / f"response_{arm}.fits").astype(float)
    # What is smooth in the response belongs to the blaze.
    truth = response / gaussian_filter(np.where(response < 0.5, 1.0, response), 24)
    measured = ~has(master.quality, Quality.EXTRAPOLATED)
    bright = measured & (response > 0.5) & (master.error < 0.01)
    assert np.count_nonzero(bright) > 200_000
    pull = ((master.flux - truth) / master.error)[bright]
    pull = pull[np.abs(pull) < 8]
    assert abs(pull.mean()) < 0.03
    assert pull.std() == pytest.approx(1.0, abs=0.02)
    dead = measured & (response < 0.3)
    assert has(master.quality, Quality.DEAD)[dead].all()


@both_arms
def test_scattered_light_against_the_truth(arm, products, flats):
    light, optics = flats(arm).light(EXPTIME_S[arm])
    direct = light.copy()
    for _ in range(6):
        direct = light - scattered_light(direct, optics.scatter_fraction, optics.scatter_px)
    truth = light - direct
    background = fits.getdata(products(arm)[f"BACKGROUND_{arm}"], "FLUX")
    inside = inside_orders(edges_of(products(arm), arm), 0.0)
    difference = (background - truth)[inside]
    # Half an electron is what the zero level of the detectors is known to.
    limit = 0.01 * truth[inside].mean() + 0.5
    assert np.sqrt(np.mean(difference**2)) < limit


@both_arms
def test_quality_control_describes_the_products(arm, products):
    path = products(arm)[f"MASTER_FLAT_{arm}"]
    master, header = read_detector_frame(path)
    measured = ~has(master.quality, Quality.EXTRAPOLATED)
    assert header["ESO QC COLDPIX NUM"] == np.count_nonzero(master.flux[measured] < 0.5)
    assert header["ESO QC N LOW SENS"] == np.count_nonzero(master.flux[measured] < 0.8)
    assert header["ESO QC INNER ORDER PIX MEAN"] == pytest.approx(1.0, abs=1e-3)
    assert header["ESO QC ORDEXP10"] < header["ESO QC ORDEXP50"] < header["ESO QC ORDEXP90"]
    assert header["ESO QC X RES RMS"] < 0.02
    assert header["ESO QC LAMP DRIFT"] < 0.01


@both_arms
def test_blaze_is_relative_to_the_arm(arm, products):
    blaze = fits.getdata(products(arm)[f"BLAZE_TAB_{arm}"], "BLAZE")
    known = blaze["QUAL"] == 0
    assert blaze["BLAZE"][known].max() == pytest.approx(1.0)
    orders = {"VIS": 4, "NIR": 15}[arm]
    length = {"VIS": 4096, "NIR": 2040}[arm]
    assert len(blaze) == orders * length
    lamps = fits.getdata(products(arm)[f"BLAZE_TAB_{arm}"], "LAMPS")
    assert set(lamps["LAMP"]) == {"QTH"}
    assert (lamps["WEIGHT_QTH"] == 1).all()
    assert (lamps["WEIGHT_D2"] == 0).all()


def test_deuterium_lamp_is_joined_where_it_is_brighter(lamps, sets_of, tmp_path):
    deuterium = lamps("slit_flat", "VIS", 3, EXPTIME_S["VIS"], lamps=("D2",)).files
    made = run_in(tmp_path, SoxsSpecMflat, *sets_of("VIS"), (deuterium, "FLAT_D2_VIS"))
    table = fits.getdata(made["BLAZE_TAB_VIS"], "LAMPS")
    by_order = {int(row["ORDER"]): row for row in table}
    assert by_order[2]["LAMP"] == "D2"
    assert by_order[4]["LAMP"] == by_order[1]["LAMP"] == "QTH"
    assert table["WEIGHT_QTH"] + table["WEIGHT_D2"] == pytest.approx(1.0)


def test_deuterium_is_never_taken_for_halogen(lamps, sets_of, tmp_path):
    deuterium = lamps("slit_flat", "VIS", 3, EXPTIME_S["VIS"], lamps=("D2",)).files
    _, *rest = sets_of("VIS")
    with pytest.raises(WrongLampError, match="deuterium"):
        run_in(tmp_path, SoxsSpecMflat, (deuterium, "FLAT_VIS"), *rest)
    assert not list(tmp_path.iterdir())


def test_dome_flats_are_an_explicit_choice(flats, sets_of, tmp_path):
    """Alone they stand for the lamp's; beside these they are refused."""
    (files, _), *rest = sets_of("VIS")
    made = run_in(tmp_path, SoxsSpecMflat, (files, "FLAT_DOME_VIS"), *rest)
    assert fits.getheader(made["MASTER_FLAT_VIS"])["ESO PRO REC1 RAW1 CATG"] == "FLAT_DOME_VIS"
    with pytest.raises(MissingInputError, match="cannot be mixed"):
        mixed = (files[:2], "FLAT_VIS"), (files[2:], "FLAT_DOME_VIS")
        run_in(tmp_path, SoxsSpecMflat, *mixed, *rest)
    with pytest.raises(MissingInputError, match="no flats"):
        run_in(tmp_path, SoxsSpecMflat, *rest)


def test_flats_without_light_are_refused(flats, order_tables, tmp_path):
    from soxs_recipes.algorithms.flat_field_stack import NoLightError

    off = flats("NIR").files[3:]
    table = ([order_tables("NIR")], "ORDER_TAB_NIR")
    with pytest.raises(NoLightError, match=r"no light|not all"):
        run_in(tmp_path, SoxsSpecMflat, (off[:2], "FLAT_NIR"), (off[2:], "FLAT_OFF_NIR"), table)


def test_order_table_is_needed(flats, tmp_path):
    with pytest.raises(MissingInputError, match="ORDER_TAB_VIS"):
        run_in(tmp_path, SoxsSpecMflat, (flats("VIS").files, "FLAT_VIS"))


def test_order_table_of_another_binning_is_refused(lamps, order_tables, tmp_path):
    binned = lamps("slit_flat", "VIS", 1, EXPTIME_S["VIS"], binning=(2, 1)).files
    table = ([order_tables("VIS")], "ORDER_TAB_VIS")
    with pytest.raises(SettingMismatchError, match="binning"):
        run_in(tmp_path, SoxsSpecMflat, (binned, "FLAT_VIS"), table)
