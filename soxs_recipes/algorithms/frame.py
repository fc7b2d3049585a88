"""The one image with error and quality that all steps pass on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from soxs_recipes.algorithms.bands import row_bands
from soxs_recipes.algorithms.quality import UNUSABLE, Quality, QualityArray, has

Image = NDArray[np.float32]


class FrameShapeError(ValueError):
    """The planes of a detector frame, or two frames, differ in shape."""


@dataclass(frozen=True)
class DetectorFrame:
    """An image with its 1-sigma error and quality mask.

    Parameters
    ----------
    flux : ndarray of float32, shape (ny, nx)
        Signal; electrons once the frame is detrended.
    error : ndarray of float32, shape (ny, nx)
        Standard deviation of `flux`, same unit.
    quality : ndarray of uint16, shape (ny, nx)
        Bits as named in `Quality`.

    Raises
    ------
    FrameShapeError
        If the planes are not two-dimensional and of one shape.

    Notes
    -----
    Planes of another type are converted; those of the right type are taken without a copy.
    Operations between frames add variances, which assumes independent errors.
    """

    flux: Image
    error: Image
    quality: QualityArray

    def __post_init__(self) -> None:
        for name, dtype in (("flux", np.float32), ("error", np.float32), ("quality", np.uint16)):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=dtype))
        shapes = {name: getattr(self, name).shape for name in ("flux", "error", "quality")}
        if self.flux.ndim != 2 or len(set(shapes.values())) != 1:
            raise FrameShapeError(
                f"flux, error and quality must be images of one shape, found {shapes}"
            )

    @classmethod
    def from_variance(
        cls, flux: ArrayLike, variance: ArrayLike, quality: ArrayLike | None = None
    ) -> DetectorFrame:
        """Build a frame from a variance plane; without `quality` every pixel is good."""
        flux = np.asarray(flux, dtype=np.float32)
        if quality is None:
            quality = np.zeros(flux.shape, dtype=np.uint16)
        return cls(flux, np.sqrt(np.asarray(variance, dtype=np.float32)), quality)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.flux.shape

    @property
    def variance(self) -> Image:
        """Square of the error."""
        return np.square(self.error)

    def good(self, unusable: Quality = UNUSABLE) -> NDArray[np.bool_]:
        """Return where none of the bits `unusable` is set and flux and error are finite."""
        good = np.empty(self.shape, bool)
        for band in row_bands(len(good)):
            np.isfinite(self.flux[band], out=good[band])
            good[band] &= np.isfinite(self.error[band])
            good[band] &= ~has(self.quality[band], unusable)
        return good

    def cut(self, rows: slice, columns: slice) -> DetectorFrame:
        """Return a part of the frame (views, not copies)."""
        return self._planewise(lambda plane: plane[rows, columns])

    def flag(self, where: ArrayLike, bits: Quality) -> DetectorFrame:
        """Return the frame with `bits` added to the quality where `where` is true."""
        quality = self.quality.copy()
        where = np.asarray(where, dtype=bool)
        np.bitwise_or(quality, np.uint16(bits), out=quality, where=where)
        return replace(self, quality=quality)

    def minus(self, other: DetectorFrame) -> DetectorFrame:
        """Return this frame less `other`: variances add, quality bits are joined."""
        self._check_shape(other)
        return DetectorFrame(
            self.flux - other.flux,
            np.hypot(self.error, other.error),
            self.quality | other.quality,
        )

    def times(self, factor: float) -> DetectorFrame:
        """Return the frame multiplied by a factor without error, for example the gain."""
        return replace(
            self,
            flux=self.flux * np.float32(factor),
            error=self.error * np.float32(abs(factor)),
        )

    def divided_by(self, other: DetectorFrame) -> DetectorFrame:
        """Return this frame over `other`; where `other` is not above zero there is no data.

        Such pixels get flux 0, error 0 and the bit ``NO_DATA``.
        """
        self._check_shape(other)
        usable = other.flux > 0
        flux, error = np.empty_like(self.flux), np.empty_like(self.error)
        for band in row_bands(len(flux)):
            divisor = other.flux[band]
            scale = np.divide(1.0, divisor, out=np.zeros_like(divisor), where=usable[band])
            np.multiply(self.flux[band], scale, out=flux[band])
            error[band] = np.hypot(self.error[band], flux[band] * other.error[band]) * scale
        frame = DetectorFrame(flux, error, self.quality | other.quality)
        return frame.flag(~usable, Quality.NO_DATA)

    def _check_shape(self, other: DetectorFrame) -> None:
        if self.shape != other.shape:
            raise FrameShapeError(
                f"two frames of one shape expected, found {self.shape} and {other.shape}; "
                "check binning and read-out window"
            )

    def _planewise(self, change: Callable[[NDArray], NDArray]) -> DetectorFrame:
        return DetectorFrame(change(self.flux), change(self.error), change(self.quality))


def weighted_mean(frames: Sequence[DetectorFrame], weights: Sequence[float]) -> DetectorFrame:
    """Combine frames of unequal depth; errors are taken as independent.

    Parameters
    ----------
    frames : sequence of DetectorFrame
        Frames of one shape.
    weights : sequence of float
        Weight of each frame, the same for all its pixels: a weight that followed the measured
        pixel would bias the mean.

    Returns
    -------
    DetectorFrame
        Where no frame is good, the mean of all with every quality bit they bear.
    """
    good = np.stack([frame.good() for frame in frames])
    none = ~good.any(axis=0)
    shares = np.where(good | none, np.reshape(weights, (-1, 1, 1)), 0).astype(np.float32)
    shares /= shares.sum(axis=0)
    flux = sum(share * frame.flux for share, frame in zip(shares, frames, strict=True))
    variance = sum(share**2 * frame.variance for share, frame in zip(shares, frames, strict=True))
    bits = np.bitwise_or.reduce([frame.quality for frame in frames])
    return DetectorFrame.from_variance(flux, variance, np.where(none, bits, np.uint16(0)))
