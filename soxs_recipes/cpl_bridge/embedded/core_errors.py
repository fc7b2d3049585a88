"""Exceptions of ``cpl.core``.

An error holds a trace of frames, oldest first; its attributes are those of the last frame, the
one that was reported. Every class derives from :class:`Error` and a builtin exception.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any


class ErrorFrame:
    """One entry of an error's trace: where it happened and what was said."""

    __slots__ = ("code", "file", "function", "line", "message")

    def __init__(self, code: int, function: str, file: str, line: int, message: str):
        self.code = code
        self.function = function
        self.file = file
        self.line = line
        self.message = message

    def _key(self) -> tuple:
        return self.code, self.function, self.file, self.line, self.message

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ErrorFrame) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __str__(self) -> str:
        return f'  File "{self.file}", line {self.line}, in {self.function}\n{self.message}'

    def __repr__(self) -> str:
        return (
            f"<cpl.core.ErrorFrame function={self.function!r} code={self.code} "
            f"file={self.file!r} line={self.line!r} message={self.message!r}>"
        )

    def error_class(self) -> type[Error]:
        """Return the exception class of this frame's code."""
        return ERROR_CLASSES[self.code]


_OVERLOADS = (
    "Expected one of the following overloads: \n"
    "    (iterable of cpl.core.Error)    cpl.core._Error_Data\n"
    "    cpl.core.Error\n"
    "    int, str, str, unsigned, str\n"
    "  not "
)


def _copied_frames(source: Any) -> list[ErrorFrame]:
    if isinstance(source, Error):
        return list(source.trace)
    try:
        frames = [frame for error in source for frame in error.trace]
    except AttributeError:
        raise TypeError("Expected Iterable of cpl.core.Error") from None
    if not frames:
        raise ValueError("Expected at least 1 iterated element")
    return frames


class Error(Exception, Sequence):
    """Base of all CPL exceptions; raise a subclass.

    Made from a message (the caller's position is recorded), from function, file, line and
    message, from another error of the same class, or from an iterable of errors whose frames
    are joined to one trace.
    """

    code: int

    def __init__(self, *args: Any):
        super().__init__(*args)
        try:
            self._frames = self._frames_of(args)
        except TypeError:
            names = tuple(arg.__class__.__name__ for arg in args)
            raise TypeError(_OVERLOADS + repr(names)) from None
        if self._frames[-1].code != self.code:
            found = self._frames[-1].error_class().__name__
            raise ValueError(f"Expected an error matching {type(self).__name__}, not {found}")

    def _frames_of(self, args: tuple) -> list[ErrorFrame]:
        if len(args) == 1 and type(args[0]) is str:
            caller = sys._getframe(2)
            where = caller.f_code.co_name, caller.f_code.co_filename, caller.f_lineno
            return [ErrorFrame(self.code, *where, args[0])]
        if len(args) == 4:
            return [ErrorFrame(self.code, *args)]
        if not args:
            raise TypeError("Expected at least one arg")
        return _copied_frames(args[0])

    @classmethod
    def create(cls, *args: Any) -> Error:
        """Make an error of the class that the arguments call for.

        Takes an error, an iterable of errors, or code, function, file, line, message.
        """
        if len(args) == 5:
            return ERROR_CLASSES[args[0]](*args[1:])
        frames = _copied_frames(args[0])
        return cls._from_frames(frames)

    @staticmethod
    def _from_frames(frames: list[ErrorFrame]) -> Error:
        last = frames[-1]
        error = last.error_class()(last.function, last.file, last.line, last.message)
        error._frames = frames
        return error

    @property
    def trace(self) -> list[ErrorFrame]:
        """All frames, oldest first."""
        return self._frames

    @property
    def function(self) -> str:
        """Function that reported the error."""
        return self._frames[-1].function

    @property
    def file(self) -> str:
        """Source file of that function."""
        return self._frames[-1].file

    @property
    def line(self) -> int:
        """Line in that file."""
        return self._frames[-1].line

    @property
    def message(self) -> str:
        """What the last frame says."""
        return self._frames[-1].message

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: int) -> Error:
        return self._from_frames([self._frames[index]])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Error) and self._frames == other._frames

    def __hash__(self) -> int:
        return hash(tuple(self._frames))

    def __reduce__(self):
        return _restore, (self._frames,)

    def __str__(self) -> str:
        head = "CPL error stack trace (most recent error last):\n"
        return head + "".join(f"{frame}\n\n" for frame in self._frames)

    def __repr__(self) -> str:
        name = f"cpl.core.{type(self).__name__}"
        if len(self) == 1:
            return name + repr((self.function, self.file, self.line, self.message))
        return f"{name}({list(self)!r})"


def _restore(frames: list[ErrorFrame]) -> Error:
    return Error._from_frames(frames)


class UnspecifiedError(Error, RuntimeError):
    """Unspecified error."""

    code = 1


