"""Finding recipes: the PyRecipe classes visible in the .py files of the recipe directories."""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from soxs_recipes.cpl_bridge import cpl
from soxs_recipes.cpl_bridge.runner.errors import RunnerError, UnknownRecipeError
from soxs_recipes.cpl_bridge.runner.parameters import suggestion

_REQUIRED = ("_name", "_author", "_copyright", "_description", "_email", "_synopsis", "_version")


@dataclass(frozen=True)
class RecipeFile:
    """A recipe class and the file it was found in."""

    recipe_class: type
    file: Path

    @property
    def name(self) -> str:
        """Name of the recipe."""
        return self.recipe_class._name

    @property
    def synopsis(self) -> str:
        """What the recipe does, in one line."""
        return self.recipe_class._synopsis


@dataclass
class Catalogue:
    """The recipes that were found.

    Attributes
    ----------
    recipes : dict
        By name; of several with one name the first found stays.
    failures : list of (Path, str)
        Files that cannot be imported and classes that cannot be used, with the reason.
    """

    recipes: dict[str, RecipeFile] = field(default_factory=dict)
    failures: list[tuple[Path, str]] = field(default_factory=list)

    def load(self, name: str) -> Any:
        """Instantiate a recipe.

        Raises
        ------
        UnknownRecipeError
            If there is none of that name.
        RunnerError
            If its constructor fails.
        """
        found = self.recipes.get(name)
        if found is None:
            raise UnknownRecipeError(
                f"Unable to find recipe '{name}'. Check that the recipe is in the path specified "
                "by the '--recipe-dir' option.",
                self._remedy(name),
            )
        try:
            return found.recipe_class()
        except Exception as error:
            raise RunnerError(
                f"Recipe '{name}' in '{found.file}' cannot be loaded: "
                f"{type(error).__name__}: {error}"
            ) from error

    def _remedy(self, name: str) -> str:
        hints = [suggestion(name, self.recipes)]
        if self.failures:
            hints.append(
                f"{len(self.failures)} recipe file(s) could not be imported: "
                "'--display-import-errors' shows why."
            )
        return " ".join(hint for hint in hints if hint)


def plugin_directory() -> Path:
    """Directory with the recipes of this package."""
    return Path(__file__).resolve().parents[2] / "plugin"


def with_plugin_directory(path_list: str) -> str:
    """Append the recipes of this package to a colon-separated list, unless they are in it."""
    ours = plugin_directory()
    entries = [entry for entry in path_list.split(os.pathsep) if entry]
    if any(Path(entry).expanduser().resolve() == ours for entry in entries):
        return os.pathsep.join(entries)
    return os.pathsep.join([*entries, str(ours)])


def split_path_list(path_list: str) -> list[Path]:
    """Split a colon-separated list of directories; `~` is expanded, empty entries are dropped."""
    return [Path(entry).expanduser() for entry in path_list.split(os.pathsep) if entry]


def find_recipes(directories: Sequence[str | Path]) -> Catalogue:
    """Import every .py file below the directories and collect the recipes in them.

    Hidden directories and virtual environments are passed over, so that a recipe directory may be
    the root of a checkout.

    Parameters
    ----------
    directories : sequence of str or Path
        Those that do not exist count as empty.
    """
    catalogue = Catalogue()
    for file in _recipe_files(Path(directory) for directory in directories):
        try:
            module = _import_file(file)
        except (Exception, SystemExit) as error:
            catalogue.failures.append((file, f"{type(error).__name__}: {error}"))
            continue
        _collect(module, file, catalogue)
    return catalogue


def _recipe_files(directories: Iterable[Path]) -> Iterator[Path]:
    seen = set()
    for top in directories:
        for folder, subfolders, names in os.walk(top):
            subfolders[:] = sorted(s for s in subfolders if _is_searched(Path(folder, s)))
            for name in sorted(names):
                file = Path(folder, name).resolve()
                if file.suffix == ".py" and file not in seen:
                    seen.add(file)
                    yield file


def _is_searched(folder: Path) -> bool:
    hidden = folder.name.startswith((".", "__"))
    return not hidden and not (folder / "pyvenv.cfg").exists()


def _import_file(file: Path) -> ModuleType:
    """Import one file under a name of its own; siblings can be imported by their plain names."""
    digest = hashlib.sha256(os.fsencode(file)).hexdigest()[:12]
    name = f"_pyesorex_{digest}_{file.stem}"
    if name in sys.modules:
        return sys.modules[name]
    if str(file.parent) not in sys.path:
        # At the end, so that no recipe file can hide an installed module.
        sys.path.append(str(file.parent))
    spec = importlib.util.spec_from_file_location(name, file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _collect(module: ModuleType, file: Path, catalogue: Catalogue) -> None:
    for member in list(vars(module).values()):
        if not (isinstance(member, type) and issubclass(member, cpl.ui.PyRecipe)):
            continue
        if member is cpl.ui.PyRecipe or inspect.isabstract(member):
            continue
        unset = [name for name in _REQUIRED if getattr(member, name, None) is None]
        if unset:
            catalogue.failures.append(
                (file, f"class {member.__name__}: class variable {unset[0]} not set")
            )
            continue
        catalogue.recipes.setdefault(member._name, RecipeFile(member, file))
