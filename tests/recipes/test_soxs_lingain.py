"""soxs_lingain against the simulator's truth."""

import json
import shutil
import time

import numpy as np
import pytest
from astropy.io import fits

from soxs_recipes.algorithms.quality import Quality, has
from soxs_recipes.errors import MissingInputError, SettingMismatchError
from soxs_recipes.instrument.classification import classify
from soxs_recipes.products.detector_tables import read_bad_pixels, read_gain, read_linearity
from soxs_recipes.products.fits_input import read_header
from soxs_recipes.recipes import SoxsLingain
from soxs_recipes.recipes.detector_series import SeriesError

SERIES = {
    "VIS": {"arm": "VIS", "times_s": (1.0, 4.0, 8.0, 16.0, 24.0), "seed": 3},
    "NIR": {"arm": "NIR", "times_s": (10.0, 20.0, 30.0, 50.0), "seed": 3},
}
# Relative loss per electron of the simulated detectors.
BETA_PER_E = {"VIS": 7e-8, "NIR": 1.5e-7}


def sets_of(files):
    """Files by tag, as the runner takes them."""
    tagged = {}
    for path in files:
        tagged.setdefault(classify(read_header(path)).tag, []).append(path)
    return [(paths, tag) for tag, paths in tagged.items()]


class Products:
    """What a run has made, read once."""

    def __init__(self, paths, arm):
        self.gain = read_gain(paths[f"GAIN_TAB_{arm}"])
        self.linearity = read_linearity(paths[f"LINEARITY_TAB_{arm}"])
        self.quality = read_bad_pixels(paths[f"BP_MAP_{arm}"])
        self.qc = fits.getheader(paths[f"GAIN_TAB_{arm}"])


@pytest.fixture(scope="module")
def reduced(simulated, tmp_path_factory):
    """Products of the series of an arm, made once, with the time they took."""
    from soxs_recipes.cpl_bridge import cpl

    made = {}

    def reduce(arm, **settings):
        key = (arm, *settings.items())
        if key not in made:
            files = simulated("detlin", **SERIES[arm])
            frames = [cpl.ui.Frame(str(p), tag) for paths, tag in sets_of(files) for p in paths]
            folder = tmp_path_factory.mktemp("lingain")
            given = {name.replace("_", "-"): value for name, value in settings.items()}
            with pytest.MonkeyPatch.context() as patch:
                patch.chdir(folder)
                start = time.perf_counter()
                products = SoxsLingain().run(cpl.ui.FrameSet(frames), given)
                took = time.perf_counter() - start
            paths = {product.tag: folder / product.file for product in products}
            made[key] = Products(paths, arm), files, took
        return made[key]

    return reduce


def state(files, kind="detlin_on"):
    frames = json.loads((files[0].parent / "truth/manifest.json").read_text())["frames"]
    return next(frame["detector"] for frame in frames.values() if frame["kind"] == kind)


@pytest.mark.parametrize("arm", ["VIS", "NIR"])
def test_gain_and_read_noise_within_one_per_cent(arm, reduced):
    products, files, _ = reduced(arm)
    true = state(files)
    gain = products.gain
    assert gain.gain_e_per_adu == pytest.approx(true["conad_e_per_adu"], rel=0.01)
    ron = true.get("ron_with_rounding_e", true["ron_e"])
    assert gain.read_noise_e == pytest.approx(ron, rel=0.01)
    assert gain.photon_factor == pytest.approx(true.get("photon_factor", 1.0), rel=0.01)


def test_the_gain_of_a_ramp_with_a_known_photon_factor(reduced):
    factor = state(reduced("NIR")[1])["photon_factor"]
    products, _, _ = reduced("NIR", photon_factor=factor)
    assert products.gain.gain_e_per_adu == pytest.approx(2.3, rel=0.01)


@pytest.mark.parametrize("arm", ["VIS", "NIR"])
def test_linearity_is_corrected_to_two_permille(arm, reduced):
    products, files, _ = reduced(arm)
    gain, beta = state(files)["conad_e_per_adu"], BETA_PER_E[arm]
    highest = min(products.linearity.limit_adu, products.linearity.valid_to_adu)
    assert highest > 20_000
    true = np.linspace(100, highest * 1.01, 200)
    measured = true * (1 - beta * gain * true)
    ratio = products.linearity.correct(measured) / true
    assert np.abs(ratio - 1).max() < 0.002
    if arm == "NIR":
        expected = 0.01 / beta / gain * 0.99
        assert products.linearity.limit_adu == pytest.approx(expected, rel=0.02)
        error = products.qc["ESO QC LIN LIMIT ERR"]
        assert error < 0.01 * expected
        assert abs(products.linearity.limit_adu - expected) < 3 * error


