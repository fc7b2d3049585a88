"""Which exposures of a nodding sequence stand at position A and which at B."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# A and B are told apart only if they lie further from each other than this.
_LEAST_THROW_ARCSEC = 0.5


class OnePositionError(ValueError):
    """The offsets do not fall into two positions."""


@dataclass(frozen=True)
class NodPositions:
    """Exposures at A, the larger offset along the slit, and at B.

    Attributes
    ----------
    a, b : tuple of int
        Numbers of the exposures.
    """

    a: tuple[int, ...]
    b: tuple[int, ...]

    def pairs(self, times: Sequence[float]) -> list[tuple[int, int]]:
        """Return pairs of one exposure at A and one at B, closest in time first, none used twice.

        Exposures without a partner are left over.
        """
        gaps = sorted((abs(times[i] - times[j]), i, j) for i in self.a for j in self.b)
        pairs: list[tuple[int, int]] = []
        for _, i, j in gaps:
            if not any(i in pair or j in pair for pair in pairs):
                pairs.append((i, j))
        return sorted(pairs, key=min)


def nod_positions(
    offset_arcsec: Sequence[float | None], told: Sequence[str] | None = None
) -> NodPositions:
    """Split a sequence into two positions along the slit.

    The offsets are split at the middle of their range; within a position they may scatter (jitter)
    by less than the gap between the positions. Zero is a position like any other.

    Parameters
    ----------
    offset_arcsec : sequence of float or None
        Cumulative offsets along the slit (SEQ CUMOFF Y).
    told : sequence of str, optional
        'A' or 'B' where a user says so, else empty; those need no offset.

    Raises
    ------
    OnePositionError
        If there is one position only, the offsets cannot be split, or one is missing.
    """
    labels = list(told) if told else [""] * len(offset_arcsec)
    open_ = [k for k, label in enumerate(labels) if not label]
    if open_:
        offsets = np.array(
            [np.nan if offset_arcsec[k] is None else offset_arcsec[k] for k in open_]
        )
        for k, is_a in zip(open_, _is_larger(offsets), strict=True):
            labels[k] = "A" if is_a else "B"
    a, b = (tuple(k for k, label in enumerate(labels) if label == name) for name in "AB")
    if not a or not b:
        raise OnePositionError(f"all {len(labels)} exposures at one position")
    return NodPositions(a, b)


def _is_larger(offsets: np.ndarray) -> np.ndarray:
    if not np.all(np.isfinite(offsets)):
        raise OnePositionError("an exposure without an offset along the slit")
    low, high = offsets.min(), offsets.max()
    if high - low < _LEAST_THROW_ARCSEC:
        raise OnePositionError(f"offsets within {high - low:.2f} arcsec of each other")
    larger = offsets > (low + high) / 2
    gap = offsets[larger].min() - offsets[~larger].max()
    spread = max(np.ptp(offsets[larger]), np.ptp(offsets[~larger]))
    if gap <= spread:
        raise OnePositionError(
            f"offsets that scatter by {spread:.2f} arcsec with a gap of {gap:.2f} arcsec"
        )
    return larger
