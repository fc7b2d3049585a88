"""What EsoRex and the plugin cost beside the recipe itself."""

import subprocess
import sys
import time
from pathlib import Path

from esorex_tools import TOY_COMMAND

DIRECT = """
import sys
sys.path.append(sys.argv[1])
import toy_recipes
from soxs_recipes.cpl_bridge import cpl
toy_recipes.Toy().run(cpl.ui.FrameSet(sys.argv[2]), {})
"""
ROUNDS = 7


def seconds(run):
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def test_overhead_over_a_recipe_that_is_run_directly(toy, sof):
    """The fastest of several runs each, taken in turn: other load on the machine cancels."""
    folder = str(Path(__file__).parent)
    command = [sys.executable, *TOY_COMMAND[1:-1], "-c", DIRECT, folder, str(sof)]

    def direct():
        subprocess.run(command, cwd=toy.directory, check=True, capture_output=True)

    def with_esorex():
        assert toy.run("--no-datamd5", "--no-checksum", "toy", sof).status == 0

    times = [(seconds(direct), seconds(with_esorex)) for _ in range(ROUNDS)]
    fastest_direct, fastest_esorex = map(min, zip(*times, strict=True))
    assert fastest_esorex - fastest_direct < 0.15
