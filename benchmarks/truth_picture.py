"""Compare the merged spectrum of a reduced simulated night with the truth, and draw both.

Usage: python benchmarks/truth_picture.py DEMO_DIRECTORY PICTURE.png

The truth is the light of the target above the atmosphere at the instrument's resolution; what the
slit loses is a smooth factor, so the shape is compared: the ratio over its median, in bins of 5 nm.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
from astropy.io import fits

from soxs_simulator.scenes_truth import read_exposure_truth

mpl.use("Agg")
import matplotlib.pyplot as plt

BIN_NM = 5.0
DEEP = 0.9  # transmission below which a bin counts as telluric


def main(demo: Path, picture: Path) -> None:
    """Write the picture and print the figures."""
    merged = sorted((demo / "reduced").glob("sci_slit_flux_merged*.fits"))[-1]
    row = fits.getdata(merged, 1)[0]
    wave, flux, error = (np.asarray(row[name], float) for name in ("WAVE", "FLUX", "ERR"))
    good = (np.asarray(row["QUAL"]) == 0) & (error > 0)
    true, transmission = truth(demo / "raw" / "truth" / "manifest.json", wave)
    centre, ratio, sky = binned(wave, flux / true, good, transmission)
    clear = sky > DEEP
    scale = np.nanmedian(ratio[clear])
    departure = ratio / scale - 1
    print(f"{merged.name}: flux over truth {scale:.3f} (light lost at the slit included)")
    for name, part in (("clear", clear), ("telluric", ~clear)):
        rms = np.sqrt(np.nanmean(departure[part] ** 2))
        print(f"  {name} bins of {BIN_NM:g} nm: {part.sum()}, rms departure of the shape {rms:.2%}")
    draw(picture, merged.name, (wave, flux, error, good, true * scale), (centre, departure, clear))


def truth(manifest: Path, wave: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Flux and transmission of the science target on a grid, from its first exposures."""
    frames = json.loads(manifest.read_text())["frames"]
    flux, transmission = np.full(wave.size, np.nan), np.full(wave.size, np.nan)
    for arm in ("NIR", "VIS"):
        names = [k for k, v in sorted(frames.items()) if v["arm"] == arm and "object" in v["kind"]]
        for order in read_exposure_truth(manifest, names[0]).orders.values():
            inside = (wave > order.wave_nm.min()) & (wave < order.wave_nm.max())
            rising = np.argsort(order.wave_nm)
            for out, values in ((flux, order.flux_erg), (transmission, order.transmission)):
                out[inside] = np.interp(wave[inside], order.wave_nm[rising], values[rising])
    return flux, transmission


def binned(wave, ratio, good, transmission):
    """Median ratio and mean transmission in bins."""
    edges = np.arange(wave[0], wave[-1], BIN_NM)
    index = np.digitize(wave, edges) - 1
    centre = edges + BIN_NM / 2
    result = np.full((2, edges.size), np.nan)
    for n in range(edges.size):
        here = (index == n) & good & np.isfinite(ratio)
        if here.sum() > 5:
            result[:, n] = np.median(ratio[here]), np.mean(transmission[here])
    return centre, result[0], np.nan_to_num(result[1])


def draw(picture: Path, title: str, spectrum: tuple, comparison: tuple) -> None:
    """Spectrum with truth above, departure below."""
    wave, flux, error, good, true = spectrum
    centre, departure, clear = comparison
    figure, (upper, lower) = plt.subplots(
        2, 1, figsize=(11, 6), sharex=True, height_ratios=(2.2, 1), layout="constrained"
    )
    shown = np.where(good, flux, np.nan)
    upper.plot(wave, shown, lw=0.4, color="0.35", label="reduced")
    upper.fill_between(wave, shown - error, shown + error, color="0.8", lw=0)
    upper.plot(wave, true, lw=0.8, color="C3", label="truth, scaled for the light lost at the slit")
    upper.set(ylabel="erg s$^{-1}$ cm$^{-2}$ Å$^{-1}$", title=title)
    upper.set_ylim(0, 1.3 * np.nanpercentile(true, 99.5))
    upper.legend()
    lower.plot(centre[clear], 100 * departure[clear], ".", ms=4)
    lower.plot(centre[~clear], 100 * departure[~clear], ".", ms=4, color="0.7", label="telluric")
    lower.axhline(0, color="0.5", lw=0.8)
    lower.set(xlabel="wavelength / nm", ylabel="departure / %", ylim=(-10, 10))
    lower.legend(fontsize=8)
    figure.savefig(picture, dpi=80)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
