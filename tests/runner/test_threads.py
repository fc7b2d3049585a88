"""Threads of linear algebra: one, unless the user has said how many."""

import os
import subprocess
import sys

import pytest

from soxs_recipes.cpl_bridge.runner.threads import one_unless_told

NAMES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def test_one_thread_where_nothing_is_said():
    environment = {}
    one_unless_told(environment)
    assert environment == {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@pytest.mark.parametrize("name", NAMES)
def test_what_the_user_says_is_kept(name):
    environment = {name: "4"}
    one_unless_told(environment)
    assert environment == {name: "4"}


def test_commands_say_it_before_numpy_is_imported():
    """Importing the commands must not import numpy: then it would be too late."""
    code = (
        "import sys, soxs_recipes.cli, soxs_recipes.cpl_bridge.command, soxs_recipes.esorex.child;"
        "print('numpy' in sys.modules)"
    )
    clean = {key: value for key, value in os.environ.items() if key not in NAMES}
    clean["SOXS_CPL"] = "embedded"
    done = subprocess.run(
        [sys.executable, "-c", code], env=clean, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
