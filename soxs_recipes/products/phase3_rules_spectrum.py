"""Rules for one-dimensional spectra (SCIENCE.SPECTRUM)."""

from __future__ import annotations

import re

import numpy as np

from soxs_recipes.products.phase3_file import Phase3File, as_number
from soxs_recipes.products.phase3_rules import Finding, Rule, missing

CROSS, PRIMARY, TABLE, DATA = (
    f"SCIENCE.SPECTRUM, {part}"
    for part in ("cross-header checks", "primary HDU", "extension HDU header", "extension HDU data")
)
MANDATORY_PRIMARY = (
    *("SIMPLE", "EXTEND", "BITPIX", "NAXIS", "SPECSYS", "OBJECT", "FLUXCAL", "RA", "DEC"),
    *("WAVELMIN", "WAVELMAX", "SPEC_BIN", "FLUXERR", "EXPTIME", "TEXPTIME", "SNR", "SPEC_RES"),
    *("TOT_FLUX", "CONTNORM", "NCOMBINE", "OBID1", "EXT_OBJ"),
)
MANDATORY_TEXT = ("VOCLASS", "OBJECT", "EXTNAME", "TITLE")
MANDATORY_NUMBERS = (
    *("RA", "DEC", "APERTURE", "TELAPSE", "TMID", "SPEC_VAL", "SPEC_BW", "TFIELDS", "NELEM"),
    *("TDMIN1", "TDMAX1"),
)
MANDATORY_COLUMNS = tuple(
    f"{stem}{number}"
    for stem in ("TTYPE", "TUTYP", "TFORM", "TUNIT", "TUCD")
    for number in (1, 2, 3)
)
UTYPES = (
    "Data.SpectralAxis.Value",
    "Data.FluxAxis.Value",
    "Data.FluxAxis.Accuracy.StatError",
)
POSITION_TOLERANCE_DEG, ELAPSED_TOLERANCE_S, MIDDLE_TOLERANCE_D, BAND_TOLERANCE_NM = (
    *(1e-7, 0.1),
    *(1e-4, 1e-3),
)
WIDEST_APERTURE_DEG = 0.1
_SECONDS = 86400.0
_REPEAT = re.compile(r"(\d*)[A-Z]")
_NM = {"nm": 1.0, "angstrom": 0.1, "um": 1000.0}


def same_target(file: Phase3File) -> Finding:
    """Target and position stand alike in both headers."""
    if file.primary.get("OBJECT") != file.table.get("OBJECT"):
        yield f"OBJECT differs: '{file.primary.get('OBJECT')}' and '{file.table.get('OBJECT')}'"


def same_position(file: Phase3File) -> Finding:
    """Positions of both headers agree."""
    for key in ("RA", "DEC"):
        one, two = file.number(key), file.number(key, 1)
        if one is not None and two is not None and abs(one - two) > POSITION_TOLERANCE_DEG:
            yield f"{key} differs: {one} and {two}"


def elapsed_span(file: Phase3File) -> Finding:
    """The elapsed time is that from start to end."""
    elapsed, start, end = file.number("TELAPSE", 1), *_span(file)
    if None not in (elapsed, start, end):
        span = (end - start) * _SECONDS
        if abs(elapsed - span) > ELAPSED_TOLERANCE_S:
            yield f"TELAPSE {elapsed:.2f} s is not MJD-END - MJD-OBS, {span:.2f} s"


def elapsed_exposure(file: Phase3File) -> Finding:
    """The elapsed time holds all exposures."""
    elapsed, total = file.number("TELAPSE", 1), file.number("TEXPTIME")
    if elapsed is not None and total is not None and elapsed < total - ELAPSED_TOLERANCE_S:
        yield f"TELAPSE {elapsed:.2f} s is shorter than TEXPTIME {total:.2f} s"


def middle(file: Phase3File) -> Finding:
    """The middle is half-way between start and end."""
    value, start, end = file.number("TMID", 1), *_span(file)
    if None not in (value, start, end) and abs(value - (start + end) / 2) > MIDDLE_TOLERANCE_D:
        yield f"TMID {value:.6f} is not (MJD-OBS + MJD-END) / 2, {(start + end) / 2:.6f}"


