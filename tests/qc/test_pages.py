"""Quality-control pages: every recipe draws one from its products, and it shows them."""

import numpy as np
import pytest
from matplotlib.image import imread

from soxs_recipes.cpl_bridge import cpl
from soxs_recipes.qc.pages import PAGES, draw_page
from soxs_recipes.recipes import RECIPES

SINGLE = [recipe for recipe in RECIPES if not recipe.declaration.joint]


def test_every_recipe_has_a_page():
    assert set(PAGES) == {recipe.declaration.name for recipe in SINGLE}


@pytest.mark.parametrize("recipe", SINGLE, ids=lambda recipe: recipe.declaration.name)
def test_page_is_a_product_drawn_on_request(recipe, simulated_sof, tmp_path, monkeypatch):
    """The page can be drawn again from the files alone, and it is no empty picture."""
    monkeypatch.chdir(tmp_path)
    frames = recipe().run(cpl.ui.FrameSet(str(simulated_sof(recipe.declaration))), {"plots": True})
    files = {}
    for frame in frames:
        files.setdefault(frame.tag, []).append(tmp_path / frame.file)
    arm = recipe.declaration.example[0][0].rpartition("_")[2]
    (page,) = files.pop(recipe.declaration.page.tag_of(arm))
    pixels = imread(page)
    assert pixels.shape[0] > 600
    assert pixels.shape[1] > 900
    panels = pixels[60:, :, :3].reshape(-1, 3)
    assert np.mean(panels.min(axis=1) < 0.9) > 0.02
    again = tmp_path / "again.png"
    draw_page(recipe.declaration.name, files, again)
    assert np.mean(np.abs(imread(again) - pixels)) < 1e-3
