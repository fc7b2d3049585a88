"""Products and quality control of soxs_extract."""

from __future__ import annotations

from soxs_recipes.recipes.common import TEMPERATURES
from soxs_recipes.recipes.declarations import Column, Hdu, Qc
from soxs_recipes.recipes.roles import ROLES, role_products

_ORDER = Column("ORDER", "i2", "", "order number")
_WAVE = Column("WAVE", "f8", "nm", "wavelength of the bin's centre, standard air")
_QUAL = Column("QUAL", "i4", "", "quality bit mask, 0 is good")
_SNR = Column("SNR", "f4", "", "signal-to-noise ratio of the bin")

SPECTRUM_ORDERS = role_products(
    "SPECTRUM_ORDERS_{arm}",
    "extracted orders, electrons in EXPTIME",
    (
        Hdu(
            "SPECTRUM",
            "table",
            "",
            "one row per order and pixel along dispersion",
            (
                _ORDER,
                _WAVE,
                Column("WIDTH", "f8", "nm", "width of the bin"),
                Column("FLUX", "f8", "electron", "optimally extracted object on the slit"),
                Column("ERR", "f8", "electron", "standard error of FLUX"),
                _QUAL,
                _SNR,
                Column("SKY", "f8", "electron", "sky under the object, same weights as FLUX"),
                Column("BACKGROUND", "f8", "electron", "light of others there, not in FLUX"),
                Column("BOXCAR", "f8", "electron", "plain sum, light beyond it allowed for"),
                Column("BOXCAR_ERR", "f8", "electron", "standard error of BOXCAR"),
                Column("BLAZE", "f8", "", "blaze summed along the slit, maximum 1, NaN: unknown"),
            ),
        ),
        Hdu(
            "COVARIANCE",
            "table",
            "",
            "one row per order",
            (
                _ORDER,
                Column("FACTOR", "f8", "", "variance of sums of 20 bins over sum of variances"),
            ),
        ),
    ),
)
SPECTRUM_1D = role_products(
    "SPECTRUM_1D_{arm}",
    "orders combined: relative counts, divided by the blaze",
    (
        Hdu(
            "SPECTRUM",
            "table",
            "",
            "one row per bin of the grid",
            (
                _WAVE,
                Column("FLUX", "f8", "electron s-1 nm-1", "object over blaze per nm, its peak 1"),
                Column("ERR", "f8", "electron s-1 nm-1", "standard error of FLUX"),
                _QUAL,
                _SNR,
                Column("SKY", "f8", "electron s-1 nm-1", "sky under the object"),
                Column("COVAR", "f8", "", "variance of sums of 20 bins over sum of variances"),
            ),
        ),
    ),
)
OBJECT_TAB = role_products(
    "OBJECT_TAB_{arm}",
    "objects on the slit, and the trace of the one that was extracted",
    (
        Hdu(
            "OBJECTS",
            "table",
            "",
            "one row per object, the brightest first",
            (
                Column("SLIT", "f8", "arcsec", "slit position in the first exposure"),
                Column("FLUX", "f8", "electron", "mean per pixel along dispersion"),
                Column("SNR", "f8", "", "significance of the detection; 0: position was given"),
                Column("FWHM", "f8", "arcsec", "width along the slit"),
                Column("KIND", "U8", "", "POINT, EXTENDED, or GIVEN where none was found"),
                Column("USED", "i2", "", "1: extracted"),
            ),
        ),
        Hdu(
            "TRACE",
            "table",
            "",
            "trace in the first exposure",
            (
                _ORDER,
                Column("WAVE", "f8", "nm", "wavelength, standard air"),
                Column("SLIT", "f8", "arcsec", "slit position"),
                Column("FWHM", "f8", "arcsec", "width along the slit"),
            ),
        ),
        Hdu(
            "PROFILE",
            "table",
            "",
            "light along the slit, mean of all orders and exposures",
            (
                Column("SLIT", "f8", "arcsec", "slit position in the first exposure"),
                Column("FLUX", "f8", "electron arcsec-1", "per pixel along dispersion"),
                Column("ERR", "f8", "electron arcsec-1", "standard error of FLUX"),
            ),
        ),
    ),
)
EXTRACTION_PRODUCTS = tuple(
    kind[role] for role in ROLES for kind in (SPECTRUM_ORDERS, SPECTRUM_1D, OBJECT_TAB)
)

_TRACE_RESIDUALS = tuple(
    Qc(f"{axis} RES {name}", "px", text, arms=(arm,))
    for axis, arm in (("X", "VIS"), ("Y", "NIR"))
    for name, text in (
        ("MIN", "smallest trace residual"),
        ("MAX", "largest trace residual"),
        ("SD", "SD of the trace residuals"),
        ("MEDIAN", "median absolute trace residual"),
    )
)
EXTRACTION_QC = (
    Qc("N ORDERS", "", "orders with light of the object", int),
    Qc("N OBJECTS", "", "objects found on the slit", int),
    Qc("N BEAMS", "", "images of the object combined", int),
    Qc("SNR MEDIAN", "", "median signal-to-noise ratio per pixel"),
    Qc("OBJECT SLIT", "arcsec", "slit position, first exposure"),
    Qc("OBJECT SNR", "", "significance of its detection"),
    Qc("OBJECT FWHM", "arcsec", "FWHM along slit, mid-arm"),
    Qc("SEEING", "arcsec", "FWHM of the disc at 500 nm"),
    Qc("OBJECT TRACED", "", "whether its own trace was measured", bool),
    Qc("SLIT FRAC", "", "share of its profile within slit ends"),
    Qc("BACKGROUND FRAC", "", "light of others over that of the object"),
    Qc("BACKGROUND ERR", "", "relative error they bring to all bins"),
    Qc("BEAM LEVEL SD", "", "SD of the levels of the beams"),
    Qc("SAMPLES TOT NUM", "", "samples along the orders", int),
    Qc("SAMPLES DET NUM", "", "samples with the object detected", int),
    Qc("SAMPLES DET FRAC", "", "fraction detected"),
    Qc("SAMPLES CLIP NUM", "", "samples clipped in the trace fit", int),
    Qc("SAMPLES CLIP FRAC", "", "fraction clipped"),
    *_TRACE_RESIDUALS,
    Qc("REJPIX FRAC", "", "pixels rejected against the profile"),
    Qc("COVAR FACTOR", "", "variance of sums relative to bins"),
    *TEMPERATURES,
)
