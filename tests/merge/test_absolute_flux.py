"""Absolute flux of a target under clouds in bad seeing: from images of slit and camera to the end.

The standard is seen on a clear night in good seeing through the wide slit, the target through 30 %
of cloud in seeing of 1.5 arcsec through 1 arcsec, by spectrograph and camera alike.
"""

import contextlib
import json
from importlib.resources import files

import numpy as np
import pytest
from merge_scene import write_orders as write_science
from truth_spectra import Night
from truth_spectra import write_orders as write_standard

from soxs_recipes.algorithms.beam_pixels import Beam, Exposure
from soxs_recipes.algorithms.frame import DetectorFrame
from soxs_recipes.algorithms.object_extraction import ObjectSettings, extract_object, look
from soxs_recipes.algorithms.slit_loss import Seen, relative_loss, seeing_from_image
from soxs_recipes.cpl_bridge import cpl
from soxs_recipes.instrument.spectral_format import spectral_format
from soxs_recipes.products.sdp_reader import read_sdp
from soxs_recipes.recipes import (
    SoxsAstroPhot,
    SoxsImgMflat,
    SoxsMbias,
    SoxsMerge,
    SoxsResponse,
    SoxsTelluric,
)
from soxs_simulator.contract import SceneRequest
from soxs_simulator.optics_slit import slit_fraction
from soxs_simulator.scenes_truth import object_image

TARGET, MIDDLE_NM = "PL_15.0", 540.0
BAD = {"seeing_arcsec": 1.5, "transparency": 0.7}
AIRMASS = 1.3
SKY_VARIANCE_E2 = 25.0


@pytest.fixture(scope="module")
def night():
    return Night(1)


def true_solution(source, arm):
    nominal = json.loads(
        (files("soxs_recipes.calib") / f"spectral_format_{arm.lower()}.json").read_text()
    )
    table = json.loads(json.dumps(source.truth()["arms"][arm]["format"]))
    for number, order in table["orders"].items():
        order["lam_on_detector"] = nominal["orders"][number]["lam_on_detector"]
    return spectral_format(table)


def extracted(night, arm, **options):
    """Orders extracted from an image of the target with noise, and the seeing it shows."""
    given = {"target": TARGET, "airmass": AIRMASS, "exptime_s": 600.0, **options}
    request = SceneRequest(arm, "object", "SLIT1.0", mode="STARE", **given)
    scene = night.source.arm(arm)
    light = object_image(scene, request, scene.geometry) * np.float32(request.exptime_s)
    variance = light + SKY_VARIANCE_E2
    noise = np.sqrt(variance) * np.random.default_rng(4).standard_normal(light.shape)
    frame = DetectorFrame.from_variance(light + noise, variance)
    settings = ObjectSettings((-5.75, 5.75))
    exposure = Exposure(frame, true_solution(night.source, arm), (Beam(1, 0.0, 600.0),))
    view = look([exposure], settings)
    found = extract_object(view, view.objects[0], settings)
    order = min(view.pixels[0], key=lambda one: abs(np.median(one.wave_nm) - MIDDLE_NM)).order
    _, fwhm = found.beams[0].model.trace.at(order, np.array(MIDDLE_NM))
    return found.spectra, seeing_from_image(float(fwhm), MIDDLE_NM, 1.0)


@pytest.mark.parametrize("seeing", [0.7, 1.0, 1.5])
def test_slit_losses_by_the_width_of_an_extracted_object(night, seeing):
    _, measured = extracted(night, "VIS", seeing_arcsec=seeing)
    wave = np.array([360.0, 500.0, 840.0])
    true = slit_fraction(seeing * (wave / 500) ** -0.2, 1.0, np.zeros(3))
    wide = Seen(0.85, 5.0, 0.04)
    factor, error = relative_loss(wave, Seen(measured, 1.0, 0.04), wide)
    assert factor * true / wide.passed(wave) == pytest.approx(1.0, abs=0.025)
    assert (error > 0.025).all() and (error < 0.06).all()


def run_in(folder, recipe, *frames, **settings):
    folder.mkdir(exist_ok=True)
    entries = [cpl.ui.Frame(str(path), tag) for path, tag in frames]
    with contextlib.chdir(folder):
        products = recipe().run(cpl.ui.FrameSet(entries), settings)
    return {product.tag: (folder / product.file, product.tag) for product in products}


@pytest.fixture(scope="module")
def photometry(tmp_path_factory):
    """PHOT_TAB_ACQ of the target by filter."""
    from soxs_simulator.calibrations import simulate_bias
    from soxs_simulator.camera_frames import simulate_camera_flats, simulate_star_field

    folder = tmp_path_factory.mktemp("camera")
    bias = [(file, "BIAS_ACQ") for file in simulate_bias(folder / "bias", "ACQ", 5)]
    calibrations = [run_in(folder, SoxsMbias, *bias)["MASTER_BIAS_ACQ"]]
    images = simulate_star_field(
        folder / "field", filters=("g", "z"), kind="acquisition", target=TARGET, **BAD
    )
    catalogue = (folder / "field" / f"refcat2_{TARGET}.csv", "PHOT_CATALOG")
    tables = {}
    for name, image in zip("gz", images, strict=True):
        flats = simulate_camera_flats(folder / name, (name,))
        given = [(flat, "IMG_FLAT_ACQ") for flat in flats]
        made = run_in(folder / name, SoxsImgMflat, *given, *calibrations)
        frames = [(image, "IMG_OBJECT_ACQ"), *made.values(), *calibrations, catalogue]
        tables[name] = run_in(folder / name, SoxsAstroPhot, *frames)["PHOT_TAB_ACQ"]
    return tables


