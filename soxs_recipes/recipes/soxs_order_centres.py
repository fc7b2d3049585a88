"""soxs_order_centres: trace the centres of the orders in a pinhole flat."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from soxs_recipes.recipes.base import Result, Run, SoxsRecipe, temperatures
from soxs_recipes.recipes.common import PRODUCT_SUFFIX, TEMPERATURES, detection
from soxs_recipes.recipes.common_inputs import DETRENDING_PARAMETERS, detrending_inputs
from soxs_recipes.recipes.declarations import (
    AUTO,
    SAME_READOUT,
    Column,
    Declaration,
    Hdu,
    Input,
    Parameter,
    Product,
    Qc,
)
from soxs_recipes.recipes.order_inputs import DISP_TAB, ORDERS_HDU, about, expected_orders
from soxs_recipes.recipes.statics import SPECTRAL_FORMAT

if TYPE_CHECKING:
    from astropy.table import Table

    from soxs_recipes.algorithms.tracing import Traces, TraceSettings
    from soxs_recipes.instrument.detector import Readout

PINHOLE_FLAT = Input("PINHOLE_FLAT_{arm}", "flats through the pinhole", match=SAME_READOUT)
PINHOLE_FLAT_OFF = Input(
    "PINHOLE_FLAT_OFF_NIR",
    "their lamp-off twins, subtracted",
    minimum=0,
    arms=("NIR",),
    match=SAME_READOUT,
)

ORDER_TAB = Product(
    "ORDER_TAB_{arm}",
    "order centres",
    (
        ORDERS_HDU,
        Hdu(
            "SAMPLES",
            "table",
            "",
            "one row per sample with light",
            (
                Column("ORDER", "i2", "", "order number"),
                Column("PIXEL", "f8", "pixel", "place along dispersion"),
                Column("CENTRE", "f8", "pixel", "measured centre across dispersion"),
                Column("ERROR", "f8", "pixel", "its standard error"),
                Column("RESIDUAL", "f8", "pixel", "measured minus model"),
                Column("KEPT", "i2", "", "1: entered the model"),
            ),
        ),
    ),
)

DEGREES = tuple(str(degree) for degree in range(1, 9))
DISP_DEGREE = Parameter(
    "disp-degree",
    AUTO,
    "Degree along dispersion of the fitted model",
    choices=(AUTO, *DEGREES),
    by_arm=MappingProxyType({"VIS": "4", "NIR": "5"}),
)
ORDER_DEGREE = Parameter(
    "order-degree",
    AUTO,
    "Degree in the order number of the same; 'own' fits each order by itself",
    choices=(AUTO, "own", *DEGREES),
    by_arm=MappingProxyType({"VIS": "own", "NIR": "4"}),
)
SAMPLE_LENGTH = Parameter(
    "sample-length", 16, "Length along dispersion of one sample [pixel]", minimum=4, maximum=128
)
DETECTION = detection(5.0)
TRACE_KAPPA = Parameter(
    "trace-kappa", 5.0, "Samples further off the model are rejected", "sigma", 2.0, 100.0
)

DECLARATION = Declaration(
    name="soxs_order_centres",
    synopsis="Trace the centres of the orders in a pinhole flat",
    description="""
