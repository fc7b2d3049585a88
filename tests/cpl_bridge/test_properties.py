"""Properties and property lists behave as PyCPL's (1.0.3, measured)."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from soxs_recipes.cpl_bridge.embedded import core

P, L, Type = core.Property, core.PropertyList, core.Type
VALUES = st.one_of(
    st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.text()
)


@pytest.mark.parametrize(
    ("value", "kind", "stored"),
    [
        (True, Type.BOOL, True),
        (1, Type.LONG, 1),
        (2**63, Type.DOUBLE_COMPLEX, complex(2**63)),
        (1.5, Type.DOUBLE, 1.5),
        ("a", Type.STRING, "a"),
        (1j, Type.DOUBLE_COMPLEX, 1j),
        (float("inf"), Type.DOUBLE, float("inf")),
        (None, Type.BOOL, False),
        (np.int16(3), Type.LONG, 3),
        (np.float64(1.5), Type.DOUBLE, 1.5),
        (np.float32(1.5), Type.DOUBLE_COMPLEX, 1.5 + 0j),
        (np.bool_(True), Type.BOOL, True),
    ],
)
def test_type_comes_from_the_value(value, kind, stored):
    prop = P("K", value)
    assert (prop.type, prop.value, prop.comment) == (kind, stored, None)
    assert type(prop.value) is type(stored)


@pytest.mark.parametrize("value", [[1], {}, (1,)])
def test_containers_are_refused(value):
    with pytest.raises(TypeError, match="incompatible constructor arguments"):
        P("K", value)
    with pytest.raises(TypeError):
        P("K")


def test_nan_is_refused():
    with pytest.raises(core.InvalidTypeError, match=r"loose information \(Casts into nan\)"):
        P("K", float("nan"))


@pytest.mark.parametrize(
    ("kind", "value", "stored"),
    [
        (Type.INT, True, 1),
        (Type.INT, 2.0, 2),
        (Type.DOUBLE, 3, 3.0),
        (Type.FLOAT, 0.5, 0.5),
        (Type.BOOL, 1, True),
        (Type.CHAR, 65, "A"),
        (Type.FLOAT_COMPLEX, 2.7, 2.700000047683716 + 0j),
    ],
)
def test_given_types(kind, value, stored):
    prop = P("K", kind, value, "note")
    assert (prop.type, prop.value, prop.comment) == (kind, stored, "note")


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (Type.INT, 2.7, r"Using a double as a stand-in for int .* \(Casts into 2\)"),
        (Type.BOOL, 3, r"a long int as a stand-in for boolean .* \(Casts into 1\)"),
        (Type.FLOAT, 0.1, r"stand-in for float .* \(Casts into 0.1\)"),
        (Type.INT, 2**40, "stand-in for int"),
        (Type.STRING, 1, "not a valid conversion to use a long int as a char array"),
        (Type.DOUBLE, "x", "not a valid conversion to use a char array as a double"),
        (Type.SHORT, 1, "unsupported property type"),
    ],
)
def test_values_that_do_not_fit_their_type(kind, value, text):
    with pytest.raises(core.InvalidTypeError, match=text):
        P("K", kind, value)


def test_default_values():
    assert [P("K", kind).value for kind in (Type.STRING, Type.INT, Type.BOOL)] == ["", 0, False]


def test_assignment_keeps_the_type_if_it_can():
    prop = P("K", Type.INT, 1)
    for value, kind in ((5, Type.INT), (2.0, Type.INT), (2.5, Type.DOUBLE), ("a", Type.STRING)):
        prop.value = value
        assert (prop.value, prop.type) == (value, kind)
    with pytest.raises(ValueError, match="None is not allowed"):
        prop.value = None
    with pytest.raises(TypeError):
        prop.comment = None
    assert repr(P("K", 1, "c")) == "Property('K', <Type.LONG: 4096>, 1, 'c')"


def sample() -> L:
    return L([P("A", 1, "ca"), P("ESO B C", "s"), P("D", 2.5), P("A", 7)])


def test_access_by_name_position_and_slice():
    plist = sample()
    assert plist["A"] == P("A", 1, "ca") == plist[0]
    assert [p.name for p in plist[1:3]] == ["ESO B C", "D"]
    assert ("A" in plist, P("A", 7) in plist, "B" in plist) == (True, True, False)
    for key, error in (("Z", KeyError), (4, IndexError), (-1, IndexError), (1.0, TypeError)):
        with pytest.raises(error):
            plist[key]


def test_only_access_by_name_reaches_the_stored_property():
    plist = sample()
    plist["D"].value = 3.5
    plist[1].value = "lost"
    for prop in plist:
        prop.comment = "lost"
    mine = P("E", 1)
    plist.append(mine)
    mine.value = 2
    assert [p.value for p in plist] == [1, "s", 3.5, 7, 1]
    assert plist["D"].comment is None


def test_changing_a_list():
    plist = sample()
    with pytest.raises(TypeError, match="incompatible function arguments"):
        plist["A"] = 5
    plist["A"] = P("A2", 5)
    plist[-1] = P("LAST", 6)
    plist.insert(0, P("FIRST", 0))
    plist.insert("D", P("BEFORE D", 1))
    plist.append("N", 3)
    plist.append(L([P("M", 1)]))
    names = ["FIRST", "A2", "ESO B C", "BEFORE D", "D", "LAST", "N", "M"]
    assert [p.name for p in plist] == names
    del plist["D"]
    del plist[0]
    assert [p.name for p in plist] == ["A2", "ESO B C", "BEFORE D", "LAST", "N", "M"]
    for action in (lambda: plist.insert("Z", P("Q", 1)), lambda: plist.__delitem__("Z")):
        with pytest.raises(KeyError):
            action()
    with pytest.raises(TypeError):
        plist.append("N", 3, "comment")


def test_regular_expressions_match_the_whole_name():
    names = ("ESO A B", "ESO PRO X", "MJD-OBS", "RA")
    plist = L([P(name, 1) for name in names])
    assert plist.del_regexp("^ESO PRO", False) == 0
    assert plist.del_regexp("ESO [[:alpha:]]+ X", False) == 1
    assert plist.del_regexp("RA|MJD-OBS", True) == 1
    assert [p.name for p in plist] == ["MJD-OBS", "RA"]
    with pytest.raises(core.IllegalInputError):
        plist.del_regexp("(", False)


def test_sorting_takes_both_kinds_of_function():
    for compare in (lambda a, b: a.name < b.name, lambda a, b: (a.value > b.value) * 2 - 1):
        plist = L([P("B", 2), P("A", 1), P("C", 3)])
        plist.sort(compare)
        assert [p.name for p in plist] == ["A", "B", "C"]


def test_printed_form():
    lines = str(L([P("K", "s"), P("D", 2.5, "c")])).split("\n")
    assert [line.split(" 0x")[0] for line in lines[:3]] == [
        "Property list at address",
        "Property at address",
        "\tname   :",
    ]
    assert lines[3:7] == [
        "\tcomment: (nil) '(null)'",
        "\ttype   : 0x0000021 'char array'",
        "\tsize   : 2",
        "\tvalue  : 's'",
    ]
    assert lines[-3:] == ["\tsize   : 1", "\tvalue  : 2.5", ""]
    assert str(P("K", 1)) == "Not implemented"


@given(st.lists(st.tuples(st.text(min_size=1), VALUES, st.none() | st.text()), max_size=8))
def test_lists_hold_what_was_put_in(items):
    plist = L([P(*item) for item in items])
    assert [(p.name, p.value, p.comment) for p in plist] == items
    assert [type(p.value) for p in plist] == [type(value) for _, value, _ in items]
    assert pickle.loads(pickle.dumps(plist)) == plist == L(plist)
