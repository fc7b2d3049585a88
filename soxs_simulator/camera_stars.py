"""Star fields: positions, proper motions, magnitudes on a stellar locus, and their catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .rng import stream

CATALOGUE_EPOCH = 2015.5
FIELD_ARCMIN = 8.0
STARS_PER_FIELD = 900
BRIGHTEST, FAINTEST = 10.0, 21.5
SLOPE = 0.28
"""log10 of the number of stars per magnitude grows by this per magnitude."""

BRIGHT_STARS = (9.8, 11.2)
"""r magnitudes of two stars within an arcminute of every centre: they saturate."""


@dataclass(frozen=True)
class StarField:
    """Stars around a position; angles in degrees, proper motions in mas per year.

    ``ra_deg``, ``dec_deg`` hold for :data:`CATALOGUE_EPOCH`; ``magnitudes`` maps u, g, r, i, z, y
    (AB) and V (Vega) to one value per star.
    """

    ra_deg: NDArray[np.float64]
    dec_deg: NDArray[np.float64]
    pm_ra: NDArray[np.float64]
    pm_dec: NDArray[np.float64]
    magnitudes: dict[str, NDArray[np.float64]]

    def at(self, epoch: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Right ascension and declination at a Julian epoch, degrees."""
        years = epoch - CATALOGUE_EPOCH
        dec = self.dec_deg + years * self.pm_dec / 3.6e6
        return self.ra_deg + years * self.pm_ra / 3.6e6 / np.cos(np.radians(self.dec_deg)), dec


def star_field(seed: int, ra_deg: float, dec_deg: float) -> StarField:
    """Return the stars of a field: the same for the same seed and position (to 0.01 degree).

    Parameters
    ----------
    seed : int
        Seed of the sky.
    ra_deg, dec_deg : float
        Centre of the field.
    """
    rng = stream(seed, "stars", f"{ra_deg:.2f}", f"{dec_deg:.2f}")
    count = STARS_PER_FIELD
    half = FIELD_ARCMIN / 120
    dec = dec_deg + rng.uniform(-half, half, count)
    ra = ra_deg + rng.uniform(-half, half, count) / np.cos(np.radians(dec_deg))
    bright = slice(0, len(BRIGHT_STARS))
    dec[bright] = dec_deg + (dec[bright] - dec_deg) * 60 / (3600 * half)
    ra[bright] = ra_deg + (ra[bright] - ra_deg) * 60 / (3600 * half)
    return StarField(
        ra % 360,
        dec,
        rng.laplace(0.0, 6.0, count),
        rng.laplace(-2.0, 6.0, count),
        _magnitudes(rng, count),
    )


def _magnitudes(rng: np.random.Generator, count: int) -> dict[str, NDArray[np.float64]]:
    """Magnitudes from a power-law count and a one-dimensional stellar locus with scatter."""
    low, high = 10 ** (SLOPE * BRIGHTEST), 10 ** (SLOPE * FAINTEST)
    r = np.log10(low + (high - low) * rng.uniform(size=count)) / SLOPE
    r[: len(BRIGHT_STARS)] = BRIGHT_STARS
    colour = np.where(
        rng.uniform(size=count) < 0.6, rng.normal(0.5, 0.15, count), rng.uniform(0.0, 1.4, count)
    )
    scatter = rng.normal(0.0, 0.015, (4, count))
    g = r + colour
    i = r - 0.43 * colour - 0.25 * np.clip(colour - 1.15, 0, None) + scatter[0]
    z = i - 0.24 * colour + 0.02 + scatter[1]
    y = z - 0.10 * colour + 0.01 + scatter[2]
    u = g + 0.85 + 0.95 * colour + scatter[3]
    # V from g and r: Jester et al. (2005), stars with R - I < 1.15.
    return {"u": u, "g": g, "r": r, "i": i, "z": z, "y": y, "V": g - 0.59 * colour - 0.01}


_COLUMN_NAMES = (
    "RA Dec plx dplx pmra dpmra pmdec dpmdec Gaia dGaia BP dBP RP dRP Teff AGaia dupvar Ag "
    "rp1 r1 r10 g dg gchi gcontrib r dr rchi rcontrib i di ichi icontrib z dz zchi zcontrib "
    "nstat J dJ H dH K dK"
)
CATALOGUE_COLUMNS = tuple(_COLUMN_NAMES.split())
"""Columns of ATLAS-RefCat2 (Tonry et al. 2018), in order."""


def write_catalogue(path: Path, field: StarField, seed: int) -> Path:
    """Write the field as CSV with the columns and units of ATLAS-RefCat2 (degrees, mas, mag).

    The catalogue has errors of its own: 5 mas in position, 0.5 mas per year in proper motion,
    0.008 mag in griz growing towards the faint end, and 3 % of its stars are missing.
    """
    rng = stream(seed, "catalogue")
    count = field.ra_deg.size
    scatter = rng.normal(0.0, 5.0 / 3.6e6, (2, count))
    table = {name: np.zeros(count) for name in CATALOGUE_COLUMNS}
    table["RA"] = field.ra_deg + scatter[0] / np.cos(np.radians(field.dec_deg))
    table["Dec"] = field.dec_deg + scatter[1]
    table["pmra"] = field.pm_ra + rng.normal(0, 0.5, count)
    table["pmdec"] = field.pm_dec + rng.normal(0, 0.5, count)
    table["dpmra"] = table["dpmdec"] = np.full(count, 0.5)
    for band in "griz":
        true = field.magnitudes[band]
        error = np.hypot(0.008, 0.002 * 10 ** (0.3 * np.clip(true - 16.5, 0, None)))
        table[band] = true + error * rng.standard_normal(count)
        table["d" + band] = error
        table[band + "chi"] = np.ones(count)
        table[band + "contrib"] = np.full(count, 3)
    table["Gaia"] = table["g"] - 0.3 * (field.magnitudes["g"] - field.magnitudes["r"])
    table["dGaia"] = np.full(count, 0.005)
    table["rp1"] = table["r1"] = table["r10"] = np.full(count, 99.9)
    keep = rng.uniform(size=count) > 0.03
    _write_csv(path, {name: column[keep] for name, column in table.items()})
    return path


def _write_csv(path: Path, table: dict[str, NDArray[np.float64]]) -> None:
    """Write columns as CSV: eight decimals for angles, three for everything else."""
    formats = ["%.8f" if name in ("RA", "Dec") else "%.3f" for name in table]
    with path.open("w") as stream_:
        stream_.write(",".join(table) + "\n")
        np.savetxt(stream_, np.column_stack(list(table.values())), fmt=formats, delimiter=",")
