"""Illumination of the sky along the slit, told from the sky lines of all orders.

Residuals that follow the sky from wavelength to wavelength are illumination; those that follow
the light of an object are errors of its profile. Under an object the fit takes the illumination
for light of the object, which then holds sky lines: so much of it is given back. Light that
reaches the detector beside the slit is part of the sky, but the slit's jaws do not shape it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from soxs_recipes.algorithms.parallel import in_parallel
from soxs_recipes.algorithms.robust import mad_sd
from soxs_recipes.algorithms.sky_factors import Factors, cells

Array = NDArray[np.float64]
Array32 = NDArray[np.float32]

# Illumination departs from a straight line by so much (SD) on such scales (arcsec).
_USUAL = ((0.01, 2.0), (0.006, 0.45))
# Profiles of objects depart from the model by this share.
_USUAL_MISFIT = 0.05
# Sky lines in the spectrum of an object are known to this without any line, relative, arcsec.
_UNKNOWN_RATIO = 0.1
# Light beside the slit is at most what this share of an order's pixels falls below.
_FAINTEST_SHARE = 0.2
_ROUNDS = 4
# Knots over which the continuum of a spectrum is taken, and what makes a line of the sky: so
# many standard deviations of the object's spectrum.
_CONTINUUM_KNOTS, _LINE_SIGMA = 101, 5.0
# Variance of an unknown of a spline, where one over its information would be that of its mean.
_UNKNOWN_VARIANCE = 2.0
_CAUCHY = 3.0


@dataclass(frozen=True)
class ObjectView:
    """An object in the fit of an order.

    Attributes
    ----------
    shape : ndarray
        Profile, per arcsec, at the pixels.
    spectrum, information : ndarray, shape (knots,)
        Spline of its spectrum, and inverse variance of that with the sky known.
    """

    shape: Array32
    spectrum: Array
    information: Array


@dataclass(frozen=True)
class SlitView:
    """What the pixels of an order say of the slit; arrays of one shape.

    Attributes
    ----------
    slit, area : ndarray
        Slit position, and size in px times arcsec.
    residual : ndarray
        Data less sky and objects, electrons, were the illumination even.
    sky, light : ndarray
        Model of the sky were the illumination even, and of the objects.
    weight : ndarray
        Inverse variance; 0 leaves a pixel out.
    spectrum : ndarray, shape (knots,)
        Spline of the sky.
    objects : tuple of ObjectView
        The objects.
    """

    slit: Array32
    area: Array32
    residual: Array32
    sky: Array32
    light: Array32
    weight: Array32
    spectrum: Array
    objects: tuple[ObjectView, ...] = ()


@dataclass(frozen=True)
class Illumination:
    """Illumination along the slit, and light that does not come through it.

    Attributes
    ----------
    factors : Factors
        Illumination.
    beside : ndarray
        For each order, electrons per px and arcsec that are not illuminated so.
    """

    factors: Factors
    beside: Array

    @classmethod
    def even(cls, orders: int) -> Illumination:
        """Return even illumination of some orders."""
        return cls(Factors.one(), np.zeros(orders))


def measure_illumination(views: Sequence[SlitView]) -> Illumination:
    """Measure the illumination along the slit from all orders together.

    Parameters
    ----------
    views : sequence of SlitView
        The orders.
    """
    ratios, variances = _in_objects(views)
    sums = np.array(in_parallel(lambda view: _slit_sums(_with_lines(view, ratios)), views))
    doubts = [np.sqrt(v) * _along_slit(views, k) for k, v in enumerate(variances)]
    faintest = np.array([_faintest(view) for view in views])
    # What bypasses the slit is much the same in all orders.
    faintest = np.minimum(faintest, np.median(faintest)) if len(views) else faintest
    share = 0.5
    for _ in range(_ROUNDS):
        factors = _factors(sums, share * faintest, doubts)
        share = _share_beside(sums, faintest, factors.relative - 1)
    return Illumination(factors, share * faintest)


def _in_objects(views: Sequence[SlitView]) -> tuple[list[float], list[float]]:
    """Sky lines in the spectrum of each object, relative to the sky (arcsec), and the variance."""
    numbers = range(len(views[0].objects) if views else 0)
    parts = [[_lines(view.spectrum, view.objects[k]) for view in views] for k in numbers]
    found = [_followed(*map(np.concatenate, zip(*part, strict=True))) for part in parts]
    return [ratio for ratio, _ in found], [variance for _, variance in found]


def _along_slit(views: Sequence[SlitView], number: int) -> Array:
    """Profile of an object by slit position, as the sky lines of all orders see it."""
    above, below = np.zeros((2, len(Factors.one().relative)))
    for view in views:
        cell, weight = cells(view.slit).ravel(), (view.weight * view.sky**2).ravel()
        shape = view.objects[number].shape.ravel()
        above += np.bincount(cell, weight * shape, len(above))
        below += np.bincount(cell, weight, len(above))
    return above / np.maximum(below, 1e-30)


def _lines(sky: Array, one: ObjectView) -> tuple[Array, Array, Array]:
    """Lines of the sky, what the object has there above its continuum, and the variance."""
    above_sky, above = (
        plane - median_filter(plane, _CONTINUUM_KNOTS) for plane in (sky, one.spectrum)
    )
    noise = _UNKNOWN_VARIANCE / np.maximum(one.information, 1e-30)
    quiet = above_sky < np.median(above_sky)
    own = max(mad_sd(above[quiet]) ** 2 - float(np.median(noise[quiet])), 0.0)
    line = above_sky > _LINE_SIGMA * np.sqrt(noise)
    return above_sky[line], above[line], noise[line] + own


def _followed(sky: Array, above: Array, variance: Array) -> tuple[float, float]:
    """Robust ratio of what an object has in sky lines to these, and its variance."""
    soft = np.ones(len(sky))
    for _ in range(_ROUNDS):
        information = np.sum(soft * sky**2 / variance) + 1 / _UNKNOWN_RATIO**2
        ratio = float(np.sum(soft * sky * above / variance) / information)
        soft = 1 / (1 + (above - ratio * sky) ** 2 / (_CAUCHY**2 * variance))
    return ratio, float(1 / information)


def _with_lines(view: SlitView, ratios: Sequence[float]) -> SlitView:
    """View with the sky lines that are in the spectra of objects given back."""
    lines = sum(
        (np.float32(ratio) * one.shape for ratio, one in zip(ratios, view.objects, strict=True)),
        start=np.zeros_like(view.sky),
    )
    return replace(view, residual=view.residual + view.sky * lines)


def _slit_sums(view: SlitView) -> Array:
    """Weighted products of sky, area and residual by slit position, objects' errors taken out.

    Rows: sky x sky, sky x area, area x area, sky x residual, area x residual.
    """
    cell = cells(view.slit).ravel()
    count = len(Factors.one().relative)
    weight = view.weight.ravel().astype(float)

    def total(one: Array32, other: Array32) -> Array:
        return np.bincount(cell, weight * one.ravel() * other.ravel(), count)

    planes = (view.sky, view.area, view.residual)
    known = total(view.light, view.light) + 1 / _USUAL_MISFIT**2
    along = [total(plane, view.light) for plane in planes]
    pairs = (0, 0), (0, 1), (1, 1), (0, 2), (1, 2)
    return np.array([total(planes[a], planes[b]) - along[a] * along[b] / known for a, b in pairs])


def _faintest(view: SlitView) -> float:
    used = view.weight > 0
    if not used.any():
        return 0.0
    return max(float(np.quantile(view.sky[used] / view.area[used], _FAINTEST_SHARE)), 0.0)


def _factors(sums: Array, beside: Array, doubts: Sequence[Array]) -> Factors:
    """Factors on the light through the slit, if so much comes beside it."""
    by_order = beside[:, None]
    ss, sa, aa, sr, ar = np.moveaxis(sums, 1, 0)
    below = np.sum(ss - 2 * by_order * sa + by_order**2 * aa, axis=0)
    above = np.sum(sr - by_order * ar, axis=0)
    return _most_likely(above, np.maximum(below, 0.0), doubts)


def _most_likely(above: Array, below: Array, doubts: Sequence[Array]) -> Factors:
    """Factors that are smooth along the slit where they are not measured (Wiener's filter).

    `doubts` are errors that all positions have in common, one standard deviation each.
    """
    place = Factors.one().position
    apart = place[:, None] - place
    usual = sum(sd**2 * np.exp(-0.5 * (apart / scale) ** 2) for sd, scale in _USUAL)
    known = below > 0
    variance = np.where(known, 1 / np.where(known, below, 1.0), 1.0)
    departure = np.where(known, above / np.where(known, below, 1.0), 0.0)
    noise = np.diag(variance) + sum(np.outer(one, one) for one in doubts)
    gain = np.linalg.solve(usual + noise, usual).T
    error = np.sqrt(np.maximum(np.diag(usual - gain @ usual), 0.0))
    return Factors(place, 1 + gain @ departure, error)


def _share_beside(sums: Array, faintest: Array, departure: Array) -> float:
    """Share of the faintest sky that comes beside the slit; half of it, if data do not tell."""
    _, sa, aa, _, ar = np.moveaxis(sums, 1, 0)
    above = np.sum(faintest[:, None] * departure * (departure * sa - ar))
    below = np.sum((faintest[:, None] * departure) ** 2 * aa)
    prior = 1 / 0.5**2
    return float(np.clip((above + 0.5 * prior) / (below + prior), 0.0, 1.0))
