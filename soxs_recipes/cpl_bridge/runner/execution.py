"""Running one recipe: from a set of frames and settings to signed products in their place."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from soxs_recipes.cpl_bridge import cpl
from soxs_recipes.cpl_bridge.origin import is_fits, replaces_another
from soxs_recipes.cpl_bridge.runner import discovery, disk, messages, signals, sof
from soxs_recipes.cpl_bridge.runner.errors import (
    DeliveryError,
    RecipeFailedError,
    RunnerError,
    UsageError,
)
from soxs_recipes.cpl_bridge.runner.output import (
    Output,
    make_links,
    put_in_place,
    scratch_directory,
    working_directory,
)
from soxs_recipes.cpl_bridge.runner.parameters import (
    Value,
    by_name,
    recipe_parameters,
    suggestion,
)


def run_recipe(
    recipe: Any,
    frames: Any,
    settings: Mapping[str, Any] | None = None,
    output: Output | str | Path | None = None,
    recipe_dirs: Sequence[str | Path] | None = None,
) -> list[Any]:
    """Run a recipe and put its products in the output directory.

    The recipe works in a scratch directory, so the process changes its working directory
    meanwhile: one run at a time in a process. Messages go through `cpl.core.Msg`.

    Parameters
    ----------
    recipe : str, type or cpl.ui.PyRecipe
        Name, class or object.
    frames : str, Path or iterable of cpl.ui.Frame
        Path of a SOF, or the frames.
    settings : mapping, optional
        The parameters that are set, by full name or alias; the others have their defaults. Text
        is converted to the parameter's type.
    output : Output, str or Path, optional
        Output directory and how products are finished; the working directory by default.
    recipe_dirs : sequence of str or Path, optional
        Where a recipe given by name is looked for; the recipes of this package by default.

    Returns
    -------
    list of cpl.ui.Frame
        The products, with absolute paths, in the order of the recipe.

    Raises
    ------
    RunnerError
        Of the kinds in `errors`: nothing was left behind and no file was changed.
    """
    recipe = _recipe_object(recipe, recipe_dirs)
    values = checked_settings(recipe, settings or {})
    inputs = sof.read_sof(frames) if isinstance(frames, str | Path) else _absolute(frames)
    output = output if isinstance(output, Output) else Output(Path(output or "."))
    output.prepare()
    paths = [Path(frame.file) for frame in inputs]
    with signals.termination_raises(), scratch_directory(output.directory) as scratch:
        with working_directory(scratch):
            products = _products(recipe, _call(recipe, inputs, values, scratch), scratch)
            _sign(products, output, scratch)
        return _deliver(products, output, scratch, paths)


def checked_settings(recipe: Any, settings: Mapping[str, Any]) -> dict[str, Value]:
    """Check settings against the recipe's parameters and key them by full name.

    Raises
    ------
    UsageError
        If a parameter is unknown or a value is not accepted.
    """
    known = by_name(recipe_parameters(recipe))
    unknown = [name for name in settings if name not in known]
    if unknown:
        raise UsageError(
            f"Recipe '{recipe.name}' has no parameter '{unknown[0]}'.",
            suggestion(unknown[0], known),
        )
    return {known[name].name: known[name].check(value) for name, value in settings.items()}


def _recipe_object(recipe: Any, directories: Sequence[str | Path] | None) -> Any:
    if isinstance(recipe, str):
        directories = directories or [discovery.plugin_directory()]
        return discovery.find_recipes(directories).load(recipe)
    return recipe() if isinstance(recipe, type) else recipe


def _absolute(frames: Iterable[Any]) -> Any:
    """Copy frames with absolute paths: the recipe runs in another working directory."""
    copies = cpl.ui.FrameSet()
    for frame in frames:
        copy = sof.make_frame(Path(frame.file).absolute(), frame.tag)
        copy.group, copy.level, copy.type = frame.group, frame.level, frame.type
        copies.append(copy)
    return copies


def _call(recipe: Any, inputs: Any, settings: dict[str, Value], scratch: Path) -> list[Any]:
    messages.info(f"Running recipe '{recipe.name}'...")
    started = time.monotonic()
    try:
        with messages.domain(recipe.name):
            returned = recipe.run(inputs, settings)
    except (Exception, SystemExit) as error:
        raise _failed(recipe, error, scratch) from error
    try:
        products = list(returned)
    except TypeError as error:
        raise RecipeFailedError(
            f"Recipe '{recipe.name}' returned {type(returned).__name__}, expected a FrameSet."
        ) from error
    messages.info(f"Recipe '{recipe.name}' complete.")
    messages.debug(f"Recipe '{recipe.name}' took {time.monotonic() - started:.3f} seconds.")
    return products


def _failed(recipe: Any, error: BaseException, scratch: Path) -> RunnerError:
    remedy = disk.full_disk_remedy(error, scratch)
    return RecipeFailedError(
        f"Execution of recipe '{recipe.name}' failed: {messages.reason(error)}", remedy
    )


def _products(recipe: Any, frames: Sequence[Any], scratch: Path) -> list[Any]:
    """Check that every product is a file of its own in the scratch directory."""
    products, names = [], set()
    for frame in frames:
        if frame.group in (cpl.ui.Frame.FrameGroup.RAW, cpl.ui.Frame.FrameGroup.CALIB):
            continue
        file = Path(frame.file)
        if (scratch / file).parent.resolve() != scratch.resolve():
            raise DeliveryError(
                f"Product '{file}' of recipe '{recipe.name}' is not in the working directory of "
                "the recipe.",
                "A recipe must name its products without a directory.",
            )
        if file.name in names:
            raise DeliveryError(f"Recipe '{recipe.name}' returned the product '{file}' twice.")
        if not (scratch / file.name).is_file():
            raise DeliveryError(
                f"Recipe '{recipe.name}' returned the product '{file}', which does not exist."
            )
        names.add(file.name)
        product = cpl.ui.Frame(file.name, tag=frame.tag, group=cpl.ui.Frame.FrameGroup.PRODUCT)
        product.level, product.type = frame.level, frame.type
        products.append(product)
    return products


def _sign(products: Sequence[Any], output: Output, scratch: Path) -> None:
    """Write DATAMD5 and checksums into the FITS products."""
    fits = [frame for frame in products if is_fits(Path(frame.file))]
    if not fits or not (output.datamd5 or output.checksum):
        return
    messages.info("Calculating product checksums")
    try:
        cpl.dfs.sign_products(
            cpl.ui.FrameSet(fits), compute_md5=output.datamd5, compute_checksum=output.checksum
        )
    except Exception as error:
        raise DeliveryError(
            f"Could not update the product headers: {messages.reason(error)}",
            disk.full_disk_remedy(error, scratch),
        ) from error


def _deliver(
    products: Sequence[Any], output: Output, scratch: Path, inputs: Sequence[Path]
) -> list[Any]:
    """Put the products in place and return them with their absolute final paths."""
    names = [frame.file for frame in products]
    targets = [output.directory.absolute() / name for name in output.names(names)]
    for source, target in zip(names, targets, strict=True):
        if replaces_another(scratch / source, target):
            messages.warning(f"Product {target} exists, made from other raw files; it is replaced.")
    moves = {scratch / name: target for name, target in zip(names, targets, strict=True)}
    put_in_place(moves, inputs, scratch)
    for frame, target in zip(products, targets, strict=True):
        frame.file = str(target)
        messages.info(f"Created product {output.directory / target.name}")
    messages.info(f"{len(products)} product{'' if len(products) == 1 else 's'} created")
    if output.link_dir is not None:
        make_links(targets, output.link_dir)
    return list(products)
