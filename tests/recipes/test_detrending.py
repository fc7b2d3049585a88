"""The one detrending path on simulated frames, against their truth."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits

from soxs_recipes.algorithms.frame import DetectorFrame
from soxs_recipes.algorithms.quality import Quality, has
from soxs_recipes.cameras import arm_of
from soxs_recipes.errors import SettingMismatchError
from soxs_recipes.products.fits_input import read_header
from soxs_recipes.recipes import detrending
from soxs_recipes.recipes.base import Run
from soxs_recipes.recipes.declarations import Input
from soxs_recipes.recipes.frames import InputFrame, InputSet

DARK = Input("DARK_{arm}", "frames without light")
OFF = Input("DARK_OFF_{arm}", "their twins")
SETS = {
    "VIS": {"arm": "VIS", "frames": 4, "exptime_s": 600.0, "seed": 5},
    "NIR": {"arm": "NIR", "frames": 4, "exptime_s": 30.0, "seed": 5},
}


@pytest.fixture
def make_run(monkeypatch):
    """A run on files with their tags; collects warnings."""

    def make(tagged, **settings):
        frames = []
        for path, tag in tagged:
            header = read_header(path)
            arm = arm_of(header)
            frames.append(InputFrame(path, tag, header, arm, arm.readout(header)))
        method = frames[0].arm.reference_methods[0]
        values = {"stack_method": "clipped-mean", "kappa": 5.0, "iterations": 3}
        values |= {"reference": method, **settings}
        warnings = []
        monkeypatch.setattr(Run, "warning", lambda self, text: warnings.append(text))
        run = Run("test", InputSet(frames[0].arm, tuple(frames)), SimpleNamespace(**values))
        return run, warnings

    return make


def truth(files, arm):
    folder = files[0].parent / "truth"
    with fits.open(folder / f"dark_{arm}.fits") as hdus:
        rate, hot = hdus[0].data.astype("f4"), hdus["HOT"].data.astype(bool)
    frames = json.loads((folder / "manifest.json").read_text())["frames"]
    structure = 0.0
    if arm == "VIS":
        structure = fits.getdata(folder / "structure_VIS.fits")[:, 50:].astype("f4")
    return rate, hot, structure, frames[files[0].name]["detector"]


@pytest.mark.parametrize("arm", ["VIS", "NIR"])
def test_signal_and_error_of_simulated_frames(arm, simulated, make_run):
    """Level, noise from the frame's own reference pixels, and pull, of a mean and of one frame."""
    files = simulated("dark", **SETS[arm])
    run, _ = make_run([(path, f"DARK_{arm}") for path in files])
    rate, hot, structure, state = truth(files, arm)
    expected = rate * SETS[arm]["exptime_s"]
    zero = np.zeros_like(rate)
    given = detrending.Calibrations(bias=DetectorFrame(zero + structure, zero, zero))
    for result in (
        detrending.detrended(run, DARK, calibrations=given),
        detrending.detrend_one(run, run.inputs.frames[0], given),
    ):
        ron = state.get("ron_with_rounding_e", state["ron_e"])
        assert result.read_noise_e == pytest.approx(ron, rel=0.03)
        assert result.exptime_s == SETS[arm]["exptime_s"]
        calm = ~hot & (result.frame.quality == 0)
        residual = result.frame.flux[calm] - expected[calm]
        assert abs(np.median(residual)) < 0.05 * ron
        pull = residual / result.frame.error[calm]
        low, high = np.percentile(pull, [15.865, 84.135])
        assert (high - low) / 2 == pytest.approx(1, abs=0.02)
    assert any("gain" in step for step in result.steps)


def test_lamp_off_twins_are_subtracted_with_their_error(simulated, make_run):
    files = simulated("dark", **SETS["NIR"])
    tagged = [(path, "DARK_NIR") for path in files[:2]]
    tagged += [(path, "DARK_OFF_NIR") for path in files[2:]]
    run, _ = make_run(tagged)
    result = detrending.detrended(run, DARK, OFF)
    good = result.frame.good()
    # Channels drift by 1.5 e-, which the reference pixels show with an error of 0.8 e-.
    assert abs(np.median(result.frame.flux[good])) < 0.65
    assert np.std((result.frame.flux / result.frame.error)[good]) == pytest.approx(1, abs=0.04)
    assert "lamp-off subtracted: 2 frame(s)" in result.steps
    assert len(result.frames) == 2


