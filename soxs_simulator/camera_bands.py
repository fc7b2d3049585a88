"""Passbands of the acquisition camera: zero points, extinction, colour terms, night sky.

The numbers are plausible for a 3.58 m telescope and a back-illuminated CCD, not measured: they are
truth by definition, and departures drawn from the seed are added to the zero points.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Band:
    """One filter.

    ``wavelength_nm`` and ``width_nm`` are those of a top hat; ``zero_point`` is the magnitude
    that gives 1 e-/s above the atmosphere; ``colour_term`` multiplies (g - r) - 0.5 in the
    instrumental magnitude; ``extinction`` is in mag per airmass; ``sky`` in mag per square
    arcsec. ugrizy are AB, V is Vega.
    """

    name: str
    wavelength_nm: float
    width_nm: float
    zero_point: float
    extinction: float
    colour_term: float
    sky: float


BANDS = {
    band.name: band
    for band in (
        Band("u", 356.0, 60.0, 23.7, 0.46, 0.05, 22.2),
        Band("g", 477.0, 138.0, 25.9, 0.19, -0.04, 22.0),
        Band("r", 623.0, 138.0, 25.8, 0.10, 0.01, 21.1),
        Band("i", 763.0, 128.0, 25.4, 0.06, 0.02, 20.2),
        Band("z", 913.0, 120.0, 24.6, 0.04, -0.03, 19.0),
        Band("y", 1002.0, 70.0, 23.2, 0.06, 0.02, 17.9),
        Band("V", 551.0, 85.0, 25.5, 0.13, -0.02, 21.6),
    )
}


def band(name: str) -> Band:
    """Return a filter by its name.

    Raises
    ------
    ValueError
        The camera has no such filter.
    """
    if name not in BANDS:
        raise ValueError(f"the camera has no filter {name!r}; use one of: {', '.join(BANDS)}")
    return BANDS[name]
