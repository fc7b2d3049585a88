"""Compare the merged spectrum of a reduced simulated night with the truth, and draw both.

Usage: python benchmarks/truth_picture.py DEMO_DIRECTORY PICTURE.png

The truth is the light of the target above the atmosphere at the instrument's resolution. What the
slit loses is a smooth factor, so the shape is compared: the ratio over its mean, in bins of 10 nm,
with the error that the product states.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
from astropy.io import fits
from scipy.ndimage import maximum_filter1d

from soxs_simulator.scenes_truth import read_exposure_truth

mpl.use("Agg")
import matplotlib.pyplot as plt

BIN_NM = 10.0
DEEP = 0.95  # transmission over that beside the band, below which a bin counts as telluric


def main(demo: Path, picture: Path) -> None:
    """Write the picture and print the figures."""
    merged = sorted((demo / "reduced").glob("sci_slit_flux_merged*.fits"))[-1]
    row = fits.getdata(merged, 1)[0]
    names = ("WAVE", "FLUX_TELLURIC", "ERR_TELLURIC")
    wave, flux, error = (np.asarray(row[name], float) for name in names)
    good = (np.asarray(row["QUAL"]) == 0) & (error > 0) & np.isfinite(flux)
    true, transmission = truth(demo / "raw" / "truth" / "manifest.json", wave)
    part = good & np.isfinite(true)
    centre, ratio, noise, depth = binned(
        wave[part], flux[part] / true[part], error[part] / true[part], transmission[part]
    )
    clear = depth > DEEP
    scale = np.average(ratio[clear], weights=noise[clear] ** -2)
    departure, noise = ratio / scale - 1, noise / scale
    print(f"{merged.name}: flux over truth {scale:.3f} (light lost at the slit included)")
    for name, chosen in (("clear", clear), ("telluric", ~clear)):
        weight = noise[chosen] ** -2
        rms = np.sqrt(np.average(departure[chosen] ** 2, weights=weight))
        expected = np.sqrt(np.average(noise[chosen] ** 2, weights=weight))
        print(
            f"  {name} bins of {BIN_NM:g} nm: {chosen.sum()}, departure of the shape {rms:.2%} "
            f"(weighted rms), by noise alone {expected:.2%}"
        )
    spectrum = (wave, flux, error, good, true * scale)
    draw(picture, merged.name, spectrum, (centre, departure, noise, clear))


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


def binned(
    wave: np.ndarray, ratio: np.ndarray, error: np.ndarray, transmission: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Weighted mean ratio with error, and mean transmission over the largest one near, in bins."""
    index = ((wave - wave[0]) // BIN_NM).astype(int)
    weight = error**-2

    def total(values: np.ndarray) -> np.ndarray:
        return np.bincount(index, values)

    used = total(weight) > 0
    clear = maximum_filter1d(transmission, 2001)
    sums = [total(values) for values in (wave, weight * ratio, weight, transmission / clear)]
    number = total(np.ones(wave.size))
    mean, weighted, weights, depth = (values[used] for values in sums)
    count = number[used]
    return mean / count, weighted / weights, weights**-0.5, depth / count


def draw(picture: Path, title: str, spectrum: tuple, comparison: tuple) -> None:
    """Spectrum with truth above, departure below."""
    wave, flux, error, good, true = spectrum
    centre, departure, noise, clear = comparison
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
    for chosen, colour, label in ((clear, "C0", "clear"), (~clear, "0.6", "telluric")):
        lower.errorbar(
            centre[chosen],
            100 * departure[chosen],
            100 * noise[chosen],
            fmt=".",
            ms=4,
            lw=0.6,
            color=colour,
            label=label,
        )
    lower.axhline(0, color="0.5", lw=0.8)
    lower.set(xlabel="wavelength / nm", ylabel="departure / %", ylim=(-10, 10))
    lower.legend(fontsize=8)
    figure.savefig(picture, dpi=80)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
