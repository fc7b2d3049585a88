"""Passbands of the acquisition camera: zero points, extinction, night sky.

The numbers are plausible for a 3.58 m telescope and a back-illuminated CCD, not measured: they are
truth by definition, and departures drawn from the seed are added to the zero points. The shape of
the filters stands in the package's table of filter curves.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Band:
    """One filter.

    ``wavelength_nm`` is about the middle; ``zero_point`` is the AB magnitude in the filter itself
    that gives 1 e-/s above the atmosphere; ``extinction`` is in mag per airmass; ``sky`` in mag
    per square arcsec.
    """

    name: str
    wavelength_nm: float
    zero_point: float
    extinction: float
    sky: float


BANDS = {
    band.name: band
    for band in (
        Band("u", 356.0, 23.7, 0.46, 22.2),
        Band("g", 477.0, 25.9, 0.19, 22.0),
        Band("r", 623.0, 25.8, 0.10, 21.1),
        Band("i", 763.0, 25.4, 0.06, 20.2),
        Band("z", 913.0, 24.6, 0.04, 19.0),
        Band("y", 1002.0, 23.2, 0.06, 17.9),
        Band("V", 551.0, 25.5, 0.13, 21.6),
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
