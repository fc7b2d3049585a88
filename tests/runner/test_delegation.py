"""The `pyesorex` command beside ESO's PyEsoRex, installed before or after this package.

ESO's package is a stub in a directory of its own on the module path, with the metadata that an
installer leaves and, where it matters, the console script it would have written.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from soxs_recipes.cpl_bridge.runner import discovery, doctor
from soxs_recipes.cpl_bridge.runner.cli import report

OURS = "from soxs_recipes.cpl_bridge.command import main"
ESO = "from pyesorex.pyesorex import main"
STUB = """
import os, sys
{extra}
def main():
    print("STUB", sys.argv[1:])
    print("PLUGIN_DIR", os.environ.get("PYESOREX_PLUGIN_DIR"))
    print("ESOREX_PLUGIN_DIR" in os.environ)
    return 7
"""
PLUGIN = str(discovery.plugin_directory())


@pytest.fixture
def site(tmp_path):
    """A directory of installed packages."""
    folder = tmp_path / "site"
    folder.mkdir()
    return folder


def install_stub(site: Path, extra: str = "", metadata: bool = True) -> None:
    """Install a stub of ESO's PyEsoRex."""
    (site / "pyesorex").mkdir()
    (site / "pyesorex" / "__init__.py").write_text("")
    (site / "pyesorex" / "pyesorex.py").write_text(STUB.format(extra=extra))
    if metadata:
        info = site / "pyesorex-1.0.4.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: pyesorex\nVersion: 1.0.4\n")
        (info / "entry_points.txt").write_text(
            "[console_scripts]\npyesorex = pyesorex.pyesorex:main\n"
        )


def script(folder: Path, line: str) -> Path:
    """Write a console script."""
    folder.mkdir(exist_ok=True)
    file = folder / "pyesorex"
    file.write_text(
        f"#!{sys.executable}\nimport sys\n{line}\n"
        "if __name__ == '__main__':\n    sys.exit(main())\n"
    )
    file.chmod(0o755)
    return file


