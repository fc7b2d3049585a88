"""Properties of ``cpl.core``: typed keywords."""

from __future__ import annotations

from os import PathLike
from typing import Any

from soxs_recipes.cpl_bridge.embedded.core_errors import InvalidTypeError
from soxs_recipes.cpl_bridge.embedded.core_types import TYPE_NAMES, Type
from soxs_recipes.cpl_bridge.embedded.dumping import address, dump_text
from soxs_recipes.cpl_bridge.embedded.overloads import (
    as_text,
    cast_error,
    signature_error,
)
from soxs_recipes.cpl_bridge.embedded.property_values import (
    Value,
    classify,
    convert,
    default_of,
)

VALUE_FORM = "Union[complex, float, bool, str, int, complex, int, int, str, float]"
_PROPERTY_FORMS = (
    "cpl.core.Property(name: str, type: cpl.core.Type)",
    "cpl.core.Property(name: str, type: cpl.core.Type, "
    f"initial_value: {VALUE_FORM}, comment: Optional[str] = None)",
    f"cpl.core.Property(name: str, initial_value: {VALUE_FORM}, comment: Optional[str] = None)",
)


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
        self._name = name
        self._comment: str | None = given.get("comment")
        kind = given.get("type")
        if kind is not None:
            self._type, self._value = kind, default_of(kind)
            if "initial_value" not in given:
                return
        value = given["initial_value"]
        if kind is not None and value is None:
            kind, value = None, int(kind)
        classified = classify(value)
        if classified is None:
            raise signature_error("__init__", _PROPERTY_FORMS, args, kwargs)
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
        except InvalidTypeError:
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
