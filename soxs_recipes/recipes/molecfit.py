"""Hand-over to ESO's molecfit: its recipes are run by EsoRex on a spectrum of ours."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from soxs_recipes.errors import SoxsError

if TYPE_CHECKING:
    from soxs_recipes.algorithms.order_spectra import OrderSpectra
    from soxs_recipes.algorithms.telluric_curve import Telluric
    from soxs_recipes.products.molecfit_files import Region
    from soxs_recipes.recipes.frames import InputFrame

ESOREX = "esorex"
MODEL, CALCTRANS = "molecfit_model", "molecfit_calctrans"
_MODEL_PRODUCTS = ("ATM_PARAMETERS", "BEST_FIT_PARAMETERS", "MODEL_MOLECULES")
# Parameter of molecfit: the card where it looks by default, and the value at La Silla without it.
_SITE = {
    "RELATIVE_HUMIDITY": ("ESO TEL AMBI RHUM", 30.0),
    "PRESSURE": ("ESO TEL AMBI PRES START", 770.0),
    "TEMPERATURE": ("ESO TEL AMBI TEMP", 12.0),
    "MIRROR_TEMPERATURE": ("ESO TEL TH M1 TEMP", 12.0),
    "ELEVATION": ("ESO TEL GEOELEV", 2375.0),
    "LONGITUDE": ("ESO TEL GEOLON", -70.7317),
    "LATITUDE": ("ESO TEL GEOLAT", -29.2567),
    "PIX_SCALE": ("", 0.3),
}
_SECONDS_PER_DAY = 86400.0
_LONGEST_S = 1800
_TAIL_LINES = 5


class MolecfitError(SoxsError):
    """ESO's molecfit is not there or failed."""


def molecfit_transmission(frame: InputFrame, spectra: OrderSpectra) -> Telluric:
    """Transmission of a spectrum by molecfit_model and molecfit_calctrans.

    Raises
    ------
    MolecfitError
        If EsoRex or molecfit is not installed, or fails.
    """
    from soxs_recipes.products.molecfit_files import (
        read_molecfit_transmission,
        regions_inside,
        write_molecfit_spectrum,
    )

    esorex = _installed()
    with tempfile.TemporaryDirectory(prefix="soxs-molecfit-") as folder:
        here = Path(folder)
        science = here / "science.fits"
        orders = write_molecfit_spectrum(science, spectra, frame.header)
        regions = regions_inside(spectra, orders)
        if not regions:
            raise _no_region(frame)
        options = {**_model_options(regions), **_circumstances(frame.header)}
        _run(esorex, MODEL, here, {science: "SCIENCE"}, options)
        fitted = {here / f"{tag}.fits": tag for tag in _MODEL_PRODUCTS}
        options = _calctrans_options(len(orders))
        _run(esorex, CALCTRANS, here, {science: "SCIENCE", **fitted}, options)
        return read_molecfit_transmission(here / "TELLURIC_DATA.fits", spectra, orders)


def _model_options(regions: Sequence[Region]) -> dict[str, str]:
    """Parameters of molecfit_model; those of regions are lists, one value for each."""
    from soxs_recipes.products.molecfit_files import MOLECULES

    return {
        "LIST_MOLEC": ",".join(MOLECULES),
        "FIT_MOLEC": ",".join("1" for _ in MOLECULES),
        "REL_COL": "1.0,1.0,1.06,1.0",
        "WAVE_INCLUDE": ",".join(f"{one.low_um:.5f},{one.high_um:.5f}" for one in regions),
        "MAP_REGIONS_TO_CHIP": ",".join(str(one.chip) for one in regions),
        "FIT_CONTINUUM": ",".join("1" for _ in regions),
        "CONTINUUM_N": ",".join("2" for _ in regions),
        "FIT_WLC": ",".join("1" for _ in regions),
        "WLC_N": "1",
        "WLC_CONST": "0.0",
        "FIT_RES_BOX": "FALSE",
        "RES_BOX": "0.0",
        "FIT_RES_GAUSS": "TRUE",
        "RES_GAUSS": "3.0",
        "FIT_RES_LORENTZ": "FALSE",
        "RES_LORENTZ": "0.0",
        "COLUMN_LAMBDA": "lambda",
        "COLUMN_FLUX": "flux",
        "COLUMN_DFLUX": "dflux",
        "COLUMN_MASK": "mask",
        "WLG_TO_MICRON": "1.0",
        "WAVELENGTH_FRAME": "VAC",
        "CHIP_EXTENSIONS": "TRUE",
    }


