"""Sky fit and extraction together, on faint objects beside the middle of the slit.

The optics are of a night of its own: no constant was chosen on them.
"""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from soxs_recipes.algorithms import detrending
from soxs_recipes.algorithms.beam_pixels import Beam, Exposure
from soxs_recipes.algorithms.frame import DetectorFrame
from soxs_recipes.algorithms.object_extraction import ObjectSettings, extract_object, look
from soxs_recipes.algorithms.quality import Quality
from soxs_recipes.algorithms.sky_fit import SkySettings
from soxs_recipes.algorithms.sky_model import SkyModel, fit_sky
from soxs_recipes.algorithms.slit_strips import slit_strips
from soxs_recipes.algorithms.variance import CcdNoise, RampNoise
from soxs_simulator.optics_slit import SLIT_GRID
from soxs_simulator.scenes import OpticsScenes
from soxs_simulator.scenes_truth import exposure_bounds

from .conftest import Sky

NIGHT, EXPTIME_S = 5, 300.0
NOISE = {"VIS": CcdNoise(3.35), "NIR": RampNoise(7.3)}
LIMITS = {"VIS": (-5.75, 5.75), "NIR": (-5.95, 5.95)}
# Where sky lines are few, as in the UV-VIS, illumination is known less well under an object.
CASES = [
    ("NIR", "PL_17.0", -2.5, 0.005),
    ("NIR", "PL_16.5", 2.5, 0.005),
    ("VIS", "PL_18.0", 2.5, 0.01),
]


@dataclass(frozen=True)
class Trial:
    """What came of one exposure; arrays over the bins of all orders."""

    model: SkyModel
    departure: np.ndarray
    error: np.ndarray
    truth: np.ndarray
    bound: np.ndarray
    sums: np.ndarray


@pytest.fixture(scope="module")
def night():
    return Sky(OpticsScenes(NIGHT))


@pytest.fixture(scope="module", params=CASES, ids=["-".join(map(str, case)) for case in CASES])
def trials(request, night):
    """Two exposures of a scene, the request that made it, and the bias that is borne."""
    arm, target, nod, most_bias = request.param
    asked = night.request(arm, target, exptime_s=EXPTIME_S, nod_arcsec=nod, mode="NODDING")
    light = night.electrons(asked)[0]
    noise, offset = NOISE[arm].variance(np.array([0.0, 1.0])), Beam(1, nod, EXPTIME_S)
    factor, base = float(noise[1] - noise[0]), float(noise[0])
    bounds = exposure_bounds(night.source, asked, light / EXPTIME_S, np.sqrt(base), factor)
    settings = SkySettings(factor, 4 * base, nod)
    solution = night.solution(arm)
    strips = slit_strips(solution, (LIMITS[arm][0] + 0.45, LIMITS[arm][1] - 0.45))
    made = []
    for seed in (1, 2):
        data = np.random.default_rng(seed).normal(light, np.sqrt(NOISE[arm].variance(light)))
        data = data.astype("f4")
        frame = detrending.mean_with_noise(data, np.zeros(data.shape, "u2"), 1, NOISE[arm])
        model = fit_sky(frame, strips, settings)
        made.append(_extracted(night, asked, frame, model, offset, bounds))
    return asked, made, most_bias


def _extracted(night, asked, frame, model, beam, bounds):
    solution, arm = night.solution(asked.arm), asked.arm
    sub = model.subtracted(frame)
    quality = np.where(model.covered, sub.quality, np.uint16(Quality.NO_DATA))
    sky = DetectorFrame.from_variance(model.flux, model.variance)
    exposure = Exposure(replace(sub, quality=quality), solution, (beam,), sky)
    view = look([exposure], settings := ObjectSettings(LIMITS[arm]))
    spectra = extract_object(view, view.objects[0], settings).spectra
    parts = []
    for order in spectra.orders:
        here = spectra.of(order)
        wave = spectra.wave_nm[here]
        truth, _ = night.truth(asked, order, wave)
        lit = (truth > 0.05 * truth.max()) & spectra.good[here]
        pixel = solution.along(*solution.to_pixel(order, wave)).round().astype(int)
        bound = bounds[order].sky_fitted
        bound = bound[np.clip(pixel, 0, len(bound) - 1)]
        departure, error = spectra.flux_e[here] - truth, spectra.error_e[here]
        count = lit.sum() // 20 * 20
        sums = departure[lit][:count].reshape(-1, 20).sum(axis=1)
        variance = np.sum(error[lit][:count].reshape(-1, 20) ** 2, axis=1)
        sums = sums / np.sqrt(variance * spectra.covariance[order])
        parts.append((departure[lit], error[lit], truth[lit], bound[lit], sums))
    return Trial(model, *map(np.concatenate, zip(*parts, strict=True)))


def pooled(trials, name):
    return np.concatenate([getattr(trial, name) for trial in trials])


def test_errors_are_true_and_nothing_is_lost(trials):
    _, made, most_bias = trials
    departure, error, truth, bound = (
        pooled(made, name) for name in ("departure", "error", "truth", "bound")
    )
    pull = departure / error
    assert 3 < np.median(truth / error) < 15
    # A common error of a flux is one error of all its bins.
    total = np.sqrt(np.sum(bound**2))
    assert abs(pull.mean()) < 0.05 + 2 * np.median(bound) / total
    assert 1.4826 * np.median(np.abs(pull - np.median(pull))) == pytest.approx(1, abs=0.04)
    assert np.mean(np.abs(pull) > 4) < 1e-3
    assert pooled(made, "sums").std() == pytest.approx(1, abs=0.1)
    seen = bound > 1
    loss = np.mean(np.clip(departure * bound / truth, -5, 5)[seen] ** 2)
    assert 1 / np.sqrt(loss) > 0.97
    weight = bound**2 / truth
    bias = np.sum(weight * departure) / np.sum(weight * truth)
    assert abs(bias) < most_bias + 2 / total


def test_illumination_is_found_under_the_object_too(trials, night):
    asked, made, _ = trials
    if asked.arm == "VIS":
        pytest.skip("the sky of the UV-VIS has few lines")
    along = night.source.arm(asked.arm).transmission_along("SLIT1.0")
    for trial in made:
        factors = trial.model.spectra[0].illumination
        inside = np.abs(factors.position) < 5.2
        place = factors.position[inside]
        wrong = factors.relative[inside] - np.interp(place, SLIT_GRID, along)
        # What is even or sloped along the slit is the sky's.
        wrong -= np.polyval(np.polyfit(place, wrong, 1), place)
        pull = wrong / factors.error[inside]
        assert pull.std() < 1.4
        near = np.abs(place - asked.nod_arcsec) < 0.6
        assert abs(pull[near].mean()) < 2.5


def test_light_of_the_object_is_not_taken_for_sky(trials, night):
    asked, made, _ = trials
    light = night.object_electrons(asked)
    missed = np.mean([trial.model.light - light for trial in made], axis=0)
    covered = made[0].model.covered
    halves = (light > 3) & covered, (light > 0.05) & (light < 3) & covered
    for part in halves:
        assert abs(missed[part].sum()) < 0.02 * light[covered].sum()
