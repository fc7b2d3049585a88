"""Cosmic rays in single exposures of a spectrograph.

A cosmic ray is sharper than anything the optics can make. Sky and arc lines are sharp along the
dispersion but long along the slit, the trace of an object the other way round: medians in both
directions follow them, as the two-dimensional fits that van Dokkum (2001, PASP 113, 1420)
subtracts before he looks for cosmic rays in spectra. What stands out above these and is sharper
than the image of a point is a cosmic ray. The medians are taken only around the few pixels that
may be struck, which makes the search several times faster than a filter of the whole image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from soxs_recipes.algorithms.bands import row_bands
from soxs_recipes.algorithms.frame import DetectorFrame
from soxs_recipes.algorithms.gappy_statistics import gappy_median, gappy_quantile
from soxs_recipes.algorithms.line_tilts import LineTilts
from soxs_recipes.algorithms.quality import UNUSABLE, Quality, has

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]
Index = NDArray[np.integer]

# Distances in pixels of the samples that a pixel is first compared with, in both directions.
_SAMPLES = (-7, -4, 4, 7)
# A pixel worth a closer look exceeds the samples by this share of the threshold.
_CANDIDATE = 0.6
# Distances along the slit, on one side, at which a line that fills the slit must be seen.
_RUN = np.array([3, 5, 7, 9, 11, 13])
# Rows beside a pixel that tell whether a feature fades along the slit as an object does, and how
# well its light in them must be seen.
_ASIDE, _SEEN = np.array([-2, -1, 1, 2]), 5.0
# Lines are at least this much wider than the narrowest.
_LINE_MARGIN = 0.85
# Step between the tilts that are tried, in pixels per pixel.
_TILT_STEP = 0.02
# Side of the box around saturated light in which nothing is judged, and the share of a smaller box
# that light saturates at least.
_SATURATED_REACH, _SATURATED_BOX, _SATURATED_SHARE = 21, 5, 0.3
# Share of the pixels along the dispersion that are darker than what is between the lines.
_BETWEEN = 0.15
# Pixels looked at closely in one go.
_BATCH = 50_000


@dataclass(frozen=True)
class CosmicSettings:
    """How cosmic rays are told from light.

    Parameters
    ----------
    kappa : float
        Threshold in standard deviations of what stands out.
    neighbour_kappa : float
        Threshold for pixels beside one that was found.
    model_error : float
        Relative error of the medians' prediction, which counts where the light is bright.
    line_error, shift_error_px, shape_error : float
        Errors of the prediction from a tilted line: relative; where the line lies; of its
        curvature.
    line_sigma_px : float
        Width of the narrowest lines, standard deviation along the dispersion in pixels: nothing
        narrower has come through the slit.
    sharp_slit : float
        Mean of the two neighbours along the slit over the pixel itself, below which it is
        sharper than the image of a point, which is 3 pixels wide.
    line_tilts : LineTilts, optional
        Expected tilts of lines: pixels along the dispersion per pixel along the slit.
    tilt_range : tuple of float
        Tilts that are tried, less those expected.
    along_slit, along_dispersion : int
        Windows in pixels of the medians, odd.
    rounds : int
        How often neighbours of what was found are looked at.
    """

    kappa: float = 5.0
    neighbour_kappa: float = 3.0
    model_error: float = 0.02
    line_error: float = 0.03
    shift_error_px: float = 0.15
    shape_error: float = 0.1
    line_sigma_px: float = 0.77
    sharp_slit: float = 0.6
    line_tilts: LineTilts | None = None
    tilt_range: tuple[float, float] = (-0.4, 0.2)
    along_slit: int = 9
    along_dispersion: int = 15
    rounds: int = 40

    @property
    def sharp_dispersion(self) -> float:
        """Mean of the neighbours along the dispersion over a pixel, which no line is below."""
        return _LINE_MARGIN * float(np.exp(-0.5 / self.line_sigma_px**2))

    @property
    def sharp_pair(self) -> float:
        """Mean of the two pixels beside a pair over that of the pair, which no line is below."""
        return _LINE_MARGIN * float(np.exp(-1 / self.line_sigma_px**2))


def find_cosmic_rays(
    frame: DetectorFrame, dispersion_axis: int, settings: CosmicSettings | None = None
) -> Mask:
    """Find the pixels of a single exposure that cosmic rays have struck.

    Parameters
    ----------
    frame : DetectorFrame
        Detrended, in electrons; pixels with an unusable quality are neither judged nor trusted.
    dispersion_axis : {0, 1}
        Axis along which wavelength runs.
    settings : CosmicSettings, optional
        Thresholds and windows.

    Returns
    -------
    ndarray of bool, shape (ny, nx)
    """
    settings = settings or CosmicSettings()
    turned = dispersion_axis == 0
    planes = (frame.flux, frame.error, has(frame.quality, UNUSABLE) | ~np.isfinite(frame.flux))
    # From here on rows are along the dispersion.
    flux, error, bad = (np.ascontiguousarray(p.T) if turned else p for p in planes)
    flux = np.where(bad, np.float32(np.nan), flux)
    judged = ~bad
    full = _near_saturated_light(frame)
    if full is not None:
        judged &= ~(full.T if turned else full)
    candidates = np.nonzero(_candidates(flux, error, settings) & judged)
    light = _Light(flux, flux.copy(), error, settings)
    struck = np.zeros(flux.shape, dtype=bool)
    found = light.seeds(*candidates)
    for _ in range(settings.rounds):
        struck[found] = True
        light.calm[found] = np.nan
        around = _neighbours(found, flux.shape)
        fresh = ~struck[around] & judged[around]
        found = light.above(around[0][fresh], around[1][fresh], settings.neighbour_kappa)
        found = light.no_lines(*found, settings.neighbour_kappa)
        if not len(found[0]):
            break
    struck[found] = True
    return struck.T if turned else struck


def flag_cosmic_rays(
    frame: DetectorFrame, dispersion_axis: int, settings: CosmicSettings | None = None
) -> DetectorFrame:
    """Return the frame with the bit ``COSMIC_RAY`` where one has struck; flux stays as it is."""
    return frame.flag(find_cosmic_rays(frame, dispersion_axis, settings), Quality.COSMIC_RAY)


@dataclass(frozen=True)
class _Light:
    """An exposure, rows along the dispersion.

    Parameters
    ----------
    flux, error : ndarray
        As measured; NaN where bad.
    calm : ndarray
        The same, NaN also where struck: it predicts the neighbours.
    settings : CosmicSettings
        Thresholds and windows.
    """

    flux: Image
    calm: Image
    error: Image
    settings: CosmicSettings

    def seeds(self, y: Index, x: Index) -> tuple[Index, Index]:
        """Pixels that stand out and are sharper than the image of a point."""
        y, x = self.above(y, x, self.settings.kappa)
        if not len(y):
            return y, x
        model, noise = self.expected(y, x)
        excess = self.flux[y, x] - model
        along, across = (
            (self._neighbour_mean(y, x, step) - model + noise / 2) / excess
            for step in ((0, 1), (1, 0))
        )
        sharp = (along < self.settings.sharp_dispersion) | (across < self.settings.sharp_slit)
        return self.no_lines(y[sharp], x[sharp], self.settings.kappa)

    def no_lines(self, y: Index, x: Index, kappa: float) -> tuple[Index, Index]:
        """Pixels that are sharper than any line, or that no tilted line explains."""
        if not len(y):
            return y, x
        sharp = self.sharper_than_lines(y, x)
        keep, rest = sharp.copy(), np.flatnonzero(~sharp)
        keep[rest] = ~self.explained(y[rest], x[rest], kappa)
        rest = np.flatnonzero(keep & ~sharp)
        keep[rest] = ~self.in_proportion(y[rest], x[rest], kappa)
        return y[keep], x[keep]

    def sharper_than_lines(self, y: Index, x: Index) -> Mask:
        """Where one pixel or two along the dispersion stand out as no line does.

        Lines are seen above what is between them, whatever their tilt.
        """
        floor, noise = self._between(y, x), self.error[y, x]
        height = self.flux[y, x] - floor
        beside = {step: self._beside(y, x, step) - floor for step in (-2, -1, 1, 2)}
        single = (beside[-1] + beside[1]) / 2 + noise < self.settings.sharp_dispersion * height
        for side in (-1, 1):
            pair = (height + beside[side]) / 2
            around = (beside[-side] + beside[2 * side]) / 2
            single |= (around + noise < self.settings.sharp_pair * pair) & (height > 0.5 * pair)
        return single

    def explained(self, y: Index, x: Index, kappa: float) -> Mask:
        """Where a line along the slit, tilted and on one side at least, makes a pixel as bright.

        Lines are tilted, most in the infrared, and end at the edges of the slit. How far they may
        be mistaken depends on how steep they are.
        """
        low, high = self.settings.tilt_range
        tilt = self._tilt(y, x)
        steps = np.linspace(low, high, 1 + round((high - low) / _TILT_STEP))
        runs = [self._run(y, x, side * _RUN, tilt + step) for side in (-1, 1) for step in steps]
        before, line, after = _brightest(np.stack(runs))
        rows = np.clip(y[:, None] + np.concatenate([-_RUN, _RUN]), 0, self.flux.shape[0] - 1)
        quiet = np.median(self.error[rows, x[:, None]], axis=1)
        vague = np.hypot(
            self.settings.line_error * np.maximum(line, 0),
            self.settings.shift_error_px * np.abs(after - before) / 2,
        )
        vague = np.hypot(vague, self.settings.shape_error * np.abs(2 * line - before - after))
        return self.flux[y, x] - line < kappa * quiet + self.settings.kappa * vague

    def in_proportion(self, y: Index, x: Index, kappa: float) -> Mask:
        """Where the rows beside a pixel brighten as it does, each against its own light.

        So do features of an object, which fade along the slit as its profile does: light between
        the lines of a telluric band is one.
        """
        row = self._window(x, self.settings.along_dispersion, self.flux.shape[1])
        rows = np.clip(y[:, None] + _ASIDE, 0, self.flux.shape[0] - 1)
        shift = np.rint(self._tilt(y, x)[:, None] * _ASIDE).astype(int)
        at = rows, np.clip(x[:, None] + shift, 0, self.flux.shape[1] - 1)
        light = gappy_median(self.calm[rows[:, :, None], row[:, None, :]], axis=2, empty=0)
        light = np.where(np.isfinite(self.calm[at]), light, 0).sum(axis=1)
        error = self.error[y, x]
        usual = gappy_median(self.calm[y[:, None], row], axis=1, empty=0)
        ratio = usual / np.where(light > _SEEN * error, light, np.inf)
        noise = ratio * np.sqrt(np.sum(self.error[at] ** 2, axis=1))
        model = ratio * np.nansum(self.calm[at], axis=1)
        return self.flux[y, x] - model < kappa * np.hypot(error, noise)

    def _run(self, y: Index, x: Index, rows: NDArray, tilt: NDArray) -> Image:
        """Medians along a tilted line through a pixel, and one pixel before and after it."""
        ny, nx = self.flux.shape
        shift = tilt[:, None] * rows
        whole = np.floor(shift).astype(int)
        weights = _cubic((shift - whole).astype(np.float32))
        at_y = np.clip(y[:, None] + rows, 0, ny - 1)
        samples = [
            self.calm[at_y, np.clip(x[:, None] + whole + step, 0, nx - 1)] for step in range(-2, 4)
        ]
        # Cubic interpolation: a straight line would cut the peaks of narrow lines.
        points = [
            sum(w * v for w, v in zip(weights, samples[k : k + 4], strict=True)) for k in range(3)
        ]
        return gappy_median(np.stack(points), axis=2, empty=0)

    def above(self, y: Index, x: Index, kappa: float) -> tuple[Index, Index]:
        """Pixels more than `kappa` standard deviations above what their surroundings predict."""
        keep = np.zeros(len(y), dtype=bool)
        for start in range(0, len(y), _BATCH):
            part = slice(start, start + _BATCH)
            model, noise = self.expected(y[part], x[part])
            keep[part] = self.flux[y[part], x[part]] - model > kappa * noise
        return y[keep], x[keep]

    def expected(self, y: Index, x: Index) -> tuple[Image, Image]:
        """Light that goes on in either direction, and the noise of a pixel that has it.

        Lines by medians along the slit, in every column of the window; then the median along the
        dispersion of what the lines leave in the pixel's own row.
        """
        ny, nx = self.flux.shape
        slit = self._window(y, self.settings.along_slit, ny)
        row = self._window(x, self.settings.along_dispersion, nx)
        shift = np.rint(self._tilt(y, x)[:, None] * (slit - y[:, None])).astype(int)
        column = np.clip(row[:, None, :] + shift[:, :, None], 0, nx - 1)
        block = self.calm[slit[:, :, None], column]
        lines = gappy_median(block, axis=1, empty=0)
        middle = row.shape[1] // 2
        rest = gappy_median(self.calm[y[:, None], row] - lines, axis=1, empty=0)
        model = lines[:, middle] + rest
        quiet = np.maximum(
            np.median(self.error[slit, x[:, None]], axis=1),
            np.median(self.error[y[:, None], row], axis=1),
        )
        # The medians of some pixels are half as uncertain as one pixel.
        return model, np.hypot(1.1 * quiet, self.settings.model_error * np.maximum(model, 0))

    def _tilt(self, y: Index, x: Index) -> NDArray:
        """Tilt that is expected of lines, in pixels per pixel along the slit."""
        tilts = self.settings.line_tilts
        return np.zeros(len(y)) if tilts is None else tilts.at(y, x)

    @staticmethod
    def _window(centre: Index, length: int, size: int) -> Index:
        """Indices of a window; beyond the edge it is reflected."""
        index = centre[:, None] + np.arange(length) - length // 2
        index = np.abs(index)
        return np.where(index >= size, 2 * (size - 1) - index, index)

    def _between(self, y: Index, x: Index) -> Image:
        """Light between the lines, which is low along the dispersion where they are dense."""
        row = self._window(x, 2 * self.settings.along_dispersion + 1, self.flux.shape[1])
        return gappy_quantile(self.calm[y[:, None], row], _BETWEEN, axis=1, empty=0)

    def _neighbour_mean(self, y: Index, x: Index, step: tuple[int, int]) -> Image:
        before, after = (self._beside(y, x, sign * step[1], sign * step[0]) for sign in (-1, 1))
        return (before + after) / 2

    def _beside(self, y: Index, x: Index, along: int, across: int = 0) -> Image:
        """Signal of a neighbour; where it is bad the pixel's own, so that nothing looks sharp."""
        ny, nx = self.flux.shape
        value = self.flux[np.clip(y + across, 0, ny - 1), np.clip(x + along, 0, nx - 1)]
        return np.where(np.isnan(value), self.flux[y, x], value)


