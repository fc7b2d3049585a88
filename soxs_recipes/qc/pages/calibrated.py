"""Pages of the response and of telluric absorption."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from soxs_recipes.qc.pages.figures import BLUE, GREY, RED, Products, new_figure, table


def response_page(products: Products) -> Figure:
    """Response and efficiency by order, with what they were fitted to."""
    response = table(products.path("RESP_TAB"), "RESPONSE")
    points = table(products.path("EFFICIENCY_TAB"), "EFFICIENCY")
    used = points["USED"] == 1
    figure, panels = new_figure(3, 1, sharex=True)
    efficiency, departure, curve = panels.flat
    efficiency.plot(points["WAVE"][~used], 100 * points["EFFICIENCY"][~used], ",", color=GREY)
    efficiency.plot(points["WAVE"][used], 100 * points["EFFICIENCY"][used], ",", color=BLUE)
    for order in np.unique(points["ORDER"]):
        ours = points["ORDER"] == order
        efficiency.plot(points["WAVE"][ours], 100 * points["SMOOTH"][ours], lw=1, color=RED)
        ours = response["ORDER"] == order
        curve.plot(response["WAVE"][ours], response["RESPONSE"][ours], lw=1, label=str(order))
    top = np.nanmax(points["SMOOTH"])
    efficiency.set(ylim=(0, 130 * top), ylabel="efficiency / %")
    efficiency.set_title("telescope and instrument (grey: left out)")
    ratio = points["EFFICIENCY"] / points["SMOOTH"] - 1
    departure.plot(points["WAVE"][used], 100 * ratio[used], ",", color=BLUE)
    departure.axhline(0, color=GREY, lw=0.8)
    departure.set(ylim=(-10, 10), ylabel="from the curve / %")
    curve.set(yscale="log", xlabel="wavelength / nm", ylabel="flux per electron s$^{-1}$ nm$^{-1}$")
    curve.legend(title="order", fontsize=7, ncols=4)
    return figure


def telluric_page(products: Products) -> Figure:
    """Transmission with its error, order by order, and what was fitted."""
    path = products.path("TELLURIC_TAB")
    curve, fit = table(path, "TELLURIC"), table(path, "FIT")
    figure, panels = new_figure(3, 1)
    transmission, error, water = panels.flat
    for order in np.unique(curve["ORDER"]):
        ours = curve["ORDER"] == order
        transmission.plot(curve["WAVE"][ours], curve["TRANSMISSION"][ours], lw=0.5)
        error.plot(curve["WAVE"][ours], curve["ERR"][ours], lw=0.5)
    transmission.set(title="transmission", ylim=(0, 1.05), ylabel="transmission")
    error.set(ylabel="standard error", xlabel="wavelength / nm")
    used = fit["USED"] == 1
    water.plot(fit["ORDER"][used], fit["PWV"][used], "o", color=BLUE, label="water / mm")
    water.plot(fit["ORDER"][used], fit["FWHM"][used], "s", color=RED, label="line spread / px")
    water.legend(fontsize=8)
    water.set(title="fitted in each order", xlabel="order")
    return figure
