"""One way, or several, to break each Phase 3 rule in a file that keeps all of them.

A mutation gets the open file and its path; it may return another path, where it has put the broken
file. What it breaks by itself is all that the checker may find.
"""

import numpy as np
from astropy.io import fits


def card(keyword, value, hdu=0):
    """Set a card."""

    def change(hdus, path):
        hdus[hdu].header[keyword] = value

    return change


def cards(hdu=0, **values):
    """Set several cards; two underscores stand for a hyphen."""

    def change(hdus, path):
        for keyword, value in values.items():
            hdus[hdu].header[keyword.replace("__", "-")] = value

    return change


def without(*keywords, hdu=0):
    """Remove cards."""

    def change(hdus, path):
        for keyword in keywords:
            del hdus[hdu].header[keyword]

    return change


def renamed(name):
    """Store the file under another name."""

    def change(hdus, path):
        return path.with_name(name)

    return change


def column(name, change_values):
    """Change the values of a column."""

    def change(hdus, path):
        change_values(hdus[1].data[name][0])

    return change


def table_card(keyword, value):
    """Set a card of the table that astropy would else write by itself."""
    return stored(f"{keyword:<8}=", value, 1)


def stored(start, value, hdu):
    """Change a card in the bytes of the file, and the checksums with it."""

    def change(hdus, path):
        return ("bytes", start, value, hdu)

    return change


def _compress(hdus, path):
    image = fits.CompImageHDU(np.ones((40, 40), "f4"), name="PICTURE")
    hdus.append(image)


def _wrong_sum(hdus, path):
    return ("bytes", "TELESCOP=", "'ESO-NTX '", None)


def _no_data(hdus, path):
    while len(hdus) > 1:
        hdus.pop()


def _second_table(hdus, path):
    hdus.append(fits.BinTableHDU(hdus[1].data, name="AGAIN"))


def _same_name(hdus, path):
    hdus.append(fits.ImageHDU(np.ones((3, 3)), name="SPECTRUM"))


def _provenance_table(hdus, path):
    hdus.append(fits.ImageHDU(np.ones((3, 3)), name="PHASE3PROVENANCE"))


def _two_rows(hdus, path):
    data = hdus[1].data
    header = hdus[1].header.copy()
    hdus[1] = fits.BinTableHDU(np.concatenate([np.array(data), np.array(data)]), header)


def _short_column(hdus, path):
    old = hdus[1]
    wave = len(old.data["WAVE"][0])
    columns = [
        fits.Column(c.name, c.format if c.name != "SNR" else f"{wave - 1}E", c.unit)
        for c in old.columns
    ]
    new = fits.BinTableHDU.from_columns(columns, nrows=1)
    for c in old.columns:
        new.data[c.name][0] = old.data[c.name][0][: len(new.data[c.name][0])]
    structure = tuple(f"{stem}{n}" for stem in ("TFORM",) for n in range(1, 12))
    for entry in old.header.cards:
        if entry.keyword not in new.header and entry.keyword not in structure:
            new.header.append(entry)
    hdus[1] = new


def _fall(values):
    values[10], values[11] = values[11], values[10]


def _infinite(values):
    values[5] = np.inf


def _data_in_primary(hdus, path):
    hdus[0] = fits.PrimaryHDU(np.ones((3, 3)), hdus[0].header)


