"""Ending a run cleanly on SIGINT, SIGTERM and SIGHUP (a closed terminal)."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from soxs_recipes.cpl_bridge.runner.errors import Terminated

_ENDING = (signal.SIGTERM, signal.SIGHUP)
_HELD = (signal.SIGINT, *_ENDING)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


@contextmanager
def termination_raises() -> Iterator[None]:
    """Raise `Terminated` on SIGTERM and SIGHUP inside the block.

    A signal that somebody else handles, or that is ignored (`nohup`), is left alone.
    """
    taken = [number for number in _ENDING if _is_free(number)]
    for number in taken:
        signal.signal(number, _raise_terminated)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def deferred() -> Iterator[None]:
    """Hold the signals back until the block is done, then deliver the first of them.

    Handlers are replaced rather than the signals masked, since a mask holds for one thread only.
    """
    if not _in_main_thread():
        yield
        return
    pending: list[int] = []
    previous = {number: signal.getsignal(number) for number in _HELD}
    for number in _HELD:
        signal.signal(number, lambda received, _frame: pending.append(received))
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        if pending:
            signal.raise_signal(pending[0])


def _is_free(number: int) -> bool:
    return _in_main_thread() and signal.getsignal(number) is signal.SIG_DFL


def _raise_terminated(number: int, _frame: object) -> None:
    raise Terminated(number)
