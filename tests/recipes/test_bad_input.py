"""What a user does wrong: the message, the exit status, and what is left behind."""

import gzip
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from astropy.io import fits

from soxs_recipes.cpl_bridge.runner import cli

BIAS = {"arm": "VIS", "frames": 3, "seed": 21, "binning": (2, 2)}


@pytest.fixture
def bias(simulated):
    return simulated("bias", **BIAS)


@pytest.fixture
def dark_nir(simulated):
    return simulated("dark", arm="NIR", frames=3, exptime_s=10.0)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty working directory."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


def write_sof(place, lines):
    sof = place / "input.sof"
    sof.write_text("".join(f"{path} {tag}\n" for path, tag in lines))
    return sof


def pyesorex(capfd, *arguments):
    """Run the command; return its exit status and all it printed, white space folded."""
    status = cli.main([str(argument) for argument in arguments])
    return status, " ".join("".join(capfd.readouterr()).split())


def tagged(files, tag="BIAS_VIS"):
    return [(path, tag) for path in files]


def edited(source, target, **cards):
    """Copy of a frame with other header cards."""
    shutil.copy(source, target)
    for key, value in cards.items():
        fits.setval(target, key.replace("_", " "), value=value)
    return target


def left_behind(place):
    """Files of a run other than its set of frames and its log."""
    return [path.name for path in place.iterdir() if path.suffix not in (".sof", ".log")]


def truncated(place, bias, dark):
    file = place / "short.dat"
    file.write_bytes(bias[0].read_bytes()[:-100_000])
    return [*tagged(bias[1:]), (file, "BIAS_VIS")]


def truncated_gzip(place, bias, dark):
    file = place / "short.dat"
    file.write_bytes(gzip.compress(bias[0].read_bytes(), 1)[:-50_000])
    return [*tagged(bias[1:]), (file, "BIAS_VIS")]


def no_fits(place, bias, dark):
    file = place / "text.dat"
    file.write_text("this is no FITS file\n" * 200)
    return [*tagged(bias), (file, "BIAS_VIS")]


def foreign(place, bias, dark):
    return [*tagged(bias), (edited(bias[0], place / "x.dat", INSTRUME="XSHOOTER"), "BIAS_VIS")]


def other_binning(place, bias, dark):
    file = edited(bias[0], place / "x.dat", ESO_DET_BINX=1, ESO_DET_BINY=1)
    return [*tagged(bias[1:]), (file, "BIAS_VIS")]


def other_mode(place, bias, dark):
    file = edited(bias[0], place / "x.dat", ESO_DET_READ_CURNAME="Fast Low Gain")
    return [*tagged(bias[1:]), (file, "BIAS_VIS")]


CASES = {
    "one frame": (
        lambda place, bias, dark: tagged(bias[:1]),
        ["not enough BIAS_VIS", "2 or more", "found: 1"],
    ),
    "only darks": (
        lambda place, bias, dark: tagged(dark, "DARK_NIR"),
        ["no frame with the tag 'DARK_NIR'", "BIAS_VIS, BIAS_ACQ"],
    ),
    "misspelt tag": (
        lambda place, bias, dark: tagged(bias, "BIAS_VISS"),
        ["'BIAS_VISS'", "did you mean BIAS_VIS?"],
    ),
    "NIR dark as VIS bias": (
        lambda place, bias, dark: [*tagged(bias), (dark[0], "BIAS_VIS")],
        ["not of the camera that its tag names", "a frame of NIR (its header says DARK_NIR)"],
    ),
    "same file twice": (
        lambda place, bias, dark: tagged([*bias, bias[0]]),
        ["twice", "keep one of the lines"],
    ),
    "truncated": (truncated, ["short.dat", "truncated", "copy or download"]),
    "truncated gzip": (truncated_gzip, ["short.dat", "cannot be read as FITS"]),
    "no FITS": (no_fits, ["text.dat", "cannot be read as FITS"]),
    "another instrument": (foreign, ["not of SOXS", "XSHOOTER"]),
    "binning": (other_binning, ["not the size of a raw VIS frame", "858 x 4096", "429 x 2048"]),
    "read mode": (other_mode, ["differ in read mode", "Fast Low Gain", "Slow High Gain"]),
}


@pytest.mark.parametrize("case", CASES)
def test_wrong_frames(case, place, bias, dark_nir, capfd):
    make, words = CASES[case]
    lines = make(place, bias, dark_nir)
    before = {path: path.read_bytes() for path, _ in lines}
    kept = set(left_behind(place))
    status, text = pyesorex(capfd, "soxs_mbias", write_sof(place, lines))
    assert status == 1
    for word in words:
        assert word in text
    assert "Traceback" not in text
    assert set(left_behind(place)) == kept
    assert all(path.read_bytes() == content for path, content in before.items())


