"""Extensions of the products that hold a dispersion solution."""

from __future__ import annotations

from soxs_recipes.recipes.declarations import Column, Hdu

_SERIES = "12f8"

DISPERSION_HDUS = (
    Hdu(
        "SOLUTION",
        "table",
        "",
        "one row per order: position = sum of Tk(slit / 6 arcsec) times series k in wavelength",
        (
            Column("ORDER", "i2", "", "order number"),
            Column("CENTRE", "f8", "nm", "wavelength (standard air) that is 0 in the series"),
            Column("HALF", "f8", "nm", "from there to the wavelength that is 1"),
            Column("RANGE_FIRST", "f8", "nm", "shortest wavelength on the detector"),
            Column("RANGE_LAST", "f8", "nm", "longest one"),
            Column("FITTED_FIRST", "f8", "nm", "shortest fitted wavelength"),
            Column("FITTED_LAST", "f8", "nm", "longest one; positions beyond are extrapolated"),
            *(
                Column(f"{axis}{k}", _SERIES, "pixel", f"series {k} of {axis.lower()}, Chebyshev's")
                for axis in "XY"
                for k in range(4)
            ),
        ),
    ),
    Hdu(
        "FRAME",
        "table",
        "",
        "the trimmed frame, zero-based pixels, one row",
        (
            Column("ARM", "3A", "", "arm"),
            Column("ROWS", "i4", "pixel", "rows"),
            Column("COLUMNS", "i4", "pixel", "columns"),
            Column("AXIS", "1A", "", "axis along which wavelength runs, x or y"),
        ),
    ),
)
