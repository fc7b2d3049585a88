"""Which keywords a saved header holds, and in which order.

Method: ESO's DICD (GEN-SPE-ESO-19400-0794) order as CPL applies it: descriptive keywords, WCS,
other primary keywords, ESO categories in DICD order, HISTORY, COMMENT. Structural keywords
belong to the writer and are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from soxs_recipes.cpl_bridge.embedded.core_msg import Msg
from soxs_recipes.cpl_bridge.embedded.core_properties import Property

_OWNED = re.compile(
    r"(SIMPLE|BSCALE|BZERO|EXTEND|XTENSION|BITPIX|PCOUNT|GCOUNT|DATE|TFIELDS|BLOCKED"
    r"|ZIMAGE|ZCMPTYPE|ZTENSION|ZPCOUNT|ZGCOUNT|ZBITPIX|ZSCALE|ZZERO|ZBLANK|ZHECKSUM|ZDATASUM)$"
    r"|NAXIS|TFORM|TTYPE|TUNIT|TZERO|TSCAL|TDIM|TNULL|ZNAME|ZVAL|ZTILE|ZNAXIS"
)
_DESCRIPTIVE = frozenset(
    (
        "RA",
        "DEC",
        "LST",
        "UTC",
        "BLANK",
        "ORIGIN",
        "OBJECT",
        "PI-COI",
        "EXPTIME",
        "MJD-OBS",
        "MJD-END",
        "EQUINOX",
        "TIMESYS",
        "RADESYS",
        "RADECSYS",
        "TELESCOP",
        "INSTRUME",
        "DATE-OBS",
        "DATE-END",
        "OBSERVER",
    )
)
_WCS = re.compile(
    r"(PC|PV|PS|CD)[1-9]\d{0,2}_[1-9]\d{0,2}"
    r"|(CRVAL|CRPIX|CDELT|CTYPE|CUNIT|CRDER|CSYER)[1-9]\d{0,2}"
    r"|WCSAXES|WCSNAME"
)
_ESO_CATEGORIES = ("DPR", "OBS", "TPL", "GEN", "TEL", "INS", "DET", "LOG", "PRO")
_DESCRIBE, _WCS_RANK, _PRIMARY, _ESO, _OTHER_ESO, _LONG, _HISTORY, _COMMENT = range(8)


def is_wcs(name: str) -> bool:
    """Tell whether a keyword belongs to a world coordinate system."""
    return len(name) <= 8 and _WCS.fullmatch(name) is not None


def rank(name: str) -> tuple[int, int]:
    """Return where a keyword goes in a header; equal ranks keep their order."""
    if name == "HISTORY":
        return _HISTORY, 0
    if name == "COMMENT":
        return _COMMENT, 0
    if name.startswith("ESO "):
        category = name[4:7] if len(name) > 8 else ""
        if category in _ESO_CATEGORIES:
            return _ESO, _ESO_CATEGORIES.index(category)
        return _OTHER_ESO, 0
    if len(name) > 8:
        return _LONG, 0
    if name in _DESCRIPTIVE:
        return _DESCRIBE, 0
    return (_WCS_RANK if is_wcs(name) else _PRIMARY), 0


def arrange(properties: Iterable[Property], extension: bool, wcs: bool = True) -> list[Property]:
    """Select and order the properties that go into a header.

    Parameters
    ----------
    properties
        As given by the caller.
    extension
        True for an extension, whose ORIGIN stands in the primary header alone.
    wcs
        False leaves out coordinate keywords (tables).

    Returns
    -------
    list of Property
        A name that occurs again replaces the value of its first occurrence, with a warning;
        HISTORY and COMMENT may repeat.
    """
    kept = []
    for prop in properties:
        if _OWNED.match(prop.name) or (extension and prop.name.startswith("ORIGIN")):
            continue
        name = prop.name.removeprefix("HIERARCH ")
        if wcs or not is_wcs(name):
            kept.append(Property._of(name, prop.type, prop.value, prop.comment))
    kept.sort(key=lambda prop: rank(prop.name))
    return _without_repeats(kept)


def _without_repeats(properties: list[Property]) -> list[Property]:
    unique: dict[object, Property] = {}
    for number, prop in enumerate(properties):
        name = prop.name.strip(" ")
        repeats = name in ("HISTORY", "COMMENT", "")
        if not repeats and name in unique:
            Msg.warning(
                "_cpl_propertylist_to_fitsfile",
                f"Non-unique FITS key(len={len(name)}): {name} ({number}/{len(properties)})",
            )
            unique[name]._take(prop)
        else:
            unique[number if repeats else name] = prop
    return list(unique.values())
