"""Wavelength and slit position of the pixels, against the forward map."""

import numpy as np
import pytest

from soxs_simulator.format_distortion import draw_distortion, true_format
from soxs_simulator.optics_geometry import (
    MARGIN_PX,
    OVERSAMPLING,
    STRIP_WIDTH,
    arm_geometry,
    grid_coordinate,
)


@pytest.fixture(scope="module", params=["VIS", "NIR"])
def geometry(request):
    return arm_geometry(true_format(request.param, draw_distortion(request.param, seed=3)))


def sample(geometry, order, count=3000):
    """Random strip pixels on the detector: (column of the strip, flat strip index, x, y)."""
    flat = np.random.default_rng(order.number).integers(0, order.q.size, count)
    flat = flat[order.area.ravel()[flat] > 0]
    pixel = order.index.ravel()[flat]
    columns = geometry.format.shape[1]
    return flat // STRIP_WIDTH, flat, pixel % columns, pixel // columns


def wavelength(geometry, order, coordinate):
    """Wavelength of dispersion coordinates by a root search on the forward map."""
    fmt = geometry.format.orders[order.number]
    low = np.full(coordinate.size, fmt.lam0_nm - fmt.lamh_nm)
    high = low + 2 * fmt.lamh_nm
    rising = fmt.lam0_nm
    ahead, behind = (
        geometry.format.split(*fmt.to_pixel(w))[0] for w in (rising + 0.1, rising - 0.1)
    )
    for _ in range(45):
        middle = (low + high) / 2
        along = geometry.format.split(*fmt.to_pixel(middle))[0]
        above = (along > coordinate) == (ahead > behind)
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return (low + high) / 2


def test_inversion_is_good_to_a_thousandth_of_a_pixel(geometry):
    worst = 0.0
    for number, order in geometry.orders.items():
        column, flat, x, y = sample(geometry, order)
        wave = wavelength(geometry, order, column + order.q.ravel()[flat].astype(float))
        found = geometry.format.orders[number].to_pixel(wave, order.s.ravel()[flat].astype(float))
        worst = max(worst, np.abs(found[0] - x).max(), np.abs(found[1] - y).max())
    assert worst < 1e-4


def test_first_order_flexure_is_good_to_a_thousandth_of_a_pixel(geometry):
    shift = (0.7, -0.7)
    along, across = geometry.format.split(*shift)
    worst = 0.0
    for number, order in geometry.orders.items():
        column, flat, x, y = sample(geometry, order, 1000)
        q = order.q - along * order.q_u - across * order.q_v
        s = order.s - along * order.s_u - across * order.s_v
        wave = wavelength(geometry, order, column + q.ravel()[flat].astype(float))
        moved = geometry.format.orders[number].shifted(*shift)
        found = moved.to_pixel(wave, s.ravel()[flat].astype(float))
        worst = max(worst, np.abs(found[0] - x).max(), np.abs(found[1] - y).max())
    assert worst < 1e-3


def test_area_of_the_slit_is_conserved(geometry):
    """The Jacobian over all pixels between two slit positions is their distance, per px."""
    for order in list(geometry.orders.values())[1:-1]:
        inside = (np.abs(order.s) < 5.0) & (order.area > 0)
        middle = slice(200, -200)
        per_column = np.sum(order.area * inside, axis=1)[middle].mean()
        assert per_column == pytest.approx(10.0, abs=0.02)


def test_grid_cells_belong_to_pixels(geometry):
    length = geometry.format.disp_length()
    coordinate = grid_coordinate(length)
    pixels = coordinate.reshape(-1, OVERSAMPLING).mean(axis=1)
    assert np.allclose(pixels, np.arange(length + 2 * MARGIN_PX) - MARGIN_PX)
    order = next(iter(geometry.orders.values()))
    assert order.cell_nm.size == coordinate.size
    fmt = geometry.format.orders[order.number]
    along, _ = geometry.format.split(*fmt.to_pixel(order.pixel_nm()))
    assert along == pytest.approx(np.arange(length), abs=1e-6)
    along, _ = geometry.format.split(*fmt.to_pixel(order.cell_nm))
    assert along == pytest.approx(coordinate, abs=1e-4)
