"""A directory for unfinished work, which is gone when the work is, however it ends."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from soxs_recipes.cpl_bridge.runner import signals


@contextmanager
def private_directory(make: Callable[[], Path]) -> Iterator[Path]:
    """Make a directory for the time of the block.

    Signals wait until it is made or removed, so that none leaves it behind.

    Parameters
    ----------
    make : callable
        Makes the directory and returns it.
    """
    directory = None
    try:
        with signals.deferred():
            directory = make()
        yield directory
    finally:
        with signals.deferred():
            if directory is not None:
                shutil.rmtree(directory, ignore_errors=True)
