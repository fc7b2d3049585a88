"""Files on disk: FITS standard, checksums, cards of the scene."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest
from astropy.io import fits

from soxs_simulator.calibrations import simulate_bias, simulate_dark
from soxs_simulator.camera_frames import simulate_star_field
from soxs_simulator.contract import SCIENCE_SHAPE, ExposureScene
from soxs_simulator.observations import lamp_set, simulate_lamps, simulate_observation
from soxs_simulator.raw_file import encode_checksum, ones_complement_sum
from soxs_simulator.schedule import Observation, Target

STAR = Target("LTT3218", 130.3956, -32.9428)


class FlatLight:
    """A uniform rate and a card of its own, without any optics."""

    def scene(self, request):
        rate = np.full(SCIENCE_SHAPE[request.arm], 50.0, np.float32)
        cards = {"ESO TEL AMBI IWV START": 2.5}
        return ExposureScene(request.arm, request.kind, rate, cards, {"nod": request.nod_arcsec})

    def truth(self):
        return {}


@pytest.fixture(scope="module")
def one_of_each(tmp_path_factory):
    out = tmp_path_factory.mktemp("frames")
    simulate_bias(out, frames=1, binning="2x1")
    simulate_dark(out, frames=1)
    simulate_dark(out, "ACQ", frames=1)
    simulate_star_field(out, start="2026-03-16T03:00:00", target="A rather long name of a field")
    sets = [lamp_set("multi_pinhole_arc", arm, 1, 20.0) for arm in ("VIS", "NIR")]
    simulate_lamps(out, *sets, start="2026-03-15T20:00:00", factory=FlatLight)
    simulate_observation(
        out, Observation("object_nod", STAR, "SLIT1.0", 60.0, 30.0, 2), factory=FlatLight
    )
    return out


def test_fitsverify_finds_nothing(one_of_each):
    if not shutil.which("fitsverify"):
        pytest.skip("fitsverify is not installed")
    files = [*one_of_each.glob("*.fits"), *one_of_each.glob("truth/*.fits")]
    assert len(files) > 16
    result = subprocess.run(["fitsverify", "-q", *files], capture_output=True, text=True)
    lines = [line for line in result.stdout.splitlines() if line.strip()]
    assert len(lines) == len(files)
    assert all(line.startswith("verification OK") for line in lines)


def test_files_hold_their_pixels_checksums_and_cards(one_of_each):
    for file in one_of_each.glob("*.fits"):
        with fits.open(file, checksum=True) as hdus:
            assert len(hdus) == 1
            assert hdus[0].verify_checksum() == hdus[0].verify_datasum() == 1
            assert hdus[0].data.dtype.name in ("uint16", "float32")
    science = [fits.getheader(file) for file in one_of_each.glob("SOXS.2026-03-16T01*.fits")]
    assert len(science) == 4
    assert all(card["ESO TEL AMBI IWV START"] == 2.5 for card in science)


def test_checksum_arithmetic_by_hand():
    words = [0xFFFFFFFF, 0x00000002, 0x80000000, 0x80000001]
    total = sum(words) % 0xFFFFFFFF
    assert ones_complement_sum(b"".join(w.to_bytes(4, "big") for w in words)) == total
    text = encode_checksum(868229149)  # the worked example of the FITS standard, appendix J
    assert text == "hcHjjc9ghcEghc9g"
