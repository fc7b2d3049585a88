"""Motion of the telescope towards a target."""

from __future__ import annotations

LA_SILLA = (-70.7317, -29.2567, 2375.0)
"""Geodetic longitude and latitude (degrees, WGS 84) and height (m) of the NTT."""


def barycentric_velocity_kms(ra_deg: float, dec_deg: float, mjd: float) -> float:
    """Velocity to be added to one measured at La Silla to refer it to the barycentre.

    Parameters
    ----------
    ra_deg, dec_deg : float
        Position (ICRS; FK5 differs by less than 1 m/s).
    mjd : float
        Middle of the observation, UTC.

    Notes
    -----
    After Wright & Eastman (2014), as in astropy. The Earth is taken to turn with UTC about a pole
    that stands still: tables of its rotation would change the velocity by less than 0.05 m/s, and
    reading them takes longer than all else.
    """
    from astropy import units
    from astropy.coordinates import EarthLocation, SkyCoord
    from astropy.time import Time
    from astropy.utils import iers

    longitude, latitude, height = LA_SILLA
    still = {"MJD": [0.0, 1e6] * units.day, "UT1_UTC": [0.0, 0.0] * units.s}
    still |= {name: [0.0, 0.0] * units.arcsec for name in ("PM_x", "PM_y", "dX_2000A", "dY_2000A")}
    with iers.earth_orientation_table.set(iers.IERS(still)):
        place = EarthLocation.from_geodetic(longitude, latitude, height)
        target = SkyCoord(ra_deg, dec_deg, unit="deg")
        velocity = target.radial_velocity_correction(
            "barycentric", obstime=Time(mjd, format="mjd"), location=place
        )
    return float(velocity.to_value(units.km / units.s))
