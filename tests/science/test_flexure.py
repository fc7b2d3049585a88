"""Flexure from sky lines against the shift that the simulator gave."""

from importlib.resources import files

import numpy as np
import pytest

from soxs_recipes.algorithms.flexure import Flexure, sky_flexure
from soxs_recipes.algorithms.line_check_rows import CheckSettings
from soxs_recipes.products.sky_lines import read_sky_lines

SETTINGS = CheckSettings(3.2, 11.7, 20, 7.0, 0.1)
SHIFT_PX = (0.25, -0.15)


@pytest.fixture(scope="module")
def lines():
    return read_sky_lines(files("soxs_recipes.calib") / "sky_lines.ecsv")


def along(solution, dx, dy):
    return dx if solution.dispersion_axis == "x" else dy


@pytest.mark.parametrize(("arm", "exptime_s"), [("NIR", 300.0), ("NIR", 10.0), ("VIS", 600.0)])
def test_shift_is_found(scene, solution, lines, arm, exptime_s):
    frame = scene(arm, "AT2026ABC", exptime_s, flexure_px=SHIFT_PX).noisy(1)
    found = sky_flexure(frame, solution[arm], lines, SETTINGS)
    assert found.lines > 20
    error = np.array([found.dx_px, found.dy_px]) - SHIFT_PX
    assert np.abs(error).max() < 0.05
    assert abs(along(solution[arm], *error)) < 0.03
    moved = found.applied(solution[arm]).to_pixel(solution[arm].orders[0], 600.0)
    still = solution[arm].to_pixel(solution[arm].orders[0], 600.0)
    assert np.subtract(moved, still) == pytest.approx([found.dx_px, found.dy_px])


def test_few_faint_lines_are_held_near_what_is_expected(scene, solution, lines):
    frame = scene("VIS", "AT2026ABC", 60.0, flexure_px=SHIFT_PX).noisy(1)
    expected = Flexure(0.2, -0.1, 0.05, 0.05)
    found = sky_flexure(frame, solution["VIS"], lines, SETTINGS, expected)
    assert 0 < found.dx_error_px < expected.dx_error_px
    assert abs(found.dx_px - SHIFT_PX[0]) < 0.1
    assert abs(found.dy_px - SHIFT_PX[1]) < 0.05


def test_a_frame_without_lines_leaves_what_is_expected(plain_frame, solution, lines):
    dark = plain_frame(np.zeros(solution["VIS"].shape))
    assert sky_flexure(dark, solution["VIS"], lines, SETTINGS) == Flexure()
    expected = Flexure(0.1, 0.2, 0.1, 0.1)
    assert sky_flexure(dark, solution["VIS"], lines, SETTINGS, expected) == expected
