"""Optical depths of molecules, line spread and sampling."""

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter1d
from scipy.special import ndtr

from soxs_recipes.algorithms.air_vacuum import air_to_vacuum, vacuum_to_air
from soxs_recipes.algorithms.molecules import COMPONENTS, WATER, optical_depth, pieces
from soxs_recipes.algorithms.pixel_sampling import (
    WING_SCALE_PX,
    LineSpread,
    PixelSampling,
    padded_vacuum,
)
from soxs_recipes.errors import UnreadableFrameError
from soxs_recipes.products.molecular_tables import read_molecular_table

# Lines alone at R = 5000, 3.0 mm, airmass 1.3, by direct line-by-line computation.
CHECK = {
    628.0: 0.9182, 687.5: 0.7382, 718.5: 0.9756, 760.7: 0.2403, 763.8: 0.3383, 823.0: 0.7333,
    935.3: 0.8737, 1122.2: 0.5216, 1331.6: 0.7882, 1432.5: 0.0587, 1571.5: 0.9194,
    1602.5: 0.9123, 1665.8: 0.8747, 1955.0: 0.3926, 2005.0: 0.1998,
}  # fmt: skip


@given(st.floats(300.0, 2500.0))
def test_air_and_vacuum_are_inverse(vacuum_nm):
    assert air_to_vacuum(vacuum_to_air(vacuum_nm)) == pytest.approx(vacuum_nm, rel=2e-9)


def test_air_wavelength_of_a_known_line():
    # He-Ne laser line: 632.9914 nm in vacuum, 632.8165 nm in standard air.
    assert vacuum_to_air(632.9914) == pytest.approx(632.8165, abs=2e-4)


def test_transmission_at_check_points(molecules):
    high = molecules.transmission(1.3, 3.0) * np.exp(1.3 * molecules.collision_induced())
    smooth = gaussian_filter1d(high, 1 / (2.3548 * 5000 * molecules.step))
    found = np.interp(list(CHECK), molecules.wave_nm, smooth)
    assert found == pytest.approx(list(CHECK.values()), abs=2e-4)


def test_a_cut_is_the_same_table_and_goes_on_without_absorption(molecules):
    cut = molecules.cut(1100.0, 1180.0)
    whole = np.interp(cut.wave_nm, molecules.wave_nm, molecules.transmission(1.2, 4.0))
    assert cut.transmission(1.2, 4.0) == pytest.approx(whole, abs=1e-5)
    beyond = molecules.cut(500.0, 560.0)
    assert beyond.wave_nm[0] == pytest.approx(500.0, rel=2e-5)
    assert beyond.transmission(1.0, 8.0)[:1000] == pytest.approx(1.0, abs=1e-6)
    assert molecules.cut(400.0, 500.0) is None


def test_slopes_are_the_derivatives_of_the_optical_depth(molecules):
    cut = molecules.cut(1090.0, 1290.0)
    parts = pieces(cut)
    assert {component.name for component, _ in parts} >= {"H2O", "H2O 1.1", "O2", "CO2"}
    columns = {c.name: np.log(3.3 if c.species == WATER else 1.2) for c in COMPONENTS}
    tau, slopes = optical_depth(cut, parts, columns)
    for name in ("H2O", "H2O 1.1", "O2"):
        moved, _ = optical_depth(cut, parts, {**columns, name: columns[name] + 1e-3})
        numeric, analytic = (moved - tau) / 1e-3, np.zeros(tau.size)
        for piece, values in slopes[name]:
            analytic[piece] = values
        assert analytic == pytest.approx(numeric, rel=2e-3, abs=2e-3)


def test_another_file_is_refused(tmp_path):
    fits.PrimaryHDU().writeto(tmp_path / "other.fits")
    with pytest.raises(UnreadableFrameError, match="SPECIES"):
        read_molecular_table(tmp_path / "other.fits")


def sampling_of(molecules, air_nm):
    edges = padded_vacuum(air_nm)
    cut = molecules.cut(edges[0], edges[-1])
    return cut, PixelSampling(air_nm, cut.ln_first, cut.step, cut.size)


def test_sampling_agrees_with_direct_convolution(molecules):
    air = np.linspace(1110.0, 1180.0, 1400)
    cut, sampling = sampling_of(molecules, air)
    high = cut.transmission(1.2, 3.0)
    spread = LineSpread(float(np.log(1.3)), 0.08, 0.4)
    kernel, _ = sampling.kernel(spread)
    found = sampling.sampled(sampling.transform(high) * kernel)
    place = np.interp(cut.wave_nm, air_to_vacuum(air), np.arange(air.size))
    width = np.gradient(place)
    for pixel in (400, 700, 1001):
        away = place - pixel + spread.shift_px
        core = ndtr((away + 0.5) / 1.3) - ndtr((away - 0.5) / 1.3)
        # The wings: the core convolved with a Lorentzian, on a fine grid.
        fine = np.arange(-60, 60, 0.02)
        gauss = ndtr((fine + 0.5) / 1.3) - ndtr((fine - 0.5) / 1.3)
        lorentz = WING_SCALE_PX / np.pi / (fine**2 + WING_SCALE_PX**2)
        wings = np.interp(away, fine, np.convolve(gauss, lorentz, "same") * 0.02)
        weight = (0.92 * core + 0.08 * wings) * width
        assert found[pixel] == pytest.approx(weight @ high / weight.sum(), abs=3e-3)


@settings(max_examples=10, deadline=None)
@given(st.floats(-0.3, 0.8), st.floats(0.0, 0.2), st.floats(-1.0, 1.0))
def test_slopes_are_the_derivatives_of_the_line_spread(ln_sd, wing, shift):
    air = np.linspace(1000.0, 1010.0, 200)
    step = 1e-5
    edges = np.log(padded_vacuum(air)[[0, -1]])
    bins = int(np.diff(edges)[0] / step) + 2
    sampling = PixelSampling(air, edges[0], step, bins)
    high = 1 - 0.9 * np.exp(-0.5 * ((np.arange(bins) % 97 - 48) / 6.0) ** 2)
    transform = sampling.transform(high)
    given_at = {"ln_sd": ln_sd, "wing": wing, "shift_px": shift}
    kernel, slopes = sampling.kernel(LineSpread(**given_at))
    value = sampling.sampled(transform * kernel)
    for name, slope in slopes.items():
        moved, _ = sampling.kernel(LineSpread(**{**given_at, name: given_at[name] + 1e-5}))
        numeric = (sampling.sampled(transform * moved) - value) / 1e-5
        assert sampling.sampled(transform * slope) == pytest.approx(numeric, abs=1e-3)
    assert sampling.sampled(sampling.transform(np.full(bins, 2.0)) * kernel)[50:-50] == (
        pytest.approx(2.0, abs=2e-2)
    )
