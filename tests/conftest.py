"""Fixtures that all tests share: simulated frames, made once per run, and ways to run a recipe."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest

from soxs_recipes.cpl_bridge import cpl
from soxs_recipes.instrument.classification import classify
from soxs_recipes.products.fits_input import read_header


def frame_set(files, tag):
    """Set of frames of one tag."""
    return cpl.ui.FrameSet([cpl.ui.Frame(str(path), tag) for path in files])


@pytest.fixture
def run_recipe(tmp_path, monkeypatch):
    """Run a recipe as a Python object in a directory of its own; returns product paths by tag."""

    def run(recipe, *sets, **settings):
        monkeypatch.chdir(tmp_path)
        frames = [frame for files, tag in sets for frame in frame_set(files, tag)]
        given = {key.replace("_", "-"): value for key, value in settings.items()}
        products = recipe().run(cpl.ui.FrameSet(frames), given)
        return {product.tag: tmp_path / product.file for product in products}

    return run


@pytest.fixture(scope="session")
def simulated(tmp_path_factory):
    """Sets of simulated raw frames, each made when first asked for.

    ``simulated("bias", arm="VIS", frames=10)`` returns the files; their truth is in ``truth/``
    beside them.
    """
    from soxs_simulator import calibrations

    made: dict[tuple, list[Path]] = {}

    def simulate(kind, **options):
        key = (kind, *sorted(options.items()))
        if key not in made:
            folder = tmp_path_factory.mktemp(f"sim-{kind}")
            made[key] = getattr(calibrations, f"simulate_{kind}")(folder, **options)
        return made[key]

    return simulate


@pytest.fixture(scope="session")
def small_night(tmp_path_factory, simulated):
    """Raw frames of the small simulated night, with their tags; its truth is in ``truth/``.

    A short detector-linearity series and arcs through the slit, which no night has, are added,
    infrared exposures in the modes that this night has not, calibrations of the camera, and the
    catalogue of the first field that the camera saw.
    """
    from soxs_simulator.camera_frames import simulate_camera_flats
    from soxs_simulator.night import SUPERNOVA, simulate_night
    from soxs_simulator.observations import lamp_set, simulate_lamps, simulate_observation
    from soxs_simulator.schedule import Observation

    night = tmp_path_factory.mktemp("night")
    files = simulate_night(night, small=True)
    files += simulated("bias", arm="ACQ", frames=5, seed=3)
    files += simulate_camera_flats(tmp_path_factory.mktemp("camera-flat"), ("r",))
    files += simulated("detlin", arm="VIS", times_s=(4.0, 12.0, 24.0), seed=3)
    files += simulate_lamps(
        tmp_path_factory.mktemp("slit-arc"), lamp_set("slit_arc", "NIR", 1, 10.0)
    )
    for kind in ("object_stare", "object_offset"):
        observation = Observation(kind, SUPERNOVA, "SLIT1.0", 10.0, 120.0)
        files += simulate_observation(tmp_path_factory.mktemp(kind), observation, arms=("NIR",))
    tagged = [(path, classify(read_header(path)).tag) for path in files]
    return [*tagged, (night / "refcat2_LTT3218.csv", "PHOT_CATALOG")]


@pytest.fixture(scope="session")
def example_product(small_night, tmp_path_factory):
    """Calibration products, each made when first asked for from its recipe's example."""
    from soxs_recipes.recipes import RECIPES

    made: dict[str, Path] = {}

    def frames_of(tag, count):
        raw = [path for path, known in small_night if known == tag]
        return raw[:count] or [product(tag)]

    def product(tag):
        if tag not in made:
            arm = tag.rpartition("_")[2]
            recipe = next(
                one
                for one in RECIPES
                if tag in [item.tag_of(arm) for item in one.declaration.products]
            )
            taken = {item.tag_of(arm) for item in recipe.declaration.inputs_of(arm)}
            example = [
                (name, n)
                for other, n in recipe.declaration.example
                if (name := _in_role(_in_arm(other, arm), tag)) in taken
            ]
            frames = [(path, name) for name, n in example for path in frames_of(name, n)]
            folder = tmp_path_factory.mktemp("example")
            with contextlib.chdir(folder):
                entries = [cpl.ui.Frame(str(path), name) for path, name in frames]
                products = recipe().run(cpl.ui.FrameSet(entries), {})
            made.update({frame.tag: folder / frame.file for frame in products})
        return made[tag]

    return frames_of


def _in_arm(tag, arm):
    """Tag of another arm; one that names none stays as it is."""
    stem, _, found = tag.rpartition("_")
    return f"{stem}_{arm}" if found in ("VIS", "NIR", "ACQ") else tag


def _in_role(tag, product):
    """Tag of a frame in the role that a product has; one without a role stays as it is."""
    from soxs_recipes.recipes.roles import ROLES, role_of_tag

    wanted = role_of_tag(product)
    raw, own = role_of_tag(tag, raw=True), role_of_tag(tag)
    if not wanted or not (raw or own):
        return tag
    old, new = (ROLES[raw], ROLES[wanted]) if raw else (f"{own}_", f"{wanted}_")
    return new + tag.removeprefix(old)


@pytest.fixture
def simulated_sof(example_product, tmp_path):
    """Write the example set of frames of a declaration and return its path."""

    def write(declaration):
        lines = []
        for tag, count in declaration.example:
            files = example_product(tag, count)
            assert len(files) == count, f"the night has not {count} frames of {tag}"
            lines += [f"{path} {tag}" for path in files]
        sof = tmp_path / f"{declaration.name}.sof"
        sof.write_text("\n".join(lines) + "\n")
        return sof

    return write


@pytest.fixture
def required_tool():
    """Path of a program; without it a test skips, but fails in continuous integration."""
    import shutil

    def find(name):
        path = shutil.which(name)
        if path is None and os.environ.get("CI"):
            pytest.fail(f"{name} is not installed")
        if path is None:
            pytest.skip(f"{name} is not installed")
        return path

    return find
