"""Calibrations of the acquisition camera, made once, and fields reduced with them."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from soxs_recipes.cpl_bridge import cpl
from soxs_recipes.products.phot_tables import PhotTable, read_phot_table
from soxs_recipes.recipes import SoxsAstroPhot, SoxsImgMflat, SoxsMbias, SoxsMdark
from soxs_simulator.camera import PlateModel

PLACE = {"ra_deg": 150.1, "dec_deg": -21.3}


def run_in(folder, recipe, entries, **settings):
    """Run a recipe in a folder; product paths by tag."""
    folder.mkdir(exist_ok=True)
    frames = cpl.ui.FrameSet([cpl.ui.Frame(str(path), tag) for path, tag in entries])
    given = {key.replace("_", "-"): value for key, value in settings.items()}
    with contextlib.chdir(folder):
        products = recipe().run(frames, given)
    return {product.tag: folder / product.file for product in products}


@pytest.fixture(scope="session")
def camera_calibrations(tmp_path_factory):
    """Master bias, dark and flats (g, r, u), with their tags."""
    from soxs_simulator.calibrations import simulate_bias, simulate_dark
    from soxs_simulator.camera_frames import simulate_camera_flats

    raw, made = tmp_path_factory.mktemp("camera-raw"), tmp_path_factory.mktemp("camera-cal")
    bias = run_in(
        made, SoxsMbias, [(f, "BIAS_ACQ") for f in simulate_bias(raw / "b", "ACQ", 5, seed=7)]
    )["MASTER_BIAS_ACQ"]
    zero = [(bias, "MASTER_BIAS_ACQ")]
    darks = [(f, "DARK_ACQ") for f in simulate_dark(raw / "d", "ACQ", 30.0, 3, seed=7)]
    zero.append((run_in(made, SoxsMdark, darks + zero)["MASTER_DARK_ACQ"], "MASTER_DARK_ACQ"))
    entries = list(zero)
    for name in ("g", "r", "u"):
        flats = simulate_camera_flats(raw / f"flat-{name}", (name,), seed=7)
        given = [(f, "IMG_FLAT_ACQ") for f in flats] + zero
        path = run_in(made / name, SoxsImgMflat, given)["MASTER_IMG_FLAT_ACQ"]
        entries.append((path, "MASTER_IMG_FLAT_ACQ"))
    return entries


@dataclass(frozen=True)
class Field:
    """A simulated field, what the recipe made of it, and the truth."""

    raw: Path
    image: Path
    path: Path
    table: PhotTable
    truth: dict

    @property
    def header(self):
        return fits.getheader(self.path, 1)

    @property
    def plate(self):
        return PlateModel(**self.truth["plate"])

    def stars(self):
        return {name: np.array(column) for name, column in self.truth["stars"].items()}

    def nearest(self):
        """Index of the true star of each source, and its distance in px."""
        from scipy.spatial import cKDTree

        stars = self.stars()
        points = np.column_stack([self.table.x - 1, self.table.y - 1])
        distance, index = cKDTree(np.column_stack([stars["x"], stars["y"]])).query(points)
        return index, distance

    def position_errors(self):
        """Distance of each source's coordinates from its true star's, px of the true plate."""
        index, _ = self.nearest()
        x, y = self.plate.pixel(self.table.ra_deg, self.table.dec_deg)
        stars = self.stars()
        return x - stars["x"][index], y - stars["y"][index]

    def sn(self):
        data = fits.getdata(self.path, 1)
        return data["FLUX"] / data["FLUX_ERR"]


@pytest.fixture(scope="session")
def field(tmp_path_factory, camera_calibrations):
    """Simulate and reduce a field, each only once: ``field("SPARSE", "r", seed=3)``."""
    from soxs_simulator.camera_frames import simulate_star_field

    made = {}

    def reduce(
        target="FIELD", name="r", seed=7, exptime_s=20.0, more=(), catalogue=True, **options
    ):
        key = (target, name, seed, exptime_s, tuple(more), catalogue, *sorted(options.items()))
        if key not in made:
            out = tmp_path_factory.mktemp("field")
            (raw,) = simulate_star_field(
                out,
                filters=(name,),
                target=target,
                seed=seed,
                exptime_s=exptime_s,
                **{**PLACE, "rotator_deg": 33.0, **options},
            )
            entries = [(raw, "IMG_OBJECT_ACQ"), *camera_calibrations, *more]
            if catalogue:
                entries.append((out / f"refcat2_{target}.csv", "PHOT_CATALOG"))
            products = run_in(out / "products", SoxsAstroPhot, entries)
            truth = json.loads((out / "truth" / "manifest.json").read_text())["frames"][raw.name]
            path = products["PHOT_TAB_ACQ"]
            made[key] = Field(
                raw, products["SCI_IMAGE_ACQ"], path, read_phot_table(path), truth["scene"]
            )
        return made[key]

    return reduce
