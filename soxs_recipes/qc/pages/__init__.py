"""Quality-control pages: one picture per recipe, drawn from its product files alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

PAGES = {
    "soxs_astro_phot": "camera.chart_page",
    "soxs_disp_solution": "solutions.centre_page",
    "soxs_extract": "science.extraction_page",
    "soxs_img_mflat": "detector.stack_page",
    "soxs_line_check": "slit.line_check_page",
    "soxs_lingain": "detector.response_page",
    "soxs_mbias": "detector.stack_page",
    "soxs_mdark": "detector.stack_page",
    "soxs_nod": "science.sky_page",
    "soxs_offset": "science.sky_page",
    "soxs_order_centres": "orders.centres_page",
    "soxs_response": "calibrated.response_page",
    "soxs_spatial_solution": "slit.map_page",
    "soxs_spec_mflat": "orders.flat_page",
    "soxs_stare": "science.sky_page",
    "soxs_straighten": "slit.straightened_page",
    "soxs_telluric": "calibrated.telluric_page",
}
"""Module and function that draws the page of each recipe."""


def draw_page(recipe: str, finished: Mapping[str, Sequence[Path]], path: Path) -> None:
    """Draw the page of a recipe.

    Parameters
    ----------
    recipe : str
        Name of the recipe.
    finished : mapping of str to sequence of Path
        Its products by tag.
    path : Path
        PNG file to write.
    """
    from soxs_recipes.qc.pages.figures import Products, save

    module, function = PAGES[recipe].split(".")
    page = getattr(import_module(f"{__name__}.{module}"), function)
    products = Products(recipe, finished)
    save(page(products), products, path)
