"""Memory of the commands: what is freed is kept for what comes next."""

import platform
import subprocess
import sys

import pytest

from soxs_recipes.cpl_bridge.runner.memory import one_pool

pytestmark = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="memory of glibc alone is spoken to"
)

# Pages that the kernel has to hand out for an array that is made in one thread and again in
# another.
CODE = """
import resource, threading
from soxs_recipes.cpl_bridge.runner.memory import one_pool
{first}
import numpy as np

def made():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(2_500_000)
    counts.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)

counts = []
for _ in range(4):
    thread = threading.Thread(target=made)
    thread.start()
    thread.join()
print(sum(counts[1:]))
"""


def pages(first):
    clean = {"NUMPY_MADVISE_HUGEPAGE": "0"}
    code = [sys.executable, "-c", CODE.format(first=first)]
    return int(subprocess.run(code, capture_output=True, text=True, check=True, env=clean).stdout)


def test_memory_is_used_again():
    assert pages("assert one_pool({})") < 0.1 * pages("")


def test_what_the_user_says_is_kept():
    assert not one_pool({"MALLOC_ARENA_MAX": "4"})
