"""The truth beside the frames: a manifest, maps of the detectors, cosmic rays."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
from astropy.io import fits

from .detector_maps import DetectorMaps, detector_maps
from .frames import FrameRecord, Run
from .specs import DETECTORS

FOLDER = "truth"
MANIFEST = "manifest.json"
COSMICS = "cosmics.fits"


def write_truth(
    out: Path,
    run: Run,
    records: Iterable[FrameRecord],
    optics: Mapping[str, object] | None = None,
) -> Path:
    """Write or extend the truth of a directory of raw frames.

    Parameters
    ----------
    out : Path
        Directory of the raw frames; the truth goes to ``out/truth``.
    run : Run
        Seeds and switches, kept per frame.
    records : iterable of FrameRecord
        The frames made.
    optics : mapping, optional
        Truth of the optics (format, atmosphere, arc lines), under the manifest's key ``optics``.

    Returns
    -------
    Path
        The manifest.
    """
    records = list(records)
    folder = out / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for arm in sorted({str(record.truth["arm"]) for record in records}):
        kinds = {str(r.truth["kind"]) for r in records if r.truth["arm"] == arm}
        _write_maps(folder, detector_maps(arm, run.detector_seed, run.defect_fraction), kinds)
    _write_cosmics(folder / COSMICS, records)
    return _write_manifest(folder / MANIFEST, run, records, optics or {})


def _write_manifest(
    path: Path, run: Run, records: list[FrameRecord], optics: Mapping[str, object]
) -> Path:
    """Merge the new frames into the manifest and write it, keys sorted."""
    manifest = json.loads(path.read_text()) if path.exists() else {}
    manifest.setdefault("frames", {})
    if optics:
        manifest["optics"] = optics
    detectors = manifest.setdefault("detectors", {})
    for record in records:
        arm = str(record.truth["arm"])
        detectors[arm] = asdict(DETECTORS[arm])
        manifest["frames"][record.file] = {**record.truth, "run": asdict(run)}
    text = json.dumps(manifest, indent=1, sort_keys=True, default=_plain)
    path.write_text(text + "\n")
    return path


def _plain(value: object) -> object:
    """Turn numpy values into JSON."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"no JSON form of {type(value).__name__}")


def _write_maps(folder: Path, maps: DetectorMaps, kinds: set[str]) -> None:
    """Write the maps that matter to these kinds of frames."""
    arm = maps.arm
    cards = {"DETSEED": maps.detector_seed}
    if arm != "NIR":
        image = (maps.structure_e, "electron", None)
        _write_map(folder / f"structure_{arm}.fits", cards, *image)
    if kinds - {"bias"}:
        mask = ("HOT", maps.hot)
        _write_map(folder / f"dark_{arm}.fits", cards, maps.dark_e_per_s, "electron / s", mask)
    _write_defects(folder, maps, cards)
    if kinds - {"bias", "dark"}:
        mask = ("DEAD", maps.dead)
        _write_map(folder / f"response_{arm}.fits", cards, maps.response, "", mask)


def _write_defects(folder: Path, maps: DetectorMaps, cards: dict[str, int]) -> None:
    """Write factors on the read noise and losses of charge, if the chip has any."""
    if maps.noise_factor is None or maps.loss_per_e is None:
        return
    path = folder / f"defects_{maps.arm}.fits"
    hdus = [fits.PrimaryHDU(maps.noise_factor, fits.Header(cards))]
    hdus.append(fits.ImageHDU(maps.loss_per_e, name="LOSS"))
    fits.HDUList(hdus).writeto(path, overwrite=True)


def _write_map(
    path: Path,
    cards: dict[str, int],
    image: np.ndarray,
    unit: str,
    mask: tuple[str, np.ndarray] | None,
) -> None:
    """Write one map with its mask, unless the same chip's map is there."""
    if path.exists() and fits.getval(path, "DETSEED") == cards["DETSEED"]:
        return
    hdu = fits.PrimaryHDU(image, fits.Header(cards))
    if unit:
        hdu.header["BUNIT"] = unit
    hdus = fits.HDUList([hdu])
    if mask is not None:
        hdus.append(fits.ImageHDU(mask[1].astype(np.uint8), name=mask[0]))
    hdus.writeto(path, overwrite=True)


def _write_cosmics(path: Path, records: list[FrameRecord]) -> None:
    """Write the charge of the cosmic rays of every frame as one table."""
    names = [record.file for record in records for _ in record.cosmic_pixel]
    columns = [DETECTORS[str(record.truth["arm"])].columns for record in records]
    y, x = (
        np.concatenate([part(r.cosmic_pixel, n) for r, n in zip(records, columns, strict=True)])
        for part in (np.floor_divide, np.remainder)
    )
    charge = np.concatenate([record.cosmic_electrons for record in records])
    table = np.rec.fromarrays(
        [np.array(names, dtype="S40"), x.astype("i2"), y.astype("i2"), charge],
        names="FILE,X,Y,ELECTRONS",
    )
    if path.exists():
        table = np.concatenate([np.asarray(fits.getdata(path)).astype(table.dtype), table])
    fits.BinTableHDU(table, name="COSMICS").writeto(path, overwrite=True)
