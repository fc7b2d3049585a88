"""Light lost at the slit: a seeing disc on it, wider in the blue, displaced by refraction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.special import stdtr

from soxs_recipes.algorithms.air_vacuum import refractive_index

Array = NDArray[np.float64]

REFERENCE_NM = 500.0
SEEING_POWER = -0.2
"""Width of the seeing disc against wavelength (Kolmogorov turbulence; Fried 1966)."""
AIRMASS_POWER = 0.6
PROFILE_POWER = 3.0
"""Exponent of the profile of a star (Moffat 1969), typical of images of telescopes."""
MONITOR_ERROR = 0.2
"""Relative error of the seeing at the slit where only a monitor tells it."""
MEASURED_ERROR = 0.04
"""The same where the width of the image along the slit was measured."""
INSTRUMENT_FWHM_ARCSEC = 0.37
"""Width that the spectrograph adds along the slit: a pinhole's image, 1.7 px, less the hole."""
PINHOLE_ARCSEC = 0.5
"""Diameter of a pinhole."""
CENTRED_NM = 1200.0
"""Wavelength that is centred on the slit where refraction is not compensated (an assumption)."""

_SHARPEST_ARCSEC = 0.3
# What is not known of the disc: its profile, its change with wavelength, its place on the slit.
_OTHER_PROFILE_POWER = 3.5
_OTHER_SEEING_POWER = -0.25
_CENTRING_ARCSEC = 0.1
_ARCSEC = np.degrees(1.0) * 3600
# Density of the air over the observatory, 770 hPa and 285 K, relative to standard air.
_DENSITY = 770.0 / 1013.25 * 288.15 / 285.0
_STEP_ARCSEC = 0.02
_FWHM_PER_SD = 2 * np.sqrt(2 * np.log(2))


@dataclass(frozen=True)
class Disc:
    """What discs have in common whatever the seeing.

    Attributes
    ----------
    profile_power : float
        Exponent of the Moffat profile.
    seeing_power : float
        Exponent of the width against wavelength.
    offset_arcsec : float
        Distance of all wavelengths from the middle of the slit.
    """

    profile_power: float = PROFILE_POWER
    seeing_power: float = SEEING_POWER
    offset_arcsec: float = 0.0


USUAL = Disc()


@dataclass(frozen=True)
class Seen:
    """How a star was seen.

    Attributes
    ----------
    fwhm_arcsec : float
        Width of its disc at 500 nm.
    slit_arcsec : float
        Width of the slit.
    relative_error : float
        Of the width of the disc.
    across : float
        Refraction across the slit per refraction at a zenith distance of 45 degrees: tangent of
        the zenith distance times sine of the angle between slit and zenith; 0 if compensated.
    """

    fwhm_arcsec: float
    slit_arcsec: float
    relative_error: float = MONITOR_ERROR
    across: float = 0.0

    def passed(self, wave_nm: ArrayLike, disc: Disc = USUAL) -> Array:
        """Share of the light that passes the slit at a wavelength."""
        wave = np.asarray(wave_nm, float)
        fwhm = seeing_fwhm(wave, self.fwhm_arcsec, disc.seeing_power)
        offset = disc.offset_arcsec + self.across * refraction_arcsec(wave)
        return slit_transmission(fwhm, self.slit_arcsec, offset, disc.profile_power)

    def wider(self) -> Seen:
        """The same with a disc that is wider by its error."""
        return replace(self, fwhm_arcsec=self.fwhm_arcsec * (1 + self.relative_error))


def pinhole_blur(image_arcsec: float) -> float:
    """Width that the spectrograph adds, from that of the image of a pinhole (variances add)."""
    hole = PINHOLE_ARCSEC / 4 * _FWHM_PER_SD
    return float(np.sqrt(max(image_arcsec**2 - hole**2, (0.2 * image_arcsec) ** 2)))


def seeing_from_image(
    measured_arcsec: float,
    wave_nm: float,
    slit_arcsec: float,
    blur_arcsec: float = INSTRUMENT_FWHM_ARCSEC,
) -> float:
    """Width of the disc at 500 nm from that of an image along the slit.

    Along the slit the image is wider than the disc: light is summed over the width of the slit,
    which for an open slit makes a Moffat profile of exponent b - 1/2 (10 % wider for b = 3), and
    the spectrograph blurs it.

    Parameters
    ----------
    measured_arcsec : float
        FWHM along the slit on the detector.
    wave_nm : float
        Wavelength that it holds for.
    slit_arcsec : float
        Width of the slit.
    blur_arcsec : float
        FWHM of the spectrograph's own blur, pixels included.
    """
    disc, image = _images(slit_arcsec, round(blur_arcsec, 3))
    fwhm = max(float(np.interp(measured_arcsec, image, disc)), _SHARPEST_ARCSEC)
    return float(fwhm / seeing_fwhm(wave_nm, 1.0))


