"""Finding recipes in directories."""

import pytest

from soxs_recipes.cpl_bridge.runner import discovery
from soxs_recipes.cpl_bridge.runner.errors import RunnerError, UnknownRecipeError

RECIPE = """
from soxs_recipes.cpl_bridge import cpl
{extra}
class Recipe(cpl.ui.PyRecipe):
    _name = "{name}"
    _author = _copyright = _description = _email = _version = "x"
    _synopsis = "{synopsis}"
    def run(self, frameset, settings):
        return frameset
"""


def write(folder, file, name="one", synopsis="first", extra=""):
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(RECIPE.format(name=name, synopsis=synopsis, extra=extra))


def test_directories_are_searched_recursively(tmp_path):
    write(tmp_path, "a.py", "one")
    write(tmp_path, "deep/er/b.py", "two")
    write(tmp_path, "deep/__init__.py", "three")
    assert set(discovery.find_recipes([tmp_path]).recipes) == {"one", "two", "three"}


def test_every_class_visible_in_a_file_counts(tmp_path):
    write(tmp_path / "lib", "helper_for_visible.py", "imported")
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "names.py").write_text(
        f"import sys\nsys.path.append({str(tmp_path / 'lib')!r})\n"
        "from helper_for_visible import Recipe\n"
        "Second = type('Second', (Recipe,), {'_name': 'dynamic'})\n"
    )
    assert set(discovery.find_recipes([tmp_path / "r"]).recipes) == {"imported", "dynamic"}


def test_siblings_can_be_imported(tmp_path):
    (tmp_path / "sibling_of_the_recipe.py").write_text("VALUE = 'beside'\n")
    write(tmp_path, "a.py", "one", extra="from sibling_of_the_recipe import VALUE")
    assert "one" in discovery.find_recipes([tmp_path]).recipes


def test_no_recipe_file_hides_an_installed_module(tmp_path):
    write(tmp_path, "json.py", "one")
    discovery.find_recipes([tmp_path])
    import json

    assert json.loads("[1]") == [1]


def test_the_first_of_two_recipes_of_one_name_stays(tmp_path):
    write(tmp_path / "x", "a.py", synopsis="first")
    write(tmp_path / "y", "a.py", synopsis="second")
    found = discovery.find_recipes([tmp_path / "y", tmp_path / "x"]).recipes
    assert found["one"].synopsis == "second"


def test_hidden_folders_and_virtual_environments_are_passed_over(tmp_path):
    write(tmp_path, ".hidden/a.py", "hidden")
    write(tmp_path, "__pycache__/a.py", "cached")
    write(tmp_path, "venv/lib/a.py", "installed")
    (tmp_path / "venv" / "pyvenv.cfg").write_text("")
    write(tmp_path, "seen.py", "seen")
    assert set(discovery.find_recipes([tmp_path]).recipes) == {"seen"}


def test_files_that_fail_are_kept_with_the_reason(tmp_path):
    write(tmp_path, "good.py", "good")
    (tmp_path / "bad.py").write_text("import no_such_module_at_all\n")
    (tmp_path / "ends.py").write_text("raise SystemExit(2)\n")
    (tmp_path / "broken.py").write_text("def (\n")
    catalogue = discovery.find_recipes([tmp_path])
    assert set(catalogue.recipes) == {"good"}
    reasons = {file.name: problem for file, problem in catalogue.failures}
    assert set(reasons) == {"bad.py", "ends.py", "broken.py"}
    assert "no_such_module_at_all" in reasons["bad.py"]


def test_abstract_and_incomplete_classes_are_no_recipes(tmp_path):
    (tmp_path / "a.py").write_text(
        "from soxs_recipes.cpl_bridge import cpl\n"
        "class Base(cpl.ui.PyRecipe):\n    _name = 'base'\n"
        "class NoText(cpl.ui.PyRecipe):\n"
        "    _name = 'no_text'\n    def run(self, f, s): return f\n"
    )
    catalogue = discovery.find_recipes([tmp_path])
    assert catalogue.recipes == {}
    ((_, problem),) = catalogue.failures
    assert problem == "class NoText: class variable _author not set"


def test_missing_directories_count_as_empty(tmp_path):
    assert discovery.find_recipes([tmp_path / "none"]).recipes == {}


def test_an_unknown_name_gets_the_nearest_and_a_hint_at_failures(tmp_path):
    write(tmp_path, "a.py", "soxs_mbias")
    (tmp_path / "bad.py").write_text("1/0\n")
    with pytest.raises(UnknownRecipeError) as raised:
        discovery.find_recipes([tmp_path]).load("soxs_mbais")
    assert "Did you mean 'soxs_mbias'?" in str(raised.value)
    assert "1 recipe file(s) could not be imported" in str(raised.value)
    assert raised.value.status == 13


def test_a_failing_constructor_is_reported_with_the_file(tmp_path):
    write(tmp_path, "a.py", "one")
    text = (tmp_path / "a.py").read_text()
    (tmp_path / "a.py").write_text(text + "    def __init__(self):\n        self.x = {}['key']\n")
    with pytest.raises(RunnerError, match=r"Recipe 'one' in '.*a\.py' cannot be loaded: KeyError"):
        discovery.find_recipes([tmp_path]).load("one")


def test_the_packages_own_directory_is_added_once():
    ours = str(discovery.plugin_directory())
    assert discovery.with_plugin_directory("") == ours
    assert discovery.with_plugin_directory("/x:/y") == f"/x:/y:{ours}"
    assert discovery.with_plugin_directory(f"{ours}:/x") == f"{ours}:/x"
    assert discovery.with_plugin_directory(f"{ours}/../plugin:/x") == f"{ours}/../plugin:/x"


def test_the_packages_own_recipes_can_all_be_imported():
    catalogue = discovery.find_recipes([discovery.plugin_directory()])
    assert catalogue.failures == []
    assert catalogue.recipes
