"""Frames and frame sets of ``cpl.ui``."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Iterable, Iterator
from os import PathLike
from pathlib import Path
from typing import Any

from soxs_recipes.cpl_bridge.embedded.core_errors import FileIOError
from soxs_recipes.cpl_bridge.embedded.core_errors import (
    FileNotFoundError as CplFileNotFoundError,
)
from soxs_recipes.cpl_bridge.embedded.core_types import CplEnum
from soxs_recipes.cpl_bridge.embedded.dumping import address, dump_text
from soxs_recipes.cpl_bridge.embedded.overloads import as_text, signature_error
from soxs_recipes.cpl_bridge.embedded.ui_parameterlists import item_at

_NOT_IN_A_WORD = set("|&;<>()`\n")
_MANY = 15
"""Longer sets are abbreviated when printed."""


class FrameGroup(CplEnum):
    """What a frame is to a recipe."""

    NONE = 0
    CALIB = 2
    PRODUCT = 3
    RAW = 1


class FrameLevel(CplEnum):
    """Processing level of a product."""

    NONE = 0
    TEMPORARY = 1
    INTERMEDIATE = 2
    FINAL = 3


class FrameType(CplEnum):
    """Kind of data in a frame."""

    NONE = 1
    MATRIX = 4
    IMAGE = 2
    PAF = 16
    TABLE = 8
    ANY = 32


_FRAME_FORM = (
    "cpl.ui.Frame(file: str, tag: str = '', "
    "group: cpl.ui.Frame.FrameGroup = <FrameGroup.NONE: 0>, "
    "level: cpl.ui.Frame.FrameLevel = <FrameLevel.NONE: 0>, "
    "frameType: cpl.ui.Frame.FrameType = <FrameType.NONE: 1>)"
)


def _path_text(value: Any) -> str | None:
    if isinstance(value, PathLike):
        value = os.fspath(value)
    return os.fsdecode(value) if isinstance(value, str | bytes) else None


class Frame:
    """A file with the attributes a recipe needs: tag, group, level and type.

    Raises
    ------
    FileIOError
        If the file does not exist when the frame is made.
    """

    FrameGroup = FrameGroup
    FrameLevel = FrameLevel
    FrameType = FrameType
    __slots__ = ("_file", "_group", "_level", "_tag", "_type")
    __hash__ = None

    def __init__(
        self,
        file: str | PathLike,
        tag: str = "",
        group: FrameGroup = FrameGroup.NONE,
        level: FrameLevel = FrameLevel.NONE,
        frameType: FrameType = FrameType.NONE,  # noqa: N803 - PyCPL's name
    ):
        path, text = _path_text(file), as_text(tag)
        enums = ((group, FrameGroup), (level, FrameLevel), (frameType, FrameType))
        if None in (path, text) or not all(isinstance(v, kind) for v, kind in enums):
            raise signature_error("__init__", [_FRAME_FORM], (file, tag, group, level, frameType))
        if not path or not os.path.exists(path):  # noqa: PTH110
            raise FileIOError(f"{path} could not be found")
        self._file, self._tag = path, text
        self._group, self._level, self._type = group, level, frameType

    def _checked(self, value: Any, kind: type, word: str) -> Any:
        if not isinstance(value, kind):
            form = f"(arg0: cpl.ui.Frame, arg1: {word}) -> None"
            raise signature_error("", [form], (self, value))
        return value

    @property
    def file(self) -> str:
        """Path as given; a later assignment is not checked."""
        return self._file

    @file.setter
    def file(self, value: str | PathLike) -> None:
        self._file = self._checked(_path_text(value), str, "str")

    @property
    def tag(self) -> str:
        """Category of the frame."""
        return self._tag

    @tag.setter
    def tag(self, value: str) -> None:
        self._tag = self._checked(as_text(value), str, "str")

    @property
    def group(self) -> FrameGroup:
        """Raw, calibration or product."""
        return self._group

    @group.setter
    def group(self, value: FrameGroup) -> None:
        self._group = self._checked(value, FrameGroup, "cpl.ui.Frame.FrameGroup")

    @property
    def level(self) -> FrameLevel:
        """Processing level."""
        return self._level

    @level.setter
    def level(self, value: FrameLevel) -> None:
        self._level = self._checked(value, FrameLevel, "cpl.ui.Frame.FrameLevel")

    @property
    def type(self) -> FrameType:
        """Kind of data."""
        return self._type

    @type.setter  # noqa: A003 - PyCPL's name
    def type(self, value: FrameType) -> None:
        self._type = self._checked(value, FrameType, "cpl.ui.Frame.FrameType")

    def as_hdulist(self, **kwargs: Any) -> Any:
        """Open the file with :func:`astropy.io.fits.open`."""
        from astropy.io import fits

        return fits.open(self._file, **kwargs)

    def as_ccddata(self, **kwargs: Any) -> Any:
        """Read the file with :meth:`astropy.nddata.CCDData.read`."""
        from astropy.nddata import CCDData

        return CCDData.read(self._file, **kwargs)

    def _key(self) -> tuple:
        return self._file, self._tag, self._group, self._level, self._type

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Frame) and self._key() == other._key()

    def __reduce__(self):
        return Frame, self._key()

    def __repr__(self) -> str:
        enums = (f"cpl.ui.Frame.{e}" for e in (self._group, self._level, self._type))
        return f"cpl.ui.Frame({self._file!r}, {self._tag!r}, {', '.join(enums)})"

    def __str__(self) -> str:
        return (
            f"(file={self._file}, tag={self._tag}, group={self._group}, "
            f"level={self._level}, type={self._type})"
        )

    def _dumped(self) -> str:
        return (
            f"{self._file}  \t{self._tag}  CPL_FRAME_TYPE_{self._type.name}  "
            f"CPL_FRAME_GROUP_{self._group.name}  CPL_FRAME_LEVEL_{self._level.name}  \n"
        )

    def dump(self, filename: str | PathLike = "", mode: str = "w", show: bool = True) -> str:
        """Dump the frame to a file, to standard output or to a string."""
        return dump_text(self._dumped(), filename, mode, show)


_GROUPS = {"RAW": FrameGroup.RAW, "CALIB": FrameGroup.CALIB}


def _unquote(word: str) -> str | None:
    """Remove quotes and backslashes as a shell does; None if a quote is left open."""
    import shlex

    try:
        return "".join(shlex.split(word))
    except ValueError:
        return None


def _expand(word: str) -> str | None:
    """Expand ``~``, variables and wildcards of a path; None for what is no single word.

    Unset variables vanish. Commands are never run: a word that holds one is none.
    """
    if set("'\"\\") & set(word):
        return _unquote(word)
    if _NOT_IN_A_WORD & set(word):
        return None
    path = os.path.expandvars(os.path.expanduser(word))  # noqa: PTH111
    path = re.sub(r"\$(\w+|\{\w+\})", "", path)
    if set("{}") & set(path):
        return None
    if glob.has_magic(path):
        return next(iter(sorted(glob.glob(path))), path)  # noqa: PTH207
    return path or None


def read_sof(sof_filename: str) -> Iterator[Frame]:
    """Yield the frames of a set-of-frames file: path, tag and optional group per line.

    Raises
    ------
    cpl.core.FileNotFoundError
        If the list can't be read.
    FileIOError
        If a file in it does not exist.
    """
    try:
        lines = Path(sof_filename).read_text(errors="surrogateescape").splitlines()
    except IsADirectoryError:
        return
    except OSError:
        raise CplFileNotFoundError(sof_filename) from None
    folder = Path(sof_filename).resolve().parent
    for line in lines:
        words = line.partition("#")[0].split()
        path = _expand(words[0]) if words else None
        if path is None:
            continue
        tag, group = [*words[1:3], "", ""][:2]
        absolute = path if path.startswith("/") else f"{folder}/{path}"
        yield Frame(absolute, tag, _GROUPS.get(group, FrameGroup.NONE))


class FrameSet:
    """Ordered frames, from nothing, from a set-of-frames file or from an iterable."""

    __slots__ = ("_frames",)
    __hash__ = None

    def __init__(self, *args: Any, **kwargs: Any):
        source = self._source(args, kwargs)
        if isinstance(source, str):
            self._frames = list(read_sof(source))
            return
        self._frames: list[Frame] = []
        for frame in source:
            if not isinstance(frame, Frame):
                raise TypeError(f"expected iterable of cpl.ui.Frame, not {type(frame).__name__}")
            self._frames.append(frame)

    @staticmethod
    def _source(args: tuple, kwargs: dict) -> str | Iterable:
        given = (*args, *(kwargs[k] for k in ("sof_filename", "frames") if k in kwargs))
        if not args and not kwargs:
            return ()
        if len(given) == 1 and len(args) + len(kwargs) == 1:
            path = None if "frames" in kwargs else _path_text(given[0])
            if path is not None:
                return path
            if "sof_filename" not in kwargs and isinstance(given[0], Iterable):
                return given[0]
        forms = [
            "cpl.ui.FrameSet()",
            "cpl.ui.FrameSet(sof_filename: str)",
            "cpl.ui.FrameSet(frames: Iterable)",
        ]
        raise signature_error("__init__", forms, args, kwargs)

    def append(self, frame: Frame) -> None:
        """Add a frame at the end; the set shares it with the caller."""
        if not isinstance(frame, Frame):
            form = "(self: cpl.ui.FrameSet, frame: cpl.ui.Frame) -> None"
            raise signature_error("append", [form], (self, frame))
        self._frames.append(frame)

    def sign_products(self, compute_md5: bool = True, compute_checksum: bool = True) -> None:
        """See :func:`cpl.dfs.sign_products`."""
        from soxs_recipes.cpl_bridge.embedded.dfs_sign import sign_products

        sign_products(self, compute_md5, compute_checksum)

    def update_product_header(self) -> None:
        """See :func:`cpl.dfs.update_product_header`."""
        from soxs_recipes.cpl_bridge.embedded.dfs_sign import update_product_header

        update_product_header(self)

    def __getitem__(self, index: int) -> Frame:
        if not hasattr(index, "__index__"):
            form = "(self: cpl.ui.FrameSet, arg0: int) -> cpl.ui.Frame"
            raise signature_error("__getitem__", [form], (self, index))
        return item_at(self._frames, index)

    def __iter__(self) -> Iterator[Frame]:
        return iter(self._frames)

    def __len__(self) -> int:
        return len(self._frames)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FrameSet) and self._frames == other._frames

    def __reduce__(self):
        return FrameSet, (self._frames,)

    def _formatted(self, opening: str, closing: str, one: Callable[[Frame], str]) -> str:
        indent = " " * len(opening)
        if len(self) <= _MANY:
            return opening + f",\n{indent}".join(map(one, self._frames)) + closing
        first = "".join(f"{one(frame)},\n{indent}" for frame in self._frames[:3])
        last = f",\n{indent}".join(map(one, self._frames[-3:]))
        return f"{opening}{first}...\n{indent}{last}{closing}"

    def __repr__(self) -> str:
        return self._formatted("cpl.ui.FrameSet([", "])", repr)

    def __str__(self) -> str:
        return self._formatted("[", "]", str)

    def dump(self, filename: str | PathLike = "", mode: str = "w", show: bool = True) -> str:
        """Dump all frames to a file, to standard output or to a string."""
        lines = [f"  {i}  {frame._dumped()}" for i, frame in enumerate(self._frames)]
        text = f"+++ Frameset at address: {address(self)}\n" + "".join(lines)
        return dump_text(text, filename, mode, show)
