"""The command line, the truth folder and reproducibility."""

from __future__ import annotations

import hashlib
import json
from functools import partial

import numpy as np
import pytest
from astropy.io import fits

from soxs_simulator.calibrations import detector_set, simulate_bias, simulate_dark
from soxs_simulator.cli import COMMANDS, main, parser
from soxs_simulator.frames import Run
from soxs_simulator.observatory import take_frames
from soxs_simulator.simulation import simulate


def digests(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def no_light():
    raise AssertionError("bias and dark frames ask for no light")


def test_bias_command_prints_its_files(tmp_path, capsys):
    arguments = "--arm VIS --frames 2 --binning 2x2 --read-mode fast-low --seed 7"
    assert main(["bias", str(tmp_path), *arguments.split()]) == 0
    printed = capsys.readouterr().out.split()
    assert printed == sorted(str(path) for path in tmp_path.glob("SOXS.*.fits"))
    header = fits.getheader(printed[0])
    assert (header["NAXIS1"], header["NAXIS2"]) == (429, 2048)
    assert header["ESO DET READ CURNAME"] == "Fast Low Gain"


def test_dark_command(tmp_path, capsys):
    assert main(["dark", str(tmp_path), "--arm", "ACQ", "--frames", "1", "--exptime", "7"]) == 0
    file = capsys.readouterr().out.strip()
    assert fits.getval(file, "ESO DET3 EXPO TIME") == 7.0
    assert fits.getval(file, "ESO DPR TYPE") == "DARK"


def test_field_command(tmp_path, capsys):
    assert main(["field", str(tmp_path), "--filters", "z", "--target", "M1"]) == 0
    assert fits.getval(capsys.readouterr().out.strip(), "ESO INS ACFW ID") == "z"
    assert (tmp_path / "refcat2_M1.csv").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["bias", "--binning", "3x3"], "1x1, 2x1, 2x2"),
        (["bias", "--binning", "two"], "write it as 1x1"),
        (["dark", "--exptime", "0.1"], "shorter than one read"),
        (["field", "--filters", "Q"], "no filter 'Q'"),
    ],
)
def test_errors_are_one_line_and_status_one(tmp_path, capsys, arguments, words):
    assert main([arguments[0], str(tmp_path / "new"), *arguments[1:]]) == 1
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1


def test_no_frame_replaces_another(tmp_path, capsys):
    assert main(["bias", str(tmp_path), "--frames", "1", "--arm", "ACQ"]) == 0
    before = digests(tmp_path)
    assert main(["bias", str(tmp_path), "--frames", "1", "--arm", "ACQ"]) == 1
    assert "start at another time" in capsys.readouterr().err
    assert digests(tmp_path) == before


def test_every_command_has_a_parser():
    for name in COMMANDS:
        assert parser().parse_args([name, "out"]).kind == name
    night = parser().parse_args(["night", "out", "--seed=3", "--small", "--drift=2", "--ideal"])
    assert (night.seed, night.small, night.drift, night.ideal) == (3, True, 2.0, True)


@pytest.mark.parametrize(
    "make",
    [
        partial(simulate_bias, frames=2),
        partial(simulate_dark, arm="NIR", frames=1),
        partial(simulate_dark, arm="ACQ", frames=2),
    ],
)
def test_same_seed_same_bytes(tmp_path, make):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        make(tmp_path / name, seed=seed)
    a, b, c = (digests(tmp_path / name) for name in "abc")
    assert a == b
    assert not set(a.values()) & {v for k, v in c.items() if k.startswith("SOXS")}


def test_processes_do_not_change_the_bytes(tmp_path):
    plans = detector_set("bias", "VIS", 0.0, 1) + detector_set("bias", "ACQ", 0.0, 2)
    for name, workers in (("one", 1), ("two", 2)):
        simulate(plans, tmp_path / name, Run(), no_light, workers)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")


def test_detectors_stay_the_same_when_the_noise_changes(tmp_path):
    simulate_dark(tmp_path / "a", "ACQ", 10.0, 1, seed=1)
    simulate_dark(tmp_path / "b", "ACQ", 10.0, 1, seed=2)
    simulate_dark(tmp_path / "c", "ACQ", 10.0, 1, seed=1, detector_seed=5)
    maps = [fits.getdata(tmp_path / name / "truth" / "dark_ACQ.fits") for name in "abc"]
    assert np.array_equal(maps[0], maps[1])
    assert not np.array_equal(maps[0], maps[2])


def test_truth_reads_in_three_lines(tmp_path):
    (bias,) = simulate_bias(tmp_path, frames=1)
    truth = json.load((tmp_path / "truth" / "manifest.json").open())
    frame = truth["frames"][bias.name]
    structure = fits.getdata(tmp_path / "truth" / "structure_VIS.fits")
    assert frame["detector"]["conad_e_per_adu"] == 1.1
    assert frame["detector"]["ron_e"] == 3.3
    assert frame["run"]["seed"] == 1
    assert frame["datasum"] == int(fits.getval(bias, "DATASUM"))
    assert structure.shape == fits.getdata(bias).shape
    assert truth["detectors"]["VIS"]["prescan"] == 50


def test_truth_grows_with_the_directory(tmp_path):
    first = simulate_dark(tmp_path, "ACQ", 300.0, 1)
    second = simulate_dark(tmp_path, "ACQ", 300.0, 1, start="2026-03-15T19:00:00", seed=2)
    frames = json.loads((tmp_path / "truth" / "manifest.json").read_text())["frames"]
    assert set(frames) == {first[0].name, second[0].name}
    cosmics = fits.getdata(tmp_path / "truth" / "cosmics.fits")
    assert set(cosmics["FILE"]) == {first[0].name, second[0].name}
    image = fits.getdata(first[0]).astype(int)
    own = cosmics[cosmics["FILE"] == first[0].name]
    strong = own["ELECTRONS"] > 500
    assert strong.sum() > 5
    assert np.all(image[own["Y"][strong], own["X"][strong]] > 520 + 200)


def test_frames_are_the_same_alone_or_in_a_set(tmp_path):
    plans = detector_set("bias", "ACQ", 0.0, 3)
    for name, chosen in (("all", plans), ("last", plans[2:])):
        (tmp_path / name).mkdir()
        take_frames(chosen, tmp_path / name, Run(), no_light)
    file = plans[2].file_name
    assert (tmp_path / "all" / file).read_bytes() == (tmp_path / "last" / file).read_bytes()
