"""Property lists of ``cpl.core``: what becomes a FITS header."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cmp_to_key
from os import PathLike
from typing import Any

from soxs_recipes.cpl_bridge.embedded.core_errors import IllegalInputError, described
from soxs_recipes.cpl_bridge.embedded.core_properties import VALUE_FORM, Property
from soxs_recipes.cpl_bridge.embedded.dumping import address, dump_text
from soxs_recipes.cpl_bridge.embedded.overloads import cast_error, is_bool, signature_error
from soxs_recipes.cpl_bridge.embedded.property_values import classify

_GET_FORMS = (
    "(self: cpl.core.PropertyList, index: int) -> cpl.core.Property",
    "(self: cpl.core.PropertyList, prop_name: str) -> cpl.core.Property",
    "(self: cpl.core.PropertyList, arg0: slice) -> cpl.core.PropertyList",
)
_SET_FORMS = (
    "(self: cpl.core.PropertyList, index: int, property: cpl.core.Property) -> None",
    "(self: cpl.core.PropertyList, arg0: str, arg1: cpl.core.Property) -> None",
    "(self: cpl.core.PropertyList, slice: slice, properties: list[cpl.core.Property]) -> None",
)
_APPEND_FORMS = (
    "(self: cpl.core.PropertyList, property: cpl.core.Property) -> None",
    "(self: cpl.core.PropertyList, other: cpl.core.PropertyList) -> None",
    f"(self: cpl.core.PropertyList, name: str, value: {VALUE_FORM}) -> None",
)
_RANGE = "PropertyList index out of range"


_POSIX_CLASSES = {
    "alpha": "a-zA-Z",
    "digit": "0-9",
    "alnum": "a-zA-Z0-9",
    "upper": "A-Z",
    "lower": "a-z",
    "space": r"\s",
    "blank": r" \t",
    "punct": r"!-/:-@\[-`{-~",
    "xdigit": "0-9A-Fa-f",
}


def compile_posix(regexp: str) -> re.Pattern[str]:
    """Compile a POSIX extended regular expression.

    Raises
    ------
    IllegalInputError
        If it is none.
    """
    translated = re.sub(
        r"\[:(\w+):\]", lambda m: _POSIX_CLASSES.get(m.group(1), m.group(0)), regexp
    )
    try:
        return re.compile(translated)
    except re.error as error:
        raise described(IllegalInputError, f"{error}. regexp='{regexp}'") from None


def _is_index(key: Any) -> bool:
    return hasattr(key, "__index__") and not is_bool(key)


class PropertyList:
    """Ordered properties; a name may occur more than once.

    The list holds copies of what is put in. Only ``plist["NAME"]`` gives the stored property
    itself; positions and iteration give copies.
    """

    __slots__ = ("_properties",)
    __hash__ = None

    def __init__(self, *args: Iterable[Property], **kwargs: Iterable[Property]):
        source = args[0] if args else kwargs.get("from", ())
        if len(args) + len(kwargs) > 1 or not isinstance(source, Iterable):
            forms = ["cpl.core.PropertyList()", "cpl.core.PropertyList(from: Iterable)"]
            raise signature_error("__init__", forms, args, kwargs)
        self._properties: list[Property] = []
        for prop in source:
            if not isinstance(prop, Property):
                raise cast_error(prop)
            self._properties.append(prop._copy())

    def _find(self, name: str) -> int:
        for position, prop in enumerate(self._properties):
            if prop._name == name:
                return position
        raise KeyError(name)

    def _position(self, index: Any, stop: int) -> int:
        position = index.__index__()
        if not 0 <= position < stop:
            raise IndexError(_RANGE)
        return position

    def __getitem__(self, key: int | str | slice) -> Any:
        if isinstance(key, str):
            return self._properties[self._find(key)]
        if isinstance(key, slice):
            return PropertyList(self._properties[key])
        if not _is_index(key):
            raise signature_error("__getitem__", _GET_FORMS, (self, key))
        return self._properties[self._position(key, len(self))]._copy()

    def __setitem__(self, key: int | str | slice, value: Any) -> None:
        if isinstance(key, slice):
            self._properties[key] = [prop._copy() for prop in value]
            return
        if not isinstance(value, Property) or not (isinstance(key, str) or _is_index(key)):
            raise signature_error("__setitem__", _SET_FORMS, (self, key, value))
        if isinstance(key, str):
            position = self._find(key)
        else:
            index = key.__index__()
            position = self._position(index + len(self) if index < 0 else index, len(self))
        self._properties[position]._take(value)

    def __delitem__(self, key: int | str) -> None:
        if isinstance(key, str):
            self._find(key)
            self._properties = [prop for prop in self._properties if prop._name != key]
        else:
            del self._properties[self._position(key, len(self))]

    def insert(self, index: int | str, property: Property) -> None:  # noqa: A002 - PyCPL's name
        """Put a property before a position or before the first one of a name."""
        if isinstance(index, str):
            position = self._find(index)
        else:
            position = self._position(index, len(self) + 1)
        self._properties.insert(position, property._copy())

    def append(self, *args: Any, **kwargs: Any) -> None:
        """Add a property, a list of properties, or name and value; nothing is replaced."""
        given = (*args, *kwargs.values())
        first = given[0] if given else None
        if len(given) == 1 and isinstance(first, Property):
            self._properties.append(first._copy())
        elif len(given) == 1 and isinstance(first, PropertyList):
            self._properties.extend([prop._copy() for prop in first._properties])
        elif len(given) == 2 and isinstance(first, str) and classify(given[1]) is not None:
            self._properties.append(Property(*given))
        else:
            raise signature_error("append", _APPEND_FORMS, (self, *args), kwargs)

    def del_regexp(self, regexp: str, invert: bool) -> int:
        """Delete the properties whose whole name matches (or does not, if `invert`).

        Returns
        -------
        int
            How many were deleted.
        """
        pattern = compile_posix(regexp)
        return self._keep(lambda name: (pattern.fullmatch(name) is None) != invert)

    def _keep(self, wanted: Callable[[str], bool]) -> int:
        before = len(self)
        self._properties = [prop for prop in self._properties if wanted(prop._name)]
        return before - len(self)

    def sort(self, compare: Callable[[Property, Property], int]) -> None:
        """Sort in place by a function that says which of two properties comes first.

        `compare` returns a negative, zero or positive number, or True if its first argument
        goes before its second.
        """

        def order(a: Property, b: Property) -> int:
            result = compare(a, b)
            return -int(result) if isinstance(result, bool) else result

        self._properties.sort(key=cmp_to_key(order))

    def save(self, name: str | PathLike, mode: int) -> None:
        """Write the list as a header without data: a new file or a new extension."""
        from soxs_recipes.cpl_bridge.embedded.fits_files import save_header

        save_header(self, name, mode)

    @staticmethod
    def load(name: str | PathLike, position: int) -> PropertyList:
        """Read the header of HDU `position` (0 is the primary)."""
        from soxs_recipes.cpl_bridge.embedded.fits_files import load_header

        return load_header(name, position)

    @staticmethod
    def load_regexp(name: str | PathLike, position: int, regexp: str, invert: bool) -> PropertyList:
        """Read the header keywords that contain a match (or do not, if `invert`)."""
        from soxs_recipes.cpl_bridge.embedded.fits_files import load_header

        pattern = compile_posix(regexp)
        loaded = load_header(name, position)
        loaded._keep(lambda key: (pattern.search(key) is not None) != invert)
        return loaded

    def setup_product_header(self, *args: Any, **kwargs: Any) -> None:
        """See :func:`cpl.dfs.setup_product_header`."""
        from soxs_recipes.cpl_bridge.embedded.dfs_headers import setup_product_header

        setup_product_header(self, *args, **kwargs)

    def __contains__(self, item: str | Property) -> bool:
        if isinstance(item, Property):
            return item in self._properties
        if not isinstance(item, str):
            forms = [
                f"(self: cpl.core.PropertyList, arg0: {kind}) -> bool"
                for kind in ("str", "cpl.core.Property")
            ]
            raise signature_error("__contains__", forms, (self, item))
        return any(prop._name == item for prop in self._properties)

    def __iter__(self) -> Iterator[Property]:
        return (prop._copy() for prop in list(self._properties))

    def __len__(self) -> int:
        return len(self._properties)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PropertyList) and self._properties == other._properties

    def __reduce__(self):
        return PropertyList, (self._properties,)

    def __repr__(self) -> str:
        return f"PropertyList({self._properties!r})"

    def __str__(self) -> str:
        head = f"Property list at address {address(self)}:\n"
        return head + "".join(prop._dumped() for prop in self._properties)

    def dump(self, filename: str | PathLike = "", mode: str = "w", show: bool = True) -> str:
        """Dump the list to a file, to standard output or to a string."""
        return dump_text(str(self), filename, mode, show)
