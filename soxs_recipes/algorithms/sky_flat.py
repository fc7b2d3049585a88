"""Flats of the sky or of a dome for a camera: brought to one level, freed of stars, combined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, gaussian_filter

from soxs_recipes.algorithms.bad_pixels import find_outliers
from soxs_recipes.algorithms.frame import DetectorFrame, Image
from soxs_recipes.algorithms.quality import Quality
from soxs_recipes.algorithms.robust import percentile_sd
from soxs_recipes.algorithms.stacking import StackSettings, stack_arrays
from soxs_recipes.errors import InputError

Mask = NDArray[np.bool_]

# Boxes in which planes are fitted and levels compared, px.
_BOX = 32
# Gaussian SD of the smoothing in which the wings of stars show, px, and how far they reach beyond.
_SMOOTHING_PX = 2.5
_REACH_PX = 8
# A response beyond this many times its surroundings is no response of a working pixel.
_HIGH_RESPONSE = 1.2


class FlatLevelError(InputError):
    """A flat has no light worth the name, or is full."""


@dataclass(frozen=True)
class SkyFlatSettings:
    """How flats are combined and judged.

    Parameters
    ----------
    stacking : StackSettings
        How frames are combined.
    least_level_e : float
        Median signal below which a frame is refused.
    star_kappa : float
        Smoothed excess over the other frames, in standard deviations, that is a star.
    low_below, cold_below : float
        Response relative to the surroundings below which a pixel is bad, or dead.
    """

    stacking: StackSettings = field(default_factory=StackSettings)
    least_level_e: float = 1000.0
    star_kappa: float = 4.0
    low_below: float = 0.8
    cold_below: float = 0.5


@dataclass(frozen=True)
class SkyFlat:
    """A combined flat.

    Attributes
    ----------
    frame : DetectorFrame
        Response of the pixels and illumination, median 1.
    levels_e : ndarray
        Median signal of each frame.
    star_fraction : float
        Share of the values that were left out because of stars.
    scatter : float
        Standard deviation of the response from pixel to pixel.
    slope_error : float
        Standard error of the relative change of the illumination from the middle to an edge along
        one axis: what the frames' gradients, which are the sky's own, leave in their mean.
    """

    frame: DetectorFrame
    levels_e: NDArray[np.float64]
    star_fraction: float
    scatter: float
    slope_error: float


def combine_sky_flats(
    frames: Sequence[DetectorFrame], settings: SkyFlatSettings | None = None
) -> SkyFlat:
    """Combine flats whose level, gradient and stars differ from frame to frame.

    Each frame is divided by its level and by a plane that brings its gradient to the mean of all;
    what then stands out above the median of all frames after smoothing is a star and is left out.

    Parameters
    ----------
    frames : sequence of DetectorFrame
        Detrended flats of one filter, electrons; three or more, or stars stay.
    settings : SkyFlatSettings, optional
        Thresholds.

    Raises
    ------
    FlatLevelError
        If a frame is too faint or saturated in most of its pixels.
    """
    settings = settings or SkyFlatSettings()
    levels = np.array([_level(frame, settings) for frame in frames])
    scaled = [frame.times(1 / level) for frame, level in zip(frames, levels, strict=True)]
    scaled, slope_error = _levelled(scaled)
    flux = np.stack([frame.flux for frame in scaled])
    quality = np.stack([frame.quality for frame in scaled])
    stars = _stars(flux, quality, settings.star_kappa)
    quality[stars] |= np.uint16(Quality.REJECTED)
    variance = np.stack([frame.variance for frame in scaled])
    combined = stack_arrays(flux, variance, quality, settings.stacking).frame()
    combined = combined.times(1 / float(np.median(combined.flux[combined.good()])))
    frame, scatter = _with_bad_pixels(combined, settings)
    return SkyFlat(frame, levels, float(stars.mean()), scatter, slope_error)


def _level(frame: DetectorFrame, settings: SkyFlatSettings) -> float:
    good = frame.good()
    level = float(np.median(frame.flux[good])) if good.mean() > 0.5 else float("nan")
    if not level >= settings.least_level_e:
        full = float(np.mean((frame.quality & np.uint16(Quality.SATURATED)) > 0))
        raise FlatLevelError(
            "A flat is too faint or too bright",
            expected=f"{settings.least_level_e:g} electrons or more in unsaturated pixels",
            found=f"{100 * full:.0f} % saturated" if full > 0.5 else f"{level:.0f} electrons",
            remedy="leave it out",
        )
    return level


def _levelled(frames: Sequence[DetectorFrame]) -> tuple[list[DetectorFrame], float]:
    """Divide each frame by the plane in which its gradient differs from the mean of all.

    The standard error of the mean gradient along an axis is returned, too.
    """
    planes = np.array([_plane(frame) for frame in frames])
    planes[:, 1:] -= planes[:, 1:].mean(axis=0)
    degrees = len(frames) * (len(frames) - 1)
    error = float(np.sqrt(np.sum(planes[:, 1:] ** 2) / 2 / degrees)) if degrees else 0.0
    ny, nx = frames[0].shape
    x, y = np.linspace(-1, 1, nx, dtype="f4"), np.linspace(-1, 1, ny, dtype="f4")[:, None]
    result = []
    for frame, (_, along_x, along_y) in zip(frames, planes.astype("f4"), strict=True):
        model = 1 + along_x * x + along_y * y
        result.append(DetectorFrame(frame.flux / model, frame.error / model, frame.quality))
    return result, error


def _plane(frame: DetectorFrame) -> NDArray[np.float64]:
    """Plane through medians of boxes: level and change from the centre to the edges."""
    rows, columns = (size // _BOX for size in frame.shape)
    cut = frame.flux[: rows * _BOX, : columns * _BOX]
    boxes = cut.reshape(rows, _BOX, columns, _BOX).swapaxes(1, 2).reshape(rows, columns, -1)
    values = np.median(boxes[..., ::7], axis=-1)
    y, x = np.mgrid[-1 : 1 : 1j * rows, -1 : 1 : 1j * columns]
    design = np.column_stack([np.ones(values.size), x.ravel(), y.ravel()])
    return np.linalg.lstsq(design, values.ravel() / np.median(values), rcond=None)[0]


def _stars(flux: NDArray[np.float32], quality: NDArray[np.uint16], kappa: float) -> Mask:
    """Pixels of each frame in which a star shines; shape (n, ny, nx)."""
    if len(flux) < 3:
        return np.zeros(flux.shape, dtype=bool)
    typical = np.median(flux, axis=0)
    usable = typical > 0.2
    bad = np.any(quality, axis=0) | ~usable
    stars = np.empty(flux.shape, dtype=bool)
    disc = np.hypot(*np.mgrid[-_REACH_PX : _REACH_PX + 1, -_REACH_PX : _REACH_PX + 1]) <= _REACH_PX
    for index, image in enumerate(flux):
        excess = np.divide(image, typical, out=np.ones_like(typical), where=usable) - 1
        excess[bad] = 0
        smooth = gaussian_filter(excess, _SMOOTHING_PX)
        limit = kappa * float(percentile_sd(smooth[::3, ::3])) + float(np.median(smooth))
        stars[index] = binary_dilation(smooth > limit, disc)
    return stars


def _with_bad_pixels(flat: DetectorFrame, settings: SkyFlatSettings) -> tuple[DetectorFrame, float]:
    """Flag pixels with little or too much response; return the scatter of the others."""
    surroundings = find_outliers(flat.flux, flat.variance, flat.good()).background
    relative = flat.flux / np.maximum(surroundings, np.float32(1e-3))
    wrong = (relative < settings.low_below) | (relative > _HIGH_RESPONSE)
    flat = flat.flag(wrong, Quality.BAD_PIXEL).flag(relative < settings.cold_below, Quality.DEAD)
    good = flat.good()
    noise = float(np.median(flat.error[good]))
    scatter = float(percentile_sd(_part(relative, good)))
    return flat, float(np.sqrt(max(scatter**2 - noise**2, 0.0)))


def _part(image: Image, good: Mask) -> Image:
    return image[::3, ::3][good[::3, ::3]]
