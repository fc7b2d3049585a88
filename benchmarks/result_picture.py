"""Draw what the demo ends with: a slit flat with the order edges found in it, and the blaze.

Usage: python benchmarks/result_picture.py DEMO_DIRECTORY PICTURE.png
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
from astropy.io import fits

from soxs_recipes.cameras import arm_of
from soxs_recipes.instrument.classification import classify
from soxs_recipes.products.fits_input import read_header
from soxs_recipes.products.order_tables import read_order_table
from soxs_recipes.products.raw import open_raw

mpl.use("Agg")
import matplotlib.pyplot as plt


def main(demo: Path, picture: Path) -> None:
    """Write the picture."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.8), layout="constrained")
    flat, axis = first_flat(demo / "raw", "FLAT_NIR")
    left.imshow(flat, origin="lower", cmap="gray", vmin=0, vmax=np.percentile(flat, 99.5))
    edges = read_order_table(demo / "reduced" / "order_tab_edges_nir.fits", flat.shape, axis)
    for lines, style in ((edges.edges()[0], "c"), (edges.edges()[1], "c"), (edges.centres(), "r")):
        left.plot(lines.T, style, linewidth=0.5)
    left.set(title="NIR slit flat, order edges and centres", xlabel="x [px]", ylabel="y [px]")
    left.set(xlim=(0, flat.shape[1]), ylim=(300, 1600))
    blaze = fits.getdata(demo / "reduced" / "blaze_tab_nir.fits", "BLAZE")
    for order in np.unique(blaze["ORDER"]):
        part = blaze[blaze["ORDER"] == order]
        right.plot(part["PIXEL"], part["BLAZE"], label=str(order), linewidth=1)
    right.set(title="Blaze by order, lamp spectrum included", xlabel="x [px]", ylabel="relative")
    right.legend(ncols=2, fontsize=7)
    figure.savefig(picture, dpi=80)


def first_flat(folder: Path, tag: str) -> tuple[np.ndarray, str]:
    """Pixels of the first frame of a tag, in electrons, and its dispersion axis."""
    for path in sorted(folder.glob("SOXS.*.fits")):
        header = read_header(path)
        if classify(header).tag == tag:
            arm = arm_of(header)
            with open_raw(path, header, arm, arm.reference_methods[0]) as raw:
                return raw.pixels(), arm.detector.dispersion_axis
    raise SystemExit(f"{folder} holds no {tag} frame")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
