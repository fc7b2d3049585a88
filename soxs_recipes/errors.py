"""Errors a user can act on: each says which file, what was expected, what was found, what to do."""

from __future__ import annotations

from os import PathLike


class SoxsError(Exception):
    """Base of the package's errors.

    Parameters
    ----------
    summary : str
        What went wrong, in one sentence without a full stop.
    file : path, optional
        The file concerned.
    expected, found : str, optional
        What the step needs and what it got.
    remedy : str, optional
        What the receiver can do.
    """

    def __init__(
        self,
        summary: str,
        *,
        file: str | PathLike[str] | None = None,
        expected: str | None = None,
        found: str | None = None,
        remedy: str | None = None,
    ) -> None:
        self.summary = summary
        self.file = None if file is None else str(file)
        self.expected = expected
        self.found = found
        self.remedy = remedy
        super().__init__(str(self))

    def __str__(self) -> str:
        details = (
            ("file", self.file),
            ("expected", self.expected),
            ("found", self.found),
            ("remedy", self.remedy),
        )
        lines = [self.summary]
        lines += [f"  {label + ':':<9} {text}" for label, text in details if text]
        return "\n".join(lines)


class ParameterError(SoxsError):
    """A recipe parameter is unknown, of the wrong type, out of range or not one of its choices."""


class InputError(SoxsError):
    """A set of frames does not fit the recipe."""


class EmptyInputError(InputError):
    """The set of frames holds nothing."""


class UnknownTagError(InputError):
    """A frame carries a tag that the recipe does not take."""


class MissingInputError(InputError):
    """A required input, or enough of it, is not there."""


class ArmMismatchError(InputError):
    """Frames of several cameras, or of a camera that the tag does not name."""


class SettingMismatchError(InputError):
    """Frames that must share a detector setting do not."""


class DuplicateFrameError(InputError):
    """The same file stands twice in a set of frames."""


class UnreadableFrameError(InputError):
    """A file is missing, truncated or no FITS file."""


class ForeignFrameError(InputError):
    """A frame of another instrument, or of a shape its camera does not give."""


class HeaderError(InputError):
    """A header card that is needed is missing or makes no sense."""


class ProductError(SoxsError):
    """A product could not be written."""
