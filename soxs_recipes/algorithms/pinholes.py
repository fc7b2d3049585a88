"""Solution of a multi-pinhole arc: which holes are seen, and which are where they belong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.algorithms.dispersion import DispersionSolution
from soxs_recipes.algorithms.dispersion_lines import ChosenFit, MeasuredLines, fit_lines

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

# A hole counts as seen in an order with this fraction of the lines of the best one.
_SEEN = 0.3
# A hole is displaced if its lines lie this far from the others' solution, and this significantly.
_DISPLACED_PX = 0.1
_KAPPA = 5.0


class PinholesError(ValueError):
    """Too few of the pinholes are seen for the terms in the slit position."""


@dataclass(frozen=True)
class PinholeFit:
    """The solution, and how the pinholes fared.

    Attributes
    ----------
    chosen : ChosenFit
        The fit; its arrays run over the detected lines.
    measured : MeasuredLines
        All lines; those of rejected pinholes do not count as detected.
    slit_arcsec : ndarray, shape (holes,)
        Slit positions looked at.
    lines : ndarray of int, shape (orders, holes)
        Lines of each order and hole that the solution rests on.
    displaced : ndarray of bool, shape (holes,)
        Holes that were rejected because they are not where they should be.
    """

    chosen: ChosenFit
    measured: MeasuredLines
    slit_arcsec: Array
    lines: NDArray[np.int_]
    displaced: Mask

    @property
    def seen(self) -> Mask:
        """Which holes are seen in which order, shape (orders, holes)."""
        return _seen(self.lines)


def fit_pinholes(
    guess: DispersionSolution,
    measured: MeasuredLines,
    order_model: str,
    centre_degrees: Sequence[tuple[int, int]],
    slit_degrees: Sequence[tuple[int, int]],
    kappa: float = 4.0,
) -> PinholeFit:
    """Fit the lines of all pinholes; those of holes that are displaced as a whole are left out.

    A hole that has merged with its neighbour, or is half blocked, shifts all its lines alike,
    which no rejection of single lines would see. The holes are compared by the median distance
    of their lines from the solution, across dispersion.

    Parameters
    ----------
    guess, measured, order_model, centre_degrees, kappa
        See `fit_lines`.
    slit_degrees : sequence of (int, int)
        Degrees of the terms linear, quadratic, ... in the slit position.

    Raises
    ------
    PinholesError
        If there are fewer than two holes more than powers of the slit position.
    FitError
        If there are too few lines.
    """
    holes = np.unique(measured.images.slit_arcsec)
    displaced, needed = np.zeros(len(holes), bool), len(slit_degrees) + 2
    while True:
        hole = np.searchsorted(holes, measured.images.slit_arcsec)
        part = replace(measured, detected=measured.detected & ~displaced[hole])
        found = np.count_nonzero(_seen(_count(guess, part, holes, part.detected)).any(axis=0))
        if found < needed:
            raise PinholesError(f"{needed} pinholes needed, {found} seen")
        chosen = fit_lines(guess, part, order_model, centre_degrees, slit_degrees, kappa)
        worst = _most_displaced(chosen, part, hole)
        if worst is None:
            break
        displaced[worst] = True
    used = part.detected.copy()
    used[part.detected] = chosen.fit.used
    return PinholeFit(chosen, part, holes, _count(guess, part, holes, used), displaced)


def _seen(lines: NDArray[np.int_]) -> Mask:
    return lines > _SEEN * np.maximum(lines.max(axis=1, keepdims=True), 1)


def _count(
    guess: DispersionSolution, measured: MeasuredLines, holes: Array, where: Mask
) -> NDArray[np.int_]:
    """Lines per order and hole."""
    row = guess.index(measured.images.order[where])
    hole = np.searchsorted(holes, measured.images.slit_arcsec[where])
    counts = np.bincount(row * len(holes) + hole, minlength=len(guess.orders) * len(holes))
    return counts.reshape(-1, len(holes))


def _most_displaced(
    chosen: ChosenFit, measured: MeasuredLines, hole: NDArray[np.int_]
) -> int | None:
    """Hole whose lines lie furthest off, if that is too far."""
    fit = chosen.fit
    residual, here = fit.solution.across(fit.x_residual, fit.y_residual), hole[measured.detected]
    present = np.unique(here)
    medians = np.array([np.median(residual[here == n]) for n in present])
    others = np.abs(medians - np.median(medians))
    limit = max(_DISPLACED_PX, _KAPPA * 1.48 * float(np.median(others)))
    worst = int(np.argmax(others))
    return int(present[worst]) if others[worst] > limit else None
