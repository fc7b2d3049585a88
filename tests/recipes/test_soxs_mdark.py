"""soxs_mdark against the simulator's truth."""

import json

import numpy as np
import pytest
from astropy.io import fits

from soxs_recipes.algorithms.quality import Quality, has
from soxs_recipes.errors import MissingInputError, SettingMismatchError
from soxs_recipes.products.detector_frames import read_detector_frame
from soxs_recipes.recipes import SoxsMbias, SoxsMdark

SETS = {
    "NIR": {"arm": "NIR", "frames": 5, "exptime_s": 10.0, "seed": 5},
    "VIS": {"arm": "VIS", "frames": 5, "exptime_s": 600.0, "seed": 5},
}


def dark_truth(files, arm):
    """Dark rate in e-/s of the trimmed frame, where it is hot, and the state of the first frame."""
    folder = files[0].parent / "truth"
    with fits.open(folder / f"dark_{arm}.fits") as hdus:
        rate, hot = hdus[0].data.astype("f4"), hdus["HOT"].data.astype(bool)
    frames = json.loads((folder / "manifest.json").read_text())["frames"]
    return rate, hot, frames[files[0].name]["detector"]


@pytest.fixture
def inputs(simulated, run_recipe):
    """Darks of an arm, and the master bias where the arm has one."""

    def make(arm):
        sets = [(simulated("dark", **SETS[arm]), f"DARK_{arm}")]
        if arm == "VIS":
            bias = simulated("bias", arm="VIS", frames=10, seed=5)
            master = run_recipe(SoxsMbias, (bias, "BIAS_VIS"))["MASTER_BIAS_VIS"]
            sets.append(([master], "MASTER_BIAS_VIS"))
        return sets

    return make


@pytest.mark.parametrize("arm", ["NIR", "VIS"])
def test_level_errors_and_hot_pixels(arm, inputs, run_recipe):
    sets = inputs(arm)
    path = run_recipe(SoxsMdark, *sets)[f"MASTER_DARK_{arm}"]
    frame, header = read_detector_frame(path)
    rate, hot, state = dark_truth(sets[0][0], arm)
    expected = rate * SETS[arm]["exptime_s"]
    calm = ~hot & (frame.quality == 0)
    residual = frame.flux[calm] - expected[calm]
    sigma = float(np.median(frame.error[calm]))
    assert abs(np.median(residual)) < 0.05 * state["ron_e"]
    assert np.std(residual / frame.error[calm]) == pytest.approx(1.0, abs=0.04)
    # Errors that followed the noise would make whatever is weighted by them too low or too high.
    assert abs(np.polyfit(residual, frame.variance[calm], 1)[0]) < 0.06
    ron = state.get("ron_with_rounding_e", state["ron_e"])
    assert header["ESO QC RAW RON"] == pytest.approx(ron, rel=0.01)
    assert header["ESO QC MDARK MEDIAN"] == pytest.approx(np.median(expected), abs=0.05 * ron)
    flagged = has(frame.quality, Quality.HOT)
    strong = hot & (expected - np.median(expected) >= 8 * sigma)
    assert strong.sum() > 500
    assert flagged[strong].mean() >= 0.999
    assert flagged[~hot].mean() < 1e-4
    assert header["ESO QC HOTPIX NUM"] == flagged.sum()


def test_cosmic_rays_do_not_survive(simulated, run_recipe):
    """The hit pixels of five long exposures are, on average, at the dark's level."""
    options = {"arm": "NIR", "frames": 5, "exptime_s": 300.0, "seed": 7}
    files = simulated("dark", **options)
    frame, _ = read_detector_frame(run_recipe(SoxsMdark, (files, "DARK_NIR"))["MASTER_DARK_NIR"])
    rate, hot, _ = dark_truth(files, "NIR")
    hits = fits.getdata(files[0].parent / "truth" / "cosmics.fits", 1)
    charge = np.zeros(rate.shape)
    np.add.at(charge, (hits["Y"], hits["X"]), hits["ELECTRONS"])
    struck = (charge > 50 * 13) & ~hot
    residual = (frame.flux - rate * 300.0)[struck] / frame.error[struck]
    assert struck.sum() > 200
    assert np.mean(np.abs(residual) > 8) < 0.01
    assert abs(np.median(residual)) < 0.3


def test_unequal_exposure_times_are_refused_unless_allowed(simulated, run_recipe):
    short = simulated("dark", arm="NIR", frames=3, exptime_s=20.0, seed=8)
    long = simulated("dark", arm="NIR", frames=3, exptime_s=100.0, seed=9)
    sets = ([*short, *long], "DARK_NIR")
    with pytest.raises(SettingMismatchError, match="--allow-mixed-exptime"):
        run_recipe(SoxsMdark, sets)
    path = run_recipe(SoxsMdark, sets, allow_mixed_exptime=True)["MASTER_DARK_NIR"]
    frame, header = read_detector_frame(path)
    assert fits.getheader(path, "FLUX")["BUNIT"] == "electron/s"
    rate, hot, state = dark_truth(short, "NIR")
    calm = ~hot & (frame.quality == 0)
    residual = frame.flux[calm] - rate[calm]
    # Little is lost against the three long frames alone.
    assert np.std(residual) < 1.1 * state["ron_e"] / 100 / 3**0.5
    assert np.std(residual / frame.error[calm]) == pytest.approx(1.0, abs=0.05)
    assert header["EXPTIME"] == pytest.approx(60.0)


def test_the_camera_needs_its_master_bias(simulated, run_recipe):
    files = simulated("dark", arm="ACQ", frames=3, exptime_s=60.0)
    with pytest.raises(MissingInputError, match="MASTER_BIAS_ACQ"):
        run_recipe(SoxsMdark, (files, "DARK_ACQ"))
    bias = simulated("bias", arm="ACQ", frames=5)
    master = run_recipe(SoxsMbias, (bias, "BIAS_ACQ"))["MASTER_BIAS_ACQ"]
    path = run_recipe(SoxsMdark, (files, "DARK_ACQ"), ([master], "MASTER_BIAS_ACQ"))[
        "MASTER_DARK_ACQ"
    ]
    assert abs(fits.getheader(path)["ESO QC MDARK MEDIAN"]) < 3.0


def test_the_bias_level_of_the_camera_has_no_photon_noise(simulated, run_recipe):
    bias = run_recipe(SoxsMbias, (simulated("bias", arm="ACQ", seed=5), "BIAS_ACQ"))
    darks = simulated("dark", arm="ACQ", exptime_s=30.0, frames=3, seed=5)
    master = run_recipe(
        SoxsMdark, (darks, "DARK_ACQ"), ([bias["MASTER_BIAS_ACQ"]], "MASTER_BIAS_ACQ")
    )["MASTER_DARK_ACQ"]
    with fits.open(master) as hdus:
        calm = hdus["FLUX"].data[hdus["QUAL"].data == 0]
        low, high = np.percentile(calm, (16, 84))
        assert np.median(hdus["ERRS"].data) == pytest.approx((high - low) / 2, rel=0.1)
        assert abs(np.median(calm)) < 3
