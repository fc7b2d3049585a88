"""Messages and errors read as CPL's (7.3.2, measured)."""

from __future__ import annotations

import logging
import pickle
import re

import pytest

from soxs_recipes.cpl_bridge.embedded import core
from soxs_recipes.cpl_bridge.embedded.core_msg import wrap

Msg = core.Msg
Level = Msg.SeverityLevel
DEFAULTS = {
    "log_name": ".logfile",
    "level": Level.INFO,
    "domain": "Undefined domain",
    "width": 0,
    "indent": 0,
    "show_threadid": False,
    "show_domain": False,
    "show_time": False,
    "show_component": False,
}


@pytest.fixture(autouse=True)
def default_settings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = Msg.get_config()
    Msg.set_config(**{k: v for k, v in DEFAULTS.items() if k != "log_name"})
    yield
    Msg.stop_file()
    Msg.set_config(**before)


def test_default_settings():
    assert {k: v for k, v in Msg.get_config().items() if k != "log_name"} == {
        k: v for k, v in DEFAULTS.items() if k != "log_name"
    }


def test_terminal_lines(capsys):
    Msg.info("comp", "hello %s %d")
    Msg.warning("comp", "w")
    Msg.error("comp", "two\nlines")
    Msg.debug("comp", "hidden")
    Msg.info(component="comp", message="")
    out, err = capsys.readouterr()
    assert out == "[ INFO  ] hello %s %d\n[WARNING] w\n[ INFO  ] \n"
    assert err == "[ ERROR ] two\nlines\n"


def test_terminal_parts(capsys):
    Msg.set_config(indent=2, domain="dom", show_domain=True, show_component=True)
    Msg.set_config(show_threadid=True)
    Msg.info("comp", "hello")
    Msg.set_config(indent=-1, show_domain=False, show_component=False, show_threadid=False)
    Msg.set_config(level=Level.DEBUG)
    Msg.debug("comp", "shown with its component")
    Msg.set_config(level=Level.OFF)
    Msg.error("comp", "hidden")
    Msg.set_config(level=Level.INFO, show_time=True)
    Msg.info("comp", "timed")
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0] == "[ INFO  ] dom: comp: [tid=000]     hello"
    assert lines[1] == "[ DEBUG ] comp: shown with its component"
    assert re.fullmatch(r"\d\d:\d\d:\d\d \[ INFO  \] timed", lines[2])
    assert err == ""


def test_log_file(tmp_path, capsys):
    Msg.set_config(domain="soxs_x")
    Msg.start_file(Level.DEBUG, "x.log")
    Msg.set_config(indent=1, level=Level.ERROR)
    Msg.debug("comp", "text")
    Msg.warning("comp", "two\nlines")
    Msg.stop_file()
    Msg.stop_file()
    Msg.info("comp", "late")
    lines = (tmp_path / "x.log").read_text().split("\n")
    assert re.fullmatch(r"Start time     : \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", lines[1])
    assert lines[2:5] == ["Program name   : soxs_x", "Severity level : [ DEBUG ] ", ""]
    assert lines[0] == ""
    stripped = [re.sub(r"^\d\d:\d\d:\d\d", "T", line) for line in lines[5:]]
    assert stripped == [
        "T [ DEBUG ] comp: [tid=000]   text",
        "T [WARNING] comp: [tid=000]   two",
        "lines",
        "",
    ]
    assert capsys.readouterr().out == ""
    assert Msg.get_config()["log_name"] == "x.log"


def test_log_file_errors():
    with pytest.raises(core.IllegalInputError, match=r"72 \+ 1 > 72 = CPL_MAX_LOGFILE_NAME"):
        Msg.start_file(Level.INFO, "x" * 72)
    with pytest.raises(core.FileNotCreatedError) as caught:
        Msg.start_file(Level.INFO, "none/x.log")
    assert caught.value.message == "File cannot be created: none/x.log"


