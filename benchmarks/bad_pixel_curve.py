"""Share of bad pixels that soxs_lingain finds, against how bad they are, drawn as a picture.

Detector-linearity series of both spectrographs are simulated with noisy pixels and pixels that lose
charge, in a temporary directory; ``python benchmarks/bad_pixel_curve.py [PICTURE]``.
"""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits

from soxs_recipes.algorithms.quality import Quality, has
from soxs_recipes.cpl_bridge import cpl
from soxs_recipes.instrument.classification import classify
from soxs_recipes.products.detector_tables import read_bad_pixels
from soxs_recipes.products.fits_input import read_header
from soxs_recipes.recipes.soxs_lingain import SoxsLingain
from soxs_simulator.calibrations import simulate_detlin

PICTURE = Path(__file__).parents[1] / "docs/pictures/bad_pixel_curve.png"
TIMES_S = {
    "VIS": (1.0, 2.0, 4.0, 8.0, 12.0, 16.0, 20.0, 24.0),
    "NIR": (10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 60.0),
}
DEFECTS = 3e-3
BINS = 12
TICKS = (0.01, 0.05, 0.1, 0.5, 2, 5, 10, 20, 50)


@dataclass(frozen=True)
class Curve:
    """Share found in bins of amplitude, and how many other pixels were marked the same."""

    amplitude: np.ndarray
    found: np.ndarray
    false_rate: float


def curve(
    amplitude: np.ndarray, marked: np.ndarray, defects: np.ndarray, ends: tuple[float, float]
) -> Curve:
    """Bin the pixels with an amplitude and no other defect; those without any are good."""
    edges = np.geomspace(*ends, BINS + 1)
    index = np.where((amplitude > 0) & (defects == 1), np.digitize(amplitude, edges) - 1, -1)
    share = [marked[index == k].mean() if (index == k).any() else np.nan for k in range(BINS)]
    return Curve(np.sqrt(edges[1:] * edges[:-1]), np.array(share), marked[defects == 0].mean())


def curves(arm: str, folder: Path) -> dict[str, Curve]:
    """Simulate a series, reduce it, and compare the map with the truth."""
    files = simulate_detlin(folder, arm, TIMES_S[arm], seed=5, defect_fraction=DEFECTS, biases=16)
    frames = [cpl.ui.Frame(str(path), classify(read_header(path)).tag) for path in files]
    with contextlib.chdir(folder):
        made = {one.tag: one.file for one in SoxsLingain().run(cpl.ui.FrameSet(frames), {})}
        quality = read_bad_pixels(folder / made[f"BP_MAP_{arm}"])
        read_noise_e = fits.getheader(made[f"GAIN_TAB_{arm}"])["ESO QC RAW RON"]
    noise = fits.getdata(folder / f"truth/defects_{arm}.fits")
    loss = fits.getdata(folder / f"truth/defects_{arm}.fits", "LOSS")
    rate = fits.getdata(folder / f"truth/dark_{arm}.fits")
    hot = fits.getdata(folder / f"truth/dark_{arm}.fits", "HOT").astype(bool)
    dead = fits.getdata(folder / f"truth/response_{arm}.fits", "DEAD").astype(bool)
    defects = dead.astype(int) + (noise > 1) + (loss > 0) + hot
    light = longest_exposure_e(files, arm)
    departure = np.where(light > 3000, loss * light, 0)
    excess = np.where(hot, rate * max(TIMES_S[arm]) / (read_noise_e / 2**0.5), 0)
    kinds = {
        "noisy: read noise over that of the others": (
            np.where(noise > 1, noise, 0),
            Quality.NOISY,
            (1.2, 20.0),
        ),
        "non-linear: departure in the longest exposure": (
            departure,
            Quality.NONLINEAR,
            (0.005, 0.5),
        ),
        "hot: signal over noise in the longest dark": (excess, Quality.HOT, (1.0, 100.0)),
    }
    if arm == "VIS":
        # Its series holds no dark.
        del kinds["hot: signal over noise in the longest dark"]
    return {
        name: curve(amplitude, has(quality, bit), defects, ends)
        for name, (amplitude, bit, ends) in kinds.items()
    }


def longest_exposure_e(files: Sequence[Path], arm: str) -> np.ndarray:
    """Electrons of the surroundings in the brightest frame."""
    from scipy.ndimage import median_filter

    pixels = fits.getdata(files[-1]).astype("f4")
    light = (pixels[:, 50:] - 850) * 1.1 if arm == "VIS" else pixels[4:-4, 4:-4] * 2.3
    return np.maximum(median_filter(light, (7, 1) if arm == "VIS" else (1, 7)), 0)


def draw(found: dict[str, dict[str, Curve]], picture: Path) -> None:
    """One panel per kind of defect, one line per arm."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    names = list(found["NIR"])
    figure, axes = plt.subplots(1, len(names), figsize=(4.2 * len(names), 3.4), sharey=True)
    for axis, name in zip(axes, names, strict=True):
        for arm, colour in (("VIS", "tab:blue"), ("NIR", "tab:red")):
            if name in found[arm]:
                one = found[arm][name]
                label = f"{arm}, falsely {one.false_rate:.0e}"
                axis.semilogx(one.amplitude, 100 * one.found, "o-", color=colour, label=label)
        low, high = axis.get_xlim()
        ticks = [t for t in TICKS if low < t < high]
        axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axis.minorticks_off()
        axis.axhline(99, color="0.7", linewidth=0.8)
        axis.set_xlabel(name)
        axis.legend(loc="lower right", fontsize=8)
    axes[0].set_ylabel("found (per cent)")
    figure.tight_layout()
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, dpi=110)


def main(arguments: Sequence[str]) -> None:
    """Simulate, reduce, print and draw."""
    found = {}
    for arm in ("VIS", "NIR"):
        with tempfile.TemporaryDirectory() as folder:
            found[arm] = curves(arm, Path(folder))
        for name, one in found[arm].items():
            print(arm, name, f"falsely {one.false_rate:.1e}")
            print(
                *(f"{a:.3g}: {100 * f:.1f}" for a, f in zip(one.amplitude, one.found, strict=True)),
                sep="  ",
            )
    draw(found, Path(arguments[0]) if arguments else PICTURE)


if __name__ == "__main__":
    main(sys.argv[1:])
