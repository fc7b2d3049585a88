"""Reading and writing whole headers and image data of FITS files."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from os import PathLike, fspath
from typing import Any

from soxs_recipes.cpl_bridge.embedded.core_errors import (
    BadFileFormatError,
    DataNotFoundError,
    FileIOError,
    IllegalInputError,
    described,
)
from soxs_recipes.cpl_bridge.embedded.core_properties import Property
from soxs_recipes.cpl_bridge.embedded.core_propertylists import PropertyList
from soxs_recipes.cpl_bridge.embedded.core_types import Type, io
from soxs_recipes.cpl_bridge.embedded.fits_blocks import (
    BLOCK,
    NotFitsError,
    encode_header,
    is_fits,
    iterate_hdus,
    open_plain,
)
from soxs_recipes.cpl_bridge.embedded.fits_cards import format_card, parse_card
from soxs_recipes.cpl_bridge.embedded.fits_order import arrange

_FITS_REFERENCE = (
    "  FITS (Flexible Image Transport System) format is defined in 'Astronomy",
    "  and Astrophysics', volume 376, page 359; bibcode: 2001A&A...376..359H",
)
_DATE_COMMENT = "file creation date (YYYY-MM-DDThh:mm:ss UT)"


def _card(name: str, value: bool | int | str, comment: str) -> str:
    kind = {bool: Type.BOOL, int: Type.LONG, str: Type.STRING}[type(value)]
    return format_card(Property._of(name, kind, value, comment))


def utc_now() -> str:
    """Return the time as FITS headers have it, in UTC to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())


def date_card() -> str:
    """Return the DATE card of a file made now."""
    return _card("DATE", utc_now(), _DATE_COMMENT)


def reference_cards() -> list[str]:
    """Return the two COMMENT cards that cfitsio puts in every primary header."""
    return [f"COMMENT {text}".ljust(80) for text in _FITS_REFERENCE]


def image_cards(bitpix: int, shape: tuple[int, ...], extension: bool) -> list[str]:
    """Write the structural cards of an image HDU.

    Parameters
    ----------
    bitpix
        FITS code of the pixel type.
    shape
        numpy order: slowest axis first; empty for no data.
    extension
        False for a primary header.
    """
    first = _card("SIMPLE", True, "file does conform to FITS standard")
    if extension:
        first = _card("XTENSION", "IMAGE", "IMAGE extension")
    cards = [
        first,
        _card("BITPIX", bitpix, "number of bits per data pixel"),
        _card("NAXIS", len(shape), "number of data axes"),
    ]
    for axis, length in enumerate(reversed(shape), start=1):
        cards.append(_card(f"NAXIS{axis}", length, f"length of data axis {axis}"))
    if extension:
        return [
            *cards,
            _card("PCOUNT", 0, "required keyword; must = 0"),
            _card("GCOUNT", 1, "required keyword; must = 1"),
        ]
    return [*cards, _card("EXTEND", True, "FITS dataset may contain extensions")]


def check_mode(mode: Any) -> bool:
    """Tell whether a mode appends an extension.

    Raises
    ------
    IllegalInputError
        If it is neither CREATE nor EXTEND.
    """
    number = int(mode)
    if number not in (io.CREATE.value, io.EXTEND.value):
        raise IllegalInputError("Illegal input")
    return number == io.EXTEND.value


def write_hdu(path: str, cards: list[str], data: bytes | memoryview, extend: bool) -> None:
    """Write one HDU to a new file or behind the existing ones.

    Raises
    ------
    FileIOError
        If the file can't be written, or is to be extended and is no FITS file.
    """
    try:
        if extend and not is_fits(path):
            raise described(FileIOError, f"no FITS file to append to. filename='{path}'")
        with open(path, "ab" if extend else "wb") as stream:  # noqa: PTH123
            stream.write(encode_header(cards))
            stream.write(data)
            stream.write(b"\0" * (-len(data) % BLOCK))
    except OSError as error:
        text = f"{error.strerror}. filename='{path}'"
        raise described(FileIOError, text) from None


def save_image_hdu(
    properties: Iterable[Property] | None,
    name: str | PathLike,
    mode: Any,
    bitpix: int = 8,
    shape: tuple[int, ...] = (),
    data: bytes | memoryview = b"",
    scaling: Iterable[Property] = (),
) -> None:
    """Save an image HDU, with or without data, under the given keywords.

    Parameters
    ----------
    properties
        Keywords; structural ones are left out.
    name, mode
        File and ``io.CREATE`` or ``io.EXTEND``.
    bitpix, shape, data
        Pixel code, numpy shape and big-endian bytes.
    scaling
        BZERO and BSCALE of unsigned pixels.
    """
    extend = check_mode(mode)
    cards = image_cards(bitpix, shape, extend)
    cards += [format_card(prop) for prop in scaling]
    if not extend:
        cards += [*reference_cards(), date_card()]
    cards += [format_card(prop) for prop in arrange(properties or (), extend)]
    write_hdu(fspath(name), cards, data, extend)


def save_header(properties: PropertyList, name: str | PathLike, mode: Any) -> None:
    """Save a property list as an HDU without data."""
    save_image_hdu(properties, name, mode)


def load_header(
    name: str | PathLike, position: int, wanted: Callable[[str], bool] | None = None
) -> PropertyList:
    """Read the keywords of HDU `position`, all or those whose name is wanted.

    Raises
    ------
    FileIOError
        If the file can't be read.
    BadFileFormatError
        If it is not FITS.
    DataNotFoundError
        If it has no such HDU.
    """
    path = fspath(name)
    if position < 0:
        raise IllegalInputError("Illegal input")
    try:
        cards = _read_header_cards(path, position)
    except OSError as error:
        text = f"{error.strerror}. filename='{path}', position={position}"
        raise described(FileIOError, text) from None
    except NotFitsError as error:
        text = f"{error}. filename='{path}', position={position}"
        raise described(BadFileFormatError, text) from None
    if cards is None:
        raise described(DataNotFoundError, f"Position {position} in file: {path}")
    properties = PropertyList()
    for card in cards:
        prop = parse_card(card)
        if prop is not None and (wanted is None or wanted(prop.name)):
            properties._properties.append(prop)
    return properties


def _read_header_cards(path: str, position: int) -> tuple[str, ...] | None:
    with open_plain(path) as stream:
        for number, hdu in enumerate(iterate_hdus(stream)):
            if number == position:
                return hdu.cards
            if number == 0 and not hdu.cards[0].startswith("SIMPLE"):
                break
    if position == 0:
        raise NotFitsError("the file is empty")
    return None