The orders of the spectral format, or where a dispersion solution has them, are matched to the frame
by a common shift (up to 22 unbinned pixels) and then by a plane. Along each order the light of the
pinhole is cut into samples; in each a Gaussian, integrated over pixels, is fitted across
dispersion, with bad pixels and cosmic rays left out. The departure of the centres from those
expected is fitted by Chebyshev polynomials: in the pixel along dispersion for each order (VIS), in
pixel and order number for all (NIR). The table holds the centre of each order as a series along the
whole detector and the range that was sampled; beyond it the centre is extrapolated. Orders without
light are left out.
""",
    arms=("VIS", "NIR"),
    inputs=(PINHOLE_FLAT, PINHOLE_FLAT_OFF, DISP_TAB, SPECTRAL_FORMAT, *detrending_inputs()),
    products=(ORDER_TAB,),
    parameters=(
        *DETRENDING_PARAMETERS,
        DISP_DEGREE,
        ORDER_DEGREE,
        SAMPLE_LENGTH,
        DETECTION,
        TRACE_KAPPA,
        PRODUCT_SUFFIX,
    ),
    qc=(
        Qc("N ORDERS", "", "orders traced", int),
        Qc("SAMPLES TOT NUM", "", "samples along the orders", int),
        Qc("SAMPLES DET NUM", "", "samples with light", int),
        Qc("SAMPLES DET FRAC", "", "fraction with light"),
        Qc("SAMPLES CLIP NUM", "", "samples rejected", int),
        Qc("SAMPLES CLIP FRAC", "", "fraction rejected"),
        *(
            Qc(f"{axis} RES {name}", "px", f"{text} residual", arms=(arm,))
            for axis, arm in (("X", "VIS"), ("Y", "NIR"))
            for name, text in (
                ("MIN", "smallest absolute"),
                ("MAX", "largest absolute"),
                ("SD", "SD of the absolute"),
                ("MEDIAN", "mean absolute"),
                ("RMS", "rms"),
            )
        ),
        Qc("ORDER SHIFT", "px", "mean shift of the orders"),
        Qc("PINHOLE WIDTH", "px", "median SD of the pinhole"),
        *TEMPERATURES,
    ),
    example=(("PINHOLE_FLAT_NIR", 1), ("PINHOLE_FLAT_OFF_NIR", 1)),
)

# Lengths across dispersion, in unbinned pixels.
REACH_PX, WIDEST_PX = 22.0, 2.0


class SoxsOrderCentres(SoxsRecipe):
    """Trace the centres of the orders in a pinhole flat."""

    declaration = DECLARATION

    def process(self, run: Run) -> list[Result]:
        """Detrend the pinhole flat, trace the orders and describe them."""
        from soxs_recipes.algorithms.tracing import trace_orders
        from soxs_recipes.products.order_tables import order_columns
        from soxs_recipes.recipes.detrending import detrended

        flat = detrended(run, PINHOLE_FLAT, PINHOLE_FLAT_OFF)
        file = flat.frames[0]
        orders, expected = expected_orders(run, file)
        axis = run.arm.detector.dispersion_axis
        with about(file.path):
            traces = trace_orders(flat.frame, orders, expected, axis, _settings(run, file.readout))
        lost = sorted(set(orders.tolist()) - set(traces.table.orders.tolist()))
        if lost:
            run.warning(f"No light in order(s) {', '.join(map(str, lost))}: left out of the table")
        content = {"ORDERS": order_columns(traces.table), "SAMPLES": _sample_table(traces)}
        qc = {**_quality_control(run, traces), **temperatures(flat.frames)}
        return [Result(ORDER_TAB, content, qc, flat.exptime_s, steps=flat.steps)]


def _settings(run: Run, readout: Readout) -> TraceSettings:
    from soxs_recipes.algorithms.tracing import TraceSettings
    from soxs_recipes.algorithms.tracing_fit import SmoothModel

    given = run.settings
    across = None if given.order_degree == "own" else int(given.order_degree)
    factor = readout.binning[0] if run.arm.detector.dispersion_axis == "y" else readout.binning[1]
    return TraceSettings(
        SmoothModel(int(given.disp_degree), across, given.trace_kappa),
        bin_px=given.sample_length,
        reach_px=REACH_PX / factor,
        detection=given.detection,
        widest_px=WIDEST_PX / factor,
    )


def _sample_table(traces: Traces) -> Table:
    import numpy as np
    from astropy.table import Table

    samples, table = traces.samples, traces.table
    pairs = zip(table.orders, samples.pixel, strict=True)
    model = np.stack([table.centre(order, pixel) for order, pixel in pairs])
    columns = {
        "ORDER": np.repeat(table.orders[:, None], model.shape[1], axis=1).astype("i2"),
        "PIXEL": samples.pixel,
        "CENTRE": model + traces.smoothed.residual,
        "ERROR": samples.error,
        "RESIDUAL": traces.smoothed.residual,
        "KEPT": traces.smoothed.kept.astype("i2"),
    }
    return Table({name: column[samples.found] for name, column in columns.items()})


def _quality_control(run: Run, traces: Traces) -> dict[str, float]:
    import numpy as np

    fit = traces.smoothed
    residual = np.abs(fit.residual[fit.kept])
    detected, kept = int(traces.samples.found.sum()), int(fit.kept.sum())
    axis = "X" if run.arm.detector.dispersion_axis == "y" else "Y"
    return {
        "N ORDERS": len(traces.table.orders),
        "SAMPLES TOT NUM": traces.expected,
        "SAMPLES DET NUM": detected,
        "SAMPLES DET FRAC": detected / traces.expected,
        "SAMPLES CLIP NUM": detected - kept,
        "SAMPLES CLIP FRAC": (detected - kept) / detected,
        f"{axis} RES MIN": residual.min(),
        f"{axis} RES MAX": residual.max(),
        f"{axis} RES SD": residual.std(),
        f"{axis} RES MEDIAN": residual.mean(),
        f"{axis} RES RMS": np.sqrt(np.mean(residual**2)),
        "ORDER SHIFT": traces.shift_px,
        "PINHOLE WIDTH": np.median(traces.table.width_px),
    }
