"""From sky-subtracted exposures to the spectra of the objects on the slit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.algorithms.beam_combination import BeamSpectra, combine_beams
from soxs_recipes.algorithms.beam_pixels import (
    Beam,
    Exposure,
    ExposurePixels,
    MasterNoise,
    StoredExposure,
)
from soxs_recipes.algorithms.dispersion import DispersionSolution
from soxs_recipes.algorithms.extraction import (
    ExtractionSettings,
    OrderFit,
    OrderSpectrum,
    extract_order,
)
from soxs_recipes.algorithms.object_model import (
    ModelSettings,
    ObjectModel,
    fit_model,
    fit_orders,
)
from soxs_recipes.algorithms.object_profile import moffat
from soxs_recipes.algorithms.object_search import (
    BeamView,
    SlitObject,
    StackedProfile,
    find_objects,
    stacked_profile,
)
from soxs_recipes.algorithms.object_surroundings import (
    BeamLight,
    is_suspicious,
    scene_model,
    separate_orders,
    survey,
    with_blends,
    with_values,
    without_beside,
)
from soxs_recipes.algorithms.object_trace import CurveFit, Trace, constant_trace
from soxs_recipes.algorithms.order_spectra import OrderSpectra
from soxs_recipes.algorithms.parallel import in_parallel
from soxs_recipes.algorithms.quality import Quality
from soxs_recipes.algorithms.shared_noise import SharedNoise, shared_noise
from soxs_recipes.algorithms.slit_profiles import slit_profiles
from soxs_recipes.algorithms.slit_scene import SlitScene

Array = NDArray[np.float64]

TRACEABLE_SNR = 25.0
"""Signal-to-noise ratio of a beam from which its trace, width and profile are measured."""
_CENTRED_SNR = 8.0
_USUAL_BETA = 3.0
# Pixels beyond the ends of the slit are not looked at.
_MARGIN_ARCSEC = 0.5


@dataclass(frozen=True)
class ObjectSettings:
    """How objects are sought and extracted.

    Attributes
    ----------
    limits_arcsec : tuple of float
        Ends of the slit.
    detection_sigma : float
        Significance of a detection.
    trace_degree : int
        Highest degree of the trace in the logarithm of wavelength.
    guide : Trace or None
        Trace of another object, whose shape is used where this one is too faint for its own.
    slit_width_arcsec : float
        Width of the slit.
    background : str
        Whether light of neighbours and of a galaxy under the object is fitted with it: auto where
        there is some, yes or no.
    extraction : ExtractionSettings
        How orders are extracted.
    """

    limits_arcsec: tuple[float, float]
    detection_sigma: float = 5.0
    trace_degree: int = 4
    guide: Trace | None = None
    slit_width_arcsec: float = 1.0
    background: str = "auto"
    extraction: ExtractionSettings = field(default_factory=ExtractionSettings)


@dataclass(frozen=True)
class SlitView:
    """Pixels of all exposures, and the objects they show.

    Attributes
    ----------
    solution : DispersionSolution
        Of the first exposure, flexure included.
    beams : list of (int, Beam)
        Every beam with the number of its exposure.
    pixels : ExposurePixels
        Pixels of each exposure, by order.
    profile : StackedProfile
        Light along the slit, where objects should be at 0.
    objects : list of SlitObject
        Objects, the brightest first.
    """

    solution: DispersionSolution
    beams: list[tuple[int, Beam]]
    pixels: ExposurePixels
    profile: StackedProfile
    objects: list[SlitObject]

    @property
    def origin_arcsec(self) -> float:
        """Slit position of what is at 0 in the profile, in the first positive beam."""
        return next(_expected(beam) for _, beam in self.beams if beam.sign > 0)

    @property
    def range_nm(self) -> tuple[float, float]:
        """Wavelengths of all orders."""
        waves = [one.wave_nm for one in self.pixels[0]]
        return float(min(w.min() for w in waves)), float(max(w.max() for w in waves))


@dataclass(frozen=True)
class BeamResult:
    """What was found of an object in one beam.

    Attributes
    ----------
    model : ObjectModel
        Trace and profile.
    centres : CurveFit or None
        Fit of the trace; None where it was given.
    spectra : BeamSpectra
        The extracted orders.
    slit_share : float
        Median share of the profile that lies on the slit.
    scene : SlitScene or None
        What lies beside the object; None where it is alone.
    """

    model: ObjectModel
    centres: CurveFit | None
    spectra: BeamSpectra
    slit_share: float
    scene: SlitScene | None = None


@dataclass(frozen=True)
class ExtractedObject:
    """Spectrum of an object.

    Attributes
    ----------
    found : SlitObject
        The object.
    spectra : OrderSpectra
        Its orders; blaze is NaN.
    beams : tuple of BeamResult
        What it was combined from.
    levels : ndarray
        Level of each beam relative to their mean.
    traced : bool
        Whether its own trace was measured.
    rejected : float
        Fraction of pixels left out as outliers.
    """

    found: SlitObject
    spectra: OrderSpectra
    beams: tuple[BeamResult, ...]
    levels: Array
    traced: bool
    rejected: float

    @property
    def level_error(self) -> float:
        """Relative error of all bins in common that the light beside the object brings."""
        errors = [0.0 if one.scene is None else one.scene.level_error for one in self.beams]
        return float(np.sqrt(np.mean(np.square(errors))))


def look(exposures: Sequence[Exposure | StoredExposure], settings: ObjectSettings) -> SlitView:
    """Find the objects on the slit in the pixels of exposures.

    Beams are stacked by where the header says the target is, so that an object too faint for one
    exposure is found in all of them together.

    Parameters
    ----------
    exposures : sequence of Exposure or StoredExposure
        The frames.
    settings : ObjectSettings
        See there.
    """
    low, high = settings.limits_arcsec
    pixels = ExposurePixels(exposures, (low - _MARGIN_ARCSEC, high + _MARGIN_ARCSEC))
    beams = [(k, beam) for k, exposure in enumerate(exposures) for beam in exposure.beams]
    views = [
        BeamView(pixels.later(k), beam.sign, _expected(beam), _others(beams, k, beam))
        for k, beam in beams
    ]
    profile = stacked_profile(views, settings.limits_arcsec)
    objects = find_objects(profile, settings.detection_sigma)
    objects = with_blends(profile, objects, settings.slit_width_arcsec)
    return SlitView(pixels.solution, beams, pixels, profile, objects)


def extract_object(view: SlitView, found: SlitObject, settings: ObjectSettings) -> ExtractedObject:
    """Extract an object from every beam and combine the spectra.

    Parameters
    ----------
    view : SlitView
        The exposures.
    found : SlitObject
        The object; one of S/N 0 is extracted where it is said to be.
    settings : ObjectSettings
        See there.
    """
    snr = found.snr / np.sqrt(len(view.beams))
    scenes = _scenes(view, found, settings) or [None] * len(view.beams)

    def extracted(place: tuple[int, Beam], scene: SlitScene | None) -> BeamResult:
        return _beam(view, *place, found, snr, settings, scene)

    beams = tuple(in_parallel(extracted, view.beams, scenes))
    orders, levels = combine_beams([beam.spectra for beam in beams])
    rejected = float(np.mean([one.rejected for one in orders.values()]))
    spectra = _long_form(view, orders, float(np.mean([b.spectra.exptime_s for b in beams])))
    return ExtractedObject(found, spectra, beams, levels, snr >= TRACEABLE_SNR, rejected)


def _expected(beam: Beam) -> float:
    return beam.slit_arcsec if np.isfinite(beam.slit_arcsec) else 0.0


def _others(beams: Sequence[tuple[int, Beam]], exposure: int, beam: Beam) -> tuple[float, ...]:
    """Where the same exposure holds the object with the other sign."""
    return tuple(_expected(one) for k, one in beams if k == exposure and one.sign != beam.sign)


def _scenes(view: SlitView, found: SlitObject, settings: ObjectSettings) -> list[SlitScene] | None:
    """What lies beside the object in each beam; None if it is as good as alone."""
    if settings.background == "no":
        return None
    others = [one.offset_arcsec - found.offset_arcsec for one in view.objects if one != found]
    forced = settings.background == "yes"
    width = settings.slit_width_arcsec
    # In a difference, what two images of the object leave between them looks like a galaxy.
    is_difference = any(_others(view.beams, k, beam) for k, beam in view.beams)
    alone = is_difference or not is_suspicious(view.profile, found, width, others)
    if alone and not forced:
        return None
    limits = settings.limits_arcsec
    beams = [
        BeamLight(
            slit_profiles(view.pixels[k], beam.sign, limits, _others(view.beams, k, beam)),
            _expected(beam) + found.offset_arcsec,
        )
        for k, beam in view.beams
    ]
    return survey(beams, found.fwhm_arcsec, view.range_nm, width, others, forced)


def _beam(
    view: SlitView,
    exposure: int,
    beam: Beam,
    found: SlitObject,
    snr: float,
    settings: ObjectSettings,
    scene: SlitScene | None,
) -> BeamResult:
    """Fit the model of one beam and extract its orders."""
    pixels, sign = view.pixels[exposure], beam.sign
    start = _start(view, _expected(beam) + found.offset_arcsec, found.fwhm_arcsec, settings, snr)
    if scene is not None:
        start = scene_model(scene, start)
        beside = separate_orders(pixels, sign, start, scene, settings.extraction, errors=False)
        pixels = without_beside(beside, sign)
    traceable = snr >= TRACEABLE_SNR
    degree = settings.trace_degree if traceable else 0 if snr >= _CENTRED_SNR else -1
    how = ModelSettings(view.range_nm, degree, traceable, snr)
    fit = fit_model(pixels, sign, start, how, settings.extraction)
    if scene is None:
        fits = fit_orders(fit.pixels, sign, fit.model, settings.extraction, fit.fits)
    else:
        whole = with_values(fit.pixels, view.pixels[exposure])
        fits = separate_orders(whole, sign, fit.model, scene, settings.extraction)
    orders, shared, share = _extract(fits, fit.model, beam.masters, settings)
    spectra = BeamSpectra(orders, beam.exptime_s, shared, (exposure, sign))
    return BeamResult(fit.model, fit.centres, spectra, share, scene)


def _start(
    view: SlitView, slit_arcsec: float, fwhm_arcsec: float, settings: ObjectSettings, snr: float
) -> ObjectModel:
    """First guess: the object at one slit position, or along the trace of another object."""
    trace = constant_trace(slit_arcsec, fwhm_arcsec, view.range_nm)
    if settings.guide is not None and snr < TRACEABLE_SNR:
        guide = settings.guide.centre
        middle = float(np.median([guide(p.order, p.wave_nm).mean() for p in view.pixels[0]]))
        trace = Trace(guide.moved(slit_arcsec - middle), trace.log_fwhm)
    return ObjectModel(trace, {one.order: moffat(_USUAL_BETA) for one in view.pixels[0]})


def _extract(
    fits: Iterable[OrderFit], model: ObjectModel, masters: MasterNoise, settings: ObjectSettings
) -> tuple[dict[int, OrderSpectrum], dict[int, SharedNoise], float]:
    """Spectra of all orders, their noise from master frames, the profile's share on the slit.

    The fits are taken one by one, for each holds many times more than its spectrum.
    """
    orders, shared, shares = {}, {}, []
    for fit in fits:
        pixels = fit.near.pixels
        share = _slit_share(model, fit, settings.limits_arcsec)
        orders[pixels.order] = extract_order(fit, share, settings.extraction)
        trace = model.trace.at(pixels.order, pixels.wave_nm)
        shared[pixels.order] = shared_noise(fit, *trace, masters)
        shares.append(float(np.median(share)))
    return orders, shared, float(np.median(shares))


def _slit_share(model: ObjectModel, fit: OrderFit, limits_arcsec: tuple[float, float]) -> Array:
    pixels = fit.near.pixels
    centre, fwhm = model.trace.at(pixels.order, pixels.wave_nm)
    low, high = ((limit - centre) / fwhm for limit in limits_arcsec)
    return model.shapes[pixels.order].share(low, high)


def _long_form(view: SlitView, orders: dict[int, OrderSpectrum], exptime_s: float) -> OrderSpectra:
    """All orders one after the other, each sorted by wavelength."""
    columns: dict[str, list[NDArray]] = {}
    solution = view.solution
    for pixels in view.pixels[0]:
        one, rising = orders[pixels.order], np.argsort(pixels.wave_nm)
        beyond = solution.extrapolated(pixels.order, pixels.wave_nm)
        bit = np.where(beyond, np.uint16(Quality.EXTRAPOLATED), np.uint16(0))
        values = {
            "order": np.full(pixels.count, pixels.order),
            "wave_nm": pixels.wave_nm,
            "width_nm": pixels.width_nm,
            "flux_e": one.flux,
            "error_e": np.sqrt(one.variance),
            "quality": one.quality | bit,
            "sky_e": one.sky,
            "background_e": one.background,
            "boxcar_e": one.boxcar,
            "boxcar_error_e": np.sqrt(one.boxcar_variance),
            "blaze": np.full(pixels.count, np.nan),
        }
        for name, value in values.items():
            columns.setdefault(name, []).append(value[rising])
    factors = {order: one.covariance_factor for order, one in orders.items()}
    joined = {name: np.concatenate(parts) for name, parts in columns.items()}
    return OrderSpectra(**joined, covariance=factors, exptime_s=exptime_s)
