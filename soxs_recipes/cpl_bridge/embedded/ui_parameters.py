"""Recipe parameters of ``cpl.ui``.

A parameter's type is that of its default: bool, int, float or str. As in CPL, limits and
alternatives describe a parameter; assigning a value does not check them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from os import PathLike
from typing import Any

from soxs_recipes.cpl_bridge.embedded.core_errors import IllegalInputError
from soxs_recipes.cpl_bridge.embedded.core_types import TYPE_NAMES, CplEnum, Type
from soxs_recipes.cpl_bridge.embedded.dumping import address, dump_text
from soxs_recipes.cpl_bridge.embedded.overloads import (
    as_index,
    as_text,
    cast_error,
    is_bool,
    signature_error,
)

INT_MIN, INT_MAX = -(2**31), 2**31 - 1
_DUMP_TYPES = {Type.BOOL: "bool", Type.INT: "int", Type.DOUBLE: "double", Type.STRING: "string"}
Value = bool | int | float | str


def _as_int(value: Any) -> int | None:
    """Return a value that a C int takes unchanged, else None."""
    number = as_index(value)
    return number if number is not None and INT_MIN <= number <= INT_MAX else None


def _as_float(value: Any) -> float | None:
    """Return a value that a C double takes, integers included, else None."""
    if isinstance(value, str) or not (hasattr(value, "__float__") or hasattr(value, "__index__")):
        return None
    return float(value)


def _infer(value: Any) -> tuple[Type, Value] | None:
    """Find type and value of a default, as PyCPL's overloads do (None and others: bool)."""
    if is_bool(value):
        return Type.BOOL, bool(value)
    number = _as_int(value)
    if number is not None:
        return Type.INT, number
    if isinstance(value, float):
        return Type.DOUBLE, float(value)
    text = as_text(value)
    if text is not None:
        return Type.STRING, text
    if value is None or hasattr(value, "__bool__"):
        return Type.BOOL, bool(value)
    return None


def format_value(kind: Type, value: Value) -> str:
    """Write a parameter value as CPL prints it in a dump."""
    if kind is Type.BOOL:
        return "1" if value else "0"
    return f"{value:g}" if kind is Type.DOUBLE else str(value)


def _typed(kind: Type, value: Any) -> Value:
    """Convert an assigned value to a parameter's type.

    Raises
    ------
    RuntimeError
        If the value is of another type; integers are taken where a float is expected.
    """
    if kind is Type.INT and isinstance(value, float):
        return _truncated(value)
    if isinstance(value, list | tuple | dict | set):
        raise cast_error(value)
    converted: Value | None = None
    if is_bool(value) or value is None:
        converted = bool(value) if kind is Type.BOOL else None
    elif kind is Type.INT:
        converted = _as_int(value)
    elif kind is Type.DOUBLE:
        converted = _as_float(value)
    elif kind is Type.STRING:
        converted = as_text(value)
    if converted is None:
        raise RuntimeError(
            f"A parameter of type {TYPE_NAMES[kind]} does not match the received type"
        )
    return converted


def _truncated(value: float) -> int:
    warnings.warn(
        "An Integer type CPL Parameter received a floating-point value. Lossy conversion will "
        "occur",
        RuntimeWarning,
        stacklevel=4,
    )
    inside = INT_MIN <= value <= INT_MAX
    return int(value) if inside else INT_MIN


class _Text:
    """Attribute that takes text only."""

    def __init__(self, owner: str):
        self._owner = owner

    def __set_name__(self, owner: type, name: str) -> None:
        self._slot = f"_{name}"

    def __get__(self, obj: Any, owner: type | None = None) -> Any:
        return self if obj is None else getattr(obj, self._slot)

    def __set__(self, obj: Any, value: Any) -> None:
        text = as_text(value)
        if text is None:
            form = f"(arg0: cpl.ui.{self._owner}, arg1: str) -> None"
            raise signature_error("", [form], (obj, value))
        setattr(obj, self._slot, text)


class Parameter:
    """Base class of recipe parameters: name, description, context, type and tag."""

    __slots__ = ("_context", "_data_type", "_description", "_name", "_tag")

    class ParameterMode(CplEnum):
        """Where a parameter may be set."""

        CLI = 1
        ENV = 2
        CFG = 4

    def __init__(self, *_: Any, **__: Any):
        raise TypeError("cpl.ui.Parameter: No constructor defined!")

    @property
    def name(self) -> str:
        """Unique full name."""
        return self._name

    @property
    def context(self) -> str:
        """Context that the parameter belongs to."""
        return self._context

    @property
    def description(self) -> str:
        """What the parameter does."""
        return self._description

    @property
    def help(self) -> str:
        """The description again."""
        return self._description

    @property
    def data_type(self) -> Type:
        """CPL type of value and default."""
        return self._data_type

    tag = _Text("Parameter")


