"""Lamp flats brought to one exposure level and combined."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.algorithms.frame import DetectorFrame
from soxs_recipes.algorithms.order_table import OrderTable
from soxs_recipes.algorithms.stacking import StackSettings, join_readers, stack
from soxs_recipes.errors import InputError

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

# Light of a pixel over its error from which it helps to tell the level.
_BRIGHT_SN = 20.0
_LEAST_BRIGHT = 1000
# A frame of less than this share of the typical level had no lamp.
_LEAST_LEVEL = 0.1


class NoLightError(InputError):
    """The flats show no light along the orders."""


def exposure_levels(frames: Sequence[DetectorFrame], table: OrderTable, half_px: float) -> Array:
    """Exposure level of each frame relative to their mean.

    Parameters
    ----------
    frames : sequence of DetectorFrame
        Flats of one lamp without background.
    table : OrderTable
        Order centres.
    half_px : float
        Pixels within this distance of a centre are compared.

    Returns
    -------
    ndarray, shape (n,)
        Median ratio of the pixels to those of the first frame, divided by the mean ratio.

    Raises
    ------
    NoLightError
        If the first frame shows no light along the orders.
    """
    first = frames[0]
    lit = _near_centres(table, half_px) & first.good()
    lit &= first.flux > _BRIGHT_SN * first.error
    if np.count_nonzero(lit) < _LEAST_BRIGHT:
        raise NoLightError(
            "The flats show no light along the orders",
            expected=f"pixels of {_BRIGHT_SN:g} times their error or more",
            found=f"{np.count_nonzero(lit)} such pixels",
            remedy="check lamp, slit and exposure time, and that the order table fits",
        )
    reference = first.flux[lit]
    ratio = np.array([np.median(frame.flux[lit] / reference) for frame in frames])
    if ratio.min() < _LEAST_LEVEL * np.median(ratio):
        raise NoLightError(
            "The flats differ: not all of them show light",
            expected="frames of one lamp",
            found=f"levels from {ratio.min():.3g} to {ratio.max():.3g} of the first",
            remedy="leave out the frames without light",
        )
    return ratio / ratio.mean()


def combine_flats(
    frames: Sequence[DetectorFrame], levels: Array, settings: StackSettings
) -> DetectorFrame:
    """Mean of the frames divided by their exposure levels; outliers are rejected.

    A lamp that drifts would else make good values look like outliers. The error is propagated.
    """
    readers = [_scaled_rows(*pair) for pair in zip(frames, levels, strict=True)]
    return stack(join_readers(readers), len(frames), frames[0].shape, settings).frame()


def _scaled_rows(frame: DetectorFrame, level: float) -> Callable[[int, int], tuple]:
    scale = np.float32(1 / level)

    def read(start: int, stop: int) -> tuple[NDArray, NDArray, NDArray]:
        rows = slice(start, stop)
        error = frame.error[rows] * scale
        return frame.flux[rows] * scale, error * error, frame.quality[rows]

    return read


def between_orders(table: OrderTable, guard_px: float) -> Mask:
    """Pixels of the frame that are further than `guard_px` from every order."""
    lower, upper = table.edges()
    return ~_covered(table, lower - guard_px, upper + guard_px)


def inside_orders(table: OrderTable, inset_px: float) -> Mask:
    """Pixels of the frame that lie inside an order, by `inset_px` at least."""
    lower, upper = table.edges()
    return _covered(table, lower + inset_px, upper - inset_px)


def _near_centres(table: OrderTable, half_px: float) -> Mask:
    centres = table.centres()
    return _covered(table, centres - half_px, centres + half_px)


def _covered(table: OrderTable, low: Array, high: Array) -> Mask:
    """Pixels between two curves of any order."""
    mask = np.zeros(table.shape, dtype=bool)
    turned = table.across_first(mask)
    across = np.arange(table.breadth)[:, None]
    for bottom, top in zip(low, high, strict=True):
        first = int(np.clip(np.floor(bottom.min()), 0, table.breadth))
        last = int(np.clip(np.ceil(top.max()) + 1, 0, table.breadth))
        part = across[first:last]
        turned[first:last] |= (part >= bottom) & (part <= top)
    return mask
