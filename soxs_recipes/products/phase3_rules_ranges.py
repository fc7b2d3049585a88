"""Rules for science products: times, positions and other values lie where they can lie."""

from __future__ import annotations

from datetime import UTC, datetime

from soxs_recipes.products.phase3_file import Phase3File, as_number
from soxs_recipes.products.phase3_rules import ANY_SCIENCE, Finding, Rule

FIRST_MJD = 40587.0
TIME_TOLERANCE_S = 0.01
_SECONDS = 86400.0


def time_order(file: Phase3File) -> Finding:
    """The end comes after the start."""
    start, end = file.number("MJD-OBS"), file.number("MJD-END")
    if start is not None and end is not None and end < start:
        yield f"MJD-END {end:.8f} lies before MJD-OBS {start:.8f}"


def time_lowest(file: Phase3File) -> Finding:
    """Nothing was observed before 1970."""
    start = file.number("MJD-OBS")
    if start is not None and start < FIRST_MJD:
        yield f"MJD-OBS is {start}, which is before {FIRST_MJD:.0f}"


def time_highest(file: Phase3File) -> Finding:
    """Nothing was observed in the future."""
    end = file.number("MJD-END")
    now = datetime.now(UTC).timestamp() / _SECONDS + FIRST_MJD
    if end is not None and end > now:
        yield f"MJD-END {end:.5f} lies in the future"


def exptime_range(file: Phase3File) -> Finding:
    """Exposure times make sense."""
    value = file.number("EXPTIME")
    if value is not None and not 1e-15 < value < 1e15:
        yield f"EXPTIME is {value:g} s"


def exptime_within_total(file: Phase3File) -> Finding:
    """No bin was exposed longer than all."""
    one, total = file.number("EXPTIME"), file.number("TEXPTIME")
    if one is not None and total is not None and one >= total + TIME_TOLERANCE_S:
        yield f"EXPTIME {one:g} s is longer than TEXPTIME {total:g} s"


def total_within_span(file: Phase3File) -> Finding:
    """The exposures fit between start and end."""
    total, start, end = (file.number(key) for key in ("TEXPTIME", "MJD-OBS", "MJD-END"))
    if None not in (total, start, end):
        span = (end - start) * _SECONDS
        if total > span + TIME_TOLERANCE_S:
            yield f"TEXPTIME {total:.2f} s is longer than MJD-END - MJD-OBS, {span:.2f} s"


def position_range(file: Phase3File) -> Finding:
    """Positions lie on the sky."""
    for key, low, high in (("RA", 0, 360), ("DEC", -90, 90)):
        value = file.number(key)
        if value is not None and not low <= value <= high:
            yield f"{key} is {value:g}, outside {low} to {high}"


def footprint_range(file: Phase3File) -> Finding:
    """Corners of a footprint lie on the sky."""
    for stem, low, high in (("FPRA", 0, 360), ("FPDE", -90, 90)):
        for key, value in file.primary.get(f"{stem}*", {}).items():
            number = as_number(value)
            if number is None or not low <= number <= high:
                yield f"{key} is {value}, outside {low} to {high}"


def magnitude_range(file: Phase3File) -> Finding:
    """Resolutions on the sky and limiting magnitudes make sense."""
    for hdu in range(len(file.headers)):
        for key in ("SKY_RES", "SKY_RERR", "ABMAGLIM"):
            value = file.number(key, hdu)
            if value is not None and not 0 <= value <= 99:
                yield f"{key} is {value:g}, outside 0 to 99"


def wavelength_order(file: Phase3File) -> Finding:
    """Wavelengths are positive and in order."""
    low, high = file.number("WAVELMIN"), file.number("WAVELMAX")
    if low is not None and low <= 0:
        yield f"WAVELMIN is {low:g}, not above zero"
    if low is not None and high is not None and low > high:
        yield f"WAVELMIN {low:g} is above WAVELMAX {high:g}"


def not_negative(file: Phase3File) -> Finding:
    """Resolving power and noise are not negative."""
    for key in ("SPEC_RES", "PIXNOISE"):
        value = file.number(key)
        if value is not None and value < 0:
            yield f"{key} is {value:g}, below zero"


def offset_angle(file: Phase3File) -> Finding:
    """Angle of the telluric offset."""
    value = file.number("TL_OFFAN")
    if value is not None and value < -999:
        yield f"TL_OFFAN is {value:g}, below -999"


def strehl(file: Phase3File) -> Finding:
    """Strehl ratios lie between 0 and 1."""
    value = file.number("STREHL")
    if value is not None and not 0 < value <= 1:
        yield f"STREHL is {value:g}, outside 0 to 1"


def combined(file: Phase3File) -> Finding:
    """At least one raw file was used."""
    value = file.number("NCOMBINE")
    if "NCOMBINE" in file.primary and (value is None or value <= 0):
        yield f"NCOMBINE is {file.primary['NCOMBINE']}, not above zero"


RANGE_RULES = (
    Rule("time-order", ANY_SCIENCE, time_order),
    Rule("time-lowest", ANY_SCIENCE, time_lowest),
    Rule("time-highest", ANY_SCIENCE, time_highest),
    Rule("exptime-range", ANY_SCIENCE, exptime_range),
    Rule("exptime-within-total", ANY_SCIENCE, exptime_within_total),
    Rule("total-within-span", ANY_SCIENCE, total_within_span),
    Rule("offset-angle", ANY_SCIENCE, offset_angle),
    Rule("position-range", ANY_SCIENCE, position_range),
    Rule("footprint-range", ANY_SCIENCE, footprint_range),
    Rule("magnitude-range", ANY_SCIENCE, magnitude_range),
    Rule("wavelength-order", ANY_SCIENCE, wavelength_order),
    Rule("not-negative", ANY_SCIENCE, not_negative),
    Rule("combined", ANY_SCIENCE, combined),
    Rule("strehl", ANY_SCIENCE, strehl),
)
