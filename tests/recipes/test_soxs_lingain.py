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
    "VIS": {
        "arm": "VIS",
        "times_s": (1.0, 4.0, 8.0, 16.0, 24.0),
        "seed": 3,
        "defect_fraction": 1e-3,
        "biases": 16,
    },
    "NIR": {"arm": "NIR", "times_s": (10.0, 20.0, 30.0, 50.0), "seed": 3},
    "ACQ": {"arm": "ACQ", "times_s": (1.0, 4.0, 8.0, 12.0, 16.0), "seed": 3},
}
# Relative loss per electron of the simulated detectors.
BETA_PER_E = {"VIS": 7e-8, "NIR": 1.5e-7, "ACQ": 7e-8}


def sets_of(files, biases=None):
    """Files by tag, as the runner takes them, with some of the biases."""
    tagged = {}
    for path in files:
        tagged.setdefault(classify(read_header(path)).tag, []).append(path)
    return [(paths[:biases] if "BIAS" in tag else paths, tag) for tag, paths in tagged.items()]


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
                start = time.process_time()
                products = SoxsLingain().run(cpl.ui.FrameSet(frames), given)
                took = time.process_time() - start
            paths = {product.tag: folder / product.file for product in products}
            made[key] = Products(paths, arm), files, took
        return made[key]

    return reduce


def state(files, kind="detlin_on"):
    frames = json.loads((files[0].parent / "truth/manifest.json").read_text())["frames"]
    return next(frame["detector"] for frame in frames.values() if frame["kind"] == kind)


@pytest.mark.parametrize("arm", list(SERIES))
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
    assert products.gain.photon_factor_error == 0 < products.gain.gain_error
    usual, _, _ = reduced("NIR")
    assert usual.gain.gain_error == 0 < usual.gain.photon_factor_error
    ratio = usual.qc["ESO QC FACTOR OVER GAIN"]
    assert ratio == pytest.approx(factor / 2.3, rel=0.01)
    assert products.qc["ESO QC FACTOR OVER GAIN"] == ratio


@pytest.mark.parametrize("arm", list(SERIES))
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
    if arm == "NIR":
        bad = has(products.quality, Quality.NOISY | Quality.NONLINEAR)
        assert bad[~dead & ~hot].mean() < 1e-4


def test_dead_pixels_of_the_camera(reduced):
    """Every pixel of it sees the lamp."""
    products, files, _ = reduced("ACQ")
    dead = fits.getdata(files[0].parent / "truth/response_ACQ.fits", "DEAD").astype(bool)
    found = has(products.quality, Quality.DEAD)
    assert np.count_nonzero(dead) > 40
    assert found[dead].mean() >= 0.99
    assert (products.quality[~dead] != 0).mean() < 1e-4


def test_full_ramps_are_told_from_noise(simulated, run_recipe):
    """A series that ends above the full well of 52174 ADU: saturation, limit, no noisy pixels."""
    files = simulated("detlin", arm="NIR", times_s=(10.0, 30.0, 50.0, 80.0), seed=3)
    made = Products(run_recipe(SoxsLingain, *sets_of(files)), "NIR")
    assert made.linearity.saturation_adu == pytest.approx(120_000 / 2.3, rel=0.04)
    limit = 0.01 / BETA_PER_E["NIR"] / 2.3 * 0.99
    assert made.linearity.limit_adu == pytest.approx(limit, rel=0.02)
    assert made.gain.photon_factor == pytest.approx(state(files)["photon_factor"], rel=0.01)
    hot = fits.getdata(files[0].parent / "truth/dark_NIR.fits", "HOT").astype(bool)
    assert has(made.quality, Quality.NOISY)[~hot].mean() < 1e-4


def test_noisy_and_nonlinear_pixels(reduced):
    """Noisy from 5 times the read noise on with 8 pairs; non-linear where light is lost."""
    products, files, _ = reduced("VIS")
    folder = files[0].parent / "truth"
    dead = fits.getdata(folder / "response_VIS.fits", "DEAD").astype(bool)
    hot = fits.getdata(folder / "dark_VIS.fits", "HOT").astype(bool)
    noise = fits.getdata(folder / "defects_VIS.fits")
    loss = fits.getdata(folder / "defects_VIS.fits", "LOSS")
    sound = ~dead & ~hot
    noisy = has(products.quality, Quality.NOISY)
    assert np.count_nonzero(sound & (noise >= 5)) > 1000
    assert noisy[sound & (noise >= 5)].mean() >= 0.99
    assert noisy[sound & (noise == 1)].mean() < 1e-4
    image = fits.getdata(files[-1])[:, 50:].astype("f4") - 850
    light = np.minimum(np.roll(image, 4, 0), np.roll(image, -4, 0)) * 1.1
    losing = has(products.quality, Quality.NONLINEAR)
    strong = sound & (noise == 1) & (light > 3000) & (loss * light > 0.15)
    assert np.count_nonzero(strong) > 50
    assert losing[strong].mean() >= 0.99
    assert losing[sound & (loss == 0)].mean() < 1e-5


def test_sixteen_frames_are_quick(reduced):
    """Four levels of four frames; time of the processor, for the machine may be shared."""
    _, files, took = reduced("NIR")
    assert len(files) == 16
    assert took < 10


def test_a_missing_frame_is_left_out_and_flagged(simulated, run_recipe):
    files = simulated("detlin", **SERIES["VIS"])
    paths = run_recipe(SoxsLingain, *sets_of(files[:-1], biases=2))
    header = fits.getheader(paths["GAIN_TAB_VIS"])
    assert header["ESO QC SERIES OK"] is False
    assert header["ESO QC LEVELS NUM"] == 4
    assert header["ESO QC GAIN"] == pytest.approx(1.1, rel=0.01)


def test_a_series_that_cannot_be_sound_is_refused(simulated, run_recipe):
    files = simulated("detlin", **SERIES["VIS"])
    by_tag = {tag: paths for paths, tag in sets_of(files, biases=2)}
    on, bias = by_tag["DETLIN_ON_VIS"], by_tag["BIAS_VIS"]
    with pytest.raises(SeriesError, match="no frame without light"):
        run_recipe(SoxsLingain, (on, "DETLIN_ON_VIS"))
    with pytest.raises(MissingInputError, match="6 or more"):
        run_recipe(SoxsLingain, (on[:4], "DETLIN_ON_VIS"), (bias, "BIAS_VIS"))
    with pytest.raises(SeriesError, match="too few levels"):
        run_recipe(
            SoxsLingain, ([*on[:4], on[4], on[6], on[8]], "DETLIN_ON_VIS"), (bias, "BIAS_VIS")
        )


def test_a_series_that_ends_saturated_is_reduced_and_flagged(simulated, run_recipe):
    """The pixels that are full in the longest pair spoil nothing."""
    files = simulated("detlin", arm="VIS", times_s=(2.0, 8.0, 16.0, 24.0, 90.0), seed=3)
    header = fits.getheader(run_recipe(SoxsLingain, *sets_of(files))["GAIN_TAB_VIS"])
    assert header["ESO QC SERIES OK"] is False
    assert header["ESO QC GAIN"] == pytest.approx(1.1, rel=0.01)


def test_a_saturated_series_and_another_read_mode_are_refused(simulated, run_recipe, tmp_path):
    files = simulated("detlin", **SERIES["VIS"])
    by_tag = {tag: paths for paths, tag in sets_of(files, biases=2)}
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
