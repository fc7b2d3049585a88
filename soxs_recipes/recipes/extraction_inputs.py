"""What soxs_extract takes, and the choice of the object that it extracts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from soxs_recipes.errors import InputError
from soxs_recipes.recipes.common import (
    OBJECT_DETECTION,
    PRODUCT_SUFFIX,
    VELOCITY_STEP,
    WAVE_STEP,
)
from soxs_recipes.recipes.declarations import (
    Input,
    Kind,
    Match,
    Parameter,
    Setting,
)
from soxs_recipes.recipes.roles import role_inputs
from soxs_recipes.recipes.science_inputs import ORDER_TAB_EDGES
from soxs_recipes.recipes.slit_frames import DISP_TAB_2D

if TYPE_CHECKING:
    from soxs_recipes.algorithms.beam_pixels import StoredExposure
    from soxs_recipes.algorithms.dispersion import DispersionSolution
    from soxs_recipes.algorithms.object_extraction import ObjectSettings, SlitView
    from soxs_recipes.algorithms.object_search import SlitObject
    from soxs_recipes.recipes.base import Run
    from soxs_recipes.recipes.frames import InputFrame

_SAME = (Match(Setting.BINNING), Match(Setting.SLIT))

SKY_SUB = role_inputs("SKY_SUB_{arm}", "exposures without sky, of one role", minimum=0, match=_SAME)
SKY_MODEL = role_inputs(
    "SKY_MODEL_{arm}",
    "their skies: sky spectrum, error of the sky",
    minimum=0,
    match=(Match(Setting.BINNING),),
)
BLAZE_TAB = Input(
    "BLAZE_TAB_{arm}",
    "blaze: common scale of the orders",
    Kind.CALIB,
    maximum=1,
    match=(Match(Setting.BINNING),),
)
GUIDES = tuple(
    Input(
        f"{role}_OBJECT_TAB_{{arm}}",
        "trace of a standard, for objects too faint for their own",
        Kind.CALIB,
        minimum=0,
        maximum=1,
    )
    for role in ("FLUX", "TELL")
)
EXTRACTION_INPUTS = (
    *SKY_SUB.values(),
    *SKY_MODEL.values(),
    DISP_TAB_2D,
    ORDER_TAB_EDGES,
    BLAZE_TAB,
    *GUIDES,
)

OBJECT = Parameter(
    "object",
    "brightest",
    "Which object is extracted: the brightest, that at --slit-position, or all that are found",
    choices=("brightest", "position", "all"),
)
SLIT_POSITION = Parameter(
    "slit-position",
    0.0,
    "Slit position in the first exposure, for --object=position",
    "arcsec",
    -7.0,
    7.0,
)
FWHM = Parameter(
    "fwhm", 1.0, "Width that is taken where no object is found at the position", "arcsec", 0.2, 10.0
)
TRACE_DEGREE = Parameter(
    "trace-degree", 4, "Highest degree of the trace in wavelength", minimum=0, maximum=8
)
REJECTION = Parameter(
    "profile-kappa",
    5.0,
    "Pixels further from profile times spectrum are left out",
    "sigma",
    2.0,
    1000.0,
)
BOXCAR = Parameter(
    "boxcar-fwhm", 1.5, "Half of the plain sum's aperture, in FWHM of the object", "", 0.3, 3.0
)
BACKGROUND = Parameter(
    "background",
    "auto",
    "Light of neighbours and of a galaxy under the object is fitted with it",
    choices=("auto", "yes", "no"),
)
EXTRACTION_PARAMETERS = (
    OBJECT,
    SLIT_POSITION,
    FWHM,
    OBJECT_DETECTION,
    TRACE_DEGREE,
    REJECTION,
    BOXCAR,
    BACKGROUND,
    VELOCITY_STEP,
    WAVE_STEP,
    PRODUCT_SUFFIX,
)

# A given position belongs to an object that is nearer than this share of its width.
_SAME_OBJECT_FWHM = 0.7
# The end of the slit cuts a profile that is less on it.
_LEAST_SLIT_SHARE = 0.98
# Starts of exposures are told to this, in days.
_SAME_START = 1e-6


def read_exposures(
    run: Run, role: str, frames: Sequence[InputFrame], solution: DispersionSolution
) -> list[StoredExposure]:
    """Frames without sky, each with its sky where that is given, to be read one by one.

    Raises
    ------
    InputError
        If frames, skies and solution do not belong together.
    """
    from soxs_recipes.products.beam_tables import stored_exposure

    skies = run.inputs.of(SKY_MODEL[role])
    exposures = []
    for frame in frames:
        sky = next((one for one in skies if _start_apart(frame, one) < _SAME_START), None)
        if sky is None:
            run.warning(
                f"{frame.path.name}: without its {SKY_MODEL[role].tag_of(run.arm.name)} there is "
                "no sky spectrum, and the error of the sky is not in that of the object"
            )
        exposures.append(stored_exposure(frame.path, sky and sky.path, solution))
    return exposures


def read_solution(run: Run) -> DispersionSolution:
    """Read the two-dimensional solution."""
    from soxs_recipes.products.dispersion_tables import read_dispersion_table

    return read_dispersion_table(run.inputs.one(DISP_TAB_2D).path)


def object_settings(run: Run, solution: DispersionSolution) -> ObjectSettings:
    """Read settings, ends of the slit and the trace of a standard."""
    from soxs_recipes.algorithms.extraction import ExtractionSettings
    from soxs_recipes.algorithms.object_extraction import ObjectSettings
    from soxs_recipes.products.object_tables import read_trace
    from soxs_recipes.products.phase3_observation import slit_width_arcsec
    from soxs_recipes.recipes.slit_edges import read_edges, slit_ends

    given = run.settings
    frames = [frame for item in SKY_SUB.values() for frame in run.inputs.of(item)]
    guides = [frame for item in GUIDES for frame in run.inputs.of(item)]
    return ObjectSettings(
        slit_ends(read_edges(run, solution), solution),
        given.object_detection,
        given.trace_degree,
        read_trace(guides[0].path) if guides else None,
        slit_width_arcsec(frames[0].header),
        given.background,
        ExtractionSettings(given.profile_kappa, given.boxcar_fwhm),
    )


def chosen_objects(run: Run, view: SlitView, first: InputFrame) -> list[SlitObject]:
    """Objects to extract; all that were found are told.

    Raises
    ------
    InputError
        If there is none and no position is given.
    """
    for one in view.objects:
        run.info(
            f"Object at {one.offset_arcsec + view.origin_arcsec:+.2f} arcsec: S/N {one.snr:.0f}, "
            f"FWHM {one.fwhm_arcsec:.2f} arcsec, {one.kind.lower()}"
        )
    if run.settings.object == "position":
        return [_at_position(run, view)]
    if not view.objects:
        raise InputError(
            "No object is found on the slit",
            file=first.path,
            expected=f"a peak along the slit of {run.settings.object_detection:g} sigma",
            found="none: too faint, off the slit, or as long as the slit",
            remedy="give --object=position --slit-position=... to extract what is there, or lower "
            "--object-detection",
        )
    if run.settings.object == "brightest" and len(view.objects) > 1:
        run.warning(
            f"{len(view.objects)} objects are on the slit, the brightest is extracted; "
            "--object=all extracts each, --object=position one of them"
        )
    return view.objects if run.settings.object == "all" else view.objects[:1]


def tell_doubts(run: Run, found: SlitObject, slit_share: float, traced: bool) -> None:
    """Warn of what makes a spectrum doubtful."""
    if found.kind == "EXTENDED":
        run.warning(
            f"The object is {found.fwhm_arcsec:.1f} arcsec wide: its own light beside its middle "
            "may have been subtracted as sky"
        )
    if slit_share < _LEAST_SLIT_SHARE:
        run.warning(
            "The object is at the end of the slit, which cuts its profile: the spectrum is of the "
            "light on the slit"
        )
    if not traced:
        run.warning(
            "The object is too faint to be traced: position and width are taken to be constant, "
            "or those of the standard that was given"
        )


def _start_apart(one: InputFrame, other: InputFrame) -> float:
    from soxs_recipes.instrument import keywords as kw

    starts = [frame.header.get(kw.MJD_OBS) for frame in (one, other)]
    return float("inf") if None in starts else abs(float(starts[0]) - float(starts[1]))


def _at_position(run: Run, view: SlitView) -> SlitObject:
    """Object at the given position: a found one that is close enough, else what is there."""
    from soxs_recipes.algorithms.object_search import SlitObject

    offset = run.settings.slit_position - view.origin_arcsec
    near = [
        one
        for one in view.objects
        if abs(one.offset_arcsec - offset) < _SAME_OBJECT_FWHM * one.fwhm_arcsec
    ]
    if near:
        return min(near, key=lambda one: abs(one.offset_arcsec - offset))
    run.warning(
        f"No object is found at {run.settings.slit_position:+.2f} arcsec: what is there is "
        f"extracted with a width of {run.settings.fwhm:g} arcsec"
    )
    return SlitObject(offset, 0.0, 0.0, run.settings.fwhm)
