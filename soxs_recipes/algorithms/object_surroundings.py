"""Whether light of other sources lies under an object, and its removal from the pixels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
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
from soxs_recipes.algorithms.object_search import SlitObject, StackedProfile
from soxs_recipes.algorithms.parallel import in_parallel
from soxs_recipes.algorithms.slit_profiles import SlitProfiles
from soxs_recipes.algorithms.slit_scene import (
    SLOPE_ARCSEC,
    SlitScene,
    describe_slit,
    with_galaxy,
    with_level_error,
)

Array = NDArray[np.float64]

# Distance up to which pixels tell the light beside an object.
_REACH_FWHM = 6.0
# Evidence a galaxy must bring, and the least light beside the object that matters, in its own.
_LEAST_GAIN, _LEAST_LIGHT, _LEAST_GALAXY = 40.0, 0.01, 0.05
# Objects are sought in the wings of one that is as bright as this, at these distances.
_BLEND_SNR, _BLEND_FWHM = 25.0, (1.2, 4.0)
_NARROW_NM = (900.0, 1100.0)


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


def with_blends(
    profile: StackedProfile, objects: Sequence[SlitObject], slit_width_arcsec: float
) -> list[SlitObject]:
    """Objects and those that hide in the wings of the brightest, on one side of it.

    One is told from a galaxy, which is wider, by the better description of the light.
    """
    known = list(objects)
    if not known or known[0].snr < _BLEND_SNR:
        return known
    first = known[0]
    place = _one_sided(profile, first)
    apart = [one.offset_arcsec - first.offset_arcsec for one in known[1:]]
    if place is None or any(abs(place - one) < first.fwhm_arcsec for one in apart):
        return known
    light, guess = _all_light(profile), (first.offset_arcsec, first.fwhm_arcsec)
    how = (_NARROW_NM, slit_width_arcsec)
    plain = describe_slit(light, *guess, *how, apart)
    blend = describe_slit(light, *guess, *how, [*apart, place])
    gain = plain.misfit - blend.misfit
    share = blend.levels[-1] / max(blend.levels[0], 1e-30)
    if gain < _LEAST_GAIN or share < _LEAST_LIGHT:
        return known
    if blend.misfit - with_galaxy(light, plain).misfit > _LEAST_GAIN:
        return known
    offset = first.offset_arcsec + blend.neighbours_arcsec[-1]
    found = SlitObject(offset, blend.levels[-1], float(np.sqrt(gain)), first.fwhm_arcsec)
    return sorted([*known, found], key=lambda one: -one.flux)


def is_suspicious(
    profile: StackedProfile,
    found: SlitObject,
    slit_width_arcsec: float,
    neighbours_arcsec: Sequence[float],
) -> bool:
    """Whether the light of all beams together is more than a star, as far as that can be told."""
    beam = BeamLight(_all_light(profile), found.offset_arcsec)
    how = (found.fwhm_arcsec, _NARROW_NM, slit_width_arcsec, neighbours_arcsec)
    return survey([beam], *how) is not None


def _all_light(profile: StackedProfile) -> SlitProfiles:
    known = np.isfinite(profile.flux)
    light = np.where(known, profile.flux, 0.0)[None]
    error = np.where(known, profile.error, np.inf)[None]
    middle = np.array([float(np.mean(_NARROW_NM))])
    return SlitProfiles(middle, profile.offset_arcsec[None], light, error, 0 * light)


def _one_sided(profile: StackedProfile, found: SlitObject) -> float | None:
    """Distance of the highest light that has no counterpart on the other side of an object."""
    distance = profile.offset_arcsec - found.offset_arcsec
    known = np.isfinite(profile.flux)
    light, error = np.nan_to_num(profile.flux), np.nan_to_num(profile.error)
    other = np.interp(-distance, distance[known], light[known], left=np.nan, right=np.nan)
    excess = np.where(known & np.isfinite(other), light - np.nan_to_num(other), 0.0)
    low, high = (factor * found.fwhm_arcsec for factor in _BLEND_FWHM)
    excess[(np.abs(distance) < low) | (np.abs(distance) > high)] = 0.0
    top = int(np.argmax(excess))
    floor = _LEAST_LIGHT * light[np.argmin(np.abs(distance))]
    return float(distance[top]) if excess[top] > max(5 * error[top], floor) else None


def survey(
    beams: Sequence[BeamLight],
    fwhm_arcsec: float,
    range_nm: tuple[float, float],
    slit_width_arcsec: float,
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
    slit_width_arcsec : float
        Width of the slit.
    neighbours_arcsec : sequence of float
        Distances of other objects from this one.
    forced : bool
        Whether the light beside the object is wanted however faint it is.
    """
    how = (fwhm_arcsec, range_nm, slit_width_arcsec, neighbours_arcsec)

    def described(beam: BeamLight) -> tuple[SlitScene, SlitScene]:
        stars = describe_slit(beam.profiles, beam.centre_arcsec, *how)
        return stars, with_galaxy(beam.profiles, stars)

    stars, galaxies = map(list, zip(*in_parallel(described, beams), strict=True))
    # Where even the better description is wrong by more than the errors, so is the gain.
    gain = sum(
        (one.misfit - other.misfit) / max(1.0, other.reduced_misfit)
        for one, other in zip(stars, galaxies, strict=True)
    )
    chosen = galaxies if gain > _LEAST_GAIN else stars
    if forced:
        return _with_errors(beams, chosen)
    # What a star's profile misses of a bright star is no galaxy.
    if np.mean([one.share_galaxy for one in galaxies]) < _LEAST_GALAXY:
        chosen = stars
    # The sky may have taken all of it at one place of the object and none at another.
    beside = max(abs(one.share_beside) for one in chosen)
    alone = chosen is stars and not neighbours_arcsec
    return None if alone or beside < _LEAST_LIGHT else _with_errors(beams, chosen)