def _near_saturated_light(frame: DetectorFrame) -> Mask | None:
    """Where the wings of a line cannot be predicted, for its core is full; None if nowhere.

    Light saturates neighbours too, a hot pixel or a cosmic ray few of them.
    """
    full = has(frame.quality, Quality.SATURATED)
    if not full.any():
        return None
    from scipy.ndimage import maximum_filter, uniform_filter

    full &= uniform_filter(full.astype(np.float32), _SATURATED_BOX) >= _SATURATED_SHARE
    return maximum_filter(full, _SATURATED_REACH)


def _candidates(flux: Image, error: Image, settings: CosmicSettings) -> Mask:
    """Pixels above samples of both directions; beyond an edge the opposite one is sampled."""
    reach = max(_SAMPLES)
    wrapped = np.pad(flux, reach, mode="wrap")
    rows, columns = flux.shape
    above = np.empty(flux.shape, dtype=bool)
    for band in row_bands(rows):
        limit = np.float32(_CANDIDATE * settings.kappa) * error[band]
        inner = slice(reach, reach + columns)
        along = [wrapped[_shifted(band, s + reach), inner] for s in _SAMPLES]
        across = [wrapped[_shifted(band, reach), _shifted(inner, s)] for s in _SAMPLES]
        above[band] = flux[band] - _middle(along) > limit
        above[band] &= flux[band] - _middle(across) > limit
    return above


