"""Efficiency of telescope and instrument: blaze, dichroics, detectors.

Levels follow the end-to-end efficiencies published for SOXS (about 0.10, 0.16, 0.22 and 0.24 at
the peaks of u, g, r and i, with deep dips where the bands join, and 0.02-0.20 in the NIR); the
shapes are smooth functions of the simulator. Atmosphere and slit losses are not in it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

BLAZE_CONSTANT_NM = 19480.0
"""Order times blaze wavelength of the NIR echelle grating."""

# Share of the groove that diffracts; shadowing widens the blaze (assumed).
_GROOVE_SHARE = 0.8

_ARM_DICHROIC_NM, _ARM_DICHROIC_WIDTH_NM = 832.0, 6.0

_VIS_BANDS = {
    # order: (peak, peak nm, scale nm, blue edge nm, red edge nm)
    1: (0.220, 608.0, 130.0, 540.0, 672.5),
    2: (0.105, 402.0, 75.0, 352.0, 432.5),
    3: (0.160, 492.0, 100.0, 431.5, 541.5),
    4: (0.245, 752.0, 170.0, 671.5, 1000.0),
}
_BAND_EDGE_WIDTH_NM = 1.6


def efficiency(arm: str, order: int, wave_nm: ArrayLike) -> Array:
    """Electrons per photon that enters the telescope, for one order.

    Parameters
    ----------
    arm : str
        ``VIS`` or ``NIR``.
    order : int
        Order number.
    wave_nm : array_like
        Wavelength.
    """
    wave = np.asarray(wave_nm, float)
    return _vis(order, wave) if arm == "VIS" else _nir(order, wave)


def _vis(order: int, wave: Array) -> Array:
    peak, centre, scale, blue, red = _VIS_BANDS[order]
    edge = 5.0 if order == 2 else _BAND_EDGE_WIDTH_NM
    band = peak * np.sinc((wave - centre) / (2 * scale)) ** 2 * _step(wave - blue, edge)
    return band * _step(red - wave, _BAND_EDGE_WIDTH_NM) * _to_vis(wave)


def _nir(order: int, wave: Array) -> Array:
    blaze = np.sinc(_GROOVE_SHARE * order * (1 - BLAZE_CONSTANT_NM / order / wave)) ** 2
    envelope = 0.19 * np.exp(-0.5 * ((wave - 1350.0) / 620.0) ** 2)
    return envelope * blaze * (1.0 - _to_vis(wave))


def _to_vis(wave: Array) -> Array:
    return _step(_ARM_DICHROIC_NM - wave, _ARM_DICHROIC_WIDTH_NM)


def _step(distance_nm: Array, width_nm: float) -> Array:
    """Smooth step of an interference filter: 0 far below, 1 far above, 10-90 % in 4.4 widths."""
    return 0.5 * (1.0 + np.tanh(0.5 * distance_nm / width_nm))