def test_cosmic_rays_of_two_frames_are_left_out(simulated, make_run):
    files = simulated("dark", **SETS["VIS"])[:2]
    run, _ = make_run([(path, "DARK_VIS") for path in files])
    frame = detrending.detrended(run, DARK).frame
    hits = fits.getdata(files[0].parent / "truth/cosmics.fits")
    names = np.char.strip(np.asarray(hits["FILE"]).astype(str))
    struck = np.zeros(frame.shape, bool)
    for path in files:
        ours = (names == path.name) & (hits["ELECTRONS"] > 60)
        struck[hits["Y"][ours], hits["X"][ours]] = True
    _, hot, structure, state = truth(files, "VIS")
    calm = struck & ~hot
    assert np.count_nonzero(calm) > 500
    left = np.abs(frame.flux - structure)[calm] > 6 * state["ron_e"]
    # Left are pixels that were hit in both frames, or are at the limit.
    assert np.mean(left) < 0.02


def test_dark_of_another_time_warns_and_a_rate_is_scaled(simulated, make_run):
    files = simulated("dark", **SETS["NIR"])
    run, warnings = make_run([(path, "DARK_NIR") for path in files])
    plane = np.ones((2040, 2040), "f4")
    dark = DetectorFrame(plane, 0 * plane, np.zeros(plane.shape, "u2"))
    bare = detrending.detrended(run, DARK, calibrations=detrending.Calibrations())
    for is_rate, expected in ((True, 30.0), (False, 1.0)):
        given = detrending.Calibrations(dark=detrending.Dark(dark, 10.0, is_rate))
        result = detrending.detrended(run, DARK, calibrations=given)
        assert np.allclose(bare.frame.flux - result.frame.flux, expected, atol=0.02)
    assert len(warnings) == 1
    assert "hot pixels will not cancel" in warnings[0]


def test_bad_pixels_gain_and_linearity_are_applied(simulated, make_run):
    from soxs_recipes.algorithms.linearity import Linearity
    from soxs_recipes.products.detector_tables import GainTable

    files = simulated("dark", **SETS["NIR"])[:1]
    run, _ = make_run([(files[0], "DARK_NIR")])
    mask = np.zeros((2040, 2040), "u2")
    mask[5, 7] = Quality.DEAD
    plain = detrending.detrend_one(run, run.inputs.frames[0], detrending.Calibrations())
    gain = GainTable(4.6, 30.0, 1.1, 15.0)
    given = detrending.Calibrations(
        bad_pixels=mask, gain=gain, linearity=Linearity((1e-5,), 1e4, 2e4, 300.0)
    )
    result = detrending.detrend_one(run, run.inputs.frames[0], given)
    assert has(result.frame.quality, Quality.DEAD)[5, 7]
    m = plain.frame.flux / 2.3
    assert np.allclose(result.frame.flux, 4.6 * m * (1 + 1e-5 * m), rtol=1e-4, atol=1e-2)
    assert np.array_equal(has(result.frame.quality, Quality.NONLINEAR), m > 300)
    assert result.read_noise_e > plain.read_noise_e * 3.5


def test_frames_of_unequal_time_are_refused(simulated, make_run):
    files = simulated("dark", **SETS["NIR"])[:1] + simulated(
        "dark", arm="NIR", frames=1, exptime_s=10.0, seed=6
    )
    run, _ = make_run([(path, "DARK_NIR") for path in files])
    with pytest.raises(SettingMismatchError, match=r"30 s[\s\S]*10 s"):
        detrending.detrended(run, DARK)
    run, _ = make_run([(files[0], "DARK_NIR"), (files[1], "DARK_OFF_NIR")])
    with pytest.raises(SettingMismatchError, match="Lamp-off"):
        detrending.detrended(run, DARK, OFF)
