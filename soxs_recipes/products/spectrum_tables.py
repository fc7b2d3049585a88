"""Extracted spectra to and from FITS tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from soxs_recipes.algorithms.order_spectra import OrderSpectra
from soxs_recipes.errors import UnreadableFrameError
from soxs_recipes.products.fits_input import open_fits
from soxs_recipes.products.table_rows import table_rows

__all__ = ["OrderSpectra", "read_order_spectra", "spectrum_tables"]

SPECTRUM, COVARIANCE, BACKGROUND = "SPECTRUM", "COVARIANCE", "BACKGROUND"

_COLUMNS: Mapping[str, tuple[str, str]] = {
    "ORDER": ("order", "i2"),
    "WAVE": ("wave_nm", "f8"),
    "WIDTH": ("width_nm", "f8"),
    "FLUX": ("flux_e", "f8"),
    "ERR": ("error_e", "f8"),
    "QUAL": ("quality", "i4"),
    "SNR": ("snr", "f4"),
    "SKY": ("sky_e", "f8"),
    BACKGROUND: ("background_e", "f8"),
    "BOXCAR": ("boxcar_e", "f8"),
    "BOXCAR_ERR": ("boxcar_error_e", "f8"),
    "BLAZE": ("blaze", "f8"),
}


def spectrum_tables(spectra: OrderSpectra) -> dict[str, NDArray[np.void]]:
    """Content of the extensions of a SPECTRUM_ORDERS product."""
    if spectra.background_e is None:
        spectra = replace(spectra, background_e=np.zeros(len(spectra.order)))
    columns = {name: getattr(spectra, item).astype(kind) for name, (item, kind) in _COLUMNS.items()}
    orders = sorted(spectra.covariance)
    return {
        SPECTRUM: table_rows(columns),
        COVARIANCE: table_rows(
            {
                "ORDER": np.array(orders, "i2"),
                "FACTOR": np.array([spectra.covariance[order] for order in orders], "f8"),
            }
        ),
    }


def read_order_spectra(path: Path) -> OrderSpectra:
    """Read a SPECTRUM_ORDERS product.

    Raises
    ------
    UnreadableFrameError
        If the file has not the tables of such a product, or no exposure time.
    """
    with open_fits(path) as hdus:
        columns = _columns(hdus, SPECTRUM, [name for name in _COLUMNS if name != BACKGROUND], path)
        if BACKGROUND in hdus[SPECTRUM].data.names:
            columns[BACKGROUND] = np.array(hdus[SPECTRUM].data[BACKGROUND])
        factors = _columns(hdus, COVARIANCE, ["ORDER", "FACTOR"], path)
        exptime_s = hdus[0].header.get("EXPTIME")
    if not isinstance(exptime_s, (int, float)) or exptime_s <= 0:
        raise _no_spectra(path, "EXPTIME in its primary header", repr(exptime_s))
    arrays = {
        item: columns[name].astype(np.float64)
        for name, (item, _) in _COLUMNS.items()
        if name in columns and item != "snr"
    }
    arrays["order"] = arrays["order"].astype(int)
    arrays["quality"] = columns["QUAL"].astype(np.uint16)
    pairs = zip(factors["ORDER"].tolist(), factors["FACTOR"].tolist(), strict=True)
    return OrderSpectra(**arrays, covariance=dict(pairs), exptime_s=float(exptime_s))


def _columns(
    hdus: fits.HDUList, extension: str, names: list[str], path: Path
) -> dict[str, np.ndarray]:
    if extension not in [hdu.name for hdu in hdus]:
        found = ", ".join(hdu.name for hdu in hdus if hdu.name) or "no extension"
        raise _no_spectra(path, f"an extension {extension}", found)
    data = hdus[extension].data
    missing = [name for name in names if data is None or name not in data.names]
    if missing:
        raise _no_spectra(path, f"columns {', '.join(missing)} in {extension}", "none of them")
    return {name: np.array(data[name]) for name in names}


def _no_spectra(path: Path, expected: str, found: str) -> UnreadableFrameError:
    return UnreadableFrameError(
        "The file holds no extracted orders",
        file=path,
        expected=expected,
        found=found,
        remedy="give the product SPECTRUM_ORDERS of soxs_extract",
    )
