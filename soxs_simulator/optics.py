"""What the two spectrograph arms are, optically: nominal figures of the instrument.

Where no figure is published the value is an assumption of the simulator and its comment says so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

TELESCOPE_AREA_M2 = np.pi / 4 * (3.58**2 - 0.875**2)
"""Collecting area of the NTT: 3.58 m primary less the 0.875 m secondary."""

PINHOLE_ARCSEC = 0.5
"""Diameter of a pinhole."""

SLIT_WIDTH_ARCSEC = {"SLIT0.5": 0.5, "SLIT1.0": 1.0, "SLIT1.5": 1.5, "SLIT5.0": 5.0}


@dataclass(frozen=True)
class ArmOptics:
    """Optical figures of one arm.

    Attributes
    ----------
    slit_px_per_arcsec : float
        Width of the slit image along dispersion; from the measured widths of arc lines (3.0-3.2 px
        VIS, 3.2-3.6 px NIR through the 1 arcsec slit).
    blur_px : float
        SD of the spectrograph's own image blur along dispersion; with the pinhole's width and the
        pixel it gives the measured 1.6-1.75 px (VIS) and 1.55-1.9 px (NIR) of pinhole lines.
    blur_range : float
        Relative change of the blur from one end of an order to the other (assumed).
    blur_arcsec : float
        SD of the same blur along the slit.
    slit_half_arcsec : float
        Half of the slit length between the measured order edges.
    pinhole_step_arcsec : float
        Distance of the nine holes of the multi-pinhole mask.
    has_adc : bool
        Whether atmospheric dispersion is corrected.
    scatter_fraction, scatter_px : float
        Share of the light found in a smooth pedestal, and that pedestal's SD (assumed).
    pixel_nm : float
        Typical dispersion.
    """

    slit_px_per_arcsec: float
    blur_px: float
    blur_range: float
    blur_arcsec: float
    slit_half_arcsec: float
    pinhole_step_arcsec: float
    has_adc: bool
    scatter_fraction: float
    scatter_px: float
    pixel_nm: float


OPTICS = {
    "VIS": ArmOptics(3.05, 0.52, 0.10, 0.135, 5.75, 1.375, True, 0.010, 120.0, 0.033),
    "NIR": ArmOptics(3.35, 0.50, 0.12, 0.155, 5.95, 1.436, False, 0.015, 150.0, 0.055),
}


def pinhole_positions(arm: str, slit: str) -> np.ndarray:
    """Slit positions (arcsec) of the holes of ``PINHOLE`` or ``MULTPIN``."""
    count = 4 if slit == "MULTPIN" else 0
    return OPTICS[arm].pinhole_step_arcsec * np.arange(-count, count + 1)
