"""Declarations of recipes that do not exist, modelled on the product table of the design."""

from __future__ import annotations

from soxs_recipes.recipes.declarations import (
    SAME_READOUT,
    Declaration,
    Input,
    Kind,
    Match,
    Parameter,
    Product,
    Setting,
)

SPECTROGRAPH = ("VIS", "NIR")
FULL = (*SPECTROGRAPH, "ACQ")
ROLES = {"SCI": "OBJECT", "FLUX": "STD_FLUX", "TELL": "STD_TELLURIC"}


def calib(stem, minimum=1, arms=(), match=()):
    return Input(f"{stem}_{{arm}}", "made before", Kind.CALIB, minimum, 1, arms, match)


def raw(stem, minimum=1, arms=(), match=SAME_READOUT):
    return Input(f"{stem}_{{arm}}", "raw", Kind.RAW, minimum, None, arms, match)


def static(tag):
    return Input(tag, "table", Kind.STATIC, 0, 1)


def recipe(name, arms, inputs, products, parameters=()):
    made = tuple(Product(f"{stem}_{{arm}}", "made here", ()) for stem in products)
    return Declaration(name, name, name, arms, tuple(inputs), made, tuple(parameters), (), ())


BIAS = calib("MASTER_BIAS", 0, ("VIS",), SAME_READOUT)
DARK = calib("MASTER_DARK", 0, match=SAME_READOUT)
FIRST = (BIAS, DARK)

MBIAS = recipe("soxs_mbias", ("VIS", "ACQ"), [raw("BIAS", 2)], ["MASTER_BIAS"])
MDARK = recipe(
    "soxs_mdark",
    FULL,
    [
        raw("DARK", 2, match=(*SAME_READOUT, Match(Setting.EXPTIME))),
        calib("MASTER_BIAS", 0, ("VIS", "ACQ"), SAME_READOUT),
    ],
    ["MASTER_DARK"],
    [Parameter("kappa", 5.0, "Clipping", "sigma", 1.5, 100.0), Parameter("plots", False, "Draw")],
)
DISP = recipe(
    "soxs_disp_solution",
    SPECTROGRAPH,
    [
        raw("PINHOLE_ARC"),
        raw("PINHOLE_ARC_OFF", 1, ("NIR",)),
        *FIRST,
        static("ARC_LINES_{arm}"),
        static("SPECTRAL_FORMAT_{arm}"),
    ],
    ["DISP_TAB"],
)
CENTRES = recipe(
    "soxs_order_centres",
    SPECTROGRAPH,
    [raw("PINHOLE_FLAT"), raw("PINHOLE_FLAT_OFF", 1, ("NIR",)), *FIRST, calib("DISP_TAB")],
    ["ORDER_TAB"],
)
MFLAT = recipe(
    "soxs_spec_mflat",
    SPECTROGRAPH,
    [
        raw("FLAT", 3, match=(*SAME_READOUT, Match(Setting.SLIT))),
        raw("FLAT_D2", 0, ("VIS",)),
        raw("FLAT_OFF", 1, ("NIR",)),
        *FIRST,
        calib("ORDER_TAB"),
    ],
    ["MASTER_FLAT", "BLAZE_TAB", "ORDER_TAB_EDGES"],
)
SPATIAL = recipe(
    "soxs_spatial_solution",
    SPECTROGRAPH,
    [raw("MULTI_PINHOLE_ARC"), *FIRST, calib("ORDER_TAB_EDGES"), calib("DISP_TAB")],
    ["DISP_TAB_2D", "DISP_IMAGE"],
)


def observation(name, mode):
    inputs = [raw(f"{stem}_{mode}", 0) for stem in ROLES.values()]
    if mode == "NOD":
        inputs += [raw("OBJECT_NOD_A", 0), raw("OBJECT_NOD_B", 0)]
    inputs += [
        *FIRST,
        calib("MASTER_FLAT", match=(Match(Setting.SLIT),)),
        calib("DISP_IMAGE"),
        calib("ORDER_TAB_EDGES"),
        static("SKY_LINES"),
    ]
    return recipe(name, SPECTROGRAPH, inputs, [f"{role}_SKY_SUB" for role in ROLES])


STARE = observation("soxs_stare", "STARE")
NOD = observation("soxs_nod", "NOD")
EXTRACT = recipe(
    "soxs_extract",
    SPECTROGRAPH,
    [*(calib(f"{role}_SKY_SUB", 0) for role in ROLES), calib("DISP_IMAGE"), calib("BLAZE_TAB")],
    [f"{role}_SPECTRUM_ORDERS" for role in ROLES],
)
RESPONSE = recipe(
    "soxs_response",
    SPECTROGRAPH,
    [calib("FLUX_SPECTRUM_ORDERS"), static("FLUX_STD_TAB")],
    ["RESP_TAB"],
)
TELLURIC = recipe(
    "soxs_telluric",
    SPECTROGRAPH,
    [calib("SCI_SPECTRUM_ORDERS"), calib("TELL_SPECTRUM_ORDERS", 0)],
    ["TELLURIC_TAB"],
)
MERGE = recipe(
    "soxs_merge",
    SPECTROGRAPH,
    [calib("SCI_SPECTRUM_ORDERS"), calib("RESP_TAB", 0), calib("TELLURIC_TAB", 0)],
    ["SCI_SLIT_FLUX"],
)

CHAIN = (MBIAS, MDARK, DISP, CENTRES, MFLAT, SPATIAL, STARE, EXTRACT)
WHOLE = (*CHAIN[:-1], NOD, EXTRACT, RESPONSE, TELLURIC, MERGE)