def call(file: Path, site: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess:
    """Run a console script with the packages of `site` in reach."""
    path = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH", "")]))
    env = os.environ | {"PYTHONPATH": path} | variables
    return subprocess.run(
        [file, *arguments], capture_output=True, text=True, env=env, check=False, timeout=30
    )


@pytest.mark.parametrize("metadata", [True, False])
def test_our_command_hands_over(place, site, metadata):
    install_stub(site, metadata=metadata)
    ours = script(place.path / "bin", OURS)
    variables = {"PYESOREX_PLUGIN_DIR": "/mine:/yours", "ESOREX_PLUGIN_DIR": "/foreign"}
    done = call(ours, site, "--recipes", "x y", **variables)
    assert done.returncode == 7
    assert done.stdout.splitlines() == [
        "STUB ['--recipes', 'x y']",
        f"PLUGIN_DIR /mine:/yours:{PLUGIN}",
        "False",
    ]
    assert done.stderr == ""


def test_directories_of_the_users_file_are_kept(place, site):
    install_stub(site)
    place.write("../home/.pyesorex/pyesorex.rc", "pyesorex.recipe-dir=/configured\n")
    done = call(script(place.path / "bin", OURS), site)
    assert f"PLUGIN_DIR /configured:{PLUGIN}" in done.stdout


def test_without_pyesorex_the_embedded_runner_works(place, site):
    ours = script(place.path / "bin", OURS)
    done = call(ours, site, f"--recipe-dir={place.path / 'recipes'}", "--recipes")
    assert done.returncode == 0
    assert "  toy " in done.stdout
    assert done.stderr == ""


def test_a_pyesorex_that_cannot_be_imported_is_told_and_replaced(place, site):
    install_stub(site, extra="import cpl.no_such_part")
    ours = script(place.path / "bin", OURS)
    done = call(ours, site, f"--recipe-dir={place.path / 'recipes'}", "--recipes")
    assert done.returncode == 0
    assert "  toy " in done.stdout
    assert "ESO's PyEsoRex cannot be imported (ModuleNotFoundError" in done.stderr


def test_the_stand_in_for_cpl_keeps_the_embedded_runner(place, site):
    install_stub(site)
    done = call(script(place.path / "bin", OURS), site, "--recipes", SOXS_CPL="embedded")
    assert done.returncode == 0
    assert "STUB" not in done.stdout


def test_no_module_of_esos_name_is_installed():
    from importlib.metadata import packages_distributions

    ours = {
        name for name, owners in packages_distributions().items() if "soxs_recipes" in owners
    } | {path.name for path in Path(PLUGIN).parents[1].glob("*.py")}
    assert not {"cpl", "pyesorex", "cpl.py", "pyesorex.py"} & ours


def diagnose(place, site, **variables: str) -> tuple[int, str]:
    """Run `soxs doctor` with the scripts in `bin` first on PATH."""
    code = "import sys; from soxs_recipes.cpl_bridge.runner.cli import doctor; sys.exit(doctor([]))"
    file = place.write("doctor", f"#!{sys.executable}\n{code}\n")
    file.chmod(0o755)
    done = call(file, site, **({"PATH": str(place.path / "bin")} | variables))
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_doctor_with_our_command_alone(place, site):
    ours = script(place.path / "bin", OURS)
    status, text = diagnose(place, site)
    assert status == 0
    assert f"[ok] pyesorex on PATH: {ours}, the command of this package" in text
    assert "[ok] ESO's PyEsoRex: not installed; the embedded runner" in text
    assert f"[ok] Recipe directories: {PLUGIN} with " in text


def test_doctor_with_pyesorex_installed_before_ours(place, site):
    install_stub(site)
    script(place.path / "bin", OURS)
    status, text = diagnose(place, site)
    assert status == 0
    assert "the command of this package" in text
    assert "installed (pyesorex.pyesorex:main); the command of this package hands over" in text


def test_doctor_with_pyesorex_installed_after_ours(place, site):
    install_stub(site)
    script(place.path / "bin", ESO)
    status, text = diagnose(place, site)
    assert status == 1
    assert "[!!] pyesorex on PATH" in text
    assert "ESO's PyEsoRex; it does not see the recipes of this package" in text
    line = 'export PYESOREX_PLUGIN_DIR="${PYESOREX_PLUGIN_DIR:+$PYESOREX_PLUGIN_DIR:}$(soxs'
    assert line in text
    assert "soxs run RECIPE SOF" in text
    status, text = diagnose(place, site, PYESOREX_PLUGIN_DIR=PLUGIN)
    assert status == 0
    assert "it sees the recipes of this package" in text


def test_doctor_with_a_foreign_command_or_none(place, site):
    _, text = diagnose(place, site)
    assert "[--] pyesorex on PATH: none" in text
    script(place.path / "bin", "from elsewhere import main")
    _, text = diagnose(place, site)
    assert "neither of this package nor ESO's PyEsoRex" in text


def test_doctor_sees_a_package_that_hides_pycpl(place, site):
    (site / "cpl").mkdir()
    (site / "cpl" / "__init__.py").write_text("version = 'python-cpl'\n")
    install_stub(site, extra="import cpl.ui")
    _, text = diagnose(place, site)
    assert f"the package 'cpl' at {site / 'cpl' / '__init__.py'} is no working PyCPL" in text
    assert "python3-cpl" in text
    assert "installed, but it cannot be imported: ModuleNotFoundError" in text


def test_doctor_sees_a_real_pycpl(place, site):
    (site / "cpl").mkdir()
    (site / "cpl" / "__init__.py").write_text("__version__ = '1.0.3'\nDESCRIPTION = 'CPL = 7'\n")
    (site / "cpl" / "ui.py").write_text("class PyRecipe: pass\n")
    (site / "cpl" / "core.py").write_text("class Error(Exception): pass\n")
    code = (
        f"import sys; sys.path.insert(0, {str(site)!r}); import cpl.core; "
        "from soxs_recipes.cpl_bridge.runner import doctor; "
        "print(doctor.installed_cpl({}).found)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "PyCPL 1.0.3 (CPL = 7)\n"


def test_doctor_on_tools_and_variables(place, site):
    (place.path / "bin").mkdir()
    for name in ("esorex", "gcc"):
        file = place.write(f"bin/{name}", "#!/bin/sh\n")
        file.chmod(0o755)
    _, text = diagnose(place, site, ESOREX_PLUGIN_DIR="/foreign", PYESOREX_PLUGIN_DIR="/none")
    assert f"[ok] esorex: {place.path / 'bin' / 'esorex'}" in text
    assert f"[ok] C compiler: {place.path / 'bin' / 'gcc'}" in text
    assert "ESOREX_PLUGIN_DIR: set to /foreign" in text
    assert "[--] Recipe directories: /none does not exist" in text
    for name in ("esorex", "gcc"):
        (place.path / "bin" / name).unlink()
    _, text = diagnose(place, site)
    assert "[--] esorex: not found" in text
    assert "[--] C compiler: not found" in text


def test_doctor_shows_recipe_files_that_fail(place):
    place.write("recipes/broken.py", "1/0\n")
    findings = list(doctor.recipe_directories({"PYESOREX_PLUGIN_DIR": "recipes"}))
    text = report(findings)
    assert "recipes with 1 recipes" in text
    assert "broken.py: ZeroDivisionError: division by zero" in text
    assert not any(finding.needed for finding in findings)


def test_plugin_dir(capsys):
    from soxs_recipes.cpl_bridge.runner.cli import plugin_dir

    assert plugin_dir([]) == 0
    assert capsys.readouterr().out == f"{PLUGIN}\n"
