"""A file as the Phase 3 rules look at it: headers and arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from soxs_recipes.products.fits_input import READ_ERRORS, open_fits

COMPRESSIONS = ("ZIMAGE", "ZTABLE")


@dataclass(frozen=True)
class Phase3File:
    """Headers and data of a file, opened once for all rules.

    Attributes
    ----------
    path : Path
        The file.
    headers : sequence of Header
        One per HDU, as stored (tile compression undone).
    hdus : HDUList
        The open file.
    stored : sequence of Header
        Headers with tile compression not undone.
    """

    path: Path
    headers: Sequence[fits.Header]
    hdus: fits.HDUList
    stored: Sequence[fits.Header] = field(default_factory=tuple)

    @property
    def primary(self) -> fits.Header:
        """Primary header."""
        return self.headers[0]

    @property
    def category(self) -> str:
        """PRODCATG, empty if there is none."""
        return str(self.primary.get("PRODCATG", ""))

    @property
    def is_compressed(self) -> bool:
        """Whether an image or table is tile-compressed."""
        return any(name in header for header in self.stored for name in COMPRESSIONS)

    @property
    def table(self) -> fits.Header:
        """Header of the first extension; empty if there is none."""
        return self.headers[1] if len(self.headers) > 1 else fits.Header()

    def column(self, number: int) -> NDArray | None:
        """Values of a column (from 1) of the first extension, flat; None if it cannot be read."""
        if len(self.hdus) < 2 or not isinstance(self.hdus[1], fits.BinTableHDU):
            return None
        try:
            return np.ravel(self.hdus[1].data.field(number - 1))
        except READ_ERRORS:
            return None

    def number(self, keyword: str, hdu: int = 0) -> float | None:
        """Value of a card as a number; None if it is missing or no number."""
        header = self.headers[hdu] if hdu < len(self.headers) else {}
        return as_number(header.get(keyword))


def as_number(value: Any) -> float | None:
    """Return a number as float; None for anything else, truth values included."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        return None
    return float(value)


@contextmanager
def opened(path: Path) -> Iterator[Phase3File]:
    """Open a file for the rules.

    Raises
    ------
    UnreadableFrameError
        If it is no FITS file.
    """
    with open_fits(path) as hdus, fits.open(path, disable_image_compression=True) as stored:
        yield Phase3File(path, [hdu.header for hdu in hdus], hdus, [hdu.header for hdu in stored])
