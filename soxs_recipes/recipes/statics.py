"""Static calibrations: taken from the package unless a set of frames holds others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from soxs_recipes.errors import MissingInputError
from soxs_recipes.recipes.declarations import Input, Kind

if TYPE_CHECKING:
    from soxs_recipes.recipes.base import Run


def _static(tag: str, meaning: str, packaged: str = "", maximum: int | None = 1) -> Input:
    return Input(tag, meaning, Kind.STATIC, minimum=0, maximum=maximum, packaged=packaged)


SPECTRAL_FORMAT = _static(
    "SPECTRAL_FORMAT_{arm}", "where orders are expected", "spectral_format_{arm}.json"
)
ARC_LINES = _static("ARC_LINES_{arm}", "lines of the arc lamps", "arc_lines_{arm}.ecsv")
SKY_LINES = _static("SKY_LINES", "lines of the night sky", "sky_lines.ecsv")
FLUX_STD_TAB = _static("FLUX_STD_TAB", "spectra of flux standards", "flux_standards.fits")
EXTINCTION_TAB = _static("EXTINCTION_TAB", "extinction of the atmosphere", "extinction.ecsv")
TELLURIC_MODEL = _static(
    "TELLURIC_MODEL", "optical depths of molecules", "telluric_optical_depth.fits"
)
A0V_MODEL = _static("A0V_MODEL", "model of an A0V star", "a0v_vega.fits.gz")
FILTER_TAB = _static("FILTER_TAB", "throughput of the camera's filters", "filters.ecsv")
PHOT_CATALOG = _static(
    "PHOT_CATALOG", "stars with positions and magnitudes (RefCat2)", maximum=None
)
MASTER_RESP_TAB = _static("MASTER_RESP_TAB_{arm}", "response to compare with")


def static_path(run: Run, item: Input, arm: str = "") -> Path:
    """Return the file of a static input.

    Raises
    ------
    MissingInputError
        If none was given and the package has none.
    """
    paths = run.inputs.static(item, arm)
    if paths:
        return paths[0]
    tag = item.tag_of(arm or run.arm.name)
    raise MissingInputError(
        f"There is no {tag}",
        expected=item.help,
        found="none",
        remedy=f"add a {tag} to the set of frames",
    )
