"""Signatures of products: PIPEFILE, DATAMD5, and the FITS checksums of every HDU.

DATAMD5 is the MD5 of all data units, padding included, one after the other (as CPL defines it).
CHECKSUM and DATASUM follow FITS standard 4.0 appendix J (Seaman, Pence and Rots 2012).
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from soxs_recipes.cpl_bridge.embedded.core_errors import (
    BadFileFormatError,
    Error,
    FileIOError,
    passed_on,
)
from soxs_recipes.cpl_bridge.embedded.core_properties import Property
from soxs_recipes.cpl_bridge.embedded.core_types import Type
from soxs_recipes.cpl_bridge.embedded.fits_blocks import (
    BLOCK,
    HduBlocks,
    NotFitsError,
    encode_header,
    is_fits,
    iterate_hdus,
)
from soxs_recipes.cpl_bridge.embedded.fits_cards import format_card
from soxs_recipes.cpl_bridge.embedded.fits_files import utc_now
from soxs_recipes.cpl_bridge.embedded.overloads import signature_error
from soxs_recipes.cpl_bridge.embedded.ui_frames import FrameGroup, FrameSet

_CHUNK = 256 * BLOCK
_THREADS = 2
_ALL_ONES = 0xFFFFFFFF
_NO_CHECKSUM = "0" * 16
_NO_DATASUM = "0".rjust(10)
_EXCLUDED = frozenset(range(0x3A, 0x41)) | frozenset(range(0x5B, 0x61))
"""Punctuation that an encoded checksum must not contain."""


@dataclass(frozen=True)
class DataDigest:
    """What the data units of a file add up to."""

    md5: str
    datasums: tuple[int, ...]


def _fold(total: int) -> int:
    """Reduce a sum to 32 bits in ones'-complement arithmetic."""
    while total > _ALL_ONES:
        total = (total & _ALL_ONES) + (total >> 32)
    return total


def block_sum(data: bytes, total: int = 0) -> int:
    """Add up big-endian 32-bit words in ones'-complement arithmetic.

    Parameters
    ----------
    data
        A whole number of 4-byte words.
    total
        Sum of what came before.
    """
    import numpy as np

    return _fold(total + int(np.frombuffer(data, ">u4").sum(dtype=np.uint64)))


def digest_data(stream: BinaryIO, hdus: list[HduBlocks]) -> DataDigest:
    """Read all data units once; return their MD5 and their sums."""
    md5 = hashlib.md5(usedforsecurity=False)
    sums = []
    for hdu in hdus:
        stream.seek(hdu.data_start)
        left, total = hdu.data_end - hdu.data_start, 0
        while left:
            chunk = stream.read(min(left, _CHUNK))
            if not chunk or len(chunk) % 4:
                raise NotFitsError("the file ends inside a data unit")
            md5.update(chunk)
            total = block_sum(chunk, total)
            left -= len(chunk)
        sums.append(total)
    return DataDigest(md5.hexdigest(), tuple(sums))


def encode_checksum(total: int) -> str:
    """Encode the complement of a 32-bit sum in the 16 characters of CHECKSUM."""
    value = _ALL_ONES - total
    columns = []
    for byte in value.to_bytes(4):
        quotient, remainder = divmod(byte, 4)
        codes = [quotient + 0x30 + remainder, *[quotient + 0x30] * 3]
        while any(code in _EXCLUDED for code in codes):
            for pair in (0, 2):
                if codes[pair] in _EXCLUDED or codes[pair + 1] in _EXCLUDED:
                    codes[pair] += 1
                    codes[pair + 1] -= 1
        columns.append(codes)
    text = "".join(chr(columns[i][j]) for j in range(4) for i in range(4))
    return text[-1] + text[:-1]


def _text_card(name: str, value: str, comment: str) -> str:
    return format_card(Property._of(name, Type.STRING, value, comment))


def _is_card(card: str, name: str) -> bool:
    return card.startswith(name.ljust(8) + "=")


def _with_card(cards: list[str], name: str, value: str, comment: str) -> list[str]:
    """Replace the card of a name, or add one at the end."""
    card = _text_card(name, value, comment)
    if any(_is_card(old, name) for old in cards):
        return [card if _is_card(old, name) else old for old in cards]
    return [*cards, card]


def _without(cards: list[str], *names: str) -> list[str]:
    return [card for card in cards if not any(_is_card(card, name) for name in names)]


def with_checksums(cards: list[str], datasum: int) -> list[str]:
    """Return header cards with valid CHECKSUM and DATASUM."""
    now = utc_now()
    updated = f"HDU checksum updated {now}"
    cards = _with_card(cards, "CHECKSUM", _NO_CHECKSUM, updated)
    shown = str(datasum) if datasum else _NO_DATASUM
    cards = _with_card(cards, "DATASUM", shown, f"data unit checksum updated {now}")
    total = block_sum(encode_header(cards), datasum)
    return _with_card(cards, "CHECKSUM", encode_checksum(total), updated)


