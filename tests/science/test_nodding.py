"""Positions A and B from the offsets of exposures."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soxs_recipes.algorithms.nodding import OnePositionError, nod_positions


@pytest.mark.parametrize(
    ("offsets", "a", "b"),
    [
        ((2.5, -2.5, -2.5, 2.5), (0, 3), (1, 2)),
        ((0.0, 5.0), (1,), (0,)),
        ((0.0, -5.0), (0,), (1,)),
        ((3.0, -2.0, -2.9, 2.1, 2.6, -2.4), (0, 3, 4), (1, 2, 5)),
        ((7.0, 2.0), (0,), (1,)),
    ],
)
def test_the_larger_offset_is_a(offsets, a, b):
    found = nod_positions(offsets)
    assert (found.a, found.b) == (a, b)


@pytest.mark.parametrize(
    "offsets", [(2.5,), (0.0, 0.0), (1.0, 1.2, 1.1), (2.0, 1.0, 0.0, -1.0), (2.5, None)]
)
def test_what_cannot_be_split_is_an_error(offsets):
    with pytest.raises(OnePositionError):
        nod_positions(offsets)


def test_a_users_word_needs_no_offset():
    found = nod_positions((None, None, 0.0), ("B", "A", "A"))
    assert (found.a, found.b) == ((1, 2), (0,))
    with pytest.raises(OnePositionError):
        nod_positions((1.0, -1.0), ("A", "A"))


def test_pairs_are_closest_in_time_and_use_no_exposure_twice():
    found = nod_positions((2.5, -2.5, -2.5, 2.5, 2.5))
    assert found.pairs([0.0, 1.0, 2.0, 3.0, 4.0]) == [(0, 1), (3, 2)]


@given(
    st.lists(st.booleans(), min_size=2, max_size=12).filter(lambda x: len(set(x)) == 2),
    st.floats(2.0, 8.0),
    st.floats(-3.0, 3.0),
    st.lists(st.floats(-0.5, 0.5), min_size=12, max_size=12),
)
def test_any_sequence_with_jitter_is_split_as_it_was_taken(is_a, throw, middle, jitter):
    offsets = [
        middle + (throw / 2 if a else -throw / 2) + shake / 2
        for a, shake in zip(is_a, jitter, strict=False)
    ]
    found = nod_positions(offsets)
    assert [number in found.a for number in range(len(is_a))] == is_a
