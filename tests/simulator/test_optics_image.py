"""Line spread, profiles and drawing: conservation, widths, accuracy."""

import numpy as np
import pytest
from scipy.integrate import dblquad

from soxs_simulator.format import nominal_format
from soxs_simulator.optics import OPTICS
from soxs_simulator.optics_geometry import OVERSAMPLING, arm_geometry, grid_coordinate
from soxs_simulator.optics_lsf import (
    WING_FRACTION,
    convolve_order,
    line_spread,
    order_kernels,
    pinhole_aperture,
    uniform_aperture,
)
from soxs_simulator.optics_render import Light, RenderPlan, lookup, render
from soxs_simulator.optics_scatter import GHOST_FRACTION, ghost, scattered_light
from soxs_simulator.optics_slit import (
    SLIT_GRID,
    SLIT_STEP_ARCSEC,
    moffat_aperture,
    moffat_through_slit,
    pinhole_profile,
    seeing_fwhm,
    slit_fraction,
    slit_transmission,
)
from soxs_simulator.optics_throughput import efficiency


def width_at_half_maximum(kernel):
    """FWHM in px after integration over the pixel."""
    pixel = np.convolve(kernel, np.ones(OVERSAMPLING) / OVERSAMPLING, mode="same")
    above = np.flatnonzero(pixel > pixel.max() / 2)
    left, right = above[0], above[-1]
    low = left - (pixel[left] - pixel.max() / 2) / (pixel[left] - pixel[left - 1])
    high = right + (pixel[right] - pixel.max() / 2) / (pixel[right] - pixel[right + 1])
    return (high - low) / OVERSAMPLING


