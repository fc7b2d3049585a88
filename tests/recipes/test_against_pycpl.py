"""The recipes under ESO's PyCPL, where an interpreter that has it is named.

Set ``SOXS_PYCPL_PYTHON`` to the interpreter of an environment with PyCPL, astropy and scipy.
"""

import os
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest
from astropy.io import fits

import soxs_recipes
from soxs_recipes.cpl_bridge import HAVE_PYCPL, cpl
from soxs_recipes.recipes import RECIPES

# Date and the versions of the libraries; what CPL names in them is not the recipe's doing.
DIFFERENT = {"DATE", "ESO PRO DID", *(f"ESO PRO REC{n} DRS ID" for n in range(1, 9))}

RUN = """
import sys
from soxs_recipes.cpl_bridge import HAVE_PYCPL, cpl
from soxs_recipes.recipes import RECIPES
assert HAVE_PYCPL
recipe = next(r for r in RECIPES if r.declaration.name == sys.argv[1])
recipe().run(cpl.ui.FrameSet(sys.argv[2]), {})
"""


@pytest.fixture
def pycpl_python():
    python = os.environ.get("SOXS_PYCPL_PYTHON")
    if not python:
        pytest.skip("SOXS_PYCPL_PYTHON names no interpreter with PyCPL")
    return python


@pytest.fixture
def importable(tmp_path):
    """Folder from which an interpreter without an installed soxs_recipes imports it whole."""
    package = tmp_path / "lib" / "soxs_recipes"
    package.mkdir(parents=True)
    for part in Path(soxs_recipes.__file__).parent.iterdir():
        (package / part.name).symlink_to(part)
    for name in ("calib", "workflow_files"):
        if not (package / name).exists():
            (package / name).symlink_to(Path(str(files(f"soxs_recipes.{name}"))))
    return package.parent


@pytest.mark.skipif(HAVE_PYCPL, reason="the stand-in is not in use")
@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.declaration.name)
def test_headers_are_the_same_card_by_card(
    recipe, pycpl_python, importable, simulated_sof, tmp_path, monkeypatch
):
    sof = simulated_sof(recipe.declaration)
    real, ours = tmp_path / "real", tmp_path / "ours"
    real.mkdir()
    ours.mkdir()
    subprocess.run(
        [pycpl_python, "-c", RUN, recipe.declaration.name, str(sof)],
        cwd=real,
        env={**os.environ, "PYTHONPATH": str(importable)},
        check=True,
    )
    monkeypatch.chdir(ours)
    recipe().run(cpl.ui.FrameSet(str(sof)), {})
    names = sorted(path.name for path in ours.glob("*.fits"))
    assert names == sorted(path.name for path in real.glob("*.fits"))
    for name in names:
        with fits.open(ours / name) as one, fits.open(real / name) as two:
            for left, right in zip(one, two, strict=True):
                assert cards(left.header) == cards(right.header)


def cards(header):
    return [
        (card.keyword, card.value, card.comment)
        for card in header.cards
        if card.keyword not in DIFFERENT
    ]