def band_centre(file: Phase3File) -> Finding:
    """The centre of the band is that of its ends."""
    value, low, high = file.number("SPEC_VAL", 1), *_band(file)
    if None not in (value, low, high) and abs(value - (low + high) / 2) > BAND_TOLERANCE_NM:
        yield f"SPEC_VAL {value:g} nm is not (WAVELMIN + WAVELMAX) / 2, {(low + high) / 2:g} nm"


def band_width(file: Phase3File) -> Finding:
    """The width of the band is that between its ends."""
    value, low, high = file.number("SPEC_BW", 1), *_band(file)
    if None not in (value, low, high) and abs(value - (high - low)) > BAND_TOLERANCE_NM:
        yield f"SPEC_BW {value:g} nm is not WAVELMAX - WAVELMIN, {high - low:g} nm"


def _span(file: Phase3File) -> tuple[float | None, float | None]:
    return file.number("MJD-OBS"), file.number("MJD-END")


def _band(file: Phase3File) -> tuple[float | None, float | None]:
    return file.number("WAVELMIN"), file.number("WAVELMAX")


def mandatory_primary(file: Phase3File) -> Finding:
    """Cards of the primary header."""
    yield from missing(file, MANDATORY_PRIMARY)


def resolving_power(file: Phase3File) -> Finding:
    """The resolving power is above zero."""
    value = file.number("SPEC_RES")
    if "SPEC_RES" in file.primary and (value is None or value <= 0):
        yield f"SPEC_RES is {file.primary['SPEC_RES']}, not above zero"


def no_image_cards(file: Phase3File) -> Finding:
    """Cards of images have no place here."""
    for keyword in ("BUNIT", "CD1_1"):
        if keyword in file.primary:
            yield f"{keyword} in the primary header is not allowed"


def empty_primary(file: Phase3File) -> Finding:
    """The primary HDU holds no data."""
    if file.primary.get("NAXIS") != 0:
        yield f"NAXIS of the primary HDU is {file.primary.get('NAXIS')}, expected is 0"


def flux_error(file: Phase3File) -> Finding:
    """The error of the flux scale fits its calibration."""
    value, kind = file.number("FLUXERR"), file.primary.get("FLUXCAL")
    if value is None:
        return
    if kind == "ABSOLUTE" and value != -2 and not 0 <= value <= 100:
        yield f"FLUXERR is {value:g} with FLUXCAL ABSOLUTE, expected is 0 to 100, or -2"
    if kind == "UNCALIBRATED" and value != -1:
        yield f"FLUXERR is {value:g} with FLUXCAL UNCALIBRATED, expected is -1"


def total_flux(file: Phase3File) -> Finding:
    """Only an absolute flux can be the total one."""
    if file.primary.get("TOT_FLUX") is True and file.primary.get("FLUXCAL") != "ABSOLUTE":
        yield "TOT_FLUX is T, but FLUXCAL is not ABSOLUTE"


def mandatory_text(file: Phase3File) -> Finding:
    """Texts of the header of the table."""
    yield from missing(file, MANDATORY_TEXT, 1)


def mandatory_columns(file: Phase3File) -> Finding:
    """The first three columns are described."""
    yield from missing(file, MANDATORY_COLUMNS, 1)


def mandatory_numbers(file: Phase3File) -> Finding:
    """Numbers of the header of the table."""
    yield from missing(file, MANDATORY_NUMBERS, 1)
    for keyword in MANDATORY_NUMBERS:
        if keyword in file.table and as_number(file.table[keyword]) is None:
            yield f"{keyword} of the table is no number"


def no_unit_card(file: Phase3File) -> Finding:
    """Units stand with the columns."""
    if "BUNIT" in file.table:
        yield "BUNIT in the header of the table is not allowed"


def one_table(file: Phase3File) -> Finding:
    """One binary table, nothing else."""
    tables = [header for header in file.headers[1:] if header.get("XTENSION") == "BINTABLE"]
    if len(tables) != 1 or len(file.headers) != 2:
        yield f"{len(tables)} tables in {len(file.headers) - 1} extensions, expected is one table"
    elif file.table.get("NAXIS") != 2:
        yield f"NAXIS of the table is {file.table.get('NAXIS')}, expected is 2"


def one_row(file: Phase3File) -> Finding:
    """The table has one row."""
    if file.table.get("NAXIS2") != 1:
        yield f"the table has {file.table.get('NAXIS2')} rows, expected is one row of arrays"


