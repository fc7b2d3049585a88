"""Pages of the recipes for exposures of the sky: sky subtraction and extraction."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

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

_WINDOW = (120, 300)
"""Half height and half length, across and along dispersion, of the part that is shown."""


def sky_page(products: Products) -> Figure:
    """The part with most sky: before, model, after; what is left in units of its error."""
    path = products.path("SKY_SUB")
    after, error, quality = (image(path, name) for name in ("FLUX", "ERRS", "QUAL"))
    model = image(products.path("SKY_MODEL"), "FLUX")
    along_x = products.dispersion_axis == "x"
    rows, columns = _brightest(model, along_x)
    figure, panels = new_figure(2, 3)
    part = (rows, columns)
    seen = (after + model)[part]
    low, high = np.percentile(seen[np.isfinite(seen)], (1, 99))
    limits = {"vmin": low, "vmax": high}
    good = (quality[part] == 0) & (error[part] > 0)
    ratio = np.where(good, after[part] / np.where(good, error[part], 1), np.nan)
    pictures = (
        ("before", seen, "electron", limits),
        ("model of the sky", model[part], "electron", limits),
        ("after", np.where(good, after[part], np.nan), "electron", {}),
        ("after, over its error", ratio, "sigma", {"vmin": -5, "vmax": 5, "cmap": "coolwarm"}),
    )
    for axes, (title, pixels, label, options) in zip(panels.flat, pictures, strict=False):
        show(axes, pixels, title, label, **options)
        axes.set(xlabel=f"x - {columns.start} / px", ylabel=f"y - {rows.start} / px")
    _against_normal(panels[1, 1], products, after, error, quality, model)
    _offsets(panels[1, 2], products)
    return figure


def _brightest(model: np.ndarray, along_x: bool) -> tuple[slice, slice]:
    """Window around the brightest sky."""
    halves = _WINDOW if along_x else _WINDOW[::-1]
    known = np.nan_to_num(model)
    block = 64
    height, width = (size // block for size in known.shape)
    blocks = known[: height * block, : width * block].reshape(height, block, width, block)
    y, x = np.unravel_index(np.argmax(blocks.mean(axis=(1, 3))), (height, width))
    centre = (y * block + block // 2, x * block + block // 2)
    starts = [
        int(np.clip(middle - half, 0, max(size - 2 * half, 0)))
        for middle, half, size in zip(centre, halves, known.shape, strict=True)
    ]
    return tuple(slice(start, start + 2 * half) for start, half in zip(starts, halves, strict=True))


def _against_normal(
    axes: Axes,
    products: Products,
    after: np.ndarray,
    error: np.ndarray,
    quality: np.ndarray,
    model: np.ndarray,
) -> None:
    inside = (quality == 0) & (error > 0) & (model != 0)
    histogram(axes, (after[inside] / error[inside]), "", "after / error")
    lines, between = products.qc("SKY RES LINES"), products.qc("SKY RES BETWEEN")
    axes.set(title=f"scatter over error: lines {lines:.2f}, between {between:.2f}")


def _offsets(axes: Axes, products: Products) -> None:
    """Flexure that was found in each exposure, with errors."""
    rows = [table(path, "GEOMETRY")[0] for path in products.all("SKY_SUB")]
    for name, colour in (("DX", BLUE), ("DY", RED)):
        values, errors = ([row[key] for row in rows] for key in (name, f"{name}_ERR"))
        axes.errorbar(
            range(1, len(rows) + 1),
            values,
            np.nan_to_num(errors),
            fmt="o",
            color=colour,
            label=name,
        )
    axes.axhline(0, color=GREY, lw=0.8)
    axes.legend(fontsize=8)
    axes.set(title="flexure", xlabel="product", ylabel="px", xlim=(0.5, len(rows) + 0.5))


def extraction_page(products: Products) -> Figure:
    """Profile and trace of the object, extracted orders, combined spectrum."""
    objects = products.path("OBJECT_TAB")
    figure, panels = new_figure(2, 2, width_ratios=(1, 1.6))
    _profile(panels[0, 0], objects)
    _trace(panels[1, 0], table(objects, "TRACE"))
    _orders(panels[0, 1], table(products.path("SPECTRUM_ORDERS"), "SPECTRUM"))
    _combined(panels[1, 1], table(products.path("SPECTRUM_1D"), "SPECTRUM"), products)
    return figure


def _profile(axes: Axes, path) -> None:
    profile, objects = table(path, "PROFILE"), table(path, "OBJECTS")
    axes.errorbar(
        profile["SLIT"], profile["FLUX"], profile["ERR"], fmt=".-", ms=3, lw=0.8, color=BLUE
    )
    for row in objects:
        axes.axvline(row["SLIT"], color=RED if row["USED"] else GREY, lw=1)
    axes.set(title="light along the slit (red: extracted)", xlabel="slit position / arcsec")
    axes.set(ylabel="electron / arcsec")


def _trace(axes: Axes, trace: np.ndarray) -> None:
    for order in np.unique(trace["ORDER"]):
        ours = trace["ORDER"] == order
        axes.plot(trace["WAVE"][ours], trace["SLIT"][ours], lw=1.2, color=BLUE)
        axes.fill_between(
            trace["WAVE"][ours],
            (trace["SLIT"] - trace["FWHM"] / 2)[ours],
            (trace["SLIT"] + trace["FWHM"] / 2)[ours],
            color=BLUE,
            alpha=0.15,
            lw=0,
        )
    axes.set(title="trace and FWHM", xlabel="wavelength / nm", ylabel="slit position / arcsec")


def _orders(axes: Axes, spectrum: np.ndarray) -> None:
    good = spectrum["QUAL"] == 0
    for order in np.unique(spectrum["ORDER"]):
        ours = good & (spectrum["ORDER"] == order)
        axes.plot(spectrum["WAVE"][ours], spectrum["FLUX"][ours], lw=0.4)
    beside = spectrum["BACKGROUND"]
    if np.any(beside[good] != 0):
        lit = np.where(good, beside, np.nan)
        axes.plot(spectrum["WAVE"], lit, ".", ms=0.8, color=GREY, label="light of others, left out")
        axes.legend(fontsize=8)
    _limits(axes, spectrum["FLUX"][good])
    axes.set(title="extracted orders", xlabel="wavelength / nm", ylabel="electron per bin")


def _combined(axes: Axes, spectrum: np.ndarray, products: Products) -> None:
    good = spectrum["QUAL"] == 0
    axes.plot(spectrum["WAVE"][good], spectrum["FLUX"][good], lw=0.4, color=BLUE, label="object")
    axes.plot(spectrum["WAVE"][good], spectrum["ERR"][good], lw=0.4, color=ORANGE, label="error")
    _limits(axes, spectrum["FLUX"][good])
    axes.legend(fontsize=8)
    axes.set(title=f"orders combined, median S/N {products.qc('SNR MEDIAN'):.1f} per pixel")
    axes.set(xlabel="wavelength / nm", ylabel="electron s$^{-1}$ nm$^{-1}$ over the blaze")


def _limits(axes: Axes, values: np.ndarray) -> None:
    known = values[np.isfinite(values)]
    if known.size:
        low, high = np.percentile(known, (0.5, 99.5))
        margin = 0.15 * (high - low) or 1.0
        axes.set_ylim(min(low, 0) - margin, high + margin)
