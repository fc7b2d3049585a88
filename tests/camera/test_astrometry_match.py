"""Matching of triangles: found whatever the pointing, never where there is nothing to find."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from soxs_recipes.algorithms.astrometry_match import MatchSettings, match_field

HALF = 105.0


def sky(rng, density):
    """Catalogue around a field, brightest first, arcsec; `density` per square arcmin."""
    count = rng.poisson(density * (2 * (HALF + 75) / 60) ** 2)
    return rng.uniform(-HALF - 75, HALF + 75, (count, 2))


def seen(rng, catalogue, matrix, shift, lost=0.1, error=0.08):
    """What an image of the sky shows: some stars lost, ranks stirred, positions with errors."""
    points = (catalogue - shift) @ np.linalg.inv(matrix).T
    inside = (np.abs(points) < HALF).all(axis=1) & (rng.uniform(size=len(points)) > lost)
    index = np.flatnonzero(inside)
    index = index[np.argsort(index + rng.normal(0, 0.05 * len(index) + 0.1, len(index)))]
    radius2 = np.sum(points[index] ** 2, axis=1, keepdims=True) / HALF**2
    shown = points[index] * (1 + 0.0015 * radius2) + rng.normal(0, error, (len(index), 2))
    return shown, index


def transformation(angle_deg, mirror, scale):
    c, s = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    return scale * np.array([[c, -s], [s, c]]) @ np.diag([-1.0 if mirror else 1.0, 1.0])


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    density=st.sampled_from([1.0, 3.0, 12.0]),
    angle=st.floats(-2, 2),
    half_turn=st.booleans(),
    mirror=st.booleans(),
    direction=st.floats(0, 2 * np.pi),
    scale=st.floats(0.995, 1.005),
)
def test_match_survives_pointing_rotation_and_mirror(
    seed, density, angle, half_turn, mirror, direction, scale
):
    rng = np.random.default_rng(seed)
    catalogue = sky(rng, density)
    matrix = transformation(angle + 180 * half_turn, mirror, scale)
    shift = 30.0 * np.array([np.cos(direction), np.sin(direction)])
    points, index = seen(rng, catalogue, matrix, shift)
    if len(points) < 5:
        return
    found = match_field(points, catalogue)
    assert found is not None
    assert found.is_mirrored == mirror
    assert np.hypot(*(found.shift - shift)) < 1.0
    assert np.abs(found.matrix - matrix).max() < 0.01
    assert np.mean(found.catalogue == index[found.stars]) > 0.95
    assert len(found.stars) > 0.8 * len(points)


def test_unrelated_fields_do_not_match():
    wrong = 0
    for seed in range(24):
        rng = np.random.default_rng(seed)
        density = (0.5, 1.0, 2.0, 8.0)[seed % 4]
        points = rng.uniform(-HALF, HALF, (max(int(density * 12), 3), 2))
        wrong += match_field(points, sky(rng, density)) is not None
    assert wrong == 0


def test_beyond_what_is_believed_there_is_no_match():
    rng = np.random.default_rng(3)
    catalogue = sky(rng, 6.0)
    points, _ = seen(rng, catalogue, transformation(25.0, False, 1.0), np.zeros(2))
    assert match_field(points, catalogue) is None
    anywhere = match_field(points, catalogue, MatchSettings(rotation_deg=90.0))
    assert np.degrees(np.arctan2(*anywhere.matrix[::-1, 0])) == pytest.approx(25.0, abs=0.2)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_stars_do_not_match(count):
    rng = np.random.default_rng(1)
    catalogue = sky(rng, 4.0)
    assert match_field(catalogue[:count], catalogue) is None


def test_three_stars_match_where_the_sky_is_empty_enough():
    rng = np.random.default_rng(6)
    catalogue = np.array([[-60.0, 20.0], [35.0, 70.0], [10.0, -45.0], [140.0, 90.0]])
    points, index = seen(
        rng, catalogue, transformation(1.5, False, 1.002), np.array([20.0, -9.0]), 0
    )
    found = match_field(points, catalogue)
    assert sorted(found.catalogue) == [0, 1, 2]
    assert np.array_equal(found.catalogue, index[found.stars])
