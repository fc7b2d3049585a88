"""soxs_mbias against the simulator's truth."""

import gzip
import json

import numpy as np
import pytest
from astropy.io import fits

from soxs_recipes.algorithms.quality import Quality
from soxs_recipes.products.detector_frames import read_detector_frame
from soxs_recipes.recipes import SoxsMbias
from soxs_simulator.detector_maps import bin_sum

CASES = [((1, 1), "slow-high"), ((2, 1), "fast-low"), ((2, 2), "slow-low")]


class Truth:
    """Truth of a set of bias frames, in electrons."""

    def __init__(self, files, binning):
        folder = files[0].parent / "truth"
        frames = json.loads((folder / "manifest.json").read_text())["frames"]
        states = [frames[path.name]["detector"] for path in files]
        self.ron = states[0]["ron_with_rounding_e"]
        gain = states[0]["conad_e_per_adu"]
        self.level = np.mean([state["bias_level_adu"] for state in states]) * gain
        arm = frames[files[0].name]["arm"]
        structure = fits.getdata(folder / f"structure_{arm}.fits").astype("f4")
        self.raw_structure = bin_sum(structure, binning) / np.prod(binning)

    def master(self, prescan):
        """Structure on top of the prescan's level in each row."""
        rows = self.raw_structure[:, :prescan].mean(axis=1, keepdims=True)
        return self.raw_structure[:, prescan:] - rows


def block_means(image, side=32):
    rows, columns = (length // side for length in image.shape)
    cut = image[: rows * side, : columns * side]
    return cut.reshape(rows, side, columns, side).mean(axis=(1, 3))


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0][0]}x{case[0][1]}-{case[1]}")
def master(request, simulated, run_recipe):
    binning, mode = request.param
    files = simulated("bias", arm="VIS", frames=10, binning=binning, read_mode=mode, seed=5)
    path = run_recipe(SoxsMbias, (files, "BIAS_VIS"))["MASTER_BIAS_VIS"]
    frame, header = read_detector_frame(path)
    return frame, header, Truth(files, binning), 50 // binning[0]


def test_master_has_the_true_structure_and_right_errors(master):
    frame, _, truth, prescan = master
    good = frame.good()
    residual = np.where(good, frame.flux - truth.master(prescan), 0)
    assert good.mean() > 0.9995
    # The level, and with it any bias of the clipping.
    assert abs(residual[good].mean()) < 0.01 * truth.ron
    blocks = block_means(residual)
    assert blocks.std() < 0.1 * truth.ron
    assert residual.mean(axis=0).std() < 0.1 * truth.ron
    pull = residual[good] / frame.error[good]
    assert np.std(pull) == pytest.approx(1.0, abs=0.02)
    assert np.mean(np.abs(pull) > 4) < 5e-4


def test_quality_control_is_the_truth(master):
    _, header, truth, prescan = master
    level = truth.level + np.median(truth.raw_structure[:, prescan:])
    assert header["ESO QC MBIAS MEDIAN"] == pytest.approx(level, abs=0.05 * truth.ron)
    assert header["ESO QC RAW RON"] == pytest.approx(truth.ron, rel=0.01)
    assert header["ESO QC MASTER RON"] == pytest.approx(truth.ron / 10**0.5, rel=0.03)
    assert header["ESO QC BADPIX NUM"] == round(header["ESO QC BADPIX FRAC"] * master[0].flux.size)
    profile = truth.master(prescan).sum(axis=0, dtype="f8")
    slope = np.polyfit(np.arange(len(profile)), profile, 1)[0]
    assert header["ESO QC STRUCTX"] == pytest.approx(slope, abs=0.3 * abs(slope) + 0.2)


def test_camera_master_holds_the_level(simulated, run_recipe):
    files = simulated("bias", arm="ACQ", frames=5, seed=5)
    frame, header = read_detector_frame(
        run_recipe(SoxsMbias, (files, "BIAS_ACQ"))["MASTER_BIAS_ACQ"]
    )
    truth = Truth(files, (1, 1))
    expected = truth.level + truth.raw_structure
    assert np.mean(frame.flux - expected) == pytest.approx(0, abs=0.05 * truth.ron)
    assert (block_means(frame.flux - expected)).std() < 0.1 * truth.ron
    assert header["ESO QC MBIAS MEDIAN"] == pytest.approx(np.median(expected), abs=0.05 * truth.ron)


