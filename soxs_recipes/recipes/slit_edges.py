"""Edges of the orders as the recipes for exposures of the sky need them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from soxs_recipes.errors import MissingInputError
from soxs_recipes.products.order_tables import read_order_table
from soxs_recipes.recipes.science_inputs import ORDER_TAB_EDGES

if TYPE_CHECKING:
    from soxs_recipes.algorithms.dispersion import DispersionSolution
    from soxs_recipes.algorithms.order_table import OrderTable
    from soxs_recipes.recipes.base import Run


def read_edges(run: Run, solution: DispersionSolution) -> OrderTable:
    """Read the edges of the orders.

    Raises
    ------
    MissingInputError
        If the table has none.
    """
    file = run.inputs.one(ORDER_TAB_EDGES)
    table = read_order_table(file.path, solution.shape, run.arm.detector.dispersion_axis)
    if not table.has_edges:
        raise MissingInputError(
            "The order table has no edges",
            file=file.path,
            expected="edges of the orders",
            remedy="give the product ORDER_TAB_EDGES of soxs_spec_mflat",
        )
    return table


def slit_ends(table: OrderTable, solution: DispersionSolution) -> tuple[float, float]:
    """Slit positions of the edges of the orders, a median over all orders."""
    ends = []
    for order, (first, last) in zip(table.orders, table.edges_sampled, strict=True):
        along = np.linspace(first, last, 24)
        across = np.stack([table.lower(order, along), table.upper(order, along)])
        x, y = (along, across) if table.dispersion_axis == "x" else (across, along)
        _, slit = solution.to_sky(order, *np.broadcast_arrays(x, y))
        ends.append(np.sort(np.nanmedian(slit, axis=1)))
    low, high = np.median(ends, axis=0)
    return float(low), float(high)
