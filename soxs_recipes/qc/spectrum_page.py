"""The page of a calibrated spectrum: what an astronomer shows of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import QTable
from numpy.typing import NDArray

from soxs_recipes.algorithms.quality import has
from soxs_recipes.products.sdp_reader import read_sdp
from soxs_recipes.products.writing import explained_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

SIZE_INCH, DOTS_PER_INCH = (12.0, 6.75), 160
DEEP_TRANSMISSION = 0.9
# Strong telluric bands, shaded where the product does not tell its transmission.
TELLURIC_BANDS_NM = (
    (686, 695),
    (716, 734),
    (759, 771),
    (813, 835),
    (892, 985),
    (1105, 1170),
    (1265, 1275),
    (1330, 1500),
    (1775, 1980),
)
ARM_JOIN_NM = (800.0, 845.0)
TICKS_NM = (350, 400, 500, 600, 700, 800, 1000, 1200, 1400, 1700, 2000)
INK, BAND, SHADE, JOIN = "#12355b", "#7fa8d1", "#f6ead3", "#8c8c8c"
# What is left of saturated bands after a correction is noise.
_LEAST_TRANSMISSION = 0.1
# Bins are averaged to an element of resolution, and further until the noise is this small.
_WANTED_SNR, _MOST_ELEMENTS = 8.0, 4
_SIGNIFICANT, _TALLEST = 3.0, 2.5


def draw_spectrum_page(product: Path, *pictures: Path) -> None:
    """Draw the page of a SCI_SLIT_FLUX product.

    Parameters
    ----------
    product : Path
        The product; nothing else is needed.
    pictures : Path
        Files to write, of the kinds their suffixes name (.png, .pdf).

    Raises
    ------
    ProductError
        If one cannot be written.
    """
    page = spectrum_figure(read_sdp(product))
    for picture in pictures:
        save_page(page, picture)


def save_page(page: Figure, picture: Path) -> None:
    """Write a page; later pictures of it have the layout of the first."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(page)
    # Without dates and names of programs the same product gives the same picture.
    blank = {".png": {"Software": None}, ".pdf": {"CreationDate": None, "Producer": None}}
    with explained_write(picture):
        page.savefig(picture, dpi=DOTS_PER_INCH, metadata=blank.get(picture.suffix))
    page.set_layout_engine("none")


