"""The composites around the recipes: before the first data set, around each, after the last."""

from __future__ import annotations

from importlib.resources import files

from soxs_recipes.workflows import actors
from soxs_recipes.workflows.moml import (
    PARAMETER_PORT,
    STRING_ATTRIBUTE,
    STRING_PARAMETER,
    Actor,
    Link,
    Port,
    composite,
    parameter,
)

TIME_FORMAT = "yyyy-MM-dd'T'HH:mm:ss"
_ERASE = (
    'if [ "x$EraseDirs" = "xtrue" ]; then '
    'for d in "$BOOKKEEPING_DIR" "$LOGS_DIR" "$TMP_PRODUCTS_DIR"; do '
    '[ -n "$$d" ] && rm -rf "$$d"/*; done; fi; '
    'mkdir -p "$BOOKKEEPING_DIR" "$LOGS_DIR" "$TMP_PRODUCTS_DIR" "$END_PRODUCTS_DIR"; echo ready'
)


def initialise() -> Actor:
    """Erases the working directories if asked to, notes the time, sends the data directories."""
    parts = (
        _constant("Commands", _ERASE, limit=1).at(120, 120),
        _shell().at(260, 120),
        _timestamp().at(400, 120),
        _setter("Note the time", "GLOBAL_TIMESTAMP").at(540, 120),
        _constant("Raw data", "$RAW_DATA_DIR", limit=1).at(700, 80),
        _constant("Calibrations", "$CALIB_DATA_DIR", limit=1).at(700, 160),
        _array().at(860, 120),
    )
    links = (
        Link("Commands.output", ("Shell.input",)),
        Link("Shell.output", ("Time.trigger",)),
        Link("Time.output", ("Note the time.input",)),
        Link("Note the time.output", ("Raw data.trigger", "Calibrations.trigger"), (620, 120)),
        Link("Raw data.output", ("Directories.input",)),
        Link("Calibrations.output", ("Directories.input",)),
        Link("Directories.output", ("data_dirs",)),
    )
    ports = (Port("data_dirs", "output", side="EAST", location=(980, 120)),)
    return composite("Initialise", parts, links, ports=ports)


def dataset_selection() -> Actor:
    """Selection of data sets; their number is kept for the end."""
    parts = (
        actors.dataset_chooser().at(360, 160),
        _constant("Start", "$GLOBAL_TIMESTAMP").at(220, 240),
        _setter("Count", "N_SELECTED_DATASETS").at(520, 240),
    )
    links = (
        Link("datasets_in", ("DataSetChooser.datasets in", "Start.trigger"), (160, 160)),
        Link("Start.output", ("DataSetChooser.execution time",)),
        Link("DataSetChooser.dataset out", ("dataset_out",)),
        Link("DataSetChooser.#selected", ("Count.input",)),
    )
    ports = (
        Port("datasets_in", "input", multi=True, side="WEST", location=(60, 160)),
        Port("dataset_out", "output", multi=True, side="EAST", location=(640, 160)),
    )
    return composite("Data Set Selection", parts, links, ports=ports)


def current_dataset() -> Actor:
    """Prepares the directory of the final products of the data set that comes next."""
    parts = (
        actors.current_dataset().at(260, 160),
        _constant("Run", "$GLOBAL_TIMESTAMP").at(260, 260),
        _joiner("Sub-directory", "/").at(420, 260),
        _setter("Note the sub-directory", "END_PRODUCTS_SUBDIR").at(580, 200),
        _constant("End products", "$END_PRODUCTS_DIR").at(580, 320),
        _joiner("Directory", "/").at(720, 300),
        _directory_maker().at(860, 300),
        _setter("Note the name", "DatasetName").at(580, 80),
        _display("Current data set").at(720, 80),
    )
    links = (
        Link("dataset_in", ("CurrentDataSet.in", "Run.trigger", "dataset"), (160, 160)),
        Link("Run.output", ("Sub-directory.parts",)),
        Link(
            "CurrentDataSet.dataset name",
            (
                "Sub-directory.parts",
                "Note the name.input",
                "Current data set.input",
            ),
            (400, 160),
        ),
        Link(
            "Sub-directory.whole",
            ("Note the sub-directory.input", "End products.trigger"),
            (500, 260),
        ),
        Link("End products.output", ("Directory.parts",)),
        Link("Note the sub-directory.output", ("Directory.parts",)),
        Link("Directory.whole", ("Directory Maker.Directory name",)),
    )
    ports = (
        Port("dataset_in", "input", side="WEST", location=(60, 160)),
        Port("dataset", "output", side="EAST", location=(980, 380)),
    )
    return composite("Current Data Set", parts, links, ports=ports)


