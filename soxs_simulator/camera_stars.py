"""Star fields: positions, proper motions, magnitudes of stellar spectra, and their catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .camera_spectra import (
    CATALOGUE_SYSTEM,
    GRID_NM,
    filter_curves,
    filter_magnitude,
    star_spectra,
)
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

    ``ra_deg``, ``dec_deg`` hold for :data:`CATALOGUE_EPOCH`; ``magnitudes`` maps the camera's
    filters u, g, r, i, z, y, V and the catalogue's PS1_g, PS1_r, PS1_i, PS1_z to one AB magnitude
    per star.
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


def star_field(
    seed: int,
    ra_deg: float,
    dec_deg: float,
    count: int = STARS_PER_FIELD,
    bright: tuple[float, ...] = BRIGHT_STARS,
) -> StarField:
    """Return the stars of a field: the same for the same seed and position (to 0.01 degree).

    Parameters
    ----------
    seed : int
        Seed of the sky.
    ra_deg, dec_deg : float
        Centre of the field.
    count : int
        Stars in the field, bright ones included.
    bright : tuple of float
        r magnitudes of stars near the centre.
    """
    rng = stream(seed, "stars", f"{ra_deg:.2f}", f"{dec_deg:.2f}")
    half = FIELD_ARCMIN / 120
    dec = dec_deg + rng.uniform(-half, half, count)
    ra = ra_deg + rng.uniform(-half, half, count) / np.cos(np.radians(dec_deg))
    near = slice(0, len(bright))
    dec[near] = dec_deg + (dec[near] - dec_deg) * 60 / (3600 * half)
    ra[near] = ra_deg + (ra[near] - ra_deg) * 60 / (3600 * half)
    return StarField(
        ra % 360,
        dec,
        rng.laplace(0.0, 6.0, count),
        rng.laplace(-2.0, 6.0, count),
        _magnitudes(rng, count, bright),
    )


def _magnitudes(
    rng: np.random.Generator, count: int, bright: tuple[float, ...]
) -> dict[str, NDArray[np.float64]]:
    """Magnitudes of stellar spectra through the filter curves; power-law counts in r."""
    low, high = 10 ** (SLOPE * BRIGHTEST), 10 ** (SLOPE * FAINTEST)
    r = np.log10(low + (high - low) * rng.uniform(size=count)) / SLOPE
    r[: len(bright)] = bright
    # Most stars of a high-latitude field are like the Sun or cooler, some are hot.
    temperature = np.where(
        rng.uniform(size=count) < 0.6,
        rng.normal(5600.0, 450.0, count),
        10 ** rng.uniform(np.log10(3000.0), np.log10(9500.0), count),
    )
    metals = np.clip(rng.normal(0.8, 0.35, count), 0.0, None)
    dust = rng.uniform(0.0, 0.3, count)
    spectra = star_spectra(np.clip(temperature, 2900.0, None), metals, dust)
    shape = {name: filter_magnitude(name, GRID_NM, spectra) for name in filter_curves()}
    return {name: r + value - shape[CATALOGUE_SYSTEM + "r"] for name, value in shape.items()}


_COLUMN_NAMES = (
    "RA Dec plx dplx pmra dpmra pmdec dpmdec Gaia dGaia BP dBP RP dRP Teff AGaia dupvar Ag "
    "rp1 r1 r10 g dg gchi gcontrib r dr rchi rcontrib i di ichi icontrib z dz zchi zcontrib "
    "nstat J dJ H dH K dK"
)
CATALOGUE_COLUMNS = tuple(_COLUMN_NAMES.split())
"""Columns of ATLAS-RefCat2 (Tonry et al. 2018), in order."""


RC2_SCALES = {"RA": 1e-8, "Dec": 1e-8, "Teff": 1.0, "dupvar": 1.0, "nstat": 1.0} | {
    name: scale
    for names, scale in (
        ("plx dplx pmra dpmra pmdec dpmdec gchi rchi ichi zchi", 0.01),
        ("rp1 r1 r10", 0.1),
    )
    for name in names.split()
}
"""Unit of the integers of the catalogue's native files; 0.001 where not given."""


def write_catalogue(path: Path, field: StarField, seed: int) -> Path:
    """Write the field as CSV with the columns and units of ATLAS-RefCat2 (degrees, mas, mag).

    The catalogue has errors of its own: 5 mas in position, 0.5 mas per year in proper motion,
    0.008 mag in griz growing towards the faint end, and 3 % of its stars are missing.
    """
    table = _catalogue(field, seed)
    formats = ["%.8f" if name in ("RA", "Dec") else "%.3f" for name in table]
    with path.open("w") as stream_:
        stream_.write(",".join(table) + "\n")
        np.savetxt(stream_, np.column_stack(list(table.values())), fmt=formats, delimiter=",")
    return path


def write_tiles(folder: Path, field: StarField, seed: int) -> list[Path]:
    """Write the field as the catalogue's native files: one per square degree, ``rrr+dd.rc2``.

    They hold scaled integers without a line of names, in order of right ascension; the bitmaps of
    contributors are hexadecimal.
    """
    table = _catalogue(field, seed)
    east, north = np.floor(table["RA"]).astype(int), np.floor(table["Dec"]).astype(int)
    columns = [
        np.rint(table[name] / RC2_SCALES.get(name, 0.001)).astype(np.int64)
        for name in CATALOGUE_COLUMNS
    ]
    formats = ["%02x" if name.endswith("contrib") else "%d" for name in CATALOGUE_COLUMNS]
    columns = [
        np.rint(table[name]).astype(np.int64) if name.endswith("contrib") else column
        for name, column in zip(CATALOGUE_COLUMNS, columns, strict=True)
    ]
    rows = np.column_stack(columns)
    paths = []
    for ra, dec in sorted(set(zip(east.tolist(), north.tolist(), strict=True))):
        inside = (east == ra) & (north == dec)
        part = rows[inside][np.argsort(rows[inside][:, 0])]
        paths.append(folder / f"{ra:03d}{dec:+03d}.rc2")
        np.savetxt(paths[-1], part, fmt=formats, delimiter=",")
    return paths


def _catalogue(field: StarField, seed: int) -> dict[str, NDArray[np.float64]]:
    """Columns of the catalogue."""
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
        true = field.magnitudes[CATALOGUE_SYSTEM + band]
        error = np.hypot(0.008, 0.002 * 10 ** (0.3 * np.clip(true - 16.5, 0, None)))
        table[band] = true + error * rng.standard_normal(count)
        table["d" + band] = error
        table[band + "chi"] = np.ones(count)
        table[band + "contrib"] = np.full(count, 3)
    table["Gaia"] = table["r"] + 0.1
    table["dGaia"] = np.full(count, 0.005)
    table["rp1"] = table["r1"] = table["r10"] = np.full(count, 99.9)
    keep = rng.uniform(size=count) > 0.03
    return {name: column[keep] for name, column in table.items()}