def aperture(file: Phase3File) -> Finding:
    """The aperture is in degrees."""
    value = file.number("APERTURE", 1)
    if value is not None and not value < WIDEST_APERTURE_DEG:
        yield f"APERTURE is {value:g}, not below {WIDEST_APERTURE_DEG}: it is in degrees"


def utypes(file: Phase3File) -> Finding:
    """The first three columns are what the data model calls them."""
    for number, wanted in enumerate(UTYPES, 1):
        value = str(file.table.get(f"TUTYP{number}", ""))
        if value not in [f"{start}{wanted}" for start in ("Spectrum.", "spec:", "eso:")]:
            yield f"TUTYP{number} is '{value}', expected is spec:{wanted}"


def spectral_axis(file: Phase3File) -> Finding:
    """The first column is the spectral axis."""
    value = str(file.table.get("TTYPE1", "")).strip()
    if value not in ("WAVE", "FREQ", "ENER"):
        yield f"TTYPE1 is '{value}', expected is WAVE, FREQ or ENER"


def wavelength_kind(file: Phase3File) -> Finding:
    """Wavelengths say whether they are in air or in vacuum."""
    value = file.table.get("TUCD1")
    if file.table.get("TTYPE1") == "WAVE" and value not in ("em.wl", "em.wl;obs.atmos"):
        yield f"TUCD1 is '{value}', expected is em.wl (vacuum) or em.wl;obs.atmos (air)"


def flux_column(file: Phase3File) -> Finding:
    """The second column is a flux."""
    value = str(file.table.get("TTYPE2", ""))
    if not value.startswith("FLUX"):
        yield f"TTYPE2 is '{value}', expected is FLUX..."


def error_column(file: Phase3File) -> Finding:
    """The third column is its error."""
    value = str(file.table.get("TTYPE3", ""))
    if not value.startswith("ERR"):
        yield f"TTYPE3 is '{value}', expected is ERR..."


def background_name(file: Phase3File) -> Finding:
    """The sky has one name."""
    if "SKYBACK" in _types(file):
        yield "a column is called SKYBACK, expected is BGFLUX"


def one_background(file: Phase3File) -> Finding:
    """There is at most one sky, in the unit of the flux."""
    types = _types(file)
    if types.count("BGFLUX") > 1:
        yield f"{types.count('BGFLUX')} columns are called BGFLUX, one is allowed"
    if "BGFLUX" in types and file.table.get("CONTNORM") is not True:
        number = types.index("BGFLUX") + 1
        if file.table.get(f"TUNIT{number}") != file.table.get("TUNIT2"):
            yield f"TUNIT{number} of BGFLUX is not that of the flux"


def _types(file: Phase3File) -> list[str]:
    count = int(file.number("TFIELDS", 1) or 0)
    return [str(file.table.get(f"TTYPE{number}", "")).strip() for number in range(1, count + 1)]


def array_lengths(file: Phase3File) -> Finding:
    """All arrays have one length, that of NELEM."""
    wanted = file.number("NELEM", 1)
    for number in range(1, int(file.number("TFIELDS", 1) or 0) + 1):
        form = str(file.table.get(f"TFORM{number}", "")).strip()
        found = _REPEAT.fullmatch(form)
        if found is None or int(found.group(1) or 1) != wanted:
            yield f"TFORM{number} is '{form}', expected is an array of {wanted:g} elements"


def publisher(file: Phase3File) -> Finding:
    """The publisher is ESO's archive."""
    if file.table.get("VOPUB") != "ESO/SAF":
        yield f"VOPUB is '{file.table.get('VOPUB')}', expected is ESO/SAF"


def plain_table(file: Phase3File) -> Finding:
    """The table has no groups and no heap."""
    for keyword, wanted in (("GCOUNT", 1), ("PCOUNT", 0)):
        if file.table.get(keyword) != wanted:
            yield f"{keyword} is {file.table.get(keyword)}, expected is {wanted}"


def same_unit(file: Phase3File) -> Finding:
    """Flux and error have one unit."""
    if file.table.get("TUNIT2") != file.table.get("TUNIT3"):
        yield f"units differ: '{file.table.get('TUNIT2')}' and '{file.table.get('TUNIT3')}'"


def rising(file: Phase3File) -> Finding:
    """The spectral axis rises."""
    wave = file.column(1)
    if wave is not None and not (np.diff(wave) > 0).all():
        yield "the values of the first column do not rise throughout"


