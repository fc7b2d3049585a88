"""Images of the acquisition camera as ESO's science data products (ESO-044286, IMAGE)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from soxs_recipes.products.phase3_observation import Observation

Card = tuple[bool | int | float | str, str]

CATEGORY = "SCIENCE.IMAGE"
LIMIT_SIGMA = 5.0


@dataclass(frozen=True)
class ImagePhotometry:
    """Photometric calibration of an image.

    Attributes
    ----------
    filter_name : str
        Filter.
    zero_point_ab, zero_point_error : float
        Magnitude of one unit of the image (extinction taken out), and its standard error.
    limit_ab : float
        Limiting magnitude of point sources at 5 sigma; see `limiting_magnitude`.
    saturation_ab : float
        Magnitude at which point sources saturate.
    psf_fwhm_arcsec : float
        Image quality.
    unit : str
        Unit of the pixels.
    flux_error_percent : float
        Error of the flux scale; -2 where it is not known.
    """

    filter_name: str
    zero_point_ab: float
    zero_point_error: float
    limit_ab: float
    saturation_ab: float
    psf_fwhm_arcsec: float
    unit: str = "electron"
    flux_error_percent: float = -2.0


def limiting_magnitude(noise_per_px: float, psf_fwhm_px: float, zero_point_ab: float) -> float:
    """Magnitude of a point source at 5 sigma, measured with its own profile as weight.

    Parameters
    ----------
    noise_per_px : float
        Standard deviation of a pixel of sky, uncorrelated with its neighbours.
    psf_fwhm_px : float
        Width of the Gaussian profile.
    zero_point_ab : float
        Magnitude of one unit.

    Notes
    -----
    The standard's formula with the noise of the image smoothed by the profile, which comes to the
    noise of a fit of a Gaussian profile: sigma_px fwhm sqrt(pi / (2 ln 2)).
    """
    noise = noise_per_px * psf_fwhm_px * math.sqrt(math.pi / (2 * math.log(2)))
    return zero_point_ab - 2.5 * math.log10(LIMIT_SIGMA * noise)


def image_primary_cards(
    observation: Observation, photometry: ImagePhotometry
) -> dict[str, Card | None]:
    """Cards of the primary header; those that are None must not be there."""
    return {
        "PRODCATG": (CATEGORY, "Data product category"),
        **observation.cards(),
        "FILTER": (photometry.filter_name, "Filter name"),
        "FLUXCAL": ("ABSOLUTE", "Quality of the flux calibration"),
        "FLUXERR": (photometry.flux_error_percent, "[%] Error of the flux scale, -2 unknown"),
        "ARCFILE": None,
        "ORIGFILE": None,
    }


def image_extension_cards(photometry: ImagePhotometry) -> dict[str, Card]:
    """Cards of the extension with the data, beside its HDU classes and coordinates."""
    return {
        "BUNIT": (photometry.unit, "Unit of the pixels"),
        "PHOTZP": (photometry.zero_point_ab, "[mag] MAG = -2.5 log(data) + PHOTZP"),
        "PHOTZPER": (photometry.zero_point_error, "[mag] Error of PHOTZP"),
        "PHOTSYS": ("AB", "Photometric system"),
        "ABMAGLIM": (photometry.limit_ab, "[mag] 5-sigma limit for point sources"),
        "ABMAGSAT": (photometry.saturation_ab, "[mag] Saturation limit for point sources"),
        "PSF_FWHM": (photometry.psf_fwhm_arcsec, "[arcsec] Image quality"),
    }
