"""Acquisition-camera frames: positions, fluxes, colours, flats, catalogue."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from soxs_simulator.camera import SIZE, PlateModel, gnomonic, illumination, moffat_stars
from soxs_simulator.camera_bands import BANDS
from soxs_simulator.camera_fields import stars_of
from soxs_simulator.camera_frames import simulate_camera_flats, simulate_star_field
from soxs_simulator.camera_spectra import (
    CATALOGUE_SYSTEM,
    GRID_NM,
    filter_curves,
    filter_magnitude,
    star_spectra,
)
from soxs_simulator.camera_stars import CATALOGUE_COLUMNS, star_field, write_tiles
from soxs_simulator.camera_target import target_magnitudes
from soxs_simulator.detector_maps import detector_maps

RA, DEC = 150.1, -21.3


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    out = tmp_path_factory.mktemp("field")
    files = simulate_star_field(out, RA, DEC, ("r", "g"), 20.0, rotator_deg=25.0, seed=4)
    truth = json.loads((out / "truth" / "manifest.json").read_text())["frames"]
    return out, files, [truth[file.name] for file in files]


def electrons(file, truth):
    """Detector counts without level, structure and illumination, electrons."""
    maps = detector_maps("ACQ")
    raw = fits.getdata(file).astype(float)
    charge = (raw - truth["detector"]["bias_level_adu"]) * 2.0 - maps.structure_e
    charge *= 1 + 7e-8 * charge
    return charge / maps.response.clip(0.5) / illumination(truth["filter"])


def stars(truth):
    return {name: np.array(column) for name, column in truth["scene"]["stars"].items()}


def isolated(table, reach):
    x, y = table["x"], table["y"]
    distance = np.hypot(x[:, None] - x, y[:, None] - y) + 1e9 * np.eye(x.size)
    inside = (np.abs(x - 511.5) < 480) & (np.abs(y - 511.5) < 480)
    return (distance.min(axis=1) > reach) & inside


def cutout(image, x, y, half):
    row, column = round(float(y)), round(float(x))
    patch = image[row - half : row + half + 1, column - half : column + half + 1]
    yy, xx = np.mgrid[-half : half + 1, -half : half + 1]
    return patch, xx + column, yy + row


def test_plate_without_distortion_is_a_tangent_projection():
    plate = PlateModel(RA, DEC, 30.0, 0.205, 0.0)
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    wcs.wcs.crval = RA, DEC
    wcs.wcs.crpix = 512.5, 512.5
    angle, scale = np.radians(30.0), 0.205 / 3600
    # East is to the left when the position angle of the y axis is zero.
    wcs.wcs.cd = scale * np.array([[-np.cos(angle), np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    rng = np.random.default_rng(1)
    ra, dec = RA + rng.uniform(-0.03, 0.03, 50), DEC + rng.uniform(-0.03, 0.03, 50)
    expected = wcs.all_world2pix(ra, dec, 0)
    assert np.allclose(plate.pixel(ra, dec), expected, atol=1e-6)


def test_gnomonic_is_small_angle_near_the_centre():
    east, north = gnomonic(RA + 1 / 3600 / np.cos(np.radians(DEC)), DEC + 2 / 3600, RA, DEC)
    assert (east, north) == (pytest.approx(1, abs=1e-4), pytest.approx(2, abs=1e-4))


def test_moffat_profile_has_its_width_and_flux():
    image = moffat_stars(np.array([500.3]), np.array([300.8]), np.array([1e6]), 5.0)
    assert image.sum() == pytest.approx(1e6, rel=2e-3)
    y, x = np.mgrid[:SIZE, :SIZE]
    near = np.hypot(x - 500.3, y - 300.8) < 8
    assert np.average(x[near], weights=image[near]) == pytest.approx(500.3, abs=0.03)
    assert np.average(y[near], weights=image[near]) == pytest.approx(300.8, abs=0.03)
    above_half = np.count_nonzero(image > image.max() / 2)
    assert above_half == pytest.approx(np.pi * 2.5**2, rel=0.15)


def test_stars_fall_on_their_true_positions(field):
    _, files, truths = field
    image, table = electrons(files[0], truths[0]), stars(truths[0])
    rate = table["rate_e_per_s"]
    chosen = isolated(table, 30) & (rate > 300) & (rate < 2e4)
    assert chosen.sum() > 10
    errors = []
    for x, y in zip(table["x"][chosen], table["y"][chosen], strict=True):
        patch, xx, yy = cutout(image, x, y, 7)
        weight = patch - np.median(image)
        errors.append((np.average(xx, weights=weight) - x, np.average(yy, weights=weight) - y))
    assert np.abs(np.mean(errors, axis=0)).max() < 0.03
    assert np.std(errors, axis=0).max() < 0.08


def test_aperture_fluxes_are_the_true_rates(field):
    _, files, truths = field
    image, table = electrons(files[0], truths[0]), stars(truths[0])
    rate = table["rate_e_per_s"]
    chosen = isolated(table, 45) & (rate > 800) & (rate < 2e4)
    core = truths[0]["scene"]["fwhm_px"] / (2 * np.sqrt(2 ** (1 / 3.5) - 1))
    within = 1 - (1 + (20 / core) ** 2) ** -2.5  # Moffat light inside 20 px
    ratios = []
    for x, y, r in zip(table["x"][chosen], table["y"][chosen], rate[chosen], strict=True):
        patch, xx, yy = cutout(image, x, y, 21)
        disc = np.hypot(xx - x, yy - y) < 20
        sky = truths[0]["scene"]["sky_e_per_s"] * 20.0
        ratios.append((patch[disc] - sky).sum() / (20.0 * r * within))
    assert np.median(ratios) == pytest.approx(1.0, abs=0.02)


def test_rates_follow_magnitude_and_air(field):
    _, _, truths = field
    r, g = (stars(truth) for truth in truths)
    assert np.allclose(r["x"], g["x"], atol=0.05)
    for truth, table in zip(truths, (r, g), strict=True):
        scene = truth["scene"]
        instrumental = -2.5 * np.log10(table["rate_e_per_s"])
        expected = table["magnitude"] + scene["extinction"] * scene["airmass"] - scene["zero_point"]
        assert np.allclose(instrumental, expected, atol=2e-3)
        assert abs(scene["zero_point"] - BANDS[truth["filter"]].zero_point) < 0.15


def test_header_pointing_is_off_by_a_little(field):
    _, files, truths = field
    header, plate = fits.getheader(files[0]), truths[0]["scene"]["plate"]
    offset = gnomonic(plate["ra_deg"], plate["dec_deg"], header["RA"], header["DEC"])
    assert 0.1 < np.hypot(*offset) < 15
    assert 0 < abs(plate["angle_deg"] - header["ESO ADA ABSROT END"]) < 1.5
    corner = plate["distortion"] * 2**1.5 * 512
    assert 1 < corner < 4


def test_bright_stars_saturate(field):
    _, files, truths = field
    table = stars(truths[0])
    brightest = np.argmax(table["rate_e_per_s"])
    patch, _, _ = cutout(fits.getdata(files[0]), table["x"][brightest], table["y"][brightest], 2)
    assert patch.max() > 64_000
    assert truths[0]["detector"]["saturated_pixels"] >= 9


def test_catalogue_has_the_columns_and_the_stars(field):
    out, _, _ = field
    with (out / "refcat2_FIELD.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert tuple(rows[0]) == CATALOGUE_COLUMNS
    assert list(rows[0])[:10] == [
        "RA",
        "Dec",
        "plx",
        "dplx",
        "pmra",
        "dpmra",
        "pmdec",
        "dpmdec",
        "Gaia",
        "dGaia",
    ]
    truth = star_field(4, RA, DEC)
    assert 0.95 < len(rows) / truth.ra_deg.size < 1.0
    ra, dec, r = (np.array([float(row[name]) for row in rows]) for name in ("RA", "Dec", "r"))
    nearest = np.argmin(
        np.hypot(
            (ra[:, None] - truth.ra_deg) * np.cos(np.radians(DEC)), dec[:, None] - truth.dec_deg
        ),
        axis=1,
    )
    east = (ra - truth.ra_deg[nearest]) * np.cos(np.radians(DEC)) * 3.6e6
    assert np.std(east) == pytest.approx(5.0, rel=0.1)
    bright = r < 16
    assert np.std((r - truth.magnitudes["PS1_r"][nearest])[bright]) == pytest.approx(
        0.008, rel=0.25
    )


def test_proper_motion_moves_stars():
    truth = star_field(4, RA, DEC)
    ra, dec = truth.at(2025.5)
    assert np.allclose((dec - truth.dec_deg) * 3.6e6, 10 * truth.pm_dec, atol=1e-3)
    moved = (ra - truth.ra_deg) * np.cos(np.radians(truth.dec_deg)) * 3.6e6
    assert np.allclose(moved, 10 * truth.pm_ra, atol=1e-3)


def test_twilight_flats_show_the_illumination_of_their_filter(tmp_path):
    files = simulate_camera_flats(tmp_path, ("g", "V"), 2, seed=3)
    assert [fits.getval(file, "ESO INS ACFW ID") for file in files] == ["g", "g", "V", "V"]
    maps = detector_maps("ACQ")
    truth = json.loads((tmp_path / "truth" / "manifest.json").read_text())["frames"]
    charge = []
    for file in files[:2]:
        raw = fits.getdata(file) - truth[file.name]["detector"]["bias_level_adu"]
        charge.append(raw * 2.0 - maps.structure_e)
    mean = np.mean(charge, axis=0)
    mean *= 1 + 7e-8 * mean
    live = ~maps.dead
    ratio = (mean / (illumination("g") * maps.response))[live]
    ratio /= np.median(ratio)
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE - 0.5
    design = np.column_stack([np.ones(live.sum()), x[live], y[live]])
    fitted = np.linalg.lstsq(design, ratio, rcond=None)[0]
    assert np.hypot(*fitted[1:]) < 0.015  # the twilight gradient, at most 1 %
    # Stars are few: the middle of the distribution is that of the photons.
    low, high = np.percentile(ratio - design @ fitted, (16, 84))
    assert (high - low) / 2 == pytest.approx((2 * 25_000) ** -0.5, rel=0.2)
    assert 20_000 < np.median(mean) < 36_000


def test_target_magnitudes_are_those_of_its_spectrum():
    found = target_magnitudes("PL_17", 1)  # f_nu falls as the frequency to the power 0.8
    for name in BANDS:
        wave, throughput = filter_curves()[name]
        pivot = np.sqrt(np.sum(throughput * wave) / np.sum(throughput / wave))
        expected = 17.0 - 2.5 * 0.8 * np.log10(pivot / 550.0)
        assert found[name] == pytest.approx(expected, abs=0.02 if name == "u" else 0.005)
    assert target_magnitudes("LTT3218", 1, ideal=True)["V"] == pytest.approx(11.86, abs=0.05)
    assert target_magnitudes("nobody", 1) == {}


def test_target_stands_where_the_telescope_points(tmp_path):
    (file,) = simulate_star_field(tmp_path, RA, DEC, ("g",), 30.0, target="PL_17")
    truth = json.loads((tmp_path / "truth" / "manifest.json").read_text())["frames"][file.name]
    table = stars(truth)
    assert truth["scene"]["target_magnitude"] == pytest.approx(17.12, abs=0.02)
    assert table["magnitude"][-1] == pytest.approx(truth["scene"]["target_magnitude"], abs=1e-3)
    x, y = table["x"][-1], table["y"][-1]
    assert np.hypot(x - 511.5, y - 511.5) < 15 / 0.205
    patch, _, _ = cutout(electrons(file, truth), x, y, 12)
    net = patch.sum() - truth["scene"]["sky_e_per_s"] * 30 * patch.size
    assert net == pytest.approx(30 * table["rate_e_per_s"][-1], rel=0.04)


def test_star_colours_are_those_of_the_sky():
    """Near the stellar locus of Pan-STARRS: A0, G2, K4 and an early M dwarf."""
    spectra = star_spectra([9500.0, 5800.0, 4500.0, 3300.0], np.full(4, 0.8), np.zeros(4))
    g, r, i, z = (filter_magnitude(CATALOGUE_SYSTEM + b, GRID_NM, spectra) for b in "griz")
    assert g - r == pytest.approx([-0.1, 0.5, 0.9, 1.25], abs=0.2)
    assert r - i == pytest.approx([-0.15, 0.15, 0.3, 0.7], abs=0.2)
    assert i - z == pytest.approx([-0.15, 0.05, 0.2, 0.5], abs=0.2)


def test_filter_magnitudes_agree_with_speclite():
    speclite_filters = pytest.importorskip("speclite.filters")
    spectrum = star_spectra([5000.0], [1.0], [0.1])
    names = {"g": "lsst2023-g", "y": "lsst2023-y", "PS1_z": "panstarrs-z", "V": "bessell-V"}
    found, expected = [], []
    for name, other in names.items():
        found.append(filter_magnitude(name, GRID_NM, spectrum)[0])
        curve = speclite_filters.load_filter(other)
        wave = np.arange(3000.0, 11180.0, 5.0)
        flux = np.interp(wave / 10, GRID_NM, spectrum[0]) / 10
        expected.append(float(curve.get_ab_magnitude(flux, wave)))
    assert np.diff(found) == pytest.approx(np.diff(expected), abs=0.003)


def test_kinds_of_fields():
    seeds = {"SEED": 3, "RA": RA, "DEC": DEC}
    count = {name: stars_of(name, *seeds.values()).ra_deg.size for name in ("EMPTY", "CROWDED-2")}
    assert count == {"EMPTY": 0, "CROWDED-2": 12_000}
    bright = stars_of("SATURATED", *seeds.values()).magnitudes["PS1_r"]
    assert bright[0] == pytest.approx(6.5)


def test_mirrored_field_is_mirrored(tmp_path):
    (file,) = simulate_star_field(tmp_path, RA, DEC, ("r",), 5.0, target="MIRRORED", seed=4)
    truth = json.loads((tmp_path / "truth" / "manifest.json").read_text())["frames"][file.name]
    plate = truth["scene"]["plate"]
    assert plate["mirrored"]
    error = gnomonic(plate["ra_deg"], plate["dec_deg"], RA, DEC)
    assert np.hypot(*error) == pytest.approx(30.0, abs=0.01)
    east, _ = PlateModel(**plate).pixel(plate["ra_deg"] + 0.01, plate["dec_deg"])
    assert east > 512


def test_native_tiles_hold_the_catalogue(tmp_path):
    field = star_field(4, 150.02, -21.3)
    tiles = write_tiles(tmp_path, field, 4)
    assert [tile.name for tile in tiles] == ["149-22.rc2", "150-22.rc2"]
    rows = [line.split(",") for tile in tiles for line in tile.read_text().splitlines()]
    assert {len(row) for row in rows} == {len(CATALOGUE_COLUMNS)}
    ra = np.array([int(row[0]) for row in rows]) * 1e-8
    assert np.all(np.abs(ra - 150.02) < 0.1)
    r = np.array([int(row[CATALOGUE_COLUMNS.index("r")]) for row in rows]) * 1e-3
    assert 9 < r.min() < 10 and 21 < r.max() < 22


def test_clouds_dim_all_stars_alike(field, tmp_path):
    """Seen in the frame itself, in the brightest stars that are not saturated."""
    _, files, truths = field
    options = {"rotator_deg": 25.0, "seed": 4, "transparency": 0.7}
    (cloudy,) = simulate_star_field(tmp_path, RA, DEC, ("r",), 20.0, **options)
    truth = json.loads((tmp_path / "truth" / "manifest.json").read_text())["frames"][cloudy.name]
    bright, dimmed = stars(truths[0]), stars(truth)
    assert np.allclose(dimmed["rate_e_per_s"], 0.7 * bright["rate_e_per_s"], rtol=1e-5)
    assert truth["scene"]["sky_e_per_s"] == truths[0]["scene"]["sky_e_per_s"]
    peak = bright["rate_e_per_s"]
    chosen = isolated(bright, 60) & (peak > 2000) & (peak < 20000)
    assert chosen.sum() >= 3
    images = [electrons(file, one) for file, one in ((files[0], truths[0]), (cloudy, truth))]
    for x, y in zip(bright["x"][chosen], bright["y"][chosen], strict=True):
        rows, columns = (slice(round(v) - 20, round(v) + 21) for v in (y, x))
        sums = []
        for image in images:
            border = np.median(image[rows, columns][[0, 1, -2, -1]])
            sums.append(np.sum(image[rows, columns] - border))
        assert sums[1] / sums[0] == pytest.approx(0.7, abs=0.03)
