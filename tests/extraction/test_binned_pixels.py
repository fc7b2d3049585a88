"""Pixels arranged by bins against sums and places that are known pixel by pixel."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import binary_dilation

from soxs_recipes.algorithms.binned_pixels import BinnedPixels

COUNT, COLUMNS = 40, 9


def tilted(tilt, stretch, phase=0.2):
    """Places of the pixels of a tilted order whose bins are not quite pixels."""
    rows, columns = np.indices((COUNT, COLUMNS))
    return phase + stretch * rows + tilt * (columns - COLUMNS // 2)


@settings(deadline=None, max_examples=40)
@given(st.floats(-0.8, 0.8), st.floats(0.3, 1.7), st.floats(-2, 2))
def test_every_pixel_between_the_ends_has_one_slot_at_its_bin(tilt, stretch, phase):
    place = tilted(tilt, stretch, phase)
    binned = BinnedPixels.of(place, COUNT)
    inside = (place >= 0) & (place < COUNT - 1)
    held = binned.source[binned.filled]
    assert sorted(held) == np.flatnonzero(inside).tolist()
    found = np.arange(COUNT) + binned.share
    assert found[binned.filled] == pytest.approx(place.ravel()[held], abs=1e-9)
    assert np.all((binned.share >= 0) & (binned.share < 1))


def test_columns_of_the_detector_stay_in_their_slots():
    place = tilted(0.37, 1.0)
    binned = BinnedPixels.of(place, COUNT)
    column = binned.source % COLUMNS
    slot = np.arange(len(column))[:, None]
    assert np.all(np.abs(column - slot)[binned.filled] == 0)


def test_planes_come_back():
    plane = np.random.default_rng(1).normal(size=(COUNT, COLUMNS))
    place = tilted(0.3, 0.97)
    binned = BinnedPixels.of(place, COUNT)
    back = binned.plane(binned.arranged(plane), np.nan)
    inside = (place >= 0) & (place < COUNT - 1)
    assert np.array_equal(back, np.where(inside, plane, np.nan), equal_nan=True)


@given(st.floats(-0.8, 0.8), st.floats(0.6, 1.4))
def test_values_and_sums_are_those_of_pixels_one_by_one(tilt, stretch):
    rng = np.random.default_rng(2)
    place, bins = tilted(tilt, stretch, 0.2123), np.cumsum(rng.normal(size=COUNT))
    binned = BinnedPixels.of(place, COUNT)
    inside = (place >= 0) & (place < COUNT - 1)
    expected = np.interp(place, np.arange(COUNT), bins)[inside]
    assert binned.plane(binned.at(bins), 0.0)[inside] == pytest.approx(expected, abs=1e-9)
    plane = rng.normal(size=place.shape)
    sums = binned.summed(np.where(binned.filled, binned.arranged(plane), 0))
    nearest = np.rint(place[inside]).astype(int)
    # A place half way between bins may be rounded either way.
    if np.abs(place % 1 - 0.5).min() > 1e-9:
        assert sums == pytest.approx(np.bincount(nearest, plane[inside], COUNT), abs=1e-9)


def test_neighbours_are_those_on_the_detector():
    place = tilted(0.3, 0.97)
    binned = BinnedPixels.of(place, COUNT)
    struck = np.zeros((COUNT, COLUMNS), bool)
    struck[[10, 20, 20, 25], [0, 4, 5, 8]] = True
    near = binned.beside(binned.arranged(struck))
    assert np.array_equal(
        near[binned.filled], binned.arranged(binary_dilation(struck))[binned.filled]
    )
