"""Frames worked on in bands of rows, whose intermediate results stay in the processor's cache."""

from __future__ import annotations

from collections.abc import Iterator

BAND_ROWS = 64
"""Rows of a band."""


def row_bands(rows: int, size: int = BAND_ROWS) -> Iterator[slice]:
    """Bands of a size that cover a number of rows, in order."""
    for start in range(0, rows, size):
        yield slice(start, min(start + size, rows))
