"""Interrupting, ending and starving a run."""

import os
import signal
import threading
import time

import pytest

from soxs_recipes.cpl_bridge.runner import signals
from soxs_recipes.cpl_bridge.runner.errors import Terminated


def wait_for(file, process):
    deadline = time.monotonic() + 20
    while not file.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("number", "status", "word"),
    [
        (signal.SIGINT, 130, "Interrupted"),
        (signal.SIGTERM, 143, "Terminated"),
        (signal.SIGHUP, 129, "Terminated"),
    ],
)
def test_a_signal_ends_the_run_and_leaves_nothing(place, number, status, word):
    ready = place.path / "ready"
    place.write("out/toy.fits", "older")
    process = place.start(
        "toy", "in.sof", "--behave=sleep", "--output-dir=out", TOY_READY=str(ready)
    )
    wait_for(ready, process)
    scratch = [name for name in place.names() if name.startswith(".pyesorex-")]
    assert len(scratch) == 1
    process.send_signal(number)
    out, err = process.communicate(timeout=10)
    assert process.returncode == status
    assert word in err
    assert "Traceback" not in out + err
    assert place.names() == ["toy.fits"]
    assert (place.path / "out" / "toy.fits").read_text() == "older"


@pytest.mark.parametrize("behave", ["large", "large_fits"])
def test_a_file_size_limit_is_reported_with_file_and_remedy(place, behave):
    process = place.start("toy", f"--behave={behave}", "--output-dir=out", "--log-level=off")
    _, err = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "Writing 'big.fits'" in err
    assert "ulimit -f" in err
    assert place.names() == []


def test_signals_are_deferred_to_the_end_of_a_block():
    done = []
    with pytest.raises(KeyboardInterrupt), signals.deferred():
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.01)
        done.append("block")
    assert done == ["block"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_termination_raises_inside_the_block_only():
    with pytest.raises(Terminated), signals.termination_raises():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_handler_of_the_caller_is_kept():
    received = []
    signal.signal(signal.SIGTERM, lambda number, _: received.append(number))
    try:
        with signals.termination_raises():
            signal.raise_signal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
    assert received == [signal.SIGTERM]


def test_other_threads_are_left_alone():
    failures = []

    def work():
        try:
            with signals.termination_raises(), signals.deferred():
                pass
        except ValueError as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert failures == []
