"""Detector frames (flux, error, quality) to and from FITS extensions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from astropy.io import fits

from soxs_recipes.algorithms.frame import DetectorFrame
from soxs_recipes.errors import UnreadableFrameError
from soxs_recipes.products.fits_input import open_fits

FLUX, ERROR, QUALITY = "FLUX", "ERRS", "QUAL"

# Relations between the extensions, after ESO's science data products standard (ESO-044286).
_CLASS = {"HDUCLASS": "ESO", "HDUDOC": "SDP", "HDUVERS": "SDP version 8", "HDUCLAS1": "IMAGE"}
HDU_CLASSES: Mapping[str, Mapping[str, str]] = {
    FLUX: {**_CLASS, "HDUCLAS2": "DATA", "ERRDATA": ERROR, "QUALDATA": QUALITY},
    ERROR: {
        **_CLASS,
        "HDUCLAS2": "ERROR",
        "HDUCLAS3": "RMSE",
        "SCIDATA": FLUX,
        "QUALDATA": QUALITY,
    },
    QUALITY: {
        **_CLASS,
        "HDUCLAS2": "QUALITY",
        "HDUCLAS3": "FLAG16BIT",
        "SCIDATA": FLUX,
        "ERRDATA": ERROR,
    },
}


def planes(frame: DetectorFrame) -> dict[str, object]:
    """Content of the extensions of a detector frame, by name."""
    return {FLUX: frame.flux, ERROR: frame.error, QUALITY: frame.quality}


def read_detector_frame(path: Path) -> tuple[DetectorFrame, fits.Header]:
    """Read a detector frame and its primary header.

    Raises
    ------
    UnreadableFrameError
        If the file cannot be read or has not the extensions of a detector frame.
    """
    with open_fits(path) as hdus:
        names = {hdu.name for hdu in hdus}
        if not {FLUX, ERROR, QUALITY} <= names:
            raise UnreadableFrameError(
                "The file is no detector frame of this pipeline",
                file=path,
                expected=f"extensions {FLUX}, {ERROR} and {QUALITY}",
                found=", ".join(sorted(names)) or "no extension",
                remedy="give a product of the recipe that makes this tag",
            )
        frame = DetectorFrame(*(_native(hdus[name].data) for name in (FLUX, ERROR, QUALITY)))
        return frame, hdus[0].header.copy()


def _native(plane: np.ndarray) -> np.ndarray:
    """Pixels as read from a file in the order of bytes of this machine, without a copy."""
    if plane.dtype.isnative:
        return plane
    return plane.byteswap(inplace=True).view(plane.dtype.newbyteorder("="))
