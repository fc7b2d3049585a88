"""Raw FITS files: one primary HDU, big-endian, padded, with CHECKSUM and DATASUM.

The bytes are laid out here, not by a FITS library's writer, because the checksum of a raw frame
costs as much there as everything else together.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

BLOCK = 2880
Card = tuple[str, str | int | float | bool, str]


def ones_complement_sum(data: bytes | NDArray[np.uint8], start: int = 0) -> int:
    """32-bit ones' complement sum of big-endian words (FITS standard 4.0, appendix J)."""
    total = start + int(np.frombuffer(data, dtype=">u4").sum(dtype=np.uint64))
    while total >> 32:
        total = (total & 0xFFFFFFFF) + (total >> 32)
    return total


def encode_checksum(total: int) -> str:
    """Sixteen ASCII characters of the complement of a sum (FITS standard 4.0, appendix J)."""
    value = ~total & 0xFFFFFFFF
    ascii_grid = np.empty((4, 4), dtype=np.int64)
    for index in range(4):
        byte = (value >> (24 - 8 * index)) & 0xFF
        ascii_grid[:, index] = byte // 4 + ord("0")
        ascii_grid[0, index] += byte % 4
    excluded = [*range(0x3A, 0x41), *range(0x5B, 0x61)]
    while np.isin(ascii_grid, excluded).any():
        for first, second in ((0, 1), (2, 3)):
            bad = np.isin(ascii_grid[first], excluded) | np.isin(ascii_grid[second], excluded)
            ascii_grid[first] += bad
            ascii_grid[second] -= bad
    return np.roll(ascii_grid.ravel(), 1).astype(np.uint8).tobytes().decode("ascii")


def stored_form(data: NDArray) -> tuple[bytes, list[Card]]:
    """Bytes of the data unit and the cards that say how to read them.

    uint16 is stored as signed 16-bit integers with BZERO 32768; float32 as it is.
    """
    if data.dtype == np.uint16:
        body = (data ^ np.uint16(0x8000)).astype(">u2").tobytes()
        scaling: list[Card] = [("BZERO", 32768, "unsigned 16-bit data"), ("BSCALE", 1, "")]
        bitpix = 16
    elif data.dtype == np.float32:
        body, scaling, bitpix = data.astype(">f4").tobytes(), [], -32
    else:
        raise TypeError(f"raw frames are uint16 or float32, found {data.dtype}")
    cards: list[Card] = [
        ("SIMPLE", True, "Standard FITS (NOST-100-2.0)"),
        ("BITPIX", bitpix, "bits per pixel"),
        ("NAXIS", 2, "number of axes"),
        ("NAXIS1", data.shape[1], "columns"),
        ("NAXIS2", data.shape[0], "rows"),
        *scaling,
    ]
    return body + bytes(-len(body) % BLOCK), cards


def header_bytes(cards: Iterable[Card], datasum: int) -> bytes:
    """Header unit with a valid CHECKSUM for a data unit of the given sum."""
    header = fits.Header([_fitting_card(*card) for card in cards])
    header["CHECKSUM"] = ("0" * 16, "HDU checksum")
    header["DATASUM"] = (str(datasum), "data unit checksum")
    text = header.tostring().encode("ascii")
    header["CHECKSUM"] = encode_checksum(ones_complement_sum(text, datasum))
    return header.tostring().encode("ascii")


def _fitting_card(keyword: str, value: str | int | float | bool, comment: str) -> fits.Card:
    """Card whose comment is cut to the room that a long value leaves."""
    if isinstance(value, str):
        used = max(len(f"{keyword} = '{value:<8}' / "), 33)
        comment = comment[: max(fits.Card.length - used, 0)]
    return fits.Card(keyword, value, comment)


def write_raw(path: Path, data: NDArray, cards: Iterable[Card]) -> int:
    """Write one raw frame.

    Parameters
    ----------
    path : Path
        The file; it must not exist, as no simulated frame may replace another.
    data : ndarray of uint16 or float32
        Pixels in ADU, rows by columns.
    cards : iterable of (keyword, value, comment)
        Everything but the structural keywords, in order.

    Returns
    -------
    int
        DATASUM of the file.

    Raises
    ------
    FileExistsError
        A file of that name exists.
    """
    body, structure = stored_form(data)
    datasum = ones_complement_sum(body)
    with path.open("xb") as stream:
        stream.write(header_bytes([*structure, *cards], datasum))
        stream.write(body)
    return datasum
