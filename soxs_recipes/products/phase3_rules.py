"""Rules that ESO's archive checks on every Phase 3 file and on every science product.

Each rule is a function that yields what it finds wrong, in words; what is right yields nothing.
The sections are those of ESO's public list of the checks (2025-03-27) that its server runs on
uploaded files, the values behind them those of the science data products standard (ESO-044286).
Checks that concern other observatories, catalogues, cubes and visibilities are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from soxs_recipes.products.phase3_file import Phase3File

Finding = Iterator[str]
LONGEST_NAME = 68
SCIENCE = (
    "IMAGE MEFIMAGE SPECTRUM SRCTBL CUBE.IFS CUBE IMAGE.FLUXMAP VISIBILITY VISIBILITY.UNCALIBRATED"
)
ANCILLARY = (
    "PREVIEW WEIGHTMAP GAINMAP MASK SPECTRUM 2DSPECTRUM IMAGE MOSSPECTRA MOSSPECTRA.CALSIM "
    "MOSSPECTRA.SKY MOSSPECTRA.PREVIEW RMSMAP SNRMAP RESMAP SRCMASK FILTERED SPECTRUM.TELLURIC "
    "SPECTRUM.CONTINUUM MUSE.PIXTABLE_REDUCED KMOS.SCI_RECONSTRUCTED EXPMAP VARMAP PIXELCOUNTMAP "
    "IMAGE.WHITELIGHT CUBE.IFS.NO_TELLCORR KMOS.SPECTRUM.TELLURIC CUBE.IFS.SKY CCF DRIFT "
    "PIXELCOUNT3D MPDAF.FIELDMAP CUBE.IFS 4MOST.MEC IMAGE.COL_DENSITY"
)
CATEGORIES = frozenset(
    [f"SCIENCE.{kind}" for kind in SCIENCE.split()]
    + [f"ANCILLARY.{kind}" for kind in ANCILLARY.split()]
)


@dataclass(frozen=True)
class Rule:
    """One check.

    Attributes
    ----------
    name : str
        Short name, by which messages can be looked up.
    section : str
        Part of ESO's list of checks.
    check : callable
        Yields what is wrong with a file.
    """

    name: str
    section: str
    check: Callable[[Phase3File], Finding]


def missing(file: Phase3File, keywords: Iterable[str], hdu: int = 0) -> Finding:
    """Cards that an HDU lacks."""
    place = "the primary header" if hdu == 0 else f"the header of extension {hdu}"
    for keyword in keywords:
        if hdu >= len(file.headers) or keyword not in file.headers[hdu]:
            yield f"{keyword} is missing from {place}"


def name_length(file: Phase3File) -> Finding:
    """Names of files are limited."""
    if len(file.path.name) > LONGEST_NAME:
        yield f"the file name has {len(file.path.name)} characters, {LONGEST_NAME} are allowed"


def compressed_name(file: Phase3File) -> Finding:
    """Tile compression and the suffix .fz go together."""
    if file.path.suffix == ".fz" and not file.is_compressed:
        yield "the name ends in .fz, but nothing in the file is tile-compressed"


def compressed_suffix(file: Phase3File) -> Finding:
    """Tile compression and the suffix .fz go together."""
    if file.is_compressed and file.path.suffix != ".fz":
        yield "the file is tile-compressed, but its name does not end in .fz"


def checksums(file: Phase3File) -> Finding:
    """Every HDU carries checksums, which must be right."""
    for number, hdu in enumerate(file.hdus):
        absent = [name for name in ("CHECKSUM", "DATASUM") if name not in file.headers[number]]
        for name in absent:
            yield f"{name} is missing from HDU {number}"
        if not absent and not file.is_compressed and not _sums_agree(hdu):
            yield f"the checksums of HDU {number} do not agree with its content"


def _sums_agree(hdu: object) -> bool:
    return hdu.verify_datasum() == 1 and hdu.verify_checksum() == 1


def category(file: Phase3File) -> Finding:
    """The product category is one that the archive knows."""
    if file.category not in CATEGORIES:
        yield f"PRODCATG is '{file.category}', which is no category of the archive"


EVERY, ANY_SCIENCE = "all files", "SCIENCE.*"
FILE_RULES = (
    Rule("name-length", EVERY, name_length),
    Rule("compressed-name", EVERY, compressed_name),
    Rule("compressed-suffix", EVERY, compressed_suffix),
    Rule("checksums", EVERY, checksums),
    Rule("category", EVERY, category),
)
