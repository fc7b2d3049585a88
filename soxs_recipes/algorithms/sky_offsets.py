"""Which exposures of an offset sequence show the target and which the sky beside it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Positions closer than this are one; pointings that differ by less say nothing.
_SAME_ARCSEC = 2.0


class AmbiguousOffsetsError(ValueError):
    """The offsets do not tell the target from the sky."""


def on_target(
    offset_arcsec: Sequence[tuple[float, float] | None],
    pointing_deg: Sequence[tuple[float, float]],
    target_deg: tuple[float, float] | None = None,
) -> NDArray[np.bool_]:
    """Tell exposures of the target from those of the sky.

    What counts is the distance from the target's own position, never the sign of an offset:

    1. pointings that differ are distances from the target's coordinates, or without them from
       the first exposure, for a template starts on its target;
    2. offsets of which one is zero are distances from the target;
    3. other offsets are moves, each from the exposure before: their running sum is the position
       against the first exposure.

    Parameters
    ----------
    offset_arcsec : sequence of (float, float) or None
        Offsets in RA and DEC as in the headers, in order of time; None where there is none.
    pointing_deg : sequence of (float, float)
        RA and DEC that the telescope pointed at.
    target_deg : (float, float), optional
        RA and DEC of the target.

    Raises
    ------
    AmbiguousOffsetsError
        If no reading shows both target and sky.
    """
    pointing = np.array(pointing_deg, float)
    place = _apart_arcsec(pointing, np.array(target_deg or pointing[0], float))
    if not (np.ptp(place, axis=0) > _SAME_ARCSEC).any():
        place = _by_offsets(offset_arcsec)
    on = np.hypot(*place.T) < _SAME_ARCSEC
    if on.all():
        raise AmbiguousOffsetsError("every exposure on the target")
    if not on.any():
        raise AmbiguousOffsetsError("no exposure on the target")
    return on


def _by_offsets(offset_arcsec: Sequence[tuple[float, float] | None]) -> Array:
    if any(offset is None for offset in offset_arcsec):
        raise AmbiguousOffsetsError("an exposure without offsets")
    offset = np.array(offset_arcsec, float)
    if (np.hypot(*offset.T) < _SAME_ARCSEC).any():
        return offset
    return np.cumsum(offset, axis=0) - offset[0]


def _apart_arcsec(pointing_deg: Array, origin_deg: Array) -> Array:
    """Offsets on the sky, small angles."""
    apart = (pointing_deg - origin_deg + 180.0) % 360.0 - 180.0
    return apart * [np.cos(np.radians(origin_deg[1])), 1.0] * 3600.0
