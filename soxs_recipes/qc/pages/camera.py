"""Page of images of the acquisition camera: the finding chart."""

from __future__ import annotations

from matplotlib.figure import Figure

from soxs_recipes.qc.finding_chart import finding_chart
from soxs_recipes.qc.pages.figures import Products


def chart_page(products: Products) -> Figure:
    """Finding chart of the first image: stars of the catalogue, target and slit."""
    return finding_chart(products.path("IMAGE"), products.path("PHOT_TAB"))
