"""Shift of a frame against a dispersion solution, from line residuals and the slit's middle."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.algorithms.robust import mad_sd

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

_ROUNDS = 12
_CAUCHY = 2.4
_KAPPA = 4.0
_SMALLEST_FLOOR_PX = 0.003


@dataclass(frozen=True)
class SlitCentres:
    """Middle of the slit's image, per order that has it.

    Attributes
    ----------
    order : ndarray of int
        Order number.
    centre_arcsec, length_arcsec : ndarray
        Slit position of the middle, and length at half level.
    shift_px, error_px : ndarray
        Displacement across dispersion, and its standard error.
    """

    order: NDArray[np.int_]
    centre_arcsec: Array
    length_arcsec: Array
    shift_px: Array
    error_px: Array


@dataclass(frozen=True)
class Offset:
    """Shift of a frame: what is at (x, y) by the solution is seen at (x + dx, y + dy).

    Attributes
    ----------
    dx_px, dy_px, dx_error_px, dy_error_px : float
        Shift and its standard error.
    along_rms_px : float
        Scatter of the lines about it, along dispersion.
    lines : int
        Number of lines it rests on.
    """

    dx_px: float
    dy_px: float
    dx_error_px: float
    dy_error_px: float
    along_rms_px: float
    lines: int

    def moved_by(self, other: Offset) -> Offset:
        """Return the sum of both shifts, with the errors of this one."""
        return replace(self, dx_px=self.dx_px + other.dx_px, dy_px=self.dy_px + other.dy_px)


def fit_offset(
    line: NDArray[np.int_],
    residual_px: Array,
    error_px: Array,
    wave_error_px: Array,
    tilt: Array,
    centres: SlitCentres,
    dispersion_axis: str,
) -> tuple[Offset, Mask]:
    """Robust least squares for the shift along and across dispersion.

    A line seen at fixed position across dispersion moves by ``along - tilt * across``; the middle
    of the slit moves by ``across``. Lines of one number share the error of their wavelength, so
    their measurements are averaged first.

    Parameters
    ----------
    line : ndarray of int, shape (n,)
        Number of the line in its order.
    residual_px, error_px : ndarray, shape (n,)
        Measured minus expected position along dispersion; infinite errors are left out.
    wave_error_px : ndarray, shape (n,)
        Uncertainty of the listed wavelength.
    tilt : ndarray, shape (n,)
        Change along dispersion per pixel across.
    centres : SlitCentres
        The slit's middle.
    dispersion_axis : {'x', 'y'}
        Which of dx and dy is along dispersion.

    Returns
    -------
    offset : Offset
        The shift.
    used : ndarray of bool, shape (n,)
        Measurements of lines that were kept.
    """
    usable = np.isfinite(error_px) & np.isfinite(residual_px)
    group = np.unique(line, return_inverse=True)[1]
    weight = np.where(usable, 1 / np.where(usable, error_px, 1.0) ** 2, 0.0)
    total = np.bincount(group, weight)
    seen = total > 0

    def averaged(values: Array) -> Array:
        summed = np.bincount(group, np.where(usable, values, 0.0) * weight)
        return summed[seen] / total[seen]

    along, slope, listed = (averaged(values) for values in (residual_px, tilt, wave_error_px))
    known = np.isfinite(centres.shift_px) & np.isfinite(centres.error_px)
    design = np.vstack(
        [
            np.stack([np.ones_like(slope), -slope], axis=1),
            np.stack([np.zeros(known.sum()), np.ones(known.sum())], axis=1),
        ]
    )
    values = np.concatenate([along, centres.shift_px[known]])
    errors = np.concatenate([np.hypot(1 / np.sqrt(total[seen]), listed), centres.error_px[known]])
    is_line = np.arange(len(values)) < len(along)
    shift, covariance, kept = _robust(design, values, errors, is_line)
    residual = (values - design @ shift)[is_line & kept]
    sigma = np.sqrt(np.diag(covariance))
    order = (0, 1) if dispersion_axis == "x" else (1, 0)
    (dx, dy), (dx_error, dy_error) = shift[list(order)], sigma[list(order)]
    kept_group = np.zeros(len(total), bool)
    kept_group[seen] = kept[is_line]
    rms = float(np.sqrt(np.mean(residual**2))) if len(residual) else float("nan")
    offset = Offset(float(dx), float(dy), float(dx_error), float(dy_error), rms, len(residual))
    return offset, kept_group[group] & usable


def _robust(
    design: Array, values: Array, errors: Array, is_line: Mask
) -> tuple[Array, Array, Mask]:
    """Reweighted least squares; each kind of datum gets the scatter that its residuals show."""
    sigma, kept = np.hypot(errors, 0.05), np.ones(len(values), bool)
    soft = np.ones(len(values))
    for step in range(_ROUNDS):
        weight = kept * soft / sigma
        weighted = design * weight[:, None]
        normal = weighted.T @ weighted
        shift = np.linalg.lstsq(normal, weighted.T @ (values * weight), rcond=1e-12)[0]
        residual = values - design @ shift
        for kind in (is_line, ~is_line):
            sigma[kind] = np.hypot(errors[kind], _floor(residual[kind & kept], errors[kind & kept]))
        pull = np.abs(residual) / sigma
        soft = 1 / np.sqrt(1 + (pull / _CAUCHY) ** 2) if step < _ROUNDS // 2 else 1.0
        if step >= _ROUNDS // 2:
            kept = pull < _KAPPA
    return shift, np.linalg.pinv(normal), kept


def _floor(residual: Array, error: Array) -> float:
    """Scatter beyond the errors."""
    if len(residual) < 3:
        return _SMALLEST_FLOOR_PX
    excess = float(mad_sd(residual)) ** 2 - float(np.median(error)) ** 2
    return float(np.sqrt(max(excess, _SMALLEST_FLOOR_PX**2)))
