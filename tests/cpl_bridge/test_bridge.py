"""Which CPL the bridge chooses, and what importing it costs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
REPORT = "from soxs_recipes.cpl_bridge import HAVE_PYCPL, cpl; print(HAVE_PYCPL, cpl.__name__)"


def run(code: str, *folders: Path, **environment: str) -> str:
    path = os.pathsep.join(str(folder) for folder in (*folders, ROOT))
    env = {k: v for k, v in os.environ.items() if k != "SOXS_CPL"}
    env |= {"PYTHONPATH": path, **environment}
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, env=env, capture_output=True, text=True, check=True
    ).stdout.strip()


def package(folder: Path, **modules: str) -> Path:
    (folder / "cpl").mkdir()
    for name, text in {"__init__": "", **modules}.items():
        (folder / "cpl" / f"{name}.py").write_text(text)
    return folder


PYCPL = {"ui": "class PyRecipe: pass"}


@pytest.mark.parametrize(
    "modules",
    [
        {"__init__": "from math import pi"},
        {"__init__": "raise ImportError('libcplcore.so.26: cannot open shared object file')"},
        {"__init__": "raise RuntimeError('CPL is not initialised')"},
        {"ui": "class Recipe: pass"},
        {"ui": "1 / 0"},
    ],
    ids=["Debian's", "missing library", "broken", "old PyCPL", "broken ui"],
)
def test_packages_that_are_no_pycpl_are_not_taken(tmp_path, modules):
    folder = package(tmp_path, **modules)
    assert run(REPORT, folder) == "False soxs_recipes.cpl_bridge.embedded"


def test_pycpl_is_taken_when_it_is_there(tmp_path):
    assert run(REPORT, package(tmp_path, **PYCPL)) == "True cpl"


def test_environment_variable_forces_the_stand_in(tmp_path):
    folder = package(tmp_path, **PYCPL)
    assert run(REPORT, folder, SOXS_CPL="embedded") == "False soxs_recipes.cpl_bridge.embedded"
    assert run(REPORT, folder, SOXS_CPL="") == "True cpl"


def test_importing_the_stand_in_leaves_heavy_modules_alone():
    code = (
        "import sys; from soxs_recipes.cpl_bridge import cpl; "
        "cpl.ui.ParameterList(), cpl.core.PropertyList(), cpl.dfs.sign_products; "
        "print([m for m in ('numpy', 'astropy', 'scipy', 'cpl') if m in sys.modules])"
    )
    assert run(code, SOXS_CPL="embedded") == "[]"


def test_submodules_have_pycpls_names():
    code = (
        "from soxs_recipes.cpl_bridge import cpl; "
        "print(sorted(cpl.ui.__all__), sorted(cpl.dfs.__all__))"
    )
    assert run(code, SOXS_CPL="embedded") == (
        "['AbstractRecipe', 'CRecipe', 'Frame', 'FrameSet', 'Parameter', 'ParameterEnum', "
        "'ParameterList', 'ParameterRange', 'ParameterValue', 'PyRecipe', "
        "'RecipeNotFoundException'] "
        "['save_image', 'save_imagelist', 'save_paf', 'save_propertylist', 'save_table', "
        "'setup_product_header', 'sign_products', 'update_product_header']"
    )
