"""Where things stand on the canvas: data sets on the left, recipes in columns, products right."""

from __future__ import annotations

from collections.abc import Sequence

from soxs_recipes.workflows.cascade import Cascade, Stage
from soxs_recipes.workflows.moml import Point

TOP = 640.0
LEFT = 80.0
ROUTER_X = LEFT + 720.0
FIRST_COLUMN_X = ROUTER_X + 420.0
COLUMN_WIDTH = 320.0
ROW_HEIGHT = 140.0
COMBINER_OFFSET = 150.0
VERTEX_OFFSET = 90.0


def grid(cascade: Cascade) -> dict[Stage, tuple[int, int]]:
    """Column and row of each stage.

    The column is the length of the longest chain of products that leads to the stage; the row is
    the free one nearest to those of its sources.
    """
    places: dict[Stage, tuple[int, int]] = {}
    for stage in cascade.stages:
        sources = [edge.source for edge in cascade.edges if edge.target is stage]
        column = max((places[source][0] + 1 for source in sources), default=0)
        taken = {row for other, row in places.values() if other == column}
        places[stage] = (column, _nearest_free(_wanted_row(stage, sources, places), taken))
    return places


def stage_point(column: int, row: int) -> Point:
    """Canvas position of a place of the grid."""
    return FIRST_COLUMN_X + column * COLUMN_WIDTH, TOP + row * ROW_HEIGHT


def columns(places: dict[Stage, tuple[int, int]]) -> int:
    """Count the columns of a grid."""
    return 1 + max((column for column, _ in places.values()), default=0)


def rows(places: dict[Stage, tuple[int, int]]) -> int:
    """Count the rows of a grid."""
    return 1 + max((row for _, row in places.values()), default=0)


def _wanted_row(
    stage: Stage, sources: Sequence[Stage], places: dict[Stage, tuple[int, int]]
) -> int:
    """Row of the stage whose products it works on; else that of the latest source."""
    if stage.origin is not None:
        return places[stage.origin][1]
    if not sources:
        return 0
    return max((places[source] for source in sources), key=lambda place: place[0])[1]


def _nearest_free(row: int, taken: set[int]) -> int:
    offset = 0
    while True:
        for candidate in (row + offset, row - offset):
            if candidate >= 0 and candidate not in taken:
                return candidate
        offset += 1