@pytest.mark.parametrize(
    ("given", "level"),
    [(3, Level.ERROR), (logging.WARNING, Level.WARNING), (Level.OFF, Level.OFF), (0, Level.DEBUG)],
)
def test_levels(given, level):
    Msg.set_config(level=given)
    assert Msg.get_config()["level"] == level


@pytest.mark.parametrize("given", [-1, 5, 99])
def test_bad_levels(given):
    with pytest.raises(core.IllegalInputError, match=f"{given} is invalid verbosity value"):
        Msg.set_config(level=given)


def test_odd_settings():
    Msg.set_config(domain="d" * 60, unknown=1)
    assert Msg.get_config()["domain"] == "d" * 39
    with pytest.raises(RuntimeError, match="Unable to cast"):
        Msg.set_config(width="x")
    with pytest.raises(TypeError, match=r"\(component: str, message: str\)"):
        Msg.info("a", 3)
    with pytest.raises(TypeError, match="No constructor"):
        Msg()


def test_wrapping():
    head = "[ INFO  ] dom: comp: [tid=000] "
    text = "the quick brown dog and the lazy " + "y" * 40 + " end"
    expected = ["the", "quick", "brown", "dog and", "the", "lazy", "y" * 40, "end"]
    assert wrap(head, text, 40) == ("\n" + " " * 31).join([head + expected[0], *expected[1:]])
    assert wrap(head, text, 0) == head + text


ROOTS = {
    RuntimeError: (
        "UnspecifiedError ErrorLostError DuplicatingStreamError AssigningStreamError FileIOError "
        "BadFileFormatError FileAlreadyOpenError FileNotCreatedError FileNotFoundError "
        "DataNotFoundError IllegalOutputError UnsupportedModeError SingularMatrixError "
        "DivisionByZeroError TypeMismatchError InvalidTypeError ContinueError NoWCSError EOLError"
    ),
    ValueError: "NullInputError IllegalInputError IncompatibleInputError",
    LookupError: "AccessOutOfRangeError",
}


def test_error_classes():
    names = {name: root for root, text in ROOTS.items() for name in text.split()}
    assert {name for name in core.__all__ if name.endswith("Error")} == {*names, "Error"}
    codes = set()
    for name, root in names.items():
        error = getattr(core, name)("text")
        assert isinstance(error, root)
        assert isinstance(error, core.Error)
        codes.add(error.code)
    assert codes == set(range(1, 24))
    assert (core.FileIOError.code, core.DataNotFoundError.code) == (5, 10)


def test_error_attributes():
    def failing():
        raise core.DataNotFoundError("no such thing")

    with pytest.raises(core.DataNotFoundError) as caught:
        failing()
    error = caught.value
    assert (error.message, error.function, error.file) == ("no such thing", "failing", __file__)
    assert str(error) == (
        "CPL error stack trace (most recent error last):\n"
        f'  File "{__file__}", line {error.line}, in failing\nno such thing\n\n'
    )
    assert repr(core.IllegalInputError("f", "x.c", 3, "m")) == (
        "cpl.core.IllegalInputError('f', 'x.c', 3, 'm')"
    )


def test_error_traces():
    first = core.FileIOError("f", "x.c", 3, "inner")
    second = core.DataNotFoundError("g", "y.c", 4, "outer")
    joined = core.DataNotFoundError([first, second])
    assert [e.message for e in joined] == ["inner", "outer"]
    assert type(joined[0]) is core.FileIOError
    assert joined.message == "outer"
    assert pickle.loads(pickle.dumps(joined)) == joined
    assert type(core.Error.create([second, first])) is core.FileIOError
    assert core.Error.create(5, "f", "x.c", 3, "inner") == first
    with pytest.raises(ValueError, match="matching FileIOError, not DataNotFoundError"):
        core.FileIOError([first, second])
    for arguments in ((), (1,), ("a", "b")):
        with pytest.raises(TypeError, match="Expected one of the following overloads"):
            core.FileIOError(*arguments)
