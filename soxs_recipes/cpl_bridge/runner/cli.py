"""The command line of the embedded runner, and what the `soxs` command offers around it."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from soxs_recipes.cpl_bridge import cpl
from soxs_recipes.cpl_bridge.runner import (
    discovery,
    manpage,
    messages,
    options,
    rcfile,
    signals,
    sof,
)
from soxs_recipes.cpl_bridge.runner.doctor import examine, report
from soxs_recipes.cpl_bridge.runner.errors import (
    ExitStatus,
    RunnerError,
    Terminated,
    UsageError,
)
from soxs_recipes.cpl_bridge.runner.execution import run_recipe
from soxs_recipes.cpl_bridge.runner.options import OPTIONS, CommandLine
from soxs_recipes.cpl_bridge.runner.output import Output
from soxs_recipes.cpl_bridge.runner.parameters import Parameter, Value, recipe_parameters


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status.

    Parameters
    ----------
    argv : sequence of str, optional
        Command line without the program's name; that of the process by default.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    with messages.session():
        try:
            with signals.termination_raises():
                _command(arguments)
        except KeyboardInterrupt:
            messages.error("Interrupted; no incomplete product was left behind.")
            return ExitStatus.INTERRUPTED
        except Terminated as request:
            messages.error("Terminated; no incomplete product was left behind.")
            return 128 + request.number
        except RunnerError as error:
            messages.failure(error)
            return error.status
    return ExitStatus.SUCCESS


def plugin_dir(argv: Sequence[str] = ()) -> int:  # noqa: ARG001 - one form for commands
    """Print the directory with this package's recipes, for PYESOREX_PLUGIN_DIR."""
    print(discovery.plugin_directory())
    return 0


def doctor(argv: Sequence[str] = ()) -> int:  # noqa: ARG001 - one form for commands
    """Print what decides which recipes run how; the status is 1 if something must be done."""
    findings = list(examine(os.environ))
    print(report(findings))
    return int(any(finding.needed for finding in findings))


def _command(arguments: list[str]) -> None:
    line = options.split_arguments(arguments)
    values = options.resolve(line.given, os.environ)
    messages.set_level(values["msg-level"])
    messages.info(manpage.GREETING)
    _show(manpage.BANNER)
    _report_config(values)
    if line.recipe is None:
        _without_recipe(line, values)
    else:
        _with_recipe(line, values, shlex.join(["pyesorex", *arguments]))


def _without_recipe(line: CommandLine, values: Mapping[str, Value]) -> None:
    if values["version"]:
        _show(manpage.version_text())
    elif values["help"]:
        _show(manpage.command_help())
    elif values["recipes"]:
        _show(manpage.recipes_text(_catalogue(line, values)))
    elif values["man-page"]:
        raise UsageError(
            "'--man-page' needs the name of a recipe.", "'--recipes' lists the recipes."
        )
    elif _config_target(values, "pyesorex") is not None:
        _create_config(values, "pyesorex", _in_rc(), _by_full_name(values))
    elif values["params"]:
        _show(manpage.params_text("Caller Parameters", OPTIONS, _by_full_name(values)))
    else:
        _show(f"{manpage.USAGE}\n\n'--help' lists the options, '--recipes' the recipes.\n")


def _with_recipe(line: CommandLine, values: Mapping[str, Value], invocation: str) -> None:
    if values["version"]:
        _show(manpage.version_text())
        return
    recipe = _catalogue(line, values).load(line.recipe)
    if values["help"]:
        _show(manpage.recipe_help(recipe))
    elif values["man-page"]:
        _show(manpage.man_page(recipe))
    else:
        _with_settings(recipe, line, values, invocation)


def _with_settings(
    recipe: Any, line: CommandLine, values: Mapping[str, Value], invocation: str
) -> None:
    parameters = recipe_parameters(recipe)
    given, sofs = options.recipe_arguments(line.rest, parameters)
    settings = _recipe_config(recipe, parameters, values) | given
    if _config_target(values, recipe.name) is not None:
        _create_config(values, recipe.name, parameters, settings)
    elif values["params"]:
        _show(manpage.params_text("Caller Parameters", OPTIONS, _by_full_name(values)))
        _show(manpage.params_text("Recipe Parameters", parameters, settings))
    else:
        _run(recipe, sofs, settings, values, invocation)


