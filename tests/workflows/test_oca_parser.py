"""The OCA language: grammar, evaluation, faults with their place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from soxs_recipes.workflows.oca_engine import classify, holds, organise
from soxs_recipes.workflows.oca_parser import OcaSyntaxError, parse

EXAMPLE = """
// a comment // twice
if (T) then { REFLEX.CATG = "UNDEFINED"; }
if DPR.CATG=="CALIB" and (DPR.TYPE like "%DARK%" or not TPL.NEXP > 2.5) then
{
    REFLEX.CATG="DARK"; DO.CLASS=DPR.TYPE;
}
select execute(DARKS) from inputFiles where REFLEX.CATG=="DARK"
    group by DET.NDIT, MJD-OBS as (TPL_A, tpl);
select execute(SINGLE) from inputFiles where REFLEX.CATG=="DARK" group by ARCFILE;
action DARKS
{
    minRet=0; maxRet=1;
    select file as REF from calibFiles where PRO.CATG=="REF" and inputFile.DET.NDIT==DET.NDIT;
    minRet = 2; maxRet = 3;
    select file as FLAT from inputFiles where REFLEX.CATG=="FLAT";
    recipe ins_dark;
    product MASTER { REFLEX.CATG="MASTER"; PRO.CATG="MASTER"; PRO.EXT="tpl_0000.fits";}
}
"""


def condition(text):
    return parse(f'if {text} then {{ A="1"; }}').classifications[0].condition


def test_example_is_read_whole():
    rules = parse(EXAMPLE)
    assert len(rules.classifications) == 2
    assert [(item.action, item.group_by) for item in rules.selections] == [
        ("DARKS", ("DET.NDIT", "MJD-OBS")),
        ("SINGLE", ("ARCFILE",)),
    ]
    action = rules.actions[0]
    bounds = [(item.tag, item.source, item.minimum, item.maximum) for item in action.associations]
    assert bounds == [("REF", "calibFiles", 0, 1), ("FLAT", "inputFiles", 2, 3)]
    assert action.recipe == "ins_dark"
    assert dict(action.products[0].assignments)["PRO.EXT"] == "tpl_0000.fits"


@pytest.mark.parametrize(
    ("text", "cards", "expected"),
    [
        ('A=="x" and B=="y" or C=="z"', {"C": "z"}, True),
        ('A=="x" and (B=="y" or C=="z")', {"C": "z"}, False),
        ('not A=="x"', {}, True),
        ('not A=="x" and B=="y"', {"A": "x", "B": "y"}, False),
        ('A like "%DARK%"', {"A": "MY DARK,1"}, True),
        ('A like "DARK"', {"A": "DARK2"}, False),
        ('A like "D_RK"', {"A": "DARK"}, True),
        ('A like "%.*%"', {"A": "anything"}, False),
        ("A is string", {"A": 3}, False),
        ("A is string", {"A": "text"}, True),
        ("A is undefined", {}, True),
        ("A is undefined", {"A": False}, False),
        ("A==T", {"A": True}, True),
        ("A==T", {"A": 1}, False),
        ("A==F", {}, False),
        ("N >= 2", {"N": 2}, True),
        ("N != 2", {"N": 2.0}, False),
        ("N < -1.5e1", {"N": -16}, True),
        ("N < 3", {}, False),
        ("N < 3", {"N": "2"}, False),
        ('A=="if then // {"', {"A": "if then // {"}, True),
        ("(T)", {}, True),
        ("A==B", {"A": "1", "B": "1"}, True),
    ],
)
def test_conditions(text, cards, expected):
    assert holds(condition(text), cards) is expected


def test_input_file_is_the_other_frame():
    parsed = condition("inputFile.DET.BINX==DET.BINX")
    assert holds(parsed, {"DET.BINX": 2}, {"DET.BINX": 2})
    assert not holds(parsed, {"DET.BINX": 2}, {"DET.BINX": 1})
    assert not holds(parsed, {}, {})


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("if A=", 1, 5),
        ('if A=="x" then\n{ B="y" }', 2, 9),
        ("\n\nselect run(X)", 3, 8),
        ('action X { recipe "r"; }', 1, 19),
        ("if A is number then {}", 1, 16),
        ("if A then {}", 1, 6),
        ('if A=="x then {}', 1, 7),
        ("rubbish", 1, 1),
    ],
)
def test_faults_tell_their_place(text, line, column):
    with pytest.raises(OcaSyntaxError, match=f"line {line}, column {column}"):
        parse(text)


@given(st.text(alphabet='abAT."={}();,%<>!/\n ', max_size=40))
def test_any_text_is_read_or_refused(text):
    try:
        parse(text)
    except OcaSyntaxError as error:
        assert "line" in str(error)


def test_later_rules_override():
    rules = parse(EXAMPLE)
    dark = classify(rules, {"ESO DPR CATG": "CALIB", "ESO DPR TYPE": "DARK ", "ESO TPL NEXP": 9})
    assert (dark["REFLEX.CATG"], dark["DO.CLASS"]) == ("DARK", "DARK")
    assert classify(rules, {"ESO DPR CATG": "CALIB"})["REFLEX.CATG"] == "DARK"
    assert classify(rules, {"ESO DPR CATG": "SCIENCE"})["REFLEX.CATG"] == "UNDEFINED"


def test_nearest_in_time_is_associated():
    text = """
    if KIND is string then { CATG=KIND; }
    select execute(A) from inputFiles where CATG=="SCI" group by GROUP;
    action A { minRet=2; maxRet=2; select file as CAL from inputFiles where CATG=="CAL";
               recipe r; }
    """
    frames = [{"KIND": "CAL", "MJD-OBS": mjd} for mjd in (1.0, 5.0, 4.0, 9.0)]
    frames += [{"KIND": "SCI", "GROUP": "a", "MJD-OBS": 4.4}, {"KIND": "SCI", "GROUP": "b"}]
    first, second = organise(parse(text), frames)
    assert [keys["MJD-OBS"] for keys in first.associated["CAL"]] == [4.0, 5.0]
    assert first.complete
    assert len(second.frames) == 1
