"""What every recipe must do, whichever it is."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from soxs_recipes.cpl_bridge import cpl
from soxs_recipes.cpl_bridge.runner import cli
from soxs_recipes.instrument.classification import OFF_STEMS, OVERRIDE_STEMS, RAW_RULES
from soxs_recipes.recipes import RECIPES
from soxs_recipes.recipes.declarations import QC_RANGES, Kind
from soxs_recipes.recipes.frames import InputSet
from soxs_recipes.recipes.roles import role_of, role_of_tag

every_recipe = pytest.mark.parametrize(
    "recipe", RECIPES, ids=lambda recipe: recipe.declaration.name
)
VOLATILE = ("DATE", "CHECKSUM", "DATASUM", "DATAMD5")


@pytest.fixture
def direct(simulated_sof, tmp_path, monkeypatch):
    """Run a recipe as an object on its example; returns its product files."""

    def run(recipe):
        folder = tmp_path / "direct"
        folder.mkdir()
        monkeypatch.chdir(folder)
        frames = recipe().run(cpl.ui.FrameSet(str(simulated_sof(recipe.declaration))), {})
        return [(folder / frame.file, frame.tag) for frame in frames]

    return run


@pytest.fixture
def by_command(simulated_sof, tmp_path, monkeypatch):
    """Run a recipe through pyesorex on its example; returns the folder of products."""

    def run(recipe):
        folder = tmp_path / "command"
        folder.mkdir()
        monkeypatch.chdir(folder)
        sof = simulated_sof(recipe.declaration)
        assert cli.main([recipe.declaration.name, str(sof)]) == 0
        return folder

    return run


@every_recipe
def test_direct_run_gives_the_declared_products(recipe, direct):
    products = direct(recipe)
    arm = recipe.declaration.example[0][0].rpartition("_")[2]
    declared = {item.tag_of(arm): item for item in recipe.declaration.products}
    made = {tag for _, tag in products}
    role = max(map(role_of_tag, made))
    expected = {
        tag for tag, item in declared.items() if not item.on_request and role_of(item) in ("", role)
    }
    assert made == expected
    for path, tag in products:
        if declared[tag].suffix != ".fits":
            continue
        with fits.open(path) as hdus:
            assert hdus[0].header["ESO PRO CATG"] == tag
            assert hdus[0].header["PIPEFILE"] == path.name
            when = f"_{hdus[0].header['MJD-OBS']:.7f}" if declared[tag].per_observation else ""
            assert path.name == f"{tag.lower()}{when}.fits"
            assert [hdu.name for hdu in hdus[1:]] == [hdu.name for hdu in declared[tag].hdus]
            for spec in declared[tag].hdus:
                if spec.dtype != "table":
                    assert hdus[spec.name].data.dtype == np.dtype(spec.dtype).newbyteorder(
                        hdus[spec.name].data.dtype.byteorder
                    )
                assert hdus[spec.name].header.get("BUNIT", "") == spec.unit


@every_recipe
def test_quality_control_is_declared_and_commented(recipe, direct):
    path, _ = direct(recipe)[0]
    header = fits.getheader(path)
    arm = recipe.declaration.example[0][0].rpartition("_")[2]
    declared = {f"ESO QC {item.name}": item for item in recipe.declaration.qc_of(arm)}
    written = set(header["ESO QC *"])
    assert written <= set(declared)
    assert {key for key in set(declared) - written if not declared[key].optional} == set()
    for keyword, item in ((key, declared[key]) for key in written):
        assert header.comments[keyword] == item.comment, "the comment does not fit its card"
        assert isinstance(header[keyword], item.kind)


@every_recipe
def test_command_gives_the_same_as_the_object(recipe, direct, by_command):
    products = direct(recipe)
    folder = by_command(recipe)
    for path, _ in products:
        other = folder / path.name
        with fits.open(path) as one, fits.open(other) as two:
            assert len(one) == len(two)
            for left, right in zip(one[1:], two[1:], strict=True):
                assert left.data.tobytes() == right.data.tobytes()
            cards = [
                {key: hdus[0].header[key] for key in hdus[0].header if key not in VOLATILE}
                for hdus in (one, two)
            ]
            assert cards[0] == cards[1]
            assert len(two[0].header["DATAMD5"]) == 32


@every_recipe
def test_products_pass_fitsverify(recipe, by_command, required_tool):
    program = required_tool("fitsverify")
    files = sorted(by_command(recipe).glob("*.fits"))
    for path in files:
        done = subprocess.run([program, path], capture_output=True, text=True, check=False)
        assert "0 warning(s) and 0 error(s)" in done.stdout, done.stdout


@every_recipe
def test_every_declared_input_is_asked_for(recipe, simulated_sof, tmp_path, monkeypatch):
    """An input that is declared but never read would mislead whoever gives it."""
    asked = set()
    for name in ("of", "static"):
        method = getattr(InputSet, name)

        def noting(self, item, arm="", method=method):
            asked.add(item.tag)
            return method(self, item, arm)

        monkeypatch.setattr(InputSet, name, noting)
    process = recipe.process

    def only_within_process(self, run):
        asked.clear()
        return process(self, run)

    monkeypatch.setattr(recipe, "process", only_within_process)
    monkeypatch.chdir(tmp_path)
    recipe().run(cpl.ui.FrameSet(str(simulated_sof(recipe.declaration))), {})
    arm = recipe.declaration.example[0][0].rpartition("_")[2]
    wanted = {item.tag for item in recipe.declaration.inputs_of(arm)} - {QC_RANGES.tag}
    role = role_of_tag(recipe.declaration.example[0][0]) or role_of_tag(
        recipe.declaration.example[0][0], raw=True
    )
    ours = {item.tag for item in recipe.declaration.inputs_of(arm) if role_of(item) in ("", role)}
    assert asked >= wanted & ours


@every_recipe
def test_man_page_tells_everything(recipe, capfd):
    assert cli.main(["--man-page", recipe.declaration.name]) == 0
    text = " ".join(capfd.readouterr().out.split())
    declaration = recipe.declaration
    for tag, _, _ in declaration.tags():
        assert tag in text
    for parameter in declaration.parameters:
        assert f"--{parameter.name}" in text
    for item in declaration.qc:
        assert f"QC {item.name}" in text


@every_recipe
def test_settings_in_the_header_are_those_used(recipe, simulated_sof, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    declaration = recipe.declaration
    name = f"soxs.{declaration.name}.product-suffix"
    frames = recipe().run(cpl.ui.FrameSet(str(simulated_sof(declaration))), {name: "night"})
    header = fits.getheader(Path(frames[0].file))
    assert frames[0].file.endswith("_night.fits")
    # A product of products keeps what is told of those.
    level = next(n for n in range(1, 9) if header[f"ESO PRO REC{n} ID"] == declaration.name)
    given = {
        header[key]: header[key.replace("NAME", "VALUE")]
        for key in header[f"ESO PRO REC{level} PARAM* NAME"]
    }
    assert given["product-suffix"] == "night"
    assert set(given) == {parameter.name for parameter in declaration.parameters}


def test_the_plugin_names_every_recipe_and_nothing_else():
    from soxs_recipes.cpl_bridge.runner.discovery import find_recipes, plugin_directory

    assert len(list(plugin_directory().glob("*.py"))) == 1
    assert set(find_recipes([plugin_directory()]).recipes) == {
        recipe.declaration.name for recipe in RECIPES
    }


def test_every_required_input_is_raw_or_made_by_one_recipe():
    raw = {f"{rule.stem}_{arm}" for rule in RAW_RULES for arm in rule.arms}
    raw |= {f"{stem}_NIR" for stem in OFF_STEMS.values()} | {"FLAT_D2_VIS"}
    raw |= {"IMG_FLAT_ACQ", "IMG_STD_ACQ", "IMG_OBJECT_ACQ"}
    raw |= {f"{stem}_{arm}" for stem in OVERRIDE_STEMS for arm in ("VIS", "NIR")}
    # A product of both arms has a tag that names none.
    made = [
        tag
        for recipe in RECIPES
        for tag in dict.fromkeys(
            product.tag_of(arm)
            for product in recipe.declaration.products
            for arm in recipe.declaration.arms
        )
    ]
    # The three observing modes give the same products, whatever leads to them.
    once = [tag for tag in made if "_SKY_SUB_" not in tag and "_SKY_MODEL_" not in tag]
    assert len(once) == len(set(once))
    for recipe in RECIPES:
        for tag, _, item in recipe.declaration.tags():
            if item.kind is Kind.RAW:
                assert tag in raw
            elif item.kind is Kind.CALIB:
                assert tag in made