def spectrum_figure(table: QTable) -> Figure:
    """Flux with its error and signal-to-noise ratio against wavelength."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=SIZE_INCH, layout="constrained")
    grid = figure.add_gridspec(2, 1, height_ratios=(4, 1), hspace=0.02)
    flux_axes = figure.add_subplot(grid[0])
    snr_axes = figure.add_subplot(grid[1], sharex=flux_axes)
    seen = shown(table)
    _draw_flux(flux_axes, seen)
    _draw_snr(snr_axes, seen)
    for axes in (flux_axes, snr_axes):
        _mark_ranges(axes, seen)
    _title(figure, flux_axes, seen)
    return figure


@dataclass(frozen=True)
class Shown:
    """The values that are drawn, means over a few bins of the product.

    Attributes
    ----------
    wave, flux, error, transmission : ndarray
        Means of the good bins, NaN where there are none; the flux is the corrected one where there
        is one.
    snr : ndarray
        Signal-to-noise ratio of a bin of the product.
    power : int
        Power of ten that the flux is given in.
    meta : mapping
        Header of the product.
    """

    wave: Array
    flux: Array
    error: Array
    transmission: Array
    snr: Array
    power: int
    meta: Mapping[str, Any]


def shown(table: QTable) -> Shown:
    """Choose and average what is drawn of a product."""
    name = "FLUX_TELLURIC" if table.meta.get("TELLCORR") else "FLUX"
    flux, error = _plain(table[name]), _plain(table[name.replace("FLUX", "ERR")])
    good = np.isfinite(flux) & (error > 0) & ~has(_plain(table["QUAL"]).astype(np.uint16))
    step = _step(table)
    if name == "FLUX_TELLURIC":
        good &= ~(_plain(table["TRANSMISSION"]) < _LEAST_TRANSMISSION)
    number = _means(good.astype(float), step) * step
    mean = _means(np.where(good, flux, np.nan), step)
    variance = _means(np.where(good, error**2, np.nan), step)
    typical = float(np.nanmedian(np.abs(mean))) if np.isfinite(mean).any() else 0.0
    spread = np.sqrt(variance / np.maximum(number, 1))
    return Shown(
        wave=_means(table["WAVE"].value, step),
        flux=mean,
        error=spread,
        transmission=_means(_plain(table["TRANSMISSION"]), step),
        snr=mean / np.sqrt(variance),
        power=int(np.floor(np.log10(typical))) if typical > 0 else 0,
        meta=table.meta,
    )


def _step(table: QTable) -> int:
    """Bins that are averaged: an element of resolution, several where the signal is weak."""
    wave = table["WAVE"].value
    bins = 1 / float(table.meta.get("SPEC_RES", 4500.0)) / float(np.median(np.diff(np.log(wave))))
    element = max(1, round(bins))
    snr = max(float(table.meta.get("SNR", 0.0)), 0.1) * np.sqrt(element)
    return element * int(np.clip(np.ceil((_WANTED_SNR / snr) ** 2), 1, _MOST_ELEMENTS))


def _means(values: Array, step: int) -> Array:
    """Means of groups of values that are not NaN."""
    groups = values[: len(values) // step * step].reshape(-1, step)
    known = np.isfinite(groups)
    number = known.sum(axis=1)
    total = np.where(known, groups, 0.0).sum(axis=1)
    return np.divide(total, number, out=np.full(len(groups), np.nan), where=number > 0)


def _plain(values: Any) -> Array:
    return np.asarray(getattr(values, "value", values), float)


def _draw_flux(axes: Axes, seen: Shown) -> None:
    scale = 10.0**-seen.power
    flux, error = seen.flux * scale, seen.error * scale
    band = axes.fill_between(seen.wave, flux - error, flux + error, color=BAND, lw=0, alpha=0.7)
    (line,) = axes.plot(seen.wave, flux, color=INK, lw=0.7)
    low, high = _limits(flux, error)
    axes.set_ylim(low, high)
    axes.axhline(0, color=JOIN, lw=0.5)
    axes.set_ylabel(_flux_label(seen))
    axes.tick_params(labelbottom=False)
    handles, labels = [line, band], ["flux", "1σ error"]
    handles.append(axes.fill_between([], [], [], color=SHADE, lw=0))
    labels.append("telluric absorption" + (", corrected" if seen.meta.get("TELLCORR") else ""))
    axes.legend(handles, labels, loc="upper right", framealpha=0.9, edgecolor="none", fontsize=10)


def _limits(flux: Array, error: Array) -> tuple[float, float]:
    """Range that holds what is significant, with room for the legend."""
    # What noise alone makes high is not.
    known = (flux - _SIGNIFICANT * error)[flux > 2 * _SIGNIFICANT * error]
    if not known.size:
        known = flux[np.isfinite(flux)]
    if not known.size:
        return 0.0, 1.0
    # Emission lines are shown whole unless they would press the rest down.
    high = min(float(known.max()), _TALLEST * float(np.percentile(known, 98.0)))
    room = 0.18 * high if high > 0 else 1.0
    return min(-0.4 * room, float(known.min())), high + room


def _flux_label(seen: Shown) -> str:
    factor = rf"$10^{{{seen.power}}}$ "
    if seen.meta.get("FLUXCAL") == "ABSOLUTE":
        return rf"$F_\lambda$  [{factor}erg s$^{{-1}}$ cm$^{{-2}}$ Å$^{{-1}}$]"
    return f"counts over blaze  [{factor}s$^{{-1}}$ nm$^{{-1}}$]"


def _draw_snr(axes: Axes, seen: Shown) -> None:
    axes.plot(seen.wave, seen.snr, color=INK, lw=0.5)
    known = seen.snr[np.isfinite(seen.snr)]
    axes.set_ylim(0, 1.15 * np.percentile(known, 99.5) if known.size else 1)
    axes.set_ylabel("S/N per bin")
    medium = "vacuum" if seen.meta.get("AIRORVAC") == "VACUUM" else "air"
    frame = ", barycentric" if seen.meta.get("SPECSYS") == "BARYCENT" else ""
    axes.set_xlabel(f"wavelength in {medium}{frame}  [nm]")


def _mark_ranges(axes: Axes, seen: Shown) -> None:
    """Shade telluric bands, mark where the arms join, set the axis of wavelengths."""
    first, last = float(seen.wave[0]), float(seen.wave[-1])
    axes.set_xscale("log")
    axes.set_xlim(first, last)
    axes.set_xticks([tick for tick in TICKS_NM if first < tick < last])
    axes.set_xticks([], minor=True)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0f}")
    for low, high in _telluric_ranges(seen):
        axes.axvspan(max(low, first), min(high, last), color=SHADE, lw=0, zorder=-2)
    if _is_joined(seen):
        middle = sum(ARM_JOIN_NM) / 2
        axes.axvline(middle, color=JOIN, lw=0.8, ls=(0, (4, 3)), zorder=-1)
        if axes.get_xlabel() == "":
            for text, side, shift in (("UV-VIS", "right", -6), ("NIR", "left", 6)):
                axes.annotate(
                    text,
                    (middle, 0.965),
                    (shift, 0),
                    xycoords=("data", "axes fraction"),
                    textcoords="offset points",
                    ha=side,
                    va="top",
                    color=JOIN,
                    fontsize=10,
                )


def _telluric_ranges(seen: Shown) -> list[tuple[float, float]]:
    """Ranges of wavelength with telluric absorption."""
    if not np.isfinite(seen.transmission).any():
        first, last = seen.wave[0], seen.wave[-1]
        return [band for band in TELLURIC_BANDS_NM if band[1] > first and band[0] < last]
    deep = np.concatenate([[False], seen.transmission < DEEP_TRANSMISSION, [False]])
    starts = np.flatnonzero(deep[1:] & ~deep[:-1])
    ends = np.flatnonzero(~deep[1:] & deep[:-1]) - 1
    half = np.gradient(seen.wave) / 2
    pairs = zip(starts, ends, strict=True)
    return [(seen.wave[i] - half[i], seen.wave[j] + half[j]) for i, j in pairs]


def _title(figure: Figure, axes: Axes, seen: Shown) -> None:
    from astropy.time import Time

    meta = seen.meta
    start = Time(float(meta["MJD-OBS"]), format="mjd").strftime("%Y-%m-%d %H:%M UT")
    notes = [start, f"{float(meta['EXPTIME']):.0f} s", f"median S/N {_median_snr(seen)}"]
    if meta.get("FLUXBAND"):
        notes.append(f"scaled to {meta['FLUXBAND']} photometry")
    axes.set_title(str(meta.get("OBJECT", "")), loc="left", fontsize=17, fontweight="bold")
    axes.set_title("   ".join(notes), loc="right", fontsize=11, color="#444444")
    figure.text(0.995, 0.006, "SOXS, ESO NTT", ha="right", va="bottom", fontsize=8, color=JOIN)


def _median_snr(seen: Shown) -> str:
    """Signal-to-noise ratio per bin, of each arm where there are two."""
    if not _is_joined(seen):
        return f"{float(seen.meta['SNR']):.0f}"
    blue = seen.wave < sum(ARM_JOIN_NM) / 2
    values = [seen.snr[part & np.isfinite(seen.snr)] for part in (blue, ~blue)]
    texts = [f"{np.median(part):.0f}" if part.size else "0" for part in values]
    return f"{texts[0]} UV-VIS, {texts[1]} NIR"


def _is_joined(seen: Shown) -> bool:
    return bool(seen.wave[0] < ARM_JOIN_NM[0] and seen.wave[-1] > ARM_JOIN_NM[1])
