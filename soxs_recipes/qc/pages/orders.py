"""Pages of the order recipes: traces, edges, flat field and blaze."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.polynomial import chebyshev

from soxs_recipes.qc.pages.figures import (
    BLUE,
    GREY,
    RED,
    Products,
    histogram,
    image,
    new_figure,
    show,
    table,
)


def centres_page(products: Products) -> Figure:
    """Traces over the frame and their residuals."""
    path = products.path("ORDER_TAB")
    orders, samples = table(path, "ORDERS"), table(path, "SAMPLES")
    kept = samples["KEPT"] == 1
    figure, panels = new_figure(2, 2, width_ratios=(1.2, 1))
    traces, residuals, widths, counts = panels.flat
    along_x = products.dispersion_axis == "x"
    _plot(traces, samples["PIXEL"][kept], samples["CENTRE"][kept], along_x, ".", BLUE)
    _plot(traces, samples["PIXEL"][~kept], samples["CENTRE"][~kept], along_x, "x", RED)
    traces.set(title="samples of the order centres (red: rejected)", xlabel="x / px")
    traces.set(ylabel="y / px")
    for order in orders["ORDER"]:
        ours = kept & (samples["ORDER"] == order)
        residuals.plot(samples["PIXEL"][ours], samples["RESIDUAL"][ours], ".", ms=2)
    residuals.axhline(0, color=GREY, lw=0.8)
    rms = np.sqrt(np.mean(samples["RESIDUAL"][kept] ** 2))
    residuals.set(title=f"measured minus model, rms {rms:.4f} px", ylabel="px")
    residuals.set(xlabel="pixel along dispersion")
    widths.plot(orders["ORDER"], orders["WIDTH"], "o-", color=BLUE)
    widths.set(title="SD of the pinhole's image", xlabel="order", ylabel="px")
    histogram(counts, samples["RESIDUAL"][kept] / samples["ERROR"][kept], "", "residual / error")
    return figure


def flat_page(products: Products) -> Figure:
    """Pixel response, edges, blaze, background."""
    figure, panels = new_figure(2, 2, width_ratios=(1.2, 1))
    path = products.path("MASTER_FLAT")
    flat = image(path, "FLUX")
    show(panels[0, 0], flat, "pixel response and order edges", "relative response", cmap="gray")
    _edges(panels[0, 0], products, flat.shape)
    _blaze(panels[0, 1], products)
    show(panels[1, 0], image(products.path("BACKGROUND"), "FLUX"), "scattered light", "electron")
    good = image(path, "QUAL") == 0
    title = f"pixel response, SD {np.std(flat[good]):.4f}"
    histogram(panels[1, 1], flat[good], title, "relative response")
    return figure


def _edges(axes: Axes, products: Products, shape: tuple[int, int]) -> None:
    along_x = products.dispersion_axis == "x"
    length = shape[1] if along_x else shape[0]
    pixel = np.linspace(0, length - 1, 200)
    for row in table(products.path("ORDER_TAB_EDGES"), "ORDERS"):
        for name, colour in (("LOWER", BLUE), ("CENTRE", GREY), ("UPPER", RED)):
            across = chebyshev.chebval(2 * pixel / (length - 1) - 1, row[name])
            _plot(axes, pixel, across, along_x, "-", colour)
    axes.set(xlim=(0, shape[1]), ylim=(0, shape[0]))


def _blaze(axes: Axes, products: Products) -> None:
    blaze = table(products.path("BLAZE_TAB"), "BLAZE")
    for order in np.unique(blaze["ORDER"]):
        ours = (blaze["ORDER"] == order) & (blaze["QUAL"] == 0)
        axes.plot(blaze["PIXEL"][ours], blaze["BLAZE"][ours], lw=0.8, label=str(order))
    axes.legend(title="order", fontsize=7, ncols=3)
    axes.set(title="blaze", xlabel="pixel along dispersion", ylabel="relative to the maximum")


def _plot(
    axes: Axes, along: np.ndarray, across: np.ndarray, along_x: bool, style: str, colour: str
) -> None:
    x, y = (along, across) if along_x else (across, along)
    axes.plot(x, y, style, ms=2, lw=0.6, color=colour)
