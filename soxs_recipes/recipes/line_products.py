"""Arc lines as the fit of a dispersion solution leaves them: table and quality control."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from soxs_recipes.recipes.declarations import Column, Hdu, Qc

if TYPE_CHECKING:
    import numpy as np
    from astropy.table import Table

    from soxs_recipes.algorithms.arc_lines import ArcLines
    from soxs_recipes.algorithms.dispersion import DispersionSolution
    from soxs_recipes.algorithms.dispersion_fit import DispersionFit
    from soxs_recipes.algorithms.dispersion_lines import MeasuredLines

LINES_HDU = Hdu(
    "LINES",
    "table",
    "",
    "one row per line, order and pinhole that was looked for",
    (
        Column("ORDER", "i2", "", "order number"),
        Column("WAVE", "f8", "nm", "listed wavelength, standard air"),
        Column("SLIT", "f8", "arcsec", "slit position of the pinhole"),
        Column("ION", "8A", "", "what emits the line"),
        Column("X", "f8", "pixel", "measured position; NaN where nothing could be fitted"),
        Column("Y", "f8", "pixel", "measured position"),
        Column("X_ERR", "f8", "pixel", "standard error of X"),
        Column("Y_ERR", "f8", "pixel", "standard error of Y"),
        Column("X_FIT", "f8", "pixel", "position by the solution"),
        Column("Y_FIT", "f8", "pixel", "position by the solution"),
        Column("FWHM_X", "f8", "pixel", "width in x, with the pixel's"),
        Column("FWHM_Y", "f8", "pixel", "width in y, with the pixel's"),
        Column("SNR", "f8", "", "height over its error"),
        Column("DETECTED", "i2", "", "1: measured well enough to be fitted"),
        Column("USED", "i2", "", "1: the solution rests on it"),
    ),
)

_AXES = ("X", "Y", "XY")
LINE_QC = (
    Qc("DETLINES TOT", "", "lines looked for", int),
    Qc("DETLINES NUM", "", "lines detected", int),
    Qc("DETLINES FRAC", "", "fraction detected"),
    Qc("DETLINES CLIP NUM", "", "detected lines rejected by the fit", int),
    Qc("GOODLINES FRAC", "", "fraction detected and not rejected"),
    *(
        Qc(f"{axis} RES {name}", "px", f"{word} abs. residual, {axis.lower()}")
        for axis in _AXES
        for name, word in (
            ("MIN", "least"),
            ("MAX", "largest"),
            ("MEDIAN", "median"),
            ("SD", "SD of"),
        )
    ),
    *(Qc(f"{axis} RES RMS", "px", f"rms residual, {axis.lower()}") for axis in _AXES),
    *(
        Qc(f"{axis} DIFF {name}", "px", f"{word} shift from guess, {axis.lower()}")
        for axis in _AXES
        for name, word in (("MEDIAN", "median"), ("SD", "SD of"))
    ),
    Qc("FWHM PIN MEDIAN", "px", "median width of lines"),
    Qc("FWHM PIN SD", "px", "SD of the width of lines"),
    Qc("R PIN MEDIAN", "", "median resolving power"),
    Qc("R PIN SD", "", "SD of the resolving power"),
)


@dataclass(frozen=True)
class FittedLines:
    """Lines that were looked for and the fit to those that were detected.

    Attributes
    ----------
    measured : MeasuredLines
        All lines; `detected` says which entered the fit.
    fit : DispersionFit
        The fit to these.
    lines : ArcLines
        The list they come from.
    guess : DispersionSolution
        Where the search started.
    """

    measured: MeasuredLines
    fit: DispersionFit
    lines: ArcLines
    guess: DispersionSolution

    @property
    def used(self) -> np.ndarray:
        """Lines that the solution rests on."""
        used = self.measured.detected.copy()
        used[used] = self.fit.used
        return used


def line_table(fitted: FittedLines) -> Table:
    """Content of the extension LINES."""
    from astropy.table import Table

    images, spots = fitted.measured.images, fitted.measured.spots
    x, y = fitted.fit.solution.to_pixel(images.order, images.wave_nm, images.slit_arcsec)
    return Table(
        {
            "ORDER": images.order.astype("i2"),
            "WAVE": images.wave_nm,
            "SLIT": images.slit_arcsec,
            "ION": fitted.lines.ion[images.line].astype("U8"),
            "X": spots.x,
            "Y": spots.y,
            "X_ERR": spots.x_error,
            "Y_ERR": spots.y_error,
            "X_FIT": x,
            "Y_FIT": y,
            "FWHM_X": spots.fwhm_x_px,
            "FWHM_Y": spots.fwhm_y_px,
            "SNR": spots.snr,
            "DETECTED": fitted.measured.detected.astype("i2"),
            "USED": fitted.used.astype("i2"),
        }
    )


def line_quality(fitted: FittedLines) -> dict[str, float]:
    """Values of `LINE_QC`; residuals and widths are those of the lines that were used."""
    import numpy as np

    used, measured, solution = fitted.used, fitted.measured, fitted.fit.solution
    images, spots = measured.images.select(used), measured.spots
    place = (images.order, images.wave_nm, images.slit_arcsec)
    seen = np.stack([spots.x[used], spots.y[used]])
    fwhm_px = solution.along(spots.fwhm_x_px, spots.fwhm_y_px)[used]
    resolution = images.wave_nm / (fwhm_px * solution.pixel_nm(*place))
    detected, good = np.count_nonzero(measured.detected), np.count_nonzero(used)
    return {
        "DETLINES TOT": len(used),
        "DETLINES NUM": detected,
        "DETLINES FRAC": detected / len(used),
        "DETLINES CLIP NUM": detected - good,
        "GOODLINES FRAC": good / len(used),
        **_distances("RES", seen - solution.to_pixel(*place)),
        **_scatter("DIFF", seen - fitted.guess.to_pixel(*place)),
        "FWHM PIN MEDIAN": np.median(fwhm_px),
        "FWHM PIN SD": np.std(fwhm_px),
        "R PIN MEDIAN": np.median(resolution),
        "R PIN SD": np.std(resolution),
    }


def _distances(word: str, difference: np.ndarray) -> dict[str, float]:
    """Statistics of residuals in x, in y and combined."""
    import numpy as np

    values = _scatter(word, difference)
    for axis, distance in _absolute(difference).items():
        values[f"{axis} {word} MIN"] = distance.min()
        values[f"{axis} {word} MAX"] = distance.max()
        values[f"{axis} {word} RMS"] = np.sqrt(np.mean(distance**2))
    return values


def _scatter(word: str, difference: np.ndarray) -> dict[str, float]:
    """Median and SD of absolute differences in x, in y and combined."""
    import numpy as np

    values = {}
    for axis, distance in _absolute(difference).items():
        values[f"{axis} {word} MEDIAN"] = np.median(distance)
        values[f"{axis} {word} SD"] = np.std(distance)
    return values


def _absolute(difference: np.ndarray) -> dict[str, np.ndarray]:
    import numpy as np

    return {"X": abs(difference[0]), "Y": abs(difference[1]), "XY": np.hypot(*difference)}
