"""What an image of the acquisition camera shows: scale, orientation, where the slit is."""

from __future__ import annotations

SCALE_ARCSEC = 0.205
CENTRE_PX = (511.5, 511.5)
"""0-based pixel (x, y) that the header's position falls on."""

FULL_WELL_E = 130_000.0

# No frame that tells is public: the slit is taken to lie in the middle of the field, along y.
SLIT_CENTRE_PX = CENTRE_PX
SLIT_LENGTH_ARCSEC, SLIT_WIDTH_ARCSEC = 12.0, 1.0

ROTATOR = "ESO ADA ABSROT END"
"""Card of the position angle of the y axis, from north through east (an assumption)."""

AIRMASS = ("ESO TEL AIRM START", "ESO TEL AIRM END")
