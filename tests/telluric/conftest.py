"""Tables and observations that the tests of telluric absorption share."""

from importlib.resources import files
from pathlib import Path

import pytest
from truth_spectra import Night

from soxs_recipes.products.molecular_tables import read_molecular_table
from soxs_recipes.products.standard_tables import read_star_model


def static(name):
    """Path of a static calibration of the package."""
    return Path(str(files("soxs_recipes.calib") / name))


@pytest.fixture(scope="session")
def molecules():
    return read_molecular_table(static("telluric_optical_depth.fits"))


@pytest.fixture(scope="session")
def vega():
    return read_star_model(static("a0v_vega.fits.gz"))


@pytest.fixture(scope="session")
def nights():
    """Nights by seed, which share the optics of the simulator."""
    first = Night(1)
    return lambda seed: Night(seed, first.source)
