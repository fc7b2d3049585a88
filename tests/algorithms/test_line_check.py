"""Lines through the slit against the simulator's truth, and the profile fit against noise."""

import json
from dataclasses import replace
from importlib.resources import files

import numpy as np
import pytest
from scipy.special import ndtr

from soxs_recipes.algorithms.arc_lines import ArcLines
from soxs_recipes.algorithms.frame import DetectorFrame
from soxs_recipes.algorithms.line_check import TooFewLinesError, check_lines
from soxs_recipes.algorithms.line_check_offset import SlitCentres, fit_offset
from soxs_recipes.algorithms.line_check_profile import Cuts, fit_slit_images, full_width
from soxs_recipes.algorithms.line_check_rows import CheckSettings
from soxs_recipes.algorithms.quality import Quality
from soxs_recipes.algorithms.resolution import order_resolution
from soxs_recipes.instrument.spectral_format import spectral_format
from soxs_recipes.products.sky_lines import read_sky_lines
from soxs_simulator.contract import SceneRequest
from soxs_simulator.lamps_arc import draw_arc_lines
from soxs_simulator.optics import OPTICS
from soxs_simulator.optics_geometry import OVERSAMPLING
from soxs_simulator.optics_lsf import line_spread, uniform_aperture
from soxs_simulator.scenes import OpticsScenes

LAMPS = {"VIS": ("ThAr",), "NIR": ("Ar", "Hg", "Ne", "Xe")}
READ_NOISE_E = {"VIS": 4.0, "NIR": 8.0}
EXPTIME_S = {"VIS": 30.0, "NIR": 10.0}


@pytest.fixture(scope="module")
def optics():
    return OpticsScenes(seed=3)


def true_solution(optics, arm):
    """The night's format as a dispersion solution."""
    path = files("soxs_recipes.calib") / f"spectral_format_{arm.lower()}.json"
    nominal, table = json.loads(path.read_text()), optics.arm(arm).format.to_dict()
    for number, order in table["orders"].items():
        order["lam_on_detector"] = nominal["orders"][number]["lam_on_detector"]
    return spectral_format(table)


def listed_lines(arm):
    """The lines as a list knows them: usual strengths, wavelengths with their uncertainty."""
    lines = draw_arc_lines(arm, 0, ideal=True)
    sort = np.argsort(lines.listed_nm)
    sigma = np.where(lines.lamp == "Hg", 0.005, 0.001)
    strength = np.log10(np.maximum(lines.photons, 1e-3))
    names = lines.lamp
    columns = (lines.listed_nm, sigma, names, names, strength)
    return ArcLines(*(column[sort] for column in columns))


def slit_arc(optics, arm, flexure_px, scale=1.0, seed=0):
    request = SceneRequest(
        arm, "slit_arc", "SLIT1.0", lamps=LAMPS[arm], lamp_scale=scale, flexure_px=flexure_px
    )
    light = optics.scene(request).rate_e_per_s * EXPTIME_S[arm]
    return exposed(light, READ_NOISE_E[arm], seed)


def exposed(light, read_noise_e, seed):
    """Light with photon and read noise."""
    rng = np.random.default_rng(seed)
    flux = rng.poisson(light) + rng.normal(0, read_noise_e, light.shape)
    return DetectorFrame(flux, np.sqrt(light + read_noise_e**2), np.zeros(light.shape, np.uint16))


def settings_of(arm):
    optics = OPTICS[arm]
    return CheckSettings(optics.slit_px_per_arcsec, 2 * optics.slit_half_arcsec)


def true_fwhm_px(arm):
    """Full width of the simulator's line spread at mid-order, integrated over pixels."""
    optics = OPTICS[arm]
    kernel = line_spread(uniform_aperture(1.0), optics, optics.blur_px, wings=False)
    kernel = np.convolve(kernel, np.ones(OVERSAMPLING) / OVERSAMPLING, mode="same")
    above = np.flatnonzero(kernel > kernel.max() / 2)
    return (above[-1] - above[0] + 1) / OVERSAMPLING


