"""Optimal extraction (Horne 1986, PASP 98, 609) of one order, in detector coordinates.

Nothing is resampled: every pixel is compared with the profile times the spectrum at its own
wavelength, so that tilted lines stay as sharp as the detector saw them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.algorithms.beam_pixels import OrderPixels, nearest_bins
from soxs_recipes.algorithms.extraction_quality import CORE_FWHM, REACH_FWHM, bin_quality
from soxs_recipes.algorithms.object_profile import ProfileShape
from soxs_recipes.algorithms.quality import QualityArray
from soxs_recipes.algorithms.spectrum_spline import SplineDesign, SplineEquations, SplineSpectrum

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Model errors allowed for when outliers are sought, relative to the object's signal.
_FIRST_TOLERANCE, _TOLERANCE = 0.3, 0.05
_ROUNDS = 4
# Of the variance of a sky with knots 0.7 pixel apart this share is left in the mean of a bin.
_SKY_ERROR_SHARE = 0.65
# Pixels that were taken for cosmic rays are left out from this share of the usual limit on.
_SUSPECT_SHARE = 0.6
_BINOMIAL = np.array([1, 4, 6, 4, 1]) / 16
# Pixels beside a strong outlier are left out from this on.
_STRONG, _BESIDE_SIGMA = 2.0, 2.5


@dataclass(frozen=True)
class ExtractionSettings:
    """How orders are extracted.

    Attributes
    ----------
    kappa : float
        Pixels that differ from profile times spectrum by more SDs are left out.
    boxcar_fwhm : float
        Half of the plain sum's aperture, in FWHM of the object.
    """

    kappa: float = 5.0
    boxcar_fwhm: float = 1.5


@dataclass(frozen=True)
class ObjectPixels:
    """Pixels around an object in one order, arranged by bins as in `BinnedPixels`.

    Attributes
    ----------
    pixels : OrderPixels
        The order.
    design : SplineDesign
        Which of its pixels they are, and splines of the spectrum there.
    x : ndarray
        Distance from the object along the slit, in FWHM.
    fwhm_arcsec : ndarray
        FWHM at the wavelength of each pixel.
    response : ndarray
        What a pixel collects of the spectrum.
    value, variance : ndarray
        Signal, positive for the object, and its variance without the object's photon noise.
    usable : ndarray of bool
        Pixels near enough and without fault.
    suspect : ndarray of bool
        Those of them that were taken for cosmic rays before the profile was known.
    """

    pixels: OrderPixels
    design: SplineDesign
    x: NDArray
    fwhm_arcsec: NDArray
    response: NDArray
    value: NDArray
    variance: NDArray
    usable: Mask
    suspect: Mask

    @cached_property
    def area(self) -> NDArray:
        """Size of a pixel, bins times arcsec."""
        return self.taken(self.pixels.area)

    def taken(self, plane: NDArray) -> NDArray:
        """Values of a plane of the order."""
        return self.design.pixels.arranged(plane)

    def plane(self, values: NDArray, otherwise: float = 0.0) -> NDArray:
        """Values as a plane of the order, with another value elsewhere."""
        return self.design.pixels.plane(values, otherwise)

    def at(self, values: Array) -> Array:
        """Values at the bins, linearly interpolated."""
        return self.design.pixels.at(values)

    def summed(self, values: NDArray) -> Array:
        """Sum over the pixels nearest to each bin."""
        return self.design.pixels.summed(np.where(self.design.pixels.filled, values, 0.0))

    def fit(self, variance: NDArray, keep: Mask, errors: bool = False) -> SplineSpectrum:
        """Fit a spectrum to the kept pixels by inverse variance."""
        equations = self.equations(variance, keep)
        spectrum = equations.spectrum(self.value)
        return equations.with_errors(spectrum) if errors else spectrum

    def equations(self, variance: NDArray, keep: Mask) -> SplineEquations:
        """Equations of the kept pixels weighted by inverse variance."""
        weight = np.where(keep, 1 / variance, 0.0)
        return SplineEquations.of(self.design, self.response, weight)

    def level(self, spectrum: SplineSpectrum) -> NDArray:
        """Spectrum at the pixels."""
        return self.design.at(spectrum.coef)


@dataclass(frozen=True)
class LightBeside:
    """Light that is not the object's, fitted together with it.

    Attributes
    ----------
    light : ndarray
        Electrons in the pixels.
    cost : ndarray, shape (bins,)
        Variance of the object's spectrum over what it would be if the light were known.
    sums_cost : float
        The same for sums of 20 bins, relative to that of bins.
    """

    light: NDArray
    cost: Array
    sums_cost: float


@dataclass(frozen=True)
class OrderFit:
    """An object's spectrum in one order and which pixels it rests on.

    Attributes
    ----------
    near : ObjectPixels
        The pixels, free of light beside the object.
    spectrum : SplineSpectrum
        The spectrum.
    variance : ndarray
        Variance of the pixels.
    keep : ndarray of bool
        Pixels it rests on.
    beside : LightBeside or None
        Light beside the object that was taken out of the pixels.
    """

    near: ObjectPixels
    spectrum: SplineSpectrum
    variance: NDArray
    keep: Mask
    beside: LightBeside | None = None


@dataclass(frozen=True)
class OrderSpectrum:
    """Extracted spectrum of one order of one beam; arrays have one entry per bin.

    Attributes
    ----------
    flux, variance : ndarray
        Electrons of the object and their variance.
    boxcar, boxcar_variance : ndarray
        The same as a plain sum.
    sky, sky_variance : ndarray
        Electrons of sky that the same weights collect, and what the error of the sky adds to the
        variance of the flux (it is contained in `variance`); NaN without a sky frame.
    background : ndarray
        Electrons of light beside the object that the same weights collect; it is not in the flux.
    quality : ndarray of uint16
        Bits.
    covariance_factor : float
        Variance of sums of 20 bins over the sum of their variances.
    rejected : float
        Fraction of usable pixels left out as outliers.
    """

    flux: Array
    variance: Array
    boxcar: Array
    boxcar_variance: Array
    sky: Array
    sky_variance: Array
    background: Array
    quality: QualityArray
    covariance_factor: float
    rejected: float


def object_pixels(
    pixels: OrderPixels,
    sign: int,
    centre_arcsec: Array,
    fwhm_arcsec: Array,
    shape: ProfileShape,
    reach_fwhm: float = REACH_FWHM,
) -> ObjectPixels:
    """Pixels around an object, and what they collect of its spectrum.

    Parameters
    ----------
    pixels : OrderPixels
        The order.
    sign : int
        -1 if the frame holds the object negative.
    centre_arcsec, fwhm_arcsec : ndarray, shape (bins,)
        Trace at the bins.
    shape : ProfileShape
        Profile in units of the FWHM.
    reach_fwhm : float
        Distance up to which pixels are used.
    """
    every = pixels.by_bins
    slit = every.arranged(pixels.slit_arcsec)
    inside = np.abs(slit - centre_arcsec) < 1.1 * reach_fwhm * fwhm_arcsec
    seen = np.flatnonzero((inside & every.filled).any(axis=1))
    slots = slice(seen[0], seen[-1] + 1) if seen.size else slice(0, 1)
    near = every.part(slots)
    fwhm, suspect = near.at(fwhm_arcsec), near.arranged(pixels.suspect)
    x = (slit[slots] - near.at(centre_arcsec)) / fwhm
    usable = (near.arranged(pixels.usable) | suspect) & near.filled
    return ObjectPixels(
        pixels,
        SplineDesign(near),
        x,
        fwhm,
        near.arranged(pixels.area) * shape(x) / fwhm,
        sign * near.arranged(pixels.value),
        near.arranged(pixels.variance),
        usable & (np.abs(x) < reach_fwhm),
        suspect,
    )


def fit_order(
    near: ObjectPixels,
    photon_factor: float,
    settings: ExtractionSettings,
    guess: Array | None = None,
    rounds: int = _ROUNDS,
) -> OrderFit:
    """Fit the spectrum of an object to its pixels; outliers are left out, errors not computed.

    Parameters
    ----------
    near : ObjectPixels
        The pixels.
    photon_factor : float
        Variance of the photon noise per electron.
    settings : ExtractionSettings
        See there.
    guess : ndarray, shape (bins,), optional
        Spectrum by which outliers are first told; a median over pixels unless given.
    rounds : int
        Largest number of fits after the first.
    """
    tolerance = _FIRST_TOLERANCE if guess is None else _TOLERANCE
    flux = _first_guess(near) if guess is None else guess
    variance = _variance(near, flux, photon_factor)
    level = near.at(flux)
    keep = near.usable & ~outliers(near, near.response * level, variance, settings.kappa, tolerance)
    spectrum = near.fit(variance, keep)
    for _ in range(rounds):
        variance = _variance(near, spectrum.flux, photon_factor)
        previous, model = keep, near.response * near.level(spectrum)
        keep = near.usable & ~outliers(near, model, variance, settings.kappa)
        spectrum = near.fit(variance, keep)
        if np.array_equal(keep, previous):
            break
    return OrderFit(near, spectrum, variance, keep)


def outliers(
    near: ObjectPixels,
    model: NDArray,
    variance: NDArray,
    kappa: float,
    tolerance: float = _TOLERANCE,
) -> Mask:
    """Pixels that noise and the inaccuracy of a model do not explain.

    Parameters
    ----------
    near : ObjectPixels
        The pixels.
    model, variance : ndarray
        Electrons that are expected in them, and their variance.
    kappa : float
        SDs from which a pixel is an outlier.
    tolerance : float
        Share of the model that may be wrong.
    """
    square = (near.value - model) ** 2 / (variance + (tolerance * model) ** 2)
    square[near.suspect] /= _SUSPECT_SHARE**2
    found = square > kappa**2
    strong = near.usable & (square > (_STRONG * kappa) ** 2)
    if strong.any():
        found |= near.design.pixels.beside(strong) & (square > _BESIDE_SIGMA**2)
    return found


def extract_order(fit: OrderFit, shape_share: Array, settings: ExtractionSettings) -> OrderSpectrum:
    """Spectrum with errors, the plain sum and the sky under it.

    Parameters
    ----------
    fit : OrderFit
        The converged fit.
    shape_share : ndarray, shape (bins,)
        Share of the profile that lies on the slit: spectra are of the light on the slit.
    settings : ExtractionSettings
        See there.
    """
    near, beside = fit.near, fit.beside
    equations, best = near.equations(fit.variance, fit.keep), fit.spectrum
    best = best if best.has_errors else equations.with_errors(best)
    plain = _boxcar(fit, settings)
    sky, sky_variance = _sky(near, equations)
    added, background, factor = np.nan_to_num(sky_variance), np.zeros(len(sky)), 1.0
    if beside is not None:
        added += best.variance * (beside.cost - 1)
        background = equations.spectrum(beside.light).flux
        factor = beside.sums_cost
    return OrderSpectrum(
        best.flux * shape_share,
        (best.variance + added) * shape_share**2,
        plain.flux * shape_share,
        (plain.variance + added) * shape_share**2,
        sky * shape_share,
        sky_variance * shape_share**2,
        background * shape_share,
        bin_quality(near, fit.variance, fit.keep),
        best.covariance_factor * factor,
        1 - np.count_nonzero(fit.keep) / max(np.count_nonzero(near.usable), 1),
    )


def _variance(near: ObjectPixels, flux: Array, photon_factor: float) -> NDArray:
    """Variance with the object's photon noise.

    The spectrum is smoothed: where weights follow its noise, high values weigh less than low ones.
    """
    smooth = np.maximum(np.convolve(flux, _BINOMIAL, mode="same"), 0)
    return near.variance + photon_factor * near.response * near.at(smooth)


def _first_guess(near: ObjectPixels) -> Array:
    """Median over the pixels of each bin that see most of the object."""
    core = near.usable & (np.abs(near.x) < CORE_FWHM) & (near.response > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(core, near.value / near.response, np.nan)
    plane = near.plane(ratio, np.nan)
    columns = np.isfinite(plane).any(axis=0)
    ordered = np.sort(*nearest_bins(near.pixels.place[:, columns], plane[:, columns]), axis=1)
    known = np.isfinite(ordered).sum(axis=1)
    row = np.arange(len(ordered))
    if not (known > 0).any():
        return np.zeros(len(ordered))
    low = ordered[row, np.maximum((known - 1) // 2, 0)]
    high = ordered[row, np.minimum(known // 2, ordered.shape[1] - 1)]
    level = np.where(known > 0, (low + high) / 2, np.nan)
    return np.interp(row, row[known > 0], level[known > 0])


def _boxcar(fit: OrderFit, settings: ExtractionSettings) -> SplineSpectrum:
    """Plain sum: with weights in inverse proportion to the response every pixel counts the same."""
    near = fit.near
    keep = fit.keep & (np.abs(near.x) < settings.boxcar_fwhm) & (near.response > 0)
    weight = np.where(keep, 1 / np.where(keep, near.response, 1.0), 0.0)
    equations = SplineEquations.of(near.design, near.response, weight)
    return equations.with_errors(equations.spectrum(near.value), fit.variance)


def _sky(near: ObjectPixels, equations: SplineEquations) -> tuple[Array, Array]:
    """Sky that the weights collect, and the variance its error causes.

    The error of a sky model is the same for all pixels of a bin, so that it adds up where that of
    the pixels averages out. Knots of the sky are closer than bins, which average over them.
    """
    count = near.pixels.count
    if near.pixels.sky is None or near.pixels.sky_error is None:
        return np.full(count, np.nan), np.zeros(count)
    planes = (near.taken(near.pixels.sky), near.taken(near.pixels.sky_error))
    sky, error = (equations.spectrum(plane).flux for plane in planes)
    return sky, _SKY_ERROR_SHARE * error**2
