"""Shift of an exposure along dispersion from the telluric bands in the spectrum of a bright object.

Oxygen absorbs at wavelengths that winds move by less than 0.001 px; water in lines as steady. Where
an exposure is too short to show sky lines, the bands of the brightest object on the slit are
compared with the molecular model at the resolution of the spectrum. They tell where the light of
that object falls, its place in the width of the slit included: that is what its wavelengths need.
Across dispersion an object tells nothing, for it may stand anywhere along the slit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.algorithms.dispersion import DispersionSolution
from soxs_recipes.algorithms.flexure import Flexure, joined
from soxs_recipes.algorithms.frame import DetectorFrame
from soxs_recipes.algorithms.molecules import MolecularTable
from soxs_recipes.algorithms.sky_objects import medians
from soxs_recipes.algorithms.slit_strips import SlitStrip, slit_strips
from soxs_recipes.algorithms.telluric import Sight
from soxs_recipes.algorithms.telluric_order import WATER_COLUMN, Expectation, OrderModel
from soxs_recipes.algorithms.telluric_order_fit import FitSettings, OrderFitter, OrderSpectrum

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

BANDS_NM = (
    (684.0, 698.0),
    (714.0, 736.0),
    (756.0, 773.0),
    (808.0, 843.0),
)
"""Bands in air: oxygen B and A, and water at 720 and 820 nm."""

_APERTURE_ARCSEC = 1.5
_EXPECTED = {
    "ln_sd": Expectation(float(np.log(1.3)), 0.35),
    "wing": Expectation(0.04, 0.04),
    "shift_px": Expectation(0.0, 2.0),
}
_FIRST_SHIFT_PX = np.linspace(-1.6, 1.6, 9)
# Strengths of single lines are off by some per cent, which moves a blend; a band that tells less
# than this may have been taken for noise.
_MODEL_PX, _LEAST_KNOWN_PX = 0.02, 0.25
_FITTING = FitSettings(knot=0.02)
_LEAST_GOOD = 0.7


@dataclass(frozen=True)
class BandShift:
    """Shift of one band in one order.

    Attributes
    ----------
    along_px, error_px : float
        Displacement along dispersion at a fixed place across it, and its standard error.
    tilt : float
        Change of the place of a wavelength along dispersion, per pixel across.
    """

    along_px: float
    error_px: float
    tilt: float


def telluric_flexure(
    frame: DetectorFrame,
    solution: DispersionSolution,
    slit_arcsec: tuple[float, float],
    table: MolecularTable,
    sight: Sight,
    expected: Flexure | None = None,
) -> Flexure:
    """Measure the flexure along dispersion, and join it with what is expected.

    Parameters
    ----------
    frame : DetectorFrame
        Exposure of an object, detrended, its sky still in it.
    solution : DispersionSolution
        Two-dimensional solution of the frame's binning.
    slit_arcsec : tuple of float
        Ends of the slit.
    table : MolecularTable
        Optical depths of the molecules.
    sight : Sight
        Airmass and expected water.
    expected : Flexure, optional
        What is known beforehand; without it no shift, to 0.2 px.

    Returns
    -------
    Flexure
        Mean of measurement and expectation by their inverse variances along dispersion; what is
        expected across it. `bands` counts what it rests on: 0 if the object is too faint.
    """
    expected = expected or Flexure()
    found = band_shifts(frame, expected.applied(solution), slit_arcsec, table, sight)
    if not found:
        return expected
    shift, error = _mean(found)
    tilt = float(np.mean([band.tilt for band in found]))
    axis = solution.dispersion_axis
    along, known = expected.along(axis)
    _, across_error = expected.along("y" if axis == "x" else "x")
    # A shift across dispersion that is not known moves tilted lines along it.
    value, sd = joined(along + shift, float(np.hypot(error, tilt * across_error)), along, known)
    moved = {f"d{axis}_px": value, f"d{axis}_error_px": sd}
    return replace(expected, **moved, bands=len(found))


def band_shifts(
    frame: DetectorFrame,
    solution: DispersionSolution,
    slit_arcsec: tuple[float, float],
    table: MolecularTable,
    sight: Sight,
) -> list[BandShift]:
    """Shift of every band that an order holds as a whole; see `telluric_flexure`."""
    found = []
    for strip in slit_strips(solution, slit_arcsec):
        low, high = strip.wave_nm.min(), strip.wave_nm.max()
        bands = [band for band in BANDS_NM if low < band[0] and band[1] < high]
        spectrum = _object_spectrum(frame, strip) if bands else None
        for band in bands:
            middle = np.mean(band)
            x_wave, y_wave, x_slit, y_slit = solution.jacobian(strip.order, middle, 0.0)
            rising = float(np.sign(solution.along(x_wave, y_wave)))
            tilt = float(solution.along(x_slit, y_slit) / solution.across(x_slit, y_slit))
            shift, error = _band_shift(_cut(spectrum, band), table, sight)
            if error < _LEAST_KNOWN_PX:
                found.append(BandShift(rising * shift, float(np.hypot(error, _MODEL_PX)), tilt))
    return found


def _object_spectrum(frame: DetectorFrame, strip: SlitStrip) -> OrderSpectrum:
    """Sum of the light about the brightest place of an order, the level beside it taken out."""
    good = strip.take(frame.good()) & strip.inside
    light, noise, known = _straight(strip, strip.take(frame.flux), strip.take(frame.variance), good)
    slit = strip.slit_arcsec
    level = medians(np.where(known, light, np.float32(np.nan)))
    bright = np.where(known, light - level[:, None], np.float32(np.nan))
    distance = np.abs(slit - slit[:, [int(np.nanargmax(medians(bright.T)))]])
    away = known & (distance > 2 * _APERTURE_ARCSEC)
    sky = medians(np.where(away, light, np.float32(np.nan)))
    # Pixels at the ends of the aperture count by their share in it.
    share = np.clip((_APERTURE_ARCSEC - distance) / _step(slit) + 0.5, 0, 1)
    width = share * _step(slit)
    value = np.sum(np.where(known, light - sky[:, None], 0) * width, axis=1)
    variance = np.sum(np.where(known, noise, 0) * width**2, axis=1)
    complete = (known | (share == 0)).all(axis=1) & np.isfinite(sky) & (variance > 0)
    rising = np.argsort(strip.wave_nm, kind="stable")
    columns = np.where(complete, value, 0.0), np.where(complete, variance, 1.0), complete
    return OrderSpectrum(
        strip.order, strip.wave_nm[rising], *(column[rising] for column in columns)
    )


def _straight(
    strip: SlitStrip, light: NDArray, variance: NDArray, good: Mask
) -> tuple[NDArray, NDArray, Mask]:
    """Light per px and arcsec with one wavelength in each row, interpolated along dispersion."""
    length, width = light.shape
    place = 2 * np.arange(length)[:, None] - strip.column
    below = np.clip(np.floor(place).astype(int), 0, length - 2)
    share = (place - below).astype(np.float32)
    across = np.arange(width)
    area = strip.area
    values, errors = light / area, variance / area**2
    one, other = (below, across), (below + 1, across)
    known = good[one] & good[other] & (share >= 0) & (share <= 1)
    mean = (1 - share) * values[one] + share * values[other]
    return mean, (1 - share) ** 2 * errors[one] + share**2 * errors[other], known


def _step(slit_arcsec: NDArray) -> NDArray:
    """Arcsec per pixel across dispersion."""
    return np.abs(np.gradient(slit_arcsec, axis=1))


def _cut(spectrum: OrderSpectrum, band_nm: tuple[float, float]) -> OrderSpectrum:
    low, high = np.searchsorted(spectrum.air_nm, band_nm)
    part = slice(int(low), int(high))
    return replace(
        spectrum,
        air_nm=spectrum.air_nm[part],
        value=spectrum.value[part],
        variance=spectrum.variance[part],
        good=spectrum.good[part],
    )


def _band_shift(
    spectrum: OrderSpectrum, table: MolecularTable, sight: Sight
) -> tuple[float, float]:
    """Shift towards longer wavelengths and its error; infinite where nothing can be told."""
    model = OrderModel(spectrum.air_nm, table, sight.airmass)
    if not model.parts or np.count_nonzero(spectrum.good) < _LEAST_GOOD * spectrum.good.size:
        return 0.0, float("inf")
    known = {**_EXPECTED, **model.expected(), WATER_COLUMN: sight.water}
    expected = {name: known[name] for name in model.names}
    fitter = OrderFitter(spectrum, model, _FITTING)
    start = {name: item.mean for name, item in expected.items()}
    start["shift_px"] = fitter.choose(start, "shift_px", _FIRST_SHIFT_PX)
    fit = fitter.fit(expected, start)
    return fit.unknowns["shift_px"], fit.error("shift_px")


def _mean(bands: Sequence[BandShift]) -> tuple[float, float]:
    """Weighted mean and its error, enlarged where bands differ by more than their errors."""
    shift = np.array([band.along_px for band in bands])
    weight = np.array([band.error_px for band in bands]) ** -2.0
    mean = float(np.average(shift, weights=weight))
    chi2 = float(np.sum(weight * (shift - mean) ** 2)) / max(len(bands) - 1, 1)
    return mean, float(np.sqrt(max(chi2, 1.0) / weight.sum()))