@pytest.mark.parametrize(
    ("arm", "flexure_px", "scale"),
    [
        ("VIS", (0.21, -0.17), 1.0),
        ("VIS", (1.1, -1.6), 0.3),
        ("NIR", (-0.24, 0.13), 1.0),
        ("NIR", (0.5, -0.9), 0.3),
    ],
)
def test_flexure_is_recovered(optics, arm, flexure_px, scale):
    frame = slit_arc(optics, arm, flexure_px, scale)
    check = check_lines(frame, true_solution(optics, arm), listed_lines(arm), settings_of(arm))
    offset = check.offset
    assert abs(offset.dx_px - flexure_px[0]) < 0.015
    assert abs(offset.dy_px - flexure_px[1]) < 0.015
    along, across = offset.dy_error_px, offset.dx_error_px
    if arm == "NIR":
        along, across = across, along
    assert 0.0005 < along < 0.01
    # Across dispersion only the rough ends of the slit tell.
    assert 0.0005 < across < 0.015
    assert abs(offset.dx_px - flexure_px[0]) < 4 * offset.dx_error_px
    assert abs(offset.dy_px - flexure_px[1]) < 4 * offset.dy_error_px
    # Listed wavelengths are off by 0.001 nm: 0.02 to 0.04 px.
    assert 0.015 < offset.along_rms_px < 0.06
    assert np.mean(check.used[check.lines.detected]) > 0.9
    lines = check.lines
    tilted = lines.tilt * (flexure_px[1] if arm == "NIR" else flexure_px[0])
    expected = (flexure_px[0] if arm == "NIR" else flexure_px[1]) - tilted
    assert np.median((lines.residual_px - expected)[check.used]) == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize(("arm", "exptime_s"), [("VIS", 600.0), ("NIR", 120.0)])
def test_flexure_from_sky_lines_beside_an_object(optics, arm, exptime_s):
    flexure_px = (0.22, -0.31)
    request = SceneRequest(
        arm,
        "object",
        "SLIT1.0",
        target="SN2026XYZ",
        mode="NODDING",
        exptime_s=exptime_s,
        nod_arcsec=2.0,
        flexure_px=flexure_px,
    )
    light = optics.scene(request).rate_e_per_s * exptime_s
    frame = exposed(light, READ_NOISE_E[arm], seed=2)
    lines = read_sky_lines(files("soxs_recipes.calib") / "sky_lines.ecsv")
    settings = replace(settings_of(arm), blend_limit_px=0.1)
    check = check_lines(frame, true_solution(optics, arm), lines, settings)
    assert abs(check.offset.dx_px - flexure_px[0]) < 0.03
    assert abs(check.offset.dy_px - flexure_px[1]) < 0.03
    orders = order_resolution(check)
    fwhm = orders.fwhm_px[orders.lines > 20]
    assert fwhm == pytest.approx(true_fwhm_px(arm), rel=0.09)


@pytest.mark.parametrize("arm", ["VIS", "NIR"])
def test_line_width_and_resolution(optics, arm):
    solution = true_solution(optics, arm)
    check = check_lines(
        slit_arc(optics, arm, (0.0, 0.0)), solution, listed_lines(arm), settings_of(arm)
    )
    lines, used = check.lines, check.used
    assert np.median(lines.fwhm_px[used]) == pytest.approx(true_fwhm_px(arm), rel=0.03)
    pixel_nm = solution.pixel_nm(lines.order, lines.wave_nm)
    expected = lines.wave_nm / (true_fwhm_px(arm) * pixel_nm)
    assert np.median((lines.resolution / expected)[used]) == pytest.approx(1.0, abs=0.03)
    orders = order_resolution(check)
    assert np.all(orders.lines >= 20)
    # Lines of constant width in pixels: the resolving power goes with wavelength over pixel.
    for order, start, end in zip(orders.order, orders.start, orders.end, strict=True):
        waves = lines.wave_nm[lines.detected & (lines.order == order)]
        ends = np.array([waves.min(), waves.max()])
        first, last = ends / solution.pixel_nm(order, ends)
        assert end / start == pytest.approx(last / first, rel=0.08)
    length = 2 * OPTICS[arm].slit_half_arcsec
    assert check.slit_centres.length_arcsec == pytest.approx(length, abs=0.05)


