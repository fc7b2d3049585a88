"""Flux standards: which one was observed, and its spectrum as the instrument sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter1d

from soxs_recipes.algorithms.air_vacuum import vacuum_to_air

Array = NDArray[np.float64]

TOLERANCE_ARCSEC = 120.0
"""Proper motion carries the nearest standards this far in a lifetime."""
# A star may move this fast, and the bins of the reference are this wide: both displace its lines.
_VELOCITY_KMS, _LIGHT_KMS = 60.0, 299792.458


@dataclass(frozen=True)
class StandardStar:
    """A flux standard.

    Attributes
    ----------
    name : str
        Name.
    aliases : tuple of str
        Other names.
    ra_deg, dec_deg : float
        Position (ICRS).
    """

    name: str
    aliases: tuple[str, ...]
    ra_deg: float
    dec_deg: float

    def is_called(self, name: str) -> bool:
        """Whether it goes by a name; blanks, hyphens and case do not count."""
        return _key(name) in {_key(one) for one in (self.name, *self.aliases)}

    def distance_arcsec(self, ra_deg: float, dec_deg: float) -> float:
        """Distance on the sky from a position (haversine formula)."""
        ra, dec, here_ra, here_dec = np.radians([ra_deg, dec_deg, self.ra_deg, self.dec_deg])
        half = (
            np.sin((dec - here_dec) / 2) ** 2
            + np.cos(dec) * np.cos(here_dec) * np.sin((ra - here_ra) / 2) ** 2
        )
        return float(np.degrees(2 * np.arcsin(np.sqrt(min(half, 1.0)))) * 3600)


@dataclass(frozen=True)
class Identified:
    """A standard that was recognised, and its distance from where the telescope pointed."""

    star: StandardStar
    distance_arcsec: float
    by_position: bool


def identify(
    stars: Sequence[StandardStar], position: tuple[float, float] | None, names: Sequence[str]
) -> Identified | None:
    """Find the standard nearest to a position within `TOLERANCE_ARCSEC`, else one by its name."""
    near = nearest(stars, position)
    if near and near[0][1] <= TOLERANCE_ARCSEC:
        return Identified(*near[0], True)
    for star in stars:
        if any(name and star.is_called(name) for name in names):
            return Identified(star, dict(near).get(star, float("nan")), False)
    return None


def nearest(
    stars: Sequence[StandardStar], position: tuple[float, float] | None
) -> list[tuple[StandardStar, float]]:
    """Stars with their distances in arcsec, the nearest first; none without a position."""
    if position is None:
        return []
    pairs = [(star, star.distance_arcsec(*position)) for star in stars]
    return sorted(pairs, key=lambda pair: pair[1])


def _key(name: str) -> str:
    return name.replace(" ", "").replace("-", "").replace("_", "").upper()


@dataclass(frozen=True)
class ReferenceSpectrum:
    """Flux of a standard above the atmosphere, in bins of constant width.

    Attributes
    ----------
    wave_nm : ndarray
        Bin centres in air.
    flux : ndarray
        Mean over the bin, erg s-1 cm-2 Angstrom-1.
    """

    wave_nm: Array
    flux: Array

    @property
    def step_nm(self) -> float:
        """Width of a bin."""
        return float(self.wave_nm[1] - self.wave_nm[0])

    def covers(self, wave_nm: ArrayLike) -> NDArray[np.bool_]:
        """Where the spectrum is known."""
        wave = np.asarray(wave_nm, float)
        known = np.flatnonzero(self.flux > 0)
        return (wave > self.wave_nm[known[0]]) & (wave < self.wave_nm[known[-1]])

    def in_vacuum(self, vacuum_nm: Array) -> Array:
        """Flux, relative to its mean, at wavelengths in vacuum."""
        flux = np.interp(vacuum_to_air(vacuum_nm), self.wave_nm, self.flux)
        return flux / flux.mean()

    def at(self, wave_nm: Array, line_sd_nm: float) -> tuple[Array, Array]:
        """Flux seen through a Gaussian line spread, and its relative error in line cores.

        The bins count as part of the line spread. The error is the largest change of the flux
        within the displacement that a star's velocity and the width of the bins allow, so that
        cores and steep flanks of lines count little.
        """
        sd = np.sqrt(max(line_sd_nm**2 - self.step_nm**2 / 12, 0.0)) / self.step_nm
        flux = gaussian_filter1d(self.flux, sd) if sd > 0.1 else self.flux
        value = np.interp(wave_nm, self.wave_nm, flux)
        reach = wave_nm * _VELOCITY_KMS / _LIGHT_KMS + self.step_nm / 2
        moved = [np.interp(wave_nm + side * reach, self.wave_nm, flux) for side in (-1, 1)]
        error = np.max(np.abs(np.stack(moved) - value), axis=0)
        return value, error / np.maximum(value, 1e-30)
