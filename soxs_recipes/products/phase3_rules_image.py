"""Rules for images (SCIENCE.IMAGE): in the primary HDU, or in extensions with ESO's HDU classes."""

from __future__ import annotations

import math

from astropy.io import fits

from soxs_recipes.products.phase3_file import Phase3File, as_number
from soxs_recipes.products.phase3_rules import Finding, Rule, missing

IMAGE = "SCIENCE.IMAGE"
MANDATORY = (
    *("FILTER", "OBJECT", "FLUXCAL", "RA", "DEC", "EXPTIME", "TEXPTIME", "NCOMBINE", "OBID1"),
)
WCS = tuple(
    keyword
    for axis in (1, 2)
    for keyword in (
        *(f"CTYPE{axis}", f"CRVAL{axis}", f"CRPIX{axis}"),
        *(f"CD{axis}_1", f"CD{axis}_2", f"CUNIT{axis}"),
    )
)
PHOTOMETRY = ("BUNIT", "PHOTZP", "PHOTSYS", "ABMAGLIM", "ABMAGSAT", "PSF_FWHM")
CLASSES = ("HDUCLASS", "HDUDOC", "HDUVERS", "HDUCLAS1", "HDUCLAS2")
KINDS = ("DATA", "ERROR", "QUALITY", "CONF", "BKG_DATA", "BKG_ERROR", "BKG_CONF")
ERRORS = ("MSE", "RMSE", "INVMSE", "INVRMSE")
MASKS = ("MASKZERO", "MASKONE", "FLAG32BIT", "FLAG16BIT")


def _by_kind(file: Phase3File, kind: str) -> list[fits.Header]:
    return [header for header in file.headers[1:] if header.get("HDUCLAS2") == kind]


def _data(file: Phase3File) -> tuple[int, fits.Header]:
    """The HDU with the science data, and its number."""
    for number, header in enumerate(file.headers):
        if number and header.get("HDUCLAS2") == "DATA":
            return number, header
    return 0, file.primary


def mandatory_image(file: Phase3File) -> Finding:
    """Cards of the primary header."""
    yield from missing(file, MANDATORY)


def image_cards(file: Phase3File) -> Finding:
    """Photometry and coordinates of the data."""
    number, _ = _data(file)
    yield from missing(file, (*PHOTOMETRY, *WCS), number)
    if number:
        yield from missing(file, CLASSES, number)


def data_there(file: Phase3File) -> Finding:
    """Data stand in the primary HDU or in one extension that says so."""
    if len(file.headers) == 1:
        if file.primary.get("NAXIS") != 2:
            yield f"NAXIS is {file.primary.get('NAXIS')}, expected is an image"
        return
    if file.primary.get("NAXIS") != 0:
        yield f"NAXIS of the primary HDU is {file.primary.get('NAXIS')}, expected is 0"
    if not _by_kind(file, "DATA"):
        yield "no extension has HDUCLAS2 DATA"


def kinds(file: Phase3File) -> Finding:
    """Extensions say what they are."""
    for header in file.headers[1:]:
        if header.get("HDUCLAS2") not in KINDS:
            yield f"HDUCLAS2 of {header.get('EXTNAME')} is '{header.get('HDUCLAS2')}'"


def error_kinds(file: Phase3File) -> Finding:
    """Errors say how they are given."""
    for header in _by_kind(file, "ERROR"):
        if header.get("HDUCLAS3") not in ERRORS:
            yield f"HDUCLAS3 of {header.get('EXTNAME')} is '{header.get('HDUCLAS3')}'"


def mask_kinds(file: Phase3File) -> Finding:
    """Masks say how they are given."""
    for header in _by_kind(file, "QUALITY"):
        if header.get("HDUCLAS3") not in MASKS:
            yield f"HDUCLAS3 of {header.get('EXTNAME')} is '{header.get('HDUCLAS3')}'"


def pointers(file: Phase3File) -> Finding:
    """Data, errors and masks point at one another by name."""
    _, data = _data(file)
    for kind, pointer in (("ERROR", "ERRDATA"), ("QUALITY", "QUALDATA")):
        for header in _by_kind(file, kind):
            name = header.get("EXTNAME")
            if header.get("SCIDATA") != data.get("EXTNAME"):
                yield f"SCIDATA of {name} is '{header.get('SCIDATA')}', not the name of the data"
            if data.get(pointer) != name:
                yield f"{pointer} of the data is '{data.get(pointer)}', not {name}"


def coordinate_unit(file: Phase3File) -> Finding:
    """Coordinates are in degrees."""
    _, data = _data(file)
    for keyword in ("CUNIT1", "CUNIT2"):
        if keyword in data and str(data[keyword]).strip() != "deg":
            yield f"{keyword} is '{data[keyword]}', expected is deg"


def psf(file: Phase3File) -> Finding:
    """The image quality is above zero."""
    _, data = _data(file)
    value = as_number(data.get("PSF_FWHM"))
    if "PSF_FWHM" in data and (value is None or value <= 0):
        yield f"PSF_FWHM is {data['PSF_FWHM']}, not above zero"


def magnitudes(file: Phase3File) -> Finding:
    """The limiting magnitude is fainter than that of saturation."""
    _, data = _data(file)
    faint, bright = as_number(data.get("ABMAGLIM")), as_number(data.get("ABMAGSAT"))
    if faint is not None and bright is not None and faint <= bright:
        yield f"ABMAGLIM {faint:g} is not fainter than ABMAGSAT {bright:g}"


def footprint(file: Phase3File) -> Finding:
    """The position lies in the image."""
    _, data = _data(file)
    ra, dec = file.number("RA"), file.number("DEC")
    if None in (ra, dec) or any(keyword not in data for keyword in WCS):
        return
    from astropy import wcs

    x, y = wcs.WCS(data, naxis=2).wcs_world2pix(ra, dec, 1)
    inside = all(
        math.isfinite(value) and 0.5 <= value <= data.get(f"NAXIS{axis}", 0) + 0.5
        for axis, value in ((1, float(x)), (2, float(y)))
    )
    if not inside:
        yield f"RA, DEC lie at pixel {x:.0f}, {y:.0f}, outside the image"


IMAGE_RULES = (
    Rule("mandatory-image", IMAGE, mandatory_image),
    Rule("image-cards", IMAGE, image_cards),
    Rule("data-there", IMAGE, data_there),
    Rule("kinds", IMAGE, kinds),
    Rule("error-kinds", IMAGE, error_kinds),
    Rule("mask-kinds", IMAGE, mask_kinds),
    Rule("pointers", IMAGE, pointers),
    Rule("coordinate-unit", IMAGE, coordinate_unit),
    Rule("psf", IMAGE, psf),
    Rule("magnitudes", IMAGE, magnitudes),
    Rule("footprint", IMAGE, footprint),
)
