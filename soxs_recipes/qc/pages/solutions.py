"""Pages of the recipes that make a dispersion solution from arc lines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.table import Table
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from soxs_recipes.qc.pages.figures import BLUE, GREY, RED, Products, new_figure, table

# Residuals are magnified so that this one is as long as the arrow of the legend.
_KEY_PX = 0.1
_KEY_LENGTH = 0.04


def centre_page(products: Products) -> Figure:
    """Lines through the pinhole against the solution of the slit centre."""
    return _lines_page(products, products.path("DISP_TAB"))


def _lines_page(products: Products, path: Path) -> Figure:
    lines, frame = table(path, "LINES"), table(path, "FRAME")
    used = lines["USED"] == 1
    along_x = products.dispersion_axis == "x"
    names = ("X", "Y") if along_x else ("Y", "X")
    figure, panels = new_figure(2, 2, width_ratios=(1.2, 1))
    shape = int(frame["ROWS"][0]), int(frame["COLUMNS"][0])
    _map(panels[0, 0], lines, used, shape)
    titles = ("along dispersion", "across dispersion")
    for axes, name, title in zip(panels[:, 1], names, titles, strict=True):
        _residuals(axes, lines, used, name, title)
    _resolution(panels[1, 0], lines[used])
    return figure


def _map(axes: Axes, lines: Table, used: np.ndarray, shape: tuple[int, int]) -> None:
    """Lines on the detector; arrows are residuals, magnified."""
    scale = _KEY_PX / _KEY_LENGTH
    good = lines[used]
    arrows = axes.quiver(
        good["X"],
        good["Y"],
        good["X"] - good["X_FIT"],
        good["Y"] - good["Y_FIT"],
        color=BLUE,
        scale=scale,
        scale_units="width",
        width=0.002,
    )
    axes.quiverkey(arrows, 0.85, 1.03, _KEY_PX, f"{_KEY_PX:g} px", labelpos="E")
    axes.plot(good["X"], good["Y"], ".", ms=1.5, color=BLUE)
    axes.plot(lines["X_FIT"][~used], lines["Y_FIT"][~used], "x", ms=3, mew=0.6, color=RED)
    axes.set(title="lines (red: missed or rejected)", xlabel="x / px", ylabel="y / px")
    axes.set(xlim=(-0.5, shape[1] - 0.5), ylim=(-0.5, shape[0] - 0.5))


def _residuals(axes: Axes, lines: Table, used: np.ndarray, name: str, title: str) -> None:
    residual = lines[name] - lines[f"{name}_FIT"]
    for order in np.unique(lines["ORDER"]):
        ours = used & (lines["ORDER"] == order)
        axes.plot(lines["WAVE"][ours], residual[ours], ".", ms=3, label=str(order))
    axes.axhline(0, color=GREY, lw=0.8)
    rms = np.sqrt(np.mean(residual[used] ** 2))
    axes.set(title=f"{title}: measured minus fitted, rms {rms:.3f} px")
    axes.set(xlabel="wavelength / nm", ylabel=f"{name.lower()} / px")


def _resolution(axes: Axes, lines: Table) -> None:
    for order in np.unique(lines["ORDER"]):
        ours = lines["ORDER"] == order
        axes.plot(lines["WAVE"][ours], _resolving_power(lines[ours]), ".", ms=3, label=str(order))
    axes.legend(title="order", fontsize=7, ncols=3)
    axes.set(title="resolving power", xlabel="wavelength / nm", ylabel="R")


def _resolving_power(lines: Table) -> np.ndarray:
    """Wavelength over the width in wavelength, by the positions of the lines of one order."""
    wave = np.asarray(lines["WAVE"])
    name = "X" if np.ptp(lines["X"]) > np.ptp(lines["Y"]) else "Y"
    degree = min(3, len(np.unique(wave)) - 1)
    if degree < 1:
        return np.full(len(wave), np.nan)
    series = np.polynomial.Chebyshev.fit(wave, lines[f"{name}_FIT"], degree)
    return wave * np.abs(series.deriv()(wave)) / lines[f"FWHM_{name}"]
