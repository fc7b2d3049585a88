"""CCD frames against arithmetic of their own: noise, level, charge, response, cosmic rays."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from soxs_simulator.ccd import CcdSettings, expose_ccd
from soxs_simulator.cosmic_rays import RATE_PER_CM2_S, cosmic_hits
from soxs_simulator.detector_maps import detector_maps
from soxs_simulator.rng import stream
from soxs_simulator.specs import ACQ, VIS, VIS_MODES

MAPS = detector_maps("VIS")
QUIET = CcdSettings(VIS_MODES[0], cosmic_rays=False)
FLAT_RATE = np.full((4096, 808), 100.0, np.float32)


def bias(name, **changes):
    return expose_ccd(VIS, MAPS, replace(QUIET, **changes), 5, name)


def flat(name, seconds=100.0, rate=FLAT_RATE, **changes):
    settings = replace(QUIET, exptime_s=seconds, **changes)
    return expose_ccd(VIS, MAPS, settings, 5, name, rate)


def electrons(frame):
    truth = frame.truth
    return (frame.pixels - truth["bias_level_adu"]) * truth["conad_e_per_adu"]


@pytest.mark.parametrize("mode", VIS_MODES, ids=lambda mode: mode.name)
def test_read_noise_is_that_of_the_mode(mode):
    a, b = (bias(name, mode=mode).pixels.astype(float) for name in "ab")
    difference = a - b
    difference -= difference.mean(axis=1, keepdims=True)  # the drift from row to row
    measured = difference.std() * np.sqrt(858 / 857) / np.sqrt(2) * mode.conad_e_per_adu
    expected = np.sqrt(mode.ron_e**2 + mode.conad_e_per_adu**2 / 12)
    assert measured == pytest.approx(expected, rel=0.002)


@pytest.mark.parametrize(
    ("binning", "shape"), [((1, 1), (4096, 858)), ((2, 1), (4096, 429)), ((2, 2), (2048, 429))]
)
def test_prescan_shows_the_level_of_the_frame(binning, shape):
    frame = bias("level", binning=binning)
    assert frame.pixels.shape == shape
    assert frame.pixels.dtype == np.uint16
    prescan = frame.pixels[:, : 50 // binning[0]]
    tolerance = 4 * 3.3 / 1.1 / np.sqrt(prescan.size)
    assert prescan.mean() == pytest.approx(frame.truth["bias_level_adu"], abs=tolerance)


def test_levels_drift_between_frames():
    levels = [bias(f"drift{n}").truth["bias_level_adu"] for n in range(6)]
    assert 0.1 < np.std(levels) < 2.5
    assert np.mean(levels) == pytest.approx(850.0, abs=2.0)


def test_mean_of_biases_is_the_structure():
    count = 12
    mean = np.mean([electrons(bias(f"stack{n}")) for n in range(count)], axis=0)
    mean -= mean[:, :50].mean(axis=1, keepdims=True)
    residual = (mean - MAPS.structure_e)[:, 50:]
    expected = 3.315 * np.sqrt(1 / count + 1 / count / 50)
    assert residual.std() == pytest.approx(expected, rel=0.01)
    assert abs(residual.mean()) < 4 * 3.315 / np.sqrt(count * 50 * 4096)
    assert MAPS.structure_e[:, 50:].std() > 0.5


def test_rows_drift_together_in_prescan_and_science():
    difference = electrons(bias("a")) - electrons(bias("b"))
    prescan, science = difference[:, :50].mean(axis=1), difference[:, 50:].mean(axis=1)
    shared = np.var(science) - 2 * 3.315**2 / 808
    assert 0.1 < shared < 1.0  # two slow series of SD 0.5: 0.5 on average
    covariance = np.mean((prescan - prescan.mean()) * (science - science.mean()))
    assert covariance / shared == pytest.approx(1.0, abs=0.08)


def test_periodic_pattern_has_the_asked_amplitude():
    clock = np.arange(4096 * 858)
    phasor = np.exp(-2j * np.pi * clock / 7.3)
    frames = [bias("p", fixed_pattern_e=size) for size in (0.0, 1.5)]
    size = [2 * abs(np.mean((electrons(f) - MAPS.structure_e).ravel() * phasor)) for f in frames]
    assert size[0] < 0.02
    assert size[1] == pytest.approx(1.5, abs=0.02)


@pytest.mark.parametrize("binning", [(1, 1), (2, 1), (2, 2)])
def test_binned_charge_is_the_sum_and_is_read_once(binning):
    rate = np.full((4096, 808), 0.5, np.float32)
    options = {"binning": binning, "prnu": False, "nonlinear": False, "rate": rate}
    a, b = (electrons(flat(f"bin{n}", **options))[:, 50 // binning[0] :] for n in "ab")
    pixels = binning[0] * binning[1]
    signal = 50.0 * pixels + 100.0 * pixels * MAPS.dark_e_per_s.mean()
    structure = MAPS.structure_e[:, 50:].mean()
    assert a.mean() - structure == pytest.approx(signal, abs=0.15)
    expected = np.sqrt(50.0 * pixels + 3.315**2)
    difference = a - b
    difference -= difference.mean(axis=1, keepdims=True)  # the drift from row to row
    kept = difference[np.abs(difference) < 6 * expected * np.sqrt(2)]  # without hot pixels
    assert kept.std() / np.sqrt(2) == pytest.approx(expected, rel=0.005)


def test_flat_follows_response_and_photon_noise():
    a, b = (flat(f"flat{n}", nonlinear=False) for n in "ab")
    mean = (electrons(a) + electrons(b))[:, 50:] / 2
    good = ~MAPS.dead & ~MAPS.hot
    scaled = ((mean - MAPS.structure_e[:, 50:]) / 1e4)[good]
    response = MAPS.response[good].astype(float)
    slope, offset = np.polyfit(response, scaled, 1)
    assert slope == pytest.approx(1.0, abs=0.005)
    assert offset == pytest.approx(0.0, abs=0.005)
    assert np.std(scaled - response) == pytest.approx(np.sqrt(0.5e-4), rel=0.02)
    assert MAPS.response[MAPS.dead].max() < 0.21


def test_nonlinearity_is_quadratic():
    rate = np.full((4096, 808), 500.0, np.float32)
    measured = electrons(flat("nl", rate=rate, prnu=False))[:, 50:].mean()
    charge = 5e4 + 100 * MAPS.dark_e_per_s.mean()
    expected = charge * (1 - 7e-8 * charge) + MAPS.structure_e[:, 50:].mean()
    assert measured == pytest.approx(expected, abs=1.0)
    assert expected < charge - 170


def test_converter_clips_and_wells_fill():
    rate = np.full((4096, 808), 1e4, np.float32)
    frame = flat("full", rate=rate, prnu=False)
    assert (frame.pixels[:, 50:] == 65535).all()
    assert frame.truth["saturated_pixels"] == 4096 * 808
    assert frame.pixels[:, :50].max() < 1000
    camera = expose_ccd(
        ACQ,
        detector_maps("ACQ"),
        CcdSettings(ACQ.modes[0], exptime_s=100.0, cosmic_rays=False),
        5,
        "acq",
        np.full((1024, 1024), 1e5, np.float32),
    )
    well = 520 + 130e3 * (1 - 7e-8 * 130e3) / 2.0
    live = ~detector_maps("ACQ").dead
    assert np.median(camera.pixels[live]) == pytest.approx(well, abs=3)
    assert camera.truth["saturated_pixels"] > 0.99 * live.sum()


def test_dark_follows_its_map():
    frame = expose_ccd(VIS, MAPS, replace(QUIET, exptime_s=1000.0), 5, "dark")
    excess = (electrons(frame) - MAPS.structure_e)[:, 50:]
    # Where the mean is thousands of electrons the ratio is known to a fraction of a per cent.
    strong = MAPS.hot & (MAPS.dark_e_per_s > 1) & (MAPS.dark_e_per_s < 15)
    ratio = excess[strong] / (1000 * MAPS.dark_e_per_s[strong])
    assert ratio.mean() == pytest.approx(1.0, abs=0.003)
    assert np.count_nonzero(MAPS.hot) == round(4e-4 * 4096 * 808)
    cold = ~MAPS.hot
    assert excess[cold].mean() == pytest.approx(0.01, abs=0.03)


def test_cosmic_rays_scale_with_time_and_are_in_the_truth():
    counts = [cosmic_hits(stream(n, "c"), VIS, 3000.0).electrons.sum() for n in range(3)]
    short = [cosmic_hits(stream(n, "d"), VIS, 300.0).electrons.sum() for n in range(3)]
    assert np.sum(counts) / np.sum(short) == pytest.approx(10.0, rel=0.5)
    dark = replace(QUIET, exptime_s=600.0, cosmic_rays=True)
    struck = expose_ccd(VIS, MAPS, dark, 5, "dark")
    clean = expose_ccd(VIS, MAPS, replace(dark, cosmic_rays=False), 5, "dark")
    difference = (electrons(struck) - electrons(clean))[:, 50:].ravel()
    hits = struck.cosmics
    assert difference.sum() == pytest.approx(hits.electrons.sum(), rel=0.01)
    bright = hits.electrons > 100
    unsaturated = bright & (hits.electrons < 6e4)
    assert np.allclose(difference[hits.pixel[unsaturated]], hits.electrons[unsaturated], atol=2)
    area_cm2 = 4096 * 808 * 15e-4**2
    assert RATE_PER_CM2_S * area_cm2 * 630 > 100


def test_mean_cosmic_count_is_rate_times_area_times_time():
    area_cm2 = 1024**2 * 13e-4**2
    expected = RATE_PER_CM2_S * area_cm2 * 100
    found = []
    for n in range(60):
        hits = cosmic_hits(stream(n, "count"), ACQ, 100.0)
        found.append(np.unique(hits.time_fraction).size)
    assert np.mean(found) == pytest.approx(expected, abs=4 * np.sqrt(expected / 60) + 0.2)


def test_same_seed_same_pixels_and_names_are_independent():
    a, again, other = bias("one"), bias("one"), bias("two")
    assert np.array_equal(a.pixels, again.pixels)
    noise = [(electrons(f) - MAPS.structure_e) for f in (a, other)]
    assert abs(np.corrcoef(noise[0][:, ::7].ravel(), noise[1][:, ::7].ravel())[0, 1]) < 0.01


def test_unknown_binning_and_mode_are_refused():
    with pytest.raises(ValueError, match="1x1, 2x1, 2x2"):
        bias("x", binning=(1, 2))
    with pytest.raises(ValueError, match="slow-high"):
        VIS.mode("turbo")
