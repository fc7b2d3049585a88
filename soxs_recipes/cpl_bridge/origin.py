"""The raw files a product was made from, by its header."""

from __future__ import annotations

import os
from pathlib import Path


def is_fits(file: Path) -> bool:
    """Whether a file begins as FITS does."""
    with file.open("rb") as stream:
        return stream.read(9) == b"SIMPLE  ="


def replaces_another(product: Path, target: Path) -> bool:
    """Whether `target` exists and was made from other raw files than `product`."""
    if not (target.is_file() and os.access(target, os.R_OK)):
        return False
    if not (is_fits(product) and is_fits(target)):
        return False
    return _raw_names(product) != _raw_names(target)


def _raw_names(file: Path) -> set[str]:
    from astropy.io import fits

    header = fits.getheader(file)
    return {str(header[key]) for key in header["ESO PRO REC1 RAW* NAME"]}
