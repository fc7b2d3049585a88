"""Draw one raw frame of each kind of a simulated night for ``docs/simulator.md``.

Every picture shows the whole frame, averaged over blocks, and a part of it pixel by pixel. Without
an argument a night is simulated first; with one, that of the given directory is drawn.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
from astropy.io import fits
from PIL import Image

from soxs_simulator.frames import Run
from soxs_simulator.night import simulate_night

mpl.use("Agg")
from matplotlib import pyplot as plt

PICTURES = Path(__file__).parent.parent / "docs" / "pictures"
KINDS = {
    "bias": "bias",
    "dark": "dark",
    "pinhole_arc": "single-pinhole arc",
    "multi_pinhole_arc": "multi-pinhole arc",
    "pinhole_flat": "pinhole flat",
    "slit_flat": "slit flat",
    "slit_arc": "slit arc",
    "std_flux_nod": "flux standard, nodding",
    "object_async_nod": "supernova in its host, nodding",
    "img_flat": "twilight flat",
    "img_object": "field of the supernova",
}
GREYS = 80


class View(NamedTuple):
    """How frames of a camera are drawn: block size, window seen in detail, figure in inches."""

    block: int
    window: tuple[slice, slice]
    size: tuple[float, float]
    sideways: bool


VIEWS = {
    "VIS": View(4, (slice(2250, 2490), slice(600, 840)), (10.0, 2.6), True),
    "NIR": View(4, (slice(1250, 1450), slice(900, 1100)), (8.4, 4.3), False),
    "ACQ": View(2, (slice(412, 612), slice(412, 612)), (8.4, 4.3), False),
}


def main() -> None:
    """Draw the pictures and print their names and sizes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("night", nargs="?", type=Path, help="directory of a simulated night")
    night = parser.parse_args().night
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        if night is None:
            night = Path(folder) / "night"
            simulate_night(night, Run(seed=1))
        for name, (file, title) in choose(night).items():
            path = PICTURES / f"{name}.png"
            draw(fits.getdata(night / file), title, VIEWS[name[:3].upper()], path)
            print(f"{path.name:32}{path.stat().st_size / 1e3:6.0f} kB")


def choose(night: Path) -> dict[str, tuple[str, str]]:
    """First frame of each kind and arm: name of the picture to file and title."""
    frames = json.loads((night / "truth" / "manifest.json").read_text())["frames"]
    chosen: dict[str, tuple[str, str]] = {}
    for file, truth in sorted(frames.items()):
        if truth["kind"] not in KINDS:
            continue
        lamps = " ".join(truth["lamps"]) if truth["lamp_on"] else "lamp off"
        parts = [truth["arm"], truth["kind"], *({"D2": ["d2"], "lamp off": ["off"]}.get(lamps, []))]
        if parts[-1] == "off" and truth["kind"] != "slit_flat":
            continue
        light = ", ".join(word for word in (lamps, truth["slit"]) if word not in ("", "BLANK"))
        title = f"{truth['arm']} {KINDS[truth['kind']]}: {light or truth.get('target')}"
        title = f"{title.removesuffix(': ')}, {truth['exptime_s']:g} s"
        chosen.setdefault("_".join(parts).lower(), (file, title))
    return chosen


def draw(frame: np.ndarray, title: str, view: View, path: Path) -> None:
    """Draw a frame and a window of it, each with its own stretch."""
    figure, panels = plt.subplots(
        1, 2, figsize=view.size, width_ratios=(4.2, 1) if view.sideways else (1, 1)
    )
    rows, columns = frame.shape
    whole = (slice(0, rows), slice(0, columns))
    show(panels[0], block_mean(frame, view.block), whole, view.sideways)
    show(panels[1], frame[view.window], view.window, view.sideways)
    figure.suptitle(title, fontsize=10)
    figure.tight_layout()
    save(figure, path)


def block_mean(frame: np.ndarray, block: int) -> np.ndarray:
    """Mean over square blocks; an incomplete block at the end is left out."""
    rows, columns = (length // block for length in frame.shape)
    trimmed = frame[: rows * block, : columns * block].astype(np.float32)
    return trimmed.reshape(rows, block, columns, block).mean((1, 3))


def show(panel: plt.Axes, image: np.ndarray, window: tuple[slice, slice], sideways: bool) -> None:
    """Grey image between the 1st and the 99.7th percentile, asinh stretch, axes in pixels."""
    low, middle, high = np.percentile(image, (1, 50, 99.7))
    scale = max((high - low) / 10, middle - low, 1e-6)
    (y, x), names = window, ("x / px", "y / px")
    extent = (x.start, x.stop, y.start, y.stop)
    if sideways:
        image, names, extent = image.T, names[::-1], (y.start, y.stop, x.start, x.stop)
    panel.imshow(
        np.arcsinh((np.clip(image, low, high) - low) / scale),
        cmap="gray",
        origin="lower",
        extent=extent,
        aspect="auto" if sideways else "equal",
        interpolation="nearest",
    )
    panel.set_xlabel(names[0], fontsize=8)
    panel.set_ylabel(names[1], fontsize=8)
    panel.tick_params(labelsize=7)


def save(figure: plt.Figure, path: Path) -> None:
    """Write a figure with few grey levels, which keeps noisy frames small."""
    figure.canvas.draw()
    picture = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())).convert("L")
    picture.quantize(GREYS).save(path, optimize=True)
    plt.close(figure)


if __name__ == "__main__":
    main()
