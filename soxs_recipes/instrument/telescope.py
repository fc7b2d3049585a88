"""The telescope: ESO's New Technology Telescope."""

from __future__ import annotations

import math

_PRIMARY_M, _OBSTRUCTION_M = 3.58, 0.875

COLLECTING_AREA_CM2 = math.pi / 4 * (_PRIMARY_M**2 - _OBSTRUCTION_M**2) * 1e4
"""Area of the primary mirror less the shadow of the secondary."""
