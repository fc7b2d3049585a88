"""soxs_merge on orders whose true flux is known."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from merge_scene import (
    Scene,
    arm_header,
    order_spectra,
    true_flux,
    true_transmission,
    write_night,
    write_orders,
    write_response,
    write_telluric,
)

from soxs_recipes.algorithms.air_vacuum import air_to_vacuum
from soxs_recipes.algorithms.star_flags import StarFlag
from soxs_recipes.cpl_bridge import cpl
from soxs_recipes.cpl_bridge.runner import cli
from soxs_recipes.errors import (
    ArmMismatchError,
    HeaderError,
    InputError,
    ParameterError,
    SettingMismatchError,
)
from soxs_recipes.products.filter_tables import read_filters
from soxs_recipes.products.phase3_check import check_file
from soxs_recipes.products.sdp_reader import read_sdp
from soxs_recipes.products.writing import Extension, write_product
from soxs_recipes.recipes.frames import packaged
from soxs_recipes.recipes.soxs_merge import SoxsMerge
from soxs_recipes.recipes.statics import FILTER_TAB

MERGED = "SCI_SLIT_FLUX_MERGED"


@pytest.fixture
def merge(tmp_path, monkeypatch):
    """Run the recipe on frames; returns product paths by tag."""

    def run(frames, **settings):
        monkeypatch.chdir(tmp_path)
        given = {key.replace("_", "-"): value for key, value in settings.items()}
        entries = [cpl.ui.Frame(str(path), tag) for path, tag in frames]
        products = SoxsMerge().run(cpl.ui.FrameSet(entries), given)
        return {product.tag: tmp_path / product.file for product in products}

    return run


@pytest.fixture
def inputs(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    return folder


def arrays(path):
    table = read_sdp(path)
    return table.meta, {
        name: np.asarray(getattr(table[name], "value", table[name])) for name in table.colnames
    }


def rebinned_truth(wave, telluric=False):
    """Truth averaged over the bins, which are about 0.05 nm wide."""
    half = np.gradient(wave) / 2
    at = wave[:, None] + half[:, None] * np.linspace(-0.8, 0.8, 5)
    values = true_flux(at) * (true_transmission(at) if telluric else 1.0)
    return values.mean(axis=1)


def test_merged_flux_and_errors_are_true(inputs, merge):
    pulls, telluric_pulls, sums = [], [], []
    for seed in (1, 2):
        path = merge(write_night(inputs, seed=seed))[MERGED]
        meta, spectrum = arrays(path)
        good = spectrum["QUAL"] == 0
        truth = rebinned_truth(spectrum["WAVE"], telluric=True)
        pull = ((spectrum["FLUX"] - truth) / spectrum["ERR"])[good]
        pulls.append(pull)
        clear = good & (spectrum["TRANSMISSION"] > 0.3)
        corrected = rebinned_truth(spectrum["WAVE"])
        telluric_pulls.append(
            ((spectrum["FLUX_TELLURIC"] - corrected) / spectrum["ERR_TELLURIC"])[clear]
        )
        factor = meta["ESO QC COVAR FACTOR"]
        whole = slice(0, len(pull) // 20 * 20)
        sums.append(pull[whole].reshape(-1, 20).sum(axis=1) / np.sqrt(20 * factor))
    pulls, telluric_pulls = np.concatenate(pulls), np.concatenate(telluric_pulls)
    assert len(pulls) > 60000
    assert pulls.mean() == pytest.approx(0.0, abs=0.05)
    assert pulls.std() == pytest.approx(1.0, abs=0.05)
    assert telluric_pulls.mean() == pytest.approx(0.0, abs=0.05)
    assert np.concatenate(sums).std() == pytest.approx(1.0, abs=0.1)


def test_flux_is_right_at_every_join_of_orders(inputs, merge):
    """Steps are looked for over 4 nm, at a signal-to-noise ratio of 200 per bin."""
    scene = Scene(brightness=30.0, telluric=False)
    path = merge(write_night(inputs, scene, telluric=False))[MERGED]
    _, spectrum = arrays(path)
    ratio = spectrum["FLUX"] / 30 / rebinned_truth(spectrum["WAVE"])
    for join in (432, 538, 670, 805, 850, 920, 1010, 1090, 1190, 1310, 1460, 1620, 1800):
        near = np.abs(spectrum["WAVE"] - join) < 4
        below = near & (spectrum["WAVE"] < join)
        step = np.median(ratio[below]) - np.median(ratio[near & ~below])
        assert abs(step) < 0.005
    assert np.abs(np.median(ratio) - 1) < 0.002


def test_products_keep_the_rules_and_verify(inputs, tmp_path, monkeypatch, required_tool):
    import subprocess

    frames = write_night(inputs)
    sof = tmp_path / "merge.sof"
    sof.write_text("".join(f"{path} {tag}\n" for path, tag in frames))
    plugin = tmp_path / "plugin"
    plugin.mkdir()
    text = "from soxs_recipes.recipes.soxs_merge import SoxsMerge\n__all__ = ['SoxsMerge']\n"
    (plugin / "merge_plugin.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    arguments = [f"--recipe-dir={plugin}", "soxs_merge", "--prog-id=116.A", str(sof)]
    assert cli.main(arguments) == 0
    products = sorted(tmp_path.glob("sci_slit_flux*.fits"))
    assert len(products) == 3
    for path in products:
        assert [str(problem) for problem in check_file(path)] == []
        done = subprocess.run(
            [required_tool("fitsverify"), path], capture_output=True, text=True, check=False
        )
        assert "0 warning(s) and 0 error(s)" in done.stdout, done.stdout


def test_header_tells_where_the_data_come_from(inputs, merge):
    products = merge(write_night(inputs), prog_id="116.A")
    header = fits.getheader(products[MERGED])
    assert header["PROV1"] != header["PROV2"]
    assert header["NCOMBINE"] == 2
    assert header["PROG_ID"] == "116.A"
    assert header["STDNAME"] == "GD71"
    assert "ARCFILE" not in header
    assert header["MJD-END"] == pytest.approx(60715.037)
    assert abs(header["BARYVEL"]) < 31
    assert header["ESO QC ARM MID DIFF"] == pytest.approx(0.0259, abs=1e-3)
    nir = fits.getheader(products["SCI_SLIT_FLUX_NIR"])
    assert nir["ESO SEQ ARM"] == "NIR"
    assert "VIS" not in str([nir[key] for key in nir["ESO PRO REC1 CAL* CATG"]])
    assert nir["NCOMBINE"] == 1


@pytest.mark.parametrize(("setting", "tied"), [("auto", True), ("yes", True), ("no", False)])
def test_arms_that_differ_are_tied(inputs, merge, setting, tied):
    products = merge(write_night(inputs, Scene(nir_scale=0.8)), arm_tie=setting)
    meta, spectrum = arrays(products[MERGED])
    assert meta["ESO QC ARM RATIO"] == pytest.approx(1.25, abs=0.008)
    assert meta["ARMTIED"] is tied
    red = (spectrum["WAVE"] > 1500) & (spectrum["WAVE"] < 1900)
    level = np.median((spectrum["FLUX"] / rebinned_truth(spectrum["WAVE"]))[red])
    assert level == pytest.approx(1.0 if tied else 0.8, abs=0.01)


def test_arms_that_agree_are_left_alone(inputs, merge):
    meta, _ = arrays(merge(write_night(inputs))[MERGED])
    assert meta["ARMTIED"] is False
    assert meta["ESO QC ARM RATIO"] == pytest.approx(1.0, abs=0.006)
    assert "ESO QC ARM SCALE" not in meta


def test_a_ratio_that_is_hardly_known_ties_nothing(inputs, merge):
    """Significant as it is: an error of 10 % would be carried to the whole of the NIR arm."""
    frames = write_night(inputs, Scene(brightness=0.008, nir_scale=0.4, telluric=False))
    meta, _ = arrays(merge(frames)[MERGED])
    assert meta["ESO QC ARM RATIO ERR"] > 0.05 * meta["ESO QC ARM RATIO"]
    assert meta["ESO QC ARM RATIO"] - 1 > 3 * meta["ESO QC ARM RATIO ERR"]
    assert meta["ARMTIED"] is False


def true_magnitude(name):
    band = read_filters(packaged(FILTER_TAB, "VIS")[0])[name]
    wave = np.arange(300.0, 2100.0, 0.1)
    return float(band.ab_magnitude(wave, true_flux(wave) * 10))


def test_a_given_magnitude_sets_the_scale(inputs, merge):
    frames = write_night(inputs, Scene(brightness=0.7))
    settings = {"magnitude": true_magnitude("r"), "magnitude_error": 0.03, "slit_loss": "no"}
    meta, spectrum = arrays(merge(frames, **settings)[MERGED])
    level = np.median(spectrum["FLUX_TELLURIC"] / rebinned_truth(spectrum["WAVE"]))
    assert level == pytest.approx(1.0, abs=0.01)
    assert meta["ESO QC FLUX SCALE"] == pytest.approx(1 / 0.7, rel=0.01)
    assert meta["FLUXERR"] == pytest.approx(2.76, abs=0.05)
    assert meta["FLUXBAND"] == "r"
    relative = spectrum["ERR_SYS"] / spectrum["FLUX"]
    band, far = (np.median(relative[np.abs(spectrum["WAVE"] - at) < 3]) for at in (622, 1900))
    assert band == pytest.approx(np.hypot(0.01, 0.0276), rel=0.02)
    # Away from the filter the shape of the spectrum has its share, 5 % per e-fold.
    assert far == pytest.approx(np.hypot(band, 0.05 * np.log(1900 / 622)), rel=0.02)


def write_photometry(folder, magnitude, error, name="i", flags=0):
    sources = Table(
        {
            "NUMBER": [1, 2],
            "RA": [150.0, 150.1],
            "DEC": [-21.3, -21.3],
            "X": [10.0, 20.0],
            "Y": [10.0, 20.0],
            "MAG_AB": [15.0, magnitude],
            "MAG_ERR": [0.01, error],
            "FLAGS": [0, flags],
            "TARGET": [False, True],
            "MATCHED": [True, False],
        }
    )
    header = arm_header("VIS", **{"ESO SEQ ARM": None, "ESO INS VISE NAME": None})
    header["HIERARCH ESO DET3 CAM NAME"] = "ACQ"
    header["HIERARCH ESO DET3 EXPO TIME"] = 20.0
    cards = {"FILTER": name, "ZP": 27.0, "ZPERR": 0.015, "ZPTYPE": "CATALOGUE"}
    path = folder / "phot_tab_acq.fits"
    path.unlink(missing_ok=True)
    write_product(path, header, [Extension("SOURCES", sources, "", cards)])
    return path, "PHOT_TAB_ACQ"


def test_photometry_of_the_acquisition_image_sets_the_scale(inputs, merge):
    frames = write_night(inputs, Scene(brightness=0.5))
    frames.append(write_photometry(inputs, true_magnitude("i"), 0.02))
    meta, _ = arrays(merge(frames, slit_loss="no")[MERGED])
    assert meta["ESO QC FLUX SCALE"] == pytest.approx(2.0, rel=0.01)
    assert meta["FLUXBAND"] == "i"
    assert meta["FLUXERR"] == pytest.approx(100 * 0.921 * np.hypot(0.02, 0.015), rel=0.01)
    untouched, _ = arrays(merge(frames, flux_scale="none")[MERGED])
    assert "ESO QC FLUX SCALE" not in untouched
    assert untouched["FLUXERR"] == -2


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ({"flags": int(StarFlag.NOT_SEEN)}, "but a limit"),
        ({"name": "OPEN"}, "known filter"),
        ({"error": np.nan}, "no zero point"),
    ],
)
def test_a_table_without_a_magnitude_does_not_scale(inputs, merge, capfd, table, reason):
    options = {"magnitude": 21.0, "error": 0.1, **table}
    frames = [*write_night(inputs), write_photometry(inputs, **options)]
    meta, _ = arrays(merge(frames)[MERGED])
    assert "ESO QC FLUX SCALE" not in meta
    assert reason in "".join(capfd.readouterr())


def test_slit_losses_of_another_slit_are_modelled(inputs, merge):
    """A standard seen through 5 arcsec: the slit of the target takes more of the blue."""
    frames = write_night(inputs, telluric=False)
    frames = [frame for frame in frames if not frame[1].startswith("RESP")]
    frames += [write_response(inputs, arm, slit="SLIT5.0") for arm in ("VIS", "NIR")]
    _, plain = arrays(merge(frames, slit_loss="no")[MERGED])
    _, spectrum = arrays(merge(frames)[MERGED])
    ratio = spectrum["FLUX"] / plain["FLUX"]
    blue, red = (ratio[np.abs(spectrum["WAVE"] - at) < 5].mean() for at in (400, 1900))
    # Images of 1.10 and 0.81 arcsec through 1 arcsec, light in the wings allowed for.
    assert blue == pytest.approx(1.65, abs=0.07)
    assert red == pytest.approx(1.34, abs=0.05)
    assert (spectrum["ERR_SYS"] / spectrum["FLUX"])[1000] > 0.05


def test_the_image_measured_in_the_other_arm_goes_before_the_seeing_monitor(inputs, merge):
    rng = np.random.default_rng(1)
    seeing = {"VIS": {"ESO QC SEEING": 1.5}, "NIR": {}}
    frames = [
        write_orders(inputs, arm, order_spectra(arm, Scene(), rng), **seeing[arm])
        for arm in ("VIS", "NIR")
    ]
    frames += [write_response(inputs, arm, slit="SLIT5.0") for arm in ("VIS", "NIR")]
    _, plain = arrays(merge(frames, slit_loss="no")[MERGED])
    _, spectrum = arrays(merge(frames)[MERGED])
    ratio = (spectrum["FLUX"] / plain["FLUX"])[np.abs(spectrum["WAVE"] - 1900) < 5].mean()
    assert ratio > 1.5


def test_a_narrow_slit_for_both_counts_where_both_images_were_measured(inputs, merge):
    """Standard in seeing of 0.8 arcsec, target in 1.5: through 1 arcsec 0.726 and 0.466 pass."""
    spectra = order_spectra("VIS", Scene(), np.random.default_rng(1))
    orders = write_orders(inputs, "VIS", spectra, **{"ESO QC SEEING": 1.5})
    response, tag = write_response(inputs, "VIS")
    _, plain = arrays(merge([orders, (response, tag)], slit_loss="no")["SCI_SLIT_FLUX_VIS"])
    _, unknown = arrays(merge([orders, (response, tag)])["SCI_SLIT_FLUX_VIS"])
    assert np.array_equal(unknown["FLUX"], plain["FLUX"], equal_nan=True)
    with fits.open(response, mode="update") as hdus:
        hdus["RESPONSE"].header["SEEING"] = 0.8
    _, spectrum = arrays(merge([orders, (response, tag)])["SCI_SLIT_FLUX_VIS"])
    ratio = (spectrum["FLUX"] / plain["FLUX"])[np.abs(spectrum["WAVE"] - 500) < 5].mean()
    assert ratio == pytest.approx(0.726 / 0.466, rel=0.01)


def test_without_a_response_counts_are_delivered(inputs, merge):
    frames = write_night(inputs, Scene(telluric=False), telluric=False, response=False)
    meta, spectrum = arrays(merge(frames)[MERGED])
    assert meta["FLUXCAL"] == "UNCALIBRATED"
    assert meta["FLUXERR"] == -1
    assert meta["EXTCORR"] is False
    assert np.isnan(spectrum["FLUX_TELLURIC"]).all()
    assert np.isfinite(spectrum["FLUX"]).mean() > 0.99


def test_one_arm_alone(inputs, merge):
    products = merge(write_night(inputs, arms=("NIR",)))
    assert set(products) == {"SCI_SLIT_FLUX_NIR"}
    meta, spectrum = arrays(products["SCI_SLIT_FLUX_NIR"])
    assert spectrum["WAVE"][0] > 780
    assert "ESO QC ARM RATIO" not in meta


def test_without_a_transmission_the_flux_is_not_corrected(inputs, merge):
    meta, spectrum = arrays(merge(write_night(inputs, telluric=False))[MERGED])
    assert meta["TELLCORR"] is False
    assert np.isnan(spectrum["FLUX_TELLURIC"]).all()
    assert np.isfinite(spectrum["FLUX"]).mean() > 0.99


def test_wavelengths_in_vacuum_at_the_barycentre(inputs, merge):
    frames = write_night(inputs, Scene(brightness=100.0))
    products = merge(frames, medium="vacuum", barycentric=True)
    meta, spectrum = arrays(products[MERGED])
    assert meta["AIRORVAC"] == "VACUUM"
    assert meta["SPECSYS"] == "BARYCENT"
    near = np.abs(spectrum["WAVE"] - 656.5) < 5
    excess = spectrum["FLUX"][near] - np.interp(
        spectrum["WAVE"][near], [651.5, 661.5], spectrum["FLUX"][near][[0, -1]]
    )
    centre = (excess * spectrum["WAVE"][near]).sum() / excess.sum()
    expected = air_to_vacuum(656.3) * (1 + meta["BARYVEL"] / 299792.458)
    assert centre == pytest.approx(expected, abs=0.01)


def test_bins_of_one_width(inputs, merge):
    _, spectrum = arrays(merge(write_night(inputs), wave_step=0.1)[MERGED])
    assert np.diff(spectrum["WAVE"]) == pytest.approx(0.1, abs=1e-9)
    _, spectrum = arrays(merge(write_night(inputs), velocity_step=60.0)[MERGED])
    assert 299792.458 * np.diff(np.log(spectrum["WAVE"])) == pytest.approx(60.0, rel=1e-3)


def test_counts_of_all_orders_are_told(inputs, merge):
    spectra = order_spectra("NIR", Scene(), np.random.default_rng(1))
    frames = [write_orders(inputs, "NIR", spectra), write_response(inputs, "NIR")]
    _, spectrum = arrays(merge(frames)["SCI_SLIT_FLUX_NIR"])
    assert np.nansum(spectrum["COUNTS"]) == pytest.approx(spectra.flux_e.sum(), rel=2e-3)
    # Of three exposures, of whose mean the electrons are.
    frames[0] = write_orders(inputs, "NIR", spectra, TEXPTIME=1800.0, **{"MJD-END": 60715.06})
    meta, spectrum = arrays(merge(frames)["SCI_SLIT_FLUX_NIR"])
    assert np.nansum(spectrum["COUNTS"]) == pytest.approx(3 * spectra.flux_e.sum(), rel=2e-3)
    assert meta["EXPTIME"] == meta["TEXPTIME"] == 1800.0


def test_an_ascii_copy_holds_the_same(inputs, merge):
    products = merge(write_night(inputs), ascii=True)
    text = products["SCI_SLIT_FLUX_ASCII"].read_text().splitlines()
    head = [line for line in text if line.startswith("#")]
    assert any("SN2026XYZ" in line for line in head)
    assert head[-2].split()[1:4] == ["WAVE", "FLUX", "ERR"]
    values = np.loadtxt(products["SCI_SLIT_FLUX_ASCII"])
    _, spectrum = arrays(products[MERGED])
    assert values[:, 0] == pytest.approx(spectrum["WAVE"], abs=1e-6)
    assert np.allclose(values[:, 1], spectrum["FLUX"], rtol=1e-6, equal_nan=True)


def test_an_empty_order_and_missing_values_are_left_out(inputs, merge):
    spectra = order_spectra("NIR", Scene(telluric=False), np.random.default_rng(1))
    flux = spectra.flux_e.copy()
    flux[spectra.of(15)] = np.nan
    flux[np.flatnonzero(spectra.of(18))[900:905]] = np.nan
    frames = [write_orders(inputs, "NIR", replace(spectra, flux_e=flux))]
    frames.append(write_response(inputs, "NIR"))
    meta, spectrum = arrays(merge(frames)["SCI_SLIT_FLUX_NIR"])
    assert meta["ESO QC N ORDERS"] == 14
    known = np.isfinite(spectrum["FLUX"])
    assert ((spectrum["QUAL"] & 256) > 0).sum() == (~known).sum() > 0
    pull = (spectrum["FLUX"] - rebinned_truth(spectrum["WAVE"]))[known] / spectrum["ERR"][known]
    assert pull.std() == pytest.approx(1.0, abs=0.05)


def test_nothing_but_missing_values_is_an_error(inputs, merge):
    spectra = order_spectra("NIR", Scene(), np.random.default_rng(1))
    empty = replace(spectra, flux_e=np.full(len(spectra.flux_e), np.nan))
    frames = [write_orders(inputs, "NIR", empty), write_response(inputs, "NIR")]
    with pytest.raises(InputError, match="hold no value"):
        merge(frames)


def test_a_response_of_another_arm_is_refused(inputs, merge):
    frames = write_night(inputs, telluric=False)
    path, _ = write_response(inputs, "NIR")
    frames = [frame for frame in frames if frame[1] != "RESP_TAB_VIS"]
    with pytest.raises(ArmMismatchError, match="not of the camera"):
        merge([*frames[:2], (path, "RESP_TAB_VIS")])


def test_a_response_without_these_orders_is_refused(inputs, merge):
    path, tag = write_response(inputs, "NIR")
    with fits.open(path, mode="update") as hdus:
        hdus["RESPONSE"].data["ORDER"] += 30
    spectra = order_spectra("NIR", Scene(), np.random.default_rng(1))
    with pytest.raises(InputError, match="does not cover"):
        merge([write_orders(inputs, "NIR", spectra), (path, tag)])


def test_flux_and_counts_are_not_mixed(inputs, merge):
    frames = [frame for frame in write_night(inputs) if frame[1] != "RESP_TAB_NIR"]
    with pytest.raises(SettingMismatchError, match="other has none"):
        merge(frames)


def test_arms_that_do_not_overlap_are_merged_untied(inputs, merge, capfd):
    frames = write_night(inputs)
    path, _ = next(frame for frame in frames if frame[1] == "SCI_SPECTRUM_ORDERS_NIR")
    with fits.open(path, mode="update") as hdus:
        blue = hdus["SPECTRUM"].data["WAVE"] < 860
        hdus["SPECTRUM"].data["FLUX"][blue] = np.nan
    meta, _ = arrays(merge(frames)[MERGED])
    assert "ESO QC ARM RATIO" not in meta
    assert "no overlap" in "".join(capfd.readouterr())


def test_a_response_needs_the_airmass(inputs, merge):
    spectra = order_spectra("NIR", Scene(), np.random.default_rng(1))
    none = {"ESO TEL AIRM START": None, "ESO TEL AIRM END": None}
    frames = [write_orders(inputs, "NIR", spectra, **none), write_response(inputs, "NIR")]
    with pytest.raises(HeaderError, match="airmass"):
        merge(frames)


@pytest.mark.parametrize("scale", ["photometry", "magnitude"])
def test_a_scale_that_is_asked_for_must_be_there(inputs, merge, scale):
    with pytest.raises(ParameterError, match=scale):
        merge(write_night(inputs), flux_scale=scale)


def test_a_filter_that_is_not_covered_does_not_scale(inputs, merge, capfd):
    frames = write_night(inputs, arms=("NIR",))
    meta, _ = arrays(merge(frames, magnitude=18.0)["SCI_SLIT_FLUX_NIR"])
    assert "ESO QC FLUX SCALE" not in meta
    assert "does not cover the filter r" in "".join(capfd.readouterr())


@pytest.mark.parametrize(("kind", "warned"), [("OBJECT", True), ("OBJECT,ASYNC", False)])
def test_arms_that_were_meant_to_be_synchronous_are_compared(inputs, merge, capfd, kind, warned):
    rng = np.random.default_rng(1)
    late = {"VIS": 0.0, "NIR": 5.0}
    frames = [
        write_orders(
            inputs,
            arm,
            order_spectra(arm, Scene(), rng),
            **{"MJD-MID": 60715.0335 + late[arm] / 86400, "OBSTYPE": kind},
        )
        for arm in ("VIS", "NIR")
    ]
    meta, _ = arrays(merge(frames)[MERGED])
    assert meta["ESO QC ARM MID DIFF"] == pytest.approx(5.0, abs=1e-3)
    assert ("differ by 5.0 s" in "".join(capfd.readouterr())) is warned


def test_telluric_bands_are_corrected_where_the_bands_are_deep(inputs, merge):
    _, spectrum = arrays(merge(write_night(inputs))[MERGED])
    deep = (spectrum["TRANSMISSION"] > 0.3) & (spectrum["TRANSMISSION"] < 0.6)
    assert deep.sum() > 100
    ratio = spectrum["FLUX_TELLURIC"][deep] / rebinned_truth(spectrum["WAVE"])[deep]
    assert ratio.mean() == pytest.approx(1.0, abs=0.01)
    uncorrected = spectrum["FLUX"][deep] / rebinned_truth(spectrum["WAVE"])[deep]
    assert uncorrected.mean() < 0.6


def test_telluric_table_of_one_arm_alone_corrects_that_arm(inputs, merge):
    frames = write_night(inputs, telluric=False)
    frames.append(write_telluric(inputs, "VIS"))
    products = merge(frames)
    meta, _ = arrays(products["SCI_SLIT_FLUX_VIS"])
    assert meta["TELLCORR"] is True
    meta, _ = arrays(products["SCI_SLIT_FLUX_NIR"])
    assert meta["TELLCORR"] is False
