"""Work on two cores at a time: numpy's operations on large arrays leave other threads free."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

WORKERS = 2
"""Number of threads."""


def in_parallel(task: Callable[..., Result], *arguments: Sequence) -> list[Result]:
    """Results of a task on each set of arguments, in their order, two at a time."""
    with ThreadPoolExecutor(WORKERS) as pool:
        return list(pool.map(task, *arguments))


def ahead(task: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Results of a task on each item, in their order; one is made while another is used.

    The first two are made at once. From then on an item is taken up when a result is asked for, so
    that two results exist at a time, however many items there are, if the user keeps none.
    """
    rest = iter(items)
    pending: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(WORKERS) as pool:
        try:
            pending.extend(pool.submit(task, item) for item in islice(rest, WORKERS))
            while pending:
                result = pending.popleft().result()
                yield result
                del result
                pending.extend(pool.submit(task, item) for item in islice(rest, 1))
        finally:
            pool.shutdown(cancel_futures=True)
