"""Configuration files."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from soxs_recipes.cpl_bridge.runner import rcfile
from soxs_recipes.cpl_bridge.runner.errors import ConfigError, UsageError
from soxs_recipes.cpl_bridge.runner.parameters import Parameter

LABEL = Parameter("soxs.x.label", "label", str, "none", "Any text")
KAPPA = Parameter("soxs.x.kappa", "kappa", float, 3.5, "Limit", 1.0, 10.0)
METHOD = Parameter("soxs.x.method", "method", str, "mean", "How", choices=("mean", "median"))
FLAG = Parameter("soxs.x.flag", "flag", bool, False, "Whether")
COUNT = Parameter("soxs.x.count", "count", int, 1, "How many")
ALL = (LABEL, KAPPA, METHOD, FLAG, COUNT)

TEXT = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\n"))


@given(
    label=TEXT,
    kappa=st.floats(1.0, 10.0),
    method=st.sampled_from(["mean", "median"]),
    flag=st.booleans(),
    count=st.integers(-(2**31), 2**31 - 1),
)
@example(label="#a = b", kappa=1.0, method="mean", flag=True, count=0)
@example(label=' "x" \\ ', kappa=1.0, method="mean", flag=True, count=0)
@example(label="", kappa=1.0, method="mean", flag=True, count=0)
@example(label="à la\u2028silla \x85", kappa=1.0, method="mean", flag=True, count=0)
def test_what_is_written_is_read(label, kappa, method, flag, count):
    values = dict(zip((p.name for p in ALL), (label, kappa, method, flag, count), strict=True))
    text = rcfile.format_rc(ALL, values, "x.rc", "a program")
    assert rcfile.typed_entries(rcfile.parse_rc(text), ALL, "x.rc") == values


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_with_a_line_number(text):
    try:
        entries = rcfile.parse_rc(text, "x.rc")
    except ConfigError as error:
        assert "x.rc" in str(error)
        assert "line " in str(error)
    else:
        assert all(entry.key for entry in entries)


# Measured with EsoRex 3.13.6.
@pytest.mark.parametrize(
    ("line", "value"),
    [
        ('label = "q w"', "q w"),
        ("label =   q w   ", "q w"),
        ("label=x # c", "x # c"),
        ('label="a\\"b"', 'a"b'),
        ('label=a\\"b', 'a"b'),
        ('label=""', ""),
        ("label=a\\\\b", "a\\b"),
        ("label=a\\b", "ab"),
        ('label="  x "', "  x "),
        ("label=a'b", "a'b"),
        ("label='a b'", "'a b'"),
        ("label=a=b", "a=b"),
    ],
)
def test_values_are_read_as_esorex_reads_them(line, value):
    (entry,) = rcfile.parse_rc(f"  # comment\n\n {line}\r\n")
    assert (entry.key, entry.text, entry.line) == ("label", value, 3)


@pytest.mark.parametrize(
    ("line", "status"),
    [('a="x', 253), ('a="x" y', 253), ('a=b"c', 253), ("hello", 254), ("=x", 254)],
)
def test_malformed_lines_have_esorex_status(line, status):
    with pytest.raises(ConfigError, match="line 1") as raised:
        rcfile.parse_rc(line, "x.rc")
    assert raised.value.status == status


@pytest.mark.parametrize(
    ("line", "status", "words"),
    [
        ("soxs.x.kapa=3", 250, "Did you mean 'soxs.x.kappa'"),
        ("kappa=3", 250, "full name: 'soxs.x.kappa'"),
        ("soxs.x.kappa=50", 251, "1.0 to 10.0"),
        ("soxs.x.method=q", 251, "mean | median"),
        ("soxs.x.flag=perhaps", 251, "TRUE or FALSE"),
    ],
)
def test_unusable_entries(line, status, words):
    with pytest.raises(ConfigError) as raised:
        rcfile.typed_entries(rcfile.parse_rc(f"\n{line}"), ALL, "x.rc")
    assert raised.value.status == status
    assert words in str(raised.value)
    assert "line 2" in str(raised.value)


def test_line_breaks_cannot_be_written():
    with pytest.raises(UsageError, match="line break"):
        rcfile.format_rc([LABEL], {LABEL.name: "a\nb"}, "x.rc", "a program")


def test_layout_is_that_of_esorex():
    text = rcfile.format_rc([KAPPA, METHOD], {KAPPA.name: 4.0}, "x.rc", "a program")
    assert text.startswith("# File: x.rc\n#\n# Note: This configuration file")
    assert text.endswith(
        "\n\n# --kappa\n# Limit.\nsoxs.x.kappa=4.0\n"
        "\n# --method\n# How. <mean | median>\nsoxs.x.method=mean\n\n#\n# End of file\n"
    )


def test_json_holds_what_esorex_writes():
    entries = json.loads(rcfile.format_json([KAPPA, METHOD, FLAG], {}, "x"))
    assert entries == [
        {
            "name": "soxs.x.kappa",
            "value": 3.5,
            "valtype": "double",
            "partype": "range",
            "valmin": 1.0,
            "valmax": 10.0,
            "display_name": "kappa",
            "description": "Limit",
            "recipe": "x",
        },
        {
            "name": "soxs.x.method",
            "value": "mean",
            "valtype": "string",
            "partype": "enum",
            "valenum": ["mean", "median"],
            "display_name": "method",
            "description": "How",
            "recipe": "x",
        },
        {
            "name": "soxs.x.flag",
            "value": False,
            "valtype": "bool",
            "partype": "value",
            "display_name": "flag",
            "description": "Whether",
            "recipe": "x",
        },
    ]


def test_an_existing_file_is_kept_as_bak(tmp_path):
    file = tmp_path / "new" / "x.rc"
    assert rcfile.write_text(file, "old") is None
    assert rcfile.write_text(file, "new") == tmp_path / "new" / "x.rc.bak"
    assert file.read_text() == "new"
    assert (tmp_path / "new" / "x.rc.bak").read_text() == "old"


def test_an_unwritable_target_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"file/x\.rc"):
        rcfile.write_text(tmp_path / "file" / "x.rc", "text")
