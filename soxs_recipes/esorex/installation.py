"""Building the EsoRex plugins and putting them in their folder."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from importlib.resources import as_file, files
from pathlib import Path

from soxs_recipes.errors import SoxsError
from soxs_recipes.esorex.child import package_recipes
from soxs_recipes.esorex.descriptions import describe

COMMAND = (sys.executable, "-X", "utf8", "-E", "-P", "-m", "soxs_recipes.esorex.child")
"""Runs a recipe; -E and -P keep out what a foreign PYTHONPATH or working directory holds."""
FLAGS = ("-std=c99", "-O2", "-Wall", "-Wextra", "-fPIC", "-shared")
LIBRARIES = ("-lcplui", "-lcplcore", "-ldl")
COMPILERS = ("cc", "gcc", "clang")
_MISSING = (
    (r"error: '?cpl[\w./]*\.h\b|cannot find -lcpl", "libcpl-dev"),
    (r"error: '?[\w./]+\.h\b|cannot find (-lc\b|\S*crt\w+\.o)", "libc6-dev"),
)
"""What a compiler says when it misses something, and the Debian package that holds it."""


class PluginError(SoxsError):
    """The plugins cannot be built or put in place."""


def plugin_dir() -> Path:
    """Folder of the plugins, for EsoRex' ``--recipe-dir``.

    A Python environment of its own (venv, conda) has its own plugins, in
    ``lib/esopipes-plugins/soxs`` below its prefix; otherwise they are the user's, in
    ``esopipes-plugins/soxs`` below ``$XDG_DATA_HOME`` or ``~/.local/share``.
    """
    prefix = Path(sys.prefix)
    if sys.prefix != sys.base_prefix or (prefix / "conda-meta").is_dir():
        return prefix / "lib" / "esopipes-plugins" / "soxs"
    data = os.environ.get("XDG_DATA_HOME", "")
    base = Path(data) if data.startswith("/") else Path.home() / ".local" / "share"
    return base / "esopipes-plugins" / "soxs"


def install(
    directory: str | Path | None = None,
    recipes: Callable[[], Iterable[type]] = package_recipes,
    command: Sequence[str] = COMMAND,
) -> list[Path]:
    """Build a plugin for each recipe.

    What is there is replaced, file by file, and plugins of recipes that are no more are removed.

    Parameters
    ----------
    directory : path, optional
        Where they go; `plugin_dir` if not given. Made if need be.
    recipes : callable
        Gives the recipe classes.
    command : sequence of str
        Program, with its full path, and arguments that run the recipe whose name is appended.

    Returns
    -------
    list of Path
        The shared objects.

    Raises
    ------
    PluginError
        If there is no C compiler or no CPL, or the folder cannot be written.
    """
    directory = (plugin_dir() if directory is None else Path(directory)).absolute()
    described = {item.name: describe(item, command) for item in (kind() for kind in recipes())}
    with tempfile.TemporaryDirectory() as scratch:
        binary = _compile(Path(scratch) / "plugin.so")
        try:
            return _place(binary, described, directory)
        except OSError as error:
            raise PluginError(
                "The plugins cannot be written",
                file=directory,
                found=str(error),
                remedy="name another folder: soxs esorex install --dir DIR",
            ) from error


def check_start(command: Sequence[str] = COMMAND) -> None:
    """Find out whether the package is found where nothing of the user's environment is left.

    Raises
    ------
    PluginError
        If it is not.
    """
    program = (*command[: command.index("-m")], "-c", f"import {command[-1]}")
    done = subprocess.run(program, env={}, cwd="/", capture_output=True, text=True, check=False)
    if done.returncode:
        raise PluginError(
            "The interpreter does not find soxs_recipes by itself",
            file=command[0],
            expected="soxs_recipes installed, since EsoReflex does not pass PYTHONPATH on",
            found=(done.stderr.strip().splitlines() or ["no message"])[-1],
            remedy="install it with pip (from a checkout: pip install -e .)",
        )


def compile_command(source: Path, binary: Path) -> list[str]:
    """Command that compiles the plugin; heeds ``CC``, ``CFLAGS``, ``LDFLAGS`` and ``CPLDIR``.

    Raises
    ------
    PluginError
        If there is no C compiler.
    """
    named = shlex.split(os.environ.get("CC", ""))
    found = [[name] for name in COMPILERS if shutil.which(name)]
    compiler = named if named and shutil.which(named[0]) else next(iter(found), None)
    if compiler is None:
        raise PluginError(
            "There is no C compiler",
            expected=" or ".join(COMPILERS) + " on PATH, or its name in CC",
            remedy="install it; on Debian: sudo apt install gcc libc6-dev libcpl-dev",
        )
    cpl = os.environ.get("CPLDIR", "")
    return [
        *compiler,
        *FLAGS,
        *([f"-I{cpl}/include", f"-L{cpl}/lib", f"-Wl,-rpath,{cpl}/lib"] if cpl else []),
        *shlex.split(os.environ.get("CFLAGS", "")),
        "-o",
        str(binary),
        str(source),
        *shlex.split(os.environ.get("LDFLAGS", "")),
        *LIBRARIES,
    ]


def _compile(binary: Path) -> Path:
    with as_file(files("soxs_recipes.esorex").joinpath("plugin.c")) as source:
        command = compile_command(source, binary)
        environment = os.environ | {"LC_ALL": "C"}
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, errors="replace", check=False
        )
    if done.returncode:
        raise _compile_error(command, done.stderr)
    return binary


def _compile_error(command: Sequence[str], told: str) -> PluginError:
    """Error that names the package which holds what the compiler misses."""
    for pattern, package in _MISSING:
        line = next((line for line in told.splitlines() if re.search(pattern, line)), None)
        if line is not None:
            return PluginError(
                f"The plugins cannot be compiled: {package} is missing",
                found=line.strip(),
                remedy=f"install it; on Debian: sudo apt install {package} "
                "(elsewhere: set CPLDIR to the folder where CPL is installed)",
            )
    shown = "\n".join([shlex.join(command), *told.strip().splitlines()[:20]])
    return PluginError("The plugins cannot be compiled", found=shown)


def _place(binary: Path, described: dict[str, str], directory: Path) -> list[Path]:
    """Put binary and description of each recipe in a folder, each under its name when complete.

    The binary is copied: of links the loader would open only the first.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.glob("*.desc"):
        if old.stem not in described:
            old.unlink()
            old.with_suffix(".so").unlink(missing_ok=True)
    plugins = []
    for name, text in described.items():
        plugin = directory / f"{name}.so"
        _put(plugin.with_suffix(".desc"), text.encode())
        _put(plugin, binary.read_bytes())
        plugin.chmod(0o755)
        plugins.append(plugin)
    return plugins


def _put(path: Path, data: bytes) -> None:
    partial = path.with_name(f".{path.name}.partial")
    partial.write_bytes(data)
    partial.replace(path)
