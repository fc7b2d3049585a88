"""soxs_spec_mflat: pixel response, blaze, order edges and scattered light from slit flats."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from soxs_recipes.errors import InputError, MissingInputError
from soxs_recipes.recipes.base import Result, Run, SoxsRecipe, temperatures
from soxs_recipes.recipes.common import PRODUCT_SUFFIX, TEMPERATURES
from soxs_recipes.recipes.common_inputs import DETRENDING_PARAMETERS, detrending_inputs
from soxs_recipes.recipes.declarations import (
    AUTO,
    SAME_READOUT,
    Column,
    Declaration,
    Hdu,
    Input,
    Kind,
    Match,
    Parameter,
    Product,
    Qc,
    Setting,
    detector_hdus,
)
from soxs_recipes.recipes.order_inputs import EDGES_HDU

if TYPE_CHECKING:
    import numpy as np

    from soxs_recipes.algorithms.flat_field import FlatSettings
    from soxs_recipes.algorithms.order_table import OrderTable
    from soxs_recipes.recipes.lamp_flats import LampFlat

SAME_SET_UP = (*SAME_READOUT, Match(Setting.SLIT, "warning"))
FLAT = Input("FLAT_{arm}", "flats of the halogen lamp through a slit", minimum=0, match=SAME_SET_UP)
FLAT_DOME = Input(
    "FLAT_DOME_{arm}",
    "or flats of the dome, if they are to take the place of the halogen lamp's",
    minimum=0,
    match=SAME_SET_UP,
    alternative=True,
)
FLAT_D2 = Input(
    "FLAT_D2_VIS",
    "flats of the deuterium lamp, for the orders in which it is the brighter",
    minimum=0,
    arms=("VIS",),
    match=SAME_SET_UP,
)
FLAT_OFF = Input(
    "FLAT_OFF_NIR", "lamp-off twins, subtracted", minimum=0, arms=("NIR",), match=SAME_SET_UP
)
ORDER_TAB = Input(
    "ORDER_TAB_{arm}",
    "order centres",
    Kind.CALIB,
    maximum=1,
    match=(Match(Setting.BINNING),),
)

MASTER_FLAT = Product(
    "MASTER_FLAT_{arm}",
    "response of the pixels, mean 1 along each order; 1 where it was not measured",
    detector_hdus("", "relative response of the pixel"),
)
BLAZE_TAB = Product(
    "BLAZE_TAB_{arm}",
    "light of the lamp along the orders",
    (
        Hdu(
            "BLAZE",
            "table",
            "",
            "one row per order and pixel along dispersion",
            (
                Column("ORDER", "i2", "", "order number"),
                Column("PIXEL", "i2", "pixel", "pixel along dispersion, from 0"),
                Column("BLAZE", "f8", "", "signal at the slit centre over the arm's maximum"),
                Column("ERROR", "f8", "", "its standard error"),
                Column("QUAL", "i2", "", "quality bit mask, 0 is good"),
            ),
        ),
        Hdu(
            "LAMPS",
            "table",
            "",
            "how the lamps were joined, one row per order",
            (
                Column("ORDER", "i2", "", "order number"),
                Column("LAMP", "4A", "", "lamp whose blaze was taken"),
                Column("WEIGHT_QTH", "f8", "", "weight of the halogen lamp in the response"),
                Column("WEIGHT_D2", "f8", "", "weight of the deuterium lamp"),
                Column("LEVEL", "f8", "electron", "largest signal of a pixel at the slit centre"),
            ),
        ),
    ),
)
ORDER_TAB_EDGES = Product("ORDER_TAB_EDGES_{arm}", "order centres and edges", (EDGES_HDU,))
BACKGROUND = Product(
    "BACKGROUND_{arm}",
    "scattered light of the combined halogen flat",
    (
        Hdu("FLUX", "f4", "electron", "scattered light at the mean exposure level"),
        Hdu("ERRS", "f4", "electron", "its standard error, which neighbours share"),
    ),
)

DEGREES = tuple(str(degree) for degree in range(1, 9))
DISP_DEGREE = Parameter(
    "disp-degree",
    AUTO,
    "Degree along dispersion of the fitted model",
    choices=(AUTO, *DEGREES),
    by_arm=MappingProxyType({"VIS": "3", "NIR": "4"}),
)
ORDER_DEGREE = Parameter(
    "order-degree",
    AUTO,
    "Degree in the order number of the same; 'own' fits each order by itself",
    choices=(AUTO, "own", *DEGREES),
    by_arm=MappingProxyType({"VIS": "own", "NIR": "3"}),
)
EDGE_KAPPA = Parameter(
    "edge-kappa", 5.0, "Edges further off their model are rejected", "sigma", 2.0, 100.0
)
BLAZE_KNOTS = Parameter(
    "blaze-knots",
    32.0,
    "Length along dispersion over which the blaze is taken as smooth",
    "pixel",
    8.0,
    1000.0,
)
LEAST_SN = Parameter(
    "least-sn", 20.0, "Signal over noise from which the response of a pixel counts", "", 3.0, 1000.0
)
LOW_SENSITIVITY = Parameter(
    "low-sensitivity", 0.8, "Pixels with less response are flagged as bad", "", 0.0, 1.0
)
COLD = Parameter("cold", 0.5, "Pixels with less response are flagged as dead", "", 0.0, 1.0)

DECLARATION = Declaration(
    name="soxs_spec_mflat",
    synopsis="Make master flat, blaze and order edges of slit flats",
    description="""
