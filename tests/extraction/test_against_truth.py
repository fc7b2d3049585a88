"""Extraction of simulated exposures against the simulator's truth."""

import numpy as np
import pytest

from soxs_recipes.algorithms.beam_pixels import Beam, Exposure
from soxs_recipes.algorithms.frame import DetectorFrame
from soxs_recipes.algorithms.object_extraction import ObjectSettings, extract_object, look
from soxs_simulator.scenes_truth import exposure_bounds

READ_NOISE_E = {"VIS": 3.35, "NIR": 9.2}
LIMITS = {"VIS": (-5.75, 5.75), "NIR": (-5.95, 5.95)}


def noisy(expected, arm, rng):
    """An exposure, and its variance as detrending would know it on average."""
    variance = expected + READ_NOISE_E[arm] ** 2
    return rng.normal(expected, np.sqrt(variance)), variance


def extract(arm, exposures):
    settings = ObjectSettings(LIMITS[arm])
    view = look(exposures, settings)
    return view, extract_object(view, view.objects[0], settings)


def compare(spectra, truth_of):
    """Per order: ratio to the truth, its error, pulls and where there is light."""
    for order in spectra.orders:
        here = spectra.of(order)
        truth = truth_of(order, spectra.wave_nm[here])
        lit = (truth > 0.05 * truth.max()) & spectra.good[here]
        flux, error = spectra.flux_e[here][lit], spectra.error_e[here][lit]
        total = truth[lit].sum()
        scatter = np.sqrt(np.sum(error**2)) / total
        yield order, flux.sum() / total - 1, scatter, (flux - truth[lit]) / error, lit


@pytest.mark.parametrize("arm", ["VIS", "NIR"])
def test_a_stare_of_a_point_source(arm, sky):
    request = sky.request(arm, "PL_17.0")
    whole, _ = sky.electrons(request)
    target = sky.object_electrons(request)
    data, variance = noisy(whole, arm, np.random.default_rng(11))
    frame = DetectorFrame.from_variance(data - (whole - target), variance)
    solution = sky.solution(arm)
    view, extracted = extract(arm, [Exposure(frame, solution, (Beam(1, 0.0, 600.0),))])
    spectra = extracted.spectra
    assert len(view.objects) == 1 and extracted.traced
    rate = whole / request.exptime_s
    bounds = exposure_bounds(sky.source, request, rate, READ_NOISE_E[arm])
    pulls, gains = [], []
    for order, bias, scatter, pull, lit in compare(
        spectra, lambda order, wave: sky.truth(request, order, wave)[0]
    ):
        assert abs(bias) < 0.005 + 3 * scatter, order
        pulls.append(pull)
        here = spectra.of(order)
        wave = spectra.wave_nm[here][lit]
        truth, centre = sky.truth(request, order, wave)
        found, _ = extracted.beams[0].model.trace.at(order, wave)
        assert np.abs(found - centre).max() < 0.02
        pixel = solution.along(*solution.to_pixel(order, wave)).round().astype(int)
        bound = bounds[order].sky_fitted[np.clip(pixel, 0, len(bounds[order].sky_fitted) - 1)]
        gains.append((pull * spectra.error_e[here][lit] / truth * bound) ** 2)
    pulls, gains = np.concatenate(pulls), np.concatenate(gains)
    assert abs(pulls.mean()) < 0.05
    assert 1.4826 * np.median(np.abs(pulls)) == pytest.approx(1, abs=0.03)
    assert np.mean(np.abs(pulls) > 4) < 1e-3
    # Variance relative to that of the bound: the signal-to-noise ratio is at least 0.97 of it.
    assert np.mean(np.clip(gains, 0, 25)) < 1 / 0.97**2


def test_a_nodding_pair_holds_the_object_twice(sky):
    requests = [sky.request("NIR", "PL_16.5", mode="NODDING", nod_arcsec=y) for y in (2.5, -2.5)]
    rng = np.random.default_rng(12)
    (a, var_a), (b, var_b) = (noisy(sky.electrons(r)[0], "NIR", rng) for r in requests)
    frame = DetectorFrame.from_variance(a - b, var_a + var_b)
    beams = (Beam(1, 2.5, 600.0), Beam(-1, -2.5, 600.0))
    view, extracted = extract("NIR", [Exposure(frame, sky.solution("NIR"), beams)])
    assert view.objects[0].offset_arcsec == pytest.approx(0, abs=0.05)
    assert len(extracted.beams) == 2

    def truth_of(order, wave):
        return np.mean([sky.truth(r, order, wave)[0] for r in requests], axis=0)

    pulls = []
    for order, bias, scatter, pull, _ in compare(extracted.spectra, truth_of):
        assert abs(bias) < 0.005 + 3 * scatter, order
        pulls.append(pull)
    pulls = np.concatenate(pulls)
    assert abs(np.median(pulls)) < 0.05
    assert 1.4826 * np.median(np.abs(pulls - np.median(pulls))) == pytest.approx(1, abs=0.04)


def test_exposures_with_other_flexure_are_combined_on_common_bins(sky):
    """Faint in one exposure; wavelengths are those of the first."""
    shifts = [(0.0, 0.0), (0.2, -0.35)]
    requests = [sky.request("VIS", "PL_19.5", flexure_px=shift) for shift in shifts]
    rng, solution = np.random.default_rng(13), sky.solution("VIS")
    exposures = []
    for request, shift in zip(requests, shifts, strict=True):
        whole, alone = sky.electrons(request)
        data, variance = noisy(whole, "VIS", rng)
        frame = DetectorFrame.from_variance(data - alone, variance)
        exposures.append(Exposure(frame, solution.shifted(*shift), (Beam(1, 0.0, 600.0),)))
    _, one = extract("VIS", exposures[:1])
    _, both = extract("VIS", exposures)
    assert np.array_equal(one.spectra.wave_nm, both.spectra.wave_nm)
    gain = np.median(one.spectra.error_e / both.spectra.error_e)
    assert gain == pytest.approx(np.sqrt(2), rel=0.03)
    rows = compare(both.spectra, lambda order, wave: sky.truth(requests[0], order, wave)[0])
    for order, bias, scatter, pull, _ in rows:
        assert abs(bias) < 0.005 + 3 * scatter, order
        assert 1.4826 * np.median(np.abs(pull - np.median(pull))) == pytest.approx(1, abs=0.05)