@pytest.mark.parametrize("arm", ["VIS", "NIR"])
@pytest.mark.parametrize("wings", [True, False])
@pytest.mark.parametrize("width", [0.5, 1.0, 1.5, 5.0])
def test_line_spread_conserves_flux_and_is_centred(arm, wings, width):
    optics = OPTICS[arm]
    kernel = line_spread(uniform_aperture(width), optics, optics.blur_px, wings)
    place = (np.arange(kernel.size) - kernel.size // 2) / OVERSAMPLING
    assert kernel.sum() == pytest.approx(1.0, abs=1e-12)
    assert kernel @ place == pytest.approx(0.0, abs=1e-9)
    assert np.all(kernel >= 0)


def test_line_widths_are_those_measured_on_sky():
    expected = {"VIS": ((1.60, 1.75), (3.0, 3.2)), "NIR": ((1.55, 1.89), (3.2, 3.6))}
    for arm, (pinhole, slit) in expected.items():
        optics = OPTICS[arm]
        for aperture, limits in ((pinhole_aperture(), pinhole), (uniform_aperture(1.0), slit)):
            width = width_at_half_maximum(line_spread(aperture, optics, optics.blur_px, True))
            assert limits[0] <= width <= limits[1]


def test_wings_hold_their_share():
    optics = OPTICS["NIR"]
    kernels = [line_spread(uniform_aperture(1.0), optics, 0.5, wings) for wings in (True, False)]
    far = np.abs(np.arange(kernels[0].size) - kernels[0].size // 2) > 5 * OVERSAMPLING
    assert kernels[1][far].sum() < 1e-9
    assert 0.15 * WING_FRACTION < kernels[0][far].sum() < WING_FRACTION


def test_varying_line_spread_conserves_flux():
    kernels = order_kernels(uniform_aperture(1.0), OPTICS["VIS"], wings=True)
    spectrum = np.zeros(6000)
    spectrum[2000:4000] = np.random.default_rng(1).random(2000)
    assert convolve_order(spectrum, kernels).sum() == pytest.approx(spectrum.sum(), rel=1e-10)


@pytest.mark.parametrize(("fwhm", "width", "offset"), [(0.8, 1.0, 0.0), (1.3, 0.5, 0.3)])
def test_slit_loss_of_a_moffat_disc(fwhm, width, offset):
    alpha = fwhm / (2 * np.sqrt(2 ** (1 / 3.0) - 1))

    def disc(y, x):
        return 2.0 / (np.pi * alpha**2) * (1 + (x**2 + y**2) / alpha**2) ** -3.0

    limits = (-width / 2 - offset, width / 2 - offset)
    expected = dblquad(disc, *limits, -20, 20, epsabs=1e-8)[0]
    found = slit_fraction(np.array([fwhm]), width, np.array([offset]))[0]
    profile, fraction = moffat_through_slit(fwhm, width, offset)
    assert found == pytest.approx(expected, rel=1e-5)
    assert fraction == pytest.approx(expected, rel=1e-4)
    assert profile.sum() * SLIT_STEP_ARCSEC == pytest.approx(1.0)
    _, weight = moffat_aperture(fwhm, width, offset)
    assert weight.sum() == pytest.approx(1.0)


def test_marginal_profile_of_a_seeing_disc():
    """A Moffat disc of power 3 summed across a wide slit is a Moffat line of power 2.5."""
    profile, _ = moffat_through_slit(1.0, 9.0)
    alpha = 1.0 / (2 * np.sqrt(2 ** (1 / 3.0) - 1))
    line = (1 + (SLIT_GRID / alpha) ** 2) ** -2.5
    assert profile / profile.max() == pytest.approx(line, abs=5e-4)
    assert seeing_fwhm(1.0, 2000.0) == pytest.approx(4**-0.2)


def test_slit_transmission_has_soft_ends_and_mean_one():
    optics = OPTICS["VIS"]
    along = slit_transmission(optics, "VIS", "SLIT1.0", seed=1)
    inside = np.abs(SLIT_GRID) < optics.slit_half_arcsec - 0.6
    assert along[inside].mean() == pytest.approx(1.0, abs=0.01)
    assert 0.005 < along[inside].std() < 0.05
    edge = np.interp(optics.slit_half_arcsec, SLIT_GRID, along)
    assert edge == pytest.approx(0.5, abs=0.04)
    assert along[np.abs(SLIT_GRID) > optics.slit_half_arcsec + 0.8].max() < 1e-4


def test_pinholes_are_as_bright_as_stated():
    holes = pinhole_profile(OPTICS["NIR"], np.array([-3.0, 0.0, 3.0]))
    for centre in (-3.0, 0.0, 3.0):
        near = np.abs(SLIT_GRID - centre) < 1.4
        assert holes[near].sum() * SLIT_STEP_ARCSEC == pytest.approx(1.0, rel=1e-4)
        mean = (holes * SLIT_GRID)[near].sum() / holes[near].sum()
        assert mean == pytest.approx(centre, abs=1e-6)


def test_lookup_interpolates_linearly():
    table = np.array([0.0, 2.0, 6.0, 12.0])
    position = np.array([0.5, 1.25, 2.0], np.float32)
    assert lookup(table, position) == pytest.approx([1.0, 3.0, 6.0])
    assert lookup(table, position, 1) == pytest.approx([4.0, 7.5, 12.0])


@pytest.fixture(scope="module")
def nir():
    from soxs_simulator.format_distortion import draw_distortion, true_format

    return arm_geometry(true_format("NIR", draw_distortion("NIR", 3)))


def test_light_of_a_star_is_conserved(nir):
    """Each px of dispersion gets what the spectrum says, whatever the tilt and the curvature."""
    cells = grid_coordinate(2040)
    spectrum = {m: 1.0 + 0.3 * np.sin(cells / 150.0) for m in nir.orders}
    profile, _ = moffat_through_slit(0.9, 1.0)
    light = Light(spectrum, dict.fromkeys(nir.orders, profile))
    image = render(nir, [light], RenderPlan(None, reach_arcsec=12.0))
    on_detector = np.abs(cells - 1019.5) < 1020
    expected = len(nir.orders) * spectrum[17][on_detector].sum() / OVERSAMPLING
    assert image.sum(dtype=float) == pytest.approx(expected, rel=1e-3)


def test_three_by_three_points_per_pixel_suffice(nir):
    """A spot as sharp as a pinhole line, against 8 x 8 points."""
    cells = grid_coordinate(2040)
    lines = sum(np.exp(-0.5 * ((cells - c) / 0.66) ** 2) for c in range(30, 2010, 23))
    hole = pinhole_profile(OPTICS["NIR"], np.array([0.0]))
    light = Light(dict.fromkeys(nir.orders, lines), dict.fromkeys(nir.orders, hole))
    images = [
        render(nir, [light], RenderPlan(reach_arcsec=1.5, points=points))
        for points in ((3, 3), (8, 8))
    ]
    assert np.abs(images[0] - images[1]).max() < 2e-3 * images[1].max()
    assert images[0].sum() == pytest.approx(images[1].sum(), rel=1e-5)


def test_stray_light_is_smooth_and_holds_its_share():
    image = np.zeros((2040, 800), np.float32)
    image[900:1100, 300:500] = 100.0
    stray = scattered_light(image, 0.01, 120.0)
    assert stray.sum() == pytest.approx(0.01 * image.sum(), rel=0.02)
    assert np.abs(np.diff(stray, axis=0)).max() < 0.02 * stray.max()
    mirrored = ghost(image)
    assert mirrored.sum() == pytest.approx(GHOST_FRACTION * image.sum(), rel=0.02)


def test_efficiency_levels_are_the_published_ones():
    peaks = {1: 0.22, 2: 0.10, 3: 0.16, 4: 0.24}
    for order, peak in peaks.items():
        wave = np.linspace(340, 860, 2000)
        assert efficiency("VIS", order, wave).max() == pytest.approx(peak, rel=0.1)
    wave = np.linspace(340, 1000, 4000)
    total = sum(efficiency("VIS", order, wave) for order in peaks)
    join = total[(wave > 538) & (wave < 545)].min()
    assert join < 0.75 * total[(wave > 500) & (wave < 600)].max()
    assert total[wave > 860].max() < 0.01
    nir = [efficiency("NIR", order, 19480.0 / order) for order in range(11, 24)]
    assert min(nir) > 0.08 and max(nir) < 0.2


@pytest.mark.parametrize("order", range(11, 23))
def test_neighbouring_orders_overlap_and_reach_the_edge_of_the_detector(order):
    """Blaze: half of the peak or more where two orders meet, some light at their ends."""
    meet = 19480.0 * (1 / order + 1 / (order + 1)) / 2
    peak = efficiency("NIR", order, 19480.0 / order)
    if meet > 870:  # shorter waves go to the other arm
        assert efficiency("NIR", order, meet) > 0.45 * peak
        assert efficiency("NIR", order + 1, meet) > 0.45 * peak
    ends = nominal_format("NIR").orders[order]
    for wave in (ends.lam0_nm - 0.97 * ends.lamh_nm, ends.lam0_nm + 0.97 * ends.lamh_nm):
        if wave > 870:
            assert efficiency("NIR", order, wave) > 0.015 * peak
