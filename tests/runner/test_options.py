"""The command line, the environment and the precedence of settings."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from soxs_recipes.cpl_bridge.runner import options
from soxs_recipes.cpl_bridge.runner.errors import UsageError
from soxs_recipes.cpl_bridge.runner.parameters import Parameter

LABEL = Parameter("soxs.x.label", "label", str, "none")
KAPPA = Parameter("soxs.x.kappa", "kappa", float, 3.5, "Limit", -10.0, 10.0)
FLAG = Parameter("soxs.x.flag", "flag", bool, False)
PARAMETERS = (LABEL, KAPPA, FLAG)
# Arguments of a process cannot hold a null character.
TEXT = st.text(st.characters(blacklist_characters="\0"))


@pytest.fixture(autouse=True)
def _no_user_files(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))


@given(TEXT)
@example("a=b")
@example("#x = 1")
@example("  blanks  ")
@example("--recipes")
@example("ñandú \u2003")
def test_any_text_passes_after_an_equals_sign(text):
    line = options.split_arguments([f"--log-file={text}", "x", f"--label={text}", "in.sof"])
    assert line.given == {"log-file": text}
    assert options.recipe_arguments(line.rest, PARAMETERS) == (
        {"soxs.x.label": text},
        ["in.sof"],
    )


@given(TEXT.filter(lambda text: not text.startswith("--")))
@example("-3")
@example("")
def test_any_text_but_options_passes_after_a_blank(text):
    line = options.split_arguments(["--log-file", text, "x", "--label", text, "in.sof"])
    assert line.given == {"log-file": text}
    assert options.recipe_arguments(line.rest, PARAMETERS) == (
        {"soxs.x.label": text},
        ["in.sof"],
    )


@given(st.permutations(["--log-level=DEBUG", "--kappa=2", "--flag", "in.sof"]))
def test_order_behind_the_recipe_does_not_matter(tail):
    line = options.split_arguments(["x", *tail])
    assert (line.given, line.recipe) == ({"log-level": "debug"}, "x")
    settings, sofs = options.recipe_arguments(line.rest, PARAMETERS)
    assert settings == {"soxs.x.kappa": 2.0, "soxs.x.flag": True}
    assert sofs == ["in.sof"]


def test_negative_numbers_are_values():
    settings, _ = options.recipe_arguments(["--kappa", "-2.5"], PARAMETERS)
    assert settings == {"soxs.x.kappa": -2.5}


def test_parameters_are_known_by_full_name():
    settings, _ = options.recipe_arguments(["--soxs.x.kappa=2"], PARAMETERS)
    assert settings == {"soxs.x.kappa": 2.0}


@pytest.mark.parametrize(
    ("tokens", "value", "rest"),
    [
        (["--flag"], True, []),
        (["--flag", "TRUE"], True, []),
        (["--flag", "false"], False, []),
        (["--flag=FALSE"], False, []),
        (["--flag", "in.sof"], True, ["in.sof"]),
    ],
)
def test_a_flag_takes_only_a_truth_value(tokens, value, rest):
    assert options.recipe_arguments(tokens, PARAMETERS) == ({"soxs.x.flag": value}, rest)


def test_create_config_takes_a_value_only_with_an_equals_sign():
    line = options.split_arguments(["--create-config", "x"])
    assert (line.given, line.recipe) == ({"create-config": "TRUE"}, "x")
    assert options.split_arguments(["--create-config=f.rc"]).given == {"create-config": "f.rc"}


@pytest.mark.parametrize("form", [["--man-page", "x"], ["--man-page=x"], ["x", "--man-page"]])
def test_man_page_takes_the_recipe_in_every_form(form):
    line = options.split_arguments(form)
    assert (line.given, line.recipe) == ({"man-page": True}, "x")


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        (["--log-levle=info", "x"], "Did you mean '--log-level'?"),
        (["--output-dir"], "'--output-dir' needs an argument"),
        (["--output-dir", "--recipes"], "'--output-dir' needs an argument"),
        (["--time=", "x"], "after the equals sign"),
        (["--time=perhaps", "x"], "TRUE or FALSE"),
        (["--msg-level=loud", "x"], "debug | info | warning | error | off"),
        (["--zzzzzz", "x"], "'--help' lists the options"),
    ],
)
def test_unusable_options(tokens, words):
    with pytest.raises(UsageError) as raised:
        options.split_arguments(tokens)
    assert words in str(raised.value)
    assert raised.value.status == 255


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("--kapa=3", "Did you mean '--kappa'?"),
        ("--log-levle=3", "Did you mean '--log-level'?"),
        ("--kappa=", "after the equals sign"),
        ("--kappa", "needs an argument"),
    ],
)
def test_unusable_parameters(token, words):
    with pytest.raises(UsageError) as raised:
        options.recipe_arguments([token], PARAMETERS)
    assert words in str(raised.value)


def test_command_line_then_environment_then_file_then_default(tmp_path):
    file = tmp_path / "my.rc"
    file.write_text(
        "pyesorex.log-dir=from-rc\npyesorex.log-file=from-rc\npyesorex.output-dir=from-rc\n"
    )
    environ = {
        "PYESOREX_CONFIG": str(file),
        "PYESOREX_LOG_FILE": "from-env",
        "PYESOREX_OUTPUT_DIR": "from-env",
        "PYESOREX_OUTPUT_PREFIX": "",
        "ESOREX_LOG_DIR": "foreign",
    }
    values = options.resolve({"output-dir": "given"}, environ)
    assert values["output-dir"] == "given"
    assert values["log-file"] == "from-env"
    assert values["log-dir"] == "from-rc"
    assert values["output-prefix"] == "out"


def test_the_users_file_is_read(tmp_path):
    user = tmp_path / ".pyesorex" / "pyesorex.rc"
    user.parent.mkdir()
    user.write_text("pyesorex.time=False\nother.key=1\n")
    assert options.resolve({}, {})["time"] is False
    assert options.unread_keys(user) == ["other.key"]


def test_every_option_has_its_variable():
    expected = {
        option.alias: f"PYESOREX_{option.alias.upper().replace('-', '_')}"
        for option in options.OPTIONS
    }
    expected |= {"recipe-dir": "PYESOREX_PLUGIN_DIR", "help": "", "version": ""}
    assert {option.alias: option.variable for option in options.OPTIONS} == expected


def test_a_bad_variable_is_named():
    with pytest.raises(UsageError, match="environment variable PYESOREX_MSG_LEVEL"):
        options.resolve({}, {"PYESOREX_MSG_LEVEL": "loud"})


def test_a_missing_configuration_file_is_named():
    with pytest.raises(UsageError, match=r"--config=no\.rc"):
        options.resolve({"config": "no.rc"}, {})


def test_defaults_are_those_of_esorex():
    values = options.resolve({}, {})
    expected = {
        "check-sof-exist": True,
        "suppress-prefix": True,
        "suppress-link": True,
        "output-dir": ".",
        "output-prefix": "out",
        "log-dir": ".",
        "log-file": "pyesorex.log",
        "log-level": "info",
        "msg-level": "info",
        "no-datamd5": False,
        "no-checksum": False,
        "time": True,
        "output-mkdir": False,
        "display-import-errors": False,
    }
    assert {name: values[name] for name in expected} == expected