FUTURE = {"MJD__OBS": 90000.0, "MJD__END": 90000.00625}
SPECTRUM = {
    "name-length": [renamed("a" * 64 + ".fits")],
    "compressed-name": [renamed("spectrum.fits.fz")],
    "checksums": [_wrong_sum],
    "category": [card("PRODCATG", "ANCILLARY.NONSENSE")],
    "long-strings": [card("HIERARCH ESO TEXT", "long " * 30)],
    "mandatory-science": [without(key) for key in ("ORIGIN", "OBSTECH", "DATE", "REFERENC")]
    + [without(key) for key in ("MJD-OBS", "MJD-END", "PROCSOFT")],
    "mandatory-telescope": [without("TELESCOP"), without("INSTRUME")],
    "mandatory-programme": [without("PROG_ID")],
    "date": [card("DATE", "17/03/2026")],
    "other-files": [card("ASSOC1", "ANCILLARY.HOLIDAY")],
    "radesys-missing": [without("RADESYS")],
    "radesys": [card("RADESYS", "FK4")],
    "equinox": [without("EQUINOX"), card("EQUINOX", 1950.0)],
    "reference": [card("REFERENC", "Smith et al.")],
    "no-cdelt": [card("CDELT1", 0.1)],
    "several-telescopes": [card("TELESC1", "ESO-NTT"), card("TELESCOP", "MULTI")],
    "several-instruments": [card("INSTR1", "SOXS"), card("INSTRUME", "MULTI")],
    "several-programmes": [card("PROGID1", "105.A"), card("PROG_ID", "MULTI")],
    "duplicates": [card("PROV3", "SOXS.2026-03-16T00:44:04.759"), card("OBID2", 200000016)],
    "exptime-range": [card("EXPTIME", 0.0)],
    "exptime-within-total": [card("EXPTIME", 481.0)],
    "offset-angle": [card("TL_OFFAN", -1000.0)],
    "foreign-data": [card("ORIGIN", "KECK")],
    "footprint-range": [card("FPRA1", 400.0), card("FPDE1", -91.0)],
    "magnitude-range": [card("SKY_RES", -1.0), card("ABMAGLIM", 120.0)],
    "not-negative": [card("PIXNOISE", -1.0)],
    "no-zeroth": [card("PROV0", "SOXS.other"), card("OBID01", 5)],
    "reserved-in-extensions": [card("PRODCATG", "SCIENCE.SPECTRUM", 1)],
    "combined": [card("NCOMBINE", 0)],
    "provenance": [without("PROV1")],
    "strehl": [card("STREHL", 1.2)],
    "reserved": [card("ARCFILE", "SOXS.fits"), card("ORIGFILE", "a.fits"), card("P3ORIG", "x")],
    "same-target": [card("OBJECT", "other", 1)],
    "same-position": [card("RA", 150.2, 1)],
    "elapsed-span": [card("TELAPSE", 560.0, 1)],
    "middle": [card("TMID", 60715.04, 1)],
    "band-centre": [card("SPEC_VAL", 1000.0, 1)],
    "band-width": [card("SPEC_BW", 1000.0, 1)],
    "mandatory-primary": [
        without(key)
        for key in ("SPECSYS", "RA", "DEC", "SPEC_BIN", "FLUXERR", "EXPTIME", "TEXPTIME", "SNR")
    ]
    + [without(key) for key in ("SPEC_RES", "CONTNORM", "TOT_FLUX", "NCOMBINE", "OBID1")]
    + [without(key) for key in ("EXT_OBJ", "WAVELMIN", "WAVELMAX", "FLUXCAL")],
    "resolving-power": [card("SPEC_RES", 0.0)],
    "no-image-cards": [card("BUNIT", "adu"), card("CD1_1", 0.1)],
    "empty-primary": [_data_in_primary],
    "flux-calibration": [card("FLUXCAL", "NICE")],
    "flux-error": [card("FLUXERR", 120.0), cards(FLUXCAL="UNCALIBRATED", FLUXERR=3.0)],
    "total-flux": [cards(FLUXCAL="UNCALIBRATED", FLUXERR=-1.0, TOT_FLUX=True)],
    "mandatory-text": [without("VOCLASS", hdu=1), without("TITLE", hdu=1)],
    "mandatory-columns": [without("TUCD2", hdu=1), without("TUCD3", hdu=1)],
    "mandatory-numbers": [
        without(key, hdu=1)
        for key in ("APERTURE", "TELAPSE", "TMID", "SPEC_VAL", "SPEC_BW", "TDMIN1", "TDMAX1")
    ]
    + [card("APERTURE", "one arcsec", 1)],
    "no-unit-card": [card("BUNIT", "erg", 1)],
    "aperture": [card("APERTURE", 1.0, 1)],
    "utypes": [card("TUTYP2", "Data.FluxAxis", 1), card("TUTYP1", "", 1)],
    "spectral-axis": [card("TTYPE1", "LAMBDA", 1)],
    "wavelength-kind": [card("TUCD1", "em.freq", 1)],
    "flux-column": [card("TTYPE2", "SIGNAL", 1)],
    "error-column": [card("TTYPE3", "SIGMA", 1)],
    "background-name": [card("TTYPE6", "SKYBACK", 1)],
    "one-background": [card("TTYPE10", "BGFLUX", 1), card("TUNIT6", "ct", 1)],
    "array-lengths": [_short_column],
    "publisher": [card("VOPUB", "CDS", 1)],
    "same-unit": [card("TUNIT3", "ct", 1)],
    "rising": [column("WAVE", _fall)],
    "bin-width": [card("SPEC_BIN", 30.0)],
    "column-range": [card("TDMIN1", 300.0, 1), card("TDMAX1", 2200.0, 1)],
    "infinite": [column("SNR", _infinite)],
}
"""Mutations of a spectrum that break one rule and no other."""

TOGETHER = {
    "compressed-suffix": [_compress],
    "time-lowest": [cards(MJD__OBS=100.0, MJD__END=100.00625)],
    "time-highest": [cards(**FUTURE)],
    "time-order": [card("MJD-END", 60715.0)],
    "holds-data": [_no_data],
    "total-within-span": [card("TEXPTIME", 600.0)],
    "elapsed-exposure": [card("TEXPTIME", 600.0)],
    "position-range": [card("RA", 361.0)],
    "wavelength-order": [card("WAVELMIN", -5.0), card("WAVELMIN", 2001.0)],
    "extension-names": [_same_name, without("EXTNAME", hdu=1)],
    "provenance-table": [_provenance_table],
    "one-table": [_second_table],
    "one-row": [_two_rows],
    "plain-table": [table_card("PCOUNT", "                  16")],
    "wavelength-range": [card("WAVELMIN", 300.0), card("WAVELMAX", 2100.0)],
    "not-negative": [card("SPEC_RES", -3.0)],
}
"""Mutations of a spectrum that break a rule and, by their nature, others too."""

IMAGE = {
    "mandatory-image": [without("FILTER"), without("OBID1"), without("EXPTIME")],
    "image-cards": [without("PHOTZP", hdu=1), without("CD2_2", hdu=1), without("HDUVERS", hdu=1)],
    "error-kinds": [card("HDUCLAS3", "SIGMA", 2)],
    "mask-kinds": [card("HDUCLAS3", "BITS", 3)],
    "pointers": [card("SCIDATA", "OTHER", 2), card("QUALDATA", "OTHER", 1)],
    "psf": [card("PSF_FWHM", 0.0, 1)],
    "magnitudes": [card("ABMAGSAT", 25.0, 1)],
    "footprint": [card("DEC", -22.0)],
}
"""Mutations of an image that break one rule and no other."""

IMAGE_TOGETHER = {
    "data-there": [_data_in_primary, card("HDUCLAS2", "CONF", 1)],
    "coordinate-unit": [card("CUNIT1", "arcsec", 1)],
    "kinds": [card("HDUCLAS2", "SOMETHING", 2), without("HDUCLAS2", hdu=1)],
}
"""Mutations of an image that break a rule and, by their nature, others too."""
