"""What recipes that reduce exposures of the sky declare alike: inputs, products, settings, QC."""

from __future__ import annotations

from types import MappingProxyType

from soxs_recipes.recipes.common import OBJECT_DETECTION, PRODUCT_SUFFIX, TEMPERATURES
from soxs_recipes.recipes.common_inputs import (
    DETRENDING_PARAMETERS,
    MASTER_FLAT,
    detrending_inputs,
)
from soxs_recipes.recipes.declarations import (
    SAME_READOUT,
    Column,
    Hdu,
    Input,
    Kind,
    Match,
    Parameter,
    Qc,
    Setting,
    detector_hdus,
)
from soxs_recipes.recipes.roles import ROLES, role_products
from soxs_recipes.recipes.slit_frames import DISP_TAB_2D
from soxs_recipes.recipes.statics import SKY_LINES, TELLURIC_MODEL

ORDER_TAB_EDGES = Input(
    "ORDER_TAB_EDGES_{arm}",
    "edges of the orders: where the slit lights the detector",
    Kind.CALIB,
    maximum=1,
    match=(Match(Setting.BINNING),),
)
LINE_CHECK_TAB = Input(
    "LINE_CHECK_TAB_{arm}",
    "flexure that is expected where the sky has few lines",
    Kind.CALIB,
    minimum=0,
    maximum=1,
    match=(Match(Setting.BINNING),),
)
SKY_CALIBRATIONS = (
    DISP_TAB_2D,
    ORDER_TAB_EDGES,
    MASTER_FLAT,
    LINE_CHECK_TAB,
    *detrending_inputs(),
    SKY_LINES,
    TELLURIC_MODEL,
)

BEAMS_HDU = Hdu(
    "BEAMS",
    "table",
    "",
    "one row per image of the object in the frame",
    (
        Column("SIGN", "i2", "", "+1, or -1 where the object is negative"),
        Column("SLIT", "f8", "arcsec", "where the header has the target, NaN if it does not tell"),
        Column("EXPTIME", "f8", "s", "time in which its electrons came"),
        Column("ZERO_ERR", "f8", "electron", "noise of the master bias or dark, part of ERRS"),
        Column("FLAT_ERR", "f8", "", "relative noise of the master flat, part of ERRS"),
    ),
)
GEOMETRY_HDU = Hdu(
    "GEOMETRY",
    "table",
    "",
    "flexure, to be added to the dispersion solution; one row",
    (
        Column("DX", "f8", "pixel", "shift in x"),
        Column("DY", "f8", "pixel", "shift in y"),
        Column("DX_ERR", "f8", "pixel", "standard error of DX"),
        Column("DY_ERR", "f8", "pixel", "standard error of DY"),
        Column("LINES", "i4", "", "sky lines it rests on"),
        Column("BANDS", "i4", "", "telluric bands it rests on, along dispersion"),
    ),
)
SKY_SUB = role_products(
    "SKY_SUB_{arm}",
    "exposure without sky, in detector pixels",
    (
        *detector_hdus("electron", "object; photon noise of what the sky model expects"),
        BEAMS_HDU,
        GEOMETRY_HDU,
    ),
)
SKY_MODEL = role_products(
    "SKY_MODEL_{arm}",
    "sky that was subtracted",
    detector_hdus("electron", "sky of the pixels of the orders"),
)
SKY_PRODUCTS = tuple(product[role] for role in ROLES for product in (SKY_SUB, SKY_MODEL))

FLEXURE = Parameter(
    "flexure",
    True,
    "Whether the dispersion solution is shifted to where the sky lines are, in exposures with few "
    "of them the telluric bands of a bright object",
)
COSMIC_RAYS = Parameter("cosmic-rays", True, "Whether cosmic rays are flagged")
KNOT_DISTANCE = Parameter(
    "knot-distance", 0.7, "Distance of the knots of the sky in wavelength", "pixel", 0.3, 10.0
)
SLIT_MARGIN = Parameter(
    "slit-margin", 0.45, "Pixels nearer to the ends of the slit are left out", "arcsec", 0.0, 3.0
)
MOST_OBJECTS = Parameter(
    "most-objects",
    3,
    "Largest number of objects that are fitted with the sky",
    minimum=0,
    maximum=5,
)
SKY_PARAMETERS = (
    *DETRENDING_PARAMETERS,
    FLEXURE,
    COSMIC_RAYS,
    KNOT_DISTANCE,
    SLIT_MARGIN,
    OBJECT_DETECTION,
    MOST_OBJECTS,
    PRODUCT_SUFFIX,
)

SKY_QC = (
    Qc("SKY LEVEL", "e-/px", "median of the sky"),
    Qc("SKY RES LINES", "", "scatter over error, brightest sky"),
    Qc("SKY RES BETWEEN", "", "the same, rest of the sky"),
    Qc("SKY PIX FRAC", "", "share of pixels in the sky fit"),
    Qc("FLEXURE X", "px", "shift against the solution"),
    Qc("FLEXURE Y", "px", "shift against the solution"),
    Qc("FLEXURE X ERR", "px", "its standard error"),
    Qc("FLEXURE Y ERR", "px", "its standard error"),
    Qc("FLEXURE LINES", "", "sky lines it rests on", int),
    Qc("FLEXURE BANDS", "", "telluric bands it rests on", int),
    Qc("N OBJECTS", "", "objects found in the slit", int),
    Qc("OBJECT SLIT", "arcsec", "position of the brightest"),
    Qc("OBJECT FWHM", "arcsec", "its FWHM at 1000 nm"),
    Qc("CRH FRAC", "", "pixels struck by cosmic rays"),
    *TEMPERATURES,
)


def observations(mode: str, meaning: str) -> dict[str, Input]:
    """Raw frames of a mode (STARE, NOD, OFFSET) by role; one role has to be there."""
    match = (*SAME_READOUT, Match(Setting.SLIT))
    return {
        role: Input(f"{stem}{mode}_{{arm}}", meaning, minimum=0, match=match)
        for role, stem in MappingProxyType(ROLES).items()
    }
