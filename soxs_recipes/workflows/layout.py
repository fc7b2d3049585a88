"""Where things stand on the canvas: a staircase of recipes from the upper left to the lower right.

Each stage has a row of its own, and stands in the column that the products it needs allow. So
nothing stands to its left in its row: frames and products come to it along the row, and leave
downwards; no line passes behind a box.
"""

from __future__ import annotations

from soxs_recipes.workflows.cascade import Cascade, Stage
from soxs_recipes.workflows.moml import Point

TOP = 640.0
LEFT = 80.0
ENTRANCE_STEP = 200.0
ROUTER_X = LEFT + 4 * ENTRANCE_STEP
FIRST_COLUMN_X = ROUTER_X + 640.0
COLUMN_WIDTH = 340.0
ROW_HEIGHT = 110.0
COMBINER_OFFSET = 150.0
VERTEX_OFFSET = 130.0
ROUTER_VERTEX_OFFSET = 260.0
LINE_SPACING = 10.0


def stage_points(cascade: Cascade) -> dict[Stage, Point]:
    """Canvas position of each stage."""
    columns = _columns(cascade)
    return {
        stage: (FIRST_COLUMN_X + columns[stage] * COLUMN_WIDTH, TOP + row * ROW_HEIGHT)
        for row, stage in enumerate(cascade.stages)
    }


def exit_point(cascade: Cascade) -> Point:
    """Position of the actor that takes the final products."""
    columns = max(_columns(cascade).values(), default=-1) + 1
    last_row = max(len(cascade.stages) - 1, 0)
    return FIRST_COLUMN_X + columns * COLUMN_WIDTH, TOP + last_row * ROW_HEIGHT


def router_vertex(number: int, target_y: float) -> Point:
    """Point where the line of a port of the router forks, in the row of its first target."""
    return ROUTER_X + ROUTER_VERTEX_OFFSET + LINE_SPACING * number, target_y


def stage_vertex(stage: Point, number: int) -> Point:
    """Point where the line of an output port of a stage forks."""
    x, y = stage
    return x + VERTEX_OFFSET + LINE_SPACING * number, y + LINE_SPACING * number


def _columns(cascade: Cascade) -> dict[Stage, int]:
    """Length of the longest chain of products that leads to each stage."""
    columns: dict[Stage, int] = {}
    for stage in cascade.stages:
        sources = (edge.source for edge in cascade.edges if edge.target is stage)
        columns[stage] = max((columns[source] + 1 for source in sources), default=0)
    return columns
