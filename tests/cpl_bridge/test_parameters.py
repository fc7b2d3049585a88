"""Recipe parameters behave as PyCPL's (1.0.3, measured)."""

from __future__ import annotations

import ctypes
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from soxs_recipes.cpl_bridge.embedded import core, ui
from soxs_recipes.cpl_bridge.embedded.dfs_headers import format_parameter

Type = core.Type


def value(default):
    return ui.ParameterValue("soxs.x.p", "what it does", "soxs.x", default)


@pytest.mark.parametrize(
    ("default", "kind", "stored"),
    [
        (True, Type.BOOL, True),
        (4, Type.INT, 4),
        (-(2**31), Type.INT, -(2**31)),
        (2.5, Type.DOUBLE, 2.5),
        ("mean", Type.STRING, "mean"),
        (b"x", Type.STRING, "x"),
        (None, Type.BOOL, False),
        (2**31, Type.BOOL, True),
        (np.int64(3), Type.INT, 3),
        (np.float64(2.5), Type.DOUBLE, 2.5),
        (np.float32(2.5), Type.BOOL, True),
        (np.bool_(False), Type.BOOL, False),
    ],
)
def test_type_comes_from_the_default(default, kind, stored):
    parameter = value(default)
    assert parameter.data_type == kind
    assert parameter.default == stored
    assert type(parameter.value) is type(stored)


def test_attributes_and_their_defaults():
    parameter = ui.ParameterValue(name="a.b", description="d", context="a", default=1)
    assert (parameter.name, parameter.description, parameter.context) == ("a.b", "d", "a")
    assert (parameter.help, parameter.tag, parameter.presence) == ("d", "", False)
    assert {parameter.cli_alias, parameter.env_alias, parameter.cfg_alias} == {"a.b"}
    parameter.cli_alias, parameter.env_alias, parameter.tag = "b", "", "t"
    assert (parameter.cli_alias, parameter.env_alias, parameter.tag) == ("b", "", "t")
    for name in ("cli_alias", "env_alias", "cfg_alias", "tag"):
        with pytest.raises(TypeError, match="arg1: str"):
            setattr(parameter, name, None)
    with pytest.raises(AttributeError):
        parameter.name = "x"
    with pytest.raises(AttributeError):
        parameter.enabled = True


@pytest.mark.parametrize(
    ("default", "new", "stored"),
    [
        (1, 2, 2),
        (1, np.int64(3), 3),
        (1.5, 2, 2.0),
        (1.5, 2**40, float(2**40)),
        (1.5, np.float32(2.5), 2.5),
        (True, False, False),
        (True, None, False),
        ("a", "b", "b"),
        ("a", "", ""),
    ],
)
def test_values_that_are_taken(default, new, stored):
    parameter = value(default)
    parameter.value = new
    assert parameter.value == stored
    assert type(parameter.value) is type(stored)
    assert parameter.presence is True
    assert parameter.default == default


@pytest.mark.parametrize(
    ("default", "new", "word"),
    [
        (1, True, "int"),
        (1, "x", "int"),
        (1, None, "int"),
        (1, 2**31, "int"),
        (1, np.float32(1.0), "int"),
        (1.5, True, "double"),
        (1.5, "x", "double"),
        (True, 1, "boolean"),
        (True, 1.5, "boolean"),
        ("a", 1, "char array"),
        ("a", True, "char array"),
    ],
)
def test_values_that_are_refused(default, new, word):
    parameter = value(default)
    text = f"A parameter of type {word} does not match the received type"
    with pytest.raises(RuntimeError, match=text):
        parameter.value = new
    assert parameter.value == default
    assert parameter.presence is False


def test_a_list_is_no_value():
    with pytest.raises(RuntimeError, match="Unable to cast Python instance"):
        value(1).value = [1]
    with pytest.raises(TypeError, match="incompatible constructor arguments"):
        value([1])


@pytest.mark.parametrize(("new", "stored"), [(2.7, 2), (-2.7, -2), (1e300, -(2**31))])
def test_float_for_int_is_truncated_with_a_warning(new, stored):
    parameter = value(1)
    with pytest.warns(RuntimeWarning, match="Lossy conversion will occur"):
        parameter.value = new
    assert parameter.value == stored


