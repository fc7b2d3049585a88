"""What every recipe of the package must do under EsoRex; a new recipe needs no new code here."""

import json
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
from astropy.io import fits
from esorex_tools import wait_for

from soxs_recipes.recipes import RECIPES

PYESOREX = "import sys; from soxs_recipes.cpl_bridge import command; sys.exit(command.main())"
VALUE_TYPES = {bool: "bool", int: "int", float: "double", str: "string"}
DIFFERENT = {"DATE", "CHECKSUM", "DATAMD5", "ESO PRO DID", "ESO PRO REC1 DRS ID"}
"""Cards that depend on the moment of the run or on the version of CPL; all others are equal.

CPL 7.2.3, which signs for EsoRex, takes the first 16 blocks of a data unit for all others when it
makes DATAMD5. DATASUM, which is compared, covers the same data.
"""


@pytest.fixture(params=RECIPES, ids=lambda kind: kind.declaration.name)
def recipe(request):
    return request.param()


def kind_of(parameter):
    if getattr(parameter, "alternatives", None):
        return "enum"
    return "range" if hasattr(parameter, "min") else "value"


def test_recipe_has_an_example(recipe):
    assert recipe.declaration.example, f"{recipe.name} declares no example set of frames"
    taken = {tag for tag, _, _ in recipe.declaration.tags()}
    assert {tag for tag, _ in recipe.declaration.example} <= taken


def test_recipe_is_listed_and_documented(recipe, package):
    lines = package.run("--recipes").out.split("\n")
    assert f"  {recipe.name:<22}: {recipe.synopsis}" in lines
    page = package.run("--man-page", recipe.name).out
    assert f"{recipe.name} -- {recipe.synopsis}" in page
    for line in recipe.description.split("\n"):
        assert line in page
    assert "LICENSE\n" in page, "the description is longer than EsoRex prints"


def test_recipe_parameters(recipe, package):
    listed = package.run("--params", recipe.name).out.split("Recipe Parameters :")[1]
    names = [line.split(":")[0].strip() for line in listed.split("\n") if ":" in line]
    assert names == [parameter.cli_alias for parameter in recipe.parameters]
    package.run("--create-config=config.json", recipe.name)
    entries = json.loads((package.directory / "config.json").read_text())
    for parameter, entry in zip(recipe.parameters, entries, strict=True):
        assert entry["name"] == parameter.name
        assert entry["value"] == parameter.default
        assert entry["valtype"] == VALUE_TYPES[type(parameter.default)]
        assert entry["description"] == parameter.description
        assert entry["partype"] == kind_of(parameter)
        if entry["partype"] == "range":
            assert (entry["valmin"], entry["valmax"]) == (parameter.min, parameter.max)
        if entry["partype"] == "enum":
            assert tuple(entry["valenum"]) == tuple(parameter.alternatives)


def test_run_equals_pyesorex(recipe, package, simulated_sof, tmp_path):
    sof = simulated_sof(recipe.declaration)
    made = run_with_esorex(package, recipe, sof)
    reference = tmp_path / "reference"
    run_with_pyesorex(recipe, sof, reference)
    expected = {path.name for path in reference.iterdir()} - {"pyesorex.log"}
    assert {path.name for path, _ in made} == expected
    for path, category in made:
        assert fits.getval(path, "ESO PRO CATG") == category
        assert_equal(path, reference / path.name)


def test_refused_input_leaves_nothing(recipe, package):
    frame = package.directory / "frame.dat"
    frame.write_text("no frame at all")
    for text, message in (
        ("", "The set of frames is empty"),
        (f"{frame} NO_SUCH_TAG\n", "NO_SUCH"),
    ):
        (package.directory / "bad.sof").write_text(text)
        done = package.run("--products-sof=products.json", recipe.name, "bad.sof")
        assert done.status == 1
        assert re.search(rf"^\[ ERROR \] {recipe.name}: .*{message}", done.out, re.MULTILINE)
        assert "Traceback" not in done.out
    left = {path.name for path in package.directory.iterdir()}
    assert left == {"frame.dat", "bad.sof", "esorex.log"}


def test_interrupted_run_leaves_nothing(package, simulated_sof):
    recipe = RECIPES[0]
    process = package.start(recipe._name, simulated_sof(recipe.declaration))
    wait_for(lambda: any(package.directory.glob(".soxs-*")))
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGINT
    assert f"[ ERROR ] {recipe._name}: Ended by SIGINT" in out
    assert {path.name for path in package.directory.iterdir()} == {"esorex.log"}


def run_with_esorex(package, recipe, sof):
    """Products with their categories; configuration file and output directory are given."""
    (package.directory / "out").mkdir()
    package.run("--create-config=recipe.rc", recipe.name)
    done = package.run(
        "--recipe-config=recipe.rc",
        "--output-dir=out",
        "--products-sof=products.json",
        recipe.name,
        sof,
    )
    assert done.status == 0, done.out
    assert "[ ERROR ]" not in done.out
    listed = json.loads((package.directory / "products.json").read_text())
    made = [(package.directory / item["name"], item["category"]) for item in listed]
    assert sorted(path for path, _ in made) == sorted((package.directory / "out").iterdir())
    return made


def run_with_pyesorex(recipe, sof, directory):
    directory.mkdir()
    command = [sys.executable, "-c", PYESOREX, f"--output-dir={directory}", recipe.name, sof]
    done = subprocess.run(
        command, cwd=directory, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def assert_equal(path, reference):
    with fits.open(path, checksum=True) as made, fits.open(reference) as expected:
        assert [hdu.name for hdu in made] == [hdu.name for hdu in expected]
        for one, other in zip(made, expected, strict=True):
            assert cards(one.header) == cards(other.header)
            assert (one.data is None) == (other.data is None)
            if one.data is not None:
                assert one.data.dtype == other.data.dtype
                assert np.array_equal(one.data.view("u1"), other.data.view("u1"))


def cards(header):
    found = {card.keyword: card.value for card in header.cards}
    return {key: value for key, value in found.items() if key not in DIFFERENT}
