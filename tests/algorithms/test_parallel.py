"""Two threads: both work, order and errors are kept, and little is made ahead."""

import threading
import time
import weakref

import pytest

from soxs_recipes.algorithms.parallel import ahead, in_parallel


def test_two_are_at_work_and_results_keep_their_order():
    together = threading.Barrier(2)

    def task(number, factor):
        if number < 2:
            together.wait(timeout=20)
        return number * factor

    assert in_parallel(task, range(9), [3] * 9) == [0, 3, 6, 9, 12, 15, 18, 21, 24]
    assert in_parallel(task, [], []) == []


@pytest.mark.parametrize("bad", [0, 1, 5])
def test_an_error_is_passed_on_and_nothing_more_is_begun(bad):
    begun = []

    def task(number):
        begun.append(number)
        if number == bad:
            raise ArithmeticError(number)
        time.sleep(0.05)

    with pytest.raises(ArithmeticError, match=str(bad)):
        in_parallel(task, range(100))
    assert len(begun) < 60


class Large:
    """A result whose life is counted."""

    alive = most = 0
    lock = threading.Lock()

    def __init__(self, number):
        self.number = number
        with Large.lock:
            Large.alive += 1
            Large.most = max(Large.most, Large.alive)
        weakref.finalize(self, Large.gone)

    @classmethod
    def gone(cls):
        with cls.lock:
            cls.alive -= 1


@pytest.mark.parametrize("count", [0, 1, 2, 3, 20])
def test_no_more_than_two_results_exist(count):
    Large.alive = Large.most = 0
    numbers = []
    for one in ahead(Large, range(count)):
        time.sleep(0.005)
        numbers.append(one.number)
        del one
    assert numbers == list(range(count))
    assert Large.most == min(count, 2)
    assert Large.alive == 0


def test_the_next_is_made_while_one_is_used():
    made = threading.Event()

    def task(number):
        if number == 2:
            made.set()
        return number

    results = ahead(task, range(3))
    assert [next(results), next(results)] == [0, 1]
    assert made.wait(timeout=20)
    assert list(results) == [2]


def test_an_error_comes_in_its_turn():
    def task(number):
        if number == 1:
            raise ArithmeticError
        return number

    results = ahead(task, range(5))
    assert next(results) == 0
    with pytest.raises(ArithmeticError):
        next(results)


def test_what_is_left_is_not_begun_when_the_user_stops():
    begun = []
    results = ahead(begun.append, range(50))
    next(results)
    results.close()
    assert begun in ([0], [0, 1], [1, 0])


def test_the_first_may_be_made_alone():
    """Its item, too, is gone when the next is begun: both may be large."""
    alive = []

    def task(item):
        alive.append(Large.alive)
        return item.number

    Large.alive = 0
    items = (Large(number) for number in range(3))
    assert list(ahead(task, items, both_at_once=False)) == [0, 1, 2]
    assert alive == [1, 1, 1]
