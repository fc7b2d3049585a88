"""Inputs of recipes that take one kind of slit frame of several, and the solution they need."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from soxs_recipes.errors import MissingInputError, SettingMismatchError
from soxs_recipes.recipes.declarations import SAME_READOUT, Input, Kind, Match, Setting
from soxs_recipes.recipes.roles import role_inputs

if TYPE_CHECKING:
    from soxs_recipes.algorithms.dispersion import DispersionSolution
    from soxs_recipes.recipes.base import Run

SLIT_ARC = Input("SLIT_ARC_{arm}", "arcs through the slit", minimum=0, match=SAME_READOUT)
SLIT_ARC_OFF = Input(
    "SLIT_ARC_OFF_NIR",
    "their lamp-off twins, subtracted",
    minimum=0,
    arms=("NIR",),
    match=SAME_READOUT,
)
OBSERVATION_STEMS = tuple(
    f"{role}_{mode}"
    for role in ("OBJECT", "STD_FLUX", "STD_TELLURIC")
    for mode in ("STARE", "NOD", "OFFSET")
)
OBSERVATIONS = tuple(
    Input(
        f"{stem}_{{arm}}",
        "or one exposure of the sky",
        minimum=0,
        maximum=1,
        match=SAME_READOUT,
        alternative=True,
    )
    for stem in OBSERVATION_STEMS
)
SKY_SUB = tuple(
    role_inputs(
        "SKY_SUB_{arm}", "or a frame without sky", minimum=0, maximum=1, alternative=True
    ).values()
)
DISP_TAB_2D = Input(
    "DISP_TAB_2D_{arm}",
    "wavelength and slit position on the detector",
    Kind.CALIB,
    maximum=1,
    match=(Match(Setting.BINNING),),
)


def chosen_input(run: Run, items: Sequence[Input]) -> Input:
    """Return the only one of several inputs that has frames.

    Raises
    ------
    MissingInputError
        If none or more than one has.
    """
    given = [item for item in items if run.inputs.of(item)]
    if len(given) == 1:
        return given[0]
    tags = [item.tag_of(run.arm.name) for item in given]
    raise MissingInputError(
        "One kind of frame is needed",
        expected="one of " + ", ".join(item.tag_of(run.arm.name) for item in items),
        found=", ".join(tags) or "none",
        remedy="give each kind a set of frames of its own" if tags else "add the frame",
    )


def full_solution(run: Run, shape: tuple[int, int]) -> DispersionSolution:
    """Return the solution among the frames; see `solution_of_shape`."""
    return solution_of_shape(run.inputs.one(DISP_TAB_2D).path, shape)


def solution_of_shape(path: Path, shape: tuple[int, int]) -> DispersionSolution:
    """Read a solution for trimmed frames of a shape.

    Raises
    ------
    SettingMismatchError
        If it was made for frames of another binning.
    """
    from soxs_recipes.products.dispersion_tables import read_dispersion_table

    solution = read_dispersion_table(path)
    if solution.shape != shape:
        raise SettingMismatchError(
            "The dispersion solution is of another binning than the frame",
            file=path,
            expected="for {1} x {0} pixels".format(*shape),
            found="for {1} x {0} pixels".format(*solution.shape),
            remedy="give the solution of frames with the same binning",
        )
    return solution


def with_flexure(solution: DispersionSolution, path: Path) -> DispersionSolution:
    """Return a solution moved by what the extension GEOMETRY of a frame without sky tells."""
    from soxs_recipes.products.table_input import read_columns

    shift, _ = read_columns(path, "GEOMETRY", ("DX", "DY"), "soxs_stare, soxs_nod or soxs_offset")
    dx_px, dy_px = (float(shift[name][0]) for name in ("DX", "DY"))
    return solution.shifted(*(move if isfinite(move) else 0.0 for move in (dx_px, dy_px)))
