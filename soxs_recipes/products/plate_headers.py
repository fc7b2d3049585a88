"""World coordinates of images in FITS headers: TAN with SIP distortion (Shupe et al. 2005)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.algorithms.astrometry_fit import Plate
from soxs_recipes.algorithms.tangent_plane import ARCSEC_PER_DEGREE

Array = NDArray[np.float64]
Card = tuple[int | float | str, str]

_ORDER = 3
_GRID = 24


def plate_cards(plate: Plate, shape: tuple[int, int]) -> dict[str, Card]:
    """Cards of the coordinates of an image.

    Parameters
    ----------
    plate : Plate
        Pixels to the sky.
    shape : tuple of int
        Rows and columns, in which the inverse distortion is to hold.
    """
    kind = "-SIP" if plate.is_distorted else ""
    cards: dict[str, Card] = {
        "WCSAXES": (2, "Number of coordinate axes"),
        "CTYPE1": (f"RA---TAN{kind}", "Gnomonic projection"),
        "CTYPE2": (f"DEC--TAN{kind}", "Gnomonic projection"),
        "CUNIT1": ("deg", "Unit of coordinates"),
        "CUNIT2": ("deg", "Unit of coordinates"),
        "CRVAL1": (plate.ra_deg, "[deg] Right ascension at the reference pixel"),
        "CRVAL2": (plate.dec_deg, "[deg] Declination at the reference pixel"),
        "CRPIX1": (plate.reference_px[0] + 1, "[pix] Reference pixel along x"),
        "CRPIX2": (plate.reference_px[1] + 1, "[pix] Reference pixel along y"),
        "RADESYS": ("ICRS", "Coordinate system"),
    }
    for row in (0, 1):
        for column in (0, 1):
            value = float(plate.matrix[row, column]) / ARCSEC_PER_DEGREE
            cards[f"CD{row + 1}_{column + 1}"] = (value, "[deg/pix] Linear transformation")
    if plate.is_distorted:
        cards |= _distortion(plate, shape)
    return cards


def _distortion(plate: Plate, shape: tuple[int, int]) -> dict[str, Card]:
    forward = {"A": plate.distortion_x, "B": plate.distortion_y}
    inverse = dict(zip(("AP", "BP"), _inverse(plate, shape), strict=True))
    cards: dict[str, Card] = {}
    for name, table in {**forward, **inverse}.items():
        cards[f"{name}_ORDER"] = (_ORDER, "SIP polynomial order")
        lowest = 2 if name in forward else 0
        for p in range(_ORDER + 1):
            for q in range(_ORDER + 1 - p):
                if p + q >= lowest:
                    cards[f"{name}_{p}_{q}"] = (float(table[p, q]), "SIP coefficient")
    return cards


def _inverse(plate: Plate, shape: tuple[int, int]) -> tuple[Array, Array]:
    """Coefficients that take straight coordinates back to pixels, fitted on a grid."""
    x, y = np.meshgrid(*(np.linspace(0, size - 1, _GRID) for size in (shape[1], shape[0])))
    u, v = x - plate.reference_px[0], y - plate.reference_px[1]
    goal = np.stack(plate.plane(x, y))
    straight = np.tensordot(np.linalg.inv(plate.matrix), goal, axes=1)
    size = max(shape) / 2
    s, t = straight[0].ravel() / size, straight[1].ravel() / size
    powers = [(p, q) for p in range(_ORDER + 1) for q in range(_ORDER + 1 - p)]
    basis = np.stack([s**p * t**q for p, q in powers], axis=1)
    tables = []
    for change in (u - straight[0], v - straight[1]):
        found = np.linalg.lstsq(basis, change.ravel(), rcond=None)[0]
        table = np.zeros((_ORDER + 1, _ORDER + 1))
        for (p, q), value in zip(powers, found, strict=True):
            table[p, q] = value / size ** (p + q)
        tables.append(table)
    return tables[0], tables[1]
