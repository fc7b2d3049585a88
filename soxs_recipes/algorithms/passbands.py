"""Filters: synthetic magnitudes, and the way from one photometric system to another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

_LIGHT_NM_PER_S = 2.99792458e17
_AB_ZERO = 3631e-23
_SECOND_RADIATION_NM_K = 1.438777e7
# Black bodies have the colours of main-sequence stars in this range of temperature: their
# transformations between SDSS and Pan-STARRS are those of Tonry et al. (2012) to 5 mmag.
_TEMPERATURES_K = np.geomspace(3500.0, 30_000.0, 40)


@dataclass(frozen=True)
class Passband:
    """A filter with detector and air.

    Attributes
    ----------
    name : str
        Name of the filter.
    wave_nm : ndarray, shape (n,)
        Wavelengths, ascending.
    throughput : ndarray, shape (n,)
        Photons detected over photons arriving, any scale.
    """

    name: str
    wave_nm: Array
    throughput: Array

    @property
    def pivot_nm(self) -> float:
        """Pivot wavelength (Koornneef et al. 1986): converts f_lambda to f_nu without error."""
        total = np.sum(self.throughput * self.wave_nm)
        return float(np.sqrt(total / np.sum(self.throughput / self.wave_nm)))

    def mean(self, wave_nm: ArrayLike, values: ArrayLike) -> float:
        """Mean of a quantity over the filter, weighted with the photons of a flat f_nu."""
        weight = self.throughput / self.wave_nm
        return float(np.sum(weight * np.interp(self.wave_nm, wave_nm, values)) / np.sum(weight))

    def ab_magnitude(self, wave_nm: ArrayLike, flux: ArrayLike) -> Array:
        """AB magnitude of spectra, photons counted (Oke & Gunn 1983; Fukugita et al. 1996).

        Parameters
        ----------
        wave_nm : array_like, shape (m,)
            Wavelengths, ascending; outside them there is no flux.
        flux : array_like, shape (..., m)
            erg s-1 cm-2 nm-1.
        """
        wave = np.asarray(wave_nm, dtype=float)
        weight = np.interp(wave, self.wave_nm, self.throughput, left=0, right=0)
        weight *= np.gradient(wave)
        photons = np.asarray(flux, dtype=float) @ (weight * wave)
        reference = np.sum(weight / wave) * _AB_ZERO * _LIGHT_NM_PER_S
        with np.errstate(divide="ignore", invalid="ignore"):
            return -2.5 * np.log10(photons / reference)

    def covered_by(self, wave_nm: ArrayLike, share: float = 0.999) -> bool:
        """Whether wavelengths span that share of the filter."""
        inside = (self.wave_nm >= np.min(wave_nm)) & (self.wave_nm <= np.max(wave_nm))
        return bool(np.sum(self.throughput[inside]) >= share * np.sum(self.throughput))


@dataclass(frozen=True)
class ColourTerm:
    """Magnitude in one filter minus that in another, as a function of a colour.

    Attributes
    ----------
    colour, difference : ndarray
        Nodes, colour ascending.
    """

    colour: Array
    difference: Array

    def __call__(self, colour: ArrayLike) -> Array:
        """Difference at colours; NaN where stars are not like those it was made of."""
        return np.interp(colour, self.colour, self.difference, left=np.nan, right=np.nan)

    @property
    def slope(self) -> float:
        """Mean slope."""
        return float(np.polyfit(self.colour, self.difference, 1)[0])


def colour_term(target: Passband, near: Passband, blue: Passband, red: Passband) -> ColourTerm:
    """Colour term of normal stars from filter curves.

    Parameters
    ----------
    target, near : Passband
        Magnitude in `target` minus that in `near`.
    blue, red : Passband
        Filters of the colour it depends on.
    """
    wave = np.arange(280.0, 1200.0, 1.0)
    spectra = black_bodies(wave, _TEMPERATURES_K)
    colour = blue.ab_magnitude(wave, spectra) - red.ab_magnitude(wave, spectra)
    difference = target.ab_magnitude(wave, spectra) - near.ab_magnitude(wave, spectra)
    order = np.argsort(colour)
    return ColourTerm(colour[order], difference[order])


def black_bodies(wave_nm: ArrayLike, temperature_k: ArrayLike) -> Array:
    """Black-body spectra per unit wavelength, any scale; shape (temperatures, wavelengths)."""
    wave = np.asarray(wave_nm, dtype=float)
    hot = np.asarray(temperature_k, dtype=float)[:, None]
    return (wave / 500.0) ** -5 / np.expm1(_SECOND_RADIATION_NM_K / (wave * hot))