def close_dataset() -> Actor:
    """Writes a README beside the final products, and tells when the last data set is done."""
    parts = (
        _file_list().at(260, 120),
        _constant("Name", "Data set $DatasetName").at(260, 40),
        _constant("Reduced", "has been reduced. Final products:").at(260, 200),
        _joiner("Message", "\\n").at(420, 140),
        _display("Finished data sets").at(720, 60),
        _constant("Readme", "$END_PRODUCTS_DIR/$GLOBAL_TIMESTAMP/README").at(560, 220),
        _file_writer("Write README").at(720, 160),
        _constant("Start", "$GLOBAL_TIMESTAMP").at(420, 320),
        Actor(
            "Finished",
            "ptolemy.actor.lib.Counter",
            ports=(Port("increment", "input"), Port("output", "output")),
        ).at(260, 400),
        _constant("Selected", "$N_SELECTED_DATASETS").at(260, 480),
        Actor(
            "Number",
            "org.resurgence.actor.StringToInt",
            ports=(Port("string", "input"), Port("integer", "output")),
        ).at(420, 480),
        _comparator("All done", ">=").at(580, 420),
    )
    every = ("Name", "Reduced", "Start", "Selected")
    links = (
        Link("Name.output", ("Message.parts",)),
        Link("Reduced.output", ("Message.parts",)),
        Link(
            "final_files",
            ("List.json in", "Finished.increment", *(f"{name}.trigger" for name in every)),
            (160, 300),
        ),
        Link("List.text out", ("Message.parts",)),
        Link(
            "Message.whole",
            ("Finished data sets.input", "Write README.input", "Readme.trigger"),
            (530, 140),
        ),
        Link("Readme.output", ("Write README.fileName",)),
        Link("Start.output", ("global_timestamp",)),
        Link("Finished.output", ("All done.left",)),
        Link("Selected.output", ("Number.string",)),
        Link("Number.integer", ("All done.right",)),
        Link("All done.output", ("all_done",)),
    )
    ports = (
        Port("final_files", "input", side="WEST", location=(60, 300)),
        Port("global_timestamp", "output", side="EAST", location=(760, 320)),
        Port("all_done", "output", side="EAST", location=(760, 420)),
    )
    return composite("Close Data Set", parts, links, ports=ports)


def product_explorer() -> Actor:
    """Shows products and where they come from when all data sets are reduced."""
    explorer = Actor(
        "Explorer",
        "org.eso.ProductExplorer",
        properties=(
            parameter("Mode", "$ProductExplorerMode", STRING_PARAMETER),
            actors.plain_file("Bookkeeping DB", "$BOOKKEEPING_DB"),
            parameter("FITS Viewer", "$FITS_VIEWER", STRING_PARAMETER),
            parameter("date format", TIME_FORMAT, STRING_PARAMETER),
        ),
        ports=(
            Port("start date", "input"),
            Port("end date", "input"),
            Port("trigger", "input"),
        ),
    )
    links = (
        Link("start_date", ("Explorer.start date",)),
        Link("trigger", ("Explorer.trigger",)),
    )
    ports = (
        Port("start_date", "input", side="WEST", location=(60, 120)),
        Port("trigger", "input", side="WEST", location=(60, 200)),
    )
    return composite("ProductExplorer", (explorer.at(240, 160),), links, ports=ports)


