"""Shift of an exposure of the sky against the dispersion solution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from soxs_recipes.algorithms.arc_lines import ArcLines
from soxs_recipes.algorithms.dispersion import DispersionSolution
from soxs_recipes.algorithms.frame import DetectorFrame
from soxs_recipes.algorithms.line_check import TooFewLinesError, check_lines
from soxs_recipes.algorithms.line_check_rows import CheckSettings

# Flexure that is left when the mirrors have corrected it; what is known worse says nothing.
_USUAL_PX = 0.2
_LEAST_LINES = 8
_DOUBT = 2.0


@dataclass(frozen=True)
class Flexure:
    """Shift: what is at (x, y) by the solution is seen at (x + dx, y + dy).

    Attributes
    ----------
    dx_px, dy_px, dx_error_px, dy_error_px : float
        Shift and its standard error.
    lines : int
        Sky lines it rests on; 0 if none were seen.
    bands : int
        Telluric bands that its shift along dispersion rests on.
    """

    dx_px: float = 0.0
    dy_px: float = 0.0
    dx_error_px: float = _USUAL_PX
    dy_error_px: float = _USUAL_PX
    lines: int = 0
    bands: int = 0

    def applied(self, solution: DispersionSolution) -> DispersionSolution:
        """Return the solution of the exposure."""
        return solution.shifted(self.dx_px, self.dy_px)

    def halfway(self, other: Flexure) -> Flexure:
        """Mean of two exposures' shifts, as for their difference."""
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        *shifts, lines, bands = ((one + two) / 2 for one, two in pairs)
        return Flexure(*shifts, int(lines), int(bands))

    def along(self, axis: str) -> tuple[float, float]:
        """Shift along a detector axis, ``x`` or ``y``, and its standard error."""
        shift = {"x": (self.dx_px, self.dx_error_px), "y": (self.dy_px, self.dy_error_px)}
        return shift[axis]


def sky_flexure(
    frame: DetectorFrame,
    solution: DispersionSolution,
    lines: ArcLines,
    settings: CheckSettings,
    expected: Flexure | None = None,
) -> Flexure:
    """Measure the flexure from sky lines, and join it with what is expected.

    Parameters
    ----------
    frame : DetectorFrame
        Exposure of the sky, detrended.
    solution : DispersionSolution
        Two-dimensional solution of the frame's binning.
    lines : ArcLines
        Lines of the night sky.
    settings : CheckSettings
        How lines are measured.
    expected : Flexure, optional
        What is known beforehand, as of a line check; without it no shift, to 0.2 px.

    Returns
    -------
    Flexure
        Mean of measurement and expectation by their inverse variances: a measurement that many
        lines support stands as it is, one from few faint lines is held near the expectation.
    """
    expected = expected or Flexure()
    try:
        found = check_lines(frame, solution, lines, settings).offset
    except TooFewLinesError:
        return expected
    if found.lines < _LEAST_LINES:
        return expected
    # Lines that agree badly are not all lines.
    doubt = _DOUBT * found.along_rms_px / np.sqrt(found.lines)
    errors = np.hypot([found.dx_error_px, found.dy_error_px], doubt)
    dx, dx_error = joined(found.dx_px, errors[0], expected.dx_px, expected.dx_error_px)
    dy, dy_error = joined(found.dy_px, errors[1], expected.dy_px, expected.dy_error_px)
    return Flexure(dx, dy, dx_error, dy_error, found.lines)


def joined(value: float, error: float, other: float, other_error: float) -> tuple[float, float]:
    """Weighted mean of two measurements, and its error."""
    weights = np.array([error, other_error]) ** -2.0
    mean = float(np.average([value, other], weights=weights))
    return mean, float(weights.sum() ** -0.5)
