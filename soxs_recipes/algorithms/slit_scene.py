"""What lies on the slit beside an object: other stars, and the extended light of a galaxy.

The light along the slit, averaged in some ranges of wavelength, is described by stars of one
profile, whose width changes smoothly with wavelength, and, where that does not suffice, by a galaxy
seen through the same seeing. What the subtraction of the sky left or took is a straight line along
the slit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.optimize import least_squares

from soxs_recipes.algorithms.object_profile import GRID, ProfileShape
from soxs_recipes.algorithms.object_trace import Curve, Trace
from soxs_recipes.algorithms.slit_profiles import SlitProfiles

Array = NDArray[np.float64]

SLOPE_ARCSEC = 5.0
"""Distance over which sloped light rises by one."""

_NODES, _WEIGHTS = (part[4:] for part in np.polynomial.legendre.leggauss(8))
_GRID_STEP = 0.1
_GRID = np.arange(-90, 91) * _GRID_STEP
# Values that are expected, and how far from them: log FWHM against the first guess, exponent of
# the FWHM in wavelength, log of Moffat's power and of the blur (arcsec), curve of the trace.
_STAR = np.array([0.0, -0.2, np.log(3.0), np.log(0.15), 0.0, 0.0, 0.0])
_STAR_SPREAD = np.array([0.4, 0.3, 0.08, 0.1, 0.4, 0.4, 0.2])
_NEIGHBOUR_SPREAD_ARCSEC = 0.2
# Place of the galaxy (arcsec), log of its scale and of the softening of its centre (arcsec), log
# of the exponent of the radius (Sersic 1963; 1 is an exponential disc), and of the width of the
# seeing's disc over that of a star, whose light the slit cuts.
_GALAXY = np.array([0.0, np.log(1.5), np.log(0.1), 0.0, 0.0])
_GALAXY_SPREAD = np.array([1.2, 0.6, 1.2, 0.15, 0.05])
_STARTS_ARCSEC = (-1.0, 1.0)
_LIMIT = 3.5
# Profiles are described to this share of themselves, of the peak, and of the sky, whose
# illumination of the slit is not known better where a galaxy shines; galaxies are less regular.
_MISFIT, _LEAST_MISFIT, _SKY_MISFIT, _GALAXY_MISFIT = 0.005, 0.001, 0.1, 0.02
_ROUNDS = 40
# What descriptions miss is alike over such distances.
_ALIKE_ARCSEC = 0.4
# Derivatives are taken over this part of what is expected.
_DIFFERENCE = 0.01
# What the sky takes from a galaxy is not much more than its peak.
_MOST_EVEN = 2.0
_AROUND_FWHM = 3.0


@dataclass(frozen=True)
class SlitScene:
    """Stars on the slit, the object first, and the galaxy that may lie with them.

    Attributes
    ----------
    range_nm : tuple of float
        Wavelengths of the arm.
    slit_width_arcsec : float
        Width of the slit, across which the disc of a star is summed.
    log_fwhm, exponent, power : float
        Logarithm of the FWHM of the seeing's disc (arcsec) in the middle of the range, its exponent
        in wavelength, and Moffat's power (1969, A&A 3, 455).
    log_blur : float
        Logarithm of the SD (arcsec) of the blur by instrument and pixels.
    centre : ndarray
        Chebyshev coefficients of the object's trace, arcsec.
    neighbours_arcsec : tuple of float
        Distances of other stars from the object.
    galaxy : ndarray or None
        Distance of the galaxy from the object, log scale, log softening, log exponent, log width
        of its seeing.
    line : tuple of float
        Even light and slope per arcsec that the sky took from the galaxy, over its peak.
    misfit, reduced_misfit : float
        Sum of squares of departures over errors, expectations included, and its mean.
    share_beside, share_galaxy : float
        Light of all others, and of the galaxy alone, where the profile of the object is measured,
        in units of the object's own.
    levels : tuple of float
        Light of each star, mean of all ranges.
    level_error : float
        Relative error of the object's light, common to all wavelengths; see `with_level_error`.
    """

    range_nm: tuple[float, float]
    slit_width_arcsec: float
    log_fwhm: float
    exponent: float
    power: float
    log_blur: float
    centre: Array
    neighbours_arcsec: tuple[float, ...] = ()
    galaxy: Array | None = None
    line: tuple[float, float] = (0.0, 0.0)
    misfit: float = 0.0
    reduced_misfit: float = 0.0
    share_beside: float = 0.0
    share_galaxy: float = 0.0
    levels: tuple[float, ...] = ()
    level_error: float = 0.0

    @property
    def disc(self) -> Trace:
        """Position of the object, and FWHM of the seeing's disc."""
        low, high = self.range_nm
        slope = 0.5 * self.exponent * np.log(high / low)
        width = Curve(self.range_nm, np.array([self.log_fwhm, slope]))
        return Trace(Curve(self.range_nm, self.centre), width)

    @property
    def trace(self) -> Trace:
        """Position and FWHM of the object along the slit, where the slit has cut its disc."""
        disc = self.disc
        widths = np.exp(disc.log_fwhm(0, np.array(self.range_nm)))
        first, last = (np.log(width * self._along(width)) for width in widths)
        curve = Curve(self.range_nm, np.array([(first + last) / 2, (last - first) / 2]))
        return Trace(disc.centre, curve)

    @property
    def shape(self) -> ProfileShape:
        """Profile of a star in the middle of the range, in units of its FWHM along the slit."""
        width = float(np.exp(self.log_fwhm))
        fwhm = width * self._along(width)
        return ProfileShape(self.star(GRID * fwhm, width) * fwhm)

    def _alpha(self, fwhm_arcsec: Array | float) -> Array:
        return np.asarray(fwhm_arcsec / (2 * np.sqrt(2 ** (1 / self.power) - 1)))

    def _blurred(self, profile: Callable[[Array], Array], distance_arcsec: Array) -> Array:
        """Profile after the blur by instrument and pixels (Gauss and Hermite's quadrature)."""
        shift = np.sqrt(3) * np.exp(self.log_blur)
        sides = profile(distance_arcsec - shift) + profile(distance_arcsec + shift)
        return (sides + 4 * profile(distance_arcsec)) / 6

    def _along(self, fwhm_arcsec: float) -> float:
        """FWHM along the slit over that of the disc."""
        distance = np.linspace(0, 2, 201)
        light = self.star(distance * fwhm_arcsec, fwhm_arcsec)
        return 2 * float(np.interp(-0.5 * light[0], -light, distance))

    def star(self, distance_arcsec: Array, fwhm_arcsec: Array | float) -> Array:
        """Profile of a star through the slit, of unit integral, at distances from it."""
        alpha = self._alpha(fwhm_arcsec)
        across = 1 + (0.5 * self.slit_width_arcsec * _NODES / alpha[..., None]) ** 2
        strip = (across ** (0.5 - self.power)) @ _WEIGHTS

        def disc(distance: Array) -> Array:
            squares = across + (distance / alpha)[..., None] ** 2
            return squares**-self.power @ _WEIGHTS

        return self._blurred(disc, distance_arcsec) / (strip * alpha * _line_integral(self.power))

    def extended(self, distance_arcsec: Array, fwhm_arcsec: Array) -> Array:
        """Profile of the galaxy, peak about 1, at distances from the object: a row per FWHM."""
        if self.galaxy is None:
            return np.zeros(np.shape(distance_arcsec))
        place, scale, soft, power, width = self.galaxy
        radius = np.hypot(_GRID - place, np.exp(soft)) / np.exp(scale)
        bright = np.exp(-(radius ** np.exp(power)))
        # Light that is even across the slit is blurred by all of the disc.
        alpha = self._alpha(fwhm_arcsec * np.exp(width))[:, None]
        disc = self._blurred(lambda at: (1 + (at / alpha) ** 2) ** (0.5 - self.power), _GRID)
        # The disc is even: a convolution is a product with the shifted light.
        shifted = sliding_window_view(np.pad(bright, len(_GRID) // 2), len(_GRID))
        seen = (disc / disc.sum(axis=1, keepdims=True)) @ shifted
        seen += self.line[0] + self.line[1] * _GRID
        return _interpolated(seen, distance_arcsec)


def _interpolated(values: Array, distance_arcsec: Array) -> Array:
    """Linear interpolation of the rows of a table on the grid of distances."""
    last = len(_GRID) - 1
    place = np.clip((distance_arcsec - _GRID[0]) / _GRID_STEP, 0, last)
    first = np.minimum(place.astype(np.intp), last - 1)
    low = np.take_along_axis(values, first, axis=1)
    return low + (place - first) * (np.take_along_axis(values, first + 1, axis=1) - low)


def describe_slit(
    profiles: SlitProfiles,
    centre_arcsec: float,
    fwhm_arcsec: float,
    range_nm: tuple[float, float],
    slit_width_arcsec: float,
    neighbours_arcsec: Sequence[float] = (),
) -> SlitScene:
    """Describe the light along the slit by stars.

    Parameters
    ----------
    profiles : SlitProfiles
        The light.
    centre_arcsec, fwhm_arcsec : float
        First guess of place and width of the object.
    range_nm : tuple of float
        Wavelengths of the arm.
    slit_width_arcsec : float
        Width of the slit.
    neighbours_arcsec : sequence of float
        Distances of other objects that were found from this one.
    """
    guess = SlitScene(
        range_nm,
        slit_width_arcsec,
        float(np.log(fwhm_arcsec)),
        _STAR[1],
        float(np.exp(_STAR[2])),
        _STAR[3],
        np.array([centre_arcsec, 0.0, 0.0]),
        tuple(neighbours_arcsec),
    )
    return _fit(profiles, guess)


def with_galaxy(profiles: SlitProfiles, stars: SlitScene) -> SlitScene:
    """Describe the light along the slit by stars and a galaxy; one that would not shine is none.

    Parameters
    ----------
    profiles : SlitProfiles
        The light.
    stars : SlitScene
        Its description by stars alone.
    """
    starts = [_GALAXY + np.array([at, 0, 0, 0, 0]) for at in _STARTS_ARCSEC]
    fits = [_fit(profiles, replace(stars, galaxy=start)) for start in starts]
    shining = [one for one in fits if one.galaxy is not None]
    return min(shining, key=lambda one: one.misfit, default=stars)


def with_level_error(profiles: SlitProfiles, scene: SlitScene) -> SlitScene:
    """Scene with the error of the object's light that all wavelengths share.

    Noise makes places and shapes uncertain, and what a description misses is alike in neighbouring
    pixels and in all wavelengths. The errors of a spectrum contain neither.
    """
    weight, start = _weights(profiles), _vector(scene, scene)

    def seen(vector: Array) -> Array:
        left, levels = _left(_scene(vector, scene), profiles, weight)
        return np.concatenate([left.ravel(), [levels[:, 0].sum()]])

    steps = _DIFFERENCE * np.eye(len(start))
    slopes = np.array([seen(start + step) - seen(start - step) for step in steps])
    of_light, of_level = np.split(slopes / (2 * _DIFFERENCE), [-1], axis=1)
    # Vectors are in units of what is expected.
    normal = of_light @ of_light.T + np.eye(len(start))
    by_noise = (np.linalg.solve(normal, of_level).T @ of_light)[0]
    share = _level_weights(scene, profiles, weight) - weight * by_noise.reshape(weight.shape)
    missed = share * _missed(scene, profiles, weight)
    apart = (profiles.slit_arcsec.ravel()[:, None] - profiles.slit_arcsec.ravel()) / _ALIKE_ARCSEC
    variance = by_noise @ by_noise + missed.ravel() @ np.exp(-0.5 * apart**2) @ missed.ravel()
    level = max(abs(seen(start)[-1]), 1e-30)
    return replace(scene, level_error=min(float(np.sqrt(variance)) / level, 1.0))


def _missed(scene: SlitScene, profiles: SlitProfiles, weight: Array) -> Array:
    """What a description is likely to miss of the light."""
    terms = _basis(scene, profiles) * _left(scene, profiles, weight)[1][:, None]
    galaxy = terms[..., -3] if scene.galaxy is not None else 0.0
    return np.hypot(_MISFIT * profiles.light, _GALAXY_MISFIT * galaxy)


def _level_weights(scene: SlitScene, profiles: SlitProfiles, weight: Array) -> Array:
    """Weights with which the light enters the brightness of the object, shapes being known."""
    basis = _basis(scene, profiles) * weight[..., None]
    return weight * (basis @ np.linalg.inv(_normal(basis))[..., :1])[..., 0]


def _line_integral(power: float) -> float:
    """Integral of ``(1 + u**2)**-(power - 1/2)`` over ``(1 + u**2)**-power`` along a line."""
    from scipy.special import gamma

    return float(np.sqrt(np.pi) * gamma(power - 0.5) / gamma(power))


def _vector(scene: SlitScene, guess: SlitScene) -> Array:
    """Parameters as departures from what is expected."""
    star = [scene.log_fwhm - guess.log_fwhm, scene.exponent, np.log(scene.power), scene.log_blur]
    centre = scene.centre - guess.centre
    parts = [(np.concatenate([star, centre]) - _STAR) / _STAR_SPREAD]
    apart = np.subtract(scene.neighbours_arcsec, guess.neighbours_arcsec)
    parts.append(apart / _NEIGHBOUR_SPREAD_ARCSEC)
    if scene.galaxy is not None:
        parts.append((scene.galaxy - _GALAXY) / _GALAXY_SPREAD)
    return np.concatenate(parts)


def _scene(vector: Array, guess: SlitScene) -> SlitScene:
    """Reverse of `_vector`."""
    count = len(_STAR)
    star = _STAR + vector[:count] * _STAR_SPREAD
    last = count + len(guess.neighbours_arcsec)
    apart = np.array(guess.neighbours_arcsec) + vector[count:last] * _NEIGHBOUR_SPREAD_ARCSEC
    galaxy = None if guess.galaxy is None else _GALAXY + vector[last:] * _GALAXY_SPREAD
    return replace(
        guess,
        log_fwhm=guess.log_fwhm + star[0],
        exponent=float(star[1]),
        power=float(np.exp(star[2])),
        log_blur=float(star[3]),
        centre=guess.centre + star[4:],
        neighbours_arcsec=tuple(apart.tolist()),
        galaxy=galaxy,
    )


def _fit(profiles: SlitProfiles, start: SlitScene) -> SlitScene:
    """Least squares for the shapes; the brightness of everything in each range is linear."""
    known, weight = np.isfinite(profiles.error), _weights(profiles)

    def residuals(vector: Array) -> Array:
        left, _ = _left(_scene(vector, start), profiles, weight)
        return np.concatenate([4 * np.arcsinh(left.ravel() / 4), vector])

    first = np.clip(_vector(start, start), -0.9 * _LIMIT, 0.9 * _LIMIT)
    best = least_squares(residuals, first, bounds=(-_LIMIT, _LIMIT), max_nfev=_ROUNDS, ftol=1e-5)
    found = _scene(best.x, start)
    basis = _basis(found, profiles)
    _, levels = _left(found, profiles, weight)
    misfit, count = float(2 * best.cost), np.count_nonzero(known)
    line = (0.0, 0.0) if found.galaxy is None else _line(levels)
    collected = _collected(found, profiles, basis * known[..., None], levels)
    return replace(
        found,
        galaxy=None if line is None else found.galaxy,
        line=line or (0.0, 0.0),
        misfit=misfit,
        reduced_misfit=misfit / count,
        share_beside=_share(collected[:, 0], collected[:, 1:].sum(axis=1)),
        share_galaxy=_share(*collected[:, [0, -3]].T) if found.galaxy is not None else 0.0,
        levels=tuple(levels[:, : 1 + len(found.neighbours_arcsec)].mean(axis=0).tolist()),
    )


def _weights(profiles: SlitProfiles) -> Array:
    """Inverse of what the light may be off its description."""
    light = np.abs(profiles.light)
    floor = _MISFIT * light + _LEAST_MISFIT * light.max(axis=1, keepdims=True)
    floor += _SKY_MISFIT * np.abs(profiles.sky)
    return 1 / np.hypot(np.nan_to_num(profiles.error, nan=np.inf, posinf=np.inf), floor)


def _left(scene: SlitScene, profiles: SlitProfiles, weight: Array) -> tuple[Array, Array]:
    """What is left of the weighted light, and the brightness of every term in each range."""
    basis = _basis(scene, profiles) * weight[..., None]
    light = profiles.light * weight
    levels = _levels(basis, light)
    return light - (basis @ levels)[..., 0], levels[..., 0]


def _line(levels: Array) -> tuple[float, float] | None:
    """Even light and slope per arcsec in units of the galaxy; None if that does not shine."""
    galaxy, even, slope = levels[:, -3:].sum(axis=0)
    if galaxy <= 0 or abs(even) > _MOST_EVEN * galaxy:
        return None
    return float(even / galaxy), float(slope / galaxy / SLOPE_ARCSEC)


def _collected(scene: SlitScene, profiles: SlitProfiles, basis: Array, levels: Array) -> Array:
    """Light of every term around the object, in each range of wavelength."""
    centre, fwhm = scene.trace.at(0, profiles.wave_nm)
    near = np.abs(profiles.slit_arcsec - centre[:, None]) < _AROUND_FWHM * fwhm[:, None]
    return np.einsum("ns,nsk->nk", near, basis) * levels


def _share(target: Array, others: Array) -> float:
    """Median over wavelength of the light of others over that of the object."""
    lit = target > 0.1 * np.median(target)
    return float(np.median(others[lit] / target[lit])) if lit.any() else 0.0


def _levels(basis: Array, light: Array) -> Array:
    return np.linalg.solve(_normal(basis), basis.transpose(0, 2, 1) @ light[..., None])


def _normal(basis: Array) -> Array:
    normal = basis.transpose(0, 2, 1) @ basis
    ridge = 1e-9 * np.einsum("nkk->n", normal)[:, None, None] + 1e-30
    return normal + ridge * np.eye(basis.shape[2])


def _basis(scene: SlitScene, profiles: SlitProfiles) -> Array:
    """Light per arcsec of each star, the galaxy, even light, and a slope: (parts, steps, terms)."""
    centre, fwhm = scene.disc.at(0, profiles.wave_nm)
    distance = profiles.slit_arcsec - centre[:, None]
    terms = [
        scene.star(distance - apart, fwhm[:, None]) for apart in (0.0, *scene.neighbours_arcsec)
    ]
    if scene.galaxy is not None:
        terms.append(scene.extended(distance, fwhm))
    terms += [np.ones_like(distance), distance / SLOPE_ARCSEC]
    return np.stack(terms, axis=-1)
