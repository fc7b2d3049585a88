"""From fitted telluric absorption to the transmission of a spectrum, its error and quality."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from soxs_recipes.algorithms.order_spectra import OrderSpectra
from soxs_recipes.algorithms.quality import Quality
from soxs_recipes.algorithms.telluric import TelluricFit
from soxs_recipes.algorithms.telluric_curve import Telluric
from soxs_recipes.algorithms.telluric_order_fit import FitSettings, OrderFit

Array = NDArray[np.float64]

LEAST_TRANSMISSION = 0.1
"""Below it a pixel is not corrected with confidence."""
_LEAST_MEAN, _MEAN_OVER_NM = 0.25, 5.0
_LARGEST_ERROR = 0.1
_LARGEST_CORRECTION = 0.2


@dataclass(frozen=True)
class LineCorrection:
    """What a standard says of the optical depth of the lines beyond the model.

    Attributes
    ----------
    air_nm : ndarray
        Wavelengths of the lines, the standard's shift taken out.
    value, sd : ndarray
        Relative correction of the optical depth, and its standard error.
    """

    air_nm: Array
    value: Array
    sd: Array


def line_corrections(
    standard: TelluricFit, settings: FitSettings | None = None
) -> dict[int, LineCorrection]:
    """Corrections of the lines, order by order, from the residuals of a standard.

    A residual is taken for an error of the line strengths as far as such an error is likely
    beside the noise (Wiener's filter).
    """
    expected = (settings or FitSettings()).line_error
    found = {}
    for number, fit in standard.orders.items():
        part = standard.spectra[number]
        level = np.where(fit.continuum > 0, fit.continuum, np.inf)
        lines = fit.absorption.lines
        residual = np.where(fit.used, part.value / level - fit.absorption.value, 0.0)
        noise = np.where(fit.used, part.variance / level**2, np.inf)
        with np.errstate(divide="ignore", invalid="ignore"):
            precision = np.where(np.isfinite(noise) & (noise > 0), lines**2 / noise, 0.0)
            scaled = np.where(precision > 0, residual * lines / noise, 0.0)
        variance = 1 / (precision + expected**-2.0)
        value = np.clip(scaled * variance, -_LARGEST_CORRECTION, _LARGEST_CORRECTION)
        place = part.air_nm - fit.unknowns["shift_px"] * np.gradient(part.air_nm)
        found[number] = LineCorrection(place, value, np.sqrt(variance))
    return found


def corrections_for(
    spectra: OrderSpectra, corrections: Mapping[int, LineCorrection]
) -> dict[int, Array]:
    """Corrections at the pixels of another spectrum."""
    return {
        number: np.interp(spectra.wave_nm[spectra.of(number)], one.air_nm, one.value)
        for number, one in corrections.items()
        if number in spectra.orders
    }


def transmission(
    spectra: OrderSpectra,
    fit: TelluricFit,
    corrections: Mapping[int, LineCorrection] | None = None,
    settings: FitSettings | None = None,
) -> Telluric:
    """Transmission at every bin of a spectrum.

    Orders without absorption get 1; so do orders whose data speak against the absorption, with
    what is expected of it as error.

    Parameters
    ----------
    spectra : OrderSpectra
        The spectrum to be corrected.
    fit : TelluricFit
        Its fit.
    corrections : mapping, optional
        Line corrections that the fit was given.
    settings : FitSettings, optional
        As for the fit.
    """
    settings = settings or FitSettings()
    value, error = np.ones(spectra.wave_nm.size), np.zeros(spectra.wave_nm.size)
    quality = np.zeros(spectra.wave_nm.size, np.uint16)
    for number, one in fit.orders.items():
        here = spectra.of(number)
        source = fit.source[number]
        model = np.clip(one.absorption.value / source, 1e-4, 1.0)
        if one.is_refuted:
            quality[here], error[here] = Quality.EXTRAPOLATED, 1 - model
            continue
        known = corrections[number] if corrections and number in corrections else None
        value[here] = model
        error[here] = _error(one, spectra.wave_nm[here], known, settings) / source
        quality[here] = quality_of(spectra.wave_nm[here], value[here], error[here])
    return Telluric(spectra.order, spectra.wave_nm, value, error, quality)


def _error(
    fit: OrderFit, wave_nm: Array, known: LineCorrection | None, settings: FitSettings
) -> Array:
    """Error of the unknowns and of the strengths of single lines."""
    slopes = np.stack([fit.absorption.slopes[name] for name in fit.unknowns])
    variance = np.einsum("in,ij,jn->n", slopes, fit.covariance, slopes)
    line_error = (
        settings.line_error if known is None else np.interp(wave_nm, known.air_nm, known.sd)
    )
    return np.sqrt(variance + (line_error * fit.absorption.lines) ** 2)


def quality_of(wave_nm: Array, value: Array, error: Array) -> NDArray[np.uint16]:
    """Flag what is absorbed too deeply, single pixels and whole bands."""
    width = max(int(_MEAN_OVER_NM / np.median(np.diff(wave_nm))), 1)
    band = uniform_filter1d(value, width, mode="nearest") < _LEAST_MEAN
    deep = band | (value < LEAST_TRANSMISSION) | (error > _LARGEST_ERROR * value)
    return np.where(deep, np.uint16(Quality.TELLURIC), np.uint16(0))
