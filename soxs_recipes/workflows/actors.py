"""The EsoReflex actors of the workflow, and the composite that runs one recipe."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from soxs_recipes.recipes.declarations import Declaration, Value
from soxs_recipes.workflows.cascade import Stage
from soxs_recipes.workflows.moml import (
    FILE_PARAMETER,
    STRING_PARAMETER,
    Actor,
    Link,
    Port,
    Property,
    composite,
    directory_only,
    parameter,
)
from soxs_recipes.workflows.routing import Selection

OCA_FILE = "REFLEX_PATH_TO_REPLACE/soxs.oca"
SOF_IN, SOF_OPTIONAL, SOF_OUT = "sof in", "sof in opt", "sof out"


def data_organizer() -> Actor:
    """Classifies and groups the files of the data directories by the OCA rules."""
    return Actor(
        "DataOrganizer",
        "org.eso.DataOrganizer",
        properties=(
            parameter("OCA File", OCA_FILE, FILE_PARAMETER),
            parameter("Keywords to be displayed", "OBJECT,SEQ.ARM,DPR.TECH", STRING_PARAMETER),
            parameter("Lazy Mode", "true"),
            _directory("Bookkeeping Dir", "$BOOKKEEPING_DIR"),
        ),
        ports=(
            Port("input data", "input", shown=True),
            Port("datasets out", "output", shown=True),
        ),
    )


def dataset_chooser() -> Actor:
    """Lets the user select data sets and sends them on one by one."""
    return Actor(
        "DataSetChooser",
        "org.eso.DataSetChooser",
        properties=(
            parameter("Selection mode", "$SelectDatasetMethod", STRING_PARAMETER),
            parameter("FITS Viewer", "$FITS_VIEWER", STRING_PARAMETER),
            plain_file("Bookkeeping DB", "$BOOKKEEPING_DB"),
        ),
        ports=(
            Port("datasets in", "input", multi=True, rate=1),
            Port("execution time", "input"),
            Port("dataset out", "output", multi=True),
            Port("#selected", "output"),
        ),
    )


def current_dataset() -> Actor:
    """Tells the name of the data set that is reduced."""
    ports = (Port("in", "input"), Port("dataset name", "output"))
    return Actor("CurrentDataSet", "org.eso.CurrentDataSet", ports=ports)


def fits_router(categories: Iterable[tuple[str, Sequence[str]]]) -> Actor:
    """Send the files of a data set to the recipes, by category.

    Parameters
    ----------
    categories : iterable of (str, sequence of str)
        Port names and the categories that leave through each.
    """
    pairs = list(categories)
    configuration = (
        parameter(f"{name}_config", '"{}"'.format(",".join(tags))) for name, tags in pairs
    )
    return Actor(
        "FitsRouter",
        "org.eso.FitsRouter",
        properties=tuple(configuration),
        ports=(
            Port("in", "input", rate=1),
            Port("sof rejected", "output", multi=True, side="SOUTH"),
            *(Port(name, "output", side="EAST", shown=True) for name, _ in pairs),
        ),
    )


def sof_combiner(name: str) -> Actor:
    """Joins sets of files of equal purpose; those of the optional port need not be there."""
    return Actor(
        name,
        "org.eso.SofCombiner",
        ports=(
            Port(SOF_IN, "input", multi=True),
            Port(SOF_OPTIONAL, "input", multi=True),
            Port(SOF_OUT, "output", multi=True),
        ),
    )


def recipe_stage(stage: Stage, number: int, selections: Iterable[Selection] = ()) -> Actor:
    """Composite that runs a recipe once for each purpose.

    Parameters
    ----------
    stage : Stage
        What to run.
    number : int
        Running number of the recipe in the workflow; the executer's name carries recipe and number.
    selections : iterable of Selection
        Products that also leave through a port of their own.
    """
    executer = _recipe_executer(stage, number)
    chosen = tuple(dict.fromkeys(selections))
    outputs = ("sof_out", *(f"Select {item.port}.in" for item in chosen))
    actors = (
        _splitter().at(200, 200),
        executer.at(420, 120),
        _accumulator().at(640, 200),
        *(_selector(item).at(860, 300 + 100 * row) for row, item in enumerate(chosen)),
    )
    links = (
        Link("sof_in", (f"SofSplitter.{SOF_IN}",)),
        Link(f"SofSplitter.{SOF_OUT}", (f"{executer.name}.{SOF_IN}",)),
        Link("SofSplitter.#groups", ("SofAccumulator.#groups",)),
        Link(f"{executer.name}.{SOF_OUT}", (f"SofAccumulator.{SOF_IN}",)),
        Link(f"SofAccumulator.{SOF_OUT}", outputs, (760, 200) if chosen else None),
        *(Link(f"Select {item.port}.{item.port}", (item.port,)) for item in chosen),
    )
    ports = (
        Port("sof_in", "input", side="WEST", location=(60, 200)),
        Port("sof_out", "output", side="EAST", location=(1080, 200)),
        *(
            Port(item.port, "output", side="EAST", location=(1080, 300 + 100 * row))
            for row, item in enumerate(chosen)
        ),
    )
    return composite(stage.name, actors, links, ports=ports)


def _selector(selection: Selection) -> Actor:
    """Router that lets one group of categories through."""
    router = fits_router([(selection.port, selection.categories)])
    return replace(router, name=f"Select {selection.port}")


def recipe_parameters(declaration: Declaration) -> Iterator[str]:
    """Yield ``name=default`` of every parameter of a recipe, as the executer shows them."""
    for item in declaration.parameters:
        yield f"{item.name}={_text(item.default)}"


def _text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _splitter() -> Actor:
    return Actor(
        "SofSplitter",
        "org.eso.SofSplitter",
        properties=(parameter("Group purposes", "true"),),
        ports=(
            Port(SOF_IN, "input", multi=True),
            Port(SOF_OUT, "output", multi=True),
            Port("#groups", "output"),
        ),
    )


def _accumulator() -> Actor:
    return Actor(
        "SofAccumulator",
        "org.eso.SofAccumulator",
        properties=(parameter("same dataset", "true"),),
        ports=(
            Port(SOF_IN, "input", multi=True, rate=0),
            Port("#groups", "input", rate=1),
            Port(SOF_OUT, "output", multi=True),
        ),
    )


def _recipe_executer(stage: Stage, number: int) -> Actor:
    purpose = "Strip last" if stage.ends_action else "Do nothing"
    inputs = dict.fromkeys(tag for step in stage.steps for tag in step.tags(step.inputs))
    products = dict.fromkeys(tag for step in stage.steps for tag in step.products)
    values = {
        "mode": "Run",
        "Lazy Mode": "true",
        "Recipe Failure Mode": "$RecipeFailureMode",
        "Input Files Category": ",".join(inputs),
        "Output Files Category": ",".join(products),
        "File Purpose Processing": purpose,
        "Allow empty inputs": "true",
        "EsoRex default args": "$ESORexArgs",
    }
    values |= {
        f"recipe_param_{position}": text
        for position, text in enumerate(recipe_parameters(stage.declaration), 1)
    }
    directories = (
        _directory("Products Dir", "$TMP_PRODUCTS_DIR"),
        _directory("Logs Dir", "$LOGS_DIR"),
        _directory("Bookkeeping Dir", "$BOOKKEEPING_DIR"),
        plain_file("Bookkeeping DB", "$BOOKKEEPING_DB"),
    )
    return Actor(
        f"{stage.declaration.name}_{number}",
        "org.eso.RecipeExecuter",
        properties=(*(parameter(name, value) for name, value in values.items()), *directories),
        ports=(
            Port(SOF_IN, "input", multi=True, rate=1),
            Port("sop in", "input", rate=1),
            Port(SOF_OUT, "output", multi=True),
            Port("sop out", "output"),
        ),
    )


def _directory(name: str, value: str) -> Property:
    return Property(name, FILE_PARAMETER, value, directory_only())


def plain_file(name: str, value: str) -> Property:
    """Parameter of an actor that names a file."""
    allowed = (parameter("allowFiles", "true"), parameter("allowDirectories", "false"))
    return Property(name, FILE_PARAMETER, value, allowed)
