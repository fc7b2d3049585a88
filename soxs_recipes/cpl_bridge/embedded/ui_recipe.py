"""Recipe base classes of ``cpl.ui``."""

from __future__ import annotations

import abc
from typing import Any

_REQUIRED = ("_name", "_author", "_copyright", "_description", "_email", "_synopsis", "_version")


class RecipeNotFoundException(Exception):  # noqa: N818 - PyCPL's name
    """No compiled recipe of the given name is installed."""


class AbstractRecipe(abc.ABC):
    """Abstract base class of recipes: name, texts and a ``run`` method."""

    _name = None
    _author = None
    _copyright = None
    _description = None
    _email = None
    _synopsis = None
    _version = None

    def __new__(cls):  # noqa: D102
        for attribute in _REQUIRED:
            if getattr(cls, attribute) is None:
                raise TypeError(
                    f"Can't instantiate class {cls.__name__} with class variable "
                    f"{attribute} not set."
                )
        return super().__new__(cls)

    @property
    def name(self) -> str:
        """Unique name of the recipe."""
        return self._name

    @property
    def author(self) -> str:
        """Who wrote it."""
        return self._author

    @property
    def copyright(self) -> str:
        """Copyright and licence text."""
        return self._copyright

    @property
    def description(self) -> str:
        """What it does, in detail."""
        return self._description

    @property
    def email(self) -> str:
        """Where to report problems."""
        return self._email

    @property
    def synopsis(self) -> str:
        """What it does, in one line."""
        return self._synopsis

    @property
    def version(self) -> str:
        """Version of the recipe."""
        return self._version

    @abc.abstractmethod
    def run(self, frameset: Any, settings: Any) -> Any:
        """Process a frame set and return the frame set of products."""

    def __repr__(self) -> str:
        return f"<cpl.ui.Recipe {self.name}>"


class PyRecipe(AbstractRecipe):
    """Base class of recipes written in Python.

    Subclasses set ``_name``, ``_author``, ``_copyright``, ``_description``, ``_email``,
    ``_synopsis`` and ``_version`` and define ``run(frameset, settings)``.
    """


class CRecipe:
    """Compiled recipes; the stand-in knows none, so every name is unknown."""

    recipes: tuple[str, ...] = ()
    recipe_dir: tuple[str, ...] = ()

    def __init__(self, name: str):
        dirs = " ".join(self.recipe_dir)
        raise RecipeNotFoundException(f"Cannot find recipe {name} in dirs {dirs}")


AbstractRecipe.register(CRecipe)
