"""Parameter lists of ``cpl.ui``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from os import PathLike
from typing import Any

from soxs_recipes.cpl_bridge.embedded.dumping import dump_text
from soxs_recipes.cpl_bridge.embedded.overloads import signature_error
from soxs_recipes.cpl_bridge.embedded.ui_parameters import Parameter


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
