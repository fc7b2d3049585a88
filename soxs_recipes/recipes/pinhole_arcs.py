"""From a detrended multi-pinhole arc to the fit of its lines; errors say what is amiss."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from soxs_recipes.algorithms.dispersion_fit import FitError, with_slit_terms
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
from soxs_recipes.recipes.slit_frames import solution_of_shape

if TYPE_CHECKING:
    from soxs_recipes.algorithms.arc_lines import ArcLines
    from soxs_recipes.algorithms.dispersion import DispersionSolution
    from soxs_recipes.recipes.base import Run
    from soxs_recipes.recipes.declarations import Input
    from soxs_recipes.recipes.detrending import Detrended

# Width of a line through a pinhole, in unbinned pixels.
PINHOLE_FWHM_PX = 1.7
# With a solution of the slit centre, the format has drifted by less than this part of the distance
# between pinholes.
_REACH = 0.4
_LEAST_DEGREE = 4


class ArcMismatchError(InputError):
    """An arc does not show its lines where the spectral format and the mask have them."""


class PinholeMaskError(InputError):
    """An arc was not taken through the multi-pinhole mask, or too few of its holes are seen."""


def measured_pinholes(
    run: Run, disp_tab: Input, arc: Detrended, lines: ArcLines
) -> tuple[DispersionSolution, MeasuredLines]:
    """Measure the lines through all pinholes; also return the solution that was the first guess.

    Raises
    ------
    ArcMismatchError, PinholeMaskError
        If the lines are not there, or are there through the single pinhole.
    """
    file, shape = arc.frames[0], arc.frame.shape
    expected = expected_format(run, file)
    search = _search(run, arc, expected)
    given = run.inputs.one(disp_tab)
    guess = expected
    if given is None:
        run.warning("No dispersion solution: the search starts from the nominal spectral format")
    else:
        guess = with_slit_terms(solution_of_shape(given.path, shape), expected)
        search = replace(search, reach_px=_REACH * pinhole_step_px(guess, search.slit_arcsec))
    try:
        measured = measure_lines(arc.frame, guess, lines, search)
    except NoArcLinesError as error:
        raise _refusal(arc, guess, lines, search, str(error)) from error
    if given is None:
        _check_ends(arc, measured)
    return guess, measured


def fitted_pinholes(
    run: Run, arc: Detrended, guess: DispersionSolution, measured: MeasuredLines
) -> PinholeFit:
    """Fit the lines with the degrees of the settings.

    Raises
    ------
    ArcMismatchError, PinholeMaskError
        If there are too few lines or pinholes.
    """
    given, file = run.settings, arc.frames[0].path
    own = given.order_degree == "own"
    most = 0 if own else int(given.order_degree)
    degrees = range(min(_LEAST_DEGREE, given.disp_degree), given.disp_degree + 1)
    centre = [(degree, min(most, degree - 1)) for degree in degrees]
    slit = [(4 - power, min(most, 4 - power)) for power in range(1, given.slit_degree + 1)]
    model = "separate" if own else "echelle"
    try:
        return fit_pinholes(guess, measured, model, centre, slit, given.line_kappa)
    except PinholesError as error:
        raise PinholeMaskError(
            "Too few pinholes are seen for a solution",
            file=file,
            expected=f"light through most of {len(run.arm.pinholes_arcsec)} pinholes",
            found=str(error),
            remedy="give an arc through the multi-pinhole mask, or lower --slit-degree",
        ) from error
    except FitError as error:
        raise ArcMismatchError(
            "Too few arc lines are seen for a solution",
            file=file,
            expected="lines in every order",
            found=str(error),
            remedy="expose longer, check that all lamps burn, or lower --disp-degree",
        ) from error


def _search(run: Run, arc: Detrended, expected: DispersionSolution) -> LineSearch:
    binning = arc.frames[0].readout.binning
    along, across = binning if expected.dispersion_axis == "x" else binning[::-1]
    faintest, bright = run.arm.arc_strengths
    return LineSearch(
        (PINHOLE_FWHM_PX / along, PINHOLE_FWHM_PX / across),
        faintest,
        bright,
        np.array(run.arm.pinholes_arcsec),
        min_snr=run.settings.detection,
    )


def _refusal(
    arc: Detrended, guess: DispersionSolution, lines: ArcLines, search: LineSearch, found: str
) -> InputError:
    """Error for an arc whose lines are not seen through nine pinholes."""
    file = arc.frames[0].path
    try:
        measure_lines(arc.frame, guess, lines, replace(search, slit_arcsec=np.zeros(1)))
    except NoArcLinesError:
        return ArcMismatchError(
            "The frame does not show its arc lines where the spectral format has them",
            file=file,
            expected="lines of " + ", ".join(sorted(set(lines.lamp.tolist()))),
            found=found,
            remedy="check lamps, shutter, mask and arm of the frame, and the dispersion solution",
        )
    return PinholeMaskError(
        "The frame shows arc lines through one pinhole",
        file=file,
        expected=f"lines through {len(search.slit_arcsec)} pinholes",
        found="lines at the slit centre alone",
        remedy="give it to soxs_disp_solution, and an arc through the multi-pinhole mask here",
    )


def _check_ends(arc: Detrended, measured: MeasuredLines) -> None:
    """Without a solution, a row of pinholes that lacks an end could be off by one pinhole."""
    slit, detected = measured.images.slit_arcsec, measured.detected
    seen = np.array([detected[slit == hole].mean() for hole in np.unique(slit)])
    if min(seen[0], seen[-1]) > 0.3 * seen.max():
        return
    raise PinholeMaskError(
        "An outermost pinhole is not seen, so that the others cannot be told",
        file=arc.frames[0].path,
        expected="lines through the first and the last pinhole, or a dispersion solution",
        found="lines seen through each: " + ", ".join(f"{100 * part:.0f} %" for part in seen),
        remedy=f"add DISP_TAB_{arc.frames[0].arm.name} to the set of frames",
    )
