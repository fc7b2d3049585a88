"""Master flats against the response and illumination of the simulated camera."""

import numpy as np
import pytest
from astropy.io import fits

from soxs_recipes.algorithms.frame import DetectorFrame
from soxs_recipes.algorithms.quality import Quality, has
from soxs_recipes.algorithms.sky_flat import FlatLevelError, combine_sky_flats
from soxs_recipes.errors import HeaderError, SettingMismatchError
from soxs_recipes.products.detector_frames import read_detector_frame
from soxs_recipes.recipes import SoxsImgMflat
from soxs_simulator.camera import illumination
from soxs_simulator.detector_maps import detector_maps


@pytest.fixture(scope="module")
def master(camera_calibrations):
    return read_detector_frame(camera_calibrations[-2][0])[0]


@pytest.fixture(scope="module")
def expected():
    """Response times illumination of the filter r, median 1."""
    response = detector_maps("ACQ").response * illumination("r")
    return response / np.median(response)


def test_flat_is_response_times_illumination(master, expected):
    good = master.good()
    ratio = master.flux[good] / expected[good]
    y, x = np.nonzero(good)
    design = np.column_stack([np.ones(x.size), x / 512 - 1, y / 512 - 1])
    plane = np.linalg.lstsq(design, ratio, rcond=None)[0]
    assert np.hypot(*plane[1:]) < 0.006  # the mean gradient of three twilights of 1 %
    pull = (ratio - design @ plane) / (master.error[good] / expected[good])
    low, high = np.percentile(pull, (16, 84))
    assert (high - low) / 2 == pytest.approx(1.0, abs=0.05)
    # Stars of the twilight are gone: they lit up to half as much as the sky.
    assert np.mean(np.abs(pull) > 6) < 1e-4


def test_error_of_the_illumination_is_told(camera_calibrations):
    error = fits.getval(camera_calibrations[-2][0], "ESO QC ILLUM ERR")
    # Three twilights of 1 % from edge to edge, each in a direction of its own.
    assert 0.0005 < error < 0.005


def test_dead_pixels_are_flagged(master):
    dead = detector_maps("ACQ").dead
    assert has(master.quality, Quality.DEAD)[dead].mean() > 0.97
    # The dark has some tens of cold outliers beyond 4 sigma in a million pixels.
    assert np.count_nonzero(has(master.quality, Quality.BAD_PIXEL) & ~dead) < 60


def frames(levels, star=0.0, gradient=0.0):
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:256, :256]
    for index, level in enumerate(levels):
        sky = level * (1 + gradient * index * (x / 128 - 1))
        sky = sky + star * np.exp(-((x - 60 - 40 * index) ** 2 + (y - 128) ** 2) / 20)
        flux = rng.poisson(sky).astype("f4")
        yield DetectorFrame.from_variance(flux, np.maximum(flux, 1))


def test_level_gradient_and_stars_of_each_frame_do_not_count():
    flat = combine_sky_flats(list(frames((20e3, 31e3, 12e3, 25e3), 8e3, 0.02)))
    assert flat.levels_e == pytest.approx([20e3, 31e3, 12e3, 25e3], rel=0.01)
    columns = flat.frame.flux.mean(axis=0)
    curve = np.polyfit(np.arange(256), columns, 1)
    assert np.std(columns - np.polyval(curve, np.arange(256))) < 1.5e-3
    assert 0 < flat.star_fraction < 0.02
    assert flat.scatter < 0.002


def test_error_of_the_slope_is_what_the_frames_leave_in_their_mean():
    def sky(rng):
        y, x = np.mgrid[-1:1:128j, -1:1:128j]
        for _ in range(3):
            along_x, along_y = rng.normal(0, 0.005, 2)
            flux = rng.poisson(20e3 * (1 + along_x * x + along_y * y)).astype("f4")
            yield DetectorFrame.from_variance(flux, np.maximum(flux, 1))

    rng = np.random.default_rng(3)
    errors = [combine_sky_flats(list(sky(rng))).slope_error for _ in range(12)]
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(0.005 / np.sqrt(3), rel=0.25)


@pytest.mark.parametrize("level", [200.0, 0.0])
def test_faint_frame_is_refused(level):
    with pytest.raises(FlatLevelError, match="too faint"):
        combine_sky_flats(list(frames((20e3, level))))


def test_saturated_frame_is_refused():
    one, two = frames((20e3, 20e3))
    with pytest.raises(FlatLevelError, match="saturated"):
        combine_sky_flats([one, two.flag(np.ones(two.shape, bool), Quality.SATURATED)])


@pytest.fixture(scope="module")
def raw_flats(tmp_path_factory):
    from soxs_simulator.camera_frames import simulate_camera_flats

    return simulate_camera_flats(tmp_path_factory.mktemp("flats"), ("g", "r"), 2)


def test_filters_are_not_mixed(raw_flats, camera_calibrations, run_recipe):
    with pytest.raises(SettingMismatchError, match="filter"):
        run_recipe(
            SoxsImgMflat,
            (raw_flats, "IMG_FLAT_ACQ"),
            ([camera_calibrations[0][0]], "MASTER_BIAS_ACQ"),
        )


def test_missing_filter_card_is_named(raw_flats, camera_calibrations, run_recipe, tmp_path):
    copies = []
    for file in raw_flats[:2]:
        copies.append(tmp_path / file.name)
        with fits.open(file) as hdus:
            del hdus[0].header["ESO INS ACFW ID"]
            hdus.writeto(copies[-1])
    with pytest.raises(HeaderError, match="no filter of the camera") as error:
        run_recipe(
            SoxsImgMflat, (copies, "IMG_FLAT_ACQ"), ([camera_calibrations[0][0]], "MASTER_BIAS_ACQ")
        )
    assert copies[0].name in str(error.value)
