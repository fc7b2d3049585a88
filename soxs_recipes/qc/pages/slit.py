"""Pages of the recipes for the whole slit: wavelengths, line check, rectified orders."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

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


def map_page(products: Products) -> Figure:
    """Maps of wavelength and slit position, residuals of the lines."""
    path = products.path("DISP_IMAGE")
    order = image(path, "ORDER")
    lines = table(products.path("DISP_TAB_2D"), "LINES")
    used = lines["USED"] == 1
    figure, panels = new_figure(2, 2, width_ratios=(1.1, 1))
    for axes, name, unit in ((panels[0, 0], "WAVELENGTH", "nm"), (panels[1, 0], "SLIT", "arcsec")):
        pixels = np.where(order > 0, image(path, name), np.nan)
        low, high = np.nanmin(pixels), np.nanmax(pixels)
        show(axes, pixels, name.lower(), f"{name.lower()} / {unit}", vmin=low, vmax=high)
    for axes, name in zip(panels[:, 1], ("X", "Y"), strict=True):
        residual = (lines[name] - lines[f"{name}_FIT"])[used]
        drawn = axes.scatter(
            lines["WAVE"][used], residual, s=2, c=lines["SLIT"][used], cmap="coolwarm"
        )
        figure.colorbar(drawn, ax=axes, label="slit position / arcsec", pad=0.01)
        axes.axhline(0, color=GREY, lw=0.8)
        rms = np.sqrt(np.mean(residual**2))
        axes.set(title=f"lines: measured minus fitted, rms {rms:.3f} px")
        axes.set(xlabel="wavelength / nm", ylabel=f"{name.lower()} / px")
    return figure


def line_check_page(products: Products) -> Figure:
    """Resolving power, line width and residuals along the orders."""
    path = products.path("LINE_CHECK_TAB")
    lines, orders, offset = table(path, "LINES"), table(path, "ORDERS"), table(path, "OFFSET")[0]
    seen = lines["DETECTED"] == 1
    figure, panels = new_figure(2, 2)
    resolution, width, residuals, spread = panels.flat
    _by_order(resolution, lines, seen, "R")
    resolution.set(title=f"resolving power, median {np.median(lines['R'][seen]):.0f}", ylabel="R")
    resolution.legend(title="order", fontsize=7, ncols=3)
    _by_order(width, lines, seen, "FWHM")
    width.set(title="width of the lines", ylabel="FWHM / px")
    used = seen & (lines["USED"] == 1)
    _by_order(residuals, lines, used, "RESIDUAL")
    residuals.axhline(0, color=GREY, lw=0.8)
    text = ", ".join(
        f"{axis} {offset[f'D{axis}']:+.3f} ± {offset[f'D{axis}_ERR']:.3f} px" for axis in "XY"
    )
    residuals.set(title=f"measured minus expected; flexure {text}", ylabel="px")
    spread.errorbar(orders["ORDER"], orders["SHIFT"], orders["SHIFT_SD"], fmt="o", color=BLUE, ms=4)
    spread.axhline(0, color=GREY, lw=0.8)
    spread.set(title="shift along dispersion, scatter of lines", xlabel="order", ylabel="px")
    return figure


def _by_order(axes: Axes, lines: np.ndarray, chosen: np.ndarray, column: str) -> None:
    for order in np.unique(lines["ORDER"]):
        ours = chosen & (lines["ORDER"] == order)
        axes.plot(lines["WAVE"][ours], lines[column][ours], ".", ms=3, label=str(order))
    axes.set_xlabel("wavelength / nm")


def straightened_page(products: Products) -> Figure:
    """All rectified orders on one grid, their mean along the slit, their noise."""
    path = products.path("STRAIGHTENED")
    flux, error = image(path, "FLUX"), image(path, "ERRS")
    good = error > 0
    figure, panels = new_figure(3, 1)
    upper, middle, lower = panels.flat
    show(upper, np.where(good, flux, np.nan), "rectified orders", "electron")
    upper.set(xlabel="wavelength step", ylabel="slit step")
    counts = np.maximum(good.sum(axis=0), 1)
    middle.plot(np.where(good, flux, 0).sum(axis=0) / counts, lw=0.5, color=BLUE)
    middle.plot(np.where(good, error, 0).sum(axis=0) / counts, lw=0.5, color=RED)
    middle.set(title="mean over the slit (red: error of a cell)", xlabel="wavelength step")
    middle.set(ylabel="electron", xlim=(0, flux.shape[1]))
    histogram(lower, (flux[good] / error[good]), "", "signal / error")
    return figure
