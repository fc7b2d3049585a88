"""From a detrended multi-pinhole arc to the fit of its lines; errors say what is amiss."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from soxs_recipes.algorithms.dispersion_fit import with_slit_terms
from soxs_recipes.algorithms.dispersion_lines import (
    LineSearch,
    MeasuredLines,
    NoArcLinesError,
    measure_lines,
    pinhole_step_px,
)
from soxs_recipes.algorithms.pinholes import PinholeFit, PinholesError, fit_pinholes
from soxs_recipes.errors import InputError
from soxs_recipes.recipes.arc_inputs import expected_format
from soxs_recipes.recipes.dispersion_products import line_search, lines_explained, order_model
from soxs_recipes.recipes.slit_frames import solution_of_shape

if TYPE_CHECKING:
    from soxs_recipes.algorithms.arc_lines import ArcLines
    from soxs_recipes.algorithms.dispersion import DispersionSolution
    from soxs_recipes.recipes.base import Run
    from soxs_recipes.recipes.declarations import Input
    from soxs_recipes.recipes.detrending import Detrended

# With a solution of the slit centre, the format has drifted by less than this part of the distance
# between pinholes.
_REACH = 0.4
# Degrees in wavelength and in order number of the term linear in the slit position; higher powers
# have lower ones.
_SLIT_DEGREE = 3
# The detector is judged in this many parts along dispersion, those with so many lines per pinhole.
_PARTS, _ENOUGH_LINES = 6, 10
# The end of a row of pinholes is seen with this fraction of the lines of the best pinhole; a row is
# where it should be if it shows this fraction of the lines that the best part shows.
_END, _ROW = 0.3, 0.4


class PinholeMaskError(InputError):
    """An arc was not taken through the multi-pinhole mask, or too few of its holes are seen."""


def measured_pinholes(
    run: Run, disp_tab: Input, arc: Detrended, lines: ArcLines
) -> tuple[DispersionSolution, MeasuredLines]:
    """Measure the lines through all pinholes; also return the solution that was the first guess.

    With a solution of the slit centre the pinholes are looked for close by; if not all are there,
    the format may have moved since, and the whole reach is searched.

    Raises
    ------
    ArcMismatchError, PinholeMaskError
        If the lines are not there, or are there through the single pinhole.
    """
    file = arc.frames[0]
    guess, search = expected_format(run, file), line_search(run, file, run.arm.pinholes_arcsec)
    given = run.inputs.one(disp_tab)
    searches = [search]
    if given is None:
        run.warning("No dispersion solution: the search starts from the nominal spectral format")
    else:
        guess = with_slit_terms(solution_of_shape(given.path, arc.frame.shape), guess)
        close_px = _REACH * pinhole_step_px(guess, search.slit_arcsec)
        searches.insert(0, replace(search, reach_px=close_px))
    with lines_explained(file):
        try:
            return guess, _measured(arc, guess, lines, searches)
        except NoArcLinesError:
            _refuse_single_pinhole(arc, guess, lines, search)
            raise


def _measured(
    arc: Detrended, guess: DispersionSolution, lines: ArcLines, searches: list[LineSearch]
) -> MeasuredLines:
    """Result of the first search that sees the row of pinholes to its ends.

    Else that of a search so close that no pinhole can be taken for its neighbour.
    """
    failure: Exception = NoArcLinesError("no search")
    told = None
    for search in searches:
        try:
            measured = measure_lines(arc.frame, guess, lines, search)
        except NoArcLinesError as error:
            failure = error
            continue
        shares = _shares(measured, guess)
        best = shares.max(axis=1, keepdims=True)
        if best.min() < _ROW * best.max():
            failure = NoArcLinesError("lines are where they should be in part of the frame alone")
            continue
        if np.all(shares[:, [0, -1]] > _END * best):
            return measured
        failure = _unknown_row(arc, shares)
        if search.reach_px < pinhole_step_px(guess, search.slit_arcsec) / 2:
            told = measured
    if told is None:
        raise failure
    return told


def fitted_pinholes(
    run: Run, arc: Detrended, guess: DispersionSolution, measured: MeasuredLines
) -> PinholeFit:
    """Fit the lines with the degrees of the settings.

    Raises
    ------
    ArcMismatchError, PinholeMaskError
        If there are too few lines or pinholes.
    """
    kind, degrees = order_model(run)
    powers = range(run.settings.slit_degree)
    slit = [(_SLIT_DEGREE - power, min(degrees[-1][1], _SLIT_DEGREE - power)) for power in powers]
    with lines_explained(arc.frames[0]):
        try:
            return fit_pinholes(guess, measured, kind, degrees, slit, run.settings.line_kappa)
        except PinholesError as error:
            raise PinholeMaskError(
                "Too few pinholes are seen for a solution",
                file=arc.frames[0].path,
                expected=f"light through most of {len(run.arm.pinholes_arcsec)} pinholes",
                found=str(error),
                remedy="give an arc through the multi-pinhole mask, or lower --slit-degree",
            ) from error


def _refuse_single_pinhole(
    arc: Detrended, guess: DispersionSolution, lines: ArcLines, search: LineSearch
) -> None:
    """Name the mask if the lines are there, but through one pinhole."""
    try:
        measure_lines(arc.frame, guess, lines, replace(search, slit_arcsec=np.zeros(1)))
    except NoArcLinesError:
        return
    raise PinholeMaskError(
        "The frame shows arc lines through one pinhole",
        file=arc.frames[0].path,
        expected=f"lines through {len(search.slit_arcsec)} pinholes",
        found="lines at the slit centre alone",
        remedy="give an arc through the multi-pinhole mask; this one is for soxs_disp_solution",
    )


def _shares(measured: MeasuredLines, guess: DispersionSolution) -> np.ndarray:
    """Fraction of the lines seen through each pinhole, in parts of the detector, (parts, holes).

    Pinholes are counted across the detector: in some orders the slit is upside down.

    Where a format is turned further than the search allows for, the row is right in one part only.
    """
    images = measured.images
    length = guess.along(*guess.shape[::-1])
    part = np.clip(guess.along(images.x, images.y) * _PARTS / length, 0, _PARTS - 1).astype(int)
    holes, hole = np.unique(images.slit_arcsec, return_inverse=True)
    _, _, x_slit, y_slit = guess.jacobian(guess.orders, guess.range_nm.mean(axis=1))
    upside_down = (guess.across(x_slit, y_slit) < 0)[guess.index(images.order)]
    hole = np.where(upside_down, len(holes) - 1 - hole, hole)
    place, size = part * len(holes) + hole, _PARTS * len(holes)
    seen = np.bincount(place[measured.detected], minlength=size).reshape(_PARTS, -1)
    total = np.bincount(place, minlength=size).reshape(_PARTS, -1)
    enough = total.min(axis=1) >= _ENOUGH_LINES
    if not enough.any():
        return seen.sum(axis=0, keepdims=True) / np.maximum(total.sum(axis=0, keepdims=True), 1)
    return seen[enough] / total[enough]


def _unknown_row(arc: Detrended, shares: np.ndarray) -> PinholeMaskError:
    seen = ", ".join(f"{100 * share:.0f} %" for share in shares.mean(axis=0))
    return PinholeMaskError(
        "An outermost pinhole is not seen, so that the others cannot be told",
        file=arc.frames[0].path,
        expected="lines through the first and the last pinhole, or a dispersion solution",
        found=f"lines seen through each: {seen}",
        remedy=f"add the DISP_TAB_{arc.frames[0].arm.name} of the same night",
    )
