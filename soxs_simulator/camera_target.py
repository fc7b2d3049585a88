"""The spectroscopic target as the acquisition camera sees it."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

from .camera_spectra import filter_curves, filter_magnitude
from .camera_stars import StarField


@lru_cache(maxsize=32)
def target_magnitudes(name: str, seed: int, ideal: bool = False) -> dict[str, float]:
    """Magnitudes of a target in all filters, from the spectrum that the slit sees.

    The first point source of the target counts.

    Parameters
    ----------
    name : str
        Target as the scenes know it.
    seed, ideal
        Seed of the night, and whether standards follow their reference exactly.

    Returns
    -------
    dict
        Filter to AB magnitude, for every filter of the package's table; empty if there is no such
        target or it has no point source.
    """
    from .sources import UnknownTargetError, find_target

    try:
        points = find_target(name, seed, ideal).points
    except UnknownTargetError:
        return {}
    if not points:
        return {}
    return {name: _magnitude(points[0].photons, name) for name in filter_curves()}


def _magnitude(photons: np.ndarray, name: str) -> float:
    """AB magnitude of a photon spectrum (per m2 and nm) on the common grid."""
    from .spectra import energy_flux, high_resolution_grid

    wave = high_resolution_grid().air_nm
    return float(filter_magnitude(name, wave, energy_flux(photons, wave)))


def with_target(
    field: StarField, magnitudes: dict[str, float], ra_deg: float, dec_deg: float
) -> StarField:
    """Return the field with the target, without proper motion, as its last star."""
    return replace(
        field,
        ra_deg=np.append(field.ra_deg, ra_deg),
        dec_deg=np.append(field.dec_deg, dec_deg),
        pm_ra=np.append(field.pm_ra, 0.0),
        pm_dec=np.append(field.pm_dec, 0.0),
        magnitudes={
            name: np.append(column, magnitudes[name]) for name, column in field.magnitudes.items()
        },
    )
