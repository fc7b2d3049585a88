"""A synthetic order with a known spectrum, tilt, profile and noise."""

import numpy as np
import pytest

from soxs_recipes.algorithms.beam_pixels import OrderPixels
from soxs_recipes.algorithms.object_profile import moffat

ROWS, PX_PER_ARCSEC = 44, 3.6


def make_order(
    spectrum,
    rng=None,
    count=600,
    tilt=0.15,
    centre=0.4,
    fwhm=0.9,
    sky=20.0,
    read_noise=3.3,
    order=12,
    beta=3.0,
    struck=(),
):
    """Pixels of an order with a spectrum that is a function of the place along dispersion.

    `struck` lists (row, column, electrons) of cosmic rays.
    """
    across = (np.arange(ROWS) - ROWS / 2) / PX_PER_ARCSEC
    slit = np.tile(across, (count, 1)).astype("f4")
    place = (np.arange(count)[:, None] + tilt * across * PX_PER_ARCSEC).astype("f4")
    area = np.full(place.shape, 1 / PX_PER_ARCSEC, "f4")
    light = spectrum(place.astype(float)) * area * moffat(beta)((slit - centre) / fwhm) / fwhm
    variance = light + sky + read_noise**2
    noise = 0 if rng is None else rng.normal(0, np.sqrt(variance))
    value = light + noise
    for row, column, electrons in struck:
        value[row, column] += electrons
    shape = place.shape
    return OrderPixels(
        order=order,
        first=0,
        wave_nm=1000 + 0.05 * np.arange(count),
        width_nm=np.full(count, 0.05),
        place=place,
        slit_arcsec=slit,
        area=area,
        value=value.astype("f4"),
        variance=np.full(shape, sky + read_noise**2, "f4"),
        measured_variance=variance.astype("f4"),
        usable=np.ones(shape, bool),
        suspect=np.zeros(shape, bool),
        quality=np.zeros(shape, "u2"),
        sky=np.full(shape, sky, "f4"),
        sky_error=np.zeros(shape, "f4"),
    )


@pytest.fixture
def synthetic_order():
    return make_order
