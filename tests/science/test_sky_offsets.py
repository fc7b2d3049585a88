"""Target and sky from the offsets of exposures."""

import numpy as np
import pytest

from soxs_recipes.algorithms.sky_offsets import AmbiguousOffsetsError, on_target

HERE = (150.0, -30.0)


@pytest.mark.parametrize(
    ("offsets", "expected"),
    [
        # Moves: each card holds the move that led there.
        ([(-30, -30), (30, 30), (-30, -30), (30, 30)], [1, 0, 1, 0]),
        ([(30, 30), (-30, -30), (30, 30)], [1, 0, 1]),
        # A sign alone says nothing: here both sums are positive, or zero.
        ([(20, -20), (-20, 20)], [1, 0]),
        ([(40, 5), (-35, 10), (-5, -15)], [1, 0, 0]),
        # Distances from the target: one of them is zero.
        ([(0, 0), (30, 0), (0, 0)], [1, 0, 1]),
        ([(15, 0), (0, 0), (-15, 0)], [0, 1, 0]),
    ],
)
def test_the_distance_from_the_target_tells(offsets, expected):
    found = on_target([tuple(map(float, pair)) for pair in offsets], [HERE] * len(offsets))
    assert found.tolist() == [bool(value) for value in expected]


def test_pointings_that_differ_rule():
    away = (150.0 + 30 / 3600 / np.cos(np.radians(30.0)), -30.0)
    none = [None, None]
    assert on_target(none, [HERE, away]).tolist() == [True, False]
    assert on_target(none, [away, HERE], HERE).tolist() == [False, True]


@pytest.mark.parametrize("offsets", [[(0.0, 0.0)] * 2, [None, None], [(0.0, 0.0), None]])
def test_what_does_not_tell_is_an_error(offsets):
    with pytest.raises(AmbiguousOffsetsError):
        on_target(offsets, [HERE, HERE])
