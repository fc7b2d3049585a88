"""soxs_extract on simulated exposures without sky: products and clear outcomes."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from numpy.polynomial import chebyshev

from soxs_recipes.algorithms.order_table import scaled
from soxs_recipes.errors import InputError, MissingInputError, SettingMismatchError
from soxs_recipes.products.dispersion_tables import dispersion_tables
from soxs_recipes.products.object_tables import read_trace
from soxs_recipes.products.spectrum_tables import read_order_spectra
from soxs_recipes.recipes.soxs_extract import SoxsExtract

READ_NOISE_E, HALF_SLIT = 3.35, 5.75


@pytest.fixture(scope="module")
def header(simulated):
    return fits.getheader(simulated("bias", arm="VIS", frames=1)[0])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("extract")


def write(path, header, content, mjd=61115.0, exptime_s=600.0):
    header = header.copy()
    header["MJD-OBS"], header["EXPTIME"] = mjd, exptime_s
    hdus = [fits.PrimaryHDU(header=header)]
    for name, data in content.items():
        table = isinstance(data, Table)
        hdus.append((fits.BinTableHDU if table else fits.ImageHDU)(data, name=name))
    fits.HDUList(hdus).writeto(path, output_verify="silentfix", overwrite=True)
    return path


@pytest.fixture(scope="module")
def calibrations(sky, header, folder):
    """True solution, edges at the ends of the slit, flat blaze."""
    solution = sky.solution("VIS")
    length = solution.shape[0]
    along = np.linspace(0, length - 1, 60)
    series = {"CENTRE": [], "LOWER": [], "UPPER": []}
    for order, (low, high) in zip(solution.orders, solution.range_nm, strict=True):
        wave = np.linspace(low, high, 200)
        places = [solution.to_pixel(order, wave, s) for s in (0, -HALF_SLIT, HALF_SLIT)]
        rows = [np.interp(along, *map(np.asarray, _rising(y, x))) for x, y in places]
        rows[1:] = np.sort(rows[1:], axis=0)
        for name, row in zip(series, rows, strict=True):
            series[name].append(chebyshev.chebfit(scaled(along, length), row, 5))
    count = len(solution.orders)
    ends = {"FIRST": 0.0, "LAST": length - 1.0, "EDGE_FIRST": 0.0, "EDGE_LAST": length - 1.0}
    edges = Table({name: np.full(count, value) for name, value in ends.items()})
    edges["ORDER"], edges["WIDTH"] = solution.orders.astype("i2"), np.ones(count)
    for name, coef in series.items():
        edges[name] = np.array(coef)
    blaze = Table(
        {
            "ORDER": np.repeat(solution.orders, length).astype("i2"),
            "PIXEL": np.tile(np.arange(length), count).astype("i2"),
            "BLAZE": np.ones(count * length),
            "QUAL": np.zeros(count * length, "i2"),
        }
    )
    contents = {
        "DISP_TAB_2D_VIS": dispersion_tables(solution),
        "ORDER_TAB_EDGES_VIS": {"ORDERS": edges},
        "BLAZE_TAB_VIS": {"BLAZE": blaze},
    }
    return {
        tag: write(folder / f"{tag.lower()}.fits", header, content)
        for tag, content in contents.items()
    }


def _rising(x, y):
    order = np.argsort(x)
    return np.asarray(x)[order], np.asarray(y)[order]


@pytest.fixture(scope="module")
def exposure(sky, header, folder):
    """A frame without sky, and its sky, made when first asked for."""
    made = {}

    def make(target, role="SCI", number=0, **options):
        key = (target, role, number, *sorted(options.items()))
        if key in made:
            return made[key]
        whole, alone = sky.electrons(sky.request("VIS", target, **options))
        error = np.sqrt(whole + READ_NOISE_E**2)
        rng = np.random.default_rng(len(made) + 20)
        quality = np.zeros(whole.shape, "u2")
        flux = (rng.normal(whole, error) - alone).astype("f4")
        noise = {"ZERO_ERR": [0.0], "FLAT_ERR": [0.0]}
        beams = Table({"SIGN": np.ones(1, "i2"), "SLIT": [0.0], "EXPTIME": [600.0], **noise})
        geometry = Table({name: [0.0] for name in ("DX", "DY", "DX_ERR", "DY_ERR")})
        planes = {"FLUX": flux, "ERRS": error.astype("f4"), "QUAL": quality}
        content = {**planes, "BEAMS": beams, "GEOMETRY": geometry}
        mjd, stem = 61115.0 + len(made) / 100, f"{role.lower()}_{len(made)}"
        frame = write(folder / f"{stem}_sub.fits", header, content, mjd)
        model = {"FLUX": alone, "ERRS": np.full(alone.shape, 0.1, "f4"), "QUAL": quality}
        made[key] = frame, write(folder / f"{stem}_sky.fits", header, model, mjd)
        return made[key]

    return make


@pytest.fixture
def extract(calibrations, run_recipe):
    """Run the recipe on exposures; further inputs by tag."""

    def run(*exposures, role="SCI", more=(), **settings):
        frames, skies = zip(*exposures, strict=True)
        sets = [([path], tag) for tag, path in calibrations.items()]
        given = {tag for _, tag in more}
        sets = [*(one for one in sets if one[1] not in given), *more]
        pairs = [(list(frames), f"{role}_SKY_SUB_VIS"), (list(skies), f"{role}_SKY_MODEL_VIS")]
        return run_recipe(SoxsExtract, *pairs, *sets, **settings)

    return run


def content_of(path):
    with fits.open(path) as hdus:
        return {
            hdu.name: Table(hdu.data) if isinstance(hdu, fits.BinTableHDU) else hdu.data.copy()
            for hdu in hdus[1:]
        }


def messages(capfd):
    """What was told, as one line."""
    return " ".join("".join(capfd.readouterr()).split())


def test_a_point_source(extract, exposure, sky):
    products = extract(exposure("PL_17.0"))
    path = products["SCI_SPECTRUM_ORDERS_VIS"]
    cards = fits.getheader(path)
    spectra = read_order_spectra(path)
    assert cards["ESO QC N ORDERS"] == 4 and cards["ESO QC N OBJECTS"] == 1
    assert cards["ESO QC OBJECT TRACED"] is True
    assert cards["ESO QC X RES SD"] < 0.1 and cards["ESO QC SAMPLES DET FRAC"] > 0.9
    assert 0.9 < cards["ESO QC SEEING"] < 1.15
    request = sky.request("VIS", "PL_17.0")
    for order in spectra.orders:
        here = spectra.of(order) & spectra.good
        truth, _ = sky.truth(request, order, spectra.wave_nm[here])
        lit = truth > 0.1 * truth.max()
        ratio = spectra.flux_e[here][lit].sum() / truth[lit].sum()
        assert ratio == pytest.approx(1, abs=0.006), order
        assert np.median(spectra.sky_e[here]) > 0
    merged = Table.read(products["SCI_SPECTRUM_1D_VIS"], "SPECTRUM")
    steps = np.diff(np.log(merged["WAVE"])) * 299792.458
    assert steps == pytest.approx(15, abs=0.01)
    per_nm = spectra.blaze / spectra.width_nm
    density = spectra.flux_e / spectra.blaze * per_nm.max() / 600.0
    here = spectra.of(1) & (np.abs(spectra.wave_nm - 610) < 5)
    near = np.abs(merged["WAVE"] - 610) < 5
    assert np.mean(merged["FLUX"][near]) == pytest.approx(np.mean(density[here]), rel=2e-3)
    objects = Table.read(products["SCI_OBJECT_TAB_VIS"], "OBJECTS")
    assert objects["SLIT"][0] == pytest.approx(0, abs=0.05) and objects["USED"][0] == 1


def test_the_grid_can_be_set(extract, exposure):
    products = extract(exposure("PL_17.0"), wave_step=0.2)
    merged = Table.read(products["SCI_SPECTRUM_1D_VIS"], "SPECTRUM")
    assert np.diff(merged["WAVE"]) == pytest.approx(0.2, abs=1e-9)


def test_two_objects(extract, exposure, tmp_path, capfd):
    pair = exposure("DOUBLE")
    products = extract(pair)
    assert "2 objects are on the slit, the brightest is extracted" in messages(capfd)
    objects = Table.read(products["SCI_OBJECT_TAB_VIS"], "OBJECTS")
    assert list(objects["USED"]) == [1, 0]
    assert objects["SLIT"] == pytest.approx([0, -3], abs=0.1)
    bright = read_order_spectra(products["SCI_SPECTRUM_ORDERS_VIS"])
    products = extract(pair, object="position", slit_position=-2.9)
    faint = read_order_spectra(products["SCI_SPECTRUM_ORDERS_VIS"])
    assert 0.1 < np.median(faint.flux_e / bright.flux_e) < 0.5
    for path in tmp_path.glob("*.fits"):
        path.unlink()
    extract(pair, object="all")
    names = sorted(path.name for path in tmp_path.glob("sci_spectrum_orders*"))
    assert len(names) == 2 and names[1].endswith("_object2.fits")
    both = [read_order_spectra(tmp_path / name) for name in names]
    assert np.allclose(both[0].flux_e, bright.flux_e) and np.allclose(both[1].flux_e, faint.flux_e)


@pytest.mark.parametrize(
    ("target", "options"), [("BLANK-SKY", {}), ("PL_16.0", {"nod_arcsec": 8.5})]
)
def test_no_object_on_the_slit_is_an_error(target, options, extract, exposure):
    pair = exposure(target, **options)
    with pytest.raises(InputError, match="No object is found on the slit") as caught:
        extract(pair)
    assert caught.value.file == str(pair[0]) and "--object=position" in caught.value.remedy


def test_what_is_at_a_position_is_extracted_all_the_same(extract, exposure, capfd):
    products = extract(exposure("BLANK-SKY"), object="position", slit_position=1.0)
    assert "No object is found at +1.00 arcsec" in messages(capfd)
    path = products["SCI_SPECTRUM_ORDERS_VIS"]
    spectra = read_order_spectra(path)
    assert fits.getheader(path)["ESO QC OBJECT TRACED"] is False
    pull = (spectra.flux_e / spectra.error_e)[spectra.good]
    assert abs(np.median(pull)) < 0.1
    assert 1.4826 * np.median(np.abs(pull)) == pytest.approx(1, abs=0.05)
    objects = Table.read(products["SCI_OBJECT_TAB_VIS"], "OBJECTS")
    assert objects["KIND"][0].strip() == "GIVEN"


def test_an_object_at_the_end_of_the_slit_is_told(extract, exposure, capfd):
    extract(exposure("PL_16.0", nod_arcsec=5.2))
    assert "at the end of the slit" in messages(capfd)


def test_an_extended_object_is_told(extract, exposure, capfd):
    products = extract(exposure("GAL-EXT", seeing_arcsec=1.8))
    objects = Table.read(products["SCI_OBJECT_TAB_VIS"], "OBJECTS")
    assert objects["KIND"][0].strip() == "EXTENDED"
    assert "may have been subtracted as sky" in messages(capfd)


def test_a_faint_object_gets_the_trace_of_a_standard(extract, exposure, capfd, tmp_path):
    standard = extract(exposure("PL_15.0", role="FLUX"), role="FLUX")["FLUX_OBJECT_TAB_VIS"]
    trace = read_trace(standard)
    tilted = Table.read(standard, "TRACE")
    tilted["SLIT"] += 0.002 * (tilted["WAVE"] - 600)
    with fits.open(standard) as hdus:
        hdus["TRACE"] = fits.BinTableHDU(tilted, name="TRACE")
        hdus.writeto(tmp_path / "guide.fits")
    pair = exposure("PL_23.0")
    products = extract(pair, more=[([tmp_path / "guide.fits"], "FLUX_OBJECT_TAB_VIS")])
    assert "too faint to be traced" in messages(capfd)
    found = read_trace(products["SCI_OBJECT_TAB_VIS"])
    slope = found.centre(4, np.array([800.0])) - found.centre(2, np.array([400.0]))
    before = trace.centre(4, np.array([800.0])) - trace.centre(2, np.array([400.0]))
    assert slope - before == pytest.approx(0.8, abs=0.05)


def test_several_exposures_are_combined(extract, exposure):
    pairs = [exposure("PL_19.0", number=k) for k in range(2)]
    one = read_order_spectra(extract(pairs[0])["SCI_SPECTRUM_ORDERS_VIS"])
    products = extract(*pairs)
    both = read_order_spectra(products["SCI_SPECTRUM_ORDERS_VIS"])
    assert fits.getheader(products["SCI_SPECTRUM_ORDERS_VIS"])["ESO QC N BEAMS"] == 2
    assert np.median(one.error_e / both.error_e) == pytest.approx(np.sqrt(2), rel=0.03)
    assert both.exptime_s == 600.0


def test_without_its_sky_there_is_no_sky_spectrum(extract, exposure, capfd):
    pair, other = exposure("PL_17.0"), exposure("BLANK-SKY")
    products = extract((pair[0], other[1]))
    assert "there is no sky spectrum" in messages(capfd)
    assert np.isnan(read_order_spectra(products["SCI_SPECTRUM_ORDERS_VIS"]).sky_e).all()


def test_a_solution_of_another_binning_is_refused(extract, exposure, sky, header, tmp_path):
    tables = dispersion_tables(sky.solution("VIS").binned(1, 2))
    path = write(tmp_path / "binned.fits", header, tables)
    with pytest.raises(SettingMismatchError, match="binning"):
        extract(exposure("PL_17.0"), more=[([path], "DISP_TAB_2D_VIS")])


def test_frames_of_two_arms_are_refused(extract, exposure, simulated, tmp_path):
    """Each arm is extracted by itself: nothing of the other is dropped in silence."""
    pair = exposure("PL_17.0")
    other = fits.getheader(simulated("dark", arm="NIR", frames=1)[0])
    path = write(tmp_path / "nir.fits", other, content_of(pair[0]))
    with pytest.raises(InputError, match="arm") as caught:
        extract(pair, more=[([path], "SCI_SKY_SUB_NIR")])
    assert caught.value.found == "NIR" and "VIS" in caught.value.expected
    assert "of its own" in caught.value.remedy
    with pytest.raises(InputError) as caught:
        extract(pair, more=[([path], "SCI_SKY_MODEL_VIS")])
    assert str(path) == caught.value.file and "NIR" in caught.value.found


def test_a_missing_calibration_is_named(extract, exposure):
    with pytest.raises(MissingInputError, match="BLAZE_TAB_VIS"):
        extract(exposure("PL_17.0"), more=[([], "BLAZE_TAB_VIS")])


def test_light_of_a_galaxy_is_told_and_can_be_left(extract, exposure, capfd):
    pair = exposure("PL_18.0_HOST_1.0")
    path = extract(pair)["SCI_SPECTRUM_ORDERS_VIS"]
    assert "--background=no leaves it in" in messages(capfd)
    share = fits.getheader(path)["ESO QC BACKGROUND FRAC"]
    spectra = read_order_spectra(path)
    assert 0.2 < share < 1.5
    assert np.median(spectra.background_e) > 0
    left = extract(pair, background="no")["SCI_SPECTRUM_ORDERS_VIS"]
    assert fits.getheader(left)["ESO QC BACKGROUND FRAC"] == 0
    assert np.nansum(read_order_spectra(left).flux_e) > 1.3 * np.nansum(spectra.flux_e)


def test_light_as_long_as_the_slit_is_no_object(extract, exposure):
    """The sky takes what is even along the slit; what is left is told to be no object."""
    pair = exposure("BLANK-SKY")
    content, cards = content_of(pair[0]), fits.getheader(pair[0])
    content["FLUX"] = content["FLUX"] + np.float32(20.0)
    path = write(pair[0].with_name("even.fits"), cards, content, cards["MJD-OBS"])
    with pytest.raises(InputError, match="No object is found on the slit") as caught:
        extract((path, pair[1]))
    assert "as long as the slit" in caught.value.found
