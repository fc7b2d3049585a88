"""Pages of the detector recipes: master bias and dark, response and bad pixels."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from soxs_recipes.algorithms.quality import Quality, has
from soxs_recipes.qc.pages.figures import (
    BLUE,
    GREY,
    ORANGE,
    RED,
    Products,
    histogram,
    image,
    new_figure,
    show,
    table,
)

_BAD = (Quality.DEAD, Quality.HOT, Quality.NOISY, Quality.NONLINEAR)


def stack_page(products: Products) -> Figure:
    """Master frame: image, histograms, medians along both axes."""
    tag = next(iter(products.files))
    path = products.files[tag][0]
    flux, error = image(path, "FLUX"), image(path, "ERRS")
    good = image(path, "QUAL") == 0
    figure, panels = new_figure(2, 3, width_ratios=(1.3, 1, 1))
    show(panels[0, 0], flux, tag, "signal")
    show(panels[1, 0], error, "standard error", "standard error")
    histogram(panels[0, 1], flux[good], f"{good.mean():.3%} of pixels good", "signal")
    histogram(panels[1, 1], error[good], "", "standard error")
    masked = np.where(good, flux, np.nan)
    _medians(panels[0, 2], masked, 0, "x / px")
    _medians(panels[1, 2], masked, 1, "y / px")
    return figure


def _medians(axes: Axes, flux: np.ndarray, axis: int, label: str) -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # lines without a good pixel
        median = np.nanmedian(flux, axis=axis)
    axes.plot(median, lw=0.6, color=BLUE)
    axes.set(xlabel=label, ylabel="median signal")


def response_page(products: Products) -> Figure:
    """Photon transfer, departure from a linear response, bad pixels."""
    figure, panels = new_figure(2, 2)
    _photon_transfer(panels[0, 0], products)
    _linearity(panels[0, 1], panels[1, 1], products)
    _bad_pixels(panels[1, 0], products)
    return figure


def _photon_transfer(axes: Axes, products: Products) -> None:
    gain = table(products.path("GAIN_TAB"), "GAIN")[0]
    points = table(products.path("GAIN_TAB"), "TRANSFER")
    signal = np.sort(points["SIGNAL"])
    ron_adu = gain["RON"] / gain["GAIN"]
    model = ron_adu**2 + gain["PHOTON_FACTOR"] * signal / gain["GAIN"]
    axes.plot(points["SIGNAL"], points["VARIANCE"], ".", ms=4, color=BLUE)
    axes.plot(signal, model, color=RED, lw=1)
    axes.set(
        title=f"gain {gain['GAIN']:.3f} e-/ADU, read noise {gain['RON']:.2f} e-",
        xlabel="signal / ADU",
        ylabel="variance / ADU$^2$",
        xscale="log",
        yscale="log",
    )


def _linearity(upper: Axes, lower: Axes, products: Products) -> None:
    path = products.path("LINEARITY_TAB")
    levels, limit = table(path, "LEVELS"), table(path, "LIMITS")[0]
    for axes, column, title in (
        (upper, "DEPARTURE", "departure from linear"),
        (lower, "RESIDUAL", "after the correction"),
    ):
        axes.plot(levels["SIGNAL"], 100 * levels[column], ".", ms=4, color=BLUE)
        axes.axhline(0, color=GREY, lw=0.8)
        axes.axvline(limit["LIMIT"], color=RED, lw=1, label="limit")
        axes.axvline(limit["SATURATION"], color=ORANGE, lw=1, ls="--", label="saturation")
        axes.set(title=title, xlabel="signal / ADU", ylabel="per cent")
    upper.legend(fontsize=8)


def _bad_pixels(axes: Axes, products: Products) -> None:
    quality = image(products.path("BP_MAP"), "QUAL")
    for bit, colour in zip(_BAD, (BLUE, RED, ORANGE, "k"), strict=True):
        y, x = np.nonzero(has(quality, bit))
        label = f"{bit.name.lower().replace('_', ' ')}: {x.size}"
        axes.plot(x[:20000], y[:20000], ",", color=colour, label=label)
    axes.legend(fontsize=8, markerscale=20, loc="upper right")
    rows, columns = quality.shape
    axes.set(title="bad pixels", xlabel="x / px", ylabel="y / px")
    axes.set(xlim=(0, columns), ylim=(0, rows))
