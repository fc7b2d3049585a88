"""NIR frames against arithmetic of their own: ramps, noise, references, saturation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from soxs_simulator.detector_maps import detector_maps
from soxs_simulator.h2rg import RampSettings, expose_h2rg
from soxs_simulator.ramps import Ramp, explicit_ramps, fitted_charge
from soxs_simulator.rng import stream
from soxs_simulator.specs import NIR

MAPS = detector_maps("NIR")
QUIET = RampSettings(10.0, cosmic_rays=False)
SHAPE = (2040, 2040)


def frame(name, rate=None, **changes):
    return expose_h2rg(NIR, MAPS, replace(QUIET, **changes), 3, name, rate)


def electrons(raw):
    return raw.pixels.astype(float) * 2.3


def without_drifts(image):
    """Take out rows, then columns, by medians."""
    image = image - np.median(image, axis=1, keepdims=True)
    return image - np.median(image, axis=0, keepdims=True)


@pytest.mark.parametrize("reads", [2, 3, 8, 16])
def test_weights_are_those_of_a_straight_line_fit(reads):
    ramp = Ramp(reads)
    values = stream(1, "ramp").normal(size=(reads, 50))
    slope = np.polyfit(np.arange(reads), values, 1)[0]
    assert np.allclose(ramp.weights() @ values, slope * (reads - 1))
    line = 7.0 + 3.0 * np.arange(reads)
    assert ramp.weights() @ line == pytest.approx(3.0 * (reads - 1))
    assert ramp.event_weights().mean() == pytest.approx(1.0)
    assert np.mean(ramp.event_weights() ** 2) == pytest.approx(ramp.photon_factor())


@pytest.mark.parametrize(("reads", "expected"), [(2, 12 * 2**0.5), (8, 12 * (12 * 7 / 72) ** 0.5)])
def test_read_noise_of_the_fit(reads, expected):
    # sigma sqrt(12 (n - 1) / (n (n + 1))) for a line; sqrt 2 for two reads.
    assert 12 * Ramp(reads).noise_factor() == pytest.approx(expected)


@pytest.mark.parametrize("mean", [0.5, 40.0, 3000.0])
def test_quick_fit_is_the_same_as_read_by_read(mean):
    ramp, count = Ramp(8), 200_000
    rng = stream(2, "quick", mean)
    expected = np.full(count, mean, np.float32)
    quick = fitted_charge(rng, ramp, rng.poisson(expected).astype("f4"), NIR.read_noise_e)
    none = np.zeros(count, np.float32)
    slow = explicit_ramps(rng, NIR, ramp, expected, none, none.astype(int), 0.0)
    variance = (12 * ramp.noise_factor()) ** 2 + ramp.photon_factor() * mean
    for values in (quick, slow):
        assert values.mean() == pytest.approx(mean, abs=4.5 * np.sqrt(variance / count))
        assert values.var() == pytest.approx(variance, rel=4.5 * np.sqrt(2 / count))


def test_dark_noise_is_the_model():
    a, b = frame("a"), frame("b")
    noise = without_drifts(electrons(a) - electrons(b)) / np.sqrt(2)
    sigma = 1.4826 * np.median(np.abs(noise))
    model = np.hypot(a.truth["ron_e"], np.sqrt(1.0833 * 0.05))
    assert sigma == pytest.approx(model, rel=0.003)
    assert a.truth["ron_e"] == pytest.approx(12.9615, abs=1e-3)
    assert a.pixels.dtype == np.float32
    assert a.pixels.shape == (2048, 2048)


def test_integrations_average():
    one = [electrons(frame(f"one{n}")) for n in "ab"]
    two = [electrons(frame(f"two{n}", ndit=2)) for n in "ab"]
    sigma = [1.4826 * np.median(np.abs(without_drifts(x[0] - x[1]))) for x in (one, two)]
    assert sigma[0] / sigma[1] == pytest.approx(2**0.5, rel=0.01)
    rate = np.full(SHAPE, 200.0, np.float32)
    levels = [np.median(electrons(frame("level", rate, ndit=n))[4:-4, 4:-4]) for n in (1, 2)]
    assert levels[0] == pytest.approx(levels[1], abs=15)


def test_reference_pixels_share_the_drift_of_rows():
    difference = electrons(frame("a")) - electrons(frame("b"))
    reference = np.hstack([difference[:, :4], difference[:, -4:]]).mean(axis=1)
    science = np.median(difference[:, 4:-4], axis=1)
    slope = np.polyfit(science, reference, 1)[0]
    assert slope == pytest.approx(1.0, abs=0.1)
    assert science.std() > 1.0


def test_channels_have_their_offsets():
    raw = frame("channels")
    image = electrons(raw)
    image -= np.median(image, axis=1, keepdims=True)
    columns = np.median(image, axis=0).reshape(32, 64)
    measured = columns.mean(axis=1)
    expected = np.array(raw.truth["channel_offsets_e"])
    assert np.allclose(measured - measured.mean(), expected - expected.mean(), atol=0.3)
    alternate = columns[:, 1::2].mean(axis=1) - columns[:, ::2].mean(axis=1)
    assert np.allclose(alternate, raw.truth["odd_minus_even_e"], atol=0.3)
    assert expected.std() > 2


@pytest.mark.parametrize("level", [300.0, 5000.0, 60_000.0])
def test_light_gives_charge_loss_and_photon_factor(level):
    rate = np.full(SHAPE, level / 10, np.float32)
    a, b = (electrons(frame(f"light{n}", rate, prnu=False))[4:-4, 4:-4] for n in "ab")
    offsets = np.median(frame("light a").truth["channel_offsets_e"])
    expected = level * (1 - 1.5e-7 * level)
    assert np.median((a + b) / 2) == pytest.approx(expected, abs=6 + abs(offsets))
    noise = without_drifts(a - b) / np.sqrt(2)
    sigma = 1.4826 * np.median(np.abs(noise))
    # A quadratic loss lowers the noise by the local slope of the response.
    photons = 6 * 65 / (5 * 72) * level * (1 - 2 * 1.5e-7 * level) ** 2
    assert sigma**2 == pytest.approx(12.9615**2 + photons, rel=0.01)


def test_ramps_that_saturate_are_fitted_before_they_do():
    ramp, none = Ramp(8), np.zeros(4000, np.float32)
    for total in (1.4e5, 3e5):
        expected = np.full(none.size, total, np.float32)
        values = explicit_ramps(stream(5, total), NIR, ramp, expected, none, none.astype(int), 0.0)
        assert values.mean() == pytest.approx(total, rel=1e-3)
    flooded = explicit_ramps(
        stream(6), NIR, ramp, np.full(4000, 1e7, np.float32), none, none.astype(int), 0.0
    )
    assert np.all(flooded == 7 * 120e3)


def test_cosmic_ray_weighs_by_its_time():
    ramp = Ramp(8)
    jump, interval = np.full(7, 5000.0, np.float32), np.arange(7)
    zero = np.zeros(7, np.float32)
    quiet = replace(NIR, read_noise_e=0.0)
    values = explicit_ramps(stream(7), quiet, ramp, zero, jump, interval, 0.0)
    for first, value in zip(interval, values, strict=True):
        steps = np.where(np.arange(8) > first, 5000.0, 0.0)
        assert value == pytest.approx(np.polyfit(np.arange(8), steps, 1)[0] * 7, rel=1e-4)


def test_cosmic_rays_reach_the_frame():
    raw = frame("struck", dit_s=300.0, cosmic_rays=True)
    clean = frame("struck", dit_s=300.0)
    difference = (electrons(raw) - electrons(clean))[4:-4, 4:-4].ravel()
    strong = raw.cosmics.electrons > 2000
    assert strong.sum() > 50
    assert np.mean(difference[raw.cosmics.pixel[strong]] > 200) > 0.97
    untouched = np.ones(difference.size, bool)
    untouched[raw.cosmics.pixel] = False
    assert np.all(difference[untouched] == 0)


def test_hot_pixels_have_their_rate():
    image = electrons(frame("hot", dit_s=100.0))[4:-4, 4:-4]
    image -= np.median(image)
    strong = MAPS.hot & (MAPS.dark_e_per_s > 20) & (MAPS.dark_e_per_s < 150)
    charge = 100 * MAPS.dark_e_per_s[strong]
    ratio = image[strong] / (charge * (1 - 1.5e-7 * charge))
    assert ratio.mean() == pytest.approx(1.0, abs=0.004)
    assert MAPS.hot.mean() == pytest.approx(3e-3, rel=1e-3)


def test_two_reads_are_last_minus_first():
    raw = frame("cds", method="cds")
    assert raw.truth["reads"] == 2
    assert raw.truth["photon_factor"] == pytest.approx(1.0)
    assert raw.truth["ron_e"] == pytest.approx(12 * np.sqrt(2))


def test_impossible_ramps_are_refused():
    with pytest.raises(ValueError, match="shorter than one read"):
        frame("short", dit_s=0.5)
    with pytest.raises(ValueError, match="slope or cds"):
        frame("odd", method="fowler")
