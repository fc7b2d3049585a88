"""Properties and property lists of ``cpl.core``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cmp_to_key
from os import PathLike
from typing import Any

from soxs_recipes.cpl_bridge.embedded.core_errors import IllegalInputError, described
from soxs_recipes.cpl_bridge.embedded.core_types import TYPE_NAMES, Type
from soxs_recipes.cpl_bridge.embedded.dumping import address, dump_text
from soxs_recipes.cpl_bridge.embedded.overloads import (
    as_text,
    cast_error,
    is_bool,
    signature_error,
)
from soxs_recipes.cpl_bridge.embedded.property_values import (
    Value,
    classify,
    convert,
    default_of,
)

_VALUE = "Union[complex, float, bool, str, int, complex, int, int, str, float]"
_PROPERTY_FORMS = (
    "cpl.core.Property(name: str, type: cpl.core.Type)",
    "cpl.core.Property(name: str, type: cpl.core.Type, "
    f"initial_value: {_VALUE}, comment: Optional[str] = None)",
    f"cpl.core.Property(name: str, initial_value: {_VALUE}, comment: Optional[str] = None)",
)
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


def _bind(args: tuple, kwargs: dict) -> dict[str, Any] | None:
    """Sort the arguments of a Property by name; None if no form takes them."""
    typed = "type" in kwargs or (len(args) > 1 and isinstance(args[1], Type))
    names = ("name", "type", "initial_value", "comment")
    if not typed:
        names = ("name", "initial_value", "comment")
    given = dict(zip(names, args, strict=False))
    if len(args) > len(names) or set(kwargs) - set(names) or set(kwargs) & set(given):
        return None
    given.update(kwargs)
    return given if {"name", names[1]} <= set(given) else None


class Property:
    """A keyword: name, typed value and comment.

    ``Property(name, value[, comment])`` takes the type from the value,
    ``Property(name, type[, value[, comment]])`` converts the value if nothing is lost.

    Raises
    ------
    InvalidTypeError
        If the value does not fit the type, or is NaN.
    """

    __slots__ = ("_comment", "_name", "_type", "_value")
    __hash__ = None

    def __init__(self, *args: Any, **kwargs: Any):
        given = _bind(args, kwargs)
        name = as_text(given["name"]) if given else None
        if name is None:
            raise signature_error("__init__", _PROPERTY_FORMS, args, kwargs)
        kind = given.get("type")
        value = given.get("initial_value")
        if kind is not None and value is None and "initial_value" in given:
            kind, value = None, int(kind)
        self._name = name
        self._comment: str | None = given.get("comment")
        if kind is not None and "initial_value" not in given:
            self._type, self._value = kind, default_of(kind)
            return
        classified = classify(value)
        if classified is None:
            raise signature_error("__init__", _PROPERTY_FORMS, args, kwargs)
        if kind is not None:
            default_of(kind) if kind is Type.UNSPECIFIED else None
        self._type = kind or classified[0]
        self._value = convert(*classified, self._type)

    @classmethod
    def _of(cls, name: str, kind: Type, value: Value, comment: str | None = None) -> Property:
        """Make a property of a value that is known to fit its type."""
        self = cls.__new__(cls)
        self._name, self._type, self._value, self._comment = name, kind, value, comment
        return self

    def _copy(self) -> Property:
        return self._of(self._name, self._type, self._value, self._comment)

    def _take(self, other: Property) -> None:
        """Become equal to another property."""
        self._name, self._type = other._name, other._type
        self._value, self._comment = other._value, other._comment

    def _text(self, value: Any) -> str:
        text = as_text(value)
        if text is None:
            form = "(arg0: cpl.core.Property, arg1: str) -> None"
            raise signature_error("", [form], (self, value))
        return text

    @property
    def name(self) -> str:
        """Keyword; ESO keywords are written ``ESO PRO CATG``."""
        return self._name

    @name.setter
    def name(self, name: str) -> None:
        self._name = self._text(name)

    @property
    def comment(self) -> str | None:
        """Comment, None if there was never one."""
        return self._comment

    @comment.setter
    def comment(self, comment: str) -> None:
        self._comment = self._text(comment)

    @property
    def type(self) -> Type:
        """CPL type of the value."""
        return self._type

    @property
    def value(self) -> Value:
        """Value; assigning one that does not fit the type changes the type."""
        return self._value

    @value.setter
    def value(self, value: Value) -> None:
        if value is None:
            raise ValueError("None is not allowed as a value")
        classified = classify(value)
        if classified is None:
            raise cast_error(value)
        try:
            self._value = convert(*classified, self._type)
        except IllegalInputError:
            raise
        except RuntimeError:
            self._type = classified[0]
            self._value = convert(*classified, self._type)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Property) and self.__getstate__() == other.__getstate__()

    def __getstate__(self) -> tuple:
        return self._name, self._type, self._value, self._comment

    def __reduce__(self):
        return Property._of, self.__getstate__()

    def __repr__(self) -> str:
        return f"Property{self.__getstate__()!r}"

    def __str__(self) -> str:
        return "Not implemented"

    def dump(self, filename: str | PathLike = "", mode: str = "w", show: bool = True) -> str:
        """Dump the property; like PyCPL's, the text says that this is not implemented."""
        return dump_text(str(self), filename, mode, show)

    def _dumped(self) -> str:
        comment = "(nil) '(null)'"
        if self._comment is not None:
            comment = f"{address(self._comment)} '{self._comment}'"
        size = len(self._value.encode()) + 1 if self._type is Type.STRING else 1
        if self._type in (Type.STRING, Type.CHAR):
            value = f"'{self._value}'"
        else:
            value = f"{self._value:d}" if isinstance(self._value, int) else f"{self._value:.15g}"
        return (
            f"Property at address {address(self)}\n"
            f"\tname   : {address(self._name)} '{self._name}'\n"
            f"\tcomment: {comment}\n"
            f"\ttype   : 0x{self._type.value:07x} '{TYPE_NAMES[self._type]}'\n"
            f"\tsize   : {size}\n"
            f"\tvalue  : {value}\n"
        )


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
    f"(self: cpl.core.PropertyList, name: str, value: {_VALUE}) -> None",
)
_RANGE = "PropertyList index out of range"


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
