"""Help, manual pages, lists and configuration files as printed by the command."""

import json
import subprocess
import sys

import pytest

import soxs_recipes
from soxs_recipes.cpl_bridge.runner import options


def test_recipes(place):
    assert place.run("--recipes") == 0
    lines = place.out.splitlines()
    assert "List of available recipes:" in lines
    assert "  toy                   : Make a toy" in lines
    assert "abstract" not in place.out


def test_the_packages_recipes_are_listed_unless_directories_are_given(place, monkeypatch):
    from soxs_recipes.cpl_bridge.runner import cli

    monkeypatch.setenv("PYESOREX_PLUGIN_DIR", "recipes")
    place.capfd.readouterr()
    assert cli.main(["--recipes"]) == 0
    out = place.capfd.readouterr().out
    assert "  toy " in out
    assert "  soxs_mbias " in out
    place.run("--recipes")
    assert "soxs_mbias" not in place.out


def test_a_foreign_esorex_plugin_dir_does_no_harm(place, monkeypatch):
    monkeypatch.setenv("ESOREX_PLUGIN_DIR", "/usr/lib")
    assert place.run("--recipes") == 0
    assert place.err == ""


def test_man_page(place):
    assert place.run("--man-page", "toy") == 0
    page = place.out[place.out.index("NAME\n") :]
    titles = [line for line in page.splitlines() if line and not line.startswith(" ")]
    assert titles == [
        "NAME", "SYNOPSIS", "DESCRIPTION", "PARAMETERS", "AUTHOR", "BUGS", "RELEASE", "LICENSE",
    ]  # fmt: skip
    assert "  toy -- Make a toy\n" in page
    assert "  pyesorex [pyesorex-options] toy [toy-options] sof\n" in page
    assert "  Line one.\n\n    * an indented item that is long" in page
    assert "  --kappa               : Clipping limit. (float, 1.0 to 10.0) [3.5]\n" in page
    assert "  --niter               : Iterations. (int, 1 to 10) [3]\n" in page
    assert "  --plots               : Draw plots. (bool) [FALSE]\n" in page
    assert "<ok | two | text |" in page
    assert "problems with this recipe to author@example.org" in page
    assert "  toy -- version 1.2.3\n" in page
    assert "  GNU General Public License\n" in page
    assert max(map(len, page.splitlines())) <= 80


def test_help(place):
    assert place.run("--help") == 0
    for option in options.OPTIONS:
        assert f"  --{option.alias}" in place.out
        assert not option.variable or option.variable in place.out.replace("\n" + " " * 26, " ")
    assert max(len(line) for line in place.out.splitlines()) <= 80


def test_help_on_a_recipe(place):
    assert place.run("--help", "toy") == 0
    assert "Recipe: toy -- Make a toy" in place.out
    assert "  --kappa               : Clipping limit." in place.out


def test_version(place):
    assert place.run("--version") == 0
    assert f"soxs_recipes {soxs_recipes.__version__}" in place.out
    assert "interface of PyCPL" in place.out


def test_no_arguments_show_the_usage(place):
    assert place.run() == 0
    assert "Usage: pyesorex [pyesorex-options] recipe [recipe-options] sof" in place.out


def test_params(place):
    assert place.run("--params", "--output-dir=out", "toy", "--kappa=4") == 0
    caller, recipe = place.out.split("Caller Parameters :")[1].split("Recipe Parameters :")
    assert "  output-dir            : out\n" in caller
    assert "  suppress-prefix       : TRUE\n" in caller
    assert "  kappa                 : 4.0\n" in recipe
    assert "  niter                 : 3\n" in recipe


def test_create_config_of_a_recipe_can_be_read_again(place):
    assert place.run("--create-config=my.rc", "toy", "--label= x=#1 ", "--kappa=4") == 0
    assert "Wrote config file 'my.rc'." in place.out
    assert "soxs.toy.kappa=4.0\n" in (place.path / "my.rc").read_text()
    assert place.run("toy", "--recipe-config=my.rc") == 0
    assert "('soxs.toy.kappa', 4.0)" in place.settings
    assert "('soxs.toy.label', ' x=#1 ')" in place.settings


def test_create_config_keeps_an_existing_file(place):
    place.write("my.rc", "old")
    assert place.run("--create-config=my.rc", "toy") == 0
    assert "Old configuration file copied to 'my.rc.bak'." in place.out
    assert (place.path / "my.rc.bak").read_text() == "old"


@pytest.mark.parametrize("recipe", [[], ["toy"]])
def test_create_config_writes_the_users_file_by_default(place, recipe):
    assert place.run("--create-config", *recipe) == 0
    name = recipe[0] if recipe else "pyesorex"
    assert (place.path / f"../home/.pyesorex/{name}.rc").is_file()
    assert place.run("toy", "--output-dir=out") == 0


def test_create_config_of_the_command_holds_all_but_actions(place):
    assert place.run("--create-config=c.rc", "--output-prefix=a b") == 0
    lines = (place.path / "c.rc").read_text().splitlines()
    keys = {line.split("=")[0] for line in lines if line and line[0] != "#"}
    actions = {"help", "version", "config", "create-config", "man-page", "params", "recipes"}
    assert keys == {o.name for o in options.OPTIONS} - {f"pyesorex.{name}" for name in actions}
    assert "pyesorex.output-prefix=a b" in lines
    assert options.from_rc(place.path / "c.rc")["output-prefix"] == "a b"
    assert options.unread_keys(place.path / "c.rc") == []


def test_create_config_as_json(place):
    assert place.run("--create-config=my.json", "toy") == 0
    entries = json.loads((place.path / "my.json").read_text())
    assert [entry["display_name"] for entry in entries][:2] == ["behave", "kappa"]
    assert place.run("--create-config=c.json") == 0
    entries = json.loads((place.path / "c.json").read_text())
    assert "pyesorex.log-level" in {entry["name"] for entry in entries}


def test_import_errors_are_shown_on_request_only(place, monkeypatch):
    place.write("recipes/broken.py", "import no_such_module_here\n")
    place.run("--recipes")
    assert "no_such_module_here" not in place.out + place.err
    place.run("--recipes", "--display-import-errors")
    assert "broken.py': ModuleNotFoundError: No module named 'no_such_module_here'" in place.out
    monkeypatch.setenv("PYESOREX_DISPLAY_IMPORT_ERRORS", "TRUE")
    place.run("--recipes")
    assert "no_such_module_here" in place.out


def test_a_missing_recipe_directory_is_told(place):
    assert place.run("--recipe-dir=recipes:none", "--recipes") == 0
    assert "[WARNING] pyesorex: Recipe directory does not exist: none" in place.out


def test_a_reader_that_leaves_early_is_no_error(place):
    code = "import sys; from soxs_recipes.cpl_bridge.runner.cli import main; sys.exit(main())"
    pipe = subprocess.Popen(
        [sys.executable, "-c", code, "--msg-level=off", "--help"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    pipe.stdout.close()
    assert b"Traceback" not in pipe.stderr.read()
    assert pipe.wait() == 0
    pipe.stderr.close()
