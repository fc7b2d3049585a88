"""Stars drawn and their equations: against the profile itself and against dense algebra."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from soxs_recipes.algorithms.point_spread import PointSpread
from soxs_recipes.algorithms.star_drawing import (
    PAD_PX,
    ProfileDisc,
    draw_stars,
    padded,
    place,
    unpadded,
)
from soxs_recipes.algorithms.star_equations import Pixels, joint_variances, star_equations

PROFILE = PointSpread(4.5, 3.5, 0.08, -0.05)


@pytest.mark.parametrize("fwhm_px", [2.0, 4.5, 9.0])
def test_polynomials_are_the_profile_and_its_derivatives(fwhm_px):
    profile = PointSpread(fwhm_px, 3.5, 0.1, -0.05)
    disc = ProfileDisc(profile, int(2 * fwhm_px))
    dx, dy = np.random.default_rng(1).uniform(-0.5, 0.5, (2, 60))
    row, column = disc.offsets
    peak = float(profile.light(0.0, 0.0))

    def exact(shift_x, shift_y):
        return profile.light(column - (dx + shift_x)[:, None], row - (dy + shift_y)[:, None])

    step = 2e-3
    middle = exact(0.0, 0.0)
    slope = (exact(step, 0.0) - exact(-step, 0.0)) / (2 * step)
    curve = (exact(0.0, step) - 2 * middle + exact(0.0, -step)) / step**2
    light, slope_x, _, _, curve_y, _ = disc.derivatives(dx, dy)
    assert np.abs(disc.light(dx, dy) - middle).max() < 1e-5 * peak
    assert np.abs(light - middle).max() < 1e-5 * peak
    assert np.abs(slope_x - slope).max() < 1e-3 * np.abs(slope).max()
    assert np.abs(curve_y - curve).max() < 1e-2 * np.abs(curve).max()


def test_drawn_stars_lie_where_they_belong_and_hold_their_light():
    x, y, flux = np.array([100.3, 2.0]), np.array([80.7, 150.2]), np.array([1e4, 2e4])
    shape = (200 + 2 * PAD_PX, 240 + 2 * PAD_PX)
    drawn = draw_stars(shape, x, y, flux, np.array([60, 60]), PROFILE)
    image = unpadded(drawn)
    rows, columns = np.mgrid[:200, :240]
    expected = sum(
        f * PROFILE.light(columns - a, rows - b) for a, b, f in zip(x, y, flux, strict=True)
    )
    near = np.hypot(columns - 100.3, rows - 80.7) < 40
    assert np.abs(image - expected)[near].max() < 1e-4 * expected.max()
    # The second star is cut by the edge, not its light beyond.
    assert drawn.sum() == pytest.approx(3e4, rel=3e-3)
    assert image.sum() == pytest.approx(expected.sum(), rel=3e-3) and image.sum() < 2.8e4


def test_a_star_beyond_the_margin_is_kept_out_of_memory_errors():
    at = place(
        (300, 300), np.array([-500.0]), np.array([900.0]), np.array([0]), ProfileDisc(PROFILE, 20)
    )
    assert at.pixel.min() >= 0 and at.pixel.max() < 300 * 300


def cluster(rng, count, size):
    """Equations of stars strewn over a square."""
    x, y = rng.uniform(10, size - 10, (2, count))
    weight = padded(np.full((size, size), 1 / 60.0))
    pixels = Pixels(np.zeros_like(weight), weight, padded(np.ones((size, size))))
    discs = [(ProfileDisc(PROFILE, 10), np.arange(count))]
    return star_equations(pixels, x, y, discs)


def test_joint_variances_are_those_of_the_whole_inverse():
    equations = cluster(np.random.default_rng(3), 60, 90)
    whole = np.diag(np.linalg.inv(equations.normal.toarray())).reshape(3, -1)
    joint = joint_variances(equations.normal)
    alone = 1 / equations.diagonal
    # Blends there are: alone, stars seem better than they are by up to a factor.
    assert (whole / alone).max() > 2
    ratio = joint / whole
    assert np.median(ratio) == pytest.approx(1.0, abs=0.005)
    assert (ratio < 1.01).all() and np.percentile(ratio, 5) > 0.9


def test_a_star_that_nothing_shows_is_infinitely_uncertain():
    normal = csr_matrix(np.diag([4.0, 0.0, 1.0, 0.0, 1.0, 0.0]))
    variance = joint_variances(normal)
    assert variance[0, 0] == pytest.approx(0.25, rel=1e-3) and np.isinf(variance[:, 1]).all()
