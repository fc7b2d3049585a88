"""From the measurements of a series to gain, linearity and bad pixels."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from soxs_recipes.algorithms.bad_pixels import OutlierSettings, find_outliers
from soxs_recipes.algorithms.linearity import (
    Linearity,
    LinearityError,
    LinearityFit,
    Moments,
    brightness_classes,
    class_moments,
    fit_shortest,
)
from soxs_recipes.algorithms.linearity_pixels import find_dead, find_nonlinear
from soxs_recipes.algorithms.photon_transfer import (
    PhotonTransfer,
    TransferError,
    TransferPoints,
    fit_transfer,
    joined,
    saturation_level,
)
from soxs_recipes.algorithms.quality import Quality, QualityArray
from soxs_recipes.recipes.detector_series import Measurements, SeriesError

# Classes of brightness, and the signal-to-noise ratio per exposure of the faintest.
_CLASSES = 40
_FAINTEST = 10.0
# A first guess of the slope of the photon transfer curve uses its lower part.
_LOWER_PART = 0.5


@dataclass(frozen=True)
class DetectorResponse:
    """Response of a detector in one read mode, in ADU.

    Attributes
    ----------
    transfer : PhotonTransfer
        Photon transfer line of frames corrected for linearity.
    fit : LinearityFit
        Linearity correction.
    moments : Moments
        What it was fitted to.
    linearity : Linearity
        The correction with limit and saturation.
    points : TransferPoints
        Photon transfer curve as measured.
    """

    transfer: PhotonTransfer
    fit: LinearityFit
    moments: Moments
    linearity: Linearity
    points: TransferPoints


def solve_response(found: Measurements, degree: int, lamp_stability: float) -> DetectorResponse:
    """Fit linearity, photon transfer and saturation, which depend on each other, in turn.

    Parameters
    ----------
    found : Measurements
        Of a series.
    degree : int
        Coefficients of the linearity correction.
    lamp_stability : float
        Expected drift of the lamp between exposures.

    Raises
    ------
    SeriesError
        If the levels below saturation are too few.
    """
    points = joined(found.points)
    saturation = found.full_adu
    try:
        for _ in range(2):
            moments = _moments(found, saturation, degree)
            fit = fit_shortest(moments, degree, lamp_stability)
            lower = points.where(points.signal < _LOWER_PART * saturation).corrected(fit.linearity)
            transfer = fit_transfer(lower)
            saturation = min(found.full_adu, saturation_level(points, transfer, fit.linearity))
        useful = points.where(points.signal < 0.95 * saturation).corrected(fit.linearity)
        transfer = fit_transfer(useful)
    except (LinearityError, TransferError) as error:
        raise _unsound(found, error) from error
    if found.zero_noise_adu:
        noise = float(np.sqrt(np.mean(np.square(found.zero_noise_adu))))
        pixels = found.levels[0].signal.size * len(found.zero_noise_adu)
        transfer = replace(transfer, read_noise=noise, read_noise_error=noise / (2 * pixels) ** 0.5)
    limit = min(fit.linearity.limit_adu, saturation)
    linearity = replace(fit.linearity, limit_adu=limit, saturation_adu=saturation)
    return DetectorResponse(transfer, fit, moments, linearity, points)


def _unsound(found: Measurements, error: Exception) -> SeriesError:
    worst = 100 * max(found.saturated_fraction)
    return SeriesError(
        "The series does not tell the response of the detector",
        expected="three exposure times or more in which the lamp is bright but not saturated",
        found=f"{error}; up to {worst:.3g} % of the pixels are saturated",
        remedy="take the series with other exposure times or another lamp brightness",
    )


def _moments(found: Measurements, saturation: float, degree: int) -> Moments:
    """Mean signals of classes of equal brightness; classes that come near saturation are out."""
    faint, bright = found.faint, found.bright
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = (faint.light + bright.light) / (faint.exptime_s + bright.exptime_s)
    rate = rate[::2]
    noise = float(np.mean(found.zero_noise_adu or found.reference_noise_adu or [1.0]))
    longest = max(level.exptime_s for level in found.levels)
    classes = brightness_classes(rate, _FAINTEST * noise / longest, _CLASSES)
    peak = np.full(_CLASSES, 0.0)
    np.maximum.at(peak, classes[classes >= 0], rate[classes >= 0])
    per_adu = _rough_slope(found)
    powers, errors, levels = [], [], []
    for level in found.levels:
        chosen = np.where(level.struck, -1, classes)
        power, error, mean = class_moments(
            level.signal, level.zero, chosen, _CLASSES, degree, per_adu / 2
        )
        # The brightest pixel of a class, with its noise, must stay below saturation.
        top = peak * level.exptime_s
        top += 6 * np.sqrt(np.maximum(per_adu * top, 0))
        usable = (top < 0.99 * saturation) & (mean > _FAINTEST * noise)
        powers.append(power)
        errors.append(error)
        levels.append(np.where(usable, mean, np.nan))
    times = np.array([level.exptime_s for level in found.levels])
    return Moments(np.stack(powers), np.stack(errors), np.stack(levels), times)


def _rough_slope(found: Measurements) -> float:
    """Photon variance per ADU, from the brightest half of the points."""
    points = joined(found.points)
    bright = points.signal > 0.3 * np.median(points.signal)
    return float(np.median(points.variance[bright] / points.signal[bright]))


@dataclass(frozen=True)
class PixelLimits:
    """Thresholds of the bad-pixel map.

    Attributes
    ----------
    dead_response : float
        Share of the light of its surroundings below which a pixel is dead.
    hot_kappa : float
        Excess in a dark that makes a pixel hot, in standard deviations.
    nonlinear : float
        Relative deviation of the response that makes a pixel non-linear.
    """

    dead_response: float = 0.5
    hot_kappa: float = 5.0
    nonlinear: float = 0.05


def bad_pixel_map(
    found: Measurements, response: DetectorResponse, dispersion_axis: int, limits: PixelLimits
) -> QualityArray:
    """Quality mask of the detector: DEAD, HOT, NONLINEAR and NOISY pixels.

    Parameters
    ----------
    found : Measurements
        Of the series.
    response : DetectorResponse
        Its solution.
    dispersion_axis : {0, 1}
        Axis along which flat-field light changes least.
    limits : PixelLimits
        Thresholds.
    """
    slope, noise = response.transfer.slope, response.transfer.read_noise
    faint, bright = found.faint, found.bright
    light = faint.light + bright.light
    variance = slope * np.maximum(light, 0) / 2
    variance += np.float32(found.sum_variance(len(found.levels), noise))
    quality = np.zeros(light.shape, np.uint16)

    def flag(where: np.ndarray, bit: Quality) -> None:
        quality[where] |= np.uint16(bit)

    flag(find_dead(light, variance, dispersion_axis, limits.dead_response), Quality.DEAD)
    flag(found.scatter.noisy(), Quality.NOISY)
    if found.dark is not None:
        settings = OutlierSettings(limits.hot_kappa)
        expected = np.float32(noise**2 / found.zero_frames)
        hot = find_outliers(found.dark, expected, np.isfinite(found.dark), settings)
        flag(hot.high, Quality.HOT)
    flag(_nonlinear(found, slope, noise, limits.nonlinear) & (quality == 0), Quality.NONLINEAR)
    return quality


def _nonlinear(found: Measurements, slope: float, noise: float, tolerance: float) -> np.ndarray:
    """Pixels whose response in long exposures differs from that in short ones."""
    dark = np.float32(found.sum_variance(len(found.levels) / 2, noise))

    def relative_variance(part: object) -> np.ndarray:
        variance = slope * np.maximum(part.light, 0) / 2 + dark
        with np.errstate(invalid="ignore", divide="ignore"):
            return variance / part.light**2

    rates = found.faint.rate(), found.bright.rate()
    return find_nonlinear(
        *rates, relative_variance(found.faint) + relative_variance(found.bright), tolerance
    )
