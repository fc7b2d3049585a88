"""Reference-pixel correction of H2RG frames: channel offsets and drifts between rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.fft import irfft, next_fast_len, rfft

from soxs_recipes.algorithms.robust import clipped_statistics, median

# Standard deviations in rows of the smoothing windows to choose from: 0 is none, inf a constant.
_WINDOWS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, np.inf)
_KAPPA = 4.0


@dataclass(frozen=True)
class ReferenceLayout:
    """Where the reference pixels are and how the detector is read.

    Parameters
    ----------
    channels : int
        Number of vertical stripes, each read by its own amplifier; rows are read one after the
        other.
    border : int
        Width in pixels of the frame of reference pixels.
    """

    channels: int = 32
    border: int = 4


@dataclass(frozen=True)
class ReferenceCorrection:
    """What the reference pixels say about a frame, unit of the frame.

    Parameters
    ----------
    offset : ndarray of float32, shape (nx,)
        Offset of each column, the same for all even and for all odd columns of a channel; the
        mean over the detector is 0.
    offset_error : ndarray of float32, shape (nx,)
        Its standard error, common to all pixels that share an offset.
    drift : ndarray of float32, shape (ny,)
        Level of each row.
    drift_error : ndarray of float32, shape (ny,)
        Its standard error, common to all pixels of a row.
    window_rows : float
        Standard deviation of the Gaussian that smoothed the drift; inf for a constant level.
    noise : float
        Standard deviation of single reference pixels.
    """

    offset: NDArray[np.float32]
    offset_error: NDArray[np.float32]
    drift: NDArray[np.float32]
    drift_error: NDArray[np.float32]
    window_rows: float
    noise: float

    def apply(self, frame: ArrayLike) -> NDArray[np.float32]:
        """Return the frame less offsets and drift."""
        return np.asarray(frame, dtype=np.float32) - self.offset - self.drift[:, None]

    def variance(self) -> NDArray[np.float32]:
        """Return the variance image (ny, nx) that the correction adds."""
        return self.offset_error**2 + self.drift_error[:, None] ** 2


def measure_reference(
    frame: ArrayLike, layout: ReferenceLayout | None = None
) -> ReferenceCorrection:
    """Measure channel offsets and row drift in the reference pixels.

    Parameters
    ----------
    frame : array_like, shape (ny, nx)
        Full frame with its border of reference pixels; nx is a multiple of twice the channels.
    layout : ReferenceLayout, optional
        H2RG with 32 channels unless given.

    Returns
    -------
    ReferenceCorrection

    Raises
    ------
    ValueError
        If the frame does not fit the layout.

    Notes
    -----
    Offsets per channel and column parity come from the top and bottom rows, the drift common to
    all channels from the left and right columns (Rauscher et al. 2012, PASP 124, 1283, use the
    same pixels). Both are estimates with noise, and subtracting noise must not make a frame
    worse: offsets are shrunk towards their mean by the share of their scatter that is noise (Efron
    & Morris 1973), and the drift is smoothed by the window of least expected error (Mallows 1973),
    a constant if the rows show nothing but noise.
    """
    layout = layout or ReferenceLayout()
    frame = np.asarray(frame, dtype=np.float32)
    _check(frame, layout)
    offset, offset_error, noise = _channel_offsets(frame, layout)
    drift, drift_error, window = _row_drift(frame, layout, offset, offset_error)
    return ReferenceCorrection(
        *(part.astype(np.float32) for part in (offset, offset_error, drift, drift_error)),
        window_rows=window,
        noise=noise,
    )


def _check(frame: NDArray[np.float32], layout: ReferenceLayout) -> None:
    ny, nx = frame.shape if frame.ndim == 2 else (0, 0)
    if nx == 0 or nx % (2 * layout.channels) or min(ny, nx) <= 2 * layout.border:
        raise ValueError(
            f"a frame of a multiple of {2 * layout.channels} columns with a border of "
            f"{layout.border} reference pixels expected, found shape {frame.shape}"
        )


def _channel_offsets(
    frame: NDArray[np.float32], layout: ReferenceLayout
) -> tuple[NDArray, NDArray, float]:
    """Offset and error of each column, and the noise of one reference pixel."""
    border = layout.border
    rows = np.concatenate([frame[:border], frame[-border:]]).astype(np.float64)
    # What all channels share in a row is drift, not offset.
    groups = _by_channel_and_parity(rows, layout.channels)
    centred = groups - median(groups.reshape(groups.shape[0], -1), axis=1)[:, None, None, None]
    pixels = np.moveaxis(centred, 0, -2).reshape(2 * layout.channels, -1)
    residual = pixels - median(pixels, axis=1)[:, None]
    noise = float(clipped_statistics(residual, kappa=_KAPPA).sd)
    keep = np.abs(residual) <= _KAPPA * max(noise, np.finfo(np.float32).tiny)
    count = np.maximum(keep.sum(axis=1), 1)
    offset = np.sum(pixels, axis=1, where=keep) / count
    offset, error = _shrink(offset - offset.mean(), noise / np.sqrt(count))
    width = frame.shape[1] // layout.channels
    return _to_columns(offset, width), _to_columns(error, width), noise


def _by_channel_and_parity(rows: NDArray, channels: int) -> NDArray:
    """Reshape (rows, nx) to (rows, channels, parity, columns of one parity in a channel)."""
    return np.swapaxes(rows.reshape(len(rows), channels, -1, 2), 2, 3)


def _to_columns(values: NDArray, width: int) -> NDArray:
    """Spread values ordered by channel and parity over the columns."""
    return np.tile(values.reshape(-1, 2), (1, width // 2)).reshape(-1)


def _shrink(offset: NDArray, error: NDArray) -> tuple[NDArray, NDArray]:
    """Shrink offsets of mean 0 by the ratio of true to observed scatter."""
    observed = np.sum(offset**2) / max(len(offset) - 3, 1)
    expected = np.mean(error**2)
    share = max(0.0, 1 - expected / observed) if observed > 0 else 0.0
    return share * offset, np.sqrt(share) * error


def _row_drift(
    frame: NDArray[np.float32],
    layout: ReferenceLayout,
    offset: NDArray,
    offset_error: NDArray,
) -> tuple[NDArray, NDArray, float]:
    """Level of each row with its error, and the window that smoothed it."""
    border = layout.border
    used = np.r_[0:border, frame.shape[1] - border : frame.shape[1]]
    pixels = frame[:, used] - offset[used]
    residual = pixels - median(pixels, axis=1)[:, None]
    noise = float(clipped_statistics(residual, kappa=_KAPPA).sd)
    keep = np.abs(residual) <= _KAPPA * max(noise, np.finfo(np.float32).tiny)
    count = np.maximum(keep.sum(axis=1), 1)
    level = np.sum(pixels, axis=1, where=keep, dtype=np.float64) / count
    square = np.where(keep, np.square(pixels - level[:, None]), 0).sum()
    variance = square / max((count - 1).sum(), 1) / count.mean()
    best = _least_error(level, variance)
    # The level also bears the error of the offsets of its four groups of columns.
    common = np.mean(offset_error[used] ** 2) / 4
    return best.drift, np.sqrt(best.variance + common), best.window


@dataclass(frozen=True)
class _Smoothed:
    window: float
    drift: NDArray[np.float64]
    variance: NDArray[np.float64]
    risk: float
    chance: float


def _least_error(level: NDArray, variance: float) -> _Smoothed:
    """Smooth by the window of least expected error."""
    best = _smooth(level, variance, _WINDOWS[-1])
    for window in _WINDOWS[-2::-1]:
        trial = _smooth(level, variance, window)
        # A shorter window must be better by more than chance decides.
        if trial.risk < best.risk - trial.chance:
            best = trial
    return best


def _smooth(level: NDArray, variance: float, window: float) -> _Smoothed:
    """Smooth by one window; the variance includes the drift that the window does not follow."""
    kernel = _kernel(window, len(level))
    ones = np.ones_like(level)
    total = _convolve(ones, kernel)
    drift = _convolve(level, kernel) / total
    own_weight = kernel[len(kernel) // 2] / total
    squared_weights = _convolve(ones, kernel**2) / total**2
    risk = np.mean((level - drift) ** 2) + variance * (2 * own_weight.mean() - 1)
    unfollowed = max(0.0, risk - variance * squared_weights.mean())
    chance = 2 * variance * np.sqrt(2 * own_weight.sum()) / len(level)
    return _Smoothed(window, drift, variance * squared_weights + unfollowed, risk, chance)


def _kernel(window: float, length: int) -> NDArray[np.float64]:
    if np.isinf(window):
        return np.ones(2 * length - 1)
    reach = min(int(np.ceil(4 * window)), length - 1)
    distance = np.arange(-reach, reach + 1)
    return np.exp(-0.5 * (distance / max(window, 1e-6)) ** 2)


def _convolve(values: NDArray, kernel: NDArray) -> NDArray:
    # scipy.signal would do the same, but takes longer to import than the frame to correct.
    length = next_fast_len(len(values) + len(kernel) - 1, real=True)
    full = irfft(rfft(values, length) * rfft(kernel, length), length)
    return full[len(kernel) // 2 :][: len(values)]
