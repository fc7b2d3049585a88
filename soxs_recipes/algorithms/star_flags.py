"""What speaks against the measurement of a star."""

from __future__ import annotations

from enum import IntFlag


class StarFlag(IntFlag):
    """What speaks against the measurement of a star."""

    BLEND = 1
    SATURATED = 2
    BAD_PIXELS = 4
    EDGE = 8
    EXTENDED = 16
    POOR_FIT = 32
    NOT_SEEN = 64


UNFIT = (
    StarFlag.SATURATED
    | StarFlag.BAD_PIXELS
    | StarFlag.EDGE
    | StarFlag.EXTENDED
    | StarFlag.POOR_FIT
    | StarFlag.NOT_SEEN
)
"""Flags of stars that neither positions nor zero points rest on; blends are taken apart."""