@pytest.fixture(scope="module")
def orders(night, tmp_path_factory):
    """Set of frames of soxs_merge without photometry, and the perfect spectra of the target."""
    folder = tmp_path_factory.mktemp("orders")
    frames, truth = [], {}
    for arm in ("VIS", "NIR"):
        tag = f"FLUX_SPECTRUM_ORDERS_{arm}"
        seen = {"target": "LTT3218", "exptime_s": 120.0, "airmass": 1.05, "slit": "SLIT5.0"}
        standard = night.observe(arm, seeing_arcsec=0.85, **seen)
        cards = {"ESO_QC_SEEING": 0.85}
        path = write_standard(folder / f"std_{arm}.fits", standard, arm, tag, **cards)
        response = run_in(folder, SoxsResponse, (path, tag))[f"RESP_TAB_{arm}"]
        truth[arm] = night.observe(arm, TARGET, airmass=AIRMASS, **BAD)
        spectra, seeing = truth[arm].spectra, {}
        if arm == "VIS":
            spectra, measured = extracted(night, arm, **BAD)
            spectra = with_blaze(spectra, truth[arm].spectra)
            seeing = {"ESO QC SEEING": measured}
        science = write_science(folder, arm, spectra, **seeing)
        telluric = run_in(folder, SoxsTelluric, science, (path, tag))[f"TELLURIC_TAB_{arm}"]
        frames += [science, response, telluric]
    return frames, truth


def with_blaze(spectra, known):
    from dataclasses import replace

    blaze = np.full(len(spectra.order), np.nan)
    for order in spectra.orders:
        here, there = spectra.of(order), known.of(order)
        blaze[here] = np.interp(
            spectra.wave_nm[here],
            known.wave_nm[there],
            known.blaze[there],
            left=np.nan,
            right=np.nan,
        )
    return replace(spectra, blaze=blaze)


def flux_over_truth(path, truth, ranges_nm):
    """Ratio in ranges of wavelength, telluric bands left out."""
    table = read_sdp(path)
    wave, flux, error = (
        np.asarray(table[name].value, float) for name in ("WAVE", "FLUX_TELLURIC", "ERR_TELLURIC")
    )
    true, clear = np.full(len(wave), np.nan), np.zeros(len(wave), bool)
    for one in truth.values():
        for order in one.spectra.orders:
            here = one.spectra.of(order)
            known = one.spectra.wave_nm[here]
            inside = (wave > known[0]) & (wave < known[-1])
            true[inside] = np.interp(wave[inside], known, one.flux_erg[here])
            clear[inside] = np.interp(wave[inside], known, one.transmission[here]) > 0.8
    good = clear & np.isfinite(true * flux) & (error > 0)
    parts = [good & (wave > low) & (wave < high) for low, high in ranges_nm]
    ratios = [
        np.average(flux[part] / true[part], weights=(true[part] / error[part]) ** 2)
        for part in parts
    ]
    return np.array(ratios)


BAND = {"g": (402.0, 550.0), "z": (820.0, 922.0)}
ELSEWHERE = [(352, 400), (400, 550), (550, 700), (700, 820), (820, 1000), (1000, 1130)]
ELSEWHERE += [(1170, 1330), (1500, 1750), (1960, 2000)]


@pytest.mark.parametrize(
    ("filters", "elsewhere"), [("g", 0.10), ("z", 0.10), ("gz", 0.05)], ids=["g", "z", "g and z"]
)
def test_flux_under_clouds_and_in_bad_seeing(orders, photometry, tmp_path, filters, elsewhere):
    frames, truth = orders
    given = [*frames, *(photometry[name] for name in filters)]
    products = run_in(tmp_path, SoxsMerge, *given)
    path = products["SCI_SLIT_FLUX_MERGED"][0]
    assert flux_over_truth(path, truth, [BAND[name] for name in filters]) == pytest.approx(
        1.0, abs=0.03
    )
    assert flux_over_truth(path, truth, ELSEWHERE) == pytest.approx(1.0, abs=elsewhere)
    header = read_sdp(path).meta
    assert header["FLUXBAND"] == ", ".join(filters)
    # What is left of the flux after slit losses is what the cloud let pass.
    assert header["ESO QC FLUX SCALE"] == pytest.approx(1 / 0.7, rel=0.04)


def test_without_photometry_the_cloud_stays(orders, tmp_path):
    frames, truth = orders
    path = run_in(tmp_path, SoxsMerge, *frames)["SCI_SLIT_FLUX_MERGED"][0]
    assert flux_over_truth(path, truth, [(402, 550)])[0] == pytest.approx(0.7, rel=0.04)
