"""Background and stars of an image, by the methods of SExtractor (Bertin & Arnouts 1996).

The work is done by SEP (Barbary 2016).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]
Array = NDArray[np.float64]

# Boxes of the background, px, and boxes over which its level is a median.
_BOX_PX, _FILTER_BOXES = 64, 3
_SIGMA_PER_FWHM = 1 / (2 * np.sqrt(2 * np.log(2)))
# Objects of one crowded frame.
_MOST_OBJECTS, _PIXEL_STACK = 100_000, 1_048_576


@dataclass(frozen=True)
class DetectionSettings:
    """How stars are found.

    Attributes
    ----------
    kappa : float
        Threshold in standard deviations of the image after matched filtering.
    least_pixels : int
        Pixels above the threshold.
    deblend_contrast : float
        Share of a blend's flux that a peak of its own needs.
    """

    kappa: float = 4.5
    least_pixels: int = 4
    deblend_contrast: float = 0.002


@dataclass(frozen=True)
class Detections:
    """Stars as found; one value per star, brightest first.

    Attributes
    ----------
    x, y : ndarray
        0-based pixel of the centre.
    flux, peak : ndarray
        Sum above the threshold, and highest pixel.
    half_light_px : ndarray
        Radius of half the light.
    is_blend : ndarray of bool
        Whether it was separated from another, or touches one.
    """

    x: Array
    y: Array
    flux: Array
    peak: Array
    half_light_px: Array
    is_blend: Mask

    def __len__(self) -> int:
        return len(self.x)

    def chosen(self, which: NDArray) -> Detections:
        """Return some of the stars."""
        return Detections(*(getattr(self, name)[which] for name in self.__dataclass_fields__))


def smooth_background(image: Image, mask: Mask, box_px: int = _BOX_PX) -> Image:
    """Background of an image: clipped modes of boxes, interpolated.

    Parameters
    ----------
    image : ndarray, shape (ny, nx)
        The image.
    mask : ndarray of bool
        Pixels to leave out.
    box_px : int
        Size of the boxes.
    """
    import sep

    data = np.ascontiguousarray(np.where(mask, 0, image), dtype=np.float32)
    made = sep.Background(data, mask=mask, bw=box_px, bh=box_px, fw=_FILTER_BOXES, fh=_FILTER_BOXES)
    return made.back(dtype=np.float32)


def find_stars(
    image: Image,
    error: Image,
    mask: Mask,
    fwhm_px: float,
    settings: DetectionSettings | None = None,
) -> Detections:
    """Find stars in an image after filtering it with the shape of a star.

    Parameters
    ----------
    image, error : ndarray, shape (ny, nx)
        Light above the background and its standard error.
    mask : ndarray of bool
        Pixels to leave out.
    fwhm_px : float
        Width of a star.
    settings : DetectionSettings, optional
        Thresholds.
    """
    import sep

    settings = settings or DetectionSettings()
    sep.set_extract_pixstack(_PIXEL_STACK)
    sep.set_sub_object_limit(_MOST_OBJECTS)
    data = np.ascontiguousarray(np.where(mask, 0, image), dtype=np.float32)
    found = sep.extract(
        data,
        settings.kappa,
        err=np.ascontiguousarray(error, dtype=np.float32),
        mask=mask,
        minarea=settings.least_pixels,
        filter_kernel=gaussian_kernel(fwhm_px),
        filter_type="matched",
        deblend_nthresh=32,
        deblend_cont=settings.deblend_contrast,
    )
    found = found[np.argsort(-found["flux"])]
    radius = np.full(len(found), np.nan)
    if len(found):
        reach = np.full(len(found), 3.0 * fwhm_px)
        radius, _ = sep.flux_radius(
            data, found["x"], found["y"], reach, 0.5, mask=mask, normflux=None
        )
    blend = (found["flag"] & (sep.OBJ_MERGED | sep.OBJ_SINGU)) > 0
    columns = (found[name].astype(float) for name in ("x", "y", "flux", "peak"))
    return Detections(*columns, np.asarray(radius, dtype=float), blend)


def gaussian_kernel(fwhm_px: float) -> NDArray[np.float32]:
    """Gaussian of a width on an odd square that holds all but 1 % of it."""
    sigma = fwhm_px * _SIGMA_PER_FWHM
    half = int(np.ceil(3 * sigma))
    offset = np.arange(-half, half + 1)
    profile = np.exp(-0.5 * (offset / sigma) ** 2)
    return np.outer(profile, profile).astype(np.float32)
