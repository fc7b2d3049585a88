"""One-dimensional spectra in the form of ESO's science data products (ESO-044286, SPECTRUM).

One binary table of one row, each of whose cells holds a whole array; what the arrays are stands in
UCDs and in utypes of version 2.0 of the IVOA spectrum data model, which knows several fluxes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from soxs_recipes.algorithms.quality import UNUSABLE, has
from soxs_recipes.products.phase3_columns import COLUMNS, COUNT_RATE, ERG, SdpColumn
from soxs_recipes.products.phase3_observation import Observation

Card = tuple[bool | int | float | str, str]

CATEGORY, CATEGORY_2D = "SCIENCE.SPECTRUM", "ANCILLARY.2DSPECTRUM"


@dataclass(frozen=True)
class SdpSpectrum:
    """A spectrum and what has to be told of it.

    Attributes
    ----------
    wave_nm : ndarray, shape (n,)
        Centres of the bins, rising.
    width_nm : ndarray, shape (n,)
        Widths of the bins.
    columns : mapping of str to ndarray
        FLUX, ERR and QUAL, and any other of `COLUMNS`; those that are missing become NaN.
    is_calibrated : bool
        Whether the flux is erg s-1 cm-2 Angstrom-1 (else counts s-1 nm-1, of one electron each).
    is_air : bool
        Whether wavelengths are in air.
    is_telluric_corrected : bool
        Whether the columns of the telluric correction hold something.
    flux_error_percent : float
        Error of the flux scale; -2 where it is not known.
    resolution : float
        Resolving power at the centre of the spectrum.
    is_barycentric : bool
        Whether wavelengths are those at the barycentre.
    """

    wave_nm: NDArray[np.float64]
    width_nm: NDArray[np.float64]
    columns: Mapping[str, NDArray]
    is_calibrated: bool
    is_air: bool
    is_telluric_corrected: bool
    flux_error_percent: float
    resolution: float
    is_barycentric: bool = False

    @property
    def snr(self) -> float:
        """Median signal-to-noise ratio of the good bins; 0 if there are none."""
        flux, error = (np.asarray(self.columns[name], float) for name in ("FLUX", "ERR"))
        good = ~has(self.columns["QUAL"]) & np.isfinite(flux) & (error > 0)
        return float(np.median(flux[good] / error[good])) if good.any() else 0.0

    @property
    def range_nm(self) -> tuple[float, float]:
        """First and last wavelength of the array."""
        return float(self.wave_nm[0]), float(self.wave_nm[-1])

    @property
    def flux_unit(self) -> str:
        """Unit of the flux as the standard spells it."""
        return ERG if self.is_calibrated else COUNT_RATE


def trimmed(spectrum: SdpSpectrum) -> SdpSpectrum:
    """Leave out bins without data at either end.

    Raises
    ------
    ValueError
        If no bin has data.
    """
    known = np.flatnonzero(np.isfinite(spectrum.columns["FLUX"]))
    if not known.size:
        raise ValueError("the spectrum holds no data")
    part = slice(known[0], known[-1] + 1)
    columns = {name: values[part] for name, values in spectrum.columns.items()}
    values = {**vars(spectrum), "columns": columns}
    values.update(wave_nm=spectrum.wave_nm[part], width_nm=spectrum.width_nm[part])
    return SdpSpectrum(**values)


def spectrum_table(spectrum: SdpSpectrum) -> Table:
    """Content of the extension: one row of arrays; values that are infinite become NaN."""
    table = Table()
    for column in COLUMNS:
        table[column.name] = _cell(spectrum, column)[np.newaxis, :]
    return table


def _cell(spectrum: SdpSpectrum, column: SdpColumn) -> NDArray:
    if column.name == "WAVE":
        return spectrum.wave_nm.astype(column.dtype)
    values = spectrum.columns.get(column.name)
    if values is None and column.name == "SNR":
        flux, error = spectrum.columns["FLUX"], spectrum.columns["ERR"]
        values = np.divide(flux, error, out=np.full(len(flux), np.nan), where=error > 0)
    if values is None:
        return np.full(len(spectrum.wave_nm), np.nan, column.dtype)
    values = np.asarray(values)
    if column.dtype == "i4":
        return values.astype("i4")
    return np.where(np.isfinite(values), values, np.nan).astype(column.dtype)


def extension_cards(spectrum: SdpSpectrum, observation: Observation) -> dict[str, Card]:
    """Cards of the extension: what the arrays are, when and where they were taken."""
    low, high = spectrum.range_nm
    cards: dict[str, Card] = {
        "VOCLASS": ("SPECTRUM v2.0", "VO data model"),
        "VOPUB": ("ESO/SAF", "VO publishing authority"),
        "TITLE": (observation.title, ""),
        "OBJECT": (observation.target, "Target designation"),
        "RA": (observation.ra_deg, "[deg] Spectroscopic target position"),
        "DEC": (observation.dec_deg, "[deg] Spectroscopic target position"),
        "APERTURE": (observation.slit_arcsec / 3600, "[deg] Slit width"),
        "TELAPSE": (observation.elapsed_s, "[s] Total elapsed time"),
        "TMID": (observation.mjd_middle, "[d] MJD mid exposure"),
        "SPEC_VAL": ((low + high) / 2, "[nm] Mean wavelength"),
        "SPEC_BW": (high - low, "[nm] Bandpass width"),
        "NELEM": (len(spectrum.wave_nm), "Length of the data arrays"),
        "TDMIN1": (low, "Start in spectral coordinate"),
        "TDMAX1": (high, "Stop in spectral coordinate"),
    }
    words = _words(spectrum)
    for number, column in enumerate(COLUMNS, 1):
        unit = spectrum.flux_unit if column.unit == "flux" else column.unit
        cards[f"TUNIT{number}"] = (unit, "")
        cards[f"TUTYP{number}"] = (column.utype, "")
        cards[f"TUCD{number}"] = (column.ucd.format(**words), "")
        cards[f"TCOMM{number}"] = (column.help, "")
    return cards


def _words(spectrum: SdpSpectrum) -> dict[str, str]:
    """UCDs that depend on how the spectrum was made."""
    flux = "phot.flux.density;em.wl" + ("" if spectrum.is_calibrated else ";stat.uncalib")
    return {"flux": flux, "wave": "em.wl" + (";obs.atmos" if spectrum.is_air else "")}


def primary_cards(spectrum: SdpSpectrum, observation: Observation) -> dict[str, Card | None]:
    """Cards of the primary header; those that are None must not be there."""
    low, high = spectrum.range_nm
    error = spectrum.flux_error_percent if spectrum.is_calibrated else -1
    return {
        "PRODCATG": (CATEGORY, "Data product category"),
        **observation.cards(),
        "FLUXCAL": (
            "ABSOLUTE" if spectrum.is_calibrated else "UNCALIBRATED",
            "Quality of the flux calibration",
        ),
        "CONTNORM": (False, "T if normalised to the continuum"),
        "TOT_FLUX": (False, "T if all of the source's flux was captured"),
        "FLUXERR": (error, "[%] Flux scale error; -1 none, -2 unknown"),
        "EXT_OBJ": (False, "T if extended"),
        "WAVELMIN": (low, "[nm] Minimum wavelength"),
        "WAVELMAX": (high, "[nm] Maximum wavelength"),
        "SPEC_BIN": (float(np.median(np.diff(spectrum.wave_nm))), "[nm] Wavelength bin size"),
        "SPEC_RES": (spectrum.resolution, "Resolving power at the centre"),
        "SPECSYS": (
            "BARYCENT" if spectrum.is_barycentric else "TOPOCENT",
            "Frame of reference of wavelengths",
        ),
        "SNR": (spectrum.snr, "Median signal-to-noise ratio per bin"),
        "AIRORVAC": ("AIR" if spectrum.is_air else "VACUUM", "Medium of the wavelengths"),
        "TELLCORR": (spectrum.is_telluric_corrected, "T if FLUX_TELLURIC holds a correction"),
        "QUALBAD": (int(UNUSABLE), "Bits of QUAL that make a bin unfit for use"),
        "ARCFILE": None,
        "ORIGFILE": None,
    }


def companion_cards(observation: Observation) -> dict[str, Card | None]:
    """Primary header cards of a rectified two-dimensional spectrum that goes with a product."""
    return {
        "PRODCATG": (CATEGORY_2D, "Data product category"),
        **observation.cards(),
        "ARCFILE": None,
        "ORIGFILE": None,
    }
