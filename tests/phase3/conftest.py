"""Products that keep all rules, as files."""

import pytest
from phase3_files import write_companion, write_image, write_spectrum


@pytest.fixture
def spectrum_file(tmp_path):
    return write_spectrum(tmp_path / "sci_slit_flux_merged_60715.0306106.fits")


@pytest.fixture
def image_file(tmp_path):
    return write_image(tmp_path / "sci_image_acq_60715.0306106.fits")


@pytest.fixture
def companion_file(tmp_path):
    return write_companion(tmp_path / "sci_slit_flux_2d_vis_60715.0306106.fits")
