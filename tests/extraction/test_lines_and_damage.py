"""Narrow lines, and pixels that cosmic rays or defects took, in simulated exposures."""

import numpy as np
import pytest

from soxs_recipes.algorithms.beam_pixels import Beam, Exposure
from soxs_recipes.algorithms.frame import DetectorFrame
from soxs_recipes.algorithms.object_extraction import ObjectSettings, extract_object, look
from soxs_recipes.algorithms.quality import Quality

READ_NOISE_E = {"VIS": 3.35, "NIR": 9.2}
LIMITS = {"VIS": (-5.75, 5.75), "NIR": (-5.95, 5.95)}
# Of the simulator's lines, free of absorption and of neighbours, and within an order.
LINES_NM = {"VIS": (500.68, 656.28), "NIR": (1083.03, 1281.81)}


def extracted(arm, flux, variance, sky, solution, quality=None):
    frame = DetectorFrame.from_variance(flux, variance, quality)
    model = DetectorFrame.from_variance(sky, np.full_like(sky, 1e-4))
    one = Exposure(frame, solution, (Beam(1, 0.0, 600.0),), model)
    settings = ObjectSettings(LIMITS[arm])
    view = look([one], settings)
    return extract_object(view, view.objects[0], settings).spectra


def moments(light, level):
    """Flux, place and width (SD) of a line above its continuum, in bins."""
    place, above = np.arange(len(light)), light - level
    centre = above @ place / above.sum()
    return above.sum(), centre, np.sqrt(above @ (place - centre) ** 2 / above.sum())


@pytest.mark.parametrize("arm", ["VIS", "NIR"])
@pytest.mark.parametrize("magnitude", [21.0, 16.0])
def test_narrow_lines_keep_flux_width_and_place(arm, magnitude, sky):
    request = sky.request(arm, f"LINES_{magnitude}")
    whole, alone = sky.electrons(request)
    spectra = extracted(
        arm, whole - alone, whole + READ_NOISE_E[arm] ** 2, alone, sky.solution(arm)
    )
    for line in LINES_NM[arm]:
        orders = [o for o in spectra.orders if _within(spectra.wave_nm[spectra.of(o)], line)]
        assert orders
        for order in orders:
            here = spectra.of(order)
            truth, _ = sky.truth(request, order, spectra.wave_nm[here])
            middle = int(np.argmin(np.abs(spectra.wave_nm[here] - line)))
            part = slice(middle - 7, middle + 8)
            beside = np.r_[middle - 14 : middle - 7, middle + 8 : middle + 15]
            ours, true = (
                moments(light[part], light[beside].mean())
                for light in (spectra.flux_e[here], truth)
            )
            assert ours[0] == pytest.approx(true[0], rel=0.005), (order, line)
            assert ours[1] == pytest.approx(true[1], abs=0.02), (order, line)
            assert ours[2] == pytest.approx(true[2], rel=0.01), (order, line)


def _within(wave_nm, line):
    return wave_nm.min() + 2 < line < wave_nm.max() - 2


def test_lines_of_the_sky_are_where_they_should_be(sky):
    """Flexure is known: sky and object share one scale of wavelengths."""
    shift = (0.3, -0.4)
    request = sky.request("NIR", "PL_17.0", flexure_px=shift)
    whole, alone = sky.electrons(request)
    solution = sky.solution("NIR").shifted(*shift)
    spectra = extracted("NIR", whole - alone, whole + 9.2**2, alone, solution)
    from soxs_simulator.scenes_truth import exposure_truth

    truths = exposure_truth(sky.source, request).orders
    shifts = []
    for order in (16, 18, 20):
        here, truth = spectra.of(order), truths[order]
        rising = np.argsort(truth.wave_nm)
        expected = np.interp(
            spectra.wave_nm[here], truth.wave_nm[rising], truth.sky_e_per_s_arcsec[rising]
        )
        found = spectra.sky_e[here]
        peaks = (
            np.flatnonzero(
                (expected[20:-20] > np.percentile(expected, 98))
                & (
                    expected[20:-20]
                    == np.max([expected[20 + k : k - 20 or None] for k in range(-8, 9)], axis=0)
                )
            )
            + 20
        )
        for peak in peaks:
            part = slice(peak - 4, peak + 5)
            shifts.append(
                moments(found[part], found[part].min())[1]
                - moments(expected[part], expected[part].min())[1]
            )
    assert len(shifts) > 10
    assert np.sqrt(np.mean(np.square(shifts))) < 0.05


@pytest.mark.parametrize("magnitude", [19.0, 15.0])
def test_cosmic_rays_and_bad_pixels_change_little(magnitude, sky):
    """The same noise with and without damage; the search for cosmic rays found nothing."""
    request = sky.request("VIS", f"PL_{magnitude}")
    whole, alone = sky.electrons(request)
    variance = whole + READ_NOISE_E["VIS"] ** 2
    rng = np.random.default_rng(3)
    clean = (rng.normal(whole, np.sqrt(variance)) - alone).astype("f4")
    struck = rng.random(clean.shape) < 5e-4
    damaged = clean + np.where(struck, rng.exponential(2000, clean.shape), 0).astype("f4")
    bad = rng.random(clean.shape) < 2e-3
    damaged[bad] = 3e4
    quality = np.where(bad, np.uint16(Quality.BAD_PIXEL), np.uint16(0))
    solution = sky.solution("VIS")
    one, other = (
        extracted("VIS", flux, variance, alone, solution, bits)
        for flux, bits in ((clean, None), (damaged, quality))
    )
    use = one.good & other.good & (one.flux_e > 0.05 * np.median(one.flux_e))
    change = (other.flux_e - one.flux_e)[use]
    touched = np.abs(change) > 1e-3 * one.error_e[use]
    assert 0.05 < touched.mean() < 0.9
    level = one.flux_e[use][touched].mean()
    scatter = np.sqrt(np.sum(change[touched] ** 2)) / touched.sum()
    assert abs(change[touched].mean()) < 0.002 * level + 2 * scatter
    assert scatter < 0.002 * level
    assert np.count_nonzero(~other.good) < 0.01 * len(other.good)
