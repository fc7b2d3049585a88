"""The block structure of FITS files: where headers and data units are.

Method: FITS standard 4.0 sections 3.1 and 4.4.1: everything comes in blocks of 2880 bytes, a
header ends with END, the data unit's length follows from BITPIX, NAXISn, PCOUNT and GCOUNT.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

BLOCK = 2880
CARD = 80
_END = b"END".ljust(CARD)


class NotFitsError(ValueError):
    """The file is not FITS or ends too early."""


@dataclass(frozen=True)
class HduBlocks:
    """One header-data unit: its cards, without END, and the places of its parts in bytes."""

    cards: tuple[str, ...]
    header_start: int
    data_start: int
    data_end: int


def open_plain(path: str) -> BinaryIO:
    """Open a FITS file for reading, decompressing gzip on the way."""
    stream = open(path, "rb")  # noqa: PTH123, SIM115 - handed to the caller
    magic = stream.read(2)
    stream.seek(0)
    if magic != b"\x1f\x8b":
        return stream
    import gzip

    stream.close()
    return gzip.open(path, "rb")


def is_fits(path: str) -> bool:
    """Tell whether a file begins like FITS; raises OSError if it can't be opened."""
    with open_plain(path) as stream:
        return stream.read(10) == b"SIMPLE  = "


def read_cards(stream: BinaryIO) -> tuple[str, ...] | None:
    """Read one header from the current position; None at the end of the file."""
    cards: list[str] = []
    while block := stream.read(BLOCK):
        if len(block) < BLOCK:
            raise NotFitsError("the file ends inside a header")
        for start in range(0, BLOCK, CARD):
            card = block[start : start + CARD]
            if card == _END:
                return tuple(cards)
            cards.append(card.decode("latin-1"))
        if not cards[0].startswith(("SIMPLE  =", "XTENSION=")):
            raise NotFitsError("no FITS header where one should be")
    if cards:
        raise NotFitsError("the header has no END")
    return None


def _structure(cards: tuple[str, ...]) -> dict[str, int]:
    """Collect the integers that fix the size of a data unit."""
    wanted = ("BITPIX", "NAXIS", "PCOUNT", "GCOUNT")
    found = {}
    for card in cards:
        if card.startswith(wanted) and card[8:10] == "= ":
            found[card[:8].rstrip()] = int(card[10:].partition("/")[0])
        elif card.startswith("GROUPS  ="):
            found["GROUPS"] = int(card[10:].partition("/")[0].strip() == "T")
    return found


def data_length(cards: tuple[str, ...]) -> int:
    """Return the length of the data unit in bytes, without padding."""
    keys = _structure(cards)
    axes = [keys[f"NAXIS{i + 1}"] for i in range(keys.get("NAXIS", 0))]
    if not axes:
        return 0
    if keys.get("GROUPS") and axes[0] == 0:
        axes = axes[1:]
    elements = 1
    for axis in axes:
        elements *= axis
    elements = keys.get("GCOUNT", 1) * (keys.get("PCOUNT", 0) + elements)
    return abs(keys["BITPIX"]) // 8 * elements


def iterate_hdus(stream: BinaryIO) -> Iterator[HduBlocks]:
    """Walk through all header-data units of an open file."""
    start = 0
    stream.seek(0)
    while (cards := read_cards(stream)) is not None:
        data_start = stream.tell()
        data_end = data_start + -(-data_length(cards) // BLOCK) * BLOCK
        yield HduBlocks(cards, start, data_start, data_end)
        start = data_end
        stream.seek(start)


def encode_header(cards: list[str]) -> bytes:
    """Join cards to header blocks, END and padding included."""
    text = "".join(cards).encode("latin-1") + _END
    return text.ljust(-(-len(text) // BLOCK) * BLOCK)
