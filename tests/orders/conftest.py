"""Simulated lamp frames with known orders, made once per run."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from soxs_recipes.algorithms.frame import DetectorFrame
from soxs_simulator.contract import SceneRequest
from soxs_simulator.format import ArmFormat
from soxs_simulator.format_distortion import Distortion, true_format
from soxs_simulator.frames import Run
from soxs_simulator.observations import lamp_set, simulate_lamps
from soxs_simulator.optics import OPTICS
from soxs_simulator.scenes import OpticsScenes

READ_NOISE_E = {"VIS": 4.0, "NIR": 10.0}


def true_curves(arm_format, binning=(1, 1)):
    """Order centres, lower and upper edges at every pixel along dispersion, by order."""
    axis = arm_format.disp_axis
    along_bin, across_bin = binning if axis == "x" else binning[::-1]
    pixel = np.arange(arm_format.disp_length() // along_bin)
    half = OPTICS[arm_format.arm].slit_half_arcsec
    curves = {}
    for number, order in arm_format.orders.items():
        wave = order.lam0_nm + order.lamh_nm * np.linspace(-1, 1, 4001)
        at = []
        for slit in (0.0, -half, half):
            along, across = arm_format.split(*order.to_pixel(wave, slit))
            rising = np.argsort(along)
            along = (along[rising] + 0.5) / along_bin - 0.5
            across = (across[rising] + 0.5) / across_bin - 0.5
            at.append(np.interp(pixel, along, across, left=np.nan, right=np.nan))
        curves[number] = (at[0], np.minimum(at[1], at[2]), np.maximum(at[1], at[2]))
    return curves


@pytest.fixture(scope="session")
def curves():
    """The function that gives the true curves of a format."""
    return true_curves


@pytest.fixture(scope="session")
def pinhole_scene():
    """Pinhole flats of an instrument that has drifted far; the scene is drawn once per drift."""
    drawn = {}

    def rate(arm, signs):
        if (arm, signs) not in drawn:
            x, y, turn, stretch = signs
            warp = np.zeros((4, 4))
            warp[1, 2] = warp[3, 0] = warp[2, 0] = 0.05
            drift = Distortion(
                (15.0 * x, 15.0 * y), turn * np.deg2rad(0.1), stretch * 1e-3, warp, warp
            )
            source = OpticsScenes(seed=7)
            scene = source.arm(arm)
            scene.distortion, scene.format = drift, true_format(arm, drift)
            request = SceneRequest(arm, "pinhole_flat", "PINHOLE", lamps=("QTH",))
            drawn[arm, signs] = (source.scene(request).rate_e_per_s, scene.format)
        return drawn[arm, signs]

    def make(arm, signs=(1, 1, 1, 1), binning=(1, 1), level=1.0, bad=0.0, rays=0, seed=0):
        electrons, arm_format = rate(arm, signs)
        bx, by = binning
        rows, columns = electrons.shape
        light = 60.0 * level * electrons.reshape(rows // by, by, columns // bx, bx).sum(axis=(1, 3))
        rng = np.random.default_rng(seed)
        flux = rng.poisson(light) * rng.normal(1, 0.007, light.shape)
        flux += rng.normal(0, READ_NOISE_E[arm], light.shape)
        dead = rng.random(light.shape) < bad
        flux[dead] = rng.choice([0.0, 3e4], np.count_nonzero(dead))
        y, x = (rng.integers(0, n - 6, rays) for n in light.shape)
        for step in range(5):
            flux[y + step, x + step * (y % 2)] += 3000.0
        variance = np.maximum(flux, 0) + READ_NOISE_E[arm] ** 2
        frame = DetectorFrame.from_variance(flux, variance)
        return SimpleNamespace(frame=frame, curves=true_curves(arm_format, binning))

    return make


class LampFrames:
    """Raw lamp frames of one arm with the truth of their night."""

    def __init__(self, folder, files, arm):
        self.folder, self.files, self.arm = folder, files, arm
        self.truth = json.loads((folder / "truth" / "manifest.json").read_text())

    def requests(self):
        """Requests of the frames with the lamp on."""
        records = (self.truth["frames"][path.name]["scene"]["optics"] for path in self.files)
        return [record["request"] for record in records if record["request"]["lamp_on"]]

    def curves(self, binning=(1, 1)):
        """Curves of the mean of the frames."""
        table = self.truth["optics"]["arms"][self.arm]["format"]
        shift = np.mean([request["flexure_px"] for request in self.requests()], axis=0)
        return true_curves(ArmFormat.from_dict(table).shifted(*shift), binning)

    def light(self, exptime_s):
        """Electrons per frame that the lamp alone gives, scattered light included."""
        optics = self.truth["optics"]["optics"]
        source = OpticsScenes(optics["seed"])
        request = SceneRequest(
            **{k: tuple(v) if isinstance(v, list) else v for k, v in self.requests()[0].items()}
        )
        off = replace(request, lamp_on=False)
        lamp = source.scene(request).rate_e_per_s - source.scene(off).rate_e_per_s
        return lamp * exptime_s, source.arm(self.arm).optics


@pytest.fixture(scope="session")
def lamps(tmp_path_factory):
    """Sets of raw lamp frames, each made when first asked for."""
    made = {}

    def frames(kind, arm, count, exptime_s, seed=5, **options):
        key = (kind, arm, count, exptime_s, seed, *sorted(options.items()))
        if key not in made:
            folder = Path(tmp_path_factory.mktemp(f"{kind}-{arm}"))
            chosen = lamp_set(kind, arm, count, exptime_s, **options)
            files = simulate_lamps(folder, chosen, run=Run(seed=seed))
            made[key] = LampFrames(folder, files, arm)
        return made[key]

    return frames
