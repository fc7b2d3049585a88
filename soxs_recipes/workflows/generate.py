"""The generated files: made, checked against those of the package, installed for EsoReflex."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

from soxs_recipes.errors import SoxsError
from soxs_recipes.recipes.declarations import Kind
from soxs_recipes.workflows.cascade import Cascade
from soxs_recipes.workflows.lint import lint
from soxs_recipes.workflows.oca import rules
from soxs_recipes.workflows.oca_parser import parse
from soxs_recipes.workflows.reference import reference
from soxs_recipes.workflows.reflex import workflow

XML, OCA = "soxs.xml", "soxs.oca"
# Beside the workflow files in a checkout; not part of an installed package.
REFERENCE = "../docs/recipes.md"
REFLEX_TOKEN = "REFLEX_PATH_TO_REPLACE"
ROOT_TOKEN = "ROOT_DATA_PATH_TO_REPLACE"
CALIB_TOKEN = "CALIB_DATA_PATH_TO_REPLACE"


class InstallationError(SoxsError):
    """The workflow could not be installed."""


class Installed(NamedTuple):
    """Files of an installed workflow."""

    workflow: Path
    rules: Path


def shipped_files() -> Path:
    """Directory of the generated files that come with the package."""
    return Path(str(files("soxs_recipes.workflow_files")))


def recipe_cascade() -> Cascade:
    """Cascade of the recipes of this package."""
    from soxs_recipes.recipes import RECIPES

    return Cascade(recipe.declaration for recipe in RECIPES)


def generated(cascade: Cascade) -> dict[str, str]:
    """Content of the generated files by their names."""
    page = reference(cascade.declarations)
    return {XML: workflow(cascade), OCA: rules(cascade), REFERENCE: page}


def faults(contents: dict[str, str], cascade: Cascade) -> list[str]:
    """Faults of generated files, one line each."""
    statics = {
        item.tag_of(step.arm)
        for step in cascade.steps
        for item in step.inputs
        if item.kind is Kind.STATIC
    }
    recipes = [item.name for item in cascade.declarations]
    return lint(contents[XML], parse(contents[OCA]), recipes, statics)


def stale(contents: dict[str, str], directory: Path) -> list[str]:
    """Names of generated files that are missing in a directory or differ there."""
    return [
        name
        for name, text in contents.items()
        if not (directory / name).is_file() or (directory / name).read_text("utf-8") != text
    ]


def install(directory: Path, root_data: Path, calib_data: Path) -> Installed:
    """Put the workflow where EsoReflex finds it, with the directories of this machine in it.

    Parameters
    ----------
    directory : Path
        Where the workflow and its rules go; it is made if need be.
    root_data : Path
        Root of raw frames, products and notes.
    calib_data : Path
        Master calibrations to be reused.

    Returns
    -------
    Installed
        What was written.

    Raises
    ------
    InstallationError
        If the directory cannot be written.
    """
    directory = directory.expanduser().resolve()
    tokens = {
        REFLEX_TOKEN: directory,
        ROOT_TOKEN: root_data.expanduser().resolve(),
        CALIB_TOKEN: calib_data.expanduser().resolve(),
    }
    source = shipped_files()
    text = (source / XML).read_text("utf-8")
    for token, path in tokens.items():
        text = text.replace(token, _attribute(str(path)))
    contents = {item.name: item.read_text("utf-8") for item in source.glob("[!_]*.py")}
    contents |= {OCA: (source / OCA).read_text("utf-8"), XML: text}
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            (directory / name).write_text(content, "utf-8")
    except OSError as error:
        raise InstallationError(
            f"The workflow cannot be installed: {error.strerror}",
            file=error.filename or directory,
            remedy="name another directory",
        ) from error
    return Installed(directory / XML, directory / OCA)


def _attribute(text: str) -> str:
    """Text as it stands in an XML attribute of a Ptolemy parameter, where $ starts a reference."""
    return escape(text, {'"': "&quot;"}).replace("$", "$$")
