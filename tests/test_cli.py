"""The `soxs` command."""

import subprocess
import sys

import pytest

from soxs_recipes import __version__, cli


def test_usage_lists_every_command(capsys):
    assert cli.main(["--help"]) == 0
    text = capsys.readouterr().out
    for command in cli.COMMANDS:
        assert command.name in text
    assert cli.main([]) == 2
    assert cli.main(["--version"]) == 0
    assert __version__ in capsys.readouterr().out


def test_unknown_command(capsys):
    assert cli.main(["reduse"]) == 2
    assert "no command 'reduse'" in capsys.readouterr().err


@pytest.mark.parametrize("command", cli.COMMANDS, ids=lambda command: command.name)
def test_every_command_is_there(command):
    done = subprocess.run(
        [sys.executable, "-m", "soxs_recipes.cli", command.name, "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def test_classify_prints_a_set_of_frames_and_says_what_it_leaves_out(simulated, tmp_path, capsys):
    files = simulated("bias", arm="VIS", frames=3, seed=21, binning=(2, 2))
    other = tmp_path / "notes.txt"
    other.write_text("no frame")
    assert cli.main(["classify", *map(str, files), str(other)]) == 1
    out, err = capsys.readouterr()
    assert out.splitlines() == [f"{path} BIAS_VIS" for path in files]
    assert "notes.txt" in err
    assert "cannot be read as FITS" in err


def test_import_of_the_command_is_light():
    code = (
        "import soxs_recipes.cli, sys; print([m for m in ('numpy', 'astropy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
