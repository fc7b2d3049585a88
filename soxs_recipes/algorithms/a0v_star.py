"""Spectrum of an A0V star as a source of telluric light: Vega's, its lines fitted to the star."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, rfft
from scipy.optimize import least_squares
from scipy.special import j1

from soxs_recipes.algorithms.molecules import MolecularTable
from soxs_recipes.algorithms.pixel_sampling import LineSpread, PixelSampling, padded_vacuum
from soxs_recipes.algorithms.telluric_order_fit import OrderSpectrum

Array = NDArray[np.float64]

_LIGHT_KMS = 299792.458
# Hydrogen lines with little telluric absorption about them, vacuum nm; Br 10-14 together.
_WINDOWS_NM = (
    (398.0, 422.0),
    (426.0, 443.0),
    (477.0, 496.0),
    (640.0, 672.0),
    (996.0, 1015.0),
    (1274.0, 1290.0),
    (1575.0, 1700.0),
)
_LEAST_TRANSMISSION = 0.9
_CONTINUUM_DEGREE = 3
_LEAST_PIXELS = 150
_LINE_ERROR = 0.005
_NOMINAL_SPREAD = LineSpread(float(np.log(1.3)), 0.03, 0.0)
_BOUNDS = ((-300.0, 0.0, 0.5), (300.0, 350.0, 1.5))
_FIRST = (0.0, 80.0, 1.0)


@dataclass(frozen=True)
class StarModel:
    """Spectrum of the model star on bins of constant step in ln(vacuum wavelength).

    Attributes
    ----------
    ln_first, step : float
        ln(nm) of the first bin, and the step.
    continuum, lines : ndarray
        Continuum, and flux over continuum, at rest.
    rotation_kms : float
        Projected rotation that is in the model.
    """

    ln_first: float
    step: float
    continuum: Array
    lines: Array
    rotation_kms: float

    @property
    def wave_nm(self) -> Array:
        """Centres of the bins, vacuum, rest frame."""
        return np.exp(self.ln_first + self.step * np.arange(self.lines.size))


@dataclass(frozen=True)
class StarLines:
    """How the lines of a star differ from the model's.

    Attributes
    ----------
    velocity_kms : float
        Radial velocity.
    broadening_kms : float
        Rotation beyond the model's, in quadrature.
    strength : float
        Power of flux over continuum.
    """

    velocity_kms: float = _FIRST[0]
    broadening_kms: float = _FIRST[1]
    strength: float = _FIRST[2]

    def source(self, model: StarModel) -> Callable[[Array], Array]:
        """Spectrum of the star at wavelengths in vacuum, relative to its mean there."""

        def flux(vacuum_nm: Array) -> Array:
            rest = vacuum_nm / (1 + self.velocity_kms / _LIGHT_KMS)
            place = (np.log(rest) - model.ln_first) / model.step
            margin = int(2 * self.broadening_kms / _LIGHT_KMS / model.step) + 2
            first = max(int(place[0]) - margin, 0)
            part = slice(first, min(int(place[-1]) + margin, model.lines.size))
            lines = _rotated(model.lines[part] ** self.strength, self.broadening_kms, model.step)
            nodes = np.arange(part.start, part.stop)
            result = np.interp(place, nodes, lines) * np.interp(place, nodes, model.continuum[part])
            return result / result.mean()

        return flux


def _rotated(lines: Array, broadening_kms: float, step: float) -> Array:
    """Broaden by the profile of a rotating disc without limb darkening (Gray 2005)."""
    half_bins = broadening_kms / _LIGHT_KMS / step
    if half_bins < 0.5:
        return lines
    margin = int(half_bins) + 1
    padded = np.pad(lines, margin, mode="edge")
    argument = 2 * np.pi * np.fft.rfftfreq(padded.size) * half_bins
    # Fourier transform of a semi-ellipse.
    kernel = np.where(argument > 1e-6, 2 * j1(argument) / np.maximum(argument, 1e-6), 1.0)
    return irfft(rfft(padded) * kernel, padded.size)[margin:-margin]


def fit_star_lines(
    parts: Mapping[int, OrderSpectrum], model: StarModel, table: MolecularTable, airmass: float
) -> StarLines:
    """Fit velocity, rotation and line strength in windows about hydrogen lines.

    Parameters
    ----------
    parts : mapping
        Orders of the star, their blaze taken out.
    model : StarModel
        The model star.
    table : MolecularTable
        Optical depths, by which absorbed pixels are left out.
    airmass : float
        Airmass of the star.

    Returns
    -------
    StarLines
        Nominal lines where no window has light.
    """
    windows = list(_windows(parts, model, table, airmass))
    if not windows:
        return StarLines()

    def residuals(values: Array) -> Array:
        lines = StarLines(*values)
        return np.concatenate([window.residuals(lines) for window in windows])

    found = least_squares(
        residuals, _FIRST, bounds=_BOUNDS, x_scale=(20.0, 50.0, 0.05), diff_step=1e-3,
        loss="soft_l1", max_nfev=15,
    )  # fmt: skip
    return StarLines(*found.x.tolist())


@dataclass(frozen=True)
class _Window:
    """Pixels about some lines, in one order."""

    model: StarModel
    sampling: PixelSampling
    value: Array
    sigma: Array
    good: NDArray[np.bool_]

    def residuals(self, lines: StarLines) -> Array:
        """Deviations from the model star times a smooth continuum, in standard errors."""
        high = lines.source(self.model)(self.model.wave_nm)
        kernel, _ = self.sampling.kernel(_NOMINAL_SPREAD)
        star = self.sampling.sampled(self.sampling.transform(high) * kernel)[self.good]
        place = np.linspace(-1, 1, self.value.size)[self.good]
        design = np.polynomial.chebyshev.chebvander(place, _CONTINUUM_DEGREE) * star[:, None]
        sigma = self.sigma[self.good]
        scaled = self.value[self.good] / sigma
        coef = np.linalg.lstsq(design / sigma[:, None], scaled, rcond=None)[0]
        return scaled - (design / sigma[:, None]) @ coef


def _windows(
    parts: Mapping[int, OrderSpectrum], model: StarModel, table: MolecularTable, airmass: float
) -> Iterator[_Window]:
    for part in parts.values():
        for low, high in _WINDOWS_NM:
            inside = (part.air_nm > low) & (part.air_nm < high)
            if np.count_nonzero(inside & part.good) < _LEAST_PIXELS:
                continue
            edges = padded_vacuum(part.air_nm[inside])
            near = _cut(model, edges[0], edges[-1])
            sampling = PixelSampling(part.air_nm[inside], near.ln_first, near.step, near.lines.size)
            level = max(float(np.median(part.value[inside & part.good])), 1e-30)
            sigma = np.sqrt(part.variance[inside] + (_LINE_ERROR * level) ** 2)
            good = part.good[inside] & _clear(part.air_nm[inside], table, airmass)
            if np.count_nonzero(good) >= _LEAST_PIXELS:
                yield _Window(near, sampling, part.value[inside], sigma, good)


def _cut(model: StarModel, first_nm: float, last_nm: float) -> StarModel:
    """Part of the model that a window can see."""
    margin = 3 * max(_BOUNDS[1][:2]) / _LIGHT_KMS
    limits = np.log([first_nm, last_nm]) + np.array([-margin, margin])
    ends = (limits - model.ln_first) / model.step
    start, stop = max(int(ends[0]), 0), min(int(ends[1]) + 2, model.lines.size)
    return StarModel(
        model.ln_first + start * model.step,
        model.step,
        model.continuum[start:stop],
        model.lines[start:stop],
        model.rotation_kms,
    )


def _clear(air_nm: Array, table: MolecularTable, airmass: float) -> NDArray[np.bool_]:
    """Pixels that usual amounts of the molecules leave clear."""
    edges = padded_vacuum(air_nm)
    cut = table.cut(edges[0], edges[-1])
    if cut is None:
        return np.ones(air_nm.size, bool)
    sampling = PixelSampling(air_nm, cut.ln_first, cut.step, cut.size)
    kernel, _ = sampling.kernel(_NOMINAL_SPREAD)
    through = sampling.sampled(sampling.transform(cut.transmission(airmass, 3.0)) * kernel)
    return through > _LEAST_TRANSMISSION
