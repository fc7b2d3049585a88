"""Whether light of other sources lies under an object, and its removal from the pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.algorithms.beam_pixels import OrderPixels
from soxs_recipes.algorithms.extraction import (
    ExtractionSettings,
    ObjectPixels,
    OrderFit,
    object_pixels,
)
from soxs_recipes.algorithms.light_beside import separate
from soxs_recipes.algorithms.object_model import ObjectModel
from soxs_recipes.algorithms.object_profile import moffat
from soxs_recipes.algorithms.object_search import SlitObject, StackedProfile
from soxs_recipes.algorithms.slit_scene import (
    SLOPE_ARCSEC,
    SlitProfiles,
    SlitScene,
    describe_slit,
)

Array = NDArray[np.float64]

# Distance up to which pixels tell the light beside an object.
_REACH_FWHM = 6.0
# Evidence a galaxy must bring, and the least light beside the object that matters, in its own.
_LEAST_GAIN, _LEAST_LIGHT = 40.0, 0.01


@dataclass(frozen=True)
class BeamLight:
    """Light along the slit in one beam.

    Attributes
    ----------
    profiles : SlitProfiles
        In ranges of wavelength.
    centre_arcsec : float
        Where the object is.
    """

    profiles: SlitProfiles
    centre_arcsec: float


def is_suspicious(
    profile: StackedProfile, found: SlitObject, neighbours_arcsec: Sequence[float]
) -> bool:
    """Whether the light of all beams together is more than a star, as far as that can be told."""
    known = np.isfinite(profile.flux)
    light = np.where(known, profile.flux, 0.0)[None]
    error = np.where(known, profile.error, np.inf)[None]
    one = SlitProfiles(np.ones(1), profile.offset_arcsec[None], light, error)
    beam = BeamLight(one, found.offset_arcsec)
    return survey([beam], found.fwhm_arcsec, (0.9, 1.1), neighbours_arcsec) is not None


def survey(
    beams: Sequence[BeamLight],
    fwhm_arcsec: float,
    range_nm: tuple[float, float],
    neighbours_arcsec: Sequence[float],
    forced: bool = False,
) -> list[SlitScene] | None:
    """Describe the light along the slit in every beam; None if the object is as good as alone.

    Parameters
    ----------
    beams : sequence of BeamLight
        The beams.
    fwhm_arcsec : float
        First guess of the width of the object.
    range_nm : tuple of float
        Wavelengths of the arm.
    neighbours_arcsec : sequence of float
        Distances of other objects from this one.
    forced : bool
        Whether the light beside the object is wanted however faint it is.
    """
    both: list[list[SlitScene]] = [[], []]
    for beam in beams:
        for with_galaxy in (False, True):
            both[with_galaxy].append(
                describe_slit(
                    beam.profiles,
                    beam.centre_arcsec,
                    fwhm_arcsec,
                    range_nm,
                    neighbours_arcsec,
                    with_galaxy,
                )
            )
    stars, galaxies = both
    # Where even the better description is wrong by more than the errors, so is the gain.
    gain = sum(
        (one.misfit - other.misfit) / max(1.0, other.reduced_misfit)
        for one, other in zip(stars, galaxies, strict=True)
    )
    has_galaxy = gain > _LEAST_GAIN
    chosen = galaxies if has_galaxy else stars
    if forced:
        return chosen
    beside = abs(float(np.mean([one.share_beside for one in chosen])))
    alone = not has_galaxy and not neighbours_arcsec
    return None if alone or beside < _LEAST_LIGHT else chosen


def scene_model(scene: SlitScene, start: ObjectModel) -> ObjectModel:
    """First guess with trace and profile of the object of a scene."""
    return replace(
        start, trace=scene.trace, shapes=dict.fromkeys(start.shapes, moffat(scene.power))
    )


def separate_orders(
    pixels: Sequence[OrderPixels],
    sign: int,
    model: ObjectModel,
    scene: SlitScene,
    extraction: ExtractionSettings,
) -> list[OrderFit]:
    """Fit the object of a scene together with all other light, order by order."""
    fits = []
    for one in pixels:
        centre, fwhm = model.trace.at(one.order, one.wave_nm)
        shape = model.shapes[one.order]
        near = object_pixels(one, sign, centre, fwhm, shape, _REACH_FWHM)
        terms = _terms(near, model, scene, float(np.median(fwhm)))
        fits.append(separate(near, terms, model.photon_factor, extraction.kappa))
    return fits


def without_beside(fits: Sequence[OrderFit], sign: int) -> tuple[OrderPixels, ...]:
    """Pixels of all orders less the light beside the object."""
    return tuple(_without(fit, sign) for fit in fits)


def with_values(
    pixels: Sequence[OrderPixels], whole: Sequence[OrderPixels]
) -> tuple[OrderPixels, ...]:
    """Pixels with the values of others, all light in them."""
    pairs = zip(pixels, whole, strict=True)
    return tuple(replace(one, value=other.value) for one, other in pairs)


def _terms(
    near: ObjectPixels, model: ObjectModel, scene: SlitScene, fwhm_arcsec: float
) -> list[NDArray]:
    """What the pixels collect of neighbours, the galaxy, and a straight line along the slit."""
    shape = model.shapes[near.pixels.order]
    distance = near.x * near.fwhm_arcsec
    terms = [
        near.area * shape((distance - apart) / near.fwhm_arcsec) / near.fwhm_arcsec
        for apart in scene.neighbours_arcsec
    ]
    if scene.galaxy is not None:
        terms.append(near.area * scene.extended(fwhm_arcsec)(distance))
    return [*terms, near.area, near.area * distance / SLOPE_ARCSEC]


def _without(fit: OrderFit, sign: int) -> OrderPixels:
    pixels, columns = fit.near.pixels, fit.near.columns
    value, variance = pixels.value.copy(), pixels.measured_variance.copy()
    light = fit.beside.light
    value[:, columns] -= sign * light
    variance[:, columns] -= np.minimum(np.maximum(light, 0), 0.9 * variance[:, columns])
    return replace(pixels, value=value, measured_variance=variance)
