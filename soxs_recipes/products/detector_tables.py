"""Gain tables, linearity tables and bad-pixel maps, to and from FITS."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from soxs_recipes.algorithms.linearity import Linearity
from soxs_recipes.algorithms.quality import QualityArray
from soxs_recipes.errors import UnreadableFrameError
from soxs_recipes.products.fits_input import open_fits

if TYPE_CHECKING:
    from astropy.io import fits
    from astropy.table import Table

GAIN, COEFFICIENTS, LIMITS = "GAIN", "COEFFICIENTS", "LIMITS"


@dataclass(frozen=True)
class GainTable:
    """Gain and noise of one read mode.

    Attributes
    ----------
    gain_e_per_adu, read_noise_e : float
        Conversion factor and read noise of one frame (NIR: of one ramp).
    photon_factor : float
        Photon variance per electron of signal; 1 for a CCD.
    reference_noise_e : float
        Read noise of the prescan or reference pixels of the same frames; NaN without any.
    gain_error, read_noise_error, photon_factor_error : float
        Standard errors.
    """

    gain_e_per_adu: float
    read_noise_e: float
    photon_factor: float = 1.0
    reference_noise_e: float = float("nan")
    gain_error: float = 0.0
    read_noise_error: float = 0.0
    photon_factor_error: float = 0.0


def gain_table(gain: GainTable) -> Table:
    """Content of the extension GAIN."""
    from astropy.table import Table

    names = ("GAIN", "GAIN_ERR", "RON", "RON_ERR", "PHOTON_FACTOR", "PHOTON_FACTOR_ERR", "REF_RON")
    values = (
        gain.gain_e_per_adu,
        gain.gain_error,
        gain.read_noise_e,
        gain.read_noise_error,
        gain.photon_factor,
        gain.photon_factor_error,
        gain.reference_noise_e,
    )
    return Table(rows=[values], names=names, dtype=["f8"] * len(names))


def read_gain(path: Path) -> GainTable:
    """Read a GAIN_TAB product.

    Raises
    ------
    UnreadableFrameError
        If the file has no such table.
    """
    with open_fits(path) as hdus:
        row = _extension(hdus, GAIN, path, "soxs_lingain").data[0]
        return GainTable(
            *(float(row[name]) for name in ("GAIN", "RON", "PHOTON_FACTOR", "REF_RON")),
            *(float(row[name]) for name in ("GAIN_ERR", "RON_ERR", "PHOTON_FACTOR_ERR")),
        )


def linearity_tables(linearity: Linearity, errors: tuple[float, ...]) -> dict[str, Table]:
    """Content of the extensions COEFFICIENTS and LIMITS; infinite levels are written as they are.

    Parameters
    ----------
    linearity : Linearity
        The correction.
    errors : tuple of float
        Standard errors of its coefficients.
    """
    from astropy.table import Table

    powers = np.arange(1, len(linearity.coefficients) + 1, dtype="i2")
    coefficients = Table(
        [powers, np.array(linearity.coefficients, "f8"), np.array(errors, "f8")],
        names=("POWER", "COEFF", "COEFF_ERR"),
    )
    levels = (linearity.limit_adu, linearity.saturation_adu, linearity.valid_to_adu)
    limits = Table(rows=[levels], names=("LIMIT", "SATURATION", "VALID_TO"), dtype=["f8"] * 3)
    return {COEFFICIENTS: coefficients, LIMITS: limits}


def read_linearity(path: Path) -> Linearity:
    """Read a LINEARITY_TAB product.

    Raises
    ------
    UnreadableFrameError
        If the file has no such tables.
    """
    with open_fits(path) as hdus:
        coefficients = _extension(hdus, COEFFICIENTS, path, "soxs_lingain").data["COEFF"]
        row = _extension(hdus, LIMITS, path, "soxs_lingain").data[0]
        levels = (float(row[name]) for name in ("LIMIT", "SATURATION", "VALID_TO"))
        return Linearity(tuple(float(value) for value in coefficients), *levels)


def read_bad_pixels(path: Path) -> QualityArray:
    """Read the quality plane of a BP_MAP product.

    Raises
    ------
    UnreadableFrameError
        If the file has none.
    """
    with open_fits(path) as hdus:
        return _extension(hdus, "QUAL", path, "soxs_lingain").data.astype(np.uint16)


def _extension(hdus: fits.HDUList, name: str, path: Path, recipe: str) -> fits.BinTableHDU:
    found = [hdu.name for hdu in hdus]
    if name not in found:
        raise UnreadableFrameError(
            "A calibration has not the extension that is needed",
            file=path,
            expected=f"an extension {name}",
            found=", ".join(filter(None, found)) or "no extension",
            remedy=f"give the product of {recipe}",
        )
    return hdus[name]
