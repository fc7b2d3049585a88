"""The UV-VIS spectrograph: four quasi-orders, each an imaging system of its own."""

from __future__ import annotations

from types import MappingProxyType

from soxs_recipes.instrument.spectrograph import Spectrograph

SPECTROGRAPH = Spectrograph(
    pinholes_arcsec=tuple(1.375 * hole for hole in range(-4, 5)),
    slit_length_arcsec=12.0,
    pinhole_fwhm_px=1.75,
    lamps=MappingProxyType({"ESO INS THAR NAME": "ThAr"}),
    faintest=2.0,
    bright=3.0,
    order_model="separate",
    centre_degrees=((5, 0), (6, 0), (7, 0)),
    slit_degrees=((2, 0), (0, 0)),
)
