"""Building the plugins, where they go, and what is said when that is not possible."""

import stat
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
import toy_recipes

from soxs_recipes.esorex import cli, installation

SOURCE = files("soxs_recipes.esorex").joinpath("plugin.c")


def recipes():
    return toy_recipes.RECIPES


def test_source_is_short_and_compiles_without_warnings(compiler, tmp_path):
    assert SOURCE.read_text().count("\n") < 300
    command = installation.compile_command(SOURCE, tmp_path / "plugin.so")
    strict = ["-Werror", "-Wpedantic", "-Wshadow", "-Wconversion"]
    done = subprocess.run([*command, *strict], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_one_plugin_per_recipe(compiler, tmp_path):
    plugins = installation.install(tmp_path / "a" / "b", recipes)
    assert [plugin.name for plugin in plugins] == ["toy.so", "toy_second.so"]
    assert {path.name for path in plugins[0].parent.iterdir()} == {
        "toy.so",
        "toy.desc",
        "toy_second.so",
        "toy_second.desc",
    }
    assert not plugins[0].samefile(plugins[1])


def test_installing_again_replaces_and_removes_old_recipes(compiler, tmp_path):
    (tmp_path / "foreign.so").write_text("not ours")
    installation.install(tmp_path, recipes, ["/old/python"])
    installation.install(tmp_path, lambda: [toy_recipes.Second], ["/new/python"])
    assert {path.name for path in tmp_path.iterdir()} == {
        "foreign.so",
        "toy_second.so",
        "toy_second.desc",
    }
    assert "command\t/new/python\ttoy_second\n" in (tmp_path / "toy_second.desc").read_text()


def test_relative_folder(compiler, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert installation.install("here", recipes)[0] == tmp_path / "here" / "toy.so"


def test_command_names_this_interpreter_with_its_full_path():
    assert installation.COMMAND[0] == sys.executable
    assert Path(sys.executable).is_absolute()
    installation.check_start()


def test_package_that_the_interpreter_does_not_find_alone():
    with pytest.raises(installation.PluginError, match="pip install") as caught:
        installation.check_start([*installation.COMMAND[:-1], "soxs_recipes.gone"])
    assert "No module named 'soxs_recipes.gone'" in str(caught.value)


def test_missing_compiler(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(installation.PluginError, match="apt install gcc libc6-dev libcpl-dev"):
        installation.install(tmp_path, recipes)
    assert list(tmp_path.iterdir()) == []


def test_missing_cpl_header(compiler, tmp_path, monkeypatch):
    monkeypatch.setenv("CFLAGS", f"-nostdinc -I{tmp_path}")
    with pytest.raises(installation.PluginError, match="apt install libcpl-dev") as caught:
        installation.install(tmp_path / "plugins", recipes)
    assert "cpl.h" in caught.value.found


def test_missing_c_library_header(compiler, tmp_path, monkeypatch):
    (tmp_path / "cpl.h").write_text("#include <stdio.h>\n")
    monkeypatch.setenv("CFLAGS", f"-nostdinc -I{tmp_path}")
    with pytest.raises(installation.PluginError, match="apt install libc6-dev"):
        installation.install(tmp_path / "plugins", recipes)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("/usr/bin/ld: cannot find -lcplui: No such file or directory", "apt install libcpl-dev"),
        ("plugin.c:8:10: fatal error: 'cpl.h' file not found", "apt install libcpl-dev"),
        ("collect2: fatal error: out of luck", "out of luck"),
    ],
)
def test_what_the_compiler_says_is_understood(tmp_path, monkeypatch, told, expected):
    compiler = tmp_path / "cc"
    compiler.write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{told}\nEND\nexit 1\n")
    compiler.chmod(compiler.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("CC", str(compiler))
    with pytest.raises(installation.PluginError) as caught:
        installation.install(tmp_path / "plugins", recipes)
    assert expected in str(caught.value)


def test_folder_that_cannot_be_made(compiler, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(installation.PluginError, match="--dir DIR") as caught:
        installation.install(tmp_path / "file" / "plugins", recipes)
    assert caught.value.file == str(tmp_path / "file" / "plugins")


def test_folder_in_an_environment_of_its_own(monkeypatch):
    monkeypatch.setattr(sys, "prefix", "/opt/venv")
    monkeypatch.setattr(sys, "base_prefix", "/usr")
    assert installation.plugin_dir() == Path("/opt/venv/lib/esopipes-plugins/soxs")


def test_folder_of_a_user(monkeypatch):
    monkeypatch.setattr(sys, "prefix", "/usr")
    monkeypatch.setattr(sys, "base_prefix", "/usr")
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    assert installation.plugin_dir() == Path("/home/somebody/.local/share/esopipes-plugins/soxs")
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert installation.plugin_dir() == Path("/data/esopipes-plugins/soxs")


def test_commands(compiler, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(installation, "plugin_dir", lambda: tmp_path / "default")
    assert cli.main(["path"]) == 0
    told = capsys.readouterr()
    assert told.out == f"{tmp_path}/default\n"
    assert "soxs esorex install" in told.err
    assert cli.main(["install"]) == 0
    assert f"installed in {tmp_path}/default\n" in capsys.readouterr().out
    assert cli.main(["path"]) == 0
    assert capsys.readouterr().err == ""
    assert cli.main(["install", "--dir", str(tmp_path / "other")]) == 0
    installed = {path.name for path in (tmp_path / "other").iterdir()}
    assert {"soxs_mbias.so", "soxs_mbias.desc"} <= installed


def test_command_reports_a_failure(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("CC", "")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert cli.main(["install", "--dir", str(tmp_path)]) == 1
    assert "sudo apt install" in capsys.readouterr().err
