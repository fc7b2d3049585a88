"""What all pages share: reading products, panels, the head line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.table import Table
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from soxs_recipes.products.fits_input import open_fits

SIZE_INCH = (11.7, 8.3)
DPI = 110
BLUE, RED, GREY, ORANGE = "#1f5fa8", "#b8322a", "0.55", "#d98200"
_MOST_PIXELS = 1000


@dataclass(frozen=True)
class Products:
    """Product files of one run.

    Attributes
    ----------
    recipe : str
        Name of the recipe.
    files : mapping of str to sequence of Path
        Files by tag.
    """

    recipe: str
    files: Mapping[str, Sequence[Path]]

    def path(self, stem: str) -> Path:
        """First file whose tag holds a stem.

        Raises
        ------
        KeyError
            If there is none.
        """
        return self.all(stem)[0]

    def all(self, stem: str) -> list[Path]:
        """All files whose tag, without role and arm, is a stem."""
        found = [path for tag, paths in self.files.items() if _stem(tag) == stem for path in paths]
        if not found:
            raise KeyError(f"{stem} is none of {', '.join(self.files)}")
        return found

    def has(self, stem: str) -> bool:
        """Whether there is a file whose tag, without role and arm, is a stem."""
        return any(_stem(tag) == stem for tag in self.files)

    @cached_property
    def header(self) -> fits.Header:
        """Primary header of the first product."""
        with open_fits(next(iter(self.files.values()))[0]) as hdus:
            return hdus[0].header

    @property
    def arm(self) -> str:
        """Arm of the products."""
        return next(iter(self.files)).rpartition("_")[2]

    @property
    def dispersion_axis(self) -> str:
        """Detector axis along which wavelength runs."""
        from soxs_recipes.cameras import arm_named

        return arm_named(self.arm).detector.dispersion_axis

    def qc(self, name: str) -> Any:
        """Value of a QC parameter; NaN where it was not measured."""
        return self.header.get(f"ESO QC {name}", np.nan)


def _stem(tag: str) -> str:
    words = tag.split("_")
    return "_".join(words[words[0] in ("SCI", "FLUX", "TELL") : -1])


def image(path: Path, extension: str) -> np.ndarray:
    """Pixels of an extension."""
    with open_fits(path) as hdus:
        return np.asarray(hdus[extension].data)


def table(path: Path, extension: str) -> Table:
    """Table of an extension."""
    with open_fits(path) as hdus:
        data = hdus[extension].data
        return Table({name: np.array(data[name]) for name in data.names})


def new_figure(rows: int, columns: int, **options: Any) -> tuple[Figure, np.ndarray]:
    """Page with panels; options are those of `Figure.subplots`."""
    figure = Figure(figsize=SIZE_INCH, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.08, h_pad=0.08)
    return figure, np.atleast_2d(figure.subplots(rows, columns, squeeze=False, **options))


def save(figure: Figure, products: Products, path: Path) -> None:
    """Write a page under its head line."""
    header = products.header
    observed = str(header.get("DATE-OBS", ""))[:19]
    parts = [products.recipe, products.arm, str(header.get("OBJECT", "")), observed]
    for axes in figure.axes:
        axes.title.set_fontsize(10)
    flagged = int(header.get("QCNOUT", 0))
    warning = f"{flagged} QC out of range" if flagged else ""
    figure.suptitle("   ".join(filter(None, [*parts, warning])), fontsize=11, x=0.02, ha="left")
    figure.savefig(path, dpi=DPI, format="png", metadata={"Software": None})


def show(axes: Axes, pixels: np.ndarray, title: str, label: str, **options: Any) -> None:
    """Image panel, thinned to what a page resolves, stretched from percentile 1 to 99."""
    step = max(1, max(pixels.shape) // _MOST_PIXELS)
    thin = pixels[step // 2 :: step, step // 2 :: step]
    known = thin[np.isfinite(thin) & (thin != 0)]
    low, high = np.percentile(known, (1, 99)) if known.size else (0.0, 1.0)
    limits = {"vmin": low, "vmax": high} | options
    extent = (-0.5, pixels.shape[1] - 0.5, -0.5, pixels.shape[0] - 0.5)
    drawn = axes.imshow(thin, origin="lower", extent=extent, aspect="auto", **limits)
    axes.figure.colorbar(drawn, ax=axes, label=label, pad=0.01, fraction=0.05)
    axes.set(title=title, xlabel="x / px", ylabel="y / px")


def histogram(axes: Axes, values: np.ndarray, title: str, label: str) -> None:
    """Histogram over the central 99.8 % with the median."""
    known = values[np.isfinite(values)]
    if known.size:
        low, high = np.percentile(known, (0.1, 99.9))
        axes.hist(known, bins=120, range=(low, max(high, low + 1e-9)), color=BLUE)
        axes.axvline(np.median(known), color=RED, lw=1)
    axes.set(title=title, xlabel=label, ylabel="number", yscale="log")