def product_renamer() -> Actor:
    """Copies the final products under names made of header keywords."""
    script = files("soxs_recipes.workflow_files").joinpath("product_renamer.py").read_text("utf-8")
    values = {
        "RenameKeywords": "HIERARCH.ESO.OBS.NAME,'_',HIERARCH.ESO.PRO.CATG",
        "FinalProductDirectory": "$END_PRODUCTS_DIR",
        "SubDir": "$END_PRODUCTS_SUBDIR",
        "CopyMode": "copy",
        "OutputExistsMode": "append_version",
        "BookkeepingDB": "$BOOKKEEPING_DB",
    }
    return Actor(
        "ProductRenamer",
        "ptolemy.actor.lib.python.PythonScript",
        properties=(
            parameter("jythonClassName", "Main", STRING_ATTRIBUTE),
            parameter("script", script, STRING_ATTRIBUTE),
            *(parameter(name, value, STRING_PARAMETER) for name, value in values.items()),
        ),
        ports=(Port("sof_in", "input", rate=1), Port("sof_out", "output", multi=True)),
    )


def _file_list() -> Actor:
    """Turns a set of files into text."""
    return Actor(
        "List",
        "org.eso.ObjectToText",
        properties=(parameter("Include Header and Footer", "true"),),
        ports=(Port("json in", "input", rate=1), Port("text out", "output")),
    )


def _constant(name: str, value: str, *, limit: int | None = None) -> Actor:
    """Text, sent each time the trigger gets a token; `limit` ends that."""
    limits = (
        (parameter("firingCountLimit", "NONE"), parameter("NONE", "0"))
        if limit is None
        else (parameter("firingCountLimit", str(limit)),)
    )
    return Actor(
        name,
        "ptolemy.actor.lib.StringConst",
        properties=(parameter("value", value), *limits),
        ports=(Port("output", "output"), Port("trigger", "input", multi=True)),
    )


def _setter(name: str, variable: str) -> Actor:
    return Actor(
        name,
        "ptolemy.actor.lib.SetVariable",
        properties=(
            parameter("variableName", variable, STRING_ATTRIBUTE),
            parameter("delayed", "false"),
        ),
        ports=(Port("input", "input"), Port("output", "output")),
    )


def _joiner(name: str, separator: str) -> Actor:
    return Actor(
        name,
        "org.resurgence.actor.StringAccumulator",
        properties=(parameter("Substring separator", f'"{separator}"'),),
        ports=(Port("parts", "input", multi=True), Port("whole", "output")),
    )


def _display(title: str) -> Actor:
    return Actor(
        title,
        "ptolemy.actor.lib.gui.Display",
        properties=(parameter("title", title, STRING_PARAMETER),),
        ports=(Port("input", "input", multi=True),),
    )


def _comparator(name: str, operator: str) -> Actor:
    return Actor(
        name,
        "ptolemy.actor.lib.logic.Comparator",
        properties=(parameter("comparison", operator, STRING_ATTRIBUTE),),
        ports=(Port("left", "input"), Port("right", "input"), Port("output", "output")),
    )


def _shell() -> Actor:
    return Actor(
        "Shell",
        "ptolemy.actor.lib.Exec",
        properties=(
            parameter("command", "sh", "ptolemy.actor.parameters.PortParameter"),
            parameter("directory", "$CWD", "ptolemy.data.expr.FileParameter"),
            parameter("throwExceptionOnNonZeroReturn", "true"),
            parameter("waitForProcess", "true"),
            parameter("firingCountLimit", "1"),
        ),
        ports=(Port("input", "input"), Port("output", "output")),
    )


def _timestamp() -> Actor:
    return Actor(
        "Time",
        "org.sdm.spa.Timestamp",
        properties=(parameter("format", TIME_FORMAT, STRING_PARAMETER),),
        ports=(Port("trigger", "input", multi=True), Port("output", "output")),
    )


def _array() -> Actor:
    return Actor(
        "Directories",
        "ptolemy.actor.lib.ElementsToArray",
        ports=(Port("input", "input", multi=True), Port("output", "output")),
    )


def _directory_maker() -> Actor:
    return Actor(
        "Directory Maker",
        "org.resurgence.actor.DirectoryMaker",
        ports=(Port("Directory name", "input", java=PARAMETER_PORT),),
    )


def _file_writer(name: str) -> Actor:
    return Actor(
        name,
        "org.geon.FileWrite",
        properties=(
            parameter("append", "true"),
            parameter("confirmOverwrite", "false"),
            parameter("alwaysFlush", "true"),
        ),
        ports=(
            Port("input", "input"),
            Port("fileName", "input", java=PARAMETER_PORT),
        ),
    )
