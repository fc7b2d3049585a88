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
    from soxs_recipes.recipes.frames import InputFrame

ESOREX = "esorex"
MODEL, CALCTRANS = "molecfit_model", "molecfit_calctrans"
_MODEL_PRODUCTS = ("ATM_PARAMETERS", "BEST_FIT_PARAMETERS", "MODEL_MOLECULES")
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
        MOLECULES,
        read_molecfit_transmission,
        windows_inside,
        write_molecfit_spectrum,
    )

    esorex = _installed()
    with tempfile.TemporaryDirectory(prefix="soxs-molecfit-") as folder:
        here = Path(folder)
        science = here / "science.fits"
        orders = write_molecfit_spectrum(science, spectra, frame.header)
        windows = ",".join(f"{low:.5f},{high:.5f}" for low, high in windows_inside(spectra))
        options = {
            "LIST_MOLEC": ",".join(MOLECULES),
            "FIT_MOLEC": ",".join("1" for _ in MOLECULES),
            "REL_COL": "1.0,1.0,1.06,1.0",
            "WAVE_INCLUDE": windows,
            "COLUMN_LAMBDA": "lambda",
            "COLUMN_FLUX": "flux",
            "COLUMN_DFLUX": "dflux",
            "COLUMN_MASK": "mask",
            "WLG_TO_MICRON": "1.0",
            "WAVELENGTH_FRAME": "VAC",
            "CHIP_EXTENSIONS": "TRUE",
        }
        _run(esorex, MODEL, here, {science: "SCIENCE"}, options)
        fitted = {here / f"{tag}.fits": tag for tag in _MODEL_PRODUCTS}
        _run(esorex, CALCTRANS, here, {science: "SCIENCE", **fitted}, {"CHIP_EXTENSIONS": "TRUE"})
        return read_molecfit_transmission(here / "TELLURIC_DATA.fits", spectra, orders)


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
    done = _output(
        [esorex, f"--output-dir={folder}", f"--log-dir={folder}", recipe, *arguments, str(sof)],
        folder,
    )
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
