"""Standard stars among the frames of a run: which one it is, and how it was seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from soxs_recipes.errors import HeaderError, InputError
from soxs_recipes.instrument.classification import SLIT_KEYWORDS
from soxs_recipes.recipes.statics import FLUX_STD_TAB, static_path

if TYPE_CHECKING:
    from soxs_recipes.algorithms.standard_stars import Identified, StandardStar
    from soxs_recipes.algorithms.telluric_order import Expectation
    from soxs_recipes.recipes.base import Run
    from soxs_recipes.recipes.frames import InputFrame

NAME_KEYWORDS = ("ESO OBS TARG NAME", "OBJECT")
WATER_KEYWORDS = ("ESO TEL AMBI IWV START", "ESO TEL AMBI IWV END")
RADIOMETER_SD = 0.3
"""How far, relatively, the water in a line of sight departs from a monitor at zenith."""
_LISTED = 3


class UnknownStandardError(InputError):
    """The star is none of the flux standards."""


def airmass_of(frame: InputFrame) -> float:
    """Airmass of a frame at its middle.

    Raises
    ------
    HeaderError
        If the header tells none, or one that is impossible.
    """
    from soxs_recipes.recipes.merge_inputs import AIRMASS_KEYWORDS, mean_of

    airmass = mean_of(frame, AIRMASS_KEYWORDS)
    if airmass is None or not 1.0 <= airmass < 40.0:
        raise HeaderError(
            "The airmass is not known",
            file=frame.path,
            expected=" or ".join(AIRMASS_KEYWORDS),
            found="none" if airmass is None else f"{airmass:g}",
            remedy="add or correct the cards",
        )
    return airmass


def slit_of(frame: InputFrame) -> str:
    """Name of the slit; empty where the header does not tell."""
    return str(frame.header.get(SLIT_KEYWORDS.get(frame.arm.name, ""), "") or "").strip()


def expected_water(frame: InputFrame) -> Expectation:
    """Logarithm of the precipitable water in mm, by the site's radiometer if the header has it."""
    from math import log

    from soxs_recipes.algorithms.telluric import USUAL_WATER_MM, USUAL_WATER_SD
    from soxs_recipes.algorithms.telluric_order import Expectation
    from soxs_recipes.recipes.merge_inputs import mean_of

    water_mm = mean_of(frame, WATER_KEYWORDS)
    if water_mm is None or not 0.05 < water_mm < 50.0:
        return Expectation(log(USUAL_WATER_MM), USUAL_WATER_SD)
    return Expectation(log(water_mm), RADIOMETER_SD)


def identified_standard(run: Run, frame: InputFrame, name: str = "") -> Identified:
    """Find the flux standard of a frame: by a given name, else by position, else by its names.

    Raises
    ------
    UnknownStandardError
        If it is none of the table; the nearest are named.
    """
    from soxs_recipes.algorithms.standard_stars import identify, nearest
    from soxs_recipes.products.standard_tables import read_standard_stars

    stars = read_standard_stars(static_path(run, FLUX_STD_TAB))
    place = (frame.header.get("RA"), frame.header.get("DEC"))
    position = None if None in place else (float(place[0]), float(place[1]))
    names = [str(frame.header.get(key, "") or "").strip() for key in NAME_KEYWORDS]
    found = identify(stars, None if name else position, [name] if name else names)
    if found is not None:
        called = found.star.is_called(names[0]) if names[0] else True
        if found.by_position and not called:
            run.warning(f"{frame.path.name}: the header calls it {names[0]}, not {found.star.name}")
        return found
    raise UnknownStandardError(
        "The star is no flux standard of the table",
        file=frame.path,
        expected=f"one of {', '.join(star.name for star in stars)}",
        found=_what_was_found(name or ", ".join(filter(None, names)), nearest(stars, position)),
        remedy="name it with --standard, or give a FLUX_STD_TAB that has it",
    )


def _what_was_found(name: str, near: list[tuple[StandardStar, float]]) -> str:
    text = name or "no name"
    if near:
        listed = [f"{star.name} {arcsec / 3600:.2f} deg" for star, arcsec in near[:_LISTED]]
        text += f"; the nearest are {', '.join(listed)} away"
    return text
