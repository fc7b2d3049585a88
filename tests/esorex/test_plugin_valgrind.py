"""The memory of the plugins under valgrind."""

import re

import pytest
from esorex_tools import require

ERROR_STATUS = 99
VALGRIND = [
    "--quiet",
    "--leak-check=full",
    "--show-leak-kinds=definite,indirect,possible",
    "--errors-for-leak-kinds=definite,indirect,possible",
    f"--error-exitcode={ERROR_STATUS}",
]


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["--recipes"], 0),
        (["--man-page", "toy"], 0),
        (["--create-config=toy.json", "toy"], 0),
        (["toy", "--twelve=choice-3", "--word=a\tb\\c", "frames.sof"], 0),
        (["toy", "--behaviour=talk", "frames.sof"], 0),
        (["toy", "--behaviour=refuse", "frames.sof"], 1),
        (["toy", "--behaviour=exit", "frames.sof"], 3),
        (["toy", "--behaviour=kill", "frames.sof"], 128 + 9),
    ],
)
def test_no_errors_and_no_leaks(toy, sof, arguments, status):
    # Plugins that are unloaded cannot be named in the report.
    done = toy.run(
        "--unload-plugin=FALSE", *arguments, wrapper=[require("valgrind", "valgrind"), *VALGRIND]
    )
    assert not re.search(r"^==\d+==", done.out, re.MULTILINE), done.out
    assert done.status == status
