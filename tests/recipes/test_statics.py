"""Static calibrations and products of observations, as the machinery handles them."""

import hashlib
from importlib.resources import files

import pytest
from astropy.io import fits

from soxs_recipes.cpl_bridge import cpl
from soxs_recipes.errors import ArmMismatchError, EmptyInputError, UnreadableFrameError
from soxs_recipes.recipes.base import Result, SoxsRecipe, drawn
from soxs_recipes.recipes.common import PRODUCT_SUFFIX
from soxs_recipes.recipes.declarations import Declaration, Hdu, Input, Product, Qc
from soxs_recipes.recipes.statics import ARC_LINES, static_path

BIAS = Input("BIAS_VIS", "frames", arms=("VIS",))
DARK = Input("DARK_NIR", "frames", minimum=0, arms=("NIR",))
TABLE = Product(
    "SCI_THING_{arm}", "a thing", (Hdu("FLUX", "f4", "", "number"),), per_observation=True
)
NOTE = Product("SCI_NOTE_{arm}", "a note on it", (), per_observation=True, suffix=".txt")


def recipe_of(process, **changes):
    """A recipe class whose `process` is a function."""
    fields = {
        "name": "soxs_thing",
        "synopsis": "Make a thing",
        "description": "Make a thing.",
        "arms": ("VIS",),
        "inputs": (BIAS, ARC_LINES),
        "products": (TABLE, NOTE),
        "parameters": (PRODUCT_SUFFIX,),
        "qc": (Qc("N", "", "number", int),),
        "example": (),
    }
    declared = Declaration(**(fields | changes))

    class Thing(SoxsRecipe):
        declaration = declared

        def process(self, run):
            return process(run)

    return Thing


def thing(run, frames=(), arm=""):
    import numpy as np

    return Result(TABLE, {"FLUX": np.zeros((2, 2))}, {"N": 1}, 1.0, frames=frames, arm=arm)


def test_static_of_the_package_is_used_and_recorded(simulated, run_recipe):
    seen = []
    recipe = recipe_of(lambda run: [seen.append(static_path(run, ARC_LINES)) or thing(run)])
    raw = simulated("bias", arm="VIS", frames=3)
    (path,) = run_recipe(recipe, (raw, "BIAS_VIS")).values()
    packaged = files("soxs_recipes.calib") / "arc_lines_vis.ecsv"
    assert seen[0].samefile(str(packaged))
    header = fits.getheader(path)
    names = {header[f"ESO PRO REC1 CAL{n} CATG"]: n for n in (1, 2)}
    number = names["ARC_LINES_VIS"]
    assert header[f"ESO PRO REC1 CAL{number} NAME"] == "arc_lines_vis.ecsv"
    md5 = hashlib.md5(packaged.read_bytes(), usedforsecurity=False).hexdigest()
    assert header[f"ESO PRO REC1 CAL{number} DATAMD5"] == md5


def test_static_of_the_set_replaces_it(simulated, run_recipe, tmp_path):
    seen = []
    recipe = recipe_of(lambda run: [seen.append(static_path(run, ARC_LINES)) or thing(run)])
    own = tmp_path / "own.ecsv"
    own.write_text("mine\n")
    raw = simulated("bias", arm="VIS", frames=3)
    run_recipe(recipe, (raw, "BIAS_VIS"), ([own], "ARC_LINES_VIS"))
    assert seen == [own]


def test_missing_static_and_statics_alone_are_refused(simulated, run_recipe, tmp_path):
    recipe = recipe_of(lambda run: [thing(run)])
    raw = simulated("bias", arm="VIS", frames=3)
    gone = tmp_path / "gone.ecsv"
    gone.write_text("")
    frames = cpl.ui.FrameSet([cpl.ui.Frame(str(gone), "ARC_LINES_VIS")])
    with pytest.raises(EmptyInputError, match="static calibrations alone"):
        recipe().run(frames, {})
    frames.append(cpl.ui.Frame(str(raw[0]), "BIAS_VIS"))
    gone.unlink()
    with pytest.raises(UnreadableFrameError, match="no such file"):
        recipe().run(frames, {})


def test_products_of_one_observation_are_named_by_its_start(simulated, run_recipe, tmp_path):
    """Two products of one tag: each lists the raw frames that it was made from."""
    recipe = recipe_of(lambda run: [thing(run, run.inputs.frames[n:]) for n in (0, 2)])
    raw = simulated("bias", arm="VIS", frames=3)
    run_recipe(recipe, (raw, "BIAS_VIS"))
    made = sorted(tmp_path.glob("sci_thing_vis_*.fits"))
    starts = [fits.getheader(path)["MJD-OBS"] for path in (raw[0], raw[2])]
    assert [path.name for path in made] == [f"sci_thing_vis_{mjd:.7f}.fits" for mjd in starts]
    headers = [fits.getheader(path) for path in made]
    assert [len(header["ESO PRO REC1 RAW* NAME"]) for header in headers] == [3, 1]
    assert headers[1]["ESO PRO REC1 RAW1 NAME"] == raw[2].name
    assert headers[1]["MJD-OBS"] == starts[1]


def test_a_drawn_product_sees_the_finished_ones(simulated, run_recipe):
    def note(finished, path):
        (made,) = finished["SCI_THING_VIS"]
        path.write_text(fits.getheader(made)["PIPEFILE"])

    recipe = recipe_of(lambda run: [drawn(NOTE, note), thing(run)])
    products = run_recipe(recipe, (simulated("bias", arm="VIS", frames=3), "BIAS_VIS"))
    text = products["SCI_NOTE_VIS"].read_text()
    assert text == products["SCI_THING_VIS"].name
    assert products["SCI_NOTE_VIS"].suffix == ".txt"


def test_arms_are_mixed_only_where_a_recipe_joins_them(simulated, run_recipe):
    seen = {}

    def process(run):
        seen.update({arm: len(run.inputs.of(item, arm)) for arm, item in pairs})
        return [thing(run, arm="VIS"), thing(run, arm="NIR")]

    pairs = (("VIS", BIAS), ("NIR", DARK))
    given = {"arms": ("VIS", "NIR"), "inputs": (BIAS, DARK)}
    sets = (
        (simulated("bias", arm="VIS", frames=3), "BIAS_VIS"),
        (simulated("dark", arm="NIR", frames=2), "DARK_NIR"),
    )
    products = run_recipe(recipe_of(process, joint=True, **given), *sets)
    assert seen == {"VIS": 3, "NIR": 2}
    assert set(products) == {"SCI_THING_VIS", "SCI_THING_NIR"}
    with pytest.raises(ArmMismatchError, match="mixes arms"):
        run_recipe(recipe_of(process, **given), *sets)
