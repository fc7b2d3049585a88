"""Exposures of the sky on their way to sky subtraction, in the steps that all modes share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from soxs_recipes.algorithms.beam_pixels import MasterNoise
from soxs_recipes.algorithms.detrending import FAINT
from soxs_recipes.algorithms.flat_field_stack import inside_orders
from soxs_recipes.algorithms.flexure import Flexure
from soxs_recipes.algorithms.frame import DetectorFrame
from soxs_recipes.algorithms.quality import Quality
from soxs_recipes.algorithms.row_levels import row_levels
from soxs_recipes.algorithms.sky_fit import SkySettings, SkySpectrum
from soxs_recipes.algorithms.sky_model import SkyModel, fit_sky, given_sky
from soxs_recipes.algorithms.sky_transfer import joined_sky, transferred_sky, weights_in_time
from soxs_recipes.algorithms.slit_strips import SlitStrip, slit_strips
from soxs_recipes.errors import MissingInputError, SettingMismatchError
from soxs_recipes.instrument import keywords as kw
from soxs_recipes.products.line_check_tables import read_offset
from soxs_recipes.products.sky_lines import read_sky_lines
from soxs_recipes.recipes.common_inputs import MASTER_DARK_NIR
from soxs_recipes.recipes.detrending import Detrended, detrend_one, with_cosmic_rays
from soxs_recipes.recipes.detrending_calibrations import Calibrations, read_calibrations
from soxs_recipes.recipes.exposure_flexure import measured_flexure, told_flexure
from soxs_recipes.recipes.science_inputs import LINE_CHECK_TAB
from soxs_recipes.recipes.slit_edges import read_edges, slit_ends
from soxs_recipes.recipes.slit_frames import full_solution
from soxs_recipes.recipes.statics import SKY_LINES, TELLURIC_MODEL, static_path

if TYPE_CHECKING:
    from pathlib import Path

    from soxs_recipes.algorithms.arc_lines import ArcLines
    from soxs_recipes.algorithms.dispersion import DispersionSolution
    from soxs_recipes.recipes.base import Run
    from soxs_recipes.recipes.declarations import Input
    from soxs_recipes.recipes.frames import InputFrame

# A line check of the same night tells the flexure to this.
_LINE_CHECK_PX = 0.1
# So far from the edges of the orders no light of the slit is seen.
_CLEAR_PX = 4.0


@dataclass(frozen=True)
class Setup:
    """What all exposures of a run share.

    Attributes
    ----------
    calibrations : Calibrations
        For detrending.
    solution : DispersionSolution
        Two-dimensional solution, before flexure.
    slit_arcsec : tuple of float
        Slit positions of the ends of the slit.
    lines : ArcLines
        Lines of the night sky.
    expected : Flexure
        What is known of the flexure before sky lines are measured.
    molecules : Path
        Optical depths of molecules, read where sky lines do not suffice.
    dark : ndarray of bool or None
        Pixels between the orders, by which the drift of rows is measured; None where rows have
        none.
    """

    calibrations: Calibrations
    solution: DispersionSolution
    slit_arcsec: tuple[float, float]
    lines: ArcLines
    expected: Flexure
    molecules: Path
    dark: np.ndarray | None = None

    @cached_property
    def masters(self) -> MasterNoise:
        """Noise of the masters that all exposures share."""
        return self.calibrations.master_noise()


@dataclass(frozen=True)
class SkyExposure:
    """A detrended exposure and where its light falls.

    Attributes
    ----------
    source : tuple of InputFrame
        The raw frame; two for a difference.
    frame : DetectorFrame
        Electrons.
    exptime_s : float
        Time in which they came.
    steps : tuple of str
        What was done.
    light : ndarray
        Electrons whose photon noise the errors contain.
    photon_factor, faint_below_e : float
        See `SkySettings`.
    flexure : Flexure
        Its shift.
    strips : tuple of SlitStrip
        Pixels of the orders.
    beams : tuple of (int, float)
        Sign of each image of the object, and its slit position by the header.
    mjd_mid : float
        Middle of the exposure.
    masters : MasterNoise
        What of its noise other exposures share.
    between_e : float
        Mean of the pixels between the orders; 0 where zero levels do not drift.
    """

    source: tuple[InputFrame, ...]
    frame: DetectorFrame
    exptime_s: float
    steps: tuple[str, ...]
    light: np.ndarray
    photon_factor: float
    faint_below_e: float
    flexure: Flexure
    strips: tuple[SlitStrip, ...]
    beams: tuple[tuple[int, float], ...]
    mjd_mid: float
    masters: MasterNoise
    between_e: float = 0.0


@dataclass(frozen=True)
class SkyBeside:
    """Sky beside the target.

    Attributes
    ----------
    mjd_mid, exptime_s : float
        Middle of the exposure, and the time in which its electrons came.
    spectra : tuple of SkySpectrum
        Sky by order.
    variance : ndarray
        Variance of its model in the pixels of the frame.
    between_e : float
        As of `SkyExposure`.
    """

    mjd_mid: float
    exptime_s: float
    spectra: tuple[SkySpectrum, ...]
    variance: np.ndarray
    between_e: float

    @classmethod
    def fitted(cls, run: Run, exposure: SkyExposure) -> SkyBeside:
        """Fit the sky of an exposure without a target."""
        model = fitted_sky(run, exposure, float("nan"))
        sky = model.spectra, model.variance, exposure.between_e
        return cls(exposure.mjd_mid, exposure.exptime_s, *sky)


def observed(run: Run, inputs: Mapping[str, Sequence[Input]]) -> tuple[str, tuple[InputFrame, ...]]:
    """Role of the run and its raw frames in order of time.

    Parameters
    ----------
    run : Run
        Its frames are of one role.
    inputs : mapping of str to sequence of Input
        Raw inputs by role, overrides included.

    Raises
    ------
    MissingInputError
        If there are frames of no role, or of several.
    """
    given = {
        role: [frame for item in items for frame in run.inputs.of(item)]
        for role, items in inputs.items()
    }
    roles = [role for role, frames in given.items() if frames]
    if len(roles) == 1:
        frames = sorted(given[roles[0]], key=lambda frame: float(frame.header.get(kw.MJD_OBS, 0)))
        return roles[0], tuple(frames)
    tags = [items[0].tag_of(run.arm.name) for items in inputs.values()]
    raise MissingInputError(
        "Exposures of one kind of target are needed",
        expected="one of " + ", ".join(tags),
        found=", ".join(given[role][0].tag for role in roles) or "none",
        remedy="give science, flux and telluric standards sets of their own"
        if roles
        else "add the exposures",
    )


def read_setup(run: Run, first: InputFrame) -> Setup:
    """Read what all exposures share.

    Raises
    ------
    SettingMismatchError
        If the solution is of another binning.
    """
    solution = full_solution(run, first.readout.science_shape)
    check = run.inputs.one(LINE_CHECK_TAB)
    expected = Flexure()
    if check is not None:
        expected = Flexure(*read_offset(check.path), _LINE_CHECK_PX, _LINE_CHECK_PX)
    calibrations = read_calibrations(run)
    if calibrations.dark is None and run.arm.name in MASTER_DARK_NIR.arms:
        run.warning("No master dark: hot pixels stay in the exposures")
    lines = read_sky_lines(static_path(run, SKY_LINES))
    molecules = static_path(run, TELLURIC_MODEL)
    orders = read_edges(run, solution)
    dark = ~inside_orders(orders, -_CLEAR_PX) if run.arm.rows_drift else None
    ends = slit_ends(orders, solution)
    return Setup(calibrations, solution, ends, lines, expected, molecules, dark)


def prepare(run: Run, setup: Setup, frame: InputFrame) -> SkyExposure:
    """Detrend an exposure, flag its cosmic rays and measure its flexure."""
    exposure = detrend_one(run, frame, setup.calibrations)
    if run.settings.cosmic_rays:
        exposure = with_cosmic_rays(run, exposure)
    between_e = 0.0
    if setup.dark is not None:
        exposure, between_e = _without_drift(exposure, setup.dark)
    flexure = measured_flexure(run, setup, exposure, target_slit_arcsec(frame))
    noise = exposure.noise.variance(np.array([0.0, 1.0]))
    duration_s = float(frame.header.get(kw.EXPTIME, exposure.exptime_s))
    return SkyExposure(
        source=(frame,),
        frame=exposure.frame,
        exptime_s=exposure.exptime_s,
        steps=(*exposure.steps, told_flexure(run, flexure)),
        light=exposure.light,
        photon_factor=float(noise[1] - noise[0]),
        faint_below_e=FAINT * float(noise[0]),
        flexure=flexure,
        strips=strips_of(run, setup, flexure),
        beams=((1, target_slit_arcsec(frame)),),
        mjd_mid=float(frame.header.get(kw.MJD_OBS, np.nan)) + duration_s / 2 / 86400,
        masters=setup.masters,
        between_e=between_e,
    )


def _without_drift(exposure: Detrended, dark: np.ndarray) -> tuple[Detrended, float]:
    """Exposure without what rows have in common between the orders, and their mean there."""
    levels = row_levels(exposure.frame, dark)
    steps = (*exposure.steps, "subtracted: drift of each row, from pixels between the orders")
    exposure = replace(exposure, frame=levels.removed_from(exposure.frame), steps=steps)
    return exposure, levels.mean_e


def target_slit_arcsec(frame: InputFrame) -> float:
    """Slit position at which the header has the target: the offset along the slit, if any."""
    return float(frame.header.get(kw.CUMOFF_Y_ARCSEC, 0.0))


def strips_of(run: Run, setup: Setup, flexure: Flexure) -> tuple[SlitStrip, ...]:
    """Pixels of the orders that the slit lights fully."""
    low, high = setup.slit_arcsec
    margin = run.settings.slit_margin
    return slit_strips(flexure.applied(setup.solution), (low + margin, high - margin))


def for_differences(setup: Setup) -> Setup:
    """Calibrations whose errors cancel in the difference of two exposures are without error."""
    calibrations = setup.calibrations
    bias, dark = calibrations.bias, calibrations.dark
    if bias is not None:
        bias = replace(bias, error=np.zeros_like(bias.error))
    if dark is not None:
        frame = replace(dark.frame, error=np.zeros_like(dark.frame.error))
        dark = replace(dark, frame=frame)
    return replace(setup, calibrations=replace(calibrations, bias=bias, dark=dark))


def difference(run: Run, setup: Setup, one: SkyExposure, other: SkyExposure) -> SkyExposure:
    """Return one exposure less another; both images of the object are beams of it.

    Raises
    ------
    SettingMismatchError
        If their exposure times differ.
    """
    if abs(one.exptime_s - other.exptime_s) > 0.01 * one.exptime_s:
        raise SettingMismatchError(
            "Exposures of a pair differ in exposure time",
            file=other.source[0].path,
            expected=f"{one.exptime_s:g} s, as in {one.source[0].path.name}",
            found=f"{other.exptime_s:g} s",
            remedy="fit the sky of each exposure instead: --nod-sky=model",
        )
    flexure = one.flexure.halfway(other.flexure)
    return replace(
        one,
        source=(*one.source, *other.source),
        frame=one.frame.minus(other.frame),
        steps=(*one.steps, f"subtracted: {other.source[0].path.name}"),
        photon_factor=0.0,
        flexure=flexure,
        strips=strips_of(run, setup, flexure),
        beams=(*one.beams, *((-sign, slit) for sign, slit in other.beams)),
        mjd_mid=(one.mjd_mid + other.mjd_mid) / 2,
    )


def fitted_sky(run: Run, exposure: SkyExposure, expected_arcsec: float | None = None) -> SkyModel:
    """Fit the sky of an exposure.

    Parameters
    ----------
    expected_arcsec : float, optional
        Where the target should be, if not where its first beam is; NaN where there is none.
    """
    _, beam = exposure.beams[0]
    expected = beam if expected_arcsec is None else expected_arcsec
    settings = _settings(run, exposure, expected)
    return fit_sky(exposure.frame, exposure.strips, settings, light=exposure.light)


def _settings(run: Run, exposure: SkyExposure, expected_arcsec: float) -> SkySettings:
    given = run.settings
    return SkySettings(
        photon_factor=exposure.photon_factor,
        faint_below_e=exposure.faint_below_e,
        expected_arcsec=expected_arcsec,
        knot_px=given.knot_distance,
        least_snr=given.object_detection,
        most_objects=given.most_objects,
        signed=len(exposure.beams) > 1,
    )


def sky_from_others(
    run: Run, exposure: SkyExposure, others: Sequence[SkyBeside], with_own: bool
) -> SkyModel:
    """Sky of an exposure from that of others, its lines scaled.

    Parameters
    ----------
    run : Run
        Its settings are used.
    exposure : SkyExposure
        Exposure on target.
    others : sequence of SkyBeside
        What was fitted in exposures of the sky.
    with_own : bool
        Whether the sky fitted in the exposure itself is averaged with theirs; else theirs is
        interpolated in time.
    """
    times = [other.mjd_mid for other in others]
    weights = [1 / len(others)] * len(others)
    if not with_own:
        weights = weights_in_time(exposure.mjd_mid, times)
    scaled = [
        weight * exposure.exptime_s / other.exptime_s
        for weight, other in zip(weights, others, strict=True)
    ]
    spectra = [other.spectra for other in others]
    sky = transferred_sky(exposure.frame, exposure.strips, spectra, scaled)
    variance = sum(
        np.float32(share**2) * other.variance
        for share, other in zip(scaled, others, strict=True)
        if share
    )
    settings = _settings(run, exposure, exposure.beams[0][1])
    if with_own:
        own = fit_sky(exposure.frame, exposure.strips, settings, light=exposure.light)
        return joined_sky(own, exposure.strips, sky, variance)
    # By what zero levels differ between exposures is seen between the orders.
    drift_e = exposure.between_e - np.dot(scaled, [other.between_e for other in others])
    sky = sky + np.float32(drift_e)
    return given_sky(exposure.frame, exposure.strips, settings, sky, variance, exposure.light)


def without_sky(exposure: SkyExposure, model: SkyModel) -> DetectorFrame:
    """Exposure without sky; pixels for which there is no model have no data."""
    frame = model.subtracted(exposure.frame)
    frame = frame.flag(~model.covered, Quality.NO_DATA)
    return frame.flag(model.covered & (model.variance > model.pixel_variance), Quality.SKY_RESIDUAL)
