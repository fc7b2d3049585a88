"""The two-dimensional product, against a slit whose light is known."""

from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from merge_scene import (
    AIRMASS,
    EXTINCTION,
    Scene,
    arm_header,
    order_spectra,
    stored,
    true_flux,
    true_response,
    write_orders,
    write_response,
)

from soxs_recipes.algorithms.calibrated_image import ImagePart, combine_images
from soxs_recipes.algorithms.quality import Quality
from soxs_recipes.cpl_bridge import cpl
from soxs_recipes.instrument.spectral_format import read_spectral_format
from soxs_recipes.products.detector_frames import HDU_CLASSES
from soxs_recipes.products.dispersion_tables import dispersion_tables
from soxs_recipes.products.writing import Extension
from soxs_recipes.recipes.soxs_merge import SoxsMerge

ORDERS = (14, 15)
SHIFT = (1.5, -2.0)


def part(flux, variance, start=0, quality=None):
    flux = np.asarray(flux, float)
    quality = np.zeros(flux.shape, np.uint16) if quality is None else quality
    return ImagePart(
        slice(start, start + flux.shape[1]),
        flux,
        np.broadcast_to(variance, flux.shape).astype(float),
        quality,
    )


def test_overlapping_orders_are_averaged_by_inverse_variance():
    rng = np.random.default_rng(1)
    parts = [part(5 + rng.normal(0, sd, (40, 300)), sd**2) for sd in (1.0, 2.0)]
    flux, variance, quality = combine_images(parts, (40, 300))
    assert variance == pytest.approx(np.full((40, 300), 0.8))
    assert ((flux - 5) / np.sqrt(variance)).std() == pytest.approx(1.0, abs=0.02)
    assert not quality.any()


def test_columns_of_one_order_keep_their_place_and_gaps_are_flagged():
    flux, variance, quality = combine_images([part(np.full((3, 4), 7.0), 1.0, 5)], (3, 12))
    assert (flux[:, 5:9] == 7).all()
    assert np.isnan(flux[:, :5]).all()
    assert np.isnan(variance[:, 9:]).all()
    assert (quality[:, 9:] == Quality.NO_DATA).all()


def test_bad_cells_are_left_to_the_other_order():
    bits = np.zeros((3, 60), np.uint16)
    bits[1, 30] = Quality.SATURATED
    wrong = np.full((3, 60), 5.0)
    wrong[1, 30] = 1e9
    flux, variance, quality = combine_images(
        [part(wrong, 1.0, quality=bits), part(np.full((3, 60), 5.0), 1.0)], (3, 60)
    )
    assert (flux == 5).all()
    assert variance[1, 30] == pytest.approx(1.0)
    assert quality[1, 30] == 0


def two_orders():
    solution = read_spectral_format(
        Path(str(files("soxs_recipes.calib") / "spectral_format_nir.json"))
    )
    rows = solution.index(np.array(ORDERS))
    arrays = ("orders", "centre_nm", "half_nm", "x_coef", "y_coef", "range_nm", "fitted_nm")
    return replace(solution, **{name: getattr(solution, name)[rows] for name in arrays})


def profile(slit):
    return np.exp(-0.5 * ((slit - 1.0) / 0.8) ** 2)


def slit_frame(solution):
    """Electrons of a source of flux times profile per arcsec, in 600 s."""
    image = np.zeros(solution.shape, np.float32)
    for order in ORDERS:
        low, high = solution.range_nm[solution.index(order)]
        # A coarse net over the slit's image finds the pixels to look at.
        net = np.linspace(low, high, 3000), np.linspace(-6.5, 6.5, 40)[:, None]
        x, y = (np.rint(place).astype(int).ravel() for place in solution.to_pixel(order, *net))
        seen = (x >= 0) & (y >= 0) & (x < solution.shape[1]) & (y < solution.shape[0])
        y, x = np.unique(np.stack([y[seen], x[seen]]), axis=1)
        wave, slit = solution.to_sky(order, x, y)
        on = np.isfinite(wave) & (np.abs(slit) < 6) & (wave > low) & (wave < high)
        x, y, wave, slit = x[on], y[on], wave[on], slit[on]
        x_wave, y_wave, x_slit, y_slit = solution.jacobian(order, wave, slit)
        area = 1 / np.abs(x_wave * y_slit - y_wave * x_slit)
        below = true_flux(wave) * profile(slit) * 10 ** (-0.4 * AIRMASS * EXTINCTION.at(wave))
        image[y, x] = below / true_response("NIR", order, wave) * 600.0 * area
    return image


def test_rectified_flux_is_that_of_the_slit(tmp_path, monkeypatch):
    solution = two_orders()
    image = slit_frame(solution.shifted(*SHIFT))
    planes = {"FLUX": image, "ERRS": np.full_like(image, 3.0)}
    planes["QUAL"] = np.zeros(image.shape, np.uint16)
    extensions = [Extension(name, data, "", HDU_CLASSES[name]) for name, data in planes.items()]
    shift = Table({"DX": [SHIFT[0]], "DY": [SHIFT[1]]})
    header = arm_header("NIR", **{"ESO PRO CATG": "SCI_SKY_SUB_NIR"})
    sky_sub = stored(tmp_path / "sky_sub.fits", header, [*extensions, Extension("GEOMETRY", shift)])
    tables = [Extension(*item) for item in dispersion_tables(solution).items()]
    header = arm_header("NIR", **{"ESO PRO CATG": "DISP_TAB_2D_NIR"})
    disp_tab = stored(tmp_path / "disp_tab.fits", header, tables)
    spectra = order_spectra("NIR", Scene(), np.random.default_rng(1))
    frames = [write_orders(tmp_path, "NIR", spectra), write_response(tmp_path, "NIR")]
    frames += [(sky_sub, "SCI_SKY_SUB_NIR"), (disp_tab, "DISP_TAB_2D_NIR")]
    monkeypatch.chdir(tmp_path)
    entries = [cpl.ui.Frame(str(path), tag) for path, tag in frames]
    products = {one.tag: one.file for one in SoxsMerge().run(cpl.ui.FrameSet(entries), {})}
    path = tmp_path / products["SCI_SLIT_FLUX_2D_NIR"]
    with fits.open(path) as hdus:
        flux, good = hdus["FLUX"].data, hdus["QUAL"].data == 0
        assert hdus[0].header["PRODCATG"] == "ANCILLARY.2DSPECTRUM"
        assert hdus["FLUX"].header["BUNIT"].endswith("arcsec**(-1)")
        wcs = WCS(hdus["FLUX"].header)
        error = hdus["ERRS"].data
    row, column = np.nonzero(good)
    wave, slit = wcs.wcs_pix2world(column, row, 0)
    wave = wave * (1e9 if wave.max() < 1 else 1)
    bright = np.abs(slit - 1.0) < 1.5
    assert bright.sum() > 5000
    expected = (true_flux(wave) * profile(slit))[bright]
    ratio = flux[row, column][bright] / expected
    assert np.median(ratio) == pytest.approx(1.0, abs=0.01)
    assert np.percentile(np.abs(ratio - 1), 90) < 0.04
    assert (error[row, column] > 0).all()
