"""Cosmic rays in single exposures and in pairs of exposures of a spectrograph.

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

from soxs_recipes.algorithms.frame import DetectorFrame
from soxs_recipes.algorithms.quality import UNUSABLE, Quality, has
from soxs_recipes.algorithms.variance import NoiseModel

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]
Index = NDArray[np.integer]

# Distances in pixels of the samples that a pixel is first compared with, in both directions.
_SAMPLES = (-7, -4, 4, 7)
# A pixel worth a closer look exceeds the samples by this share of the threshold.
_CANDIDATE = 0.6
# Distances along the slit, on one side, at which a line that fills the slit must be seen.
_RUN = np.array([3, 5, 7, 9, 11, 13])
# Step between the tilts that are tried, in pixels per pixel.
_TILT_STEP = 0.05
# Largest share of the pixels of one exposure that cosmic rays strike.
_MOST_STRUCK = 0.02
# Side of the box around a saturated pixel in which nothing is judged.
_SATURATED_REACH = 21
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
    line_error : float
        The same of the prediction from a tilted line.
    sharp_slit, sharp_dispersion : float
        Mean of the two neighbours along the slit, or along the dispersion, over the pixel itself
        must be below one of these: the image of a point is 3 pixels wide along the slit and 1.7
        along the dispersion, which makes the means 0.7 and 0.4.
    line_tilts : tuple of float
        Range of the tilts of lines: pixels along the dispersion per pixel along the slit.
    along_slit, along_dispersion : int
        Windows in pixels of the medians, odd.
    rounds : int
        How often neighbours of what was found are looked at.
    """

    kappa: float = 5.0
    neighbour_kappa: float = 2.5
    model_error: float = 0.02
    line_error: float = 0.06
    sharp_slit: float = 0.6
    sharp_dispersion: float = 0.33
    line_tilts: tuple[float, float] = (-0.4, 0.2)
    along_slit: int = 9
    along_dispersion: int = 15
    rounds: int = 40


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
    light = _Light(flux, flux.copy(), error, settings)
    struck = np.zeros(flux.shape, dtype=bool)
    judged = ~bad
    full = has(frame.quality, Quality.SATURATED)
    if full.any():
        from scipy.ndimage import maximum_filter

        # The wings of a line cannot be predicted where its core is full.
        judged &= ~maximum_filter(full.T if turned else full, _SATURATED_REACH)
    found = light.seeds(*np.nonzero(_candidates(flux, error, settings) & judged))
    for _ in range(settings.rounds):
        struck[found] = True
        light.calm[found] = np.nan
        around = _neighbours(found, flux.shape)
        fresh = ~struck[around] & judged[around]
        found = light.above(around[0][fresh], around[1][fresh], settings.neighbour_kappa)
        found = light.unexplained(*found, settings.neighbour_kappa)
        if not len(found[0]):
            break
    struck[found] = True
    return struck.T if turned else struck


def flag_cosmic_rays(
    frame: DetectorFrame, dispersion_axis: int, settings: CosmicSettings | None = None
) -> DetectorFrame:
    """Return the frame with the bit ``COSMIC_RAY`` where one has struck; flux stays as it is."""
    return frame.flag(find_cosmic_rays(frame, dispersion_axis, settings), Quality.COSMIC_RAY)