def test_bad_pixels_and_cosmic_rays_do_not_move_the_offset(optics):
    frame = slit_arc(optics, "NIR", (0.3, 0.2))
    rng = np.random.default_rng(8)
    flux, quality = frame.flux.copy(), frame.quality.copy()
    quality[rng.random(flux.shape) < 0.03] = Quality.BAD_PIXEL
    flux[quality > 0] = -1e4
    flux[rng.random(flux.shape) < 0.001] += 5e3
    spoilt = DetectorFrame(flux, frame.error, quality)
    check = check_lines(
        spoilt, true_solution(optics, "NIR"), listed_lines("NIR"), settings_of("NIR")
    )
    assert abs(check.offset.dx_px - 0.3) < 0.02
    assert abs(check.offset.dy_px - 0.2) < 0.02


def test_a_blank_frame_and_a_wrong_lamp_are_errors(optics):
    solution, lines = true_solution(optics, "VIS"), listed_lines("VIS")
    rng = np.random.default_rng(1)
    blank = DetectorFrame(
        rng.normal(0, 4, solution.shape),
        np.full(solution.shape, 4.0),
        np.zeros(solution.shape, np.uint16),
    )
    with pytest.raises(TooFewLinesError, match="560 lines looked for"):
        check_lines(blank, solution, lines, settings_of("VIS"))
    none = ArcLines(*(part[:0] for part in vars(lines).values()))
    with pytest.raises(TooFewLinesError, match="0 in the list"):
        check_lines(blank, solution, none, settings_of("VIS"))


def test_profile_fit_is_unbiased_with_honest_errors():
    rng = np.random.default_rng(5)
    count, centre = 2000, rng.uniform(-1, 1, 2000)
    offset = np.arange(-9, 10.0) + rng.uniform(-0.5, 0.5, (count, 1))
    u = offset - centre[:, None]
    light = 400 * (ndtr((u + 1.6) / 0.6) - ndtr((u - 1.6) / 0.6)) + 30 + 0.5 * offset
    flux = rng.normal(light, np.sqrt(light))
    cuts = Cuts(offset, flux, light, np.ones(flux.shape, bool))
    images = fit_slit_images(cuts, 3.0, 0.7)
    miss = images.centre - centre
    # The error budget allows for 2 % of misfit, so that pulls are a little below one.
    assert np.mean(miss) == pytest.approx(0, abs=4 * np.std(miss) / np.sqrt(count))
    assert np.std(miss / images.centre_error) == pytest.approx(0.95, abs=0.07)
    assert np.median(images.fwhm) == pytest.approx(3.2, abs=0.02)


def test_full_width_in_its_limits():
    widths = full_width(np.array([4.0, 1e-3]), np.array([0.1, 1.0]))
    assert widths == pytest.approx([4.0, 2.3548], rel=1e-3)


@pytest.mark.parametrize("with_slit", [True, False])
def test_offset_survives_false_lines_and_a_missing_slit_end(with_slit):
    """Tilts of both signs tell the shift across dispersion even without the slit's ends."""
    rng = np.random.default_rng(6)
    line = np.repeat(np.arange(120), 5)
    tilt = np.repeat(rng.uniform(-0.2, 0.2, 120), 5)
    residual = 0.4 - tilt * -0.7 + np.repeat(rng.normal(0, 0.03, 120), 5)
    residual += rng.normal(0, 0.02, 600)
    residual[:75] += rng.uniform(-2, 2, 75)
    seen = 6 if with_slit else 0
    none = np.zeros(seen)
    centres = SlitCentres(none, none, none, np.full(seen, -0.7), np.full(seen, 0.005))
    offset, used = fit_offset(
        line, residual, np.full(600, 0.02), np.full(600, 0.03), tilt, centres, "x"
    )
    assert offset.dx_px == pytest.approx(0.4, abs=0.012)
    assert offset.dy_px == pytest.approx(-0.7, abs=0.01 if with_slit else 0.1)
    assert abs(offset.dy_px + 0.7) < 4 * offset.dy_error_px + 0.001
    assert used[75:].mean() > 0.95
