"""Columns of a spectrum in the form of ESO's science data products (ESO-044286, SPECTRUM)."""

from __future__ import annotations

from dataclasses import dataclass

EXTENSION = "SPECTRUM"
ERG = "erg.s**(-1).cm**(-2).angstrom**(-1)"
COUNT_RATE = "ct.s**(-1).nm**(-1)"


@dataclass(frozen=True)
class SdpColumn:
    """A column: its type, what it means, and how the data model calls that.

    `unit` is ``flux`` for the unit of the flux; `ucd` has ``{flux}`` for the UCD of the flux.
    """

    name: str
    dtype: str
    unit: str
    help: str
    ucd: str
    utype: str = ""


COLUMNS = (
    SdpColumn(
        "WAVE",
        "f8",
        "nm",
        "wavelength, centre of the bin",
        "{wave}",
        "spec:Data.SpectralAxis.Value",
    ),
    SdpColumn(
        "FLUX",
        "f4",
        "flux",
        "flux without sky, not corrected for telluric lines",
        "{flux};src.net;meta.main",
        "spec:Data.FluxAxis.Value",
    ),
    SdpColumn(
        "ERR",
        "f4",
        "flux",
        "random error of FLUX",
        "stat.error;{flux};meta.main",
        "spec:Data.FluxAxis.Accuracy.StatError",
    ),
    SdpColumn(
        "QUAL",
        "i4",
        "",
        "quality bit mask, 0 is good",
        "meta.code.qual",
        "spec:Data.FluxAxis.Accuracy.QualityStatus",
    ),
    SdpColumn("SNR", "f4", "", "FLUX over ERR", "stat.snr"),
    SdpColumn(
        "BGFLUX",
        "f4",
        "flux",
        "sky that was subtracted",
        "{flux}",
        "eso:Data.BackgroundModel.Value",
    ),
    SdpColumn(
        "FLUX_TELLURIC",
        "f4",
        "flux",
        "flux corrected for telluric lines",
        "{flux};src.net",
        "eso:Data.FluxAxis.Value",
    ),
    SdpColumn(
        "ERR_TELLURIC",
        "f4",
        "flux",
        "error of FLUX_TELLURIC, that of the transmission included",
        "stat.error;{flux}",
        "eso:Data.FluxAxis.Accuracy.StatError",
    ),
    SdpColumn(
        "TRANSMISSION",
        "f4",
        "",
        "transmission of the telluric lines",
        "phys.transmission;obs.atmos",
    ),
    SdpColumn("COUNTS", "f4", "ct", "electrons in the bin, all orders", "phot.count;em.wl"),
    SdpColumn(
        "ERR_SYS",
        "f4",
        "flux",
        "error that neighbouring bins of FLUX have in common",
        "stat.error.sys;{flux}",
        "eso:Data.FluxAxis.Accuracy.SysError",
    ),
)