Slit flats are detrended one by one (NIR: lamp-off frames subtracted), brought to one exposure
level and combined with rejection of outliers. Order edges are fitted where the light falls to half
of its plateau. Light between the orders gives the scattered light, which is subtracted. In each
order the light is then described by a smooth blaze along dispersion, which may change along the
slit like a parabola because the slit's image is tilted, times the illumination along the slit,
one profile per order with about a knot per pixel. Dividing by both leaves the pixel response: the
master flat holds neither blaze nor slit illumination, so that neither lamp spectrum nor slit jaws
get into the science frames; they must be taken out there. Pixels nearer than 2 to an edge or with
too little light keep response 1, with the scatter of all pixels as error and the bit EXTRAPOLATED.
Flats of the dome are taken instead of the halogen lamp's where they alone are given.
In the UV-VIS the deuterium lamp may be given beside the halogen lamp, never in its place: each
order takes the mean response of both with weights of inverse variance, and the blaze of the lamp
with the larger weight in units of the halogen lamp; weights stand in the extension LAMPS.
""",
    arms=("VIS", "NIR"),
    inputs=(FLAT, FLAT_DOME, FLAT_D2, FLAT_OFF, ORDER_TAB, *detrending_inputs()),
    products=(MASTER_FLAT, BLAZE_TAB, ORDER_TAB_EDGES, BACKGROUND),
    parameters=(
        *DETRENDING_PARAMETERS,
        DISP_DEGREE,
        ORDER_DEGREE,
        EDGE_KAPPA,
        BLAZE_KNOTS,
        LEAST_SN,
        LOW_SENSITIVITY,
        COLD,
        PRODUCT_SUFFIX,
    ),
    qc=(
        Qc("ORDEXP10", "e-", "10th percentile inside the orders"),
        Qc("ORDEXP50", "e-", "median inside the orders"),
        Qc("ORDEXP90", "e-", "90th percentile inside the orders"),
        Qc("N LOW SENS", "px", "low-sensitivity pixels", int),
        Qc("COLDPIX NUM", "px", "cold pixels", int),
        Qc("COLDPIX FRAC", "", "fraction of cold pixels"),
        Qc("INNER ORDER PIX MEAN", "", "mean response"),
        Qc("INNER ORDER PIX SUM", "", "sum of responses"),
        Qc("X RES MIN", "px", "smallest absolute edge residual"),
        Qc("X RES MAX", "px", "largest absolute edge residual"),
        Qc("X RES SD", "px", "SD of absolute edge residuals"),
        Qc("X RES RMS", "px", "rms of edge residuals"),
        Qc("RESPONSE SCATTER", "", "pixel-to-pixel scatter"),
        Qc("BACKGROUND MEDIAN", "e-", "median scattered light"),
        Qc("LAMP DRIFT", "", "range of exposure levels"),
        *TEMPERATURES,
    ),
    example=(("FLAT_NIR", 3), ("FLAT_OFF_NIR", 3), ("ORDER_TAB_NIR", 1)),
)

# Pixels nearer to an edge than this many unbinned px have no measured response.
INSET_PX = 2.0


class WrongLampError(InputError):
    """Flats of the deuterium lamp stand where those of the halogen lamp are meant."""


class SoxsSpecMflat(SoxsRecipe):
    """Make the master flat, blaze, order edges and scattered light of slit flats."""

    declaration = DECLARATION

    def process(self, run: Run) -> list[Result]:
        """Combine the flats, find the edges, and separate light from pixel response."""
        from soxs_recipes.algorithms.flat_field import master_flat, order_responses, stitch
        from soxs_recipes.products.detector_frames import planes
        from soxs_recipes.products.order_tables import order_columns
        from soxs_recipes.recipes import lamp_flats
        from soxs_recipes.recipes.detrending import read_calibrations
        from soxs_recipes.recipes.flat_products import blaze_tables, edge_quality, flat_quality

        flat = _flats(run)
        _refuse_deuterium(run)
        table = _order_table(run, flat)
        calibrations = read_calibrations(run)
        off = FLAT_OFF if run.arm.name in FLAT_OFF.arms else None
        flats = [lamp_flats.lamp_flat(run, flat, off, table, calibrations)]
        if run.inputs.of(FLAT_D2):
            flats.append(lamp_flats.lamp_flat(run, FLAT_D2, None, table, calibrations))
        edges = lamp_flats.order_edges(run, flats[0], table)
        backgrounds = [lamp_flats.scattered(run, flat, edges.table) for flat in flats]
        clean = [
            lamp_flats.without_background(flat.frame, background)
            for flat, background in zip(flats, backgrounds, strict=True)
        ]
        settings = _settings(run, flats[0])
        responses = [order_responses(frame, edges.table, settings) for frame in clean]
        orders, weights = stitch(responses)
        master, scatter = master_flat(orders, clean[0], edges.table, settings)
        qc = {
            **flat_quality(master, clean[0], edges.table),
            **edge_quality(edges),
            "RESPONSE SCATTER": scatter,
            "BACKGROUND MEDIAN": _median(backgrounds[0].flux),
            "LAMP DRIFT": lamp_flats.lamp_drift(flats),
            **temperatures(flats[0].frames),
        }
        contents = (
            (MASTER_FLAT, planes(master)),
            (BLAZE_TAB, blaze_tables(edges.table, orders, weights)),
            (ORDER_TAB_EDGES, {"ORDERS": order_columns(edges.table)}),
            (BACKGROUND, {"FLUX": backgrounds[0].flux, "ERRS": backgrounds[0].error}),
        )
        exptime_s, steps = flats[0].exptime_s, flats[0].steps
        return [Result(product, data, qc, exptime_s, steps=steps) for product, data in contents]


def _refuse_deuterium(run: Run) -> None:
    """Refuse flats of the deuterium lamp that are tagged as halogen flats."""
    from soxs_recipes.instrument.classification import classify

    for frame in run.inputs.of(FLAT):
        if classify(frame.header).tag == FLAT_D2.tag:
            raise WrongLampError(
                "A flat of the deuterium lamp is tagged as one of the halogen lamp",
                file=frame.path,
                expected=f"the halogen lamp for {frame.tag}",
                found="the deuterium lamp",
                remedy=f"tag it {FLAT_D2.tag}",
            )


def _flats(run: Run) -> Input:
    """Input that holds the flats: of the halogen lamp or, if these were chosen, of the dome."""
    given = [item for item in (FLAT, FLAT_DOME) if run.inputs.of(item)]
    if len(given) == 1:
        return given[0]
    tags = " or ".join(item.tag_of(run.arm.name) for item in (FLAT, FLAT_DOME))
    raise MissingInputError(
        "Flats of the lamp and of the dome cannot be mixed" if given else "There are no flats",
        expected=tags,
        found="both" if given else "none",
        remedy="keep the flats of one kind" if given else "add flats to the set of frames",
    )


def _order_table(run: Run, flat: Input) -> OrderTable:
    from soxs_recipes.products.order_tables import read_order_table

    shape = run.inputs.of(flat)[0].readout.science_shape
    return read_order_table(run.inputs.one(ORDER_TAB).path, shape, run.arm.detector.dispersion_axis)


def _settings(run: Run, flat: LampFlat) -> FlatSettings:
    from soxs_recipes.algorithms.flat_field import FlatSettings
    from soxs_recipes.recipes.lamp_flats import cross_binning

    given = run.settings
    return FlatSettings(
        knot_px=given.blaze_knots,
        inset_px=max(INSET_PX / cross_binning(run, flat.frames[0]), 1.5),
        least_sn=given.least_sn,
        low_below=given.low_sensitivity,
        cold_below=given.cold,
    )


def _median(image: np.ndarray) -> float:
    import numpy as np

    return float(np.median(image[::4, ::4]))