@pytest.mark.parametrize("arm", ["VIS", "NIR"])
def test_dead_and_hot_pixels(arm, reduced):
    """Dead ones where there is light to tell, hot ones from 8 sigma of the dark on."""
    products, files, _ = reduced(arm)
    folder = files[0].parent / "truth"
    dead = fits.getdata(folder / f"response_{arm}.fits", "DEAD").astype(bool)
    with fits.open(folder / f"dark_{arm}.fits") as hdus:
        rate, hot = hdus[0].data, hdus["HOT"].data.astype(bool)
    longest = max(SERIES[arm]["times_s"])
    on = {tag: paths for paths, tag in sets_of(files)}[f"DETLIN_ON_{arm}"]
    frame = max(on, key=lambda path: fits.getval(path, "EXPTIME"))
    image = fits.getdata(frame).astype("f4")
    image = image[:, 50:] - 850 if arm == "VIS" else image[4:-4, 4:-4]
    # Light of the surroundings along the dispersion, well above the noise of the decision.
    axis = 0 if arm == "VIS" else 1
    around = np.minimum(np.roll(image, 4, axis), np.roll(image, -4, axis)) * (
        products.gain.gain_e_per_adu
    )
    lit = around > 40 * products.gain.read_noise_e
    found = has(products.quality, Quality.DEAD)
    assert np.count_nonzero(dead & lit) > 40
    assert found[dead & lit].mean() >= 0.99
    assert found[~dead].mean() < 1e-4
    flagged = has(products.quality, Quality.HOT)
    assert flagged[~hot].mean() < 1e-4
    if arm == "NIR":
        sigma = products.gain.read_noise_e / 2**0.5
        assert flagged[hot & (rate * longest >= 8 * sigma)].mean() >= 0.99
    bad = has(products.quality, Quality.NOISY | Quality.NONLINEAR)
    assert bad[~dead & ~hot].mean() < 1e-4


def test_sixteen_frames_are_quick(reduced):
    """Four levels of four frames; the limit allows for a machine that is shared."""
    _, files, took = reduced("NIR")
    assert len(files) == 16
    assert took < 10


def test_a_missing_frame_is_left_out_and_flagged(simulated, run_recipe):
    files = simulated("detlin", **SERIES["VIS"])
    paths = run_recipe(SoxsLingain, *sets_of(files[:-1]))
    header = fits.getheader(paths["GAIN_TAB_VIS"])
    assert header["ESO QC SERIES OK"] is False
    assert header["ESO QC LEVELS NUM"] == 4
    assert header["ESO QC GAIN"] == pytest.approx(1.1, rel=0.01)


def test_a_series_that_cannot_be_sound_is_refused(simulated, run_recipe):
    files = simulated("detlin", **SERIES["VIS"])
    by_tag = {tag: paths for paths, tag in sets_of(files)}
    on, bias = by_tag["DETLIN_ON_VIS"], by_tag["BIAS_VIS"]
    with pytest.raises(SeriesError, match="no frame without light"):
        run_recipe(SoxsLingain, (on, "DETLIN_ON_VIS"))
    with pytest.raises(MissingInputError, match="6 or more"):
        run_recipe(SoxsLingain, (on[:4], "DETLIN_ON_VIS"), (bias, "BIAS_VIS"))
    with pytest.raises(SeriesError, match="too few levels"):
        run_recipe(
            SoxsLingain, ([*on[:4], on[4], on[6], on[8]], "DETLIN_ON_VIS"), (bias, "BIAS_VIS")
        )


def test_a_saturated_series_and_another_read_mode_are_refused(simulated, run_recipe, tmp_path):
    files = simulated("detlin", **SERIES["VIS"])
    by_tag = {tag: paths for paths, tag in sets_of(files)}
    full = []
    for path in by_tag["DETLIN_ON_VIS"]:
        full.append(tmp_path / path.name)
        shutil.copy(path, full[-1])
        with fits.open(full[-1], mode="update") as hdus:
            hdus[0].data[:, 50:] = 65535
    bias = (by_tag["BIAS_VIS"], "BIAS_VIS")
    with pytest.raises(SeriesError, match=r"100 % of the pixels are saturated"):
        run_recipe(SoxsLingain, (full, "DETLIN_ON_VIS"), bias)
    fits.setval(full[0], "ESO DET READ CURNAME", value="Fast Low Gain")
    with pytest.raises(SettingMismatchError, match="read mode"):
        run_recipe(SoxsLingain, (full, "DETLIN_ON_VIS"), bias)
