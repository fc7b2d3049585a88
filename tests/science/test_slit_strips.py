"""Coordinates of the pixels of orders against the solution they come from."""

import numpy as np
import pytest

from soxs_recipes.algorithms.slit_strips import slit_mask, slit_strips


@pytest.mark.parametrize("arm", ["VIS", "NIR"])
def test_coordinates_are_those_of_the_solution(solution, strips, arm):
    known = solution[arm]
    rng = np.random.default_rng(1)
    for strip in strips[arm]:
        pick = rng.choice(np.flatnonzero(strip.inside), 300)
        y, x = np.unravel_index(strip.index.reshape(-1)[pick], known.shape)
        wave, slit = known.to_sky(strip.order, x, y)
        at_centre = known.along(*known.to_pixel(strip.order, wave))
        assert strip.column.reshape(-1)[pick] == pytest.approx(at_centre, abs=1e-3)
        assert strip.slit_arcsec.reshape(-1)[pick] == pytest.approx(slit, abs=1e-4)


@pytest.mark.parametrize("arm", ["VIS", "NIR"])
def test_areas_add_up_to_the_length_of_the_slit(solution, strips, arm):
    """Along a wavelength the pixels' areas sum to one pixel times the slit's length."""
    for strip in strips[arm]:
        rows = np.floor(strip.column[strip.inside]).astype(int)
        area = np.bincount(np.clip(rows, 0, None), strip.area[strip.inside])[200:-200]
        area = area[area > 0.5 * np.median(area)]
        low, high = (f(strip.slit_arcsec[strip.inside]) for f in (np.min, np.max))
        assert area.mean() == pytest.approx(high - low, rel=0.01)


def test_strips_hold_each_pixel_once(solution):
    for strip in slit_strips(solution["NIR"].shifted(3.0, -2.0), (-5.0, 5.0)):
        index = strip.index[strip.inside]
        assert len(np.unique(index)) == len(index)
        assert strip.slit_arcsec[strip.inside].min() > -5.0
        assert strip.slit_arcsec[strip.inside].max() < 5.0


@pytest.mark.parametrize("arm", ["VIS", "NIR"])
def test_a_mask_holds_the_pixels_of_the_strips(solution, arm):
    expected = np.zeros(solution[arm].shape, bool)
    for strip in slit_strips(solution[arm], (1.0, 4.0)):
        expected.reshape(-1)[strip.index[strip.inside]] = True
    found = slit_mask(solution[arm], (1.0, 4.0))
    assert np.count_nonzero(found != expected) < 5e-4 * np.count_nonzero(expected)
