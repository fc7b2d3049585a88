"""Frames worked on in bands of rows, whose intermediate results stay in the processor's cache."""

from __future__ import annotations

from collections.abc import Iterator

BAND_ROWS = 64
"""Rows of a band."""


def row_bands(rows: int) -> Iterator[slice]:
    """Bands that cover a number of rows, in order."""
    for start in range(0, rows, BAND_ROWS):
        yield slice(start, min(start + BAND_ROWS, rows))