class ParameterValue(Parameter):
    """Parameter with a single value.

    Parameters
    ----------
    name, description, context
        Texts, in this order.
    default
        bool, int, float or str; fixes the type.
    """

    __slots__ = ("_cfg_alias", "_cli_alias", "_default", "_env_alias", "_presence", "_value")
    __hash__ = None
    _DUMP_CLASS = "02 (Value)"
    _DEFAULTS = ("bool", "int", "float", "str")
    _EXTRA = ""

    def __init__(self, name: str, description: str, context: str, default: Value):
        inferred = _infer(default)
        if inferred is None:
            raise self._no_overload(name, description, context, default)
        self._setup(name, description, context, *inferred)

    @classmethod
    def _no_overload(cls, *args: Any) -> TypeError:
        head = f"cpl.ui.{cls.__name__}(name: str, description: str, context: str, default: "
        forms = [head + kind + cls._EXTRA.format(kind) + ")" for kind in cls._DEFAULTS]
        return signature_error("__init__", forms, args)

    def _setup(
        self, name: str, description: str, context: str, data_type: Type, default: Value
    ) -> None:
        texts = [as_text(text) for text in (name, description, context)]
        if None in texts:
            raise self._no_overload(name, description, context, default)
        self._name, self._description, self._context = texts
        self._data_type = data_type
        self._default = self._value = default
        self._tag = ""
        self._presence = False
        self._cli_alias = self._env_alias = self._cfg_alias = self._name

    cli_alias = _Text("ParameterValue")
    env_alias = _Text("ParameterValue")
    cfg_alias = _Text("ParameterValue")

    @property
    def default(self) -> Value:
        """Default value."""
        return self._default

    @property
    def value(self) -> Value:
        """Current value; assigning another type raises RuntimeError."""
        return self._value

    @value.setter
    def value(self, value: Value) -> None:
        self._value = _typed(self._data_type, value)
        self._presence = True

    @property
    def presence(self) -> bool:
        """True once a value was assigned, even the default."""
        return self._presence

    @presence.setter
    def presence(self, value: bool) -> None:
        if not (value is None or hasattr(value, "__bool__")):
            form = "(arg0: cpl.ui.ParameterValue, arg1: bool) -> None"
            raise signature_error("", [form], (self, value))
        self._presence = bool(value)

    def _key(self) -> tuple:
        return (
            self._name,
            self._description,
            self._context,
            self._data_type,
            self._tag,
            self._value,
            self._default,
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and self._key() == other._key()

    def __repr__(self) -> str:
        return f"<cpl.ui.ParameterValue: name={self.name!r}, value={self.value!r}>"

    def __str__(self) -> str:
        tag = f"{address(self._tag)}): {self._tag}" if self._tag else "(nil)): (nil)"
        values = (format_value(self._data_type, v) for v in (self._value, self._default))
        current, default = values
        return (
            f"Parameter at {address(self)}: class {self._DUMP_CLASS}, "
            f"type {self._data_type.value:x} ({_DUMP_TYPES[self._data_type]})\n"
            f"  Attributes:    name (at {address(self._name)}): {self._name}"
            f"    description (at {address(self._description)}): {self._description}"
            f"    context (at {address(self._context)}): {self._context}"
            f"    user tag (at {tag}\n"
            f"  Values:        Current: {current}    Default: {default}\n"
        )

    def dump(self, filename: str | PathLike = "", mode: str = "w", show: bool = True) -> str:
        """Dump the parameter to a file, to standard output or to a string."""
        return dump_text(str(self), filename, mode, show)


class ParameterRange(ParameterValue):
    """Parameter with limits, int or float; an int among floats is widened."""

    __slots__ = ("_max", "_min")
    __hash__ = None
    _DUMP_CLASS = "04 (Range)"
    _DEFAULTS = ("int", "float")
    _EXTRA = ", min: {0}, max: {0}"

    def __init__(
        self,
        name: str,
        description: str,
        context: str,
        default: int | float,
        min: int | float,  # noqa: A002 - PyCPL's name
        max: int | float,  # noqa: A002 - PyCPL's name
    ):
        given = (default, min, max)
        data_type, numbers = Type.INT, [_as_int(number) for number in given]
        if None in numbers:
            data_type, numbers = Type.DOUBLE, [_as_float(number) for number in given]
        if None in numbers:
            raise self._no_overload(name, description, context, *given)
        self._setup(name, description, context, data_type, numbers[0])
        self._min, self._max = numbers[1:]

    @property
    def min(self) -> int | float:
        """Smallest value that makes sense."""
        return self._min

    @property
    def max(self) -> int | float:
        """Largest value that makes sense."""
        return self._max

    def _key(self) -> tuple:
        return (*super()._key(), self._min, self._max)

    def __eq__(self, other: object) -> bool:
        return super().__eq__(other)

    def __repr__(self) -> str:
        return (
            f"<cpl.ui.ParameterRange: name={self.name!r}, value={self.value!r}, "
            f"min={self.min!r}, max={self.max!r}>"
        )


class ParameterEnum(ParameterValue):
    """Parameter with a list of alternatives, all int, all float or all str.

    Raises
    ------
    IllegalInputError
        If the default is not among the alternatives.
    """

    __slots__ = ("_alternatives",)
    __hash__ = None
    _DUMP_CLASS = "08 (Enum)"
    _DEFAULTS = ("int", "float", "str")
    _EXTRA = ", alternatives: list[{0}]"

    def __init__(
        self,
        name: str,
        description: str,
        context: str,
        default: int | float | str,
        alternatives: Iterable[int | float | str],
    ):
        converted = self._convert(default, alternatives)
        if converted is None:
            raise self._no_overload(name, description, context, default, alternatives)
        data_type, default, self._alternatives = converted
        if default not in self._alternatives:
            listed = ", ".join(format_value(data_type, item) for item in self._alternatives)
            raise IllegalInputError(
                f"Default value {format_value(data_type, default)} not found in given "
                f"alternatives [{listed}]"
            )
        self._setup(name, description, context, data_type, default)

    @staticmethod
    def _convert(default: Any, alternatives: Any) -> tuple[Type, Value, list] | None:
        if isinstance(alternatives, str | bytes) or not isinstance(alternatives, Iterable):
            return None
        given = list(alternatives)
        kinds: tuple[tuple[Type, Callable], ...] = (
            (Type.INT, _as_int),
            (Type.DOUBLE, _as_float),
            (Type.STRING, as_text),
        )
        for data_type, convert in kinds:
            values = [convert(value) for value in (default, *given)]
            if None not in values:
                return data_type, values[0], values[1:]
        return None

    @property
    def alternatives(self) -> list:
        """All allowed values."""
        return list(self._alternatives)

    def _key(self) -> tuple:
        """Leave out the default: enumerations that differ in nothing else are equal."""
        return (*super()._key()[:-1], tuple(self._alternatives))

    def __eq__(self, other: object) -> bool:
        return super().__eq__(other)

    def __repr__(self) -> str:
        return (
            f"<cpl.ui.ParameterEnum: name={self.name!r}, value={self.value!r}, "
            f"alternatives={self.alternatives!r}>"
        )


class ParameterList:
    """Ordered parameters, reached by position or by full name; duplicates are kept."""

    __slots__ = ("_parameters",)
    __hash__ = None

    def __init__(self, params: Iterable[Parameter] = ()):
        if not isinstance(params, Iterable):
            forms = ["cpl.ui.ParameterList()", "cpl.ui.ParameterList(params: Iterable)"]
            raise signature_error("__init__", forms, (params,))
        self._parameters: list[Parameter] = []
        for param in params:
            if not isinstance(param, Parameter):
                raise TypeError(
                    f"expected iterable of cpl.ui.Parameter, not {type(param).__name__}"
                )
            self._parameters.append(param)

    def append(self, param: Parameter) -> None:
        """Add a parameter at the end; the list shares it with the caller."""
        if not isinstance(param, Parameter):
            form = "(self: cpl.ui.ParameterList, param: cpl.ui.Parameter) -> None"
            raise signature_error("append", [form], (self, param))
        self._parameters.append(param)

    def __getitem__(self, key: int | str) -> Parameter:
        if isinstance(key, str):
            for parameter in self._parameters:
                if parameter.name == key:
                    return parameter
            raise KeyError(key)
        if not hasattr(key, "__index__"):
            forms = [
                "(self: cpl.ui.ParameterList, index: int) -> cpl.ui.Parameter",
                "(self: cpl.ui.ParameterList, name: str) -> cpl.ui.Parameter",
            ]
            raise signature_error("__getitem__", forms, (self, key))
        return item_at(self._parameters, key)

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self._parameters)

    def __len__(self) -> int:
        return len(self._parameters)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __repr__(self) -> str:
        return f"<cpl.ui.ParameterList, {len(self)} Parameters>"

    def __str__(self) -> str:
        return "".join(str(parameter) for parameter in self._parameters)

    def dump(self, filename: str | PathLike = "", mode: str = "w", show: bool = True) -> str:
        """Dump all parameters to a file, to standard output or to a string."""
        return dump_text(str(self), filename, mode, show)


def item_at(items: list, index: int) -> Any:
    """Return an element; the IndexError reads as PyCPL's."""
    size = len(items)
    position = index if index >= 0 else index + size
    if 0 <= position < size:
        return items[position]
    raise IndexError(
        f"vector::_M_range_check: __n (which is {position % 2**64}) >= this->size() "
        f"(which is {size})"
    )
