"""The EsoReflex workflow of SOXS, made from the declarations of the recipes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from soxs_recipes.workflows import actors, housekeeping, layout
from soxs_recipes.workflows.cascade import Cascade, Stage
from soxs_recipes.workflows.moml import (
    COMPOSITE,
    FILE_PARAMETER,
    STRING_PARAMETER,
    Actor,
    Link,
    Point,
    Property,
    annotation,
    director,
    parameter,
    visible,
    write,
)
from soxs_recipes.workflows.routing import Route, routes_of, selections

WORKFLOW = "soxs"

DIRECTORIES = {
    "ROOT_DATA_DIR": "ROOT_DATA_PATH_TO_REPLACE/",
    "RAW_DATA_DIR": "$ROOT_DATA_DIR/reflex_input/soxs",
    "CALIB_DATA_DIR": "CALIB_DATA_PATH_TO_REPLACE/",
    "BOOKKEEPING_DIR": "$ROOT_DATA_DIR/reflex_book_keeping/soxs",
    "LOGS_DIR": "$ROOT_DATA_DIR/reflex_logs/soxs",
    "TMP_PRODUCTS_DIR": "$ROOT_DATA_DIR/reflex_tmp_products/soxs",
    "END_PRODUCTS_DIR": "$ROOT_DATA_DIR/reflex_end_products",
}
BOOKKEEPING_DB = "$BOOKKEEPING_DIR/bookkeeping.db"
SETTINGS = {
    "FITS_VIEWER": "fv",
    "ESORexArgs": "--suppress-prefix=TRUE",
    "EraseDirs": "false",
    "RecipeFailureMode": "Ask",
    "GlobalPlotInteractivity": "true",
    "SelectDatasetMethod": "Interactive",
    "ProductExplorerMode": "Triggered",
}
RUN_TIME_VALUES = ("GLOBAL_TIMESTAMP", "N_SELECTED_DATASETS", "END_PRODUCTS_SUBDIR", "DatasetName")

_TITLE = "SOXS: from raw frames to calibrated spectra"
_HOW_TO_START = """\
How to start
1. Set ROOT_DATA_DIR: products, logs and notes go there.
2. Set RAW_DATA_DIR to your raw frames (sub-directories are searched).
3. Set CALIB_DATA_DIR to master calibrations to be reused; it may be empty.
4. Press the run button, select data sets, press Continue.
Products end in END_PRODUCTS_DIR, one directory per run and data set.
Double-click a recipe to see and change its parameters."""
_SETTINGS_HELP = """\
EraseDirs true: forget earlier runs. RecipeFailureMode: Ask, Stop or Continue.
SelectDatasetMethod: Interactive, All, New or Reduced.
ProductExplorerMode: Enabled, Triggered, Disabled or NoWorkflow."""


_ENTRANCE_LINKS = (
    Link("Initialise.data_dirs", ("DataOrganizer.input data",)),
    Link("DataOrganizer.datasets out", ("Data Set Selection.datasets_in",)),
    Link("Data Set Selection.dataset_out", ("Current Data Set.dataset_in",)),
    Link("Current Data Set.dataset", ("FitsRouter.in",)),
)
_EXIT_LINKS = (
    Link(f"Final products.{actors.SOF_OUT}", ("ProductRenamer.sof_in",)),
    Link("ProductRenamer.sof_out", ("Close Data Set.final_files",)),
    Link("Close Data Set.global_timestamp", ("ProductExplorer.start_date",)),
    Link("Close Data Set.all_done", ("ProductExplorer.trigger",)),
)


def workflow(cascade: Cascade) -> str:
    """MoML text of the workflow of a cascade."""
    return write(canvas(cascade))


def canvas(cascade: Cascade) -> Actor:
    """Workflow as a tree of actors."""
    points = layout.stage_points(cascade)
    routes = routes_of(cascade)
    end = layout.exit_point(cascade)
    router = actors.fits_router((route.port, route.categories) for route in routes)
    return Actor(
        WORKFLOW,
        COMPOSITE,
        properties=tuple(_properties()),
        actors=(
            *_entrance(),
            router.at(layout.ROUTER_X, layout.TOP),
            *_stage_actors(cascade, points),
            *_exit(end),
        ),
        links=(
            *_ENTRANCE_LINKS,
            *_route_links(routes, points),
            *_stage_links(cascade, points),
            *_EXIT_LINKS,
        ),
    )


def _properties() -> Iterator[Property]:
    yield parameter("_createdBy", "11.0.devel", "ptolemy.kernel.attributes.VersionAttribute")
    yield director(layout.LEFT, 40.0, inside=False)
    x = layout.LEFT + 120.0
    yield annotation("Title", _TITLE, (x, 40.0), size=36, bold=True)
    yield annotation("How to start", _HOW_TO_START, (x, 120.0))
    yield annotation("Directories", "Directories", (x + 760.0, 120.0), size=18, bold=True)
    for row, (name, value) in enumerate(DIRECTORIES.items()):
        yield visible(name, value, FILE_PARAMETER, (x + 760.0, 160.0 + 40.0 * row))
    database = visible("BOOKKEEPING_DB", BOOKKEEPING_DB, STRING_PARAMETER, (x + 760.0, 440.0))
    yield database
    yield annotation("Settings", "Settings", (x + 1360.0, 120.0), size=18, bold=True)
    for row, (name, value) in enumerate(SETTINGS.items()):
        yield visible(name, value, STRING_PARAMETER, (x + 1360.0, 160.0 + 40.0 * row))
    yield annotation("Settings help", _SETTINGS_HELP, (x + 1360.0, 445.0))
    for name in RUN_TIME_VALUES:
        yield parameter(name, "", STRING_PARAMETER)


def _entrance() -> Iterator[Actor]:
    makers = (
        housekeeping.initialise,
        actors.data_organizer,
        housekeeping.dataset_selection,
        housekeeping.current_dataset,
    )
    for position, maker in enumerate(makers):
        yield maker().at(layout.LEFT + layout.ENTRANCE_STEP * position, layout.TOP)


def _stage_actors(cascade: Cascade, points: Mapping[Stage, Point]) -> Iterator[Actor]:
    numbers: Counter[str] = Counter()
    for stage in cascade.stages:
        x, y = points[stage]
        numbers[stage.declaration.name] += 1
        number = numbers[stage.declaration.name]
        yield actors.sof_combiner(_combiner(stage)).at(x - layout.COMBINER_OFFSET, y)
        chosen = selections(cascade, stage).values()
        yield actors.recipe_stage(stage, number, chosen).at(x, y)


def _stage_links(cascade: Cascade, points: Mapping[Stage, Point]) -> Iterator[Link]:
    for stage in cascade.stages:
        yield Link(f"{_combiner(stage)}.{actors.SOF_OUT}", (f"{stage.name}.sof_in",))
    for stage in cascade.stages:
        for number, (port, targets) in enumerate(_outputs(cascade, stage).items()):
            vertex = layout.stage_vertex(points[stage], number) if len(targets) > 1 else None
            yield Link(f"{stage.name}.{port}", targets, vertex)


def _outputs(cascade: Cascade, stage: Stage) -> dict[str, tuple[str, ...]]:
    """Input ports that each output port of a stage feeds."""
    chosen = selections(cascade, stage)
    outputs: dict[str, tuple[str, ...]] = {}
    for edge in (edge for edge in cascade.edges if edge.source is stage):
        selected = chosen.get(edge.target) if edge.main else None
        port = selected.port if selected else "sof_out"
        outputs[port] = (*outputs.get(port, ()), _input_port(edge.target, main=edge.main))
    return outputs or {"sof_out": (f"Final products.{actors.SOF_IN}",)}


def _combiner(stage: Stage) -> str:
    return f"Input of {stage.name}"


def _input_port(stage: Stage, *, main: bool) -> str:
    return f"{_combiner(stage)}.{actors.SOF_IN if main else actors.SOF_OPTIONAL}"


def _route_links(routes: Sequence[Route], points: Mapping[Stage, Point]) -> Iterator[Link]:
    for number, route in enumerate(routes):
        targets = [_input_port(stage, main=True) for stage in route.triggered]
        targets += [_input_port(stage, main=False) for stage in route.informed]
        highest = min(points[stage][1] for stage in (*route.triggered, *route.informed))
        vertex = layout.router_vertex(len(routes) - number, highest)
        yield Link(f"FitsRouter.{route.port}", tuple(targets), vertex)


def _exit(end: Point) -> Iterator[Actor]:
    x, y = end
    yield actors.sof_combiner("Final products").at(x - layout.COMBINER_OFFSET, y)
    yield housekeeping.product_renamer().at(x, y)
    yield housekeeping.close_dataset().at(x + 200.0, y)
    yield housekeeping.product_explorer().at(x + 400.0, y)