def test_ranges_widen_and_do_not_check():
    parameter = ui.ParameterRange("a.r", "d", "a", 3, 1.5, 10)
    assert (parameter.data_type, parameter.default, parameter.max) == (Type.DOUBLE, 3.0, 10.0)
    parameter = ui.ParameterRange("a.r", "d", "a", 30, 1, 10)
    parameter.value = 99
    assert (parameter.value, parameter.min, parameter.max) == (99, 1, 10)
    assert repr(parameter) == "<cpl.ui.ParameterRange: name='a.r', value=99, min=1, max=10>"
    with pytest.raises(TypeError, match="min: float, max: float"):
        ui.ParameterRange("a.r", "d", "a", "x", "a", "b")


def test_enumerations_check_the_default_only():
    parameter = ui.ParameterEnum("a.e", "d", "a", "x", ("x", "y"))
    parameter.value = "q"
    assert parameter.alternatives == ["x", "y"]
    assert repr(parameter) == (
        "<cpl.ui.ParameterEnum: name='a.e', value='q', alternatives=['x', 'y']>"
    )
    with pytest.raises(core.IllegalInputError) as caught:
        ui.ParameterEnum("a.e", "d", "a", 3, [1, 2])
    assert caught.value.message == "Default value 3 not found in given alternatives [1, 2]"
    assert ui.ParameterEnum("a.e", "d", "a", 1, (1, 2.5)).alternatives == [1.0, 2.5]
    with pytest.raises(TypeError, match=r"list\[str\]"):
        ui.ParameterEnum("a.e", "d", "a", "x", "xyz")


def test_equality():
    assert value(1) == value(1)
    assert value(1) != value(2)
    assert value(1) != value(1.0)
    assert value(1) != 1
    one = ui.ParameterEnum("n", "d", "c", 1, [1, 2])
    two = ui.ParameterEnum("n", "d", "c", 2, [1, 2])
    assert one != two
    two.value = 1
    assert one == two
    changed = value(2)
    changed.value = 1
    assert changed != value(1)


def test_list_access():
    parameters = ui.ParameterList([ui.ParameterValue(f"a.{n}", "", "a", 1) for n in "xy"])
    assert [p.name for p in parameters] == ["a.x", "a.y"]
    assert parameters["a.y"] is parameters[1] is parameters[-1]
    assert parameters[0] in parameters
    assert "a.x" not in parameters
    assert repr(parameters) == "<cpl.ui.ParameterList, 2 Parameters>"
    with pytest.raises(KeyError, match="x"):
        parameters["x"]
    with pytest.raises(IndexError, match=r"__n \(which is 2\)"):
        parameters[2]
    with pytest.raises(TypeError):
        parameters[0:1]
    with pytest.raises(TypeError, match=r"expected iterable of cpl\.ui\.Parameter, not int"):
        ui.ParameterList([3])
    parameters.append(parameters[0])
    assert len(parameters) == 3


def test_printed_form():
    texts = [re.sub(r"0x[0-9a-f]+", "@", str(value(v))) for v in (True, 3, 1e-5, "t")]
    values = ["1", "3", "1e-05", "t"]
    kinds = ["80 (bool)", "400 (int)", "20000 (double)", "21 (string)"]
    for text, shown, kind in zip(texts, values, kinds, strict=True):
        assert text == (
            f"Parameter at @: class 02 (Value), type {kind}\n"
            "  Attributes:    name (at @): soxs.x.p    description (at @): what it does    "
            "context (at @): soxs.x    user tag (at (nil)): (nil)\n"
            f"  Values:        Current: {shown}    Default: {shown}\n"
        )


@given(st.floats(allow_nan=False))
def test_header_text_of_a_float_is_c_printf_g(number):
    buffer = ctypes.create_string_buffer(64)
    ctypes.CDLL(None).snprintf(buffer, 64, b"%g", ctypes.c_double(number))
    assert format_parameter(Type.DOUBLE, number) == buffer.value.decode()


@given(st.one_of(st.booleans(), st.integers(-(2**31), 2**31 - 1), st.floats(), st.text()))
def test_every_value_survives_its_own_parameter(number):
    parameter = value(number)
    assert type(parameter.default) is type(number)
    parameter.value = number
    assert repr(parameter.value) == repr(number)
