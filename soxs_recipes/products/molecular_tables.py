"""The static table of the optical depths of molecules."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.io import fits

from soxs_recipes.algorithms.molecules import WATER, MolecularTable, Species, ln_tau
from soxs_recipes.errors import UnreadableFrameError
from soxs_recipes.products.fits_input import explained_read, open_fits

# Below this wavelength the measured extinction curve holds the collision-induced bands.
_CURVE_END_NM = 900.0


def read_molecular_table(path: Path) -> MolecularTable:
    """Read TELLURIC_MODEL.

    Raises
    ------
    UnreadableFrameError
        If the file is no such table.
    """
    with explained_read(path), open_fits(path) as hdus:
        species = {hdu.header["SPECIES"]: _species(hdu) for hdu in hdus if "SPECIES" in hdu.header}
        if WATER not in species or "CONTINUUM" not in [hdu.name for hdu in hdus]:
            raise UnreadableFrameError(
                "The file holds no optical depths of molecules",
                file=path,
                expected="images TAU_H2O, ... with SPECIES, and a table CONTINUUM",
                found=", ".join(hdu.name for hdu in hdus),
                remedy="leave it out: the one of the package is then taken",
            )
        head, smooth = hdus[0].header, hdus["CONTINUUM"].data
        wave = np.array(smooth["WAVE"], float)
        bands = np.where(wave > _CURVE_END_NM, smooth["O2CIA"], 0.0)
        return MolecularTable(float(head["LNW0"]), float(head["DLNW"]), species, wave, bands)


def _species(hdu: fits.CompImageHDU) -> Species:
    columns = [hdu.header[f"COL{node + 1}"] for node in range(hdu.header["NNODE"])]
    return Species(np.log(np.array(columns, float)), ln_tau(hdu.data))