def _shifted(part: slice, by: int) -> slice:
    return slice(part.start + by, part.stop + by)


def _middle(samples: list[Image]) -> Image:
    """Mean of the inner two of four sorted samples."""
    low = np.maximum(np.minimum(*samples[:2]), np.minimum(*samples[2:]))
    high = np.minimum(np.maximum(*samples[:2]), np.maximum(*samples[2:]))
    low += high
    low /= 2
    return low


def _neighbours(found: tuple[Index, Index], shape: tuple[int, int]) -> tuple[Index, Index]:
    """The eight neighbours of pixels, each once."""
    step = np.array([(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j])
    y = (found[0][:, None] + step[:, 0]).ravel()
    x = (found[1][:, None] + step[:, 1]).ravel()
    inside = (y >= 0) & (y < shape[0]) & (x >= 0) & (x < shape[1])
    return np.unravel_index(np.unique(y[inside] * shape[1] + x[inside]), shape)


def _cubic(part: Image) -> tuple[Image, ...]:
    """Weights of four samples for a point a part of a step after the second (Keys 1981)."""
    square, cube = part**2, part**3
    return (
        (2 * square - part - cube) / 2,
        (3 * cube - 5 * square + 2) / 2,
        (4 * square + part - 3 * cube) / 2,
        (cube - square) / 2,
    )


def _brightest(runs: Image) -> Image:
    """Of runs of shape (tilts, 3, n) the one that is brightest in its middle."""
    best = runs[:, 1].argmax(axis=0)
    return np.take_along_axis(runs, best[None, None], axis=0)[0]