def _rewrite(path: str, hdus: list[HduBlocks], headers: list[list[str]]) -> None:
    """Put new headers in a file; data units move only if a header changes its length."""
    blocks = [encode_header(cards) for cards in headers]
    fits = all(len(b) == h.data_start - h.header_start for b, h in zip(blocks, hdus, strict=True))
    if fits:
        with open(path, "r+b") as stream:  # noqa: PTH123
            for block, hdu in zip(blocks, hdus, strict=True):
                stream.seek(hdu.header_start)
                stream.write(block)
        return
    temporary = Path(f"{path}.{os.getpid()}.tmp")
    try:
        with open(path, "rb") as old, temporary.open("wb") as new:  # noqa: PTH123
            for block, hdu in zip(blocks, hdus, strict=True):
                new.write(block)
                old.seek(hdu.data_start)
                _copy_bytes(old, new, hdu.data_end - hdu.data_start)
        shutil.copymode(path, temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _copy_bytes(source: BinaryIO, target: BinaryIO, length: int) -> None:
    while length:
        chunk = source.read(min(length, _CHUNK))
        target.write(chunk)
        length -= len(chunk)


Change = Callable[[list[list[str]], DataDigest], list[list[str]]]


def _edit_product(path: str, change: Change) -> None:
    """Apply a change to all headers of a FITS file; other files are left alone."""
    try:
        if not is_fits(path):
            return
        with open(path, "rb") as stream:  # noqa: PTH123
            hdus = list(iterate_hdus(stream))
            digest = digest_data(stream, hdus)
        headers = change([list(hdu.cards) for hdu in hdus], digest)
        _rewrite(path, hdus, headers)
    except NotFitsError as error:
        raise passed_on(BadFileFormatError, f"{error}. filename='{path}'") from None
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        kind: type[Error] = BadFileFormatError if missing else FileIOError
        raise passed_on(kind, f"{error.strerror}. filename='{path}'") from None


def _products(frameset: FrameSet, function: str, signature: str) -> list[str]:
    if not isinstance(frameset, FrameSet):
        raise signature_error(function, [signature], (frameset,))
    return [frame.file for frame in frameset if frame.group is FrameGroup.PRODUCT]


def _name_product(cards: list[str], path: str) -> list[str]:
    return _with_card(cards, "PIPEFILE", path, "Filename of data product")


def sign_products(
    frameset: FrameSet, compute_md5: bool = True, compute_checksum: bool = True
) -> None:
    """Sign the product frames of a set; what is not wanted is removed from their headers.

    Parameters
    ----------
    frameset
        Frames of group PRODUCT are signed if they are FITS.
    compute_md5
        Write DATAMD5 to the primary header.
    compute_checksum
        Write CHECKSUM and DATASUM to every header.

    Raises
    ------
    BadFileFormatError
        If a product is gone or damaged.
    FileIOError
        If it can't be written.
    """
    form = "(frameset: cpl.ui.FrameSet, compute_md5: bool = True, compute_checksum: bool = True)"
    paths = _products(frameset, "sign_products", f"{form} -> None")
    if not (compute_md5 or compute_checksum):
        return

    def sign(path: str) -> None:
        _edit_product(path, partial(_signed, path, compute_md5, compute_checksum))

    from concurrent.futures import ThreadPoolExecutor

    # Digests are computed without the interpreter's lock.
    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(sign, paths))


def _signed(
    path: str,
    compute_md5: bool,
    compute_checksum: bool,
    headers: list[list[str]],
    digest: DataDigest,
) -> list[list[str]]:
    """Headers of a product with its signatures, or without those that are not wanted."""
    primary = _name_product(headers[0], path)
    primary = (
        _with_card(primary, "DATAMD5", digest.md5, "MD5 checksum")
        if compute_md5
        else _without(primary, "DATAMD5")
    )
    headers = [primary, *headers[1:]]
    if not compute_checksum:
        return [_without(cards, "CHECKSUM", "DATASUM") for cards in headers]
    pairs = zip(headers, digest.datasums, strict=True)
    return [with_checksums(cards, datasum) for cards, datasum in pairs]


def update_product_header(frameset: FrameSet) -> None:
    """Update DATAMD5 and PIPEFILE of the product frames of a set, and CHECKSUM if present.

    Raises
    ------
    BadFileFormatError
        If a product has no DATAMD5, is gone or damaged.
    """
    form = "(frameset: cpl.ui.FrameSet) -> None"
    for path in _products(frameset, "update_product_header", form):

        def change(headers: list[list[str]], digest: DataDigest, path: str = path):
            primary = headers[0]
            if not any(_is_card(card, "DATAMD5") for card in primary):
                raise passed_on(BadFileFormatError, f"filename='{path}', key='DATAMD5'")
            primary = _with_card(primary, "DATAMD5", digest.md5, "MD5 checksum")
            primary = _name_product(primary, path)
            if any(_is_card(card, "CHECKSUM") for card in primary):
                primary = with_checksums(primary, digest.datasums[0])
            return [primary, *headers[1:]]

        _edit_product(path, change)
