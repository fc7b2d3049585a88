"""Where products go: the output directory, the scratch directory in it, and the final names.

Products are made in a scratch directory on the file system of the output directory, so that
putting them in place is a rename each and nothing incomplete ever has a final name.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from soxs_recipes.cpl_bridge.runner import signals
from soxs_recipes.cpl_bridge.runner.errors import DeliveryError, UsageError
from soxs_recipes.cpl_bridge.runner.scratch import private_directory

SCRATCH_PREFIX = ".pyesorex-"


@dataclass(frozen=True)
class Output:
    """Where products are put and how they are finished.

    Attributes
    ----------
    directory : Path
    make_directory : bool
        Whether a missing directory is created.
    prefix : str or None
        Products are named `prefix_0000.fits` and so on; None keeps the recipe's names.
    link_dir : Path or None
        Where a symbolic link to each product is made.
    datamd5, checksum : bool
        Whether FITS products get DATAMD5, and CHECKSUM and DATASUM.
    """

    directory: Path = Path()
    make_directory: bool = False
    prefix: str | None = None
    link_dir: Path | None = None
    datamd5: bool = True
    checksum: bool = True

    def prepare(self) -> None:
        """Check the directories, before any work is done.

        Raises
        ------
        UsageError
            If one is missing, is no directory or cannot be written, or the prefix names one.
        """
        if "/" in (self.prefix or ""):
            raise UsageError(
                f"The argument to '--output-prefix' [{self.prefix}] holds a directory.",
                "Give the directory as --output-dir.",
            )
        if self.make_directory:
            _make_directory(self.directory)
        _require_directory(self.directory, "output-dir")
        if self.link_dir is not None:
            _require_directory(self.link_dir, "link-dir")

    def names(self, products: Sequence[str]) -> list[str]:
        """Final base names of products, in their order."""
        if self.prefix is None:
            return list(products)
        return [f"{self.prefix}_{i:04d}{Path(name).suffix}" for i, name in enumerate(products)]


@contextmanager
def scratch_directory(parent: Path) -> Iterator[Path]:
    """Make a directory for the time of the block; whatever happens, it is gone afterwards.

    Raises
    ------
    UsageError
        If it cannot be made.
    """
    with private_directory(lambda: _make_scratch(parent)) as scratch:
        yield scratch


@contextmanager
def working_directory(directory: Path) -> Iterator[None]:
    """Work in another directory and come back."""
    here = Path.cwd()
    os.chdir(directory)
    try:
        yield
    finally:
        os.chdir(here)


def put_in_place(moves: Mapping[Path, Path], inputs: Iterable[Path], scratch: Path) -> None:
    """Give products their final names, all or none.

    Parameters
    ----------
    moves : mapping of Path to Path
        Final path of each product.
    inputs : iterable of Path
        Files that must not be replaced.
    scratch : Path
        Holds what is replaced until all products are in place.

    Raises
    ------
    DeliveryError
        If a product would replace an input or cannot be moved; then everything is as before.
    """
    _refuse_inputs(moves.values(), inputs)
    undo: list[tuple[Path, Path]] = []  # where a file is now, where it was
    with signals.deferred():
        try:
            for number, (source, target) in enumerate(moves.items()):
                if target.is_symlink() or target.exists():
                    kept = scratch / f".replaced-{number}"
                    target.rename(kept)
                    undo.append((kept, target))
                source.rename(target)
                undo.append((target, source))
        except OSError as error:
            for moved, back in reversed(undo):
                moved.rename(back)
            raise DeliveryError(
                f"Unable to move product file to final output path ({target}): {error.strerror}.",
                "Nothing was put in place. Make the path writable or choose another --output-dir.",
            ) from error


def make_links(products: Iterable[Path], directory: Path) -> None:
    """Make a symbolic link to each product, replacing links of the same name.

    Raises
    ------
    DeliveryError
        If a link cannot be made.
    """
    for product in products:
        link = directory / product.name
        try:
            if link.is_symlink():
                link.unlink()
            link.symlink_to(product.resolve())
        except OSError as error:
            raise DeliveryError(
                f"Unable to create symbolic link for {product} in directory {directory}: "
                f"{error.strerror}."
            ) from error


def _make_directory(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        return
    except OSError as error:
        raise UsageError(
            f"Error creating directory '{directory}': {error.strerror}.",
            "Name another one with --output-dir.",
        ) from error


def _require_directory(directory: Path, option: str) -> None:
    problem = f"The argument to '--{option}' [{directory}] is not a valid directory"
    if not directory.exists():
        create = " or let --output-mkdir create it" if option == "output-dir" else ""
        raise UsageError(f"{problem}: it does not exist.", f"Create it{create}.")
    if not directory.is_dir():
        raise UsageError(
            f"{problem}: there is a file of that name.", "Name a directory or remove the file."
        )
    if not os.access(directory, os.W_OK | os.X_OK):
        raise UsageError(
            f"{problem}: you have no permission to write into it.",
            "Change its permissions or name another one.",
        )


def _make_scratch(parent: Path) -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix=SCRATCH_PREFIX, dir=parent.resolve()))
    except OSError as error:
        raise UsageError(
            f"The argument to '--output-dir' [{parent}] cannot be used: {error.strerror}.",
            "Free space in it, change its permissions or name another one.",
        ) from error


def _refuse_inputs(targets: Iterable[Path], inputs: Iterable[Path]) -> None:
    inputs = [path for path in inputs if path.exists()]
    for target in targets:
        if target.is_dir() and not target.is_symlink():
            raise DeliveryError(
                f"Unable to move product file to final output path ({target}): "
                "there is a directory of that name.",
                "Remove it or choose another --output-dir.",
            )
        if target.exists() and any(target.samefile(path) for path in inputs):
            raise DeliveryError(
                f"Product {target} would replace an input file of the same name.",
                "Choose another --output-dir.",
            )
