"""Spectra for ESO's molecfit, and what it gives back.

Names and columns are those of the molecfit 4 recipes: wavelengths in vacuum and micron, one
extension per order, called a chip there.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from astropy.io import fits

from soxs_recipes.algorithms.air_vacuum import air_to_vacuum
from soxs_recipes.algorithms.order_spectra import OrderSpectra
from soxs_recipes.algorithms.telluric import order_parts
from soxs_recipes.algorithms.telluric_curve import Telluric
from soxs_recipes.algorithms.telluric_order_fit import OrderSpectrum
from soxs_recipes.algorithms.telluric_transmission import quality_of
from soxs_recipes.errors import UnreadableFrameError
from soxs_recipes.products.fits_input import open_fits

COLUMNS = ("lambda", "flux", "dflux", "mask")
MOLECULES = ("H2O", "O2", "CO2", "CH4")
WINDOWS_NM = (
    (686.0, 697.0),
    (715.0, 735.0),
    (759.0, 770.0),
    (810.0, 840.0),
    (890.0, 925.0),
    (1250.0, 1285.0),
    (1460.0, 1480.0),
    (1565.0, 1620.0),
    (1640.0, 1680.0),
    (1755.0, 1780.0),
    (1990.0, 2025.0),
)
"""Where molecfit is told to look, nm in vacuum."""


class Region(NamedTuple):
    """Where molecfit looks: limits in micron, and the chip (from 1) that it belongs to."""

    low_um: float
    high_um: float
    chip: int


_LEAST_ERROR = 0.02
_NM_PER_MICRON = 1000.0


def write_molecfit_spectrum(path: Path, spectra: OrderSpectra, header: fits.Header) -> list[int]:
    """Write the orders for molecfit; return their numbers in the order of the extensions.

    Parameters
    ----------
    path : Path
        File to write.
    spectra : OrderSpectra
        The spectrum.
    header : Header
        Primary header of its product, from which molecfit takes time, airmass and weather.
    """
    parts = order_parts(spectra)
    hdus = [_chip(part) for part in parts.values()]
    fits.HDUList([fits.PrimaryHDU(header=header), *hdus]).writeto(path)
    return list(parts)


def _chip(part: OrderSpectrum) -> fits.BinTableHDU:
    data = (
        air_to_vacuum(part.air_nm) / _NM_PER_MICRON,
        part.value,
        np.sqrt(part.variance),
        part.good.astype("i4"),  # 1: the pixel may be used
    )
    kinds = ("D", "D", "D", "J")
    columns = [
        fits.Column(name, kind, array=values)
        for name, kind, values in zip(COLUMNS, kinds, data, strict=True)
    ]
    return fits.BinTableHDU.from_columns(columns, name=f"ORDER{part.number}")


def regions_inside(spectra: OrderSpectra, orders: list[int]) -> list[Region]:
    """Windows that an order covers, each with the chip in whose middle it lies best.

    Parameters
    ----------
    spectra : OrderSpectra
        The spectrum.
    orders : list of int
        Orders of its chips.
    """
    spans = [air_to_vacuum(spectra.wave_nm[spectra.of(order)]) for order in orders]
    regions = []
    for first, last in WINDOWS_NM:
        room = [min(first - wave.min(), wave.max() - last) for wave in spans]
        if room and max(room) > 0:
            limits = (first / _NM_PER_MICRON, last / _NM_PER_MICRON)
            regions.append(Region(*limits, 1 + int(np.argmax(room))))
    return regions


def read_molecfit_transmission(path: Path, spectra: OrderSpectra, orders: list[int]) -> Telluric:
    """Read the transmission from TELLURIC_DATA of molecfit_calctrans.

    Parameters
    ----------
    path : Path
        The product of molecfit.
    spectra : OrderSpectra
        The spectrum that was written.
    orders : list of int
        Orders of its chips.

    Raises
    ------
    UnreadableFrameError
        If the file has not the columns, or not every chip.
    """
    with open_fits(path) as hdus:
        tables = [hdu.data for hdu in hdus[1:] if isinstance(hdu, fits.BinTableHDU)]
    tables = [table for table in tables if table is not None and "mtrans" in table.names]
    if not tables:
        raise _foreign(path, "a table with the columns chip, mlambda, mtrans", "none")
    value, error = np.ones(spectra.wave_nm.size), np.zeros(spectra.wave_nm.size)
    quality = np.zeros(spectra.wave_nm.size, np.uint16)
    for chip, order in enumerate(orders, 1):
        vacuum_nm, through = _chip_transmission(tables, chip, path)
        here = spectra.of(order)
        wave = air_to_vacuum(spectra.wave_nm[here])
        value[here] = np.clip(np.interp(wave, vacuum_nm, through), 1e-4, 1.0)
        # Residuals of molecfit are about 2 % of the continuum (Kausch et al. 2015).
        error[here] = _LEAST_ERROR * np.sqrt(1 - value[here])
        quality[here] = quality_of(spectra.wave_nm[here], value[here], error[here])
    return Telluric(spectra.order, spectra.wave_nm, value, error, quality)


def _chip_transmission(
    tables: list[fits.FITS_rec], chip: int, path: Path
) -> tuple[np.ndarray, np.ndarray]:
    """Wavelengths and transmission of a chip: its rows of one table, or a table of its own.

    A row holds what a pixel was given as (lambda) beside the wavelength that the fit corrected it
    to (mlambda): its transmission goes with the pixel.
    """
    first = tables[0]
    if len(tables) >= chip and len(tables) > 1:
        rows = tables[chip - 1]
    else:
        rows = first[first["chip"] == chip] if "chip" in first.names else first
    if not len(rows):
        raise _foreign(path, f"rows of chip {chip}", "none")
    name = "lambda" if "lambda" in first.names else "mlambda"
    wave = np.array(rows[name], float) * _NM_PER_MICRON
    sort = np.argsort(wave)
    return wave[sort], np.array(rows["mtrans"], float)[sort]


def _foreign(path: Path, expected: str, found: str) -> UnreadableFrameError:
    return UnreadableFrameError(
        "The file is no telluric transmission of molecfit",
        file=path,
        expected=expected,
        found=found,
        remedy="check the release of molecfit; version 4 is expected",
    )