def struck_in_two(flux: Image, noise: NoiseModel, kappa: float = 5.0, drift: float = 0.02) -> Mask:
    """Find cosmic rays as differences of two exposures of the same light.

    Parameters
    ----------
    flux : ndarray, shape (2, ny, nx)
        Two exposures of one kind, electrons above the zero level.
    noise : NoiseModel
        Noise of one of them.
    kappa : float
        Threshold in standard deviations of the difference.
    drift : float
        Relative difference that drifts of the light may cause.

    Returns
    -------
    ndarray of bool, shape (2, ny, nx)
        The higher one where they differ by more; nothing if that is more than cosmic rays do,
        for then the light has changed.
    """
    difference = flux[0] - flux[1]
    # The higher of the two owes part of its photon noise to the cosmic ray.
    lower = np.maximum(flux.min(axis=0), 0)
    limit = np.float32(kappa) * np.sqrt(2 * noise.variance(lower)) + np.float32(drift) * lower
    struck = np.stack([difference > limit, -difference > limit])
    return struck if struck.mean() < _MOST_STRUCK else np.zeros_like(struck)


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
            (np.nan_to_num(self._neighbour_mean(y, x, step)) - model) / excess
            for step in ((0, 1), (1, 0))
        )
        # A line is never that sharp, whatever its direction; lines are seen above what is between.
        floor = self._between(y, x)
        height = self.flux[y, x] - floor
        width = np.nan_to_num(self._neighbour_mean(y, x, (0, 1))) - floor
        certain = width + noise < self.settings.sharp_dispersion * height
        sharp = (along < self.settings.sharp_dispersion) | (across < self.settings.sharp_slit)
        sharp &= certain | ~self.explained(y, x, self.settings.kappa)
        return y[sharp], x[sharp]

    def unexplained(self, y: Index, x: Index, kappa: float) -> tuple[Index, Index]:
        """Pixels that no tilted line explains."""
        if not len(y):
            return y, x
        keep = ~self.explained(y, x, kappa)
        return y[keep], x[keep]

    def explained(self, y: Index, x: Index, kappa: float) -> Mask:
        """Where a line along the slit, tilted and on one side at least, makes a pixel as bright.

        Lines are tilted, most in the infrared, and end at the edges of the slit.
        """
        ny, nx = self.flux.shape
        low, high = self.settings.line_tilts
        tilts = np.linspace(low, high, 1 + round((high - low) / _TILT_STEP))
        brightest = np.full(len(y), -np.inf, dtype=np.float32)
        for side in (-1, 1):
            rows = side * _RUN
            at_y = np.clip(y[:, None] + rows, 0, ny - 1)
            for tilt in tilts:
                shift = tilt * rows
                whole = np.floor(shift).astype(int)
                part = (shift - whole).astype(np.float32)
                # Cubic interpolation: a straight line would cut the peaks of narrow lines.
                samples = [
                    self.calm[at_y, np.clip(x[:, None] + whole + step, 0, nx - 1)]
                    for step in (-1, 0, 1, 2)
                ]
                run = _median(sum(w * v for w, v in zip(_cubic(part), samples, strict=True)), 1)
                np.maximum(brightest, run, out=brightest)
        quiet = np.median(self.error[np.clip(y[:, None] + rows, 0, ny - 1), x[:, None]], axis=1)
        noise = np.hypot(quiet, self.settings.line_error * np.maximum(brightest, 0))
        return self.flux[y, x] - brightest < kappa * noise

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
        block = self.calm[slit[:, :, None], row[:, None, :]]
        lines = _median(block, axis=1)
        middle = row.shape[1] // 2
        rest = _median(self.calm[y[:, None], row] - lines, axis=1)
        model = lines[:, middle] + rest
        quiet = np.maximum(
            np.median(self.error[slit, x[:, None]], axis=1),
            np.median(self.error[y[:, None], row], axis=1),
        )
        return model, np.hypot(quiet, self.settings.model_error * np.maximum(model, 0))

    @staticmethod
    def _window(centre: Index, length: int, size: int) -> Index:
        """Indices of a window; beyond the edge it is reflected."""
        index = centre[:, None] + np.arange(length) - length // 2
        index = np.abs(index)
        return np.where(index >= size, 2 * (size - 1) - index, index)

    def _between(self, y: Index, x: Index) -> Image:
        """Light between the lines, a median along the dispersion."""
        row = self._window(x, 2 * self.settings.along_dispersion + 1, self.flux.shape[1])
        return _median(self.calm[y[:, None], row], axis=1)

    def _neighbour_mean(self, y: Index, x: Index, step: tuple[int, int]) -> Image:
        ny, nx = self.flux.shape
        before, after = (
            self.flux[
                np.clip(y + sign * step[0], 0, ny - 1), np.clip(x + sign * step[1], 0, nx - 1)
            ]
            for sign in (-1, 1)
        )
        return (before + after) / 2


def _candidates(flux: Image, error: Image, settings: CosmicSettings) -> Mask:
    """Pixels above samples of both directions, from the inner two of four sorted samples."""
    limit = np.float32(_CANDIDATE * settings.kappa) * error
    above = np.ones(flux.shape, dtype=bool)
    for axis in (0, 1):
        samples = [np.roll(flux, shift, axis) for shift in _SAMPLES]
        low = np.maximum(np.minimum(*samples[:2]), np.minimum(*samples[2:]))
        high = np.minimum(np.maximum(*samples[:2]), np.maximum(*samples[2:]))
        above &= flux - (low + high) / 2 > limit
    return above


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


def _median(values: Image, axis: int) -> Image:
    """Median without NaN; 0 where there is nothing else."""
    count = np.isfinite(values).sum(axis=axis, keepdims=True)
    ordered = np.sort(values, axis=axis)
    low = np.take_along_axis(ordered, np.maximum((count - 1) // 2, 0), axis)
    high = np.take_along_axis(ordered, np.minimum(count // 2, np.maximum(count - 1, 0)), axis)
    return np.nan_to_num((low + np.where(count % 2 == 1, low, high)) / 2).squeeze(axis)