def _with_errors(beams: Sequence[BeamLight], scenes: Sequence[SlitScene]) -> list[SlitScene]:
    pairs = zip(beams, scenes, strict=True)
    return [with_level_error(beam.profiles, scene) for beam, scene in pairs]


def scene_model(scene: SlitScene, start: ObjectModel) -> ObjectModel:
    """First guess with trace and profile of the object of a scene."""
    return replace(start, trace=scene.trace, shapes=dict.fromkeys(start.shapes, scene.shape))


def separate_orders(
    pixels: Sequence[OrderPixels],
    sign: int,
    model: ObjectModel,
    scene: SlitScene,
    extraction: ExtractionSettings,
    errors: bool = True,
) -> Iterator[OrderFit]:
    """Fits of the object of a scene together with all other light, one order at a time."""
    for one in pixels:
        centre, fwhm = model.trace.at(one.order, one.wave_nm)
        shape = model.shapes[one.order]
        near = object_pixels(one, sign, centre, fwhm, shape, _REACH_FWHM)
        terms = _terms(near, scene)
        yield separate(near, terms, model.photon_factor, extraction.kappa, errors)


def without_beside(fits: Iterable[OrderFit], sign: int) -> tuple[OrderPixels, ...]:
    """Pixels of all orders less the light beside the object."""
    return tuple(_without(fit, sign) for fit in fits)


def with_values(
    pixels: Sequence[OrderPixels], whole: Sequence[OrderPixels]
) -> tuple[OrderPixels, ...]:
    """Pixels with the values of others, all light in them."""
    pairs = zip(pixels, whole, strict=True)
    return tuple(replace(one, value=other.value) for one, other in pairs)


def _terms(near: ObjectPixels, scene: SlitScene) -> list[NDArray]:
    """What the pixels collect of neighbours, the galaxy, and a straight line along the slit."""
    distance = near.x * near.fwhm_arcsec
    _, seeing = scene.disc.at(near.pixels.order, np.median(near.pixels.wave_nm))
    stars = [scene.star(distance - apart, seeing) for apart in scene.neighbours_arcsec]
    galaxies = [] if scene.galaxy is None else [_galaxy(scene, distance, seeing)]
    line = [np.ones_like(distance), distance / SLOPE_ARCSEC]
    return [near.area * light for light in (*stars, *galaxies, *line)]


def _galaxy(scene: SlitScene, distance_arcsec: NDArray, fwhm_arcsec: Array) -> Array:
    every = distance_arcsec.reshape(1, -1)
    return scene.extended(every, np.atleast_1d(fwhm_arcsec)).reshape(distance_arcsec.shape)


def _without(fit: OrderFit, sign: int) -> OrderPixels:
    pixels = fit.near.pixels
    light = fit.near.plane(fit.beside.light.astype(np.float32))
    value, variance = pixels.value - sign * light, pixels.measured_variance
    variance = variance - np.minimum(np.maximum(light, 0), 0.9 * variance)
    return replace(pixels, value=value, measured_variance=variance, arrangement=pixels.by_bins)
