"""The image of a solution against its inverse at every pixel."""

from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest

from soxs_recipes.algorithms.dispersion_image import dispersion_image
from soxs_recipes.algorithms.quality import Quality
from soxs_recipes.instrument.spectral_format import read_spectral_format

HALF_ARCSEC = 6.5


def nominal(arm):
    return read_spectral_format(files("soxs_recipes.calib") / f"spectral_format_{arm.lower()}.json")


@pytest.mark.parametrize(("arm", "binning"), [("VIS", (1, 1)), ("VIS", (2, 2)), ("NIR", (1, 1))])
def test_every_pixel_has_what_the_inverse_gives(arm, binning):
    """Each order is tried in whole rows, also where the image has nothing."""
    solution = nominal(arm).shifted(7.3, -11.6).binned(*binning)
    image = dispersion_image(solution, HALF_ARCSEC)
    rows, columns = solution.shape
    tried = np.r_[0:8, 8 : rows - 8 : 37, rows - 8 : rows]
    y, x = np.meshgrid(tried, np.arange(columns), indexing="ij")
    expected = np.zeros(x.shape, int)
    for order, (low, high) in zip(solution.orders.tolist(), solution.range_nm, strict=True):
        wave, slit = solution.to_sky(order, x, y)
        inside = (np.abs(slit) <= HALF_ARCSEC) & (wave >= low) & (wave <= high)
        expected[inside] = order
        assert image.wave_nm[y, x][inside] == pytest.approx(wave[inside], abs=1e-6)
        assert image.slit_arcsec[y, x][inside] == pytest.approx(slit[inside], abs=1e-5)
    assert np.array_equal(image.order[y, x], expected)


def test_pixels_beyond_the_outermost_lines_are_flagged():
    solution = nominal("NIR")
    low, high = solution.range_nm.T
    fitted = np.stack([low + 0.2 * (high - low), high - 0.1 * (high - low)], axis=1)
    image = dispersion_image(replace(solution, fitted_nm=fitted), HALF_ARCSEC)
    outside = image.order == 0
    assert np.all(image.quality[outside] == Quality.NO_DATA)
    assert np.isnan(image.wave_nm[outside]).all() and np.isnan(image.slit_arcsec[outside]).all()
    here = image.order == 15
    row = solution.index(15)
    beyond = (image.wave_nm < fitted[row, 0]) | (image.wave_nm > fitted[row, 1])
    assert np.array_equal(image.quality[here] == Quality.EXTRAPOLATED, beyond[here])


def test_where_orders_overlap_the_nearer_slit_centre_counts():
    solution = nominal("NIR")
    close = dispersion_image(solution, 12.0)
    y, x = np.nonzero(close.order == 18)
    for neighbour in (17, 19):
        _, slit = solution.to_sky(neighbour, x, y)
        assert np.all(~(np.abs(slit) < np.abs(close.slit_arcsec[y, x]) - 1e-5))


def test_an_order_off_the_detector_has_no_pixels():
    away = nominal("VIS").shifted(-400.0, 0.0)
    assert set(np.unique(dispersion_image(away, HALF_ARCSEC).order)) == {0, 3, 4}
