"""Work on two cores at a time: numpy's operations on large arrays leave other threads free."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_parallel(task: Callable[..., Result], *arguments: Sequence) -> list[Result]:
    """Results of a task on each set of arguments, in their order.

    The calling thread and another one take the next set that is left. Every thread keeps memory
    of its own that it has freed, so that there are no more than two.
    """
    jobs = list(zip(*arguments, strict=True))
    results: list[Any] = [None] * len(jobs)
    left = iter(range(len(jobs)))

    def work() -> None:
        try:
            for number in left:
                results[number] = task(*jobs[number])
        finally:
            # After an error nothing more is begun.
            deque(left, maxlen=0)

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(work)
        work()
        other.result()
    return results


def ahead(
    task: Callable[[Item], Result], items: Iterable[Item], both_at_once: bool = True
) -> Iterator[Result]:
    """Results of a task on each item, in their order; the next is made while one is used.

    The first two are made at once if `both_at_once`, each of the others while the one before is
    used: two results exist at a time, however many items there are, if the user keeps none.
    """
    rest = iter(items)
    with ThreadPoolExecutor(1) as pool:

        def begun() -> Future[Result] | None:
            for item in rest:
                return pool.submit(task, item)
            return None

        try:
            for first in rest:
                following = begun() if both_at_once else None
                result = task(first)
                # Nothing is kept that the task alone needed.
                del first
                following = following or begun()
                yield result
                del result
                while following is not None:
                    result = following.result()
                    following = begun()
                    yield result
                    del result
        finally:
            pool.shutdown(cancel_futures=True)