def test_a_smoothed_prescan_level_is_the_best(simulated, run_recipe):
    """Rows drift by 0.5 e-: a level per frame leaves it, a level per row adds read noise."""
    files = simulated("bias", arm="VIS", frames=10, binning=(1, 1), read_mode="slow-high", seed=5)
    truth = Truth(files, (1, 1))
    structure = truth.raw_structure[:, 50:]
    white = truth.ron / 10**0.5 / 808**0.5
    excess = {}
    for method in ("frame", "row", "smooth"):
        path = run_recipe(SoxsMbias, (files, "BIAS_VIS"), reference=method)["MASTER_BIAS_VIS"]
        rows = (read_detector_frame(path)[0].flux - structure).mean(axis=1)
        excess[method] = (rows.std() ** 2 - white**2) ** 0.5
    assert excess["smooth"] < 0.5 * min(excess["row"], excess["frame"])
    assert excess["smooth"] < 0.03 * truth.ron


def test_a_periodic_pattern_is_seen(simulated, run_recipe):
    """Beside the structure of the chip, which is ten times as strong and the same in all frames."""
    sets = (
        simulated("bias", arm="VIS", frames=3, seed=6),
        simulated("bias", arm="VIS", frames=3, seed=7),
        simulated("bias", arm="VIS", frames=3, seed=6, fixed_pattern_e=6.0),
    )
    calm, again, loud = (
        fits.getheader(run_recipe(SoxsMbias, (files, "BIAS_VIS"))["MASTER_BIAS_VIS"])[
            "ESO QC FPN FRACMAX"
        ]
        for files in sets
    )
    assert again == pytest.approx(calm, abs=0.15)
    assert loud > calm + 0.2


def test_two_frames_are_enough_and_one_outlier_is_flagged_or_averaged(simulated, run_recipe):
    files = simulated("bias", arm="VIS", frames=10, binning=(1, 1), read_mode="slow-high", seed=5)
    path = run_recipe(SoxsMbias, (files[:2], "BIAS_VIS"))["MASTER_BIAS_VIS"]
    frame, header = read_detector_frame(path)
    truth = Truth(files, (1, 1))
    assert header["ESO QC MASTER RON"] == pytest.approx(truth.ron / 2**0.5, rel=0.03)
    pull = (frame.flux - truth.master(50))[frame.good()] / frame.error[frame.good()]
    assert np.std(pull) == pytest.approx(1.0, abs=0.03)
    assert set(np.unique(frame.quality)) <= {0, Quality.BAD_PIXEL}


@pytest.mark.parametrize("packing", ["gzip", "fpack"])
def test_packed_input_gives_the_same_product(packing, simulated, run_recipe, tmp_path):
    files = simulated("bias", arm="VIS", frames=3, seed=21, binning=(2, 2))
    path = run_recipe(SoxsMbias, (files, "BIAS_VIS"))["MASTER_BIAS_VIS"]
    plain, header = read_detector_frame(path)
    packed = []
    for file in files:
        if packing == "gzip":
            packed.append(tmp_path / f"{file.name}.gz")
            packed[-1].write_bytes(gzip.compress(file.read_bytes(), 1))
        else:
            packed.append(tmp_path / f"{file.name}.fz")
            with fits.open(file) as hdus:
                tiled = fits.CompImageHDU(hdus[0].data, hdus[0].header, compression_type="RICE_1")
                fits.HDUList([fits.PrimaryHDU(), tiled]).writeto(packed[-1])
    path = run_recipe(SoxsMbias, (packed, "BIAS_VIS"))["MASTER_BIAS_VIS"]
    again, other = read_detector_frame(path)
    assert np.array_equal(again.flux, plain.flux)
    assert other["ESO PRO REC1 RAW1 NAME"] == packed[0].name
    names = [key for key in header if "RAW" not in key and key != "DATE"]
    assert {key: other[key] for key in names} == {key: header[key] for key in names}
