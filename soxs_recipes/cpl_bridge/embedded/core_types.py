"""Enumerations of ``cpl.core``: value types and file modes."""

from __future__ import annotations

from enum import Enum


class CplEnum(Enum):
    """Enumeration that compares equal to its integer, as C enumerations in PyCPL do."""

    def __eq__(self, other: object) -> bool:
        if isinstance(other, CplEnum):
            return self is other
        return self.value == other if isinstance(other, int) else False

    def __hash__(self) -> int:
        return hash(self.value)

    def __int__(self) -> int:
        return self.value

    def __index__(self) -> int:
        return self.value

    def __reduce_ex__(self, protocol: object):
        return type(self), (self.value,)


class Type(CplEnum):
    """CPL value types."""

    UNSPECIFIED = 1048576
    CHAR = 32
    UCHAR = 64
    BOOL = 128
    SHORT = 256
    USHORT = 512
    INT = 1024
    UINT = 2048
    LONG = 4096
    ULONG = 8192
    LONG_LONG = 16384
    SIZE = 32768
    FLOAT = 65536
    DOUBLE = 131072
    FLOAT_COMPLEX = 589824
    DOUBLE_COMPLEX = 655360
    STRING = 33
    ARRAY = 262144


class io(CplEnum):  # noqa: N801 - PyCPL's name
    """How a save call opens its file; members combine with ``|`` to an integer."""

    CREATE = 2
    EXTEND = 4
    APPEND = 8
    COMPRESS_GZIP = 16
    COMPRESS_RICE = 32
    COMPRESS_HCOMPRESS = 64
    COMPRESS_PLIO = 128

    def __or__(self, other: io | int) -> int:
        return self.value | int(other)

    __ror__ = __or__

    def __and__(self, other: io | int) -> int:
        return self.value & int(other)

    __rand__ = __and__

    def __xor__(self, other: io | int) -> int:
        return self.value ^ int(other)

    __rxor__ = __xor__

    def __invert__(self) -> int:
        return ~self.value

    def __lt__(self, other: io | int) -> bool:
        return self.value < int(other)

    def __le__(self, other: io | int) -> bool:
        return self.value <= int(other)

    def __gt__(self, other: io | int) -> bool:
        return self.value > int(other)

    def __ge__(self, other: io | int) -> bool:
        return self.value >= int(other)


TYPE_NAMES = {
    Type.CHAR: "char",
    Type.UCHAR: "unsigned char",
    Type.BOOL: "boolean",
    Type.SHORT: "short int",
    Type.USHORT: "unsigned short int",
    Type.INT: "int",
    Type.UINT: "unsigned int",
    Type.LONG: "long int",
    Type.ULONG: "unsigned long int",
    Type.LONG_LONG: "long long int",
    Type.SIZE: "size_type",
    Type.FLOAT: "float",
    Type.DOUBLE: "double",
    Type.FLOAT_COMPLEX: "float complex",
    Type.DOUBLE_COMPLEX: "double complex",
    Type.STRING: "char array",
    Type.ARRAY: "array",
    Type.UNSPECIFIED: "unspecified",
}
"""CPL's own wording for each type, as it appears in messages and dumps."""
