"""Conversion and checks of parameter values."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soxs_recipes.cpl_bridge import cpl
from soxs_recipes.cpl_bridge.runner.errors import BadValueError
from soxs_recipes.cpl_bridge.runner.parameters import (
    Parameter,
    by_name,
    format_value,
    from_cpl,
    suggestion,
)

KAPPA = Parameter("a.kappa", "kappa", float, 3.5, "Limit", 1.0, 10.0)
METHOD = Parameter("a.method", "method", str, "mean", "How", choices=("mean", "median"))
LEVEL = Parameter("a.level", "level", str, "info", choices=("info", "debug"), any_case=True)
COUNT = Parameter("a.count", "count", int, 1)
FLAG = Parameter("a.flag", "flag", bool, False)


@pytest.mark.parametrize(
    ("parameter", "text", "value"),
    [
        (KAPPA, "1", 1.0),
        (KAPPA, "1e1", 10.0),
        (KAPPA, " 2.5 ", 2.5),
        (METHOD, "median", "median"),
        (LEVEL, "DEBUG", "debug"),
        (COUNT, "-7", -7),
        (COUNT, "2147483647", 2147483647),
        (FLAG, "TRUE", True),
        (FLAG, "False", False),
        (FLAG, "true", True),
    ],
)
def test_accepted_text(parameter, text, value):
    parsed = parameter.parse(text)
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("parameter", "text"),
    [
        (KAPPA, "0.999"),
        (KAPPA, "10.0001"),
        (KAPPA, "nan"),
        (KAPPA, "inf"),
        (KAPPA, ""),
        (KAPPA, "1_0"),
        (KAPPA, "3,5"),
        (METHOD, "Median"),
        (METHOD, ""),
        (COUNT, "1.0"),
        (COUNT, "2147483648"),
        (COUNT, "-2147483649"),
        (COUNT, "9" * 5000),
        (COUNT, "٣"),
        (FLAG, "maybe"),
        (FLAG, ""),
    ],
)
def test_refused_text(parameter, text):
    with pytest.raises(BadValueError):
        parameter.parse(text)


def test_errors_name_option_value_and_what_is_allowed():
    with pytest.raises(BadValueError, match=r"'float' value \(99\.0\).*'--kappa'.*1\.0 to 10\.0"):
        KAPPA.parse("99")
    with pytest.raises(BadValueError, match=r"'abc'.*'--kappa'.*type float \(1\.0 to 10\.0\)"):
        KAPPA.parse("abc")
    with pytest.raises(BadValueError, match=r"'q'.*'--method'.*mean \| median"):
        METHOD.parse("q")
    with pytest.raises(BadValueError, match=r"'2'.*'--flag'.*TRUE or FALSE"):
        FLAG.parse("2")


@pytest.mark.parametrize(
    ("parameter", "value", "expected"),
    [(KAPPA, 4, 4.0), (KAPPA, "4", 4.0), (FLAG, True, True), (COUNT, 3, 3), (FLAG, "TRUE", True)],
)
def test_accepted_objects(parameter, value, expected):
    checked = parameter.check(value)
    assert checked == expected
    assert type(checked) is type(expected)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [(KAPPA, True), (KAPPA, math.nan), (COUNT, 3.0), (COUNT, True), (FLAG, 1), (METHOD, None)],
)
def test_refused_objects(parameter, value):
    with pytest.raises(BadValueError):
        parameter.check(value)


@given(st.floats(allow_nan=False))
def test_floats_survive_writing_and_reading(value):
    assert Parameter("a.x", "x", float, 0.0).parse(format_value(value)) == value


@given(st.integers(-(2**31), 2**31 - 1))
def test_integers_survive_writing_and_reading(value):
    assert COUNT.parse(format_value(value)) == value


def test_cpl_parameters_are_described_in_full():
    ui = cpl.ui
    ranged = ui.ParameterRange("soxs.x.kappa", "Limit", "soxs.x", 3.5, 1.0, 10.0)
    ranged.cli_alias = "kappa"
    chosen = ui.ParameterEnum("soxs.x.n", "Number", "soxs.x", 2, (2, 4))
    assert from_cpl(ranged) == Parameter(
        "soxs.x.kappa", "kappa", float, 3.5, "Limit", minimum=1.0, maximum=10.0
    )
    assert from_cpl(chosen) == Parameter("soxs.x.n", "soxs.x.n", int, 2, "Number", choices=(2, 4))


def test_parameters_are_found_by_alias_and_full_name():
    known = by_name([KAPPA, METHOD])
    assert known["kappa"] is known["a.kappa"] is KAPPA


def test_suggestion_names_the_nearest_word_or_none():
    assert suggestion("kapa", ["kappa", "method"], "--") == "Did you mean '--kappa'?"
    assert suggestion("zzz", ["kappa", "method"]) == ""
