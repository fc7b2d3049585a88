"""What the recipes need to know of a spectrograph before they measure it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Degrees = tuple[tuple[int, int], ...]

SLIT_PX_PER_ARCSEC = 3.2
"""Image of the slit along dispersion, unbinned pixels: 3.05 in VIS, 3.35 in NIR."""
_WIDTH = re.compile(r"(\d+(?:\.\d+)?)\s*$")


def slit_width_of_name(name: str) -> float | None:
    """Width in arcsec that the name of a slit tells, as in SLIT1.0; None for any other name."""
    found = _WIDTH.search(name)
    return float(found.group(1)) if found else None


@dataclass(frozen=True)
class Spectrograph:
    """Mask, lamps and dispersion model of one arm.

    Attributes
    ----------
    pinholes_arcsec : tuple of float
        Slit positions of the multi-pinhole mask.
    slit_length_arcsec : float
        Length of the slit.
    pinhole_fwhm_px : float
        Width of the image of a pinhole, by which blends of lines are judged.
    lamps : mapping of str to str
        Arc lamps: header card that is there while a lamp burns, and its name in the line list.
    faintest : float
        log10 strength of the faintest lines of the list that are looked for.
    bright : float
        log10 strength from which lines serve to find the drift of the format.
    order_model : {'separate', 'echelle'}
        Whether every order has polynomials of its own, or all share a model in (m lambda, m).
    centre_degrees : tuple of (int, int)
        Degrees in wavelength and order to choose from by cross-validation, simplest first.
    slit_degrees : tuple of (int, int)
        Degrees of the terms linear, quadratic, ... in the slit position.
    """

    pinholes_arcsec: tuple[float, ...]
    slit_length_arcsec: float
    pinhole_fwhm_px: float
    lamps: Mapping[str, str]
    faintest: float
    bright: float
    order_model: Literal["separate", "echelle"]
    centre_degrees: Degrees
    slit_degrees: Degrees
