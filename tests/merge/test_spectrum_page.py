"""The page of a spectrum, drawn from its product alone."""

import numpy as np
import pytest
from matplotlib import image
from phase3_files import make_spectrum, write_spectrum

from soxs_recipes.products.sdp_reader import read_sdp
from soxs_recipes.qc.spectrum_page import draw_spectrum_page, shown, spectrum_figure


@pytest.fixture
def product(tmp_path):
    return write_spectrum(tmp_path / "spectrum.fits", make_spectrum(count=30000))


def corrected_product(tmp_path, transmission):
    spectrum = make_spectrum(count=30000, is_telluric_corrected=True)
    columns = spectrum.columns
    columns["TRANSMISSION"] = transmission(spectrum.wave_nm)
    columns["FLUX_TELLURIC"], columns["ERR_TELLURIC"] = 2 * columns["FLUX"], 2 * columns["ERR"]
    return write_spectrum(tmp_path / "corrected.fits", spectrum)


def test_page_is_a_picture_and_a_document(product, tmp_path):
    draw_spectrum_page(product, tmp_path / "page.png", tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").read_bytes().startswith(b"%PDF")
    picture = image.imread(tmp_path / "page.png")
    assert picture.shape[:2] == (1080, 1920)
    assert picture[..., :3].std() > 0.05


def test_the_same_product_gives_the_same_picture(product, tmp_path):
    for name in ("one.png", "two.png", "one.pdf", "two.pdf"):
        draw_spectrum_page(product, tmp_path / name)
    for suffix in ("png", "pdf"):
        one, two = (tmp_path / f"{name}.{suffix}" for name in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()


def test_page_names_target_date_exposure_and_quality(product):
    figure = spectrum_figure(read_sdp(product))
    axes = figure.axes[0]
    assert axes.get_title("left") == "SN2026XYZ"
    right = axes.get_title("right")
    assert "2025-02-09 00:44 UT" in right
    assert "480 s" in right
    assert "S/N 101 UV-VIS, 100 NIR" in right
    texts = {text.get_text() for text in axes.texts}
    assert {"UV-VIS", "NIR"} <= texts
    assert "erg s" in axes.get_ylabel()


def test_averages_keep_the_flux_and_shrink_the_error(product):
    seen = shown(read_sdp(product))
    spectrum = make_spectrum(count=30000)
    step = len(spectrum.wave_nm) // len(seen.wave)
    # An element of resolution at R = 4500.
    assert step == round(1 / 4500 / (np.log(2000 / 350) / 30000)) == 4
    assert np.nanmean(seen.flux) == pytest.approx(np.nanmean(spectrum.columns["FLUX"]), rel=1e-3)
    assert np.nanmedian(seen.error) == pytest.approx(1e-18 / np.sqrt(step), rel=1e-3)
    assert np.nanmedian(seen.snr) == pytest.approx(100, rel=0.05)
    assert seen.power == -16


def test_the_corrected_flux_is_shown_and_absorption_is_shaded(tmp_path):
    def transmission(wave):
        return np.where((wave > 1350) & (wave < 1420), 0.2, 1.0)

    table = read_sdp(corrected_product(tmp_path, transmission))
    seen = shown(table)
    assert np.nanmedian(seen.flux) == pytest.approx(2e-16, rel=0.1)
    (band,) = spectrum_figure(table).axes[0].patches
    assert band.get_x() == pytest.approx(1350, abs=1)
    assert band.get_x() + band.get_width() == pytest.approx(1420, abs=1)


def test_counts_of_one_arm_without_any_correction(tmp_path):
    spectrum = make_spectrum(count=800, is_calibrated=False)
    part = spectrum.wave_nm < 790
    columns = {name: values[part] for name, values in spectrum.columns.items()}
    short = make_spectrum(
        wave_nm=spectrum.wave_nm[part],
        width_nm=spectrum.width_nm[part],
        columns=columns,
        is_calibrated=False,
    )
    figure = spectrum_figure(read_sdp(write_spectrum(tmp_path / "vis.fits", short)))
    assert "counts over blaze" in figure.axes[0].get_ylabel()
    assert not figure.axes[0].texts


def test_a_spectrum_without_a_good_bin_is_drawn_empty(tmp_path):
    spectrum = make_spectrum()
    spectrum.columns["QUAL"][:] = 32
    draw_spectrum_page(write_spectrum(tmp_path / "bad.fits", spectrum), tmp_path / "bad.png")
    assert (tmp_path / "bad.png").stat().st_size > 10000
