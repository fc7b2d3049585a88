"""Flexure along dispersion from telluric bands against the shift that the simulator gave."""

from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest

from soxs_recipes.algorithms.flexure import Flexure
from soxs_recipes.algorithms.flexure_telluric import band_shifts, telluric_flexure
from soxs_recipes.algorithms.telluric import Sight
from soxs_recipes.products.molecular_tables import read_molecular_table
from soxs_simulator.scenes import OpticsScenes
from tests.science.conftest import SEED, draw_scene

SLIT_ARCSEC = (-6.0, 6.0)
SHIFT_PX = (0.3, -0.2)
AIRMASS = 1.2


@pytest.fixture(scope="module")
def table():
    return read_molecular_table(files("soxs_recipes.calib") / "telluric_optical_depth.fits")


@pytest.fixture(scope="module")
def star():
    """Exposures of stars; lines have their tabulated places, but strengths of their own."""

    def draw(target, exptime_s, flexure_px=SHIFT_PX, slit="SLIT1.0", line_shift=0.0):
        source = OpticsScenes(SEED)
        shared = source.arm("VIS")
        shared.__dict__["atmosphere"] = replace(shared.atmosphere, line_shift=line_shift)
        return draw_scene(source, "VIS", target, exptime_s, None, flexure_px, slit)

    return draw


@pytest.mark.parametrize("slit", ["SLIT1.0", "SLIT5.0"])
def test_shift_of_a_short_exposure_of_a_standard_is_found(star, solution, table, slit):
    """20 s: single bands scatter as their errors say, and their mean is right to 0.05 px."""
    drawn, sight = star("LTT3218", 20.0, slit=slit), Sight(AIRMASS)
    pulls, off = [], []
    for seed in range(4):
        frame = drawn.noisy(seed)
        bands = band_shifts(frame, solution["VIS"], SLIT_ARCSEC, table, sight)
        assert len(bands) >= 3
        seen = [SHIFT_PX[1] - band.tilt * SHIFT_PX[0] for band in bands]
        pulls += [(b.along_px - true) / b.error_px for b, true in zip(bands, seen, strict=True)]
        across = Flexure(SHIFT_PX[0], 0.0, 0.03, 0.3)
        found = telluric_flexure(frame, solution["VIS"], SLIT_ARCSEC, table, sight, across)
        assert found.bands == len(bands)
        assert (found.dx_px, found.dx_error_px) == (across.dx_px, across.dx_error_px)
        assert found.dy_error_px < 0.05
        off.append(found.dy_px - SHIFT_PX[1])
    assert np.sqrt(np.mean(np.square(off))) < 0.05
    assert 0.5 < np.std(pulls) < 1.4
    assert abs(np.mean(pulls)) < 0.6


def test_the_shift_of_tilted_lines_by_a_shift_across_is_in_the_error(star, solution, table):
    """What is not known across dispersion moves lines along it, which the error allows for."""
    frame = star("A0V_9", 5.0).noisy(1)
    found = telluric_flexure(frame, solution["VIS"], SLIT_ARCSEC, table, Sight(AIRMASS))
    assert (found.dx_px, found.dx_error_px) == (0.0, 0.2)
    assert 0.035 < found.dy_error_px < 0.06
    assert abs(found.dy_px - SHIFT_PX[1]) < 2 * found.dy_error_px


def test_a_faint_object_leaves_what_is_expected(star, solution, table):
    expected = Flexure(0.1, -0.1, 0.1, 0.1)
    for target in ("PL_19", "BLANK-SKY"):
        frame = star(target, 20.0).noisy(1)
        found = telluric_flexure(
            frame, solution["VIS"], SLIT_ARCSEC, table, Sight(AIRMASS), expected
        )
        assert found.bands <= 1
        assert abs(found.dy_px - expected.dy_px) < expected.dy_error_px
        assert found.dy_error_px > 0.9 * expected.dy_error_px


def test_pixels_of_a_band_that_are_lost_cost_the_band_alone(star, solution, table):
    frame = star("A0V_9", 5.0).noisy(1)
    _, y = solution["VIS"].to_pixel(4, 762.0)
    quality = frame.quality.copy()
    quality[int(y) - 120 : int(y) + 120] = 1
    less = replace(frame, quality=quality)
    sight = Sight(AIRMASS)
    every = band_shifts(frame, solution["VIS"], SLIT_ARCSEC, table, sight)
    rest = band_shifts(less, solution["VIS"], SLIT_ARCSEC, table, sight)
    assert len(rest) == len(every) - 1
