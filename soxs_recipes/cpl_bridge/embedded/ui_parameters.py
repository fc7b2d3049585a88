"""Recipe parameters of ``cpl.ui``.

A parameter's type is that of its default: bool, int, float or str. As in CPL, limits and
alternatives describe a parameter; assigning a value does not check them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from os import PathLike
from typing import Any

from soxs_recipes.cpl_bridge.embedded.core_errors import IllegalInputError
from soxs_recipes.cpl_bridge.embedded.core_types import CplEnum, Type
from soxs_recipes.cpl_bridge.embedded.dumping import address, dump_text
from soxs_recipes.cpl_bridge.embedded.overloads import as_text, signature_error
from soxs_recipes.cpl_bridge.embedded.parameter_values import (
    Value,
    as_float,
    as_int,
    format_value,
    infer,
    typed,
)

_DUMP_TYPES = {Type.BOOL: "bool", Type.INT: "int", Type.DOUBLE: "double", Type.STRING: "string"}


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
        inferred = infer(default)
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
        self._value = typed(self._data_type, value)
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
        data_type, numbers = Type.INT, [as_int(number) for number in given]
        if None in numbers:
            data_type, numbers = Type.DOUBLE, [as_float(number) for number in given]
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
            (Type.INT, as_int),
            (Type.DOUBLE, as_float),
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
