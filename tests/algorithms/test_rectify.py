"""Rectification against scenes whose place and flux are known, and against brute force."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from soxs_recipes.algorithms.frame import DetectorFrame
from soxs_recipes.algorithms.quality import Quality, has
from soxs_recipes.algorithms.rectify import RectifySettings, rectify, rectify_order
from soxs_recipes.algorithms.rectify_grid import (
    OffDetectorError,
    RectifiedGrid,
    across_at,
    along_at,
    order_grid,
    slit_axis,
    typical_steps,
)
from soxs_recipes.algorithms.rectify_overlap import Shares, share_out
from soxs_recipes.instrument.spectral_format import read_spectral_format

STEP_ARCSEC = {"VIS": 0.27, "NIR": 0.33}
CASES = [("VIS", 1), ("VIS", 3), ("NIR", 10), ("NIR", 23)]


def solution_of(arm):
    return read_spectral_format(
        Path(str(files("soxs_recipes.calib") / f"spectral_format_{arm.lower()}.json"))
    )


SETTINGS = RectifySettings(6.5)


def frame_of(image, error=1.0):
    return DetectorFrame(image, np.full(image.shape, error), np.zeros(image.shape, int))


def subpixels(solution, order, wave_nm, half_px, samples):
    """Flat (row, column, wavelength, slit) of sub-pixels in the box around a slit image."""
    x, y = solution.to_pixel(order, wave_nm, np.array([-6.5, 6.5]))
    along, across = solution.along(x, y), solution.across(x, y)
    low = np.floor([along.min() - half_px, across.min() - 2]).astype(int)
    high = np.ceil([along.max() + half_px, across.max() + 2]).astype(int)
    inner = (np.arange(samples) + 0.5) / samples - 0.5
    first, second = (
        (np.arange(a, b + 1)[:, None] + inner).ravel() for a, b in zip(low, high, strict=True)
    )
    along, across = (part.ravel() for part in np.meshgrid(first, second, indexing="ij"))
    x, y = (along, across) if solution.dispersion_axis == "x" else (across, along)
    return np.rint(y).astype(int), np.rint(x).astype(int), *solution.to_sky(order, x, y)


def line_scene(solution, order, wave_nm, sd_px=1.3):
    """A slit line of 1e6 electrons per arcsec, ends soft, integrated over pixels."""
    rows, columns, wave, slit = subpixels(solution, order, wave_nm, 12, 6)
    sd_nm = sd_px * float(solution.pixel_nm(order, wave_nm))
    light = np.exp(-0.5 * ((wave - wave_nm) / sd_nm) ** 2) / (1 + np.exp((np.abs(slit) - 5.5) * 9))
    image = np.zeros(solution.shape)
    np.add.at(image, (rows, columns), np.nan_to_num(light))
    return image * 1e6 / image.sum()


def test_share_out_conserves_and_squares():
    flux = np.array([[1.0, 2.0, 4.0, 8.0]], np.float32)
    pixels = Shares(flux, flux, flux, np.ones_like(flux), None)
    cells = share_out(pixels, np.array([[-0.5, 1.0, 2.25, 3.5]]))
    assert cells.flux[0] == pytest.approx([1 + 1, 1 + 3, 1 + 8])
    assert cells.variance[0] == pytest.approx([1 + 0.5, 0.5 + 4 * 0.75**2, 4 * 0.25**2 + 8])
    assert cells.full_variance.sum() == pytest.approx(15)
    assert cells.usable == pytest.approx(1)
    falling = share_out(pixels, np.array([[3.5, 2.25, 1.0, -0.5]]))
    assert falling.flux[0] == pytest.approx(cells.flux[0, ::-1])


@pytest.mark.parametrize(("arm", "order"), CASES)
def test_interpolated_positions_are_those_of_the_solution(arm, order):
    solution = solution_of(arm)
    grid = order_grid(solution, order, slit_axis(6.5, STEP_ARCSEC[arm]))
    x, y = solution.to_pixel(order, grid.wave_nm, grid.slit_arcsec[:, None])
    along = along_at(solution, order, grid.wave_nm, grid.slit_arcsec)
    assert np.abs(along - solution.along(x, y)).max() < 1e-6
    lines = np.arange(600.0, 1900.0)
    across = across_at(solution, order, lines, grid.slit_arcsec)
    points = (lines[:, None], across) if arm == "NIR" else (across, lines[:, None])
    _, slit = solution.to_sky(order, *points)
    assert np.abs(slit - grid.slit_arcsec).max() < 1e-4


@pytest.mark.parametrize(("arm", "order"), CASES)
def test_a_tilted_line_becomes_straight_and_keeps_its_flux(arm, order):
    """Centroid within 0.05 px in every row, width that of the line with pixel and cell."""
    solution = solution_of(arm)
    wave_nm = float(np.quantile(solution.range_nm[solution.index(order)], 0.35))
    image = line_scene(solution, order, wave_nm)
    grid = order_grid(solution, order, slit_axis(6.5, STEP_ARCSEC[arm]))
    flux = rectify_order(frame_of(image), solution, order, grid).flux.astype(float)
    assert flux.sum() == pytest.approx(image.sum(), rel=1e-3)
    row_flux = flux.sum(axis=1)
    inside = np.abs(grid.slit_arcsec) < 5.0
    assert np.std(row_flux[inside]) < 0.03 * row_flux[inside].mean()
    offset = (grid.wave_nm - wave_nm) / grid.wave_step_nm
    centre = (flux @ offset / row_flux)[inside]
    width = np.sqrt(flux @ offset**2 / row_flux)[inside]
    pixel = float(solution.pixel_nm(order, wave_nm)) / grid.wave_step_nm
    assert np.abs(centre).max() < 0.05
    assert abs(centre.mean()) < 0.005
    # The detector integrates over pixels, these are taken as evenly lit, and cells integrate.
    expected = np.sqrt((1.3 * pixel) ** 2 + 2 * pixel**2 / 12 + 1 / 12)
    assert width.mean() == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize(("arm", "order"), CASES)
def test_cells_agree_with_brute_force_overlap(arm, order):
    """Sub-pixels, 41 by 41, sorted into cells one by one are the exact area of overlap."""
    solution = solution_of(arm)
    wave_nm = float(np.quantile(solution.range_nm[solution.index(order)], 0.6))
    image = line_scene(solution, order, wave_nm)
    grid = order_grid(solution, order, slit_axis(6.5, STEP_ARCSEC[arm]))
    rows, columns, wave, slit = subpixels(solution, order, wave_nm, 6, 41)
    i = np.rint((wave - grid.wave_start_nm) / grid.wave_step_nm).astype(int)
    j = np.rint((slit - grid.slit_start_arcsec) / grid.slit_step_arcsec).astype(int)
    inside = (j >= 0) & (j < grid.slit_count) & (i >= 0) & (i < grid.wave_count)
    exact = np.zeros(grid.shape)
    np.add.at(exact, (j[inside], i[inside]), image[rows, columns][inside] / 41**2)
    cells = rectify_order(frame_of(image), solution, order, grid).flux
    assert np.abs(cells - exact).max() < 0.025 * exact.max()
    assert np.sqrt(np.sum((cells - exact) ** 2)) < 0.015 * np.sqrt(np.sum(exact**2))


@pytest.mark.parametrize("arm", ["VIS", "NIR"])
def test_noise_of_cells_and_of_sums(arm):
    solution, sigma = solution_of(arm), 7.0
    rng = np.random.default_rng(4)
    frame = frame_of(rng.normal(0, sigma, solution.shape), sigma)
    orders, merged = rectify(frame, solution, SETTINGS)
    for cells in (*orders[::4], merged):
        valid = ~has(cells.quality)
        pulls = cells.flux[valid] / np.sqrt(cells.variance[valid])
        assert np.std(pulls) == pytest.approx(1.0, abs=0.02)
        sums = [_blocks(plane, 12, 60) for plane in (cells.flux, cells.variance, valid)]
        whole = sums[2] == 12 * 60
        pulls = sums[0][whole] / np.sqrt(sums[1][whole] * cells.covariance_factor)
        expected_error = 1 / np.sqrt(2 * whole.sum())
        # Blocks share pixels with their surroundings: their sums scatter less by a few percent.
        assert np.std(pulls) == pytest.approx(0.98, abs=0.03 + 3 * expected_error)
        assert 1.5 < cells.covariance_factor < 4


def _blocks(plane, rows, columns):
    """Sums over blocks of so many rows and columns."""
    height, width = (size // n * n for size, n in zip(plane.shape, (rows, columns), strict=True))
    cut = plane[:height, :width].astype(float)
    return cut.reshape(height // rows, rows, width // columns, columns).sum(axis=(1, 3))


def test_merged_image_holds_the_light_of_all_orders():
    """A scene smooth in wavelength: cells hold the light of every order that sees them."""
    solution = solution_of("NIR")
    frame = frame_of(np.full(solution.shape, 50.0))
    orders, merged = rectify(frame, solution, SETTINGS)
    single = sum(cells.flux.sum(dtype=float) for cells in orders)
    assert merged.flux.sum(dtype=float) == pytest.approx(single, rel=1e-3)
    assert np.all(np.diff(merged.grid.wave_nm) > 0)
    assert merged.coverage.max() > 1.99


def test_bad_pixels_are_left_out_and_flagged():
    solution = solution_of("VIS")
    rng = np.random.default_rng(2)
    image, quality = np.full(solution.shape, 20.0), np.zeros(solution.shape, np.uint16)
    bad = rng.random(solution.shape) < 0.03
    image[bad], quality[bad] = 1e5, Quality.HOT
    quality[2000:2010, :] |= np.uint16(Quality.SATURATED)
    frame = DetectorFrame(image, np.ones(solution.shape), quality)
    orders, _ = rectify(frame, solution, SETTINGS)
    clean, _ = rectify(frame_of(np.full(solution.shape, 20.0)), solution, SETTINGS)
    for cells, reference in zip(orders, clean, strict=True):
        empty = has(cells.quality, Quality.NO_DATA)
        assert 0.005 < empty.mean() < 0.05
        assert np.all(cells.flux[empty] == 0)
        known = ~empty & (reference.quality == 0)
        assert np.abs(cells.flux[known] / reference.flux[known] - 1).max() < 0.02
        assert has(cells.quality, Quality.SATURATED)[empty].mean() > 0.1
        assert not has(cells.quality[~empty]).any()


def test_an_order_off_the_detector_is_an_error():
    solution = solution_of("VIS").shifted(5000.0, 0.0)
    with pytest.raises(OffDetectorError, match="order 1"):
        rectify(frame_of(np.zeros(solution.shape)), solution, SETTINGS)


@pytest.mark.parametrize(("arm", "wave_nm"), [("VIS", 0.02), ("NIR", 0.04)])
def test_steps_suit_the_pixels(arm, wave_nm):
    assert typical_steps(solution_of(arm)) == (STEP_ARCSEC[arm], wave_nm)
    binned = solution_of(arm).binned(2, 1)
    if arm == "VIS":
        assert typical_steps(binned)[0] == pytest.approx(2 * STEP_ARCSEC[arm], abs=0.011)


def test_a_part_of_a_grid_has_the_same_cells():
    grid = RectifiedGrid(400.0, 0.5, 101, -3.0, 1.0, 7)
    part, columns = grid.part(410.2, 420.0)
    assert part.wave_nm == pytest.approx(grid.wave_nm[columns])
    assert part.shape == (7, 21)
