"""Emission lines through the slit, measured against a dispersion solution.

Lines are measured on the detector, without resampling: each row across dispersion is a cut through
the slit's image, and the expected tilt is taken out of its coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.algorithms.arc_lines import ArcLines, line_images
from soxs_recipes.algorithms.dispersion import DispersionSolution
from soxs_recipes.algorithms.frame import DetectorFrame
from soxs_recipes.algorithms.line_check_offset import Offset, SlitCentres, fit_offset
from soxs_recipes.algorithms.line_check_profile import Cuts, SlitImages, fit_slit_images
from soxs_recipes.algorithms.line_check_rows import (
    MARGIN_PX,
    CheckSettings,
    Rows,
    cut_rows,
    light_along_slit,
    slit_samples,
)
from soxs_recipes.algorithms.robust import median

Array = NDArray[np.float64]
Ints = NDArray[np.int_]
Mask = NDArray[np.bool_]

# Rows that are fitted together, and the slit positions up to which they are.
_ROWS_TOGETHER = 5
_INNER_ARCSEC = 4.9
_START_SD_PX = 0.65
_USUAL_WIDTH = 0.25
# Rough ends of the slit displace its middle by this in all orders alike.
_SLIT_END_ARCSEC = 0.003
# Offsets further than this are measured again with the solution moved.
_NEAR_PX = 0.3
_LARGEST_OFFSET_PX = 4.0
_LEAST_LINES = 5
_LEAST_SHARE = 0.1
# Lines of another lamp or order that happen to be near scatter by more.
_LARGEST_RMS_PX = 0.5


class TooFewLinesError(ValueError):
    """The frame does not show the lines where the solution has them."""


@dataclass(frozen=True)
class CheckedLines:
    """Lines at several slit positions; one entry each.

    Attributes
    ----------
    line : ndarray of int
        Row of the line in its list.
    order : ndarray of int
        Order number.
    wave_nm, sigma_nm, slit_arcsec : ndarray
        Wavelength with its uncertainty, and slit position.
    x, y : ndarray
        Expected position by the solution given, px.
    tilt : ndarray
        Change of the position along dispersion per pixel across it, at constant wavelength.
    residual_px, residual_error_px : ndarray
        Measured minus expected position along dispersion, at constant position across.
    fwhm_px, resolution : ndarray
        Width along dispersion at constant slit position, the pixel included, and wavelength over
        width.
    snr : ndarray
        Height over its error.
    detected : ndarray of bool
        Measured well, and of the usual width.
    """

    line: Ints
    order: Ints
    wave_nm: Array
    sigma_nm: Array
    slit_arcsec: Array
    x: Array
    y: Array
    tilt: Array
    residual_px: Array
    residual_error_px: Array
    fwhm_px: Array
    resolution: Array
    snr: Array
    detected: Mask


@dataclass(frozen=True)
class LineCheck:
    """Result of a line check.

    Attributes
    ----------
    lines : CheckedLines
        The lines that were looked for.
    used : ndarray of bool
        Which of them entered the offset.
    slit_centres : SlitCentres
        Middle of the slit's image in each order.
    offset : Offset
        Shift of the frame against the solution.
    """

    lines: CheckedLines
    used: Mask
    slit_centres: SlitCentres
    offset: Offset


def check_lines(
    frame: DetectorFrame, solution: DispersionSolution, lines: ArcLines, settings: CheckSettings
) -> LineCheck:
    """Measure lines through the slit and the shift of a frame against a solution.

    Parameters
    ----------
    frame : DetectorFrame
        Slit arc, or a frame with sky lines; detrended.
    solution : DispersionSolution
        The solution to be checked, of the frame's binning.
    lines : ArcLines
        Lines that may be there.
    settings : CheckSettings
        What is measured.

    Raises
    ------
    TooFewLinesError
        If the lines are not where the solution has them, to 4 px.
    """
    chosen = _choose(lines, solution, settings)
    measured, centres = _measure(frame, solution, lines, chosen, settings)
    offset, used = _offset(measured, centres, solution)
    if max(abs(offset.dx_px), abs(offset.dy_px)) > _NEAR_PX:
        moved = solution.shifted(offset.dx_px, offset.dy_px)
        measured, centres = _measure(frame, moved, lines, chosen, settings)
        rest, used = _offset(measured, centres, solution)
        measured, centres = _against(measured, centres, solution, offset)
        offset = rest.moved_by(offset)
    if not offset.along_rms_px < _LARGEST_RMS_PX:
        raise TooFewLinesError(
            f"{offset.lines} lines found, which scatter by {offset.along_rms_px:.2f} px"
        )
    return LineCheck(measured, used, centres, offset)


def _choose(
    lines: ArcLines, solution: DispersionSolution, settings: CheckSettings
) -> tuple[Ints, Ints]:
    """Line and order of the brightest unblended images of each order."""
    low, high = solution.range_nm.min(), solution.range_nm.max()
    within = np.count_nonzero((lines.wave_nm > low) & (lines.wave_nm < high))
    if within < _LEAST_LINES:
        raise TooFewLinesError(f"{_LEAST_LINES} lines needed, {within} in the list")
    width = max(settings.slit_width_px, 2.0)
    images = line_images(lines, solution, width)
    rows, columns = solution.shape
    margin = width + MARGIN_PX
    inside = (images.x > margin) & (images.x < columns - margin)
    inside &= (images.y > margin) & (images.y < rows - margin)
    images = images.select(inside & (images.blend_px < settings.blend_limit_px))
    sort = np.lexsort((-images.strength, images.order))
    order = images.order[sort]
    rank = np.arange(len(order)) - np.searchsorted(order, order)
    keep = sort[rank < settings.lines_per_order]
    if len(keep) < _LEAST_LINES:
        raise TooFewLinesError(f"{_LEAST_LINES} unblended lines needed, {len(keep)} in the list")
    return images.line[keep], images.order[keep]


def _measure(
    frame: DetectorFrame,
    solution: DispersionSolution,
    lines: ArcLines,
    chosen: tuple[Ints, Ints],
    settings: CheckSettings,
) -> tuple[CheckedLines, SlitCentres]:
    line, order = chosen
    wave = lines.wave_nm[line]
    slit = slit_samples(solution, settings)
    rows = cut_rows(frame, solution, order, wave, slit, settings)
    checked = _fit_lines(rows, solution, lines, chosen, slit, settings)
    found = np.count_nonzero(checked.detected)
    if found < max(_LEAST_LINES, _LEAST_SHARE * len(checked.line)):
        raise TooFewLinesError(f"{len(checked.line)} lines looked for, {found} found")
    return checked, _slit_centres(rows, solution, order, checked, settings)


def _fit_lines(
    rows: Rows,
    solution: DispersionSolution,
    lines: ArcLines,
    chosen: tuple[Ints, Ints],
    slit: Array,
    settings: CheckSettings,
) -> CheckedLines:
    """Fit neighbouring rows together."""
    inner = np.flatnonzero(np.abs(slit) < min(_INNER_ARCSEC, settings.slit_length_arcsec / 2 - 1))
    count = len(inner) // _ROWS_TOGETHER
    inner = inner[(len(inner) - count * _ROWS_TOGETHER) // 2 :][: count * _ROWS_TOGETHER]

    def together(plane: Array) -> Array:
        pixels = plane.shape[2]
        return plane[:, inner].reshape(-1, _ROWS_TOGETHER * pixels)

    planes = (rows.offset, rows.flux, rows.variance, rows.good)
    images = fit_slit_images(
        Cuts(*map(together, planes)), max(settings.slit_width_px, 1.0), _START_SD_PX
    )
    place = rows.slit_arcsec[:, inner].reshape(len(rows.flux), count, -1).mean(axis=2).ravel()
    line, order = (np.repeat(part, count) for part in chosen)
    return _checked(images, solution, lines, line, order, place, settings)


def _checked(
    images: SlitImages,
    solution: DispersionSolution,
    lines: ArcLines,
    line: Ints,
    order: Ints,
    slit: Array,
    settings: CheckSettings,
) -> CheckedLines:
    wave = lines.wave_nm[line]
    x, y = solution.to_pixel(order, wave, slit)
    x_wave, y_wave, x_slit, y_slit = solution.jacobian(order, wave, slit)
    tilt = solution.along(x_slit, y_slit) / solution.across(x_slit, y_slit)
    # Rows cut lines at fixed position across dispersion; orders that slope make them wider there.
    stretch = np.abs(1 - tilt * solution.across(x_wave, y_wave) / solution.along(x_wave, y_wave))
    fwhm = images.fwhm / stretch
    detected = (images.snr > settings.min_snr) & np.isfinite(images.centre_error)
    usual = median(np.where(detected, fwhm, np.nan)) if detected.any() else np.nan
    with np.errstate(invalid="ignore"):
        detected &= np.abs(fwhm / usual - 1) < _USUAL_WIDTH
        detected &= np.abs(images.centre) < _LARGEST_OFFSET_PX
    return CheckedLines(
        line=line,
        order=order,
        wave_nm=wave,
        sigma_nm=lines.sigma_nm[line],
        slit_arcsec=slit,
        x=x,
        y=y,
        tilt=tilt,
        residual_px=images.centre,
        residual_error_px=images.centre_error,
        fwhm_px=fwhm,
        resolution=wave / (fwhm * solution.pixel_nm(order, wave, slit)),
        snr=images.snr,
        detected=detected,
    )


def _slit_centres(
    rows: Rows,
    solution: DispersionSolution,
    order: Ints,
    checked: CheckedLines,
    settings: CheckSettings,
) -> SlitCentres:
    """Middle of the slit in each order, from the lines' light along the slit."""
    light, variance, good = light_along_slit(rows, settings)
    shares = checked.detected.reshape(len(order), -1).mean(axis=1)
    found = np.flatnonzero((shares > 0.5) & good.any(axis=1))
    if not len(found):
        none = np.zeros(0)
        return SlitCentres(order[:0], none, none, none, none)
    present, which = np.unique(order[found], return_inverse=True)
    rank = np.arange(len(found)) - np.searchsorted(which, which)
    shape = (len(present), rank.max(initial=0) + 1, rows.slit_arcsec.shape[1])
    planes = [np.zeros(shape) for _ in range(3)] + [np.zeros(shape, bool)]
    for plane, values in zip(planes, (rows.slit_arcsec, light, variance, good), strict=True):
        plane[which, rank] = values[found]
    planes[2][~planes[3]] = 1.0
    cuts = Cuts(*(plane.reshape(len(present), -1) for plane in planes))
    step = float(np.median(np.diff(rows.slit_arcsec, axis=1)))
    ends = fit_slit_images(cuts, settings.slit_length_arcsec, 0.5 * step)
    middle = solution.range_nm[solution.index(present)].mean(axis=1)
    _, _, x_slit, y_slit = solution.jacobian(present, middle)
    scale = solution.across(x_slit, y_slit)
    return SlitCentres(
        order=present,
        centre_arcsec=ends.centre,
        length_arcsec=ends.fwhm,
        shift_px=(ends.centre - settings.slit_centre_arcsec) * scale,
        error_px=ends.centre_error * np.abs(scale),
    )


