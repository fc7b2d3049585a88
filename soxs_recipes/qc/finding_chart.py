"""The finding chart of an acquisition image: stars of the catalogue, target and slit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.algorithms.star_flags import StarFlag
from soxs_recipes.products.detector_frames import FLUX, read_detector_frame
from soxs_recipes.products.fits_input import open_fits
from soxs_recipes.products.phot_tables import UNCALIBRATED, PhotTable, read_phot_table
from soxs_recipes.products.writing import explained_write

if TYPE_CHECKING:
    from astropy.io import fits
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIZE_INCH, DOTS_PER_INCH = (9.0, 9.6), 130
INSET_ARCSEC = 30.0
MATCHED, UNMATCHED, TARGET, SLIT, INK = "#1769aa", "#b08d00", "#c2185b", "#c2185b", "#222222"
# Grey levels: background, and so many standard deviations of it up to black.
_DARKEST_SIGMA = 12.0
_COMPASS_ARCSEC = 20.0
_RIM_POINTS = 4.0
# Only this many stars without a match are marked, the brightest.
_MOST_UNMATCHED = 300


@dataclass(frozen=True)
class _Chart:
    """What is drawn, from the two products."""

    image: NDArray[np.float32]
    header: fits.Header
    primary: fits.Header
    table: PhotTable

    @property
    def to_sky(self) -> NDArray[np.float64]:
        """Arcsec to the east and north per pixel."""
        names = (("CD1_1", "CD1_2"), ("CD2_1", "CD2_2"))
        return 3600 * np.array([[self.header[name] for name in row] for row in names])

    @property
    def scale_arcsec(self) -> float:
        """Size of a pixel."""
        return float(np.sqrt(abs(np.linalg.det(self.to_sky))))

    @property
    def middle(self) -> tuple[float, float]:
        """Target, or where the slit is: what the inset shows; 1-based pixel."""
        row = self.table.target
        if row is None:
            return float(self.header["SLITX"]), float(self.header["SLITY"])
        return float(self.table.x[row]), float(self.table.y[row])


def draw_finding_chart(image: Path, table: Path, picture: Path) -> None:
    """Draw the finding chart of an acquisition image into a file; see `finding_chart`.

    Parameters
    ----------
    image, table : Path
        SCI_IMAGE_ACQ and PHOT_TAB_ACQ.
    picture : Path
        File to write, of the kind its suffix names (.png, .pdf).

    Raises
    ------
    UnreadableFrameError
        If a product cannot be read.
    ProductError
        If the picture cannot be written.
    """
    figure = finding_chart(image, table)
    with explained_write(picture):
        figure.savefig(picture, dpi=DOTS_PER_INCH)


def finding_chart(image: Path, table: Path) -> Figure:
    """Finding chart of an acquisition image, from its products alone.

    Raises
    ------
    UnreadableFrameError
        If a product cannot be read.
    """
    from matplotlib.figure import Figure

    chart = _read(image, table)
    figure = Figure(figsize=SIZE_INCH, layout="constrained", facecolor="white")
    axes = figure.subplots()
    _draw_field(axes, chart)
    _draw_compass(axes, chart)
    _draw_inset(axes, chart)
    _draw_texts(figure, axes, chart)
    return figure


def _read(image: Path, table: Path) -> _Chart:
    frame, primary = read_detector_frame(image)
    with open_fits(image) as hdus:
        header = hdus[FLUX].header.copy()
    return _Chart(frame.flux, header, primary, read_phot_table(table))


def _show(axes: Axes, chart: _Chart) -> None:
    sample = chart.image[::4, ::4]
    level = float(np.median(sample))
    noise = 1.4826 * float(np.median(np.abs(sample - level)))
    rows, columns = chart.image.shape
    axes.imshow(
        np.arcsinh((chart.image - level) / noise),
        cmap="Greys",
        vmin=-1.0,
        vmax=np.arcsinh(_DARKEST_SIGMA),
        origin="lower",
        extent=(0.5, columns + 0.5, 0.5, rows + 0.5),
        interpolation="nearest",
    )


def _draw_field(axes: Axes, chart: _Chart) -> None:
    _show(axes, chart)
    _draw_stars(axes, chart, 70.0)
    _draw_slit(axes, chart)
    axes.set_xlabel(f"x [px]   (arrows: {_COMPASS_ARCSEC:.0f} arcsec)")
    axes.set_ylabel("y [px]")
    axes.set_xlim(0.5, chart.image.shape[1] + 0.5)
    axes.set_ylim(0.5, chart.image.shape[0] + 0.5)


def _draw_stars(axes: Axes, chart: _Chart, size: float) -> None:
    table = chart.table
    seen = (table.flags & int(StarFlag.NOT_SEEN)) == 0
    other = np.flatnonzero(seen & ~table.is_matched & ~table.is_target)[:_MOST_UNMATCHED]
    ours = np.flatnonzero(table.is_matched)
    for rows, colour, marker, label in (
        (ours, MATCHED, "o", f"catalogue ({len(ours)})"),
        (other, UNMATCHED, "s", f"not in the catalogue ({len(other)})"),
    ):
        axes.scatter(
            table.x[rows],
            table.y[rows],
            s=size,
            marker=marker,
            facecolor="none",
            edgecolor=colour,
            linewidth=0.9,
            label=label,
        )


def _draw_slit(axes: Axes, chart: _Chart) -> None:
    from matplotlib.patches import Rectangle

    header, scale = chart.header, chart.scale_arcsec
    width, length = header["SLITWID"] / scale, header["SLITLEN"] / scale
    corner = (header["SLITX"] - width / 2, header["SLITY"] - length / 2)
    axes.add_patch(Rectangle(corner, width, length, fill=False, edgecolor=SLIT, linewidth=1.2))
    row = chart.table.target
    if row is not None:
        x, y = chart.table.x[row], chart.table.y[row]
        style = "-" if chart.table.is_target_seen else ":"
        for dx, dy in ((1, 0), (0, 1)):
            near, far = 2.0 / scale, 5.0 / scale
            axes.plot(
                [x + near * dx, x + far * dx],
                [y + near * dy, y + far * dy],
                color=TARGET,
                linewidth=1.6,
                linestyle=style,
            )


def _draw_compass(axes: Axes, chart: _Chart) -> None:
    """North and east as the coordinates have them, with the scale."""
    from matplotlib.patheffects import withStroke

    # A white rim sets them off from stars.
    rim = [withStroke(linewidth=_RIM_POINTS, foreground="white")]
    inverse = np.linalg.inv(chart.to_sky)
    size = chart.image.shape[1]
    origin = np.array([0.15, 0.15]) * size
    for name, direction in (("E", (1, 0)), ("N", (0, 1))):
        tip = origin + inverse @ np.array(direction) * _COMPASS_ARCSEC
        arrow = {"arrowstyle": "->", "color": INK, "linewidth": 1.4, "path_effects": rim}
        axes.annotate("", tip, origin, arrowprops=arrow)
        place = origin + 1.2 * (tip - origin)
        axes.text(*place, name, color=INK, ha="center", va="center", fontsize=11, path_effects=rim)


def _draw_inset(axes: Axes, chart: _Chart) -> None:
    """The target and the slit, enlarged."""
    inset = axes.inset_axes((0.66, 0.66, 0.33, 0.33))
    _show(inset, chart)
    _draw_stars(inset, chart, 260.0)
    _draw_slit(inset, chart)
    half = INSET_ARCSEC / 2 / chart.scale_arcsec
    x, y = chart.middle
    inset.set_xlim(x - half, x + half)
    inset.set_ylim(y - half, y + half)
    inset.set_xticks([])
    inset.set_yticks([])
    for spine in inset.spines.values():
        spine.set_edgecolor(INK)
    label = f'{INSET_ARCSEC:.0f}" x {INSET_ARCSEC:.0f}"'
    inset.text(0.03, 0.97, label, transform=inset.transAxes, va="top", color=INK, fontsize=9)


def _draw_texts(figure: Figure, axes: Axes, chart: _Chart) -> None:
    table = chart.table
    name = str(chart.primary.get("OBJECT", "")).strip()
    when = str(chart.primary.get("DATE-OBS", ""))[:19]
    figure.suptitle(f"{name}   {when}   filter {table.filter_name}", fontsize=13)
    axes.set_title("\n".join((_coordinates(chart.primary), _target(table))), fontsize=10)
    axes.legend(loc="lower right", fontsize=9, framealpha=0.9)


def _coordinates(primary: Any) -> str:
    rms, count = primary.get("ESO QC ASTROM RMS"), primary.get("ESO QC ASTROM NUM", 0)
    if rms is None:
        return "coordinates of the header: no match with the catalogue"
    return f'astrometry: {count} stars, rms {rms:.3f}"; image quality ' + (
        f'{primary["ESO QC PSF FWHM"]:.2f}"' if "ESO QC PSF FWHM" in primary else "unknown"
    )


def _target(table: PhotTable) -> str:
    if table.zero_point_kind == UNCALIBRATED:
        return "no zero point"
    zero = f"zero point {table.zero_point_ab:.3f} ± {table.zero_point_error:.3f}"
    zero += f" ({table.zero_point_kind.lower()})"
    magnitude, error = table.target_magnitude
    if table.target is None:
        return f"{zero}; no target on the image that could be told"
    if not table.is_target_seen:
        return f"{zero}; target not seen, {table.filter_name} > {magnitude:.2f} (3 sigma)"
    return f"{zero}; target {table.filter_name} = {magnitude:.3f} ± {error:.3f} (AB)"
