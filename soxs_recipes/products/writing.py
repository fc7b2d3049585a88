"""Products on disk: built in a scratch directory, then moved into place together."""

from __future__ import annotations

import errno
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, MappingProxyType
from typing import TYPE_CHECKING, Any

from soxs_recipes.errors import ProductError, ProductExistsError

if TYPE_CHECKING:
    from astropy.io import fits

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True)
class Extension:
    """One extension of a product.

    Attributes
    ----------
    name : str
        EXTNAME.
    data : ndarray or astropy Table
        Pixels, or a table with units.
    unit : str
        BUNIT of pixels; empty for none.
    cards : mapping
        Further header cards.
    """

    name: str
    data: Any
    unit: str = ""
    cards: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


def write_product(path: Path, primary: fits.Header, extensions: Sequence[Extension]) -> None:
    """Write a product: an empty primary HDU and its extensions.

    Raises
    ------
    ProductError
        If the disk is full or not writable.
    """
    from astropy.io import fits

    hdus = fits.HDUList([fits.PrimaryHDU(header=primary)])
    hdus.extend(_hdu(extension) for extension in extensions)
    hdus.update_extend()
    with explained_write(path):
        hdus.writeto(path, output_verify="exception")


@contextmanager
def scratch_directory(parent: Path) -> Iterator[Path]:
    """Private directory beside the products, removed however the work ends.

    SIGTERM and SIGHUP, which would end Python on the spot, are turned into SystemExit with the
    status a shell expects, so that nothing is left behind.

    Raises
    ------
    ProductError
        If `parent` cannot be written to.
    """
    with explained_write(parent):
        directory = Path(tempfile.mkdtemp(prefix=".soxs-", dir=parent))
    try:
        with _signals_raised():
            yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def publish(scratch: Path, destination: Path, names: Sequence[str]) -> None:
    """Move finished products from the scratch directory to their place.

    Raises
    ------
    ProductExistsError
        If a file of that name, made from other raw files, is in the way; nothing is moved then.
    ProductError
        If they cannot be moved; those already moved are taken back.
    """
    for name in names:
        refuse_other_origin(scratch / name, destination / name)
    moved: list[Path] = []
    try:
        for name in names:
            with explained_write(destination / name):
                (scratch / name).replace(destination / name)
            moved.append(destination / name)
    except BaseException:
        for path in moved:
            path.unlink(missing_ok=True)
        raise


def refuse_other_origin(new: Path, existing: Path) -> None:
    """Refuse to replace a product that was made from other raw files.

    Raises
    ------
    ProductExistsError
        If `existing` is there and does not name the raw files that `new` names.
    """
    if not existing.exists() or raw_names(existing) == raw_names(new):
        return
    raise ProductExistsError(
        "A file of the product's name, made from other raw files, is in the way",
        file=existing,
        expected=_few(raw_names(new)),
        found=_few(raw_names(existing)),
        remedy="move it away, choose another --output-dir, or set --product-suffix",
    )


def raw_names(path: Path) -> tuple[str, ...]:
    """Names of the raw files a product was made from; empty if it does not say."""
    from astropy.io import fits

    try:
        header = fits.getheader(path)
    except OSError:
        return ()
    return tuple(str(value) for value in header["ESO PRO REC* RAW* NAME"].values())


@contextmanager
def explained_write(path: Path) -> Iterator[None]:
    """Turn errors of the file system into one that says what to do.

    Raises
    ------
    ProductError
        In place of any OSError.
    """
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            summary, remedy = "There is no room to write", "free disk space or raise the quota"
        else:
            summary, remedy = "Cannot write", "choose another --output-dir or mend its permissions"
        raise ProductError(
            summary, file=path, found=error.strerror or str(error), remedy=remedy
        ) from error


def _hdu(extension: Extension) -> fits.ImageHDU | fits.BinTableHDU:
    from astropy.io import fits
    from astropy.table import Table

    if isinstance(extension.data, Table):
        hdu = fits.BinTableHDU(extension.data, name=extension.name)
    else:
        hdu = fits.ImageHDU(extension.data, name=extension.name)
    if extension.unit:
        hdu.header["BUNIT"] = extension.unit
    hdu.header.update(extension.cards)
    return hdu


def _few(names: Sequence[str]) -> str:
    listed = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"made from {listed}" if names else "not said in its header"


@contextmanager
def _signals_raised() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ending = (signal.SIGTERM, signal.SIGHUP)
    previous = {number: signal.getsignal(number) for number in ending}
    for number, handler in previous.items():
        if handler is signal.SIG_DFL:
            signal.signal(number, _exit)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _exit(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
