"""The text form in which plugins and Python exchange fields."""

from types import SimpleNamespace

import pytest
import toy_recipes
from hypothesis import given
from hypothesis import strategies as st

from soxs_recipes.esorex import descriptions, protocol

TEXT = st.text(
    alphabet=st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("\\\t\n"))
)


@given(st.lists(TEXT, min_size=1))
def test_fields_survive(fields):
    line = protocol.join(*fields)
    assert "\n" not in line
    assert line.count("\t") == len(fields) - 1
    assert protocol.split(line) == fields


@pytest.mark.parametrize(
    ("field", "written"),
    [("a\tb", r"a\tb"), ("a\nb", r"a\nb"), ("a\\nb", r"a\\nb"), ("\\", r"\\"), ("", "")],
)
def test_written_form(field, written):
    assert protocol.join(field) == written


@given(st.binary().filter(lambda data: not set(data) & {0, 9, 10, 92}))
def test_any_file_name_survives(name):
    request = protocol.parse_request(b"level\t1\nframe\t1\tTAG\t" + name + b"\n")
    assert protocol.encode(request.frames[0].file) == name


def test_request():
    lines = [
        "level\t2",
        "frame\t2\tA TAG\t/tmp/a file\\twith\\\\odd\\nname",
        "frame\t0\t\tx",
        "param\t128\ta.flag\t1",
        "param\t128\ta.other\t0",
        "param\t1024\ta.count\t-3",
        "param\t131072\ta.factor\t2.5e-3",
        "param\t33\ta.word\t",
        "",
    ]
    request = protocol.parse_request("\n".join(lines).encode())
    assert request.level == 2
    assert request.frames == (
        protocol.InputFrame("/tmp/a file\twith\\odd\nname", "A TAG", 2),
        protocol.InputFrame("x", "", 0),
    )
    assert request.settings == {
        "a.flag": True,
        "a.other": False,
        "a.count": -3,
        "a.factor": 0.0025,
        "a.word": "",
    }


def test_request_that_is_none():
    with pytest.raises(ValueError, match="frame"):
        protocol.parse_request(b"frame\tonly\n")


@pytest.mark.parametrize(
    ("version", "number"), [("1.2.3", 10203), ("0.1.0", 100), ("2.0rc1", 20001), (7, 7), ("", 0)]
)
def test_binary_version(version, number):
    assert descriptions.binary_version(version) == number


def test_description_of_a_recipe():
    recipe, *entries = (
        protocol.split(line)
        for line in descriptions.describe(toy_recipes.Toy(), ["/a b/python", "-m", "x"]).split("\n")
    )
    assert recipe == [
        "recipe",
        "toy",
        "10203",
        "Shows what reached it",
        toy_recipes.LONG,
        "A. Ströhm",
        "toy@example.org",
        "GPL-3.0-or-later",
    ]
    assert entries[0] == ["command", "/a b/python", "-m", "x", "toy"]
    found = {entry[4]: entry for entry in entries if entry[0] == "param"}
    assert found["twelve"][1:] == [
        "33",
        "enum",
        "soxs.toy.twelve",
        "twelve",
        "soxs.toy",
        "One parameter",
        "7",
        *toy_recipes.TWELVE,
    ]
    assert found["bounded-factor"][7:] == ["5.0", "1.5", "100.0"]
    assert found["flag"][1:3] + found["flag"][7:] == ["128", "value", "0"]


def test_recipe_without_parameters():
    recipe = SimpleNamespace(
        name="a",
        version="1",
        synopsis="b",
        description="c",
        author="d",
        email="e",
        copyright="f",
        parameters=[],
    )
    assert descriptions.describe(recipe, ["/p"]) == (
        "recipe\ta\t10000\tb\tc\td\te\tf\ncommand\t/p\ta\n"
    )
