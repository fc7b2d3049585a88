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
    After Wright & Eastman (2014), as in astropy. Predictions of the Earth's rotation are not asked
    for over the network: without them the velocity is wrong by less than 1 m/s.
    """
    from astropy import units
    from astropy.coordinates import EarthLocation, SkyCoord
    from astropy.time import Time
    from astropy.utils import iers

    longitude, latitude, height = LA_SILLA
    with (
        iers.conf.set_temp("auto_download", False),
        iers.conf.set_temp("iers_degraded_accuracy", "ignore"),
    ):
        place = EarthLocation.from_geodetic(longitude, latitude, height)
        target = SkyCoord(ra_deg, dec_deg, unit="deg")
        velocity = target.radial_velocity_correction(
            "barycentric", obstime=Time(mjd, format="mjd"), location=place
        )
    return float(velocity.to_value(units.km / units.s))
