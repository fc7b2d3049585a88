"""Whole fields against the truth of the simulator."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from scipy.spatial import cKDTree

from soxs_recipes.algorithms.point_spread import PointSpread
from soxs_recipes.algorithms.star_flags import StarFlag
from soxs_recipes.errors import HeaderError, MissingInputError, SettingMismatchError
from soxs_recipes.products.star_catalogues import CatalogueFieldError, TruncatedCatalogueError
from soxs_recipes.recipes import SoxsAstroPhot
from soxs_simulator.camera_frames import simulate_star_field

# Target, filter, seed and exposure time of fields with everything that a night may offer.
FIELDS = (
    ("PL_17", "r", 7, 20.0),
    ("PL_20", "g", 8, 40.0),
    ("MISPOINTED", "r", 9, 10.0),
    ("MIRRORED", "r", 4, 20.0),
    ("MOONLIT", "g", 5, 20.0),
    ("SATURATED", "r", 6, 20.0),
    ("SPARSE", "r", 7, 20.0),
)
each_field = pytest.mark.parametrize(("target", "name", "seed", "exptime_s"), FIELDS)
SCALE = 0.205


def spread(values):
    low, high = np.percentile(values, (16, 84))
    return (high - low) / 2


def clean(one, least_sn):
    """Unflagged sources of a true star, and which star that is."""
    index, distance = one.nearest()
    fit = (distance < 1.5) & (one.table.flags == 0) & (one.sn() > least_sn)
    return np.flatnonzero(fit), index[fit]


@each_field
def test_coordinates_are_true(field, target, name, seed, exptime_s):
    one = field(target, name, seed, exptime_s)
    header = fits.getheader(one.image)
    assert one.header["ASTROMET"] == "CATALOGUE"
    # A sparse field has no bright star.
    ours, _ = clean(one, 10 if target == "SPARSE" else 50)
    errors = SCALE * np.array(one.position_errors())[:, ours]
    assert np.sqrt(np.mean(errors**2)) < (0.1 if target == "SPARSE" else 0.05)
    assert header.get("ESO QC ASTROM RMS BRIGHT", 0.0) < 0.05
    assert bool(np.linalg.det(_cd(one)) > 0) == one.plate.mirrored


def _cd(one):
    cards = fits.getheader(one.image, "FLUX")
    return np.array([[cards[f"CD{i}_{j}"] for j in (1, 2)] for i in (1, 2)])


@each_field
def test_magnitudes_are_true(field, target, name, seed, exptime_s):
    one = field(target, name, seed, exptime_s)
    ours, stars = clean(one, 30)
    error = one.table.magnitude_ab[ours] - one.stars()["magnitude"][stars]
    limit = 0.02 if len(ours) > 5 else 0.04
    assert abs(np.median(error)) < limit
    assert one.table.zero_point_kind == "CATALOGUE"
    assert one.table.zero_point_error < limit


@pytest.mark.parametrize(("target", "name", "seed", "exptime_s"), FIELDS[:6])
def test_limiting_magnitude_is_that_of_the_noise(field, target, name, seed, exptime_s):
    one = field(target, name, seed, exptime_s)
    truth = one.truth
    profile = PointSpread(truth["fwhm_px"], 3.5)
    sky = truth["sky_e_per_s"] * exptime_s * 0.965  # the flat's median illumination
    flux = 5 * np.sqrt((sky + 9.0) * profile.noise_pixels(40)) / exptime_s / 0.965
    zero = truth["zero_point"] - truth["extinction"] * truth["airmass"]
    assert one.header["ABMAGLIM"] == pytest.approx(zero - 2.5 * np.log10(flux), abs=0.15)


def test_errors_of_magnitudes_are_those_stated(field):
    pulls, bright = [], []
    for target, name, seed, exptime_s in FIELDS[:6]:
        one = field(target, name, seed, exptime_s)
        ours, stars = clean(one, 7)
        error = one.table.magnitude_ab[ours] - one.stars()["magnitude"][stars]
        sn = one.sn()[ours]
        error -= np.median(error[sn > 30])
        pull = error / one.table.magnitude_error[ours]
        pulls += pull[sn > 15].tolist()
        bright += pull[sn > 60].tolist()
    assert len(pulls) > 400
    assert abs(np.mean(np.clip(pulls, -4, 4))) < 0.15
    assert spread(pulls) == pytest.approx(1.0, abs=0.1)
    assert spread(bright) == pytest.approx(1.0, abs=0.15)


def summed(one):
    """Light of the true stars that lie within 0.6 FWHM of each source, and are nearest to it."""
    stars = one.stars()
    place = np.column_stack([one.table.x - 1, one.table.y - 1])
    distance, source = cKDTree(place).query(np.column_stack([stars["x"], stars["y"]]))
    near = distance < 0.6 * one.truth["fwhm_px"]
    return np.bincount(source[near], stars["rate_e_per_s"][near], len(place))


@pytest.mark.parametrize(("seeing_arcsec", "found", "limit"), [(0.7, 0.93, 1.12), (1.6, 0.68, 1.4)])
def test_crowded_field_is_taken_apart(field, seeing_arcsec, found, limit):
    one = field("CROWDED", "r", 7, 10.0, seeing_arcsec=seeing_arcsec)
    stars = one.stars()
    assert len(one.table.number) > found * stars["x"].size
    ours, index = clean(one, 30)
    error = one.table.magnitude_ab[ours] - stars["magnitude"][index]
    assert abs(np.median(error)) < 0.02
    assert SCALE * spread(np.array(one.position_errors())[:, ours].ravel()) < 0.02
    # Blends that nothing tells apart are sources of all their light.
    blended = (one.table.flags & ~int(StarFlag.BLEND)) == 0
    for chosen in (one.table.flags == 0, blended):
        fit = chosen & (summed(one) > 0) & (one.sn() > 7)
        ratio = fits.getdata(one.path, 1)["FLUX"][fit] / summed(one)[fit]
        pull = (ratio / np.median(ratio[one.sn()[fit] > 60]) - 1) * one.sn()[fit]
        assert spread(pull) < limit


def test_target_is_found_with_its_magnitude(field):
    for target, name, seed, exptime_s in FIELDS[:2]:
        one = field(target, name, seed, exptime_s)
        assert one.table.is_target.sum() == 1 and one.table.is_target_seen
        magnitude, error = one.table.target_magnitude
        assert error < 0.1
        assert abs(magnitude - one.truth["target_magnitude"]) < 3.5 * error
        assert one.nearest()[0][one.table.target] == len(one.stars()["x"]) - 1


def test_unseen_target_has_a_limit(field):
    one = field("SPARSE", "r", 7, 20.0)
    assert not one.table.is_target_seen
    row = one.table.target
    assert row == len(one.table.number) - 1
    limit, error = one.table.target_magnitude
    assert np.isnan(error)
    # Three sigma above nothing is half a magnitude below five sigma, or brighter by the noise.
    assert -0.4 < limit - one.header["ABMAGLIM"] < 0.6
    assert one.table.flags[row] == StarFlag.NOT_SEEN


def test_field_without_stars_is_told_honestly(field):
    one = field("EMPTY", "r", 7, 20.0)
    assert one.header["ASTROMET"] == "HEADER"
    assert one.table.zero_point_kind == "NONE" and np.isnan(one.table.zero_point_ab)
    primary = fits.getheader(one.image)
    assert primary["PRODCATG"] == "ANCILLARY.IMAGE" and primary["FLUXCAL"] == "UNCALIBRATED"
    assert "ESO QC ASTROM RMS" not in primary
    assert not one.table.is_target_seen
    header = fits.getheader(one.raw)
    wcs = WCS(fits.getheader(one.image, "FLUX"))
    assert wcs.all_pix2world(511.5, 511.5, 0) == pytest.approx([header["RA"], header["DEC"]])


def test_without_a_match_no_star_is_called_the_target(field):
    """A source a few arcsec off may be the target or not."""
    bright = field("PL_17", "r", 7, 20.0, catalogue=False)
    assert bright.header["ASTROMET"] == "HEADER"
    assert bright.table.target is None


def test_products_agree_with_each_other(field):
    one = field("PL_17", "r", 7, 20.0)
    with fits.open(one.image) as hdus:
        flux = hdus["FLUX"]
        wcs = WCS(flux.header)
        there = wcs.all_pix2world(one.table.x, one.table.y, 1)
        assert np.allclose(there, [one.table.ra_deg, one.table.dec_deg], atol=1e-8)
        assert flux.header["PHOTZP"] == pytest.approx(one.table.zero_point_ab)
        assert flux.header["BUNIT"] == "electron/s"
        assert hdus["ERRS"].header["CRVAL1"] == flux.header["CRVAL1"]
        assert hdus[0].header["PRODCATG"] == "SCIENCE.IMAGE"
        assert flux.header["PSF_FWHM"] == pytest.approx(SCALE * one.truth["fwhm_px"], rel=0.02)
        full = flux.header["ABMAGSAT"]
    data = fits.getdata(one.path, 1)
    saturated = (data["FLAGS"] & int(StarFlag.SATURATED)) > 0
    index, distance = one.nearest()
    true = one.stars()["magnitude"][index]
    assert (true[saturated & (distance < 2)] < full + 0.5).all()
    assert (true[~saturated & (distance < 2)] > full - 0.5).all()


def test_standard_gives_the_zero_point_of_filters_that_the_catalogue_lacks(
    field, tmp_path, camera_calibrations
):
    (standard,) = simulate_star_field(
        tmp_path, 130.3956, -32.9428, ("u",), 10.0, kind="img_std", target="LTT3218", seed=7,
        start="2026-03-16T01:00:00",
    )  # fmt: skip
    one = field("PL_17", "u", 7, 60.0, more=((standard, "IMG_STD_ACQ"),))
    assert one.table.zero_point_kind == "NIGHTLY"
    ours, stars = clean(one, 30)
    error = one.table.magnitude_ab[ours] - one.stars()["magnitude"][stars]
    assert abs(np.median(error)) < 3 * one.table.zero_point_error
    assert 0.02 < one.table.zero_point_error < 0.06


def test_filter_without_standard_is_not_calibrated(field):
    one = field("PL_17", "u", 7, 30.0)
    assert one.table.zero_point_kind == "NONE"
    assert np.isnan(one.table.magnitude_ab).all()
    assert one.header["ASTROMET"] == "CATALOGUE"


@pytest.fixture
def entries(field, camera_calibrations, tmp_path):
    """Files of a run by tag, to be spoilt."""
    one = field("PL_17", "r", 7, 20.0)
    catalogue = one.raw.parent / "refcat2_PL_17.csv"
    given = [(one.raw, "IMG_OBJECT_ACQ"), *camera_calibrations, (catalogue, "PHOT_CATALOG")]

    def without(*tags):
        return [(path, tag) for path, tag in given if tag not in tags]

    return without


def sets(given):
    return [([path], tag) for path, tag in given]


def test_catalogue_without_the_field_is_named(entries, run_recipe, tmp_path):
    from soxs_simulator.camera_stars import star_field, write_catalogue

    other = write_catalogue(tmp_path / "other.csv", star_field(1, 210.0, 40.0), 1)
    with pytest.raises(CatalogueFieldError, match="no star near the field"):
        run_recipe(SoxsAstroPhot, *sets(entries("PHOT_CATALOG")), ([other], "PHOT_CATALOG"))
    assert not list(tmp_path.glob("*.fits"))


def test_truncated_catalogue_is_named(entries, run_recipe, tmp_path):
    catalogue = next(path for path, tag in entries() if tag == "PHOT_CATALOG")
    short = tmp_path / "short.csv"
    short.write_bytes(catalogue.read_bytes()[:-30])
    with pytest.raises(TruncatedCatalogueError):
        run_recipe(SoxsAstroPhot, *sets(entries("PHOT_CATALOG")), ([short], "PHOT_CATALOG"))


def test_missing_filter_card_is_named(entries, run_recipe, tmp_path):
    raw = next(path for path, tag in entries() if tag == "IMG_OBJECT_ACQ")
    with fits.open(raw) as hdus:
        del hdus[0].header["ESO INS ACFW ID"]
        hdus.writeto(tmp_path / "raw.fits")
    spoilt = ([tmp_path / "raw.fits"], "IMG_OBJECT_ACQ")
    with pytest.raises(HeaderError, match="no filter of the camera"):
        run_recipe(SoxsAstroPhot, spoilt, *sets(entries("IMG_OBJECT_ACQ")))


def test_flat_of_another_filter_is_named(entries, camera_calibrations, run_recipe):
    (first, *_) = [path for path, tag in camera_calibrations if tag == "MASTER_IMG_FLAT_ACQ"]
    flat = ([first], "MASTER_IMG_FLAT_ACQ")
    with pytest.raises(SettingMismatchError, match="no flat of the image's filter"):
        run_recipe(SoxsAstroPhot, *sets(entries("MASTER_IMG_FLAT_ACQ")), flat)


def test_no_image_is_named(entries, run_recipe):
    with pytest.raises(MissingInputError, match="no image"):
        run_recipe(SoxsAstroPhot, *sets(entries("IMG_OBJECT_ACQ")))


def test_native_tiles_give_what_csv_gives(entries, field, run_recipe, tmp_path):
    from soxs_simulator.camera_stars import star_field, write_tiles

    tiles = write_tiles(tmp_path, star_field(7, 150.1, -21.3), 7)
    made = run_recipe(SoxsAstroPhot, *sets(entries("PHOT_CATALOG")), (tiles, "PHOT_CATALOG"))
    header = fits.getheader(made["PHOT_TAB_ACQ"], 1)
    assert header["ZP"] == pytest.approx(field("PL_17", "r", 7, 20.0).table.zero_point_ab, abs=2e-3)
