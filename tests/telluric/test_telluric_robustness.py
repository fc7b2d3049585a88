"""Spectra that are not a smooth continuum with Gaussian noise."""

from dataclasses import replace

import numpy as np
import pytest

from soxs_recipes.algorithms.telluric import Sight, fit_telluric
from soxs_recipes.algorithms.telluric_transmission import transmission

LIGHT_KMS = 3e5
ORDERS = (11, 13, 15, 18, 20)


@pytest.fixture(scope="module")
def plain(nights):
    return nights(21).observe("NIR", "PL_17", snr=50, water_mm=2.0, airmass=1.3, orders=ORDERS)


def lines(wave, centres, strength, width_kms):
    """One plus Gaussian lines."""
    shape = np.ones(wave.size)
    for centre in centres:
        shape += strength * np.exp(-0.5 * ((wave / centre - 1) * LIGHT_KMS / width_kms) ** 2)
    return shape


def narrow_absorption(spectra):
    centres = np.random.default_rng(1).uniform(900, 1850, 80)
    return {"flux_e": spectra.flux_e * lines(spectra.wave_nm, centres, -0.1, 200.0)}


def emission_lines(spectra):
    centres = (935.0, 1130.0, 1282.0, 1480.0, 1760.0)
    return {"flux_e": spectra.flux_e * lines(spectra.wave_nm, centres, 3.0, 100.0)}


def cosmic_rays(spectra):
    rng = np.random.default_rng(2)
    flux = spectra.flux_e.copy()
    flux[rng.integers(0, flux.size, 40)] *= 10.0
    return {"flux_e": flux}


def shifted(spectra):
    return {"wave_nm": spectra.wave_nm + 1.5 * spectra.width_nm}


def without_blaze(spectra):
    return {"blaze": np.full(spectra.blaze.size, np.nan)}


def small_errors(spectra):
    return {"error_e": spectra.error_e / 3}


def large_errors(spectra):
    return {"error_e": spectra.error_e * 3}


@pytest.mark.parametrize(
    "change",
    [
        narrow_absorption, emission_lines, cosmic_rays, shifted, without_blaze, small_errors,
        large_errors,
    ],
)  # fmt: skip
def test_the_transmission_is_still_right(change, plain, molecules):
    spectra = replace(plain.spectra, **change(plain.spectra))
    telluric = transmission(spectra, fit_telluric(spectra, molecules, Sight(1.3)))
    fair = plain.transmission > 0.5
    assert np.std((telluric.transmission - plain.transmission)[fair]) < 0.02
    assert abs(np.mean((telluric.transmission - plain.transmission)[fair])) < 0.005


@pytest.mark.parametrize("factor", [0.0, np.nan, -0.01])
def test_nothing_to_fit_gives_finite_numbers(factor, plain, molecules):
    spectra = replace(plain.spectra, flux_e=plain.spectra.flux_e * factor)
    telluric = transmission(spectra, fit_telluric(spectra, molecules, Sight(1.3)))
    assert np.isfinite(telluric.transmission).all()
    assert np.isfinite(telluric.error).all()


def test_an_empty_order_leaves_the_others_alone(plain, molecules):
    empty = plain.spectra.of(13)
    flux = np.where(empty, np.nan, plain.spectra.flux_e)
    spectra = replace(plain.spectra, flux_e=flux)
    telluric = transmission(spectra, fit_telluric(spectra, molecules, Sight(1.3)))
    assert np.all(telluric.transmission[empty] == 1)
    fair = ~empty & (plain.transmission > 0.5)
    assert np.std((telluric.transmission - plain.transmission)[fair]) < 0.02
