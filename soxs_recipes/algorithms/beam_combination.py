"""Spectra of one object from several beams become one, weighted by inverse variance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from soxs_recipes.algorithms.extraction import OrderSpectrum
from soxs_recipes.algorithms.quality import has
from soxs_recipes.algorithms.shared_noise import SharedBeams, SharedByOrder

Array = NDArray[np.float64]

# Weights follow the variance averaged over so many bins, unless a bin has this much more.
_SHARE_BINS, _SHARE_JUMP = 51, 2.0
# Total signal-to-noise ratio from which the levels of beams are compared.
_LEVEL_SNR = 30.0


@dataclass(frozen=True)
class BeamSpectra:
    """Extracted orders of one beam.

    Attributes
    ----------
    orders : mapping of int to OrderSpectrum
        By order number.
    exptime_s : float
        Time in which its electrons came.
    shared : mapping of int to SharedNoise
        By order, what of its noise other beams share.
    image : tuple of int
        Number of the exposure, by which beams with one sky are known, and sign of the object.
    """

    orders: Mapping[int, OrderSpectrum]
    exptime_s: float
    shared: SharedByOrder = field(default_factory=dict)
    image: tuple[int, int] | None = None


def combine_beams(beams: Sequence[BeamSpectra]) -> tuple[dict[int, OrderSpectrum], Array]:
    """Combine beams to the mean exposure of them all.

    Beams differ in level by seeing, slit losses and clouds; they are brought to their common mean
    before they are weighted, so that weights that change along wavelength bend nothing.

    Parameters
    ----------
    beams : sequence of BeamSpectra
        Beams with the same orders and bins.

    Returns
    -------
    orders : dict of int to OrderSpectrum
        Combined spectra, electrons of the mean exposure time.
    levels : ndarray
        Level of each beam relative to the mean.
    """
    if len(beams) == 1:
        return dict(beams[0].orders), np.ones(1)
    mean_s = float(np.mean([beam.exptime_s for beam in beams]))
    scaled = [
        {order: _times(one, mean_s / beam.exptime_s) for order, one in beam.orders.items()}
        for beam in beams
    ]
    levels = _levels(scaled)
    orders = {
        order: _combined([one[order] for one in scaled], levels, _shared(beams, order))
        for order in beams[0].orders
    }
    return orders, levels


def _shared(beams: Sequence[BeamSpectra], order: int) -> SharedBeams:
    """What the beams share in an order, as far as all of them tell."""
    masters = [beam.shared[order] for beam in beams if order in beam.shared]
    images = [beam.image for beam in beams if beam.image]
    every = len(beams)
    return SharedBeams(
        masters if len(masters) == every else (), images if len(images) == every else ()
    )


def _times(spectrum: OrderSpectrum, factor: float) -> OrderSpectrum:
    """Spectrum in another exposure time."""
    powers = dict.fromkeys(("flux", "boxcar", "sky", "background"), 1)
    powers |= dict.fromkeys(("variance", "boxcar_variance", "sky_variance"), 2)
    scaled = {name: getattr(spectrum, name) * factor**power for name, power in powers.items()}
    return replace(spectrum, **scaled)


def _levels(beams: Sequence[Mapping[int, OrderSpectrum]]) -> Array:
    """Level of each beam relative to the mean of all; 1 where noise would decide it."""
    up, down = np.zeros(len(beams)), 0.0
    for order in beams[0]:
        flux = np.array([beam[order].flux for beam in beams])
        variance = np.array([beam[order].variance for beam in beams]).mean(axis=0)
        good = np.all([_usable(beam[order]) for beam in beams], axis=0)
        mean = uniform_filter1d(np.where(good, flux.mean(axis=0), 0.0), 5)
        weight = np.where(good & (variance > 0), mean / np.where(variance > 0, variance, 1), 0.0)
        up += flux @ weight
        down += float(mean @ weight)
    if down < _LEVEL_SNR**2:
        return np.ones(len(beams))
    return up / up.mean()


def _usable(spectrum: OrderSpectrum) -> NDArray[np.bool_]:
    return np.isfinite(spectrum.flux) & (spectrum.variance > 0) & ~has(spectrum.quality)


def _combined(beams: Sequence[OrderSpectrum], levels: Array, shared: SharedBeams) -> OrderSpectrum:
    good = np.array([_usable(beam) for beam in beams])
    finite = np.array([np.isfinite(beam.flux) & (beam.variance > 0) for beam in beams])
    used = np.where(good.any(axis=0), good, finite)
    variance = np.array([beam.variance for beam in beams])
    shares = _shares(variance / levels[:, None] ** 2, used)
    scale = shares / levels[:, None]

    def total(name: str, weights: Array) -> Array:
        values = np.array([getattr(beam, name) for beam in beams])
        return np.sum(np.where(weights > 0, values, 0.0) * weights, axis=0)

    def terms(name: str) -> Array:
        values = np.array([getattr(beam, name) for beam in beams])
        return np.nan_to_num(np.where(scale > 0, values, 0.0)) * scale**2

    def noise(name: str) -> Array:
        return terms(name).sum(axis=0) + shared.added(terms(name), terms("sky_variance"))

    bits = np.where(shares > 0, np.array([beam.quality for beam in beams]), np.uint16(0))
    none = ~used.any(axis=0)
    every = np.bitwise_or.reduce([beam.quality for beam in beams])
    return OrderSpectrum(
        np.where(none, np.nan, total("flux", scale)),
        np.where(none, np.nan, noise("variance")),
        np.where(none, np.nan, total("boxcar", scale)),
        np.where(none, np.nan, noise("boxcar_variance")),
        total("sky", shares),
        total("sky_variance", scale**2),
        total("background", shares),
        np.where(none, every, np.bitwise_or.reduce(bits)).astype(np.uint16),
        float(np.mean([beam.covariance_factor for beam in beams])),
        float(np.mean([beam.rejected for beam in beams])),
    )


def _shares(variance: Array, used: NDArray[np.bool_]) -> Array:
    """Share of each beam in every bin, by inverse variance averaged along the order."""
    inverse = np.where(used & (variance > 0), 1 / np.where(variance > 0, variance, 1.0), 0.0)
    total = uniform_filter1d(inverse, _SHARE_BINS, axis=1, mode="nearest")
    number = uniform_filter1d((inverse > 0).astype(float), _SHARE_BINS, axis=1, mode="nearest")
    smooth = total / np.maximum(number, 1e-9)
    # A bin that lost most of its pixels in one beam is to be taken from the others.
    relative = inverse / np.maximum(smooth, 1e-300)
    least = np.maximum(relative.max(axis=0), 1e-300)
    weight = smooth * np.where(relative * _SHARE_JUMP < least, relative / least, 1.0)
    weight *= inverse > 0
    sums = weight.sum(axis=0)
    return np.divide(weight, sums, out=np.zeros_like(weight), where=sums > 0)
