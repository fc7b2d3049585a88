"""Positions on the sky, and on the plane that touches it at a point."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

ARCSEC_PER_DEGREE = 3600.0


def to_plane(
    ra_deg: ArrayLike, dec_deg: ArrayLike, ra0_deg: float, dec0_deg: float
) -> tuple[Array, Array]:
    """Gnomonic projection: standard coordinates to the east and north, arcsec.

    Parameters
    ----------
    ra_deg, dec_deg : array_like
        Positions; those more than 90 degrees away come out as NaN.
    ra0_deg, dec0_deg : float
        Where the plane touches the sky.
    """
    ra = np.radians(np.asarray(ra_deg, dtype=float) - ra0_deg)
    dec, dec0 = np.radians(np.asarray(dec_deg, dtype=float)), np.radians(dec0_deg)
    depth = np.sin(dec) * np.sin(dec0) + np.cos(dec) * np.cos(dec0) * np.cos(ra)
    depth = np.where(depth > 0, depth, np.nan)
    xi = np.cos(dec) * np.sin(ra) / depth
    eta = (np.sin(dec) * np.cos(dec0) - np.cos(dec) * np.sin(dec0) * np.cos(ra)) / depth
    return np.degrees(xi) * ARCSEC_PER_DEGREE, np.degrees(eta) * ARCSEC_PER_DEGREE


def from_plane(
    xi_arcsec: ArrayLike, eta_arcsec: ArrayLike, ra0_deg: float, dec0_deg: float
) -> tuple[Array, Array]:
    """Right ascension (0 to 360) and declination, degrees, of standard coordinates."""
    xi = np.radians(np.asarray(xi_arcsec, dtype=float) / ARCSEC_PER_DEGREE)
    eta = np.radians(np.asarray(eta_arcsec, dtype=float) / ARCSEC_PER_DEGREE)
    dec0 = np.radians(dec0_deg)
    across = np.cos(dec0) - eta * np.sin(dec0)
    ra = np.degrees(np.arctan2(xi, across)) + ra0_deg
    dec = np.degrees(np.arctan2(np.sin(dec0) + eta * np.cos(dec0), np.hypot(xi, across)))
    return ra % 360, dec


def moved_by_proper_motion(
    ra_deg: ArrayLike, dec_deg: ArrayLike, pm_ra: ArrayLike, pm_dec: ArrayLike, years: float
) -> tuple[Array, Array]:
    """Positions some years later; proper motions in mas per year, that in RA times cos(dec)."""
    dec = np.asarray(dec_deg, dtype=float)
    east = np.asarray(pm_ra, dtype=float) * years / 3.6e6 / np.cos(np.radians(dec))
    north = np.asarray(pm_dec, dtype=float) * years / 3.6e6
    return (np.asarray(ra_deg, dtype=float) + east) % 360, dec + north
