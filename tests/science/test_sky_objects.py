"""Objects along the slit: found once each, whatever their width."""

import numpy as np
import pytest

from soxs_recipes.algorithms.sky_objects import Profiles, SlitObject, find_objects

BLOCKS, LEAST_SNR = 30, 6.0


def profiles(snr, *objects):
    """Profiles of objects of given brightness; noise is a share of the peak of the first."""
    rng = np.random.default_rng(1)
    slit = np.arange(-5.3, 5.3, 0.28) + rng.uniform(-0.14, 0.14, (BLOCKS, 1))
    wave = np.linspace(500.0, 850.0, BLOCKS)
    lights = [level * one.profile(wave, slit).astype(float) for level, one in objects]
    error = np.full(slit.shape, lights[0].max() / snr)
    return Profiles(wave, slit, sum(lights) + rng.normal(0, error), error)


@pytest.mark.parametrize("snr", [30, 300])
@pytest.mark.parametrize("fwhm_arcsec", [0.7, 1.0, 1.3, 2.0])
def test_wings_are_no_objects(fwhm_arcsec, snr):
    star = SlitObject((0.4, 0.0, 0.0), fwhm_arcsec, 2.6)
    (found,) = find_objects(profiles(snr, (100.0, star)), 0.4, LEAST_SNR, 3)
    assert found.centre_arcsec[0] == pytest.approx(0.4, abs=0.02)
    assert found.fwhm_arcsec == pytest.approx(fwhm_arcsec, rel=0.04)


def test_a_faint_neighbour_is_found():
    star, other = (SlitObject((place, 0.0, 0.0), 1.2) for place in (0.4, 2.4))
    found = find_objects(profiles(100, (100.0, star), (10.0, other)), 0.4, LEAST_SNR, 3)
    assert [one.centre_arcsec[0] for one in found] == pytest.approx([0.4, 2.4], abs=0.1)


def test_a_negative_image_is_found_in_a_difference():
    star, other = (SlitObject((place, 0.0, 0.0), 1.2) for place in (2.5, -2.5))
    seen = profiles(50, (100.0, star), (-100.0, other))
    assert len(find_objects(seen, 2.5, LEAST_SNR, 3, signed=True)) == 2
