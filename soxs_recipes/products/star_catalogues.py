"""ATLAS-RefCat2 (Tonry et al. 2018) from local files: native tiles, CSV, FITS tables.

Native tiles (``rrr+dd.rc2``) hold one star per line in 44 scaled integers without names; CSV files
hold a line of names and ordinary units (degrees, mas, magnitudes); FITS tables the same columns.
Positions are of Gaia DR2, epoch 2015.5; griz are in the system of Pan-STARRS 1.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.algorithms.tangent_plane import moved_by_proper_motion, to_plane
from soxs_recipes.errors import InputError
from soxs_recipes.products.fits_input import GZIP_MAGIC, open_fits

Array = NDArray[np.float64]

EPOCH = 2015.5
BANDS = ("g", "r", "i", "z")
_NATIVE = (
    "RA Dec plx dplx pmra dpmra pmdec dpmdec Gaia dGaia BP dBP RP dRP Teff AGaia dupvar Ag "
    "rp1 r1 r10 g dg gchi gcontrib r dr rchi rcontrib i di ichi icontrib z dz zchi zcontrib "
    "nstat J dJ H dH K dK"
)
# Unit of the integers of a native tile.
_ANGLE, _MOTION, _MAGNITUDE = 1e-8, 1e-2, 1e-3
_NEEDED = ("ra", "dec", *BANDS, *(f"d{band}" for band in BANDS))
_MOTIONS = ("pmra", "pmdec")
# Without proper motions positions are good for this long, years.
_SHORT_YEARS = 2.0
_BRIGHTEST, _FAINTEST = 0.0, 30.0
MAGNITUDE_LIMITS = (_BRIGHTEST, _FAINTEST)


class CatalogueFormatError(InputError):
    """A file is no star catalogue in a form that can be read."""


class TruncatedCatalogueError(InputError):
    """A catalogue ends in the middle of a star."""


class CatalogueFieldError(InputError):
    """A catalogue holds no star of the field."""


class CatalogueEpochError(InputError):
    """Positions of a catalogue cannot be brought to the time of the image."""


@dataclass(frozen=True)
class StarCatalogue:
    """Stars of a catalogue.

    Attributes
    ----------
    ra_deg, dec_deg : ndarray
        Positions.
    pm_ra, pm_dec : ndarray or None
        Proper motions, mas per year, that in RA times cos(dec); None if the file has none.
    epoch : float
        Julian year of the positions.
    magnitudes, errors : mapping of str to ndarray
        AB magnitudes in g, r, i, z of Pan-STARRS 1 and their errors; NaN where unknown.
    files : tuple of Path
        Where it comes from.
    """

    ra_deg: Array
    dec_deg: Array
    pm_ra: Array | None
    pm_dec: Array | None
    epoch: float
    magnitudes: Mapping[str, Array]
    errors: Mapping[str, Array]
    files: tuple[Path, ...]

    def __len__(self) -> int:
        return len(self.ra_deg)

    def chosen(self, which: NDArray) -> StarCatalogue:
        """Return some of the stars."""
        motions = (None if pm is None else pm[which] for pm in (self.pm_ra, self.pm_dec))
        return StarCatalogue(
            self.ra_deg[which],
            self.dec_deg[which],
            *motions,
            self.epoch,
            {band: values[which] for band, values in self.magnitudes.items()},
            {band: values[which] for band, values in self.errors.items()},
            self.files,
        )

    def at(self, epoch: float) -> StarCatalogue:
        """Return the catalogue with positions of another Julian year.

        Raises
        ------
        CatalogueEpochError
            If it has no proper motions and the years apart are too many.
        """
        years = epoch - self.epoch
        if self.pm_ra is None or self.pm_dec is None:
            if abs(years) <= _SHORT_YEARS:
                return self
            raise CatalogueEpochError(
                "The catalogue's positions are of another epoch and it has no proper motions",
                file=self.files[0],
                expected=f"columns pmra and pmdec, or positions of about {epoch:.1f}",
                found=f"positions of {self.epoch:.1f}",
                remedy="give the catalogue with its proper motions",
            )
        moved = moved_by_proper_motion(self.ra_deg, self.dec_deg, self.pm_ra, self.pm_dec, years)
        return StarCatalogue(
            *moved, self.pm_ra, self.pm_dec, epoch, self.magnitudes, self.errors, self.files
        )

    def around(self, ra_deg: float, dec_deg: float, radius_arcsec: float) -> StarCatalogue:
        """Return the stars within a radius of a position.

        Raises
        ------
        CatalogueFieldError
            If it has stars, but none there.
        """
        xi, eta = to_plane(self.ra_deg, self.dec_deg, ra_deg, dec_deg)
        inside = np.hypot(xi, eta) < radius_arcsec
        if len(self) and not inside.any():
            raise CatalogueFieldError(
                "The catalogue has no star near the field",
                file=self.files[0],
                expected=f"stars within {radius_arcsec:.0f} arcsec of RA {ra_deg:.5f}, "
                f"Dec {dec_deg:+.5f}",
                found=f"{len(self)} stars, RA {self.ra_deg.min():.3f} to {self.ra_deg.max():.3f}, "
                f"Dec {self.dec_deg.min():+.3f} to {self.dec_deg.max():+.3f}",
                remedy="give the catalogue of this field (native tiles: of this square degree "
                "and its neighbours)",
            )
        return self.chosen(inside)


def read_star_catalogue(paths: Sequence[Path]) -> StarCatalogue:
    """Read one catalogue from one or more files of any of the forms.

    Raises
    ------
    CatalogueFormatError, TruncatedCatalogueError, UnreadableFrameError
        If a file is not as it should be.
    """
    parts = [_read(path) for path in paths]
    epochs = {epoch for _, epoch in parts}
    if len(epochs) > 1:
        raise CatalogueEpochError(
            "The files of the catalogue differ in epoch",
            file=paths[0],
            expected="one epoch",
            found=", ".join(f"{epoch:.1f}" for epoch in sorted(epochs)),
            remedy="give files of one catalogue",
        )
    names = set.intersection(*(set(table) for table, _ in parts))
    table = {name: np.concatenate([part[name] for part, _ in parts]) for name in names}
    has_motions = set(_MOTIONS) <= names
    return StarCatalogue(
        table["ra"],
        table["dec"],
        table["pmra"] if has_motions else None,
        table["pmdec"] if has_motions else None,
        epochs.pop(),
        {band: _known(table[band]) for band in BANDS},
        {band: _error(table[f"d{band}"]) for band in BANDS},
        tuple(paths),
    )


def _known(magnitude: Array) -> Array:
    """Magnitudes; the catalogue writes 0 where it has none."""
    inside = (magnitude > _BRIGHTEST) & (magnitude < _FAINTEST)
    return np.where(inside, magnitude, np.nan)


def _error(error: Array) -> Array:
    return np.where((error > 0) & (error < 1), error, np.nan)


def _read(path: Path) -> tuple[dict[str, Array], float]:
    """Columns that are needed, by lower-case name, and the epoch."""
    try:
        with path.open("rb") as stream:
            magic = stream.read(9)
    except OSError as error:
        raise CatalogueFormatError(
            "The star catalogue cannot be read",
            file=path,
            found=error.strerror or str(error),
            remedy="check the path in the set of frames",
        ) from error
    if magic.startswith(b"SIMPLE  =") or path.name.endswith((".fits", ".fits.gz")):
        return _read_fits(path)
    lines = _lines(path, magic.startswith(GZIP_MAGIC))
    is_native = bool(lines) and _is_number(lines[0].split(",")[0])
    names = _NATIVE.split() if is_native else _header(lines, path)
    rows = [line.split(",") for line in (lines if is_native else lines[1:])]
    _check_rows(rows, len(names), path, 1 if is_native else 2)
    return _numbers(rows, names, is_native, path), EPOCH


def _lines(path: Path, packed: bool) -> list[str]:
    try:
        data = gzip.decompress(path.read_bytes()) if packed else path.read_bytes()
    except (OSError, EOFError) as error:
        raise TruncatedCatalogueError(
            "The packed star catalogue is damaged",
            file=path,
            found=str(error),
            remedy="copy or download the file again",
        ) from error
    text = data.decode("ascii", errors="replace")
    if text and not text.endswith("\n"):
        raise TruncatedCatalogueError(
            "The star catalogue ends in the middle of a line",
            file=path,
            expected="an end of line behind the last star",
            found=repr(text[text.rfind("\n") + 1 :][-40:]),
            remedy="copy or download the file again",
        )
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _header(lines: Sequence[str], path: Path) -> list[str]:
    names = [name.strip() for name in next(csv.reader(lines[:1]), [])]
    _check_names(names, path)
    return names


def _check_names(names: Sequence[str], path: Path) -> None:
    missing = set(_NEEDED) - {name.lower() for name in names}
    if missing:
        raise CatalogueFormatError(
            "The file is no RefCat2 catalogue",
            file=path,
            expected=f"the columns {', '.join(_NEEDED)}",
            found=f"no column {', '.join(sorted(missing))}",
            remedy="give native .rc2 tiles, CSV with a line of names, or a FITS table",
        )


def _check_rows(rows: Sequence[Sequence[str]], count: int, path: Path, first: int) -> None:
    for number, row in enumerate(rows, first):
        if len(row) != count:
            error = TruncatedCatalogueError if number == len(rows) + first - 1 else None
            raise (error or CatalogueFormatError)(
                "A line of the star catalogue has not as many values as it should",
                file=path,
                expected=f"{count} values",
                found=f"{len(row)} in line {number}",
                remedy="copy or download the file again",
            )


def _numbers(
    rows: Sequence[Sequence[str]], names: Sequence[str], is_native: bool, path: Path
) -> dict[str, Array]:
    table = {}
    for index, name in enumerate(names):
        key = name.lower()
        if key not in (*_NEEDED, *_MOTIONS):
            continue
        try:
            values = np.array([row[index] for row in rows], dtype=float)
        except ValueError as error:
            raise CatalogueFormatError(
                f"Column {name} of the star catalogue holds something that is no number",
                file=path,
                found=str(error),
                remedy="copy or download the file again",
            ) from error
        table[key] = values * _unit(key) if is_native else values
    return table


def _unit(key: str) -> float:
    if key in ("ra", "dec"):
        return _ANGLE
    return _MOTION if key in _MOTIONS else _MAGNITUDE


def _read_fits(path: Path) -> tuple[dict[str, Array], float]:
    with open_fits(path) as hdus:
        tables = [hdu for hdu in hdus if getattr(hdu, "columns", None) is not None]
        if not tables:
            raise CatalogueFormatError(
                "The file is no RefCat2 catalogue", file=path, expected="a table", found="none"
            )
        names = {name.lower(): name for name in tables[0].columns.names}
        _check_names(list(names), path)
        epoch = tables[0].header.get("EPOCH", hdus[0].header.get("EPOCH", EPOCH))
        wanted = [key for key in (*_NEEDED, *_MOTIONS) if key in names]
        table = {key: np.asarray(tables[0].data[names[key]], dtype=float) for key in wanted}
    return table, float(epoch)
