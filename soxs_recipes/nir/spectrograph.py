"""The near-infrared spectrograph: a cross-dispersed echelle of 15 orders."""

from __future__ import annotations

from types import MappingProxyType

from soxs_recipes.instrument.spectrograph import Spectrograph

SPECTROGRAPH = Spectrograph(
    pinholes_arcsec=tuple(1.436 * hole for hole in range(-4, 5)),
    slit_length_arcsec=12.0,
    pinhole_fwhm_px=1.8,
    lamps=MappingProxyType(
        {
            "ESO INS ARGO NAME": "Ar",
            "ESO INS MERC NAME": "Hg",
            "ESO INS NEON NAME": "Ne",
            "ESO INS XENO NAME": "Xe",
        }
    ),
    faintest=1.5,
    bright=2.0,
    order_model="echelle",
    centre_degrees=((5, 4), (5, 5), (6, 5)),
    slit_degrees=((3, 3), (2, 2)),
)