def _calctrans_options(chips: int) -> dict[str, str]:
    """Parameters of molecfit_calctrans: all chips have the one atmosphere that was fitted."""
    mapping = ",".join("1" for _ in range(chips))
    return {
        "CHIP_EXTENSIONS": "TRUE",
        "MAPPING_ATMOSPHERIC": mapping,
        "MAPPING_CONVOLVE": mapping,
    }


def _circumstances(header: Mapping[str, object]) -> dict[str, str]:
    """Values for the cards that molecfit asks for and the header has not.

    Molecfit ends with an error where a card is missing whose keyword is not NONE.
    """
    from soxs_recipes.instrument import keywords as kw
    from soxs_recipes.products.phase3_observation import slit_width_arcsec

    seconds = float(header[kw.MJD_OBS]) % 1 * _SECONDS_PER_DAY
    slit = slit_width_arcsec(header)
    values = {
        **_SITE,
        "UTC": ("UTC", seconds),
        "SLIT_WIDTH": ("ESO INS SLIT1 WID", slit),
        "TELESCOPE_ANGLE": ("ESO TEL ALT", _altitude_deg(header)),
    }
    options = {}
    for name, (card, value) in values.items():
        if header.get(card) is None:
            options |= {f"{name}_KEYWORD": "NONE", f"{name}_VALUE": f"{value:g}"}
    return options


def _altitude_deg(header: Mapping[str, object]) -> float:
    """Altitude of the telescope by the airmass, plane-parallel."""
    from math import asin, degrees

    return degrees(asin(1 / max(float(header.get("ESO TEL AIRM START") or 1.0), 1.0)))


def _no_region(frame: InputFrame) -> MolecfitError:
    return MolecfitError(
        "There is nothing for molecfit to fit",
        file=frame.path,
        expected="an order that covers one of its windows",
        found="none",
        remedy="leave --method at auto",
    )


def _installed() -> str:
    """Path of an EsoRex that has the recipes of molecfit."""
    esorex = shutil.which(ESOREX)
    known = "" if esorex is None else _output([esorex, "--recipes"], Path.cwd()).stdout
    if esorex is None or MODEL not in known:
        raise MolecfitError(
            "Molecfit is not installed",
            expected=f"{ESOREX} with the recipes {MODEL} and {CALCTRANS}",
            found=f"no {ESOREX}" if esorex is None else f"{esorex} without them",
            remedy="install ESO's molecfit pipeline, or leave --method at auto",
        )
    return esorex


def _run(
    esorex: str,
    recipe: str,
    folder: Path,
    frames: Mapping[Path, str],
    options: Mapping[str, str],
) -> None:
    sof = folder / f"{recipe}.sof"
    sof.write_text("".join(f"{path} {tag}\n" for path, tag in frames.items()))
    arguments = [f"--{name}={value}" for name, value in options.items()]
    # Without it EsoRex calls products out_0000.fits and so on.
    own = [f"--output-dir={folder}", f"--log-dir={folder}", "--suppress-prefix=TRUE"]
    done = _output([esorex, *own, recipe, *arguments, str(sof)], folder)
    if done.returncode:
        lines = (done.stdout + done.stderr).strip().splitlines()
        raise MolecfitError(
            f"{recipe} failed",
            expected="exit status 0",
            found=f"{done.returncode}; it said: {' | '.join(lines[-_TAIL_LINES:])}",
            remedy="read its messages, or leave --method at auto",
        )


def _output(command: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=_LONGEST_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MolecfitError(
            f"{Path(command[0]).name} did not run to its end",
            expected=f"an end within {_LONGEST_S} s",
            found=f"{type(error).__name__}: {error}",
            remedy="check the installation of EsoRex, or leave --method at auto",
        ) from error
