"""Recognising that a file could not be written for want of space."""

from __future__ import annotations

import errno
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from soxs_recipes.cpl_bridge import cpl

_CAUSES = {
    errno.ENOSPC: "no space left on the device",
    errno.EDQUOT: "disk quota exceeded",
    errno.EFBIG: "the file would exceed the largest size allowed (ulimit -f)",
}
# numpy and astropy report a short write without an error number.
_SHORT_WRITE = re.compile(r"requested and \d+ written|Not enough space on disk")
_UNKNOWN_CAUSE = "it ended early: a quota or a limit to file sizes (ulimit -f)"
_NEARLY_NOTHING = 1 << 20


def full_disk_remedy(error: BaseException, scratch: Path) -> str:
    """Say what to do if an error comes from a full disk, a quota or a limit; else return nothing.

    Parameters
    ----------
    error : BaseException
        What was raised; the exceptions it came from are looked at too.
    scratch : Path
        Directory that was written to.
    """
    free = shutil.disk_usage(scratch).free
    culprit = next((e for e in _chain(error) if cause(e, free)), None)
    if culprit is None:
        return ""
    file = getattr(culprit, "filename", None) or _newest(scratch)
    return (
        f"Writing '{file}' in '{scratch.parent}' failed: {cause(culprit, free)} "
        f"({free / 1e6:.0f} MB are free). "
        "Make room there, raise the limit, or choose another --output-dir. "
        "Nothing was left behind."
    )


def cause(error: BaseException, free: int) -> str:
    """Name why an exception means want of space, empty if it does not; `free` is in bytes."""
    if isinstance(error, OSError) and error.errno in _CAUSES:
        return _CAUSES[error.errno]
    full = free < _NEARLY_NOTHING
    if isinstance(error, OSError) and _SHORT_WRITE.search(str(error)):
        return _CAUSES[errno.ENOSPC] if full else _UNKNOWN_CAUSE
    return _CAUSES[errno.ENOSPC] if full and isinstance(error, cpl.core.Error) else ""


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _newest(scratch: Path) -> str:
    files = [path for path in scratch.rglob("*") if path.is_file()]
    newest = max(files, key=lambda path: path.stat().st_mtime_ns, default=None)
    return "a product" if newest is None else newest.name
