"""Cosmic rays in simulated exposures of 900 s: found, and lines and traces kept."""

import json
import time
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits
from scipy.ndimage import median_filter

from soxs_recipes.algorithms.cosmic_rays import (
    CosmicSettings,
    find_cosmic_rays,
    flag_cosmic_rays,
    struck_in_two,
)
from soxs_recipes.algorithms.frame import DetectorFrame
from soxs_recipes.algorithms.quality import Quality
from soxs_recipes.algorithms.variance import CcdNoise
from soxs_recipes.cameras import arm_of
from soxs_recipes.products.fits_input import read_header
from soxs_recipes.recipes import detrending
from soxs_recipes.recipes.base import Run
from soxs_recipes.recipes.frames import InputFrame, InputSet

AXIS = {"VIS": 0, "NIR": 1}


@pytest.fixture(scope="module")
def exposures(tmp_path_factory):
    """Frames of a stare with and without cosmic rays, and the charge of these, by arm."""
    from soxs_simulator.frames import Run as SimulatorRun
    from soxs_simulator.observations import simulate_observation
    from soxs_simulator.schedule import Observation, Target

    made = {}

    def take(slit):
        if slit in made:
            return made[slit]
        result = {}
        plan = Observation("object_stare", Target("SN2026XYZ", 150.0, -30.0), slit, 900.0, 900.0)
        for with_rays in (True, False):
            folder = tmp_path_factory.mktemp("stare")
            run = SimulatorRun(seed=7, cosmic_rays=with_rays)
            for path in simulate_observation(folder, plan, run):
                frame, arm = detrended(path)
                result.setdefault(arm, []).append(frame)
                if with_rays:
                    result[arm].append(charge(folder, path, arm, frame.shape))
        made[slit] = result
        return result

    return take


def detrended(path):
    """One frame, the chip's own bad pixels flagged as a bad-pixel map would."""
    header = read_header(path)
    arm = arm_of(header)
    item = InputFrame(path, "OBJECT", header, arm, arm.readout(header))
    settings = SimpleNamespace(
        stack_method="mean", kappa=5.0, iterations=1, reference=arm.reference_methods[0]
    )
    run = Run("test", InputSet(arm, (item,)), settings)
    frame = detrending.detrend_one(run, item, detrending.Calibrations()).frame
    truth = path.parent / "truth"
    bad = fits.getdata(truth / f"dark_{arm.name}.fits", "HOT").astype(bool)
    bad |= fits.getdata(truth / f"response_{arm.name}.fits", "DEAD").astype(bool)
    return frame.flag(bad, Quality.BAD_PIXEL), arm.name


def charge(folder, path, arm, shape):
    table = fits.getdata(folder / "truth/cosmics.fits")
    ours = np.char.strip(np.asarray(table["FILE"]).astype(str)) == path.name
    electrons = np.zeros(shape)
    np.add.at(electrons, (table["Y"][ours], table["X"][ours]), table["ELECTRONS"][ours])
    assert json.loads((folder / "truth/manifest.json").read_text())["frames"][path.name]
    return electrons


def regions(calm, axis):
    """OH lines, trace and sky of an exposure without cosmic rays."""
    along_slit = [9, 9]
    along_slit[axis] = 1
    wide = [15, 15]
    wide[1 - axis] = 1
    lines = median_filter(calm.flux, tuple(along_slit))
    emission = lines - median_filter(lines, tuple(wide)) > 3 * calm.error
    across = [41, 41]
    across[axis] = 1
    trace = median_filter(calm.flux, tuple(wide)) - median_filter(calm.flux, tuple(across))
    trace = (trace > 2 * calm.error) & ~emission
    return {"lines": emission, "trace": trace, "sky": ~emission & ~trace}


@pytest.mark.parametrize("slit", ["SLIT1.0", "SLIT0.5"])
@pytest.mark.parametrize("arm", ["VIS", "NIR"])
def test_an_exposure_of_900_s(arm, slit, exposures):
    """At least 95 % of the pixels above 5 sigma, at most 1e-4 of the others."""
    struck, electrons, calm = exposures(slit)[arm]
    tilts = arm_tilts(arm)
    start = time.perf_counter()
    found = find_cosmic_rays(struck, AXIS[arm], CosmicSettings(line_tilts=tilts))
    assert time.perf_counter() - start < 2
    usable = struck.quality == 0
    strong = usable & (electrons > 5 * calm.error)
    free = usable & (electrons < 0.5 * calm.error)
    assert found[strong].mean() >= 0.95
    assert found[free].mean() <= 1e-4
    zones = regions(calm, AXIS[arm])
    assert found[free & zones["sky"]].mean() <= 2e-5
    assert found[free & zones["trace"]].mean() <= 2e-4
    assert found[free & zones["lines"]].mean() <= 2e-3
    assert found[strong & zones["sky"]].mean() >= 0.95


def arm_tilts(name):
    from soxs_recipes.cameras import arm_named

    return arm_named(name).line_tilts


def test_an_arc_keeps_its_lines(simulated_lamp):
    """Lines of an arc lamp through the slit, in both arms."""
    for arm, frame in simulated_lamp.items():
        found = find_cosmic_rays(frame, AXIS[arm], CosmicSettings(line_tilts=arm_tilts(arm)))
        bright = (frame.flux > 20 * np.sqrt(frame.variance)) & (frame.quality == 0)
        assert np.count_nonzero(bright) > 10_000
        assert found[bright].mean() < 1e-3


@pytest.fixture(scope="module")
def simulated_lamp(tmp_path_factory):
    from soxs_simulator.frames import Run as SimulatorRun
    from soxs_simulator.observations import lamp_set, simulate_lamps

    frames = {}
    for arm in ("VIS", "NIR"):
        folder = tmp_path_factory.mktemp("arc")
        sets = lamp_set("slit_arc", arm, 1, 30.0)
        paths = simulate_lamps(folder, sets, run=SimulatorRun(seed=7, cosmic_rays=False))
        lit = max((detrended(path)[0] for path in paths), key=lambda frame: frame.flux.sum())
        frames[arm] = lit
    return frames


def test_flagging_leaves_the_flux_alone():
    rng = np.random.default_rng(1)
    flux = rng.normal(0, 3, (100, 100)).astype("f4")
    flux[40, 50:53] += 500
    frame = DetectorFrame.from_variance(flux, np.full(flux.shape, 9.0))
    flagged = flag_cosmic_rays(frame, 0)
    assert np.all(flagged.quality[40, 50:53] == Quality.COSMIC_RAY)
    assert np.count_nonzero(flagged.quality) <= 4
    assert np.array_equal(flagged.flux, flux)


def test_of_two_exposures_the_higher_is_struck():
    rng = np.random.default_rng(2)
    light = np.full((200, 200), 10_000.0)
    flux = (rng.poisson(light, (2, 200, 200)) + rng.normal(0, 3, (2, 200, 200))).astype("f4")
    flux[0, 10, 10] += 3000
    flux[1, 20, 20] += 3000
    struck = struck_in_two(flux, CcdNoise(3.0))
    assert np.argwhere(struck).tolist() == [[0, 10, 10], [1, 20, 20]]
    flux[1] *= 1.2
    assert not struck_in_two(flux, CcdNoise(3.0)).any()