def infinite(file: Phase3File) -> Finding:
    """No value is infinite."""
    for number in range(1, int(file.number("TFIELDS", 1) or 0) + 1):
        values = file.column(number)
        if values is not None and values.dtype.kind == "f" and np.isinf(values).any():
            yield f"{_types(file)[number - 1]} holds infinite values: NaN stands for no value"


def _wave_nm(file: Phase3File) -> np.ndarray | None:
    """Wavelengths, or None where the first column has none to check."""
    scale = _NM.get(str(file.table.get("TUNIT1", "")).strip().lower())
    wave = file.column(1)
    if file.table.get("TTYPE1") != "WAVE" or scale is None or wave is None or len(wave) < 2:
        return None
    return wave * scale


def bin_width(file: Phase3File) -> Finding:
    """The stated bin is about the typical one."""
    wave, value = _wave_nm(file), file.number("SPEC_BIN")
    if wave is not None and value is not None:
        typical = float(np.median(np.diff(wave)))
        if not 0.5 * typical <= value <= 1.5 * typical:
            yield f"SPEC_BIN is {value:g} nm, but the median step is {typical:g} nm"


def wavelength_range(file: Phase3File) -> Finding:
    """The stated range is that of the array, to half a bin."""
    wave = _wave_nm(file)
    low, high = _band(file)
    if wave is not None and low is not None and high is not None:
        half = np.diff(wave).max() / 2
        if low < wave[0] - half:
            yield f"WAVELMIN {low:g} nm lies before the first value, {wave[0]:g} nm"
        if high > wave[-1] + half:
            yield f"WAVELMAX {high:g} nm lies beyond the last value, {wave[-1]:g} nm"


def column_range(file: Phase3File) -> Finding:
    """The stated ends of the axis are those of the array, to half a bin."""
    wave = file.column(1)
    if wave is None or len(wave) < 2:
        return
    half = np.abs(np.diff(wave)).max() / 2
    for keyword, value in (("TDMIN1", wave[0]), ("TDMAX1", wave[-1])):
        stated = file.number(keyword, 1)
        if stated is not None and abs(stated - value) > half:
            yield f"{keyword} is {stated:g}, but the array has {value:g} there"


SPECTRUM_RULES = (
    Rule("same-target", CROSS, same_target),
    Rule("same-position", CROSS, same_position),
    Rule("elapsed-exposure", CROSS, elapsed_exposure),
    Rule("elapsed-span", CROSS, elapsed_span),
    Rule("middle", CROSS, middle),
    Rule("band-centre", CROSS, band_centre),
    Rule("band-width", CROSS, band_width),
    Rule("mandatory-primary", PRIMARY, mandatory_primary),
    Rule("resolving-power", PRIMARY, resolving_power),
    Rule("no-image-cards", PRIMARY, no_image_cards),
    Rule("empty-primary", PRIMARY, empty_primary),
    Rule("flux-error", PRIMARY, flux_error),
    Rule("total-flux", PRIMARY, total_flux),
    Rule("mandatory-text", TABLE, mandatory_text),
    Rule("mandatory-columns", TABLE, mandatory_columns),
    Rule("mandatory-numbers", TABLE, mandatory_numbers),
    Rule("no-unit-card", TABLE, no_unit_card),
    Rule("one-table", TABLE, one_table),
    Rule("one-row", TABLE, one_row),
    Rule("aperture", TABLE, aperture),
    Rule("utypes", TABLE, utypes),
    Rule("spectral-axis", TABLE, spectral_axis),
    Rule("wavelength-kind", TABLE, wavelength_kind),
    Rule("flux-column", TABLE, flux_column),
    Rule("error-column", TABLE, error_column),
    Rule("background-name", TABLE, background_name),
    Rule("one-background", "ESO-044286, spectra", one_background),
    Rule("array-lengths", TABLE, array_lengths),
    Rule("publisher", TABLE, publisher),
    Rule("plain-table", TABLE, plain_table),
    Rule("same-unit", TABLE, same_unit),
    Rule("rising", DATA, rising),
    Rule("bin-width", DATA, bin_width),
    Rule("wavelength-range", DATA, wavelength_range),
    Rule("column-range", DATA, column_range),
    Rule("infinite", DATA, infinite),
)
