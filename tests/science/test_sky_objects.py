"""Shape and trace of objects in profiles that are known."""

import numpy as np
import pytest

from soxs_recipes.algorithms.sky_objects import Profiles, SlitObject, find_objects

BLOCKS, WIDTH, NOISE = 200, 44, 2.0


def profiles(true, level=500.0, seed=1):
    """Blocks of an object on a sloped rest of sky."""
    wave = np.linspace(820, 2000, BLOCKS)
    slit = np.tile(np.linspace(-5.5, 5.5, WIDTH), (BLOCKS, 1))
    slit += np.linspace(-0.12, 0.12, BLOCKS)[:, None]
    light = level * true.profile(wave, slit.astype("f4")).astype(float) + 0.3 - 0.02 * slit
    light += np.random.default_rng(seed).normal(0, NOISE, light.shape)
    return Profiles(wave, slit, light, np.full(light.shape, NOISE))


@pytest.mark.parametrize("place", [-3.7, -2.5, 0.0, 2.5])
def test_trace_and_shape_are_found_anywhere_on_the_slit(place):
    true = SlitObject((place, 0.15, -0.05), 0.8, 3.3, -0.3)
    (found,) = find_objects(profiles(true), place, 6.0, 3)
    wave = np.linspace(820, 2000, 50)
    assert found.trace(wave) == pytest.approx(true.trace(wave), abs=0.006)
    assert found.fwhm_arcsec == pytest.approx(0.8, rel=0.02)
    assert found.exponent == pytest.approx(-0.3, abs=0.05)
    assert found.power == pytest.approx(3.3, abs=0.3)
