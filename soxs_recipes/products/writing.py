"""Products on disk: built in a scratch directory, then moved into place together."""

from __future__ import annotations

import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from soxs_recipes.cpl_bridge.origin import replaces_another
from soxs_recipes.cpl_bridge.runner import disk
from soxs_recipes.cpl_bridge.runner.scratch import private_directory
from soxs_recipes.cpl_bridge.runner.signals import termination_raises
from soxs_recipes.errors import ProductError

if TYPE_CHECKING:
    from astropy.io import fits

# Bytes of a row that is long, and of a block of a FITS file.
_LONG_ROW_BYTES, _BLOCK_BYTES = 10_000, 2880
_AT_A_TIME = 2


@dataclass(frozen=True)
class Extension:
    """One extension of a product.

    Attributes
    ----------
    name : str
        EXTNAME.
    data : ndarray or astropy Table
        Pixels; or a table, which may be a structured array.
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
def written_aside() -> Iterator[Callable[[Path, fits.Header, Sequence[Extension]], None]]:
    """Yield `write_product` for products that are written while further ones are made.

    Two are written at a time; a third waits, so that memory does not fill with them. All are
    written at the end.

    Raises
    ------
    ProductError
        As of `write_product`, with the next product or at the end.
    """
    from concurrent.futures import Future, ThreadPoolExecutor

    pending: deque[Future[None]] = deque()
    with ThreadPoolExecutor(_AT_A_TIME) as pool:

        def write(path: Path, primary: fits.Header, extensions: Sequence[Extension]) -> None:
            while len(pending) >= _AT_A_TIME:
                pending.popleft().result()
            pending.append(pool.submit(write_product, path, primary, extensions))

        yield write
        for one in pending:
            one.result()


def write_header(path: Path, header: fits.Header) -> Path:
    """Write a file that holds a header and no data; return its path."""
    from astropy.io import fits

    with explained_write(path):
        path.parent.mkdir(exist_ok=True)
        fits.PrimaryHDU(header=header).writeto(path, overwrite=True, output_verify="silentfix")
    return path


@contextmanager
def scratch_directory(parent: Path) -> Iterator[Path]:
    """Private directory beside the products, removed however the work ends.

    SIGTERM and SIGHUP, which would end Python on the spot, are turned into exceptions, so that
    nothing is left behind.

    Raises
    ------
    ProductError
        If `parent` cannot be written to.
    """

    def make() -> Path:
        with explained_write(parent):
            return Path(tempfile.mkdtemp(prefix=".soxs-", dir=parent))

    with termination_raises(), private_directory(make) as directory:
        yield directory


def publish(scratch: Path, destination: Path, names: Sequence[str]) -> list[Path]:
    """Move finished products from the scratch directory to their place.

    Returns
    -------
    list of Path
        Products that were replaced although they were made from other raw files.

    Raises
    ------
    ProductError
        If they cannot be moved; those already moved are taken back.
    """
    moves = [(scratch / name, destination / name) for name in names]
    replaced = [target for source, target in moves if replaces_another(source, target)]
    moved: list[Path] = []
    try:
        for source, target in moves:
            with explained_write(target):
                source.replace(target)
            moved.append(target)
    except BaseException:
        for path in moved:
            path.unlink(missing_ok=True)
        raise
    return replaced


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
        cause = disk.cause(error, shutil.disk_usage(_existing(path)).free)
        raise ProductError(
            "There is no room to write" if cause else "Cannot write",
            file=path,
            found=cause or error.strerror or str(error),
            remedy="make room or choose another --output-dir"
            if cause
            else "choose another --output-dir or mend its permissions",
        ) from error


def _existing(path: Path) -> Path:
    """Closest folder that exists."""
    return next(folder for folder in (path, *path.parents, Path.cwd()) if folder.exists())


def _hdu(extension: Extension) -> fits.ImageHDU | fits.BinTableHDU:
    from astropy.io import fits

    data = extension.data
    # Asking for the class would import astropy.table, which takes longer than writing an image; so
    # would giving the rows of a table to its HDU at once.
    if hasattr(data, "colnames"):
        hdu = _in_order_of_fits(fits.BinTableHDU(data, name=extension.name))
    elif data.dtype.names:
        hdu = fits.BinTableHDU(name=extension.name)
        hdu.data = fits.FITS_rec.from_columns(fits.ColDefs(data))
    else:
        # Bytes of what may be changed are swapped in place for the time of writing, in which other
        # threads may read them.
        pixels = data.view()
        pixels.flags.writeable = False
        hdu = fits.ImageHDU(pixels, name=extension.name)
    if extension.unit:
        hdu.header["BUNIT"] = extension.unit
    hdu.header.update(extension.cards)
    return hdu


def _in_order_of_fits(hdu: fits.BinTableHDU) -> fits.BinTableHDU:
    """Table whose bytes are as in the file.

    Those of long rows, such as whole spectra, are otherwise swapped one value after the other.
    """
    import numpy as np
    from astropy.io import fits

    if hdu.data.dtype.itemsize < _LONG_ROW_BYTES:
        return hdu
    rows = np.asarray(hdu.data)
    content = hdu.header.tostring().encode() + rows.astype(rows.dtype.newbyteorder(">")).tobytes()
    return fits.BinTableHDU.fromstring(content + b"\0" * (-len(content) % _BLOCK_BYTES))
