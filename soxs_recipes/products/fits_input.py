"""Opening FITS files as they come from the archive: plain, gzip, compress and Rice-tiled."""

from __future__ import annotations

import gzip
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning

from soxs_recipes.errors import UnreadableFrameError

GZIP_MAGIC = b"\x1f\x8b"
COMPRESS_MAGIC = b"\x1f\x9d"
READ_ERRORS = (OSError, EOFError, ValueError, TypeError, IndexError, KeyError)


@contextmanager
def open_fits(path: Path) -> Iterator[fits.HDUList]:
    """Open a FITS file for reading in parts.

    Compressed files are unpacked into a temporary file, so that memory stays bounded;
    an input is never written to.

    Parameters
    ----------
    path : Path
        Plain, gzip (``.gz``), compress (``.Z``) or tile-compressed FITS file.

    Yields
    ------
    astropy.io.fits.HDUList

    Raises
    ------
    UnreadableFrameError
        If the file is missing, truncated or no FITS file.
    """
    with ExitStack() as stack:
        with explained_read(path):
            file = stack.enter_context(_plain_file(path))
            # Without memory mapping, a section of a scaled image is read and nothing else is.
            hdus = stack.enter_context(fits.open(file, memmap=False))
            _check_complete(hdus, file, path)
        yield hdus


def read_header(path: Path) -> fits.Header:
    """Primary header of a file; with the cards of the image where it is tile-compressed.

    Raises
    ------
    UnreadableFrameError
        If the file cannot be read.
    """
    with open_fits(path) as hdus:
        return raw_image_hdu(hdus).header.copy()


def raw_image_hdu(hdus: fits.HDUList) -> fits.PrimaryHDU | fits.CompImageHDU:
    """The HDU that stands for a raw frame: the primary, or its tile-compressed form."""
    if len(hdus) > 1 and isinstance(hdus[1], fits.CompImageHDU):
        return hdus[1]
    return hdus[0]


@contextmanager
def _plain_file(path: Path) -> Iterator[IO[bytes]]:
    with path.open("rb") as file:
        magic = file.read(2)
    unpack = {GZIP_MAGIC: _unpack_gzip, COMPRESS_MAGIC: _unpack_compress}.get(magic)
    if unpack is None:
        with path.open("rb") as file:
            yield file
        return
    with tempfile.NamedTemporaryFile(prefix="soxs-", suffix=".fits") as unpacked:
        unpack(path, unpacked)
        unpacked.flush()
        with Path(unpacked.name).open("rb") as file:
            yield file


def _unpack_gzip(packed: Path, unpacked: IO[bytes]) -> None:
    with gzip.open(packed) as stream:
        shutil.copyfileobj(stream, unpacked, 1 << 20)


def _unpack_compress(packed: Path, unpacked: IO[bytes]) -> None:
    """Unpack LZW with the gzip command, which every POSIX system has and Python lacks."""
    with packed.open("rb") as stream:
        done = subprocess.run(
            ["gzip", "-dc"], stdin=stream, stdout=unpacked, stderr=subprocess.PIPE, check=False
        )
    if done.returncode:
        raise OSError(done.stderr.decode(errors="replace").strip() or "gzip -dc failed")


def _check_complete(hdus: fits.HDUList, file: IO[bytes], path: Path) -> None:
    """Refuse a file that ends before its last data unit does."""
    size = file.seek(0, 2)
    info = hdus[-1].fileinfo()
    needed = info["datLoc"] + info["datSpan"]
    if size < needed:
        raise UnreadableFrameError(
            "The file is truncated",
            file=path,
            expected=f"{needed} bytes as its header says",
            found=f"{size} bytes",
            remedy="copy or download the file again",
        )


@contextmanager
def explained_read(path: Path) -> Iterator[None]:
    """Turn what the libraries raise while reading a file into one error that names it.

    Raises
    ------
    UnreadableFrameError
        In place of what astropy, gzip and the file system raise.
    """
    try:
        with _quiet_astropy():
            yield
    except FileNotFoundError as error:
        raise UnreadableFrameError(
            "The file does not exist", file=path, remedy="check the path in the set of frames"
        ) from error
    except READ_ERRORS as error:
        raise UnreadableFrameError(
            "The file cannot be read as FITS",
            file=path,
            expected="a FITS file, plain or packed by gzip, compress or fpack",
            found=f"{type(error).__name__}: {error}",
            remedy="check the file with fitsverify, or copy it again",
        ) from error


@contextmanager
def _quiet_astropy() -> Iterator[None]:
    """Keep astropy's hints on damaged files off the terminal: the checks here report them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyWarning)
        yield