def _offset(
    checked: CheckedLines, centres: SlitCentres, solution: DispersionSolution
) -> tuple[Offset, Mask]:
    offset, used = fit_offset(
        checked.line * 1000 + checked.order,
        checked.residual_px,
        np.where(checked.detected, checked.residual_error_px, np.inf),
        checked.sigma_nm / solution.pixel_nm(checked.order, checked.wave_nm, checked.slit_arcsec),
        checked.tilt,
        centres,
        solution.dispersion_axis,
    )
    if not len(centres.order):
        return offset, used
    middle = solution.range_nm[solution.index(centres.order)].mean(axis=1)
    _, _, x_slit, y_slit = solution.jacobian(centres.order, middle)
    common = _SLIT_END_ARCSEC * float(np.median(np.abs(solution.across(x_slit, y_slit))))
    across = "dy_error_px" if solution.dispersion_axis == "x" else "dx_error_px"
    return replace(offset, **{across: float(np.hypot(getattr(offset, across), common))}), used


def _against(
    checked: CheckedLines, centres: SlitCentres, solution: DispersionSolution, moved: Offset
) -> tuple[CheckedLines, SlitCentres]:
    """What was measured against a moved solution, as against the solution itself."""
    along = solution.along(moved.dx_px, moved.dy_px)
    across = solution.across(moved.dx_px, moved.dy_px)
    lines = replace(
        checked,
        x=checked.x - moved.dx_px,
        y=checked.y - moved.dy_px,
        residual_px=checked.residual_px + along - checked.tilt * across,
    )
    return lines, replace(centres, shift_px=centres.shift_px + across)
