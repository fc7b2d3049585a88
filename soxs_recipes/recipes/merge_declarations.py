"""What soxs_merge takes, makes and is steered by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from soxs_recipes.products.phase3_columns import COLUMNS, ERG, EXTENSION
from soxs_recipes.recipes.base import Result, drawn
from soxs_recipes.recipes.declarations import (
    AUTO,
    Column,
    Hdu,
    Input,
    Kind,
    Parameter,
    Product,
    detector_hdus,
)
from soxs_recipes.recipes.roles import role_inputs
from soxs_recipes.recipes.slit_frames import DISP_TAB_2D
from soxs_recipes.recipes.statics import EXTINCTION_TAB, FILTER_TAB

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NO_MAGNITUDE = 99.0

SPECTRUM_ORDERS = role_inputs(
    "SPECTRUM_ORDERS_{arm}", "extracted orders of one or both arms", maximum=1
)["SCI"]


def _calibration(tag: str, meaning: str, maximum: int | None = 1) -> Input:
    return Input(tag, meaning, Kind.CALIB, minimum=0, maximum=maximum)


RESP_TAB = _calibration("RESP_TAB_{arm}", "response; without it counts are delivered")
TELLURIC_TAB = _calibration("TELLURIC_TAB_{arm}", "telluric transmission of this target")
PHOT_TAB = _calibration(
    "PHOT_TAB_ACQ", "magnitude of the target, of any number of filters: the absolute scale", None
)
SKY_SUB = role_inputs(
    "SKY_SUB_{arm}", "frame without sky, for the two-dimensional product", minimum=0, maximum=1
)["SCI"]
SOLUTION = Input(DISP_TAB_2D.tag, "its dispersion solution", Kind.CALIB, minimum=0, maximum=1)
MERGE_INPUTS = (
    SPECTRUM_ORDERS,
    RESP_TAB,
    TELLURIC_TAB,
    PHOT_TAB,
    SKY_SUB,
    SOLUTION,
    EXTINCTION_TAB,
    FILTER_TAB,
)

FLUX_SCALE = Parameter(
    "flux-scale",
    AUTO,
    "Absolute flux scale: from PHOT_TAB_ACQ, from a magnitude given here, or none; auto takes the "
    "first there is",
    choices=(AUTO, "none", "photometry", "magnitude"),
)
MAGNITUDE = Parameter(
    "magnitude", NO_MAGNITUDE, "AB magnitude of the target, 99 for none", "mag", -5.0, 99.0
)
MAGNITUDE_ERROR = Parameter("magnitude-error", 0.05, "Its standard error", "mag", 0.0, 2.0)
MAGNITUDE_FILTER = Parameter(
    "magnitude-filter", "r", "Its filter", choices=("u", "g", "r", "i", "z", "y", "V")
)
SLIT_LOSS = Parameter(
    "slit-loss",
    AUTO,
    "Whether slit losses relative to the standard are corrected by a model of the seeing; auto "
    "does so where slits differ, both images were measured, or the flux scale is absolute",
    choices=(AUTO, "yes", "no"),
)
SCALE_PARAMETERS = (FLUX_SCALE, MAGNITUDE, MAGNITUDE_ERROR, MAGNITUDE_FILTER, SLIT_LOSS)

_SPECTRUM_HDU = Hdu(
    EXTENSION,
    "table",
    "",
    "one row of arrays",
    tuple(
        Column(one.name, one.dtype, ERG if one.unit == "flux" else one.unit, one.help)
        for one in COLUMNS
    ),
)
ARM_SPECTRUM = Product(
    "SCI_SLIT_FLUX_{arm}",
    "calibrated spectrum of one arm, ESO science data product",
    (_SPECTRUM_HDU,),
    per_observation=True,
)
MERGED_SPECTRUM = Product(
    "SCI_SLIT_FLUX_MERGED",
    "calibrated spectrum of both arms, ESO science data product",
    (_SPECTRUM_HDU,),
    per_observation=True,
    on_request=True,
)
IMAGE = Product(
    "SCI_SLIT_FLUX_2D_{arm}",
    "rectified spectrum, wavelength- and flux-calibrated; slit losses left as they are",
    detector_hdus("", "all orders on one grid, wavelength against slit position"),
    per_observation=True,
    on_request=True,
)


def _side_product(kind: str, suffix: str, meaning: str) -> Product:
    return Product(
        f"SCI_SLIT_FLUX_{kind}", meaning, (), per_observation=True, on_request=True, suffix=suffix
    )


ASCII = _side_product("ASCII", ".txt", "the spectrum as text")
PICTURE = _side_product("PNG", ".png", "page of the spectrum, a picture")
PAGE = _side_product("PDF", ".pdf", "page of the spectrum, to print")
MERGE_PRODUCTS = (ARM_SPECTRUM, MERGED_SPECTRUM, IMAGE, ASCII, PICTURE, PAGE)


def side_results(tag: str, ascii_copy: bool, page: bool) -> list[Result]:
    """What is written and drawn from the finished product of a tag."""

    def written(finished: Mapping[str, Sequence[Path]], path: Path) -> None:
        from soxs_recipes.products.ascii_spectrum import write_ascii

        write_ascii(finished[tag][0], path)

    pages: dict[str, Figure] = {}

    def pictured(finished: Mapping[str, Sequence[Path]], path: Path) -> None:
        from soxs_recipes.products.sdp_reader import read_sdp
        from soxs_recipes.qc.spectrum_page import save_page, spectrum_figure

        if tag not in pages:
            pages[tag] = spectrum_figure(read_sdp(finished[tag][0]))
        save_page(pages[tag], path)

    wanted = [(ASCII, written)] if ascii_copy else []
    if page:
        wanted += [(PICTURE, pictured), (PAGE, pictured)]
    return [drawn(product, draw) for product, draw in wanted]
