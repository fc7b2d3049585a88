"""`soxs doctor`: which `pyesorex`, CPL and EsoRex a user gets, and what to do about it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from soxs_recipes import cpl_bridge
from soxs_recipes.cpl_bridge.runner import delegation, discovery, options

_COMPILERS = ("cc", "gcc", "clang")
_SCRIPT_BYTES = 4096


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    topic : str
    found : str
    remedy : str
        What to do, empty if all is well.
    needed : bool
        Whether recipes of this package fail to run until the remedy is taken.
    """

    topic: str
    found: str
    remedy: str = ""
    needed: bool = False


def report(findings: Iterable[Finding]) -> str:
    """Write findings as text; `!!` marks what must be done, `--` what may be."""
    lines = []
    for finding in findings:
        mark = "!!" if finding.needed else "--" if finding.remedy else "ok"
        lines.append(f"[{mark}] {finding.topic}: {finding.found}")
        lines.extend(f"       {line}" for line in finding.remedy.splitlines())
    return "\n".join(lines)


def examine(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Look at everything that decides what a `pyesorex` or `esorex` command does."""
    path = environ.get("PATH", os.defpath)
    yield Finding("Python", f"{sys.version.split()[0]} at {sys.executable}")
    yield pyesorex_on_path(path, environ)
    yield eso_pyesorex()
    yield installed_cpl(environ)
    yield from recipe_directories(environ)
    yield foreign_plugins(environ)
    yield esorex_on_path(path)
    yield compiler_on_path(path)


def pyesorex_on_path(path: str, environ: Mapping[str, str]) -> Finding:
    """Say whose `pyesorex` the shell finds first."""
    topic = "pyesorex on PATH"
    script = shutil.which("pyesorex", path=path)
    if script is None:
        return Finding(
            topic,
            "none",
            "Activate the environment this package is installed in, or use "
            "'soxs run RECIPE SOF', which does the same.",
        )
    owner = script_owner(Path(script))
    if owner == "soxs_recipes":
        return Finding(topic, f"{script}, the command of this package")
    if owner == "pyesorex":
        return _eso_script(topic, script, environ)
    return Finding(
        topic,
        f"{script}, neither of this package nor ESO's PyEsoRex",
        f"Use 'soxs run RECIPE SOF', or put {Path(sys.executable).parent} first in PATH.",
    )


def script_owner(script: Path) -> str:
    """Top-level package that a console script imports: ours, ESO's `pyesorex` or neither."""
    try:
        text = script.read_bytes()[:_SCRIPT_BYTES].decode(errors="replace")
    except OSError:
        return ""
    for package in ("soxs_recipes", "pyesorex"):
        if f"from {package}" in text or f"import {package}" in text:
            return package
    return ""


def eso_pyesorex() -> Finding:
    """Say whether ESO's PyEsoRex is installed beside this package."""
    topic = "ESO's PyEsoRex"
    entry = delegation.eso_entry_point()
    if entry is None:
        return Finding(topic, "not installed; the embedded runner does its work")
    try:
        entry.load()
    except Exception as error:
        return Finding(
            topic,
            f"installed, but it cannot be imported: {type(error).__name__}: {error}",
            "The embedded runner is used instead. Reinstall PyEsoRex and PyCPL from ESO to change "
            "that.",
        )
    return Finding(topic, f"installed ({entry.value}); the command of this package hands over")


def installed_cpl(environ: Mapping[str, str]) -> Finding:
    """Say whether `cpl` is ESO's PyCPL, the stand-in, or hidden by another package."""
    topic = "CPL for Python"
    module = cpl_bridge.cpl
    if cpl_bridge.HAVE_PYCPL:
        return Finding(topic, f"PyCPL {module.__version__} ({module.DESCRIPTION})")
    found = f"the embedded stand-in for PyCPL {module.__version__}"
    if environ.get(cpl_bridge.FORCE_VARIABLE):
        return Finding(topic, f"{found}, asked for by {cpl_bridge.FORCE_VARIABLE}")
    other = _location("cpl")
    if other is None:
        return Finding(topic, found)
    return Finding(
        topic,
        f"{found}, since the package 'cpl' at {other} is no working PyCPL",
        "Recipes run all the same. PyEsoRex does not: uninstall that package (Debian's is called "
        "python3-cpl) and install PyCPL from ESO.",
    )


def recipe_directories(environ: Mapping[str, str]) -> Iterator[Finding]:
    """List the directories that are searched and the recipes of this package in them."""
    topic = "Recipe directories"
    stated = environ.get(options.PLUGIN_DIR_VARIABLE, "")
    for directory in discovery.split_path_list(discovery.with_plugin_directory(stated)):
        if not directory.is_dir():
            remedy = f"Remove it from {options.PLUGIN_DIR_VARIABLE}."
            yield Finding(topic, f"{directory} does not exist", remedy)
            continue
        catalogue = discovery.find_recipes([directory])
        failed = [f"{file}: {problem}" for file, problem in catalogue.failures]
        ours = directory.resolve() == discovery.plugin_directory()
        yield Finding(
            topic,
            f"{directory} with {len(catalogue.recipes)} recipes",
            "\n".join(["These files cannot be imported:", *failed]) if failed else "",
            needed=bool(failed) and ours,
        )


def foreign_plugins(environ: Mapping[str, str]) -> Finding:
    """Say whether EsoRex's plugin variable can disturb ESO's PyEsoRex."""
    topic = delegation.ESOREX_VARIABLE
    value = environ.get(delegation.ESOREX_VARIABLE)
    if not value:
        return Finding(topic, "not set")
    return Finding(
        topic,
        f"set to {value}; the command of this package ignores it",
        f"If ESO's own pyesorex fails in get_c_recipes: unset {delegation.ESOREX_VARIABLE}",
    )


def esorex_on_path(path: str) -> Finding:
    """Say whether EsoRex, which EsoReflex runs, is there."""
    topic = "esorex"
    program = shutil.which("esorex", path=path)
    if program is None:
        return Finding(
            topic,
            "not found",
            "Needed only for EsoRex and EsoReflex: install ESO's EsoRex (Debian: esorex).",
        )
    return Finding(topic, program)


def compiler_on_path(path: str) -> Finding:
    """Say whether there is a C compiler for the EsoRex plugin."""
    topic = "C compiler"
    found = next(filter(None, (shutil.which(name, path=path) for name in _COMPILERS)), None)
    if found is None:
        return Finding(
            topic, "not found", "Needed only to build the EsoRex plugin: install gcc or clang."
        )
    return Finding(topic, found)


def _eso_script(topic: str, script: str, environ: Mapping[str, str]) -> Finding:
    stated = environ.get(options.PLUGIN_DIR_VARIABLE, "")
    found = f"{script}, the command of ESO's PyEsoRex"
    if stated and discovery.with_plugin_directory(stated) == stated.strip(os.pathsep):
        return Finding(topic, f"{found}; it sees the recipes of this package")
    addition = f"${{{options.PLUGIN_DIR_VARIABLE}:+${options.PLUGIN_DIR_VARIABLE}:}}"
    return Finding(
        topic,
        f"{found}; it does not see the recipes of this package",
        "Add them to its recipe directories:\n"
        f'export {options.PLUGIN_DIR_VARIABLE}="{addition}$(soxs plugin-dir)"\n'
        "or use 'soxs run RECIPE SOF'.",
        needed=True,
    )


def _location(name: str) -> str | None:
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    return spec.origin or ", ".join(spec.submodule_search_locations or ())
