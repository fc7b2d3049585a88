"""Where a target stands over La Silla, and what the air does during a night."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .exposure import Pointing, mjd
from .rng import coloured_noise, stream

LATITUDE_DEG = -29.2567
LONGITUDE_DEG = -70.7377


def local_sidereal_deg(time_mjd: float) -> float:
    """Local mean sidereal time (Meeus 1998, eq. 12.4; UT1 taken as UTC), degrees."""
    days = time_mjd - 51544.5
    return (280.46061837 + 360.98564736629 * days + LONGITUDE_DEG) % 360


def horizon(ra_deg: float, dec_deg: float, time_mjd: float) -> tuple[float, float, float]:
    """Altitude, azimuth (from south through west) and parallactic angle, degrees."""
    hour = np.radians(local_sidereal_deg(time_mjd) - ra_deg)
    dec, lat = np.radians(dec_deg), np.radians(LATITUDE_DEG)
    altitude = np.arcsin(np.sin(lat) * np.sin(dec) + np.cos(lat) * np.cos(dec) * np.cos(hour))
    azimuth = np.arctan2(np.sin(hour), np.cos(hour) * np.sin(lat) - np.tan(dec) * np.cos(lat))
    parallactic = np.arctan2(np.sin(hour), np.tan(lat) * np.cos(dec) - np.sin(dec) * np.cos(hour))
    angles = np.degrees([altitude, azimuth, parallactic])
    return float(angles[0]), float(angles[1] % 360), float(angles[2])


def airmass(altitude_deg: float) -> float:
    """Relative airmass (Hardie 1962)."""
    excess = 1 / np.sin(np.radians(altitude_deg)) - 1
    return float(1 + excess - 0.0018167 * excess - 0.002875 * excess**2 - 0.0008083 * excess**3)


@dataclass(frozen=True)
class NightSky:
    """Slow changes of one night: seeing and water vapour against time, drawn from the seed.

    ``transparency`` is what clouds let pass of the light of stars.
    """

    seed: int
    start_ms: int
    hours: float = 24.0
    seeing_arcsec: float = 0.85
    pwv_mm: float = 3.0
    steady: bool = False
    transparency: float = 1.0

    def seeing(self, time_ms: int) -> float:
        """Seeing of the site monitor: FWHM at zenith and 500 nm, arcsec."""
        return self.seeing_arcsec * float(np.exp(0.15 * self._wander("seeing", time_ms)))

    def pwv(self, time_ms: int) -> float:
        """Precipitable water vapour at zenith, mm."""
        return self.pwv_mm * float(np.exp(0.10 * self._wander("water", time_ms)))

    def _wander(self, what: str, time_ms: int) -> float:
        """Interpolate a slow random series of SD 1; zero on a steady night."""
        if self.steady:
            return 0.0
        series = coloured_noise(stream(self.seed, "night", what), 128, exponent=2.5)[0]
        hour = (time_ms - self.start_ms) / 3.6e6
        return float(np.interp(hour, np.linspace(0, self.hours, series.size), series))

    def pointing(self, ra_deg: float, dec_deg: float, start_ms: int, exptime_s: float) -> Pointing:
        """Return the track of a target during one exposure, slit at the parallactic angle."""
        end_ms = start_ms + round(1000 * exptime_s)
        first = horizon(ra_deg, dec_deg, mjd(start_ms))
        last = horizon(ra_deg, dec_deg, mjd(end_ms))
        return Pointing(
            ra_deg=ra_deg,
            dec_deg=dec_deg,
            airmass=(airmass(first[0]), airmass(last[0])),
            parallactic_deg=(first[2], last[2]),
            azimuth_deg=first[1],
            altitude_deg=first[0],
            seeing_arcsec=(self.seeing(start_ms), self.seeing(end_ms)),
            rotator_deg=last[2],
            transparency=self.transparency,
        )


def flexure_px(pointing: Pointing, size_px: float, arm: str) -> tuple[float, float]:
    """Shift of the spectra that the flexure compensation leaves, unbinned pixels (x, y).

    It follows gravity as seen by the rotating instrument; the arms move differently.
    """
    sag = np.cos(np.radians(pointing.altitude_deg))
    phase = np.radians(pointing.rotator_deg) + {"VIS": 0.4, "NIR": 2.1, "ACQ": 0.0}[arm]
    return float(size_px * sag * np.sin(phase)), float(size_px * sag * np.cos(phase))
