"""What goes wrong: status, message, no partial product, and no process left behind."""

import os
import signal
import time
from pathlib import Path

import pytest
import toy_recipes
from esorex_tools import wait_for

from soxs_recipes.esorex import installation


def running(number):
    """Whether a process exists and is no zombie."""
    try:
        state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def child_of(toy):
    return int((toy.directory / "toy.pid").read_text())


def left_over(toy):
    """Names in the working directory that a run should not leave."""
    kept = {"frame.dat", "frames.sof", "esorex.log", ".logfile", "toy.pid", "worker.pid"}
    return {path.name for path in toy.directory.iterdir()} - kept


@pytest.mark.parametrize(
    ("behaviour", "status", "messages"),
    [
        ("refuse", 1, ["No good frames", "expected: 5 or more", "remedy:   take more – soon"]),
        ("break", 1, ["KeyError: 'no such key'"]),
        ("half-done", 1, ["Half way through"]),
        ("exit", 3, ["The Python process ended with status 3 (a last word)"]),
        ("kill", 128 + 9, ["The Python process ended with signal 9"]),
        ("leave-worker", 128 + 9, ["The Python process ended with signal 9"]),
    ],
)
def test_failed_recipe(toy, sof, behaviour, status, messages):
    done = toy.run("--products-sof=products.sof", "toy", f"--behaviour={behaviour}", sof)
    assert done.status == status
    for message in messages:
        assert f"[ ERROR ] toy: {message}" in done.out.replace("toy:   ", "toy: ")
    assert f"Execution of recipe 'toy' failed, status = {status}" in done.out
    assert "Traceback" not in done.out
    assert left_over(toy) == set()


def test_traceback_is_a_debug_message(toy, sof):
    done = toy.run("--log-level=debug", "toy", "--behaviour=break", sof)
    assert "[ DEBUG ] toy: [tid=000] Traceback" in done.log
    assert "Traceback" not in done.out


def test_processes_of_a_dead_child_are_ended(toy, sof):
    began = time.monotonic()
    toy.run("toy", "--behaviour=leave-worker", sof)
    assert time.monotonic() - began < 20
    wait_for(lambda: not running((toy.directory / "worker.pid").read_text()))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_to_esorex_alone(toy, sof, number):
    process = toy.start("toy", "--behaviour=wait", sof)
    scratch = toy.directory / ".scratch" / "half.fits"
    wait_for(scratch.exists)
    process.send_signal(number)
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 128 + number
    assert f"[ ERROR ] toy: Ended by {number.name}" in out
    assert not running(child_of(toy))
    assert left_over(toy) == set()


def test_child_ends_with_a_killed_esorex(toy, sof):
    process = toy.start("toy", "--behaviour=wait", sof)
    wait_for((toy.directory / ".scratch" / "half.fits").exists)
    process.kill()
    process.communicate(timeout=20)
    wait_for(lambda: not running(child_of(toy)))
    assert left_over(toy) == set()


def test_killed_child(toy, sof):
    process = toy.start("toy", "--behaviour=wait", sof)
    wait_for((toy.directory / ".scratch" / "half.fits").exists)
    os.kill(child_of(toy), signal.SIGKILL)
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 128 + signal.SIGKILL
    assert "The Python process ended with signal 9" in out
    assert left_over(toy) == {".scratch"}


def test_ignored_signals_stay_ignored(toy, sof):
    """A run under nohup outlives its terminal."""
    process = toy.start("toy", "--behaviour=wait", sof, wrapper=["nohup"])
    wait_for((toy.directory / ".scratch" / "half.fits").exists)
    process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert process.poll() is None
    assert running(child_of(toy))
    process.terminate()
    process.communicate(timeout=20)
    assert process.returncode == 128 + signal.SIGTERM


def test_missing_interpreter(compiler, toy, sof, tmp_path):
    toy.plugins = tmp_path / "plugins"
    installation.install(toy.plugins, lambda: toy_recipes.RECIPES, ["/gone/bin/python", "-m", "x"])
    done = toy.run("toy", sof)
    assert done.status == 127
    assert (
        "[ ERROR ] toy: Cannot start /gone/bin/python: run 'soxs esorex install' again "
        "(No such file or directory)"
    ) in done.out
    assert left_over(toy) == set()


def test_package_that_is_gone(compiler, toy, sof, tmp_path):
    toy.plugins = tmp_path / "plugins"
    command = [*installation.COMMAND[:-1], "soxs_recipes.gone"]
    installation.install(toy.plugins, lambda: toy_recipes.RECIPES, command)
    done = toy.run("--msg-level=error", "toy", sof)
    assert done.status == 1
    assert "ended with status 1 (" in done.out
    assert "No module named soxs_recipes.gone" in done.out


def test_missing_description(compiler, toy, sof, tmp_path):
    toy.plugins = tmp_path / "plugins"
    installation.install(toy.plugins, lambda: toy_recipes.RECIPES)
    (toy.plugins / "toy.desc").unlink()
    done = toy.run("toy", sof)
    assert done.status != 0
    assert "toy.desc: run 'soxs esorex install' again" in done.out
    assert "toy_second" in toy.run("--recipes").out


def test_recipe_that_is_no_more(compiler, toy, sof, tmp_path):
    toy.plugins = tmp_path / "plugins"
    installation.install(toy.plugins, lambda: toy_recipes.RECIPES)
    done = toy.run("toy", sof)
    assert done.status == 1
    assert "This installation has no recipe toy: run 'soxs esorex install' again" in done.out
