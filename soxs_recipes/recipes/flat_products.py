"""Tables and quality-control figures of a master flat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from astropy.table import Table

from soxs_recipes.algorithms.flat_field import OrderResponse
from soxs_recipes.algorithms.flat_field_stack import inside_orders
from soxs_recipes.algorithms.frame import DetectorFrame
from soxs_recipes.algorithms.order_edges import Edges
from soxs_recipes.algorithms.order_table import OrderTable
from soxs_recipes.algorithms.quality import Quality, has

LAMPS = ("QTH", "D2")
# A blaze of less than this many times its error is no measurement.
_LEAST_BLAZE_SN = 10.0


def blaze_tables(
    table: OrderTable, orders: Sequence[OrderResponse], weights: np.ndarray
) -> dict[str, Table]:
    """Content of BLAZE_TAB: the blaze relative to the arm's maximum, and how lamps were joined.

    Parameters
    ----------
    table : OrderTable
        The orders.
    orders : sequence of OrderResponse
        Their smooth light.
    weights : ndarray, shape (orders, lamps)
        Weight of each lamp.
    """
    blaze = np.stack([one.illumination.blaze for one in orders])
    error = np.stack([one.illumination.blaze_error for one in orders])
    known = np.stack([one.illumination.usable for one in orders]) & (
        blaze > _LEAST_BLAZE_SN * error
    )
    peak = float(blaze[known].max(initial=0.0)) or 1.0
    count, length = blaze.shape
    quality = np.where(known, 0, int(Quality.EXTRAPOLATED))
    both = np.zeros((count, len(LAMPS)))
    both[:, : weights.shape[1]] = weights
    return {
        "BLAZE": Table(
            {
                "ORDER": np.repeat(table.orders, length).astype("i2"),
                "PIXEL": np.tile(np.arange(length), count).astype("i2"),
                "BLAZE": (blaze / peak).ravel(),
                "ERROR": (error / peak).ravel(),
                "QUAL": quality.ravel().astype("i2"),
            }
        ),
        "LAMPS": Table(
            {
                "ORDER": table.orders.astype("i2"),
                "LAMP": np.array(LAMPS, dtype="U4")[both.argmax(axis=1)],
                "WEIGHT_QTH": both[:, 0],
                "WEIGHT_D2": both[:, 1],
                "LEVEL": blaze.max(axis=1),
            }
        ),
    }


def flat_quality(master: DetectorFrame, flat: DetectorFrame, table: OrderTable) -> dict[str, float]:
    """Figures of the master flat, and of the exposure of the combined flat, in electrons."""
    inside = inside_orders(table, 0.0)
    measured = ~has(master.quality, Quality.EXTRAPOLATED)
    good = measured & master.good()
    low, middle, high = np.percentile(flat.flux[inside & flat.good()][::3], (10, 50, 90))
    cold = np.count_nonzero(has(master.quality, Quality.DEAD) & measured)
    return {
        "ORDEXP10": low,
        "ORDEXP50": middle,
        "ORDEXP90": high,
        "N LOW SENS": np.count_nonzero(has(master.quality, Quality.BAD_PIXEL) & measured),
        "COLDPIX NUM": cold,
        "COLDPIX FRAC": cold / max(np.count_nonzero(measured), 1),
        "INNER ORDER PIX MEAN": np.mean(master.flux[good], dtype=float) if good.any() else None,
        "INNER ORDER PIX SUM": np.sum(master.flux[good], dtype=float),
    }


def edge_quality(edges: Edges) -> dict[str, float]:
    """Residuals of the order edges, px."""
    residual = edges.residuals()
    return {
        "X RES MIN": residual.min(),
        "X RES MAX": residual.max(),
        "X RES SD": residual.std(),
        "X RES RMS": np.sqrt(np.mean(residual**2)),
    }
