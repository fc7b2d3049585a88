"""Objects on the slit and their traces, to and from FITS tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.algorithms.object_extraction import ExtractedObject, SlitView
from soxs_recipes.algorithms.object_search import SlitObject
from soxs_recipes.algorithms.object_trace import Measurements, Trace, fit_curve
from soxs_recipes.products.table_input import read_columns
from soxs_recipes.products.table_rows import table_rows

OBJECTS, TRACE, PROFILE = "OBJECTS", "TRACE", "PROFILE"

# Rows of the trace per order, and the degree with which it is read back.
_TRACE_ROWS, _TRACE_DEGREE = 33, 6


def object_tables(
    view: SlitView, used: SlitObject, extracted: ExtractedObject
) -> dict[str, NDArray[np.void]]:
    """Content of an OBJECT_TAB product.

    Parameters
    ----------
    view : SlitView
        All objects.
    used : SlitObject
        The one that was extracted; it need not have been found.
    extracted : ExtractedObject
        Its spectrum and trace; the trace of the first beam is written.
    """
    objects = list(view.objects) + ([] if used in view.objects else [used])
    return {
        OBJECTS: table_rows(
            {
                "SLIT": [one.offset_arcsec + view.origin_arcsec for one in objects],
                "FLUX": [one.flux for one in objects],
                "SNR": [one.snr for one in objects],
                "FWHM": [one.fwhm_arcsec for one in objects],
                "KIND": np.array([one.kind if one.snr > 0 else "GIVEN" for one in objects], "U8"),
                "USED": np.array([one == used for one in objects], "i2"),
            }
        ),
        TRACE: _trace(view, extracted.beams[0].model.trace),
        PROFILE: table_rows(
            {
                "SLIT": view.profile.offset_arcsec + view.origin_arcsec,
                "FLUX": view.profile.flux,
                "ERR": view.profile.error,
            }
        ),
    }


def read_trace(path: Path) -> Trace:
    """Read the trace of an OBJECT_TAB product.

    Raises
    ------
    UnreadableFrameError
        If the file has no trace.
    """
    names = ("ORDER", "WAVE", "SLIT", "FWHM")
    columns, _ = read_columns(path, TRACE, names, "soxs_extract")
    order, wave = columns["ORDER"].astype(int), columns["WAVE"].astype(float)
    range_nm = (float(wave.min()), float(wave.max()))

    def curve(value: np.ndarray, degree: int) -> object:
        points = Measurements(order, wave, value, np.full(len(wave), 1e-3))
        return fit_curve(points, range_nm, degree, 0.0, by_order=True).curve

    slit, fwhm = columns["SLIT"].astype(float), columns["FWHM"].astype(float)
    return Trace(curve(slit, _TRACE_DEGREE), curve(np.log(fwhm), 2))


def _trace(view: SlitView, trace: Trace) -> NDArray[np.void]:
    parts: list[Sequence[np.ndarray]] = []
    for pixels in view.pixels[0]:
        wave = np.linspace(pixels.wave_nm.min(), pixels.wave_nm.max(), _TRACE_ROWS)
        centre, fwhm = trace.at(pixels.order, wave)
        parts.append((np.full(len(wave), pixels.order, "i2"), wave, centre, fwhm))
    columns = zip(*parts, strict=True)
    names = ("ORDER", "WAVE", "SLIT", "FWHM")
    return table_rows(dict(zip(names, map(np.concatenate, columns), strict=True)))