class ErrorLostError(Error, RuntimeError):
    """Actual CPL error has been lost."""

    code = 2


class DuplicatingStreamError(Error, RuntimeError):
    """Could not duplicate output stream."""

    code = 3


class AssigningStreamError(Error, RuntimeError):
    """Could not associate a stream with a file descriptor."""

    code = 4


class FileIOError(Error, RuntimeError):
    """Access to a file was denied or failed."""

    code = 5


class BadFileFormatError(Error, RuntimeError):
    """Input file had not the expected format."""

    code = 6


class FileAlreadyOpenError(Error, RuntimeError):
    """Attempted to open a file twice."""

    code = 7


class FileNotCreatedError(Error, RuntimeError):
    """Could not create a file."""

    code = 8


class FileNotFoundError(Error, RuntimeError):  # noqa: A001 - PyCPL's name
    """A specified file or directory was not found; not the builtin of that name."""

    code = 9


class DataNotFoundError(Error, RuntimeError):
    """Data searched within a valid object were not found."""

    code = 10


class AccessOutOfRangeError(Error, LookupError):
    """Data were accessed beyond boundaries."""

    code = 11


class NullInputError(Error, ValueError):
    """A null pointer was found where a valid pointer was expected."""

    code = 12


class IncompatibleInputError(Error, ValueError):
    """Data that had to be processed together did not match."""

    code = 13


class IllegalInputError(Error, ValueError):
    """Illegal values were detected."""

    code = 14


class IllegalOutputError(Error, RuntimeError):
    """A given operation would have generated an illegal object."""

    code = 15


class UnsupportedModeError(Error, RuntimeError):
    """The requested functionality is not supported."""

    code = 16


class SingularMatrixError(Error, RuntimeError):
    """Could not invert a matrix."""

    code = 17


class DivisionByZeroError(Error, RuntimeError):
    """Attempted to divide a number by zero."""

    code = 18


class TypeMismatchError(Error, RuntimeError):
    """Data were not of the expected type."""

    code = 19


class InvalidTypeError(Error, RuntimeError):
    """Data type was unsupported or invalid."""

    code = 20


class ContinueError(Error, RuntimeError):
    """An iterative process did not converge."""

    code = 21


class NoWCSError(Error, RuntimeError):
    """The WCS functionalities are missing."""

    code = 22


class EOLError(Error, RuntimeError):
    """End of the list of CPL error codes; never raised."""

    code = 23


_CLASSES: Iterable[type[Error]] = (
    UnspecifiedError,
    ErrorLostError,
    DuplicatingStreamError,
    AssigningStreamError,
    FileIOError,
    BadFileFormatError,
    FileAlreadyOpenError,
    FileNotCreatedError,
    FileNotFoundError,
    DataNotFoundError,
    AccessOutOfRangeError,
    NullInputError,
    IncompatibleInputError,
    IllegalInputError,
    IllegalOutputError,
    UnsupportedModeError,
    SingularMatrixError,
    DivisionByZeroError,
    TypeMismatchError,
    InvalidTypeError,
    ContinueError,
    NoWCSError,
    EOLError,
)
ERROR_CLASSES: dict[int, type[Error]] = {error.code: error for error in _CLASSES}

_STANDARD_TEXTS: dict[type[Error], str] = {
    FileIOError: "File read/write error",
    BadFileFormatError: "Bad file format",
    FileNotCreatedError: "File cannot be created",
    FileNotFoundError: "File not found",
    DataNotFoundError: "Data not found",
    IllegalInputError: "Illegal input",
    UnsupportedModeError: "Unsupported mode",
    TypeMismatchError: "Type mismatch",
    InvalidTypeError: "Invalid type",
    IncompatibleInputError: "Incompatible input",
}


def described(kind: type[Error], detail: str, depth: int = 1) -> Error:
    """Make an error as CPL's C functions report it: standard text, then the detail."""
    caller = sys._getframe(depth)
    where = caller.f_code.co_name, caller.f_code.co_filename, caller.f_lineno
    return kind(*where, f"{_STANDARD_TEXTS[kind]}: {detail}")


def passed_on(kind: type[Error], detail: str) -> Error:
    """Make an error that an inner C function described and an outer one passed on.

    Its message is the standard text alone, the detail stands in the frame before, as with
    the save functions of ``cpl.dfs``.
    """
    inner = described(kind, detail, depth=2)
    outer = kind(inner.function, inner.file, inner.line, _STANDARD_TEXTS[kind])
    return Error._from_frames([*inner.trace, *outer.trace])


def pass_on(error: Error) -> Error:
    """Add the frame of an outer C function to an error, which says the standard text alone."""
    text = _STANDARD_TEXTS.get(type(error), error.message)
    if error.message == text:
        return error
    outer = type(error)(error.function, error.file, error.line, text)
    return Error._from_frames([*error.trace, *outer.trace])