def test_empty_set(place, capfd):
    status, text = pyesorex(capfd, "soxs_mbias", write_sof(place, []))
    assert status != 0
    assert "empty" in text
    assert "Traceback" not in text


def test_missing_file(place, bias, capfd):
    sof = write_sof(place, [*tagged(bias), (place / "absent.fits", "BIAS_VIS")])
    status, text = pyesorex(capfd, "soxs_mbias", sof)
    assert status == 9
    assert "absent.fits" in text
    status, text = pyesorex(capfd, "--check-sof-exist=false", "soxs_mbias", sof)
    assert status != 0
    assert "absent.fits" in text


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("--kapa=3", ["kapa", "kappa"]),
        ("--kappa=1000", ["kappa", "1000", "100"]),
        ("--kappa=many", ["kappa", "many"]),
        ("--stack-method=mode", ["stack-method", "mode", "median"]),
    ],
)
def test_wrong_option(option, words, place, bias, capfd):
    status, text = pyesorex(capfd, "soxs_mbias", option, write_sof(place, tagged(bias)))
    assert status == 255
    for word in words:
        assert word in text


def test_method_of_another_arm(place, bias, capfd):
    status, text = pyesorex(
        capfd, "soxs_mbias", "--reference=pixels", write_sof(place, tagged(bias))
    )
    assert status == 1
    assert "does not fit the arm VIS" in text
    assert left_behind(place) == []


def test_file_in_the_place_of_the_output_directory(place, bias, capfd):
    (place / "out").write_text("")
    sof = write_sof(place, tagged(bias))
    status, text = pyesorex(capfd, "--output-dir=out", "soxs_mbias", sof)
    assert status == 255
    assert "out" in text
    assert left_behind(place) == ["out"]


def command(*arguments):
    return [sys.executable, "-m", "soxs_recipes.cli", "run", *map(str, arguments)]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("home", ["own", "of somebody else"])
def test_directory_not_writable_for_an_ordinary_user(home, place, bias, tmp_path):
    out = place / "out"
    out.mkdir(mode=0o555)
    sof = write_sof(place, tagged(bias))
    shared = Path("/tmp") / f"soxs-test-{os.getpid()}"
    shutil.copytree(place, shared)
    try:
        (shared / "out").chmod(0o555)
        done = subprocess.run(
            [sys.executable, "-c", UNPRIVILEGED, str(shared), str(shared / sof.name)],
            env={**os.environ, "HOME": str(shared if home == "own" else tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        text = " ".join((done.stdout + done.stderr).split())
        assert done.returncode != 0
        assert "out" in text
        assert "writ" in text.lower() or "permission" in text.lower()
        assert "Traceback" not in text
        assert not list((shared / "out").iterdir())
    finally:
        shutil.rmtree(shared)


UNPRIVILEGED = """
import os, sys
from soxs_recipes.cpl_bridge.runner import cli
import astropy.io.fits, scipy.ndimage, soxs_recipes.recipes.raw_stacks
os.setgid(65534)
os.setuid(65534)
options = ["--output-dir=" + sys.argv[1] + "/out", "--log-level=off"]
sys.exit(cli.main([*options, "soxs_mbias", sys.argv[2]]))
"""


def test_disk_full(place, bias):
    """A file-size limit below the product's size, set in the child."""

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))

    sof = write_sof(place, tagged(bias))
    done = subprocess.run(
        command("soxs_mbias", sof),
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=False,
    )
    text = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == 1
    assert "room" in text
    assert "Traceback" not in text
    assert left_behind(place) == []


def test_write_that_runs_out_of_space(place, bias, capfd, monkeypatch):
    import errno

    from soxs_recipes.products import writing

    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(writing.Path, "replace", full)
    status, text = pyesorex(capfd, "soxs_mbias", write_sof(place, tagged(bias)))
    assert status == 1
    assert "room" in text
    assert left_behind(place) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(number, place, bias):
    sof = write_sof(place, tagged(bias))
    child = subprocess.Popen(
        command("soxs_mbias", sof), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    seen = []
    for line in child.stdout:
        seen.append(line)
        if "Combining" in line:
            break
    child.send_signal(number)
    text = "".join(seen) + child.communicate(timeout=30)[0]
    if child.returncode == 0:
        pytest.fail(f"the run ended before the signal came:\n{text}")
    assert child.returncode == 128 + number
    assert "Traceback" not in text
    time.sleep(0.1)
    assert left_behind(place) == []
