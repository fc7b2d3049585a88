"""Sky-subtracted exposures as pixels of orders: places, signal, variance free of the object."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.algorithms.binned_pixels import BinnedPixels
from soxs_recipes.algorithms.dispersion import DispersionSolution
from soxs_recipes.algorithms.frame import DetectorFrame
from soxs_recipes.algorithms.parallel import in_parallel
from soxs_recipes.algorithms.quality import UNUSABLE, Quality, QualityArray, has
from soxs_recipes.algorithms.slit_strips import SlitStrip, slit_strips
from soxs_recipes.algorithms.uniform_splines import at_places

Array = NDArray[np.float64]
Array32 = NDArray[np.float32]
Mask = NDArray[np.bool_]

# Share of the pixels of a bin that the object leaves alone: their variance is the sky's.
_SKY_SHARE = 0.35


@dataclass(frozen=True)
class MasterNoise:
    """Noise of the master calibrations in a pixel, the same for all exposures that used them.

    Attributes
    ----------
    zero_e : float
        Of the master bias or dark, electrons.
    response : float
        Of the pixel response, relative.
    """

    zero_e: float = 0.0
    response: float = 0.0


@dataclass(frozen=True)
class Beam:
    """An image of the object in a sky-subtracted frame.

    Attributes
    ----------
    sign : int
        +1, or -1 where the frame holds the object negative.
    slit_arcsec : float
        Where the header says the object is; NaN if unknown.
    exptime_s : float
        Time in which its electrons came.
    masters : MasterNoise
        What of its noise other exposures share.
    """

    sign: int
    slit_arcsec: float
    exptime_s: float
    masters: MasterNoise = MasterNoise()


@dataclass(frozen=True)
class Exposure:
    """A sky-subtracted frame.

    Attributes
    ----------
    frame : DetectorFrame
        Electrons.
    solution : DispersionSolution
        Of the frame, flexure included.
    beams : tuple of Beam
        Images of the object in it.
    sky : DetectorFrame or None
        The sky that was subtracted, and its standard error.
    """

    frame: DetectorFrame
    solution: DispersionSolution
    beams: tuple[Beam, ...]
    sky: DetectorFrame | None = None

    def read(self) -> Exposure:
        """Return the exposure itself."""
        return self


@dataclass(frozen=True)
class StoredExposure:
    """A sky-subtracted frame that is read when it is needed.

    Attributes
    ----------
    beams : tuple of Beam
        Images of the object in it.
    read : callable
        Returns the exposure.
    """

    beams: tuple[Beam, ...]
    read: Callable[[], Exposure]


@dataclass(frozen=True)
class OrderPixels:
    """Pixels of one order of one exposure.

    Two-dimensional arrays have the shape (pixels along dispersion, pixels across).

    Attributes
    ----------
    order : int
        Order number.
    first : int
        Pixel along dispersion of the first bin.
    wave_nm, width_nm : ndarray, shape (bins,)
        Bins: pixels along dispersion on the slit centre, as the reference exposure has them.
    place : ndarray
        Place of each pixel along dispersion, in bins.
    slit_arcsec : ndarray
        Slit position.
    area : ndarray
        Size, bins times arcsec.
    value : ndarray
        Signal, electrons.
    variance : ndarray
        Variance of `value` without the object's photon noise.
    measured_variance : ndarray
        Variance that came with the frame, less that of the sky.
    usable : ndarray of bool
        Whether a pixel may be used.
    suspect : ndarray of bool
        Pixels that are not usable for nothing but being taken for a cosmic ray: on narrow features
        of a bright object a search that knows no profile may be wrong.
    quality : ndarray of uint16
        Its bits.
    sky, sky_error : ndarray or None
        Sky that was subtracted and its standard error, electrons.
    arrangement : BinnedPixels or None
        Arrangement of the pixels by bins, where it is known.
    """

    order: int
    first: int
    wave_nm: Array
    width_nm: Array
    place: Array32
    slit_arcsec: Array32
    area: Array32
    value: Array32
    variance: Array32
    measured_variance: Array32
    usable: Mask
    suspect: Mask
    quality: QualityArray
    sky: Array32 | None
    sky_error: Array32 | None
    arrangement: BinnedPixels | None = None

    @cached_property
    def by_bins(self) -> BinnedPixels:
        """Arrangement of the pixels by bins."""
        return self.arrangement or BinnedPixels.of(self.place, self.count)

    @property
    def count(self) -> int:
        """Number of bins."""
        return len(self.wave_nm)

    def wave_of(self, place: NDArray) -> Array:
        """Wavelength at places along dispersion."""
        return np.interp(place, np.arange(self.count), self.wave_nm)


@dataclass(frozen=True)
class _Bins:
    """Bins of an order: the pixel along dispersion of the first, and their wavelengths."""

    first: int
    wave_nm: Array


class ExposurePixels(Sequence[tuple[OrderPixels, ...]]):
    """Pixels of all orders of exposures, on the bins of the first, made when they are asked for.

    Those of the first exposure and of the one asked for last are kept, so that memory does not
    grow with the number of exposures.

    Parameters
    ----------
    exposures : sequence of Exposure or StoredExposure
        Frames whose solutions differ by flexure alone.
    slit_range_arcsec : tuple of float
        Slit positions between which pixels are taken.
    """

    def __init__(
        self,
        exposures: Sequence[Exposure | StoredExposure],
        slit_range_arcsec: tuple[float, float],
    ) -> None:
        self._exposures, self._range = exposures, slit_range_arcsec
        self._lock = Lock()
        self._bins: dict[int, _Bins] = {}
        first = exposures[0].read()
        self.solution = first.solution
        self._first = self._made(first)
        self._last: tuple[int, tuple[OrderPixels, ...]] = (0, self._first)

    def __len__(self) -> int:
        return len(self._exposures)

    def __getitem__(self, number: int) -> tuple[OrderPixels, ...]:
        if number == 0:
            return self._first
        with self._lock:
            if self._last[0] != number:
                self._last = (0, self._first)
                self._last = (number, self._made(self._exposures[number].read()))
            return self._last[1]

    def later(self, number: int) -> Iterable[OrderPixels]:
        """Pixels of the orders of an exposure, made when the first is asked for."""
        yield from self[number]

    def _made(self, exposure: Exposure) -> tuple[OrderPixels, ...]:
        strips = slit_strips(exposure.solution, self._range)
        self._bins = self._bins or {strip.order: _bins(strip) for strip in strips}
        moved = _flexure_px(exposure.solution, self.solution)
        good = exposure.frame.good() & (exposure.frame.error > 0)

        def pixels(strip: SlitStrip) -> OrderPixels:
            return _order(exposure, strip, good, moved, self._bins[strip.order])

        return tuple(in_parallel(pixels, strips))


def nearest_bins(place: NDArray, *planes: NDArray) -> list[NDArray]:
    """Values of planes arranged so that each row holds the pixels nearest to one bin.

    Parameters
    ----------
    place : ndarray, shape (bins, pixels)
        Place of each pixel along dispersion, in bins.
    planes : ndarray, shape (bins, pixels)
        Its values.
    """
    rows, columns = place.shape
    row = np.arange(rows, dtype=np.float32)[:, None]
    source = np.clip(row - np.rint(place - row), 0, rows - 1).astype(np.intp)
    source *= columns
    source += np.arange(columns)
    return [np.take(plane, source) for plane in planes]


def _flexure_px(solution: DispersionSolution, reference: DispersionSolution) -> float:
    """Shift along dispersion of a solution against another, which differs by flexure alone."""
    wave = float(reference.range_nm[0].mean())
    order = reference.orders[0]
    here = solution.along(*solution.to_pixel(order, wave))
    return float(here - reference.along(*reference.to_pixel(order, wave)))


def _bins(strip: SlitStrip) -> _Bins:
    lit = np.flatnonzero(strip.inside.any(axis=1))
    return _Bins(int(lit[0]), strip.wave_nm[lit[0] : lit[-1] + 1])


def _order(
    exposure: Exposure, strip: SlitStrip, good: Mask, moved: float, bins: _Bins
) -> OrderPixels:
    part = slice(bins.first, bins.first + len(bins.wave_nm))
    frame, sky = exposure.frame, exposure.sky
    index, inside = strip.index[part], strip.inside[part]

    def take(plane: NDArray) -> NDArray:
        return plane.reshape(-1)[index]

    measured = np.square(take(frame.error))
    if sky is not None:
        # The error of the sky is common to the pixels of a bin: it is added to their sum.
        measured = np.maximum(measured - np.square(take(sky.error)), 0.5 * measured)
    usable, bits = inside & take(good), take(frame.quality)
    other = Quality(UNUSABLE & ~Quality.COSMIC_RAY)
    suspect = inside & has(bits, Quality.COSMIC_RAY) & ~has(bits, other) & (measured > 0)
    pixels = OrderPixels(
        strip.order,
        bins.first,
        bins.wave_nm,
        np.abs(np.gradient(bins.wave_nm)),
        strip.column[part] - np.float32(bins.first + moved),
        strip.slit_arcsec[part],
        strip.area[part],
        np.where(usable | suspect, take(frame.flux), np.float32(0)),
        measured,
        measured,
        usable,
        suspect,
        np.where(inside, bits, np.uint16(0)),
        None if sky is None else take(sky.flux),
        None if sky is None else take(sky.error),
    )
    return replace(pixels, variance=_background_variance(pixels))


def _background_variance(pixels: OrderPixels) -> Array32:
    """Variance of the pixels of each bin that hold no object, at every pixel.

    The variance that comes with a frame contains the photon noise that the pixel happened to
    have, and weights that follow it would bias sums; it is the same for all pixels of a bin.
    """
    variance = np.where(pixels.usable, pixels.measured_variance, np.float32(np.inf))
    ordered = np.sort(*nearest_bins(pixels.place, variance), axis=1)
    known = np.isfinite(ordered).sum(axis=1)
    chosen = np.clip((_SKY_SHARE * known).astype(int), 0, ordered.shape[1] - 1)
    level = np.take_along_axis(ordered, chosen[:, None], axis=1)[:, 0]
    bins = np.arange(len(level))
    filled = np.interp(bins, bins[known > 0], level[known > 0]) if known.any() else level
    return at_places(filled, pixels.place).astype(np.float32)
