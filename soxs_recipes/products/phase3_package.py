"""A folder of files ready for delivery to ESO's Phase 3."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from astropy.io import fits

from soxs_recipes.errors import ProductError
from soxs_recipes.products.fits_input import open_fits, read_header
from soxs_recipes.products.phase3_check import check_file
from soxs_recipes.products.phase3_observation import raw_files
from soxs_recipes.products.writing import explained_write

PREVIEWS = (".png", ".pdf", ".jpg")
_RESERVED = ("ARCFILE", "ORIGFILE", "P3ORIG")
_DROPPED = (*_RESERVED, "CHECKSUM", "DATASUM", "DATAMD5")


@dataclass(frozen=True)
class Delivery:
    """A science file of a delivery.

    Attributes
    ----------
    path : Path
        The file, in the folder of the delivery.
    companions : tuple of Path
        Files that are associated with it.
    """

    path: Path
    companions: tuple[Path, ...]


def package(files: Sequence[Path], folder: Path, prog_id: str = "") -> list[Delivery]:
    """Copy products into a folder in the form in which they are delivered.

    Science products lose the cards that are reserved for the archive, name the rectified spectra
    and pictures that go with them, and get their checksums. What belongs together is told by the
    raw files, and for pictures by the name.

    Parameters
    ----------
    files : sequence of Path
        Science products, rectified spectra and pictures.
    folder : Path
        Where to put them; must not hold files of these names.
    prog_id : str
        ESO programme, written where a product does not tell its own.

    Raises
    ------
    ProductError
        If nothing is to be delivered, a file is there already, or a product breaks a rule.
    """
    headers = {path: read_header(path) for path in files if path.suffix not in PREVIEWS}
    science = [path for path, header in headers.items() if _category(header).startswith("SCIENCE.")]
    if not science:
        raise ProductError(
            "There is nothing to deliver",
            expected="a product with PRODCATG SCIENCE...",
            found=", ".join(path.name for path in files) or "no file",
            remedy="give products of soxs_merge or soxs_astro_phot",
        )
    _refuse_existing(files, folder)
    with explained_write(folder):
        folder.mkdir(parents=True, exist_ok=True)
        deliveries = []
        for path in science:
            companions = [
                other
                for other in files
                if other not in science and _goes_with(other, path, headers, science)
            ]
            deliveries.append(_deliver(path, companions, folder, prog_id))
    _refuse_broken([one.path for one in deliveries])
    return deliveries


def _category(header: Mapping) -> str:
    return str(header.get("PRODCATG", ""))


def _goes_with(
    other: Path, path: Path, headers: Mapping[Path, fits.Header], science: Sequence[Path]
) -> bool:
    """Whether a rectified spectrum or a picture belongs to a science product."""
    if other not in headers:
        return path == _shown(other, science)
    kind, ours = _category(headers[other]), set(_origins(headers[path]))
    alike = "IMAGE" in kind or "SPECTRUM" in _category(headers[path])
    return kind.startswith("ANCILLARY.") and alike and bool(ours & set(_origins(headers[other])))


def _shown(picture: Path, science: Sequence[Path]) -> Path | None:
    """Science product that a picture shows: of one observation, the most complete spectrum."""
    when = picture.stem.rpartition("_")[2]
    same = [path for path in science if path.stem.rpartition("_")[2] == when]
    return max(same, key=lambda path: ("merged" in path.stem, "flux" in path.stem), default=None)


def _origins(header: fits.Header) -> tuple[str, ...]:
    listed = [str(value) for value in header.get("PROV*", {}).values()]
    return tuple(listed) or raw_files(header)


def _deliver(path: Path, companions: Iterable[Path], folder: Path, prog_id: str) -> Delivery:
    """Write a science product with the names of its companions, and those."""
    cards: dict[str, tuple[str, str]] = {}
    copies = []
    for number, other in enumerate(companions, 1):
        copy = folder / other.name
        if other.suffix in PREVIEWS:
            shutil.copyfile(other, copy)
            cards[f"ASSOC{number}"] = ("ANCILLARY.PREVIEW", "Category of the associated file")
            cards[f"ASSOM{number}"] = (_md5(copy), "MD5 of the associated file")
        else:
            _write(other, copy, {}, "")
        cards[f"ASSON{number}"] = (other.name, "")
        copies.append(copy)
    _write(path, folder / path.name, cards, prog_id)
    return Delivery(folder / path.name, tuple(copies))


def _write(source: Path, target: Path, cards: Mapping[str, tuple[str, str]], prog_id: str) -> None:
    """Copy a FITS file, change its primary header, and sum it up anew."""
    with open_fits(source) as hdus:
        for hdu in hdus:
            for keyword in _DROPPED:
                hdu.header.remove(keyword, ignore_missing=True, remove_all=True)
        primary = hdus[0].header
        if prog_id and not str(primary.get("PROG_ID", "")).strip():
            primary["PROG_ID"] = prog_id
        for keyword, card in cards.items():
            primary[keyword] = card
        hdus.writeto(target, checksum=True, overwrite=True)


def _md5(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _refuse_existing(files: Sequence[Path], folder: Path) -> None:
    there = [folder / path.name for path in files if (folder / path.name).exists()]
    if there:
        raise ProductError(
            "A file of that name has been packed already",
            file=there[0],
            remedy="choose another --output-dir, or remove the old delivery",
        )


def _refuse_broken(paths: Sequence[Path]) -> None:
    for path in paths:
        problems = check_file(path)
        if problems:
            raise ProductError(
                "A product breaks the rules of Phase 3",
                file=path,
                found="; ".join(str(problem) for problem in problems),
                remedy="mend the product; soxs phase3 check tells all that is wrong",
            )