def _run(
    recipe: Any,
    sofs: Sequence[str],
    settings: Mapping[str, Value],
    values: Mapping[str, Value],
    invocation: str,
) -> None:
    messages.start_log(_path(values, "log-dir"), values["log-file"], values["log-level"])
    messages.log_only(f"{manpage.GREETING}\nInvocation command line was: {invocation}")
    messages.info(f"Loaded recipe '{recipe.name}'.")
    if not hasattr(recipe, "parameters"):
        messages.warning(
            f"Recipe '{recipe.name}' has no parameters attribute, cannot access recipe settings "
            "or use recipe config files."
        )
    output = _output(values)
    output.prepare()
    listing = _products_sof(values)
    frames = cpl.ui.FrameSet()
    for file in sofs:
        for frame in sof.read_sof(file, check_files=values["check-sof-exist"]):
            frames.append(frame)
    started = time.monotonic()
    products = run_recipe(recipe, frames, settings, output)
    if values["time"]:
        seconds = time.monotonic() - started
        messages.info(f"Recipe operation(s) took {seconds:.3g} seconds to complete.")
    if listing is not None:
        paths = [(str(output.directory / Path(p.file).name), p.tag) for p in products]
        sof.write_products_sof(listing, paths)


def _output(values: Mapping[str, Value]) -> Output:
    return Output(
        directory=_path(values, "output-dir"),
        make_directory=values["output-mkdir"],
        prefix=None if values["suppress-prefix"] else values["output-prefix"],
        link_dir=None if values["suppress-link"] else _path(values, "link-dir"),
        datamd5=not values["no-datamd5"],
        checksum=not values["no-checksum"],
    )


def _products_sof(values: Mapping[str, Value]) -> Path | None:
    if not values["products-sof"]:
        return None
    file = _path(values, "products-sof")
    if file.is_dir() or not file.absolute().parent.is_dir():
        raise UsageError(
            f"'--products-sof={file}' cannot be written: its directory does not exist or it is "
            "a directory itself.",
            "Name a file in an existing directory.",
        )
    return file


def _catalogue(line: CommandLine, values: Mapping[str, Value]) -> discovery.Catalogue:
    path_list = str(values["recipe-dir"])
    if "recipe-dir" not in line.given:
        path_list = discovery.with_plugin_directory(path_list)
    directories = discovery.split_path_list(path_list)
    missing = [str(directory) for directory in directories if not directory.is_dir()]
    if missing:
        messages.warning(f"Recipe directory does not exist: {', '.join(missing)}")
    catalogue = discovery.find_recipes(directories)
    if values["display-import-errors"]:
        for file, problem in catalogue.failures:
            messages.warning(f"Unable to import recipe file '{file}': {problem}")
    return catalogue


def _recipe_config(
    recipe: Any, parameters: Sequence[Parameter], values: Mapping[str, Value]
) -> dict[str, Value]:
    stated = values["recipe-config"]
    file = _path(values, "recipe-config") if stated else options.user_file(recipe.name)
    if not rcfile.is_readable(file):
        if stated:
            raise UsageError(
                f"'--recipe-config={stated}' was specified, but the file could not be found."
            )
        return {}
    settings = rcfile.typed_entries(rcfile.read_rc(file), parameters, file)
    messages.info(f"Read config file '{file}'.")
    return settings


def _report_config(values: Mapping[str, Value]) -> None:
    file = options.config_file(values)
    if not rcfile.is_readable(file):
        return
    messages.info(f"Read config file '{file}'.")
    for key in options.unread_keys(file):
        messages.warning(f"Parameter '{key}' not recognised in configuration file '{file}'.")


def _config_target(values: Mapping[str, Value], stem: str) -> Path | None:
    stated = str(values["create-config"])
    if stated.upper() == "FALSE":
        return None
    return options.user_file(stem) if stated.upper() == "TRUE" else _path(values, "create-config")


def _create_config(
    values: Mapping[str, Value],
    stem: str,
    parameters: Sequence[Parameter],
    settings: Mapping[str, Value],
) -> None:
    file = _config_target(values, stem)
    if file.suffix == ".json":
        text = rcfile.format_json(parameters, settings, None if stem == "pyesorex" else stem)
    else:
        text = rcfile.format_rc(parameters, settings, str(file), manpage.AUTHOR)
    backup = rcfile.write_text(file, text)
    if backup is not None:
        messages.info(f"Old configuration file copied to '{backup}'.")
    messages.info(f"Wrote config file '{file}'.")


def _path(values: Mapping[str, Value], alias: str) -> Path:
    # Shells leave the tilde of --output-dir=~/x alone.
    return Path(values[alias]).expanduser()


def _in_rc() -> list[Parameter]:
    return [option for option in OPTIONS if option.in_rc]


def _by_full_name(values: Mapping[str, Value]) -> dict[str, Value]:
    return {option.name: values[option.alias] for option in OPTIONS}


def _show(text: str) -> None:
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # The reader (head, a pager) has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
