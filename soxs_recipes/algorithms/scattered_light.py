"""Scattered light: a smooth surface through the pixels that the orders leave free."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from soxs_recipes.algorithms.frame import DetectorFrame
from soxs_recipes.algorithms.robust import clipped_statistics, mad_sd

_FEWEST_PIXELS = 8
_CLIP = 3.5


class ScatteredLightError(ValueError):
    """The pixels between the orders do not determine the surface."""


@dataclass(frozen=True)
class SurfaceSettings:
    """How the surface is fitted.

    Parameters
    ----------
    degree_y, degree_x : int
        Degrees of the Chebyshev polynomials.
    box : int
        Side in pixels of the boxes whose clipped means are fitted: cosmic rays do not reach them.
    kappa : float
        Boxes further from the surface are left out, standard deviations.
    rounds : int
        Rounds of rejection.
    """

    degree_y: int = 4
    degree_x: int = 4
    box: int = 16
    kappa: float = 4.0
    rounds: int = 5


@dataclass(frozen=True)
class Background:
    """A surface of scattered light.

    Parameters
    ----------
    frame : DetectorFrame
        The surface and its standard error, which neighbouring pixels share.
    residual_sd : float
        Robust scatter of the boxes about the surface in units of their errors; 1 if it fits.
    used_fraction : float
        Share of the boxes that were used.
    """

    frame: DetectorFrame
    residual_sd: float
    used_fraction: float


def fit_background(
    frame: DetectorFrame,
    between_orders: NDArray[np.bool_],
    settings: SurfaceSettings | None = None,
) -> Background:
    """Fit a smooth surface to the pixels between the orders.

    Parameters
    ----------
    frame : DetectorFrame
        Detrended, in electrons.
    between_orders : ndarray of bool, shape (ny, nx)
        Pixels that no order lights.
    settings : SurfaceSettings, optional
        Degrees, boxes, rejection.

    Returns
    -------
    Background

    Raises
    ------
    ScatteredLightError
        If there are fewer boxes with free pixels than coefficients.

    Notes
    -----
    The error of the surface is propagated from those of the boxes and widened if the boxes scatter
    more than these say.
    """
    settings = settings or SurfaceSettings()
    value, error, y, x = _boxes(frame, between_orders, settings.box)
    design = _design(y, x, frame.shape, settings)
    if len(value) < 2 * design.shape[1]:
        raise ScatteredLightError(
            f"{2 * design.shape[1]} boxes with pixels between the orders are needed, "
            f"found {len(value)}: lower the degree or check the order table"
        )
    weight = 1 / error
    keep = np.ones(len(value), dtype=bool)
    for _ in range(settings.rounds):
        scaled = design[keep] * weight[keep, None]
        solution = np.linalg.lstsq(scaled, (value * weight)[keep], rcond=None)[0]
        pull = (value - design @ solution) * weight
        scatter = max(1.0, float(mad_sd(pull[keep])))
        previous, keep = keep, np.abs(pull) <= settings.kappa * scatter
        if np.array_equal(keep, previous):
            break
    covariance = np.linalg.pinv(scaled.T @ scaled) * scatter**2
    surface, sigma = _surface(solution, covariance, frame.shape, settings)
    quality = np.zeros(frame.shape, dtype=np.uint16)
    return Background(
        DetectorFrame(surface, sigma, quality), float(mad_sd(pull[keep])), float(keep.mean())
    )


def _boxes(
    frame: DetectorFrame, between_orders: NDArray[np.bool_], box: int
) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Clipped mean, its error and mean place of the free pixels of each box."""
    free = between_orders & frame.good()
    rows, columns = (length // box for length in frame.shape)

    def tiles(plane: NDArray) -> NDArray:
        cut = plane[: rows * box, : columns * box].reshape(rows, box, columns, box)
        return cut.swapaxes(1, 2).reshape(rows * columns, box * box)

    free = tiles(free)
    count = free.sum(axis=1)
    enough = count >= _FEWEST_PIXELS
    free, count = free[enough], count[enough]
    flux = np.where(free, tiles(frame.flux)[enough], np.nan)
    # Not the median, which lies below the mean of Poisson counts.
    value = clipped_statistics(flux, axis=1, kappa=_CLIP).mean
    variance = np.sum(tiles(frame.variance)[enough], axis=1, where=free, dtype=float) / count
    error = np.sqrt(variance / count)
    ny, nx = frame.shape
    y = np.broadcast_to(np.arange(ny)[:, None], frame.shape)
    x = np.broadcast_to(np.arange(nx), frame.shape)
    place = [np.sum(tiles(axis)[enough], axis=1, where=free) / count for axis in (y, x)]
    return value.astype(float), error, *place


def _design(
    y: NDArray, x: NDArray, shape: tuple[int, int], settings: SurfaceSettings
) -> NDArray[np.float64]:
    scaled = (2 * place / (length - 1) - 1 for place, length in zip((y, x), shape, strict=True))
    return chebyshev.chebvander2d(*scaled, (settings.degree_y, settings.degree_x))


def _surface(
    solution: NDArray,
    covariance: NDArray,
    shape: tuple[int, int],
    settings: SurfaceSettings,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Surface and standard error on all pixels, from the separable basis."""
    size = (settings.degree_y + 1, settings.degree_x + 1)
    along_y, along_x = (
        chebyshev.chebvander(np.linspace(-1, 1, length), terms - 1)
        for length, terms in zip(shape, size, strict=True)
    )
    surface = along_y @ solution.reshape(size) @ along_x.T
    # The variance is smooth: every eighth row is ample.
    rows = np.linspace(0, shape[0] - 1, 2 + shape[0] // 8)
    coarse = chebyshev.chebvander(2 * rows / (shape[0] - 1) - 1, size[0] - 1)
    variance = np.empty((len(rows), shape[1]))
    for number, row in enumerate(coarse):
        basis = (row[:, None, None] * along_x.T[None]).reshape(-1, shape[1])
        variance[number] = np.einsum("ij,ij->j", basis, covariance @ basis)
    nearest = np.rint(np.arange(shape[0]) / (rows[1] - rows[0])).astype(int)
    sigma = np.sqrt(np.maximum(variance, 0))[np.minimum(nearest, len(rows) - 1)]
    return surface.astype(np.float32), sigma.astype(np.float32)
