"""Memory of a process whose threads make and drop large arrays."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping

# Parameters of glibc's mallopt, from its malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
# Arrays from this size on are asked of the kernel one by one: the largest value that glibc takes.
_SINGLE_BYTES = 32 * 2**20
# So much unused memory is kept at the most.
_KEPT_BYTES = 512 * 2**20


def one_pool(environment: Mapping[str, str]) -> bool:
    """Let all threads share one pool of memory, and keep what is freed for what comes next.

    By default every thread keeps what it has freed for itself, and arrays of some megabytes are
    asked of the kernel anew each time, which fills them with zeros: some per cent of the time of a
    sky subtraction, and 70 to 220 MB. It has to be said before threads are started. Other C
    libraries than glibc, and processes whose user has set variables of glibc's, are left alone.

    Returns
    -------
    bool
        Whether the library was told.
    """
    if any(name.startswith("MALLOC_") for name in environment):
        return False
    try:
        tell = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    sizes = {_ARENA_MAX: 1, _MMAP_THRESHOLD: _SINGLE_BYTES, _TRIM_THRESHOLD: _KEPT_BYTES}
    return all(tell(key, size) for key, size in sizes.items())
