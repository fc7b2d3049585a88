"""Reading spectra in ESO's single-row form, for everyday work and for specutils."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from astropy.io import fits
from astropy.table import QTable

if TYPE_CHECKING:
    from specutils import Spectrum

FORMAT = "ESO SDP"
CATEGORY = "SCIENCE.SPECTRUM"


def read_sdp(path: str | Path) -> QTable:
    """Read a spectrum as a table of one row per bin, with units.

    Parameters
    ----------
    path : path
        A spectrum in the form of ESO's science data products, of any instrument.

    Returns
    -------
    QTable
        Columns of the product; its ``meta`` holds the cards of both headers.

    Raises
    ------
    ValueError
        If the file has no table of one row.
    """
    with fits.open(path) as hdus:
        tables = [hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU)]
        if not tables or len(tables[0].data) != 1:
            raise ValueError(f"{path} holds no spectrum of one row")
        row = QTable.read(tables[0], mask_invalid=False)
        meta = {**dict(hdus[0].header), **dict(tables[0].header)}
    table = QTable({name: row[name][0] for name in row.colnames})
    table.meta = {key: value for key, value in meta.items() if key}
    return table


def to_specutils(path: str | Path, column: str = "FLUX") -> Spectrum:
    """Read a spectrum as specutils has it.

    Parameters
    ----------
    path : path
        As for `read_sdp`.
    column : str
        Flux to take: ``FLUX`` or ``FLUX_TELLURIC``.
    """
    import numpy as np
    from astropy import units
    from astropy.nddata import StdDevUncertainty
    from specutils import Spectrum

    table = read_sdp(path)
    flux, error = table[column], table[column.replace("FLUX", "ERR")]
    if not hasattr(flux, "unit"):
        flux, error = flux * units.dimensionless_unscaled, error * units.dimensionless_unscaled
    return Spectrum(
        flux=flux,
        spectral_axis=table["WAVE"],
        uncertainty=StdDevUncertainty(error),
        mask=~np.isfinite(flux.value),
        meta=dict(table.meta),
    )


def register() -> None:
    """Make ``Spectrum.read`` know spectra of ESO's archive; specutils must be installed.

    specutils looks for readers of others only in the folder ``~/.specutils``: a file there that
    calls this makes it permanent.
    """
    from specutils.io.registers import data_loader

    loader = data_loader(
        label=FORMAT, identifier=_is_sdp, extensions=["fits"], priority=20, force=True
    )

    @loader
    def read(file: Any, **options: Any) -> Spectrum:
        return to_specutils(file, **options)


def _is_sdp(origin: str, path: str | None, fileobj: Any, *args: Any, **options: Any) -> bool:
    """Tell a spectrum of the archive by its category and its single row."""
    del origin, args, options
    with fits.open(path or fileobj) as hdus:
        return (
            hdus[0].header.get("PRODCATG") == CATEGORY
            and len(hdus) > 1
            and hdus[1].header.get("NAXIS2") == 1
        )
