"""From simulated pinhole arcs to a dispersion solution, against the truth of the night."""

import json
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from soxs_recipes.algorithms.dispersion_lines import (
    LineSearch,
    NoArcLinesError,
    fit_lines,
    measure_lines,
)
from soxs_recipes.algorithms.frame import DetectorFrame
from soxs_recipes.cameras import arm_named
from soxs_recipes.instrument.spectral_format import read_spectral_format
from soxs_recipes.products.arc_line_lists import read_arc_lines
from soxs_recipes.products.fits_input import read_header
from soxs_recipes.products.raw import open_raw
from soxs_simulator.format import ArmFormat

ORDER_MODEL = {"VIS": "separate", "NIR": "echelle"}
DEGREES = {"VIS": [(4, 0), (5, 0), (6, 0)], "NIR": [(4, 3), (5, 4), (6, 4)]}
LIMIT_PX = {"VIS": 0.02, "NIR": 0.03}
both_arms = pytest.mark.parametrize("arm", ["VIS", "NIR"])


def calibration(name):
    return Path(str(files("soxs_recipes.calib") / name))


def nominal(arm):
    return read_spectral_format(calibration(f"spectral_format_{arm.lower()}.json"))


def arc_lines(arm):
    return read_arc_lines(calibration(f"arc_lines_{arm.lower()}.ecsv"))


def electrons(path, arm):
    header = read_header(path)
    with open_raw(path, header, arm_named(arm), arm_named(arm).reference_methods[0]) as raw:
        return raw.pixels()


def first(small_night, tag):
    return next(path for path, known in small_night if known == tag)


@pytest.fixture
def arc(small_night):
    """Detrended pinhole arc of an arm, and the file it comes from."""

    def make(arm):
        path = first(small_night, f"PINHOLE_ARC_{arm}")
        pixels, noise = electrons(path, arm), 3.5
        if arm == "NIR":
            pixels = pixels - electrons(first(small_night, "PINHOLE_ARC_OFF_NIR"), arm)
            noise = 18.5
        return DetectorFrame.from_variance(pixels, np.maximum(pixels, 0) + noise**2), path

    return make


def search(arm):
    return LineSearch((1.7, 1.7), *arm_named(arm).arc_strengths, np.zeros(1))


def measured(frame, arm):
    return measure_lines(frame, nominal(arm), arc_lines(arm), search(arm))


def assert_true(solution, arm, path):
    """Between the outermost lines of every order."""
    truth = json.loads((path.parent / "truth" / "manifest.json").read_text())
    optics = ArmFormat.from_dict(truth["optics"]["arms"][arm]["format"])
    flexure = truth["frames"][path.name]["flexure_px"]
    errors = []
    for order, (low, high) in zip(solution.orders, solution.fitted_nm, strict=True):
        wave = np.linspace(low, high, 200)
        there = np.add.outer(flexure, np.zeros(200)) + optics.orders[int(order)].to_pixel(wave, 0.0)
        errors.append(np.array(solution.to_pixel(order, wave)) - there)
    errors = np.concatenate(errors, axis=1)
    assert np.all(np.sqrt(np.mean(errors**2, axis=1)) < LIMIT_PX[arm])
    assert np.abs(errors).max() < 0.3


@both_arms
def test_solution_against_the_truth_between_the_outermost_lines(arc, arm):
    """The format of the night has drifted by several pixels from the nominal one."""
    frame, path = arc(arm)
    found = measured(frame, arm)
    chosen = fit_lines(nominal(arm), found, ORDER_MODEL[arm], DEGREES[arm])
    assert_true(chosen.fit.solution, arm, path)
    assert found.detected.mean() > 0.6


@both_arms
def test_inverse_returns_to_where_it_came_from(arm):
    solution = nominal(arm)
    for order, (low, high) in zip(solution.orders, solution.range_nm, strict=True):
        wave, slit = np.meshgrid(np.linspace(low, high, 50), np.linspace(-5.5, 5.5, 7))
        back_wave, back_slit = solution.to_sky(order, *solution.to_pixel(order, wave, slit))
        assert back_wave == pytest.approx(wave, abs=1e-6)
        assert back_slit == pytest.approx(slit, abs=1e-5)


def test_nominal_format_has_the_published_positions():
    """Check values of the spectral format, trimmed frame."""
    published = [
        ("VIS", 1, 604.75, 0.0, 170.8840, 1925.5357),
        ("VIS", 2, 394.5, -3.0, 325.8306, 2229.7058),
        ("VIS", 4, 800.0, 5.0, 666.7324, 2823.4198),
        ("NIR", 10, 1945.6, 0.0, 988.0980, 384.4176),
        ("NIR", 17, 1146.45, 5.0, 981.8000, 799.6744),
        ("NIR", 24, 820.0, -4.0, 1159.1933, 1403.1820),
    ]
    for arm, order, wave, slit, x, y in published:
        assert nominal(arm).to_pixel(order, wave, slit) == pytest.approx((x, y), abs=1e-3)


def test_shift_and_binning():
    solution = nominal("VIS")
    x, y = solution.to_pixel(3, 480.0, 2.0)
    assert solution.shifted(0.5, -1.0).to_pixel(3, 480.0, 2.0) == pytest.approx((x + 0.5, y - 1.0))
    # The centre of a binned pixel lies between those of the pixels it is made of.
    assert solution.binned(2, 1).to_pixel(3, 480.0, 2.0) == pytest.approx(((x - 0.5) / 2, y))


def test_a_frame_without_lines_is_refused():
    shape = nominal("VIS").shape
    noise = np.random.default_rng(1).normal(0, 3.5, shape)
    blank = DetectorFrame.from_variance(noise, np.full(shape, 3.5**2))
    with pytest.raises(NoArcLinesError):
        measured(blank, "VIS")


def test_lines_of_the_wrong_arm_are_refused(arc):
    frame, _ = arc("VIS")
    swapped = DetectorFrame.from_variance(frame.flux[::-1, ::-1], frame.variance[::-1, ::-1])
    with pytest.raises(NoArcLinesError):
        measured(swapped, "VIS")


@both_arms
@pytest.mark.parametrize("signs", [(1, 1, 1, 1), (-1, 1, -1, 1), (1, -1, 1, -1), (-1, -1, -1, -1)])
def test_the_largest_drift_is_found(arc, arm, signs):
    """A format that is 15 px, a tenth of a degree and 1e-3 in scale away from the frame's."""
    frame, path = arc(arm)
    guess = nominal(arm)
    shift_x, shift_y = 15.0 * signs[0], 15.0 * signs[1]
    cos, sin = (1 + 1e-3 * signs[2]), np.deg2rad(0.1) * signs[3]
    middle = [(side - 1) / 2 for side in guess.shape]
    terms = max(guess.x_coef.shape[2], guess.y_coef.shape[2])
    x, y = (
        np.pad(coef, ((0, 0), (0, 0), (0, terms - coef.shape[2])))
        for coef in (guess.x_coef, guess.y_coef)
    )
    x[:, 0, 0] -= middle[1]
    y[:, 0, 0] -= middle[0]
    x, y = cos * x - sin * y, sin * x + cos * y
    x[:, 0, 0] += middle[1] + shift_x
    y[:, 0, 0] += middle[0] + shift_y
    far = replace(guess, x_coef=x, y_coef=y)
    found = measure_lines(frame, far, arc_lines(arm), search(arm))
    assert_true(fit_lines(far, found, ORDER_MODEL[arm], DEGREES[arm]).fit.solution, arm, path)