@lru_cache(maxsize=8)
def _images(slit_arcsec: float, blur_arcsec: float) -> tuple[Array, Array]:
    """Widths of discs, and of their images along the slit on the detector."""
    discs = np.geomspace(0.1, 8.0, 60)
    along = np.arange(0.0, 14.0, _STEP_ARCSEC)
    node, weight = np.polynomial.legendre.leggauss(16)
    across = slit_arcsec / 2 * node
    core = (_core(discs, PROFILE_POWER) ** 2)[:, None, None]
    light = 1 + (across[:, None] ** 2 + along**2) / core
    profile = np.einsum("a,dal->dl", weight, light**-PROFILE_POWER)
    blur = blur_arcsec / _FWHM_PER_SD / _STEP_ARCSEC
    profile = gaussian_filter1d(profile, blur, axis=1, mode="mirror")
    half = [np.interp(-row[0] / 2, -row, along) for row in profile]
    return discs, 2 * np.array(half)


def off_zenith(fwhm_arcsec: float, airmass: float) -> float:
    """Seeing at an airmass from that at zenith."""
    return fwhm_arcsec * airmass**AIRMASS_POWER


def seeing_fwhm(wave_nm: ArrayLike, fwhm_arcsec: float, power: float = SEEING_POWER) -> Array:
    """Width of a point source at wavelengths, from that at 500 nm."""
    return fwhm_arcsec * (np.asarray(wave_nm, float) / REFERENCE_NM) ** power


def refraction_arcsec(wave_nm: ArrayLike) -> Array:
    """Height of a wavelength above the one that is centred, at a zenith distance of 45 degrees.

    Plane-parallel atmosphere (Filippenko 1982), dry air of the observatory.
    """
    difference = refractive_index(wave_nm) - refractive_index(CENTRED_NM)
    return difference * _DENSITY * _ARCSEC


def across_slit(airmass: float, parallactic_deg: ArrayLike, slit_deg: float) -> float:
    """Share of refraction that goes across the slit, as `Seen` has it.

    Parameters
    ----------
    airmass : float
        Airmass.
    parallactic_deg : array_like
        Position angles of the zenith during the exposure.
    slit_deg : float
        Position angle of the slit.
    """
    angle = np.radians(np.asarray(parallactic_deg, float) - slit_deg)
    return float(np.sqrt(max(airmass**2 - 1.0, 0.0)) * np.mean(np.sin(angle)))


def slit_transmission(
    fwhm_arcsec: ArrayLike,
    slit_arcsec: float,
    offset_arcsec: ArrayLike = 0.0,
    power: float = PROFILE_POWER,
) -> Array:
    """Share of a star that passes a long slit, at a distance from its middle.

    Across the slit a Moffat profile of exponent b is distributed like Student's t with 2 b - 2
    degrees of freedom.
    """
    freedom = 2 * power - 2
    scale = np.sqrt(freedom) / _core(np.asarray(fwhm_arcsec, float), power)
    offset = np.asarray(offset_arcsec, float)
    edges = (slit_arcsec / 2 - offset, -slit_arcsec / 2 - offset)
    upper, lower = (stdtr(freedom, edge * scale) for edge in edges)
    return upper - lower


def _core(fwhm_arcsec: Array, power: float) -> Array:
    return fwhm_arcsec / 2 / np.sqrt(2 ** (1 / power) - 1)


def relative_loss(
    wave_nm: ArrayLike, science: Seen, standard: Seen, anchor_nm: float | None = None
) -> tuple[Array, Array]:
    """Factor that makes good what the slit took from the target and not from the standard.

    Parameters
    ----------
    wave_nm : array_like
        Wavelengths.
    science, standard : Seen
        The target, and the standard that the response comes from.
    anchor_nm : float, optional
        Wavelength at which the flux is known from elsewhere: there the error is 0.

    Returns
    -------
    factor, relative_error : ndarray
        The error is that of the widths of both discs, of their profile and its change with
        wavelength, of the centring of the target, and all of the refraction across its slit.
    """
    wave = np.asarray(wave_nm, float)

    def ratio(
        at_nm: Array,
        seen: Seen = science,
        other: Seen = standard,
        disc: Disc = USUAL,
        offset: float = 0.0,
    ) -> Array:
        moved = replace(disc, offset_arcsec=offset)
        return other.passed(at_nm, disc) / seen.passed(at_nm, moved)

    def departure(**changes: object) -> Array:
        here = ratio(wave, **changes) / factor
        if anchor_nm is None:
            return here - 1
        anchor = np.asarray(anchor_nm)
        return here * ratio(anchor) / ratio(anchor, **changes) - 1

    factor = ratio(wave)
    others = (
        departure(seen=science.wider()),
        departure(other=standard.wider()),
        departure(disc=Disc(profile_power=_OTHER_PROFILE_POWER)),
        departure(disc=Disc(seeing_power=_OTHER_SEEING_POWER)),
        departure(offset=_CENTRING_ARCSEC),
        departure(seen=replace(science, across=0.0)),
    )
    return factor, np.sqrt(sum(other**2 for other in others))
