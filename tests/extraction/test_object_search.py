"""Objects along the slit: found where they are, not found where they are not."""

import numpy as np
import pytest

from soxs_recipes.algorithms.object_profile import moffat
from soxs_recipes.algorithms.object_search import StackedProfile, find_objects

OFFSET = np.arange(-55, 56) * 0.1


def profile(*objects, noise=1.0, seed=1):
    """Stack of objects given as (position, light, FWHM)."""
    rng = np.random.default_rng(seed)
    light = sum(flux * moffat(3.0)((OFFSET - at) / w) / w for at, flux, w in objects)
    flux = light + rng.normal(0, noise, len(OFFSET))
    return StackedProfile(OFFSET, flux, np.full(len(OFFSET), noise))


def test_an_object_is_measured():
    (found,) = find_objects(profile((1.3, 200.0, 0.9)), 5.0)
    assert found.offset_arcsec == pytest.approx(1.3, abs=0.02)
    assert found.fwhm_arcsec == pytest.approx(0.9, abs=0.1)
    assert found.flux == pytest.approx(200, rel=0.1)
    assert found.snr > 100 and found.kind == "POINT"


def test_a_faint_object_is_found_and_noise_is_not():
    found = [find_objects(profile((0.5, 6.0, 0.9), seed=seed), 5.0) for seed in range(40)]
    assert sum(len(one) == 1 and abs(one[0].offset_arcsec - 0.5) < 0.5 for one in found) > 34
    empty = [find_objects(profile(seed=seed), 5.0) for seed in range(200)]
    assert sum(map(len, empty)) <= 2


def test_two_objects_the_brightest_first():
    first, second = find_objects(profile((-3.0, 50.0, 0.9), (0.0, 400.0, 0.9)), 5.0)
    assert first.offset_arcsec == pytest.approx(0, abs=0.05)
    assert second.offset_arcsec == pytest.approx(-3, abs=0.05)


@pytest.mark.parametrize("seed", range(10))
def test_wings_of_a_bright_object_hold_none(seed):
    assert len(find_objects(profile((0.2, 1e5, 0.9), seed=seed), 5.0)) == 1


def test_an_extended_object_is_told():
    (found,) = find_objects(profile((0.0, 2000.0, 3.8)), 5.0)
    assert found.kind == "EXTENDED"


def test_where_the_slit_is_not_seen_nothing_is():
    one = profile((4.0, 300.0, 0.9))
    flux = np.where(OFFSET > 2, np.nan, one.flux)
    assert find_objects(StackedProfile(OFFSET, flux, one.error), 5.0) == []
    nothing = np.full(len(OFFSET), np.nan)
    assert find_objects(StackedProfile(OFFSET, nothing, nothing), 5.0) == []
