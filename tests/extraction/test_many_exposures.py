"""Sequences of many exposures: what is kept of each is little."""

import tracemalloc

import numpy as np
import pytest

from soxs_recipes.algorithms.beam_pixels import Beam, ExposurePixels, StoredExposure
from soxs_recipes.algorithms.beam_pixels import Exposure as Read
from soxs_recipes.algorithms.frame import DetectorFrame
from soxs_recipes.algorithms.object_extraction import ObjectSettings, extract_object, look
from soxs_recipes.algorithms.object_search import SlitObject
from soxs_recipes.instrument.spectral_format import spectral_format

LIMITS = (-5.5, 5.5)
FLEXURE_PX = 0.2
# Its spectra, and how much the largest sum differs from run to run as two threads happen to meet;
# its pixels are seven times as much.
BYTES_PER_EXPOSURE = 1_000_000


@pytest.fixture(scope="module")
def solution():
    import json
    from importlib.resources import files

    path = files("soxs_recipes.calib") / "spectral_format_vis.json"
    return spectral_format(json.loads(path.read_text())).binned(2, 2)


@pytest.fixture
def stored(solution):
    """Exposures that are made when they are read, and the numbers of those that were."""
    numbers = []

    def exposure(number):
        def read():
            numbers.append(number)
            rng = np.random.default_rng(number)
            flux = rng.normal(0, 3, solution.shape).astype("f4")
            frame = DetectorFrame.from_variance(flux, np.full(solution.shape, 9, "f4"))
            moved = solution.shifted(0.0, FLEXURE_PX * number)
            return Read(frame, moved, beams, DetectorFrame.from_variance(flux, 0.01 * flux**2))

        beams = (Beam(1, 0.0, 600.0),)
        return StoredExposure(beams, read)

    return lambda count: ([exposure(k) for k in range(count)], numbers)


def peak(exposures):
    """Largest number of bytes that an extraction holds."""
    settings = ObjectSettings(LIMITS, background="no")
    tracemalloc.start()
    try:
        view = look(exposures, settings)
        extracted = extract_object(view, SlitObject(0.0, 1.0, 6.0, 1.0), settings)
        assert len(extracted.beams) == len(exposures)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_hardly_grows_with_the_number_of_exposures(stored):
    few, many = (peak(stored(count)[0]) for count in (4, 12))
    assert few > 50 * BYTES_PER_EXPOSURE
    assert many - few < 8 * BYTES_PER_EXPOSURE


def test_a_pair_is_read_once_and_longer_sequences_when_their_turn_comes(stored):
    exposures, numbers = stored(2)
    pixels = ExposurePixels(exposures, LIMITS)
    for _ in range(3):
        assert [len(pixels[k]) for k in range(2)] == [4, 4]
    assert numbers == [0, 1]
    exposures, numbers = stored(4)
    numbers.clear()
    pixels = ExposurePixels(exposures, LIMITS)
    later = [pixels.later(k) for k in range(4)]
    assert numbers == [0]
    assert [next(iter(one)).first for one in later] == [pixels[0][0].first] * 4
    assert numbers == [0, 1, 2, 3]


def test_pixels_of_all_exposures_are_on_the_bins_of_the_first(stored, solution):
    pixels = ExposurePixels(stored(3)[0], LIMITS)
    for one, other in zip(pixels[0], pixels[2], strict=True):
        assert np.array_equal(one.wave_nm, other.wave_nm)
        moved = (other.place - one.place)[one.usable & other.usable]
        assert np.median(moved) == pytest.approx(-2 * FLEXURE_PX, abs=0.01)
