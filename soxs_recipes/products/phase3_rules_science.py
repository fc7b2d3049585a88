"""Rules for science products: what their headers must hold, and what they must not."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from soxs_recipes.products.phase3_file import Phase3File, as_number
from soxs_recipes.products.phase3_rules import ANY_SCIENCE, Finding, Rule, missing

_OTHER = (
    "PREVIEW HARPSTAR FEROSTAR README TAR MOSSPECTRA.PREVIEW SRCTBL 2DECHELLE.TAR FORS2TAR "
    "CUBE.LMV CRIRESPTAR"
)
OTHER_FILES = frozenset(f"ANCILLARY.{kind}" for kind in _OTHER.split())
MANDATORY = ("ORIGIN", "OBSTECH", "DATE", "MJD-OBS", "MJD-END", "PROCSOFT", "REFERENC")
_DATE = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])(T.*)?")
_REFERENCE = re.compile(r"(|\d{4}[A-Za-z0-9.&]{15}|(doi:)?10\.\d{4,}/\S+)")
_OWN_OBSERVATORIES = ("ESO", "APEX", "ALMA")


def long_strings(file: Phase3File) -> Finding:
    """Strings that run over several cards are not allowed."""
    for number, header in enumerate(file.headers):
        for keyword in ("CONTINUE", "LONGSTRN"):
            if keyword in header or any(card.keyword == keyword for card in _images(header)):
                yield f"HDU {number} has {keyword} cards: no string may run over several cards"


def _images(header: object) -> Iterator[object]:
    """Cards of a header as they are stored, where a string runs on."""
    for card in header.cards:
        if len(card.image) > 80:
            yield type(card)("CONTINUE", "")


def mandatory_science(file: Phase3File) -> Finding:
    """Cards of every science product."""
    yield from missing(file, MANDATORY)


def mandatory_telescope(file: Phase3File) -> Finding:
    """Telescope and instrument."""
    yield from missing(file, ("TELESCOP", "INSTRUME"))


def mandatory_programme(file: Phase3File) -> Finding:
    """The programme."""
    yield from missing(file, ("PROG_ID",))


def date(file: Phase3File) -> Finding:
    """The date of the file starts with a calendar date."""
    value = file.primary.get("DATE")
    if value is not None and not _DATE.fullmatch(str(value)):
        yield f"DATE is '{value}', expected is yyyy-MM-dd"


def other_files(file: Phase3File) -> Finding:
    """Kinds of associated files that are no FITS files."""
    for keyword, value in file.primary.get("ASSOC*", {}).items():
        if str(value) not in OTHER_FILES:
            yield f"{keyword} is '{value}', which is no category of an associated file"


def radesys(file: Phase3File) -> Finding:
    """The system of coordinates."""
    value = file.primary.get("RADESYS", file.primary.get("RADECSYS"))
    if value is not None and str(value).strip() not in ("ICRS", "FK5"):
        yield f"RADESYS is '{value}', expected is ICRS or FK5"


def equinox(file: Phase3File) -> Finding:
    """FK5 needs its equinox, and only one is allowed."""
    system = str(file.primary.get("RADESYS", file.primary.get("RADECSYS", ""))).strip()
    value = file.primary.get("EQUINOX")
    if system == "FK5" and value is None:
        yield "EQUINOX is missing, which FK5 needs"
    if value is not None and as_number(value) != 2000.0:
        yield f"EQUINOX is {value}, expected is 2000.0"


def reference(file: Phase3File) -> Finding:
    """The publication: a bibcode of 19 characters, a DOI, or nothing."""
    value = file.primary.get("REFERENC")
    if value is not None and not _REFERENCE.fullmatch(str(value).strip()):
        yield f"REFERENC is '{value}', neither a bibcode of 19 characters nor a DOI nor empty"


def no_cdelt(file: Phase3File) -> Finding:
    """Scales stand in a CD matrix."""
    for number, header in enumerate(file.headers):
        for keyword in ("CDELT1", "CDELT2", "CDELT3"):
            if keyword in header:
                yield f"{keyword} in HDU {number} is not allowed: give a CD matrix"


def _multiple(file: Phase3File, keyword: str, stem: str) -> Finding:
    """A list of values goes with the value MULTI, and has at least two members."""
    is_multiple = str(file.primary.get(keyword, "")).strip() == "MULTI"
    if f"{stem}1" in file.primary and not is_multiple:
        yield f"{stem}1 is given, but {keyword} is not MULTI"
    if is_multiple:
        for number in (1, 2):
            if f"{stem}{number}" not in file.primary:
                yield f"{keyword} is MULTI, but {stem}{number} is missing"


def several_telescopes(file: Phase3File) -> Finding:
    """Several telescopes are listed."""
    yield from _multiple(file, "TELESCOP", "TELESC")


def several_instruments(file: Phase3File) -> Finding:
    """Several instruments are listed."""
    yield from _multiple(file, "INSTRUME", "INSTR")


def several_programmes(file: Phase3File) -> Finding:
    """Several programmes are listed."""
    yield from _multiple(file, "PROG_ID", "PROGID")


def duplicates(file: Phase3File) -> Finding:
    """No member of a numbered family is given twice."""
    for stem in ("PROGID", "OBID", "FILTER", "PROV"):
        family = re.compile(stem + r"\d+")
        values = [str(file.primary[key]) for key in file.primary if family.fullmatch(key)]
        for value, count in Counter(values).items():
            if count > 1:
                yield f"'{value}' stands {count} times among {stem}i"


def holds_data(file: Phase3File) -> Finding:
    """At least one HDU holds data."""
    if not any(header.get("NAXIS", 0) for header in file.headers):
        yield "no HDU holds data"


def foreign_data(file: Phase3File) -> Finding:
    """Data of other observatories say so."""
    origin = str(file.primary.get("ORIGIN", "ESO")).strip()
    if not origin.startswith(_OWN_OBSERVATORIES) and file.primary.get("NOESODAT") is not True:
        yield f"ORIGIN is '{origin}', so NOESODAT must be T"


def flux_calibration(file: Phase3File) -> Finding:
    """How the flux was calibrated."""
    value = file.primary.get("FLUXCAL")
    if value is not None and value not in ("ABSOLUTE", "UNCALIBRATED"):
        yield f"FLUXCAL is '{value}', expected is ABSOLUTE or UNCALIBRATED"


def no_zeroth(file: Phase3File) -> Finding:
    """Families are numbered from one."""
    for stem in ("PROV", "OBID"):
        for key in file.primary:
            if re.fullmatch(stem + r"0\d*", key):
                yield f"{key} is not allowed: families are numbered from 1, without leading zeros"


def extension_names(file: Phase3File) -> Finding:
    """Every extension has a name of its own."""
    names = [str(header.get("EXTNAME", "")).strip() for header in file.headers[1:]]
    for number, name in enumerate(names, 1):
        if not name:
            yield f"EXTNAME is missing from extension {number}"
    for name, count in Counter(filter(None, names)).items():
        if count > 1:
            yield f"EXTNAME '{name}' stands {count} times"


def reserved_in_extensions(file: Phase3File) -> Finding:
    """Some cards belong into the primary header only."""
    for number, header in enumerate(file.headers[1:], 1):
        for key in ("ORIGFILE", "PRODCATG"):
            if key in header:
                yield f"{key} in extension {number} belongs into the primary header only"


def provenance_table(file: Phase3File) -> Finding:
    """A table of provenance is announced."""
    names = [header.get("EXTNAME") for header in file.headers]
    if "PHASE3PROVENANCE" in names and file.primary.get("PROVXTN") is not True:
        yield "there is an extension PHASE3PROVENANCE, so PROVXTN must be T"


def provenance(file: Phase3File) -> Finding:
    """The origin of the data is given."""
    if "PROV1" not in file.primary and file.primary.get("PROVXTN") is not True:
        yield "PROV1 is missing: name the raw files that the product was made from"


def reserved(file: Phase3File) -> Finding:
    """Some cards are written by the archive itself."""
    for number, header in enumerate(file.headers):
        for key in ("ARCFILE", "ORIGFILE", "P3ORIG"):
            if key in header:
                yield f"{key} in HDU {number} is reserved for the archive"


def coordinate_system(file: Phase3File) -> Finding:
    """The system of coordinates is named."""
    if not {"RADESYS", "RADECSYS"} & set(file.primary):
        yield "RADESYS is missing from the primary header"


SCIENCE_RULES = (
    Rule("long-strings", ANY_SCIENCE, long_strings),
    Rule("mandatory-science", ANY_SCIENCE, mandatory_science),
    Rule("mandatory-telescope", ANY_SCIENCE, mandatory_telescope),
    Rule("mandatory-programme", ANY_SCIENCE, mandatory_programme),
    Rule("date", ANY_SCIENCE, date),
    Rule("other-files", ANY_SCIENCE, other_files),
    Rule("radesys-missing", ANY_SCIENCE, coordinate_system),
    Rule("radesys", ANY_SCIENCE, radesys),
    Rule("equinox", ANY_SCIENCE, equinox),
    Rule("reference", ANY_SCIENCE, reference),
    Rule("no-cdelt", ANY_SCIENCE, no_cdelt),
    Rule("several-telescopes", ANY_SCIENCE, several_telescopes),
    Rule("several-instruments", ANY_SCIENCE, several_instruments),
    Rule("several-programmes", ANY_SCIENCE, several_programmes),
    Rule("duplicates", ANY_SCIENCE, duplicates),
    Rule("holds-data", ANY_SCIENCE, holds_data),
    Rule("foreign-data", ANY_SCIENCE, foreign_data),
    Rule("flux-calibration", ANY_SCIENCE, flux_calibration),
    Rule("no-zeroth", ANY_SCIENCE, no_zeroth),
    Rule("extension-names", ANY_SCIENCE, extension_names),
    Rule("reserved-in-extensions", ANY_SCIENCE, reserved_in_extensions),
    Rule("provenance-table", ANY_SCIENCE, provenance_table),
    Rule("provenance", "batch validation", provenance),
    Rule("reserved", "ESO-044286, reserved keywords", reserved),
)
