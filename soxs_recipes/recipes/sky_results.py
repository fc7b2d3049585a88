"""Products of an exposure without sky, with what was measured on the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from soxs_recipes.algorithms.frame import DetectorFrame
from soxs_recipes.algorithms.parallel import ahead
from soxs_recipes.algorithms.quality import Quality, fraction
from soxs_recipes.algorithms.robust import mad_sd
from soxs_recipes.algorithms.sky_model import SkyModel
from soxs_recipes.products.detector_frames import planes
from soxs_recipes.recipes.base import Result, temperatures
from soxs_recipes.recipes.science_inputs import SKY_MODEL, SKY_SUB
from soxs_recipes.recipes.sky_exposures import (
    Setup,
    SkyExposure,
    fitted_sky,
    prepare,
    without_sky,
)

if TYPE_CHECKING:
    from soxs_recipes.algorithms.flexure import Flexure
    from soxs_recipes.recipes.base import Run
    from soxs_recipes.recipes.frames import InputFrame

# Share of the pixels of the orders that count as lines: the brightest.
_LINES_SHARE = 0.1
# Where this share of an object's light exceeds the noise, its profile rules what is left.
_BRIGHT_SHARE = 0.05
_LEAST_PIXELS = 1000
# Of so many pixels one tells the scatter well enough.
_SPARSE = 5


def without_their_sky(
    run: Run,
    setup: Setup,
    role: str,
    frames: Sequence[InputFrame],
    qc: Mapping[str, float | None] | None = None,
) -> Iterator[Result]:
    """Products of exposures one by one, from raw frames to the sky fitted in each and subtracted.

    While the sky of one is fitted the next is prepared, and the one before is written; nothing
    of those before that stays in memory.
    """

    def fitted(exposure: SkyExposure) -> list[Result]:
        return sky_results(role, exposure, fitted_sky(run, exposure), qc=qc)

    exposures = ahead(partial(prepare, run, setup), frames)
    for results in ahead(fitted, exposures, both_at_once=False):
        while results:
            yield results.pop(0)


def sky_results(
    role: str,
    exposure: SkyExposure,
    model: SkyModel,
    cards: Mapping[str, object] | None = None,
    qc: Mapping[str, float | None] | None = None,
) -> list[Result]:
    """Exposure without sky, and the sky.

    Parameters
    ----------
    role : str
        SCI, FLUX or TELL.
    exposure : SkyExposure
        The exposure.
    model : SkyModel
        Its sky.
    cards : mapping, optional
        Further cards of the primary header.
    qc : mapping, optional
        Further quality-control parameters.
    """
    frame = without_sky(exposure, model)
    sky = DetectorFrame.from_variance(
        model.flux,
        model.variance,
        np.where(model.covered, np.uint16(0), np.uint16(Quality.NO_DATA)),
    )
    tables = {"BEAMS": _beams(exposure), "GEOMETRY": _geometry(exposure.flexure)}
    measured = {**sky_quality(exposure, model), **(qc or {})}
    steps = (*exposure.steps, f"sky fitted with {len(model.objects)} object(s) and subtracted")
    contents = ((SKY_SUB[role], {**planes(frame), **tables}), (SKY_MODEL[role], planes(sky)))
    return [
        Result(
            product,
            content,
            measured,
            exposure.exptime_s,
            steps=steps,
            cards={"": cards or {}},
            frames=exposure.source,
        )
        for product, content in contents
    ]


def sky_quality(exposure: SkyExposure, model: SkyModel) -> dict[str, float | int | None]:
    """Quality-control parameters of a sky subtraction."""
    lines, between = _residual_scatter(exposure, model)
    found = [one for one in model.objects if one.snr > 0]
    brightest = max(found, key=lambda one: one.snr, default=None)
    flexure = exposure.flexure
    return {
        "SKY LEVEL": float(np.median(model.flux[model.covered])),
        "SKY RES LINES": lines,
        "SKY RES BETWEEN": between,
        "SKY PIX FRAC": float(model.used[model.covered].mean()),
        "FLEXURE X": flexure.dx_px,
        "FLEXURE Y": flexure.dy_px,
        "FLEXURE X ERR": flexure.dx_error_px,
        "FLEXURE Y ERR": flexure.dy_error_px,
        "FLEXURE LINES": flexure.lines,
        "FLEXURE BANDS": flexure.bands,
        "N OBJECTS": len(found),
        "OBJECT SLIT": brightest and float(brightest.centre_arcsec[0]),
        "OBJECT FWHM": brightest and float(brightest.fwhm_arcsec),
        "CRH FRAC": fraction(exposure.frame.quality, Quality.COSMIC_RAY),
        **temperatures(exposure.source),
    }


def _residual_scatter(exposure: SkyExposure, model: SkyModel) -> tuple[float, float]:
    """Scatter of fitted pixels in units of what it should be, away from bright objects."""
    used = np.flatnonzero(model.used & ((_BRIGHT_SHARE * model.light) ** 2 < model.pixel_variance))
    if len(used) < _LEAST_PIXELS:
        return float("nan"), float("nan")
    used = used[:: _SPARSE if len(used) > _SPARSE * _LEAST_PIXELS else 1]

    def taken(plane: np.ndarray) -> np.ndarray:
        return plane.reshape(-1)[used]

    sky, variance = taken(model.flux), taken(model.pixel_variance)
    # A pixel pulls the model by the share that the model's variance has in its own.
    expected = np.sqrt(np.maximum(variance - taken(model.light_variance), 0.05 * variance))
    ratio = (taken(exposure.frame.flux) - sky - taken(model.light)) / expected
    bright = sky > np.quantile(sky, 1 - _LINES_SHARE)
    return float(mad_sd(ratio[bright])), float(mad_sd(ratio[~bright]))


def _beams(exposure: SkyExposure) -> np.ndarray:
    shared = exposure.exptime_s, exposure.masters.zero_e, exposure.masters.response
    columns = [("SIGN", "i2")]
    columns += [(name, "f8") for name in ("SLIT", "EXPTIME", "ZERO_ERR", "FLAT_ERR")]
    return np.array([(*beam, *shared) for beam in exposure.beams], columns)


def _geometry(flexure: Flexure) -> np.ndarray:
    shift = (flexure.dx_px, flexure.dy_px, flexure.dx_error_px, flexure.dy_error_px)
    columns = [(name, "f8") for name in ("DX", "DY", "DX_ERR", "DY_ERR")]
    columns += [("LINES", "i4"), ("BANDS", "i4")]
    return np.array([(*shift, flexure.lines, flexure.bands)], columns)
