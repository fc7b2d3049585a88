"""The ``dump`` methods: text to a file, to standard output or back to the caller."""

from __future__ import annotations

import errno
import sys
from os import PathLike, fspath


def dump_text(text: str, filename: str | PathLike = "", mode: str = "w", show: bool = True) -> str:
    """Write a dump to `filename`, else to standard output if `show`; return it.

    Raises
    ------
    ValueError
        If `mode` is no mode that can write.
    FileNotFoundError, PermissionError, FileExistsError, OSError
        If the file can't be opened.
    """
    path = fspath(filename)
    if path:
        _check_mode(mode)
        with _open(path, mode.replace("b", "")) as stream:
            stream.write(text)
    elif show:
        sys.stdout.write(text)
        sys.stdout.flush()
    return text


def _check_mode(mode: str) -> None:
    if set(mode) - set("rwaxbt+") or any(mode.count(c) > 1 for c in "rwax"):
        raise ValueError(f"invalid mode: '{mode}'")
    if sum(c in mode for c in "rwax") != 1:
        raise ValueError("must have exactly one of create/read/write/append mode")
    if "b" in mode and "t" in mode:
        raise ValueError("can't have text and binary mode at once")
    if "r" in mode and "+" not in mode:
        raise ValueError("create/write/append access is required")


def _open(path: str, mode: str):
    words = {
        errno.ENOENT: "File not found",
        errno.EACCES: "Permission denied",
        errno.EEXIST: "File exists",
    }
    try:
        return open(path, mode)  # noqa: PTH123 - any bytes are allowed in the name
    except OSError as error:
        if error.errno in words:
            raise type(error)(f"[Errno {error.errno}] {words[error.errno]}: '{path}'") from None
        raise OSError(f"[Errno {error.errno}]{error.strerror}: '{path}'") from None


def address(obj: object) -> str:
    """Return a hexadecimal identity, where PyCPL prints a memory address."""
    return hex(id(obj))
