"""From an arc frame to a dispersion solution: find the lines, measure them, fit them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.algorithms.arc_lines import ArcLines, LineImages, line_images, through_pinholes
from soxs_recipes.algorithms.dispersion import DispersionSolution
from soxs_recipes.algorithms.dispersion_fit import (
    Basis,
    DispersionFit,
    FitError,
    LineSample,
    cross_validated_rms,
    fit_dispersion,
)
from soxs_recipes.algorithms.frame import DetectorFrame
from soxs_recipes.algorithms.line_centroids import Spots, cut_stamps, fit_spots, without_neighbours
from soxs_recipes.algorithms.line_matching import Drift, find_drift, find_peaks

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Peaks that serve to find the drift, and how many are wanted per predicted line.
_PEAK_SNR = 10.0
_PEAKS_PER_LINE = 1.5
# Fewer matches than these are no sign of the spectral format.
_LEAST_PEAKS = 30
_LEAST_EXCESS = 6.0
_LEAST_MATCHED = 0.2
# Lines whose centroid neighbours shift by more are not used for the fit, or for the drift.
_BLEND_LIMIT_PX = 0.03
_COARSE_BLEND_PX = 0.3
# How far a centroid may lie from its prediction after the drift.
_WINDOW_PX = 1.0
# A richer model must be better than a simpler one by this factor in cross-validation.
_WORTHWHILE = 0.98


class NoArcLinesError(ValueError):
    """The frame does not show the lines of the list where the spectral format has them."""


@dataclass(frozen=True)
class LineSearch:
    """What is looked for, and how.

    Attributes
    ----------
    fwhm_px : tuple of float
        Width of a line along dispersion and across.
    faintest, bright : float
        log10 strength of the faintest lines measured, and of those that show the drift.
    slit_arcsec : ndarray
        Slit positions of the pinholes.
    reach_px : float
        Largest shift of the format.
    min_snr : float
        Height of a spot over its error from which it counts as detected.
    """

    fwhm_px: tuple[float, float]
    faintest: float
    bright: float
    slit_arcsec: Array
    reach_px: float = 20.0
    min_snr: float = 8.0


@dataclass(frozen=True)
class MeasuredLines:
    """Lines that were looked for and what was found.

    Attributes
    ----------
    images : LineImages
        The lines with their predicted positions, the drift included.
    spots : Spots
        Fitted spots; NaN where there is none.
    detected : ndarray of bool
        Which of them are good enough to be fitted.
    drift : Drift
        Displacement of the format from its first guess.
    """

    images: LineImages
    spots: Spots
    detected: Mask
    drift: Drift


@dataclass(frozen=True)
class ChosenFit:
    """A fit with the degrees that cross-validation chose."""

    fit: DispersionFit
    centre_degree: tuple[int, int]
    cross_validated_px: tuple[float, float]


def measure_lines(
    frame: DetectorFrame, guess: DispersionSolution, lines: ArcLines, search: LineSearch
) -> MeasuredLines:
    """Find how far the format has drifted and measure the lines that are not blended.

    Parameters
    ----------
    frame : DetectorFrame
        Arc frame through one or several pinholes, electrons.
    guess : DispersionSolution
        First guess, within `search.reach_px`, a tenth of a degree and 1e-3 in scale.
    lines : ArcLines
        Lines of the lamps that burn.
    search : LineSearch
        What is looked for.

    Raises
    ------
    NoArcLinesError
        If the frame does not show the lines.
    """
    images = line_images(lines, guess, search.fwhm_px[0])
    images = _on_detector(through_pinholes(images, guess, search.slit_arcsec), guess)
    drift = _drift(frame, images, search)
    clean = (images.blend_px < _BLEND_LIMIT_PX) & (images.strength >= search.faintest)
    images = images.select(clean)
    x, y = drift.apply(images.x, images.y)
    images = replace(images, x=x, y=y)
    spots = _spots(frame, images, guess, search)
    detected = spots.snr > search.min_snr
    detected &= np.hypot(spots.x - x, spots.y - y) < _WINDOW_PX
    detected &= _usual_width(spots)
    return MeasuredLines(images, spots, detected, drift)


def fit_lines(
    guess: DispersionSolution,
    measured: MeasuredLines,
    order_model: str,
    centre_degrees: Sequence[tuple[int, int]],
    slit_degrees: Sequence[tuple[int, int]] = (),
    kappa: float = 4.0,
) -> ChosenFit:
    """Fit the detected lines with the simplest sufficient degrees.

    Parameters
    ----------
    guess : DispersionSolution
        Supplies arm, shape and range of the orders.
    measured : MeasuredLines
        The lines.
    order_model : {'separate', 'echelle'}
        Whether orders have polynomials of their own or share a model.
    centre_degrees : sequence of (int, int)
        Degrees in wavelength and order to choose from, simplest first.
    slit_degrees : sequence of (int, int)
        Degrees of the terms linear, quadratic, ... in the slit position.
    kappa : float
        Rejection threshold in standard deviations.

    Raises
    ------
    FitError
        If there are too few lines for the simplest model.
    """
    sample = line_sample(measured, guess)
    best: ChosenFit | None = None
    for degree in centre_degrees:
        basis = _basis(guess, order_model, (degree, *slit_degrees))
        try:
            _check_orders(basis, sample, order_model)
            fit = fit_dispersion(guess, basis, sample, kappa)
        except FitError:
            if best is None:
                raise
            break
        kept = sample.select(best.fit.used if best else fit.used)
        rms = cross_validated_rms(guess, basis, kept)
        if best is None or sum(rms) < _WORTHWHILE * sum(best.cross_validated_px):
            best = ChosenFit(fit, degree, rms)
    return best


def pinhole_step_px(solution: DispersionSolution, slit_arcsec: Array) -> float:
    """Smallest distance of neighbouring pinholes on the detector, at the middle of an order."""
    _, _, x_slit, y_slit = solution.jacobian(solution.orders, solution.range_nm.mean(axis=1))
    scale = np.min(np.abs(solution.across(x_slit, y_slit)))
    return float(scale * np.min(np.diff(np.sort(slit_arcsec))))


def line_sample(measured: MeasuredLines, guess: DispersionSolution) -> LineSample:
    """Detected lines with errors that include those of the listed wavelengths."""
    images, spots = measured.images, measured.spots
    x_wave, y_wave, _, _ = guess.jacobian(images.order, images.wave_nm, images.slit_arcsec)
    sample = LineSample(
        order=images.order,
        wave_nm=images.wave_nm,
        slit_arcsec=images.slit_arcsec,
        line=images.line,
        x=spots.x,
        y=spots.y,
        x_error=np.hypot(spots.x_error, x_wave * images.sigma_nm),
        y_error=np.hypot(spots.y_error, y_wave * images.sigma_nm),
    )
    return sample.select(measured.detected)


def _on_detector(images: LineImages, guess: DispersionSolution) -> LineImages:
    rows, columns = guess.shape
    inside = (images.x > -0.5) & (images.x < columns - 0.5)
    return images.select(inside & (images.y > -0.5) & (images.y < rows - 0.5))


def _drift(frame: DetectorFrame, images: LineImages, search: LineSearch) -> Drift:
    bright = images.select(
        (images.strength >= search.bright) & (images.blend_px < _COARSE_BLEND_PX)
    )
    peaks = find_peaks(frame, _PEAK_SNR).brightest(int(_PEAKS_PER_LINE * len(bright.x)))
    if len(peaks.x) < _LEAST_PEAKS:
        raise NoArcLinesError(f"{len(peaks.x)} peaks, {len(bright.x)} lines expected")
    drift = find_drift(bright.x, bright.y, peaks, frame.shape, search.reach_px)
    if drift.excess < _LEAST_EXCESS or drift.matched < _LEAST_MATCHED:
        raise NoArcLinesError(
            f"{len(peaks.x)} peaks, but {100 * drift.matched:.0f} % of {len(bright.x)} lines "
            f"coincide with one, {drift.excess:.1f} times as many as by chance"
        )
    return drift


def _spots(
    frame: DetectorFrame, images: LineImages, guess: DispersionSolution, search: LineSearch
) -> Spots:
    """Fit the spots; beside other pinholes the stamps are narrow across dispersion."""
    many = len(search.slit_arcsec) > 1
    across = int(np.clip(pinhole_step_px(guess, search.slit_arcsec) // 2, 1, 2)) if many else 4
    half = (across, 4) if guess.dispersion_axis == "x" else (4, across)
    stamps = cut_stamps(frame, images.x, images.y, 1, half)
    spots = fit_spots(stamps)
    return fit_spots(without_neighbours(stamps, spots)) if many else spots


def _usual_width(spots: Spots) -> Mask:
    """Spots that are neither much narrower (cosmic rays) nor wider (blends) than most."""
    result = np.ones(len(spots.x), bool)
    for width in (spots.fwhm_x_px, spots.fwhm_y_px):
        middle = np.nanmedian(width) if np.isfinite(width).any() else np.nan
        result &= (width > 0.6 * middle) & (width < 1.6 * middle)
    return result


def _basis(
    guess: DispersionSolution, order_model: str, degrees: Sequence[tuple[int, int]]
) -> Basis:
    if order_model == "separate":
        return Basis.per_order(guess, [degree for degree, _ in degrees])
    return Basis.echelle(guess, degrees)


def _check_orders(basis: Basis, sample: LineSample, order_model: str) -> None:
    """Orders of their own model need lines of their own."""
    if order_model != "separate":
        return
    needed = 2 * basis.terms[0][0]
    for order in basis.orders:
        found = len(np.unique(sample.line[sample.order == order]))
        if found < needed:
            raise FitError(f"order {order}: {needed} lines needed, {found} found")
